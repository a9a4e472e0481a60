"""Alignments, one a file: `ALIGNMENT` says what it is, `fit` finds factor and offset in the alignment's space."""
