"""Loaders: one published layout a file."""
