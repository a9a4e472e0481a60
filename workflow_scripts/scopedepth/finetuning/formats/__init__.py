"""Families whose networks can be fine-tuned, one file each: `PARTS` or `parts`, `adapted`, `save`."""

from __future__ import annotations
