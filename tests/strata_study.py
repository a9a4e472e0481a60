"""Simulated studies of a network that is worse in one stratum: what is named first?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evaluation_fakes import protocol, terms
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.pixels import Frame, Workspace, single
from scopedepth.evaluation.strata import cells_of, frame_strata
from scopedepth.statistics.panel import Panel
from scopedepth.statistics.strata import StrataPanel, named_first, strata_rows
from scopedepth.tables.frames import STRATUM_SUMS
from scopedepth.vocabulary import flags as bits
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.strata import CELLS, PARTITIONS, STRATA

SHAPE = 96, 128
SPEC = protocol(metrics=["abs_rel"], depth_range={"min": 1, "max": 500})
TERMS = terms("metric_depth", "mm", size=SHAPE, spec=SPEC)
FIT = Fit(1.0, 0.0, 1, codes.OK)
STUDY: dict[str, Any] = {"bootstrap": {"replicates": 400, "seed": 0}}
Array = NDArray[Any]


def scene(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return depth, flags and image of a tube with folds, highlights, a tool, a dark end and holes."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float64)
    centre = rng.uniform(0.4, 0.6, 2) * SHAPE
    r = np.hypot(y - centre[0], x - centre[1]) / SHAPE[0]
    folds = 1 + 0.3 * (np.sin(9 * r + rng.uniform(0, 6)) > 0.4)
    depth = (18 + 70 * np.exp(-4 * r**2) * folds + 2 * np.sin(x / 9)).astype(np.float32)
    grey = np.clip(255 * (24 / depth) ** 2 * (0.7 + 0.3 * np.sin(x / 5) * np.cos(y / 7)), 0, 255)
    flags = np.zeros(SHAPE, np.uint8)
    flags[np.hypot(y - SHAPE[0] / 2, x - SHAPE[1] / 2) > 0.6 * SHAPE[0]] |= bits.BORDER
    for spot in rng.uniform(0.1, 0.9, (4, 2)) * SHAPE:
        flags[np.hypot(y - spot[0], x - spot[1]) < 3] |= bits.SPECULAR
    bar = np.abs(x - y - rng.uniform(10, 60)) < 5
    flags[bar & (y > 40)] |= bits.TOOL
    flags[np.abs(folds - np.roll(folds, 3, axis=1)) > 0.1] |= bits.OCCLUDED
    missing = rng.random(SHAPE) < 0.02
    flags[(y > 60) & (x > 40)] |= bits.DOUBTFUL
    flags[missing] |= bits.NO_DEPTH
    return np.where(missing, np.float32("nan"), depth), flags, np.dstack([grey] * 3).astype(np.uint8)


def error(rng: np.random.Generator) -> Array:
    """Return smooth relative errors of one frame, as large at its border as inside."""
    wide = rng.standard_normal((SHAPE[0] + 48, SHAPE[1] + 48))
    smooth = cv2.GaussianBlur(wide, (0, 0), 6)[24:-24, 24:-24]
    # A Gaussian's sum of squares is 1 / (4 pi sigma^2).
    return np.asarray(smooth * (2 * 6 * np.sqrt(np.pi)) + 0.5 * rng.standard_normal(SHAPE))


def look(depth: Array, flags: Array, image: Array, prediction: Array) -> Frame:
    return single(TERMS, 0, prediction.astype(np.float32), depth, flags, image, Workspace())


def in_stratum(cells: Array, stratum: tuple[str, str]) -> Array:
    """Return which cells lie in a stratum."""
    partition, name = stratum
    place, number = list(PARTITIONS).index(partition), PARTITIONS[partition].index(name)
    return np.asarray([CELLS[cell][place] == number for cell in range(len(CELLS))])[cells]


def simulated(seed: int, weak: tuple[str, str], factor: float, lengths: Sequence[int]) -> list[str | None]:
    """Return what is named first of two networks, of which the first errs `factor` times as much in one stratum."""
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    n = int(starts[-1])
    panel = Panel(
        "d", "p", ("weak", "even"), tuple(f"s{i}" for i in range(len(lengths))), starts,
        np.concatenate([np.arange(length) for length in lengths]), ("ok",), np.zeros((2, n), np.int32), {},
    )  # fmt: skip
    strata = StrataPanel(panel, {})
    for sequence, length in enumerate(lengths):
        levels = 0.06 * np.exp(0.25 * rng.standard_normal(2))
        for frame in range(starts[sequence], starts[sequence] + length):
            depth, flags, image = scene(rng)
            cells = cells_of(look(depth, flags, image, np.ones(SHAPE)), 0)
            more = np.ones(SHAPE)
            more[np.isfinite(depth)] = np.where(in_stratum(cells, weak), factor, 1.0)
            for model in range(2):
                off = levels[model] * error(rng) * (more if model == 0 else 1.0)
                prediction = np.nan_to_num(depth, nan=50.0) * np.exp(off)
                found = frame_strata(TERMS, look(depth, flags, image, prediction), 0, FIT)
                strata.n[found.strata, model, frame] = found.n_pixels
                for name, sums in zip(STRATUM_SUMS, found.sums.T, strict=True):
                    strata.sums[name][found.strata, model, frame] = sums
    rows = strata_rows(STUDY, SPEC, ["abs_rel"], strata)
    named = [named_first(row for row in rows if row["model"] == model) for model in panel.models]
    return [None if row is None else row["stratum"] for row in named]


PLANTED = STRATA[1:-1]
