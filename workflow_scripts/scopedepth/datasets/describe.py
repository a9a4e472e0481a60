"""The facts of a dataset's page in the report, from a finished store: a JSON-able dict, the same for the same store.

Statuses are counted over all frames; pixels over a sample of frames spread over each sequence (`SAMPLED`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.missing import doubts, extremes_of
from scopedepth.datasets.rectify.agreement import edge_agreement
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.vocabulary.flags import (
    BORDER,
    DOUBTFUL,
    FLAG_MEANINGS,
    FRAME_NO_DEPTH,
    FRAME_OK,
    FRAME_UNREADABLE,
    NO_DEPTH,
    OCCLUDED,
    SPECULAR,
    TOOL,
)

SAMPLED = 48
# Frames of them on which image and depth edges are compared.
COMPARED = 8
FLOATS_A_FRAME = 20_000
PICTURES = 3
PICTURE_WIDTH = 256
BINS = 40
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
COLOURS = {  # RGB of a flag in the overlay; the later ones are drawn over the earlier ones
    NO_DEPTH: (60, 90, 200),
    BORDER: (120, 120, 120),
    DOUBTFUL: (225, 200, 60),
    OCCLUDED: (230, 140, 30),
    TOOL: (40, 170, 80),
    SPECULAR: (220, 40, 160),
}


def describe_unit(store: Path) -> dict[str, Any]:
    """Return the facts of a unit: plain totals, and under `sequences` those of each sequence with sample pictures.

    A picture is a `data:` URL of a JPEG: `image`, `depth` (in colours, near is bright), `flags` (tinted image).
    """
    opened = DatasetStore(store)
    sequences = [describe_sequence(sequence) for sequence in opened.sequences.values()]
    frames = sum(one["frames"] for one in sequences)
    valid = [one["valid_share"] for one in sequences if one["valid_share"] is not None]
    return {
        "unit": store.stem,
        "dataset": opened.attrs.get("dataset", ""),
        "frames": frames,
        "sequence_count": len(sequences),
        "frame_sizes": ", ".join(dict.fromkeys(f"{one['width']}x{one['height']}" for one in sequences)),
        "depth_units": ", ".join(dict.fromkeys(one["units"] for one in sequences)),
        "depth_made_by": ", ".join(dict.fromkeys(one["depth_origin"] for one in sequences)).replace("_", " "),
        "unreadable_frames": sum(one["unreadable"] for one in sequences),
        "frames_without_depth": sum(one["no_depth"] for one in sequences),
        "share_of_pixels_with_depth": round(float(np.mean(valid)), 4) if valid else None,
        "legend": {name: list(COLOURS[bit]) for name, bit in FLAG_MEANINGS.items()},
        "sequences": sequences,
    }


def describe_sequence(sequence: DatasetSequence) -> dict[str, Any]:
    """Return the facts of one sequence."""
    status, ids = sequence.status(), sequence.frame_ids()
    readable = np.flatnonzero(status != FRAME_UNREADABLE)
    sampled = _spread(readable, SAMPLED)
    shares = flag_shares(sequence.flags(index, index + 1)[0] for index in sampled)
    stored = (sequence.stored_depth(index, index + 1)[0] for index in sampled)
    depth = describe_depth(stored, sequence.depth_scale)
    scale = number_scale(sequence.depth_scale, sequence.attrs)
    with_depth = _spread(np.flatnonzero(status == FRAME_OK), COMPARED)
    agreement = edge_agreement(
        (sequence.rgb(index, index + 1)[0], sequence.depth(index, index + 1)[0]) for index in with_depth
    )
    return {
        "name": sequence.name + (f" from frame {sequence.first_frame}" if sequence.first_frame else ""),
        "frames": sequence.n_frames,
        "frames_sampled": len(sampled),
        "width": sequence.width,
        "height": sequence.height,
        "units": sequence.units,
        "depth_origin": sequence.attrs.get("depth_origin", ""),
        "intrinsics": sequence.attrs.get("intrinsics"),
        "notes": sequence.attrs.get("notes", []),
        "unreadable": int((status == FRAME_UNREADABLE).sum()),
        "no_depth": int((status == FRAME_NO_DEPTH).sum()),
        "valid_share": None if shares is None else round(1 - shares["no_depth"], 4),
        "flag_shares": shares,
        "depth": depth,
        "doubts": [] if depth is None else doubts(depth, sequence.units, scale),
        "registration": agreement.facts(),
        "registration_before_undistortion": sequence.attrs.get("registration_before_undistortion"),
        "pictures": [picture(sequence, index, ids[index]) for index in _spread(readable, PICTURES)],
    }


def number_scale(of_integers: float, attrs: Mapping[str, Any]) -> float:
    """Return the depth of a number in the source's files: `of_integers`, or the spec's scale for floats."""
    stated = attrs.get("spec", {}).get("depth", {}).get("scale")
    return of_integers if of_integers != 1 or stated is None else float(stated)


def _spread(indices: NDArray[np.intp], count: int) -> list[int]:
    """Return up to `count` of the indices, evenly spread, first and last among them."""
    if not len(indices):
        return []
    places = np.unique(np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int))
    return [int(indices[place]) for place in places]


def flag_shares(frames: Iterable[NDArray[np.uint8]]) -> dict[str, float] | None:
    """Return the share of pixels that have each flag, over all frames; None without frames."""
    shares = [[((flags & bit) > 0).mean() for bit in FLAG_MEANINGS.values()] for flags in frames]
    if not shares:
        return None
    return {
        name: round(float(mean), 4) for name, mean in zip(FLAG_MEANINGS, np.mean(shares, axis=0), strict=True)
    }


def describe_depth(stored: Iterable[NDArray[Any]], scale: float) -> dict[str, Any] | None:
    """Return range, percentiles, histogram and quantisation of frames' depth as stored; None without any depth.

    Integers are counted one by one; of float32 frames, about `FLOATS_A_FRAME` pixels each. Quantisation:
    `step` is the greatest step, in units of depth, of which all integers found are multiples apart; `levels` how many
    different integers occur; `levels_a_frame` how many different numbers a median frame holds.
    """
    counted = np.zeros(1 << 16, np.int64)
    floats: list[NDArray[np.float32]] = []
    levels_a_frame = []
    for frame in stored:
        if frame.dtype == np.float32:
            known = frame[np.isfinite(frame)]
            floats.append(known[:: max(1, known.size // FLOATS_A_FRAME)])
            levels = len(np.unique(known))
        else:
            here = np.bincount(frame.ravel(), minlength=1 << 16)
            here[0] = 0
            counted += here
            levels = int(np.count_nonzero(here))
        if levels:
            levels_a_frame.append(levels)
    if not levels_a_frame:
        return None
    step, levels_in_all = None, None
    if floats:
        numbers, counts = np.unique(np.concatenate(floats), return_counts=True)
        depth = numbers.astype(np.float64)
    else:
        found = np.flatnonzero(counted)
        depth, counts, levels_in_all = found.astype(np.float64) * scale, counted[found], len(found)
        step = float(np.gcd.reduce(np.diff(found))) * scale if len(found) > 1 else None
    edges = np.linspace(depth[0], depth[-1] if depth[-1] > depth[0] else depth[0] + 1, BINS + 1)
    histogram, _ = np.histogram(depth, edges, weights=counts)
    below = np.searchsorted(np.cumsum(counts), np.array(PERCENTILES) / 100 * counts.sum())
    return {
        "min": _rounded(depth[0]),
        "max": _rounded(depth[-1]),
        "percentiles": {str(p): _rounded(depth[i]) for p, i in zip(PERCENTILES, below, strict=True)},
        "extremes": extremes_of(depth, counts),
        "histogram": {
            "edges": [_rounded(edge) for edge in edges],
            "counts": [int(count) for count in histogram],
        },
        "quantisation": {
            "step": None if step is None else _rounded(step),
            "levels": levels_in_all,
            "levels_a_frame": int(np.median(levels_a_frame)),
        },
    }


def _rounded(value: float) -> float:
    return float(f"{float(value):.6g}")


def picture(sequence: DatasetSequence, index: int, frame_id: str) -> dict[str, str]:
    """Return one frame as small pictures: the image, its depth in colours, its flags over the image."""
    rgb = sequence.rgb(index, index + 1)[0]
    depth, flags = sequence.depth(index, index + 1)[0], sequence.flags(index, index + 1)[0]
    return picture_of(rgb, depth, flags, frame_id)


def picture_of(
    rgb: NDArray[np.uint8], depth: NDArray[np.float32], flags: NDArray[np.uint8], frame_id: str
) -> dict[str, str]:
    """Return one frame's arrays as small pictures, as `picture` does."""
    return {
        "frame_id": frame_id,
        "image": data_url(small(rgb)),
        "depth": data_url(small(colour_depth(depth))),
        "flags": data_url(small(overlay(rgb, flags))),
    }


def small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image no wider than `PICTURE_WIDTH`."""
    height, width = rgb.shape[:2]
    if width <= PICTURE_WIDTH:
        return rgb
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def colour_depth(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return depth in colours, uint8 (h, w, 3): near is bright, between the 2nd and 98th percentile; black is none."""
    known = np.isfinite(depth)
    if not known.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = np.percentile(depth[known], [2, 98])
    place = np.clip((far - np.where(known, depth, far)) / max(far - near, 1e-9), 0, 1)
    coloured = cv2.applyColorMap((place * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[:, :, ::-1].copy()
    coloured[~known] = 0
    return coloured


def overlay(rgb: NDArray[np.uint8], flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with flagged pixels tinted in `COLOURS`."""
    shown = rgb.copy()
    for bit, colour in COLOURS.items():
        flagged = (flags & bit) > 0
        if flagged.any():
            tints = (0.4 * np.arange(256)[:, None, None] + 0.6 * np.array([[colour]])).astype(np.uint8)
            np.copyto(shown, np.asarray(cv2.LUT(rgb, tints)), where=flagged[:, :, None])
    return shown


def data_url(rgb: NDArray[np.uint8]) -> str:
    """Return a picture as a `data:` URL."""
    good, data = cv2.imencode(".jpg", np.ascontiguousarray(rgb[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert good
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def summary_lines(facts: Mapping[str, Any]) -> list[str]:
    """Return a sequence's facts as lines for a terminal."""
    depth, agreement = facts["depth"], facts["registration"]
    lines = [f"{facts['name']}: {facts['frames']} frames of {facts['width']}x{facts['height']}"]
    if depth is None:
        lines.append("  no depth")
    else:
        unit, levels = facts["units"], depth["quantisation"]
        step = "" if levels["step"] is None else f", in steps of {levels['step']:g}"
        lines.append(
            f"  depth {depth['min']:g} to {depth['max']:g}, median {depth['percentiles']['50']:g} ({unit}){step}, "
            f"{levels['levels_a_frame']} levels a frame"
        )
        lines.append(f"  {facts['valid_share']:.1%} of pixels have depth")
    if agreement["frames"]:
        lines.append(
            f"  edges of image and depth agree to {agreement['at_zero']:.2f}; best {agreement['best']:.2f} with the "
            f"image {agreement['shift'][0]:+.1f}, {agreement['shift'][1]:+.1f} px away"
            + ("" if agreement["clear"] else " (no clear peak)")
            + f"; {agreement['radial_best']:.2f} undistorted by k1 = {agreement['radial']:+.2f}"
        )
    lines += [f"  doubt: {doubt}" for doubt in facts["doubts"]]
    return lines + [f"  note: {note}" for note in facts["notes"]]
