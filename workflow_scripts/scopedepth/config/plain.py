"""Configurations hold plain values: what YAML can say beyond them ends here, in one line that names the place."""

from __future__ import annotations

import datetime
import math
from typing import Any

DEEPEST = 30
MOST_VALUES = 500_000
LONGEST_TEXT = 100_000
LARGEST_NUMBER = 2**63


def unfit(value: Any) -> str | None:
    """Return what in a configuration cannot be used, as ``place: what is wrong``; None where all of it is plain.

    Plain are mappings with text for keys, lists, text, finite numbers, true, false and null, in a tree: anchors may
    repeat a part, but not hold themselves, nor nest until there is no end of values.
    """
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    seen = 0
    while waiting:
        place, part = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            return f"config.yaml: more than {MOST_VALUES} values; do anchors stand in anchors?"
        if len(place) > DEEPEST:
            return f"{_named(place[:3])}: nested more than {DEEPEST} deep; does an anchor hold itself?"
        if isinstance(part, dict):
            for key, inner in part.items():
                if not isinstance(key, str):
                    return f"{_named(place)}: {key!r:.60} is no name; put it in quotes."
                if wrong := _unfit_text(key):
                    return f"{_named(place)}: a name {wrong}."
                waiting.append(((*place, key), inner))
        elif isinstance(part, list):
            waiting += [((*place, str(index)), inner) for index, inner in enumerate(part)]
        elif wrong := _unfit_scalar(part):
            return f"{_named(place)}: {wrong}."
    return None


def _unfit_scalar(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        wrong = _unfit_text(value)
        return f"the text {wrong}" if wrong else None
    if isinstance(value, int):
        return "the number is too large" if abs(value) >= LARGEST_NUMBER else None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is no number to compute with"
    if isinstance(value, datetime.date):
        return f"{value} is a date to YAML; put it in quotes"
    return (
        f"{type(value).__name__} is nothing that a configuration holds; use text, numbers, lists and mappings"
    )


def _unfit_text(text: str) -> str | None:
    if len(text) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT} characters"
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return "holds characters that no file's name can"
    return None


def _named(place: tuple[str, ...]) -> str:
    return ".".join(part[:60] for part in place) or "config.yaml"
