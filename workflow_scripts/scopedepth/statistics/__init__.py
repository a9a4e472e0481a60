"""Statistics of a study: intervals, comparisons, ranks, skill and sensitivity to the protocol."""
