"""Stores: Zarr v3 trees of frames, a group a sequence, written in whole shards, read by frames."""
