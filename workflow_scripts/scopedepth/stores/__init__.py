"""Stores: Zarr v3 trees of frames, one group a sequence, written in whole shards and read in ranges of frames."""
