"""ScopeDepth: monocular depth models on endoscopic video, one prediction scored under every protocol.

This package is the library behind the workflow. It knows nothing of Snakemake: the rules' scripts hand it
paths and specs, and notebooks and tests import it directly.
"""
