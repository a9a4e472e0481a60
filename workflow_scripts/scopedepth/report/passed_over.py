"""What of a dataset was passed over, as prepare wrote it beside the stores: the words of a study without a number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scopedepth.job.manifest import manifest_of, page_of

SHOWN = 4


def read_page(store: Path) -> dict[str, Any] | None:
    """Return the facts written beside a dataset's store, or None."""
    try:
        page = json.loads(page_of(manifest_of(store)).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return page if isinstance(page, dict) else None


def passed_over(stores: Iterable[Path]) -> list[str]:
    """Return a line for each of the first sequences of some stores: frames, depth, flags, notes and doubts."""
    pages = [page for store in stores if (page := read_page(store))]
    lines = [
        ": ".join(_of(one, page.get("depth_units"))) for page in pages for one in page.get("sequences") or []
    ]
    more = [f"and {len(lines) - SHOWN} more sequences"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def _of(sequence: Mapping[str, Any], unit: str | None) -> Iterator[str]:
    yield str(sequence.get("name"))
    frames, without = sequence.get("frames"), sequence.get("no_depth")
    said = [f"{without} of {frames} frames have no depth"] if without else []
    depth = sequence.get("depth") or {}
    if {"min", "max"} <= depth.keys():
        said.append(f"depth {depth['min']:.4g} to {depth['max']:.4g} ({unit})")
    flags = {name: share for name, share in (sequence.get("flag_shares") or {}).items() if share >= 0.01}
    if flags:
        said.append("pixels " + ", ".join(f"{name} {share:.0%}" for name, share in flags.items()))
    yield "; ".join([*said, *sequence.get("notes", ()), *sequence.get("doubts", ())]) or "nothing"
