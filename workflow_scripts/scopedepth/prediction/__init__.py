"""One model over all frames of a unit."""
