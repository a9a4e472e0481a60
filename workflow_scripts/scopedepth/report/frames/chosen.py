"""Which frames are shown, by rules: the report's pictures, and the frames of the pages beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

FOLDER = "frames"
PAGE = "index.html"

# A frame: its sequence, and its number there.
Key = tuple[str, int]


@dataclass(frozen=True)
class Chosen:
    """A frame of a dataset and why it is shown: best, median or worst of all models, or one network's own worst."""

    why: str
    sequence: str
    frame: int
    value: float
    models: tuple[str, ...]


def notable(
    values: Mapping[Key, Mapping[str, float]],
    models: Sequence[str],
    networks: Sequence[str],
    higher_is_better: bool,
) -> list[Chosen]:
    """Return the frames of a dataset that the report shows.

    The best, the median and the worst by the median over networks, then each network's worst. values: a metric by
    frame and model, frames without a number left out. Without a network that has numbers, all models judge.
    """
    scored = {model for of in values.values() for model in of}
    judges = [model for model in networks if model in scored] or [m for m in models if m in scored]
    whole = {key: of for key, of in values.items() if all(model in of for model in judges)}
    if not whole:
        return []
    sign = -1.0 if higher_is_better else 1.0
    middle = {key: float(np.median([of[model] for model in judges])) for key, of in whole.items()}
    order = sorted(middle, key=lambda key: (sign * middle[key], key))
    picked = [("best", order[0]), ("median", order[(len(order) - 1) // 2]), ("worst", order[-1])]
    chosen = [
        Chosen(why, *key, middle[key], tuple(models))
        for i, (why, key) in enumerate(picked)
        if key not in dict(picked[:i]).values()
    ]
    for model in judges:
        own = {key: of[model] for key, of in values.items() if model in of}
        key = max(sorted(own), key=lambda key: sign * own[key])
        chosen.append(Chosen("own", *key, own[key], (model,)))
    return chosen


def spread(n: int, at_most: int) -> list[int]:
    """Return at most so many of the places 0 to n - 1, evenly spaced, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, n - 1, min(n, at_most))}) if n else []


def shown(n: int, at_most: int, also: Iterable[int] = ()) -> list[int]:
    """Return the frames of a sequence of `n` that stand in the pages: some evenly spaced, and those in `also`."""
    return sorted({*spread(n, at_most), *also})


def address(dataset: str, sequence: str, frame: int, models: Sequence[str], protocol: str) -> str:
    """Return the address of a view in the pages, from the report: its first two models under the slider."""
    a, b = (*models, "", "")[:2]
    parts = (dataset, sequence, str(frame), a, b, protocol)
    return f"{FOLDER}/{PAGE}#" + "/".join(quote(part, safe="") for part in parts)
