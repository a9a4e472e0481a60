"""Alignment and scoring of cached predictions under a protocol."""
