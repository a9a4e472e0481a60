"""Look at a dataset before anything is computed on it: what was found, what is wrong, a contact sheet.

Reads some frames of each sequence straight through the loader, so it also tells whether a new loader works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets import Chosen, choose_counted
from scopedepth.datasets.describe import COMPARED, colour_depth, describe_depth, overlay, summary_lines
from scopedepth.datasets.place import data_root
from scopedepth.datasets.prepare import registration, sample_images, spread
from scopedepth.datasets.reading.base import Frame, WithoutDepth
from scopedepth.datasets.reading.lists import NONE_FETCHED
from scopedepth.datasets.reading.masks import find_border, find_specular
from scopedepth.datasets.reading.missing import doubts
from scopedepth.datasets.rectify.undistort import undistorted
from scopedepth.datasets.viewed import viewed
from scopedepth.errors import ScopeDepthError, UnreadableFrame, one_line
from scopedepth.vocabulary.flags import BORDER, NO_DEPTH, SPECULAR

LOOKED_AT = 8
PROBLEMS_SHOWN = 5
SHOWN_SEQUENCES = 12
TILE = 200
WITHOUT_DEPTH = "  no depth"


def check_dataset(
    spec: Mapping[str, Any],
    raw: Path,
    sheet: Path | None = None,
    fetched: Mapping[str, Path] = NONE_FETCHED,
) -> Iterator[str]:
    """Yield lines that say what was found in a dataset; write a contact sheet (PNG) to `sheet`.

    `spec`: the dataset's spec; `raw`: the folder that fetch made; `fetched`: its lists that have
    an address, by digest. Some frames of each sequence are read; frames that
    do not read, and images and depth of different sizes, are listed as problems and are no exceptions here.
    """
    root = data_root(raw)
    chosen, choice = choose_counted(spec, root, fetched)
    if "steps" in spec:
        yield f"{spec['name']}: a view of {spec['view_of']}"
        chosen = viewed(spec, chosen, {one.sequence.name: size for one in chosen if (size := size_of(one))})
    yield f"{spec['name']}: {len(chosen)} sequences, {sum(len(one.indices) for one in chosen)} frames, in {root}"
    yield from choice.sentences()
    rows: list[NDArray[np.uint8]] = []
    scored = False
    for one in chosen:
        lines, row = check_sequence(one, spec["undistort"], spec["depth"]["scale"])
        yield from lines
        scored |= not any(line.startswith(WITHOUT_DEPTH) for line in lines)
        if row is not None and len(rows) < SHOWN_SEQUENCES:
            rows.append(row)
    if not scored:
        yield f"{spec['name']}: no frame looked at has depth, so nothing can be scored; see the notes above"
    if sheet is not None and rows:
        write_sheet(sheet, rows)
        yield f"contact sheet: {sheet} (image, depth with near bright, flags over the image)"


def size_of(chosen: Chosen) -> tuple[int, int] | None:
    """Return height and width of a sequence's frames, None where none of those looked at can be read."""
    images = sample_images(chosen, 1) or sample_images(chosen)
    return images[0].shape[:2] if images else None


def one_line_of(line: str) -> str:
    """Return a line as a terminal may have it, its indent kept: names and notes come from strangers' files."""
    return line[: len(line) - len(line.lstrip(" "))] + one_line(line)


def check_sequence(
    chosen: Chosen, undistort: bool, scale: float | None = None
) -> tuple[list[str], NDArray[np.uint8] | None]:
    """Return the lines of one sequence, and its row of the contact sheet if a frame could be read."""
    frames, problems = read_some(chosen)
    sequence = chosen.sequence
    listed = [f"  problem: {problem}" for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        listed.append(f"  and {len(problems) - PROBLEMS_SHOWN} more problems in the frames looked at")
    if not frames:
        return [
            f"{sequence.name}: {len(chosen.indices)} frames, none of those looked at can be read",
            *listed,
            *(f"  note: {note}" for note in sequence.notes),
            WITHOUT_DEPTH,
        ], None
    looked_at = spread(chosen, COMPARED)
    listed += [f"  {finding}" for finding in sequence.findings(looked_at)]
    listed += [f"  problem: {problem}" for problem in sequence.problems(looked_at)]
    stored = [frame.depth for frame in frames if frame.depth is not None]
    height, width = frames[0].rgb.shape[:2]
    depth = describe_depth(stored, sequence.encoding.scale)
    number = sequence.encoding.scale if sequence.encoding.is_integer else scale or 1.0
    facts = {
        "name": sequence.name,
        "frames": len(chosen.indices),
        "width": width,
        "height": height,
        "units": sequence.encoding.unit,
        "depth": depth,
        "doubts": [] if depth is None else doubts(depth, sequence.encoding.unit, number),
        "valid_share": float(np.mean([sequence.encoding.valid(one).mean() for one in stored]))
        if stored
        else 0.0,
        "registration": registration(chosen).facts(),
        "notes": sequence.notes,
    }
    lines = summary_lines(facts)
    shown = chosen
    if undistort:
        shown = Chosen(undistorted(sequence), chosen.indices)
        after = {**facts, "registration": registration(shown).facts(), "notes": [], "doubts": []}
        lines += [
            "  undistorted:",
            *(f"  {line}" for line in summary_lines(after) if "edges of image" in line),
        ]
        frames, _ = read_some(shown)
    border = find_border(image for image in sample_images(shown) if image.shape[:2] == (height, width))
    return lines + listed, contact_row(frames, shown, border)


def read_some(chosen: Chosen) -> tuple[list[Frame], list[str]]:
    """Read a few frames; return those that read, of the first one's size, and what is wrong with the others."""
    frames: list[Frame] = []
    problems = []
    for index in spread(chosen, LOOKED_AT):
        try:
            frame = chosen.sequence.read(index)
        except (UnreadableFrame, ScopeDepthError) as error:
            problems.append(str(error))
            continue
        if frames and frame.rgb.shape != frames[0].rgb.shape:
            problems.append(
                f"frame {chosen.sequence.frame_ids[index]} is {frame.rgb.shape[1]}x{frame.rgb.shape[0]}, others are "
                f"{frames[0].rgb.shape[1]}x{frames[0].rgb.shape[0]}"
            )
            continue
        declared = isinstance(chosen.sequence, WithoutDepth)
        if not declared and (frame.depth is None or not chosen.sequence.encoding.valid(frame.depth).any()):
            problems.append(f"frame {chosen.sequence.frame_ids[index]} has no depth")
        frames.append(frame)
    return frames, problems


def contact_row(frames: list[Frame], chosen: Chosen, border: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """Return up to three frames side by side: image, depth and flags of each, uint8 (TILE, ..., 3)."""
    encoding, cells = chosen.sequence.encoding, []
    for frame in [frames[place] for place in dict.fromkeys((0, len(frames) // 2, len(frames) - 1))]:
        depth = np.full(frame.rgb.shape[:2], np.nan, np.float32)
        if frame.depth is not None:
            depth = encoding.decode(frame.depth)
        flags = np.zeros(depth.shape, np.uint8) if frame.flags is None else frame.flags.copy()
        flags[np.isnan(depth)] |= NO_DEPTH
        flags[find_specular(frame.rgb)] |= SPECULAR
        if border is not None:
            flags[border] |= BORDER
        cells += [fit(part) for part in (frame.rgb, colour_depth(depth), overlay(frame.rgb, flags))]
    row = np.hstack(cells)
    label = np.full((24, row.shape[1], 3), 255, np.uint8)
    cv2.putText(
        label, chosen.sequence.name, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA
    )
    return np.vstack([label, row])


def fit(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image scaled into a square tile, on white."""
    height, width = rgb.shape[:2]
    scale = TILE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    tile[: size[1], : size[0]] = scaled
    return tile


def write_sheet(path: Path, rows: list[NDArray[np.uint8]]) -> None:
    """Write the rows below each other as a PNG."""
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    good, data = cv2.imencode(".png", np.ascontiguousarray(np.vstack(padded)[:, :, ::-1]))
    assert good
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
