"""Words for what a model has seen in training of what it is tested on, the closest first."""

from __future__ import annotations

from collections.abc import Collection

FRAMES, SEQUENCE, PATIENT, DATASET, DEVICE = "frames", "sequence", "patient", "dataset", "device"
UNKNOWN, NONE = "unknown", "none"
LEVELS = (FRAMES, SEQUENCE, PATIENT, DATASET, DEVICE, UNKNOWN, NONE)

# What stands behind a model's name in a ranking. The closest level that is known, of several sequences.
MARKS = {FRAMES: "†", SEQUENCE: "‡", PATIENT: "§", DATASET: "¶", DEVICE: "‖", UNKNOWN: "?", NONE: ""}

# What a model has seen in training, in the words of a legend.
MEANINGS = {
    FRAMES: "these frames",
    SEQUENCE: "other frames of these sequences",
    PATIENT: "other sequences of these patients",
    DATASET: "other sequences of this dataset",
    DEVICE: "this device",
    UNKNOWN: "not known",
    NONE: "nothing of it",
}


def legend(levels: Collection[str]) -> str:
    """Return one line on the marks of `levels`, empty where none has a mark."""
    said = [f"{MARKS[level]} {MEANINGS[level]}" for level in LEVELS if level in levels and MARKS[level]]
    return f"Seen in training, at the closest: {'; '.join(said)}." if said else ""
