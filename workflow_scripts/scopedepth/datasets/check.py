"""Look at a dataset before anything is computed on it: what was found, what is wrong, what its frames show.

Reads some frames of each sequence straight through the loader, so it also tells whether a new loader works.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets import Chosen, choose_counted
from scopedepth.datasets.describe import (
    COMPARED,
    colour_depth,
    describe_depth,
    flag_shares,
    overlay,
    summary_lines,
)
from scopedepth.datasets.place import data_root
from scopedepth.datasets.prepare import registration, sample_images, spread
from scopedepth.datasets.reading.base import DerivedSequence, FileSequence, Frame, WithoutDepth
from scopedepth.datasets.reading.lists import NONE_FETCHED
from scopedepth.datasets.reading.masks import CLIPPED, DARK, find_border, find_clipped, find_specular
from scopedepth.datasets.reading.missing import doubts
from scopedepth.datasets.rectify.undistort import undistorted
from scopedepth.datasets.viewed import viewed
from scopedepth.datasets.way import poses_against_depth
from scopedepth.errors import ScopeDepthError, UnreadableFrame, one_line
from scopedepth.job.manifest import digest_file
from scopedepth.vocabulary.flags import BORDER, NO_DEPTH, SPECULAR

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

LOOKED_AT = 8
PROBLEMS_SHOWN = 5
SHOWN_SEQUENCES = 12
TILE = 200
NAMED = 4
# From this share of the picture on, over-exposure is told of.
MUCH_CLIPPED = 0.02
WITHOUT_DEPTH = "  no depth"


def check_dataset(
    spec: specs.Dataset,
    raw: Path,
    sheet: Path | None = None,
    fetched: Mapping[str, Path] = NONE_FETCHED,
    each: Callable[[Looked], None] | None = None,
) -> Iterator[str]:
    """Yield lines that say what was found in a dataset; write a contact sheet (PNG) to `sheet`.

    `each` is called with what was seen of each sequence.

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
        looked = check_sequence(one, spec["undistort"], spec["depth"]["scale"])
        yield from looked.lines
        scored |= looked.facts["depth"] is not None
        if sheet is not None and looked.frames and len(rows) < SHOWN_SEQUENCES:
            rows.append(contact_row(looked))
        if each is not None:
            each(looked)
    yield from against_published(spec.get("published") or {}, chosen)
    yield from duplicates(chosen)
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


@dataclass
class Seen:
    """A frame as it is shown: image, depth in the encoding's unit (NaN where missing), all flags that are known."""

    frame_id: str
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    flags: NDArray[np.uint8]


@dataclass
class Looked:
    """What was seen of a sequence: lines for a terminal, facts by name, and the frames looked at."""

    lines: list[str]
    facts: dict[str, Any]
    frames: list[Seen]


def check_sequence(chosen: Chosen, undistort: bool, scale: float | None = None) -> Looked:
    """Look at one sequence."""
    read, problems = read_some(chosen)
    sequence = chosen.sequence
    facts: dict[str, Any] = {
        "name": sequence.name,
        "frames": len(chosen.indices),
        "units": sequence.encoding.unit,
        "depth": None,
        "doubts": [],
        "notes": sequence.notes,
        "problems": problems,
        "findings": [],
    }
    listed = [f"  problem: {problem}" for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        listed.append(f"  and {len(problems) - PROBLEMS_SHOWN} more problems in the frames looked at")
    if not read:
        lines = [
            f"{sequence.name}: {len(chosen.indices)} frames, none of those looked at can be read",
            *listed,
            *(f"  note: {note}" for note in sequence.notes),
            WITHOUT_DEPTH,
        ]
        return Looked(lines, facts, [])
    looked_at = spread(chosen, COMPARED)
    led = poses_against_depth(chosen)
    facts["findings"] = sequence.findings(looked_at) + ([] if led is None else [led])
    contradicted = sequence.problems(looked_at)
    facts["problems"] = problems + contradicted
    listed += [f"  {finding}" for finding in facts["findings"]]
    listed += [f"  problem: {problem}" for problem in contradicted]
    stored = [frame.depth for _, frame in read if frame.depth is not None]
    height, width = read[0][1].rgb.shape[:2]
    depth = describe_depth(stored, sequence.encoding.scale)
    number = sequence.encoding.scale if sequence.encoding.is_integer else scale or 1.0
    facts |= {
        "width": width,
        "height": height,
        "depth": depth,
        "doubts": [] if depth is None else doubts(depth, sequence.encoding.unit, number),
        "valid_share": float(np.mean([sequence.encoding.valid(one).mean() for one in stored]))
        if stored
        else 0.0,
        "registration": registration(chosen).facts(),
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
        read, _ = read_some(shown)
    border = find_border(image for image in sample_images(shown) if image.shape[:2] == (height, width))
    frames = [seen(frame_id, frame, shown, border) for frame_id, frame in read]
    facts |= shares(frames)
    if facts["over_exposed"] >= MUCH_CLIPPED:
        facts["findings"].append(
            f"{facts['over_exposed']:.1%} of the picture is over-exposed (a channel at {CLIPPED} or above, no "
            "highlight); the specular flag does not cover it"
        )
        listed.append(f"  note: {facts['findings'][-1]}")
    return Looked(lines + listed, facts, frames)


def seen(frame_id: str, frame: Frame, chosen: Chosen, border: NDArray[np.bool_] | None) -> Seen:
    """Return a frame with its depth decoded and its flags found, as `prepare` finds them."""
    depth = np.full(frame.rgb.shape[:2], np.nan, np.float32)
    if frame.depth is not None:
        depth = chosen.sequence.encoding.decode(frame.depth)
    flags = np.zeros(depth.shape, np.uint8) if frame.flags is None else frame.flags.copy()
    flags[np.isnan(depth)] |= NO_DEPTH
    flags[find_specular(frame.rgb)] |= SPECULAR
    if border is not None:
        flags[border] |= BORDER
    return Seen(frame_id, frame.rgb, depth, flags)


def shares(frames: Sequence[Seen]) -> dict[str, Any]:
    """Return shares of the picture, the frames without their border: each flag's, over- and under-exposed.

    `flag_shares` are of all pixels, as in the store's page.
    """
    over, under = [], []
    for one in frames:
        picture = (one.flags & BORDER) == 0
        if not picture.any():
            continue
        highlight = (one.flags & SPECULAR) > 0
        over.append((find_clipped(one.rgb) & ~highlight)[picture].mean())
        under.append((np.asarray(cv2.cvtColor(one.rgb, cv2.COLOR_RGB2GRAY)) <= DARK)[picture].mean())
    return {
        "flag_shares": flag_shares(one.flags for one in frames),
        "over_exposed": float(np.mean(over)) if over else 0.0,
        "under_exposed": float(np.mean(under)) if under else 0.0,
    }


def against_published(
    published: Mapping[str, specs.PublishedSize], chosen: Sequence[Chosen]
) -> Iterator[str]:
    """Yield where the frames found are not those of the spec's `published`, sequence by sequence or in all."""
    found = {one.sequence.name: len(one.sequence) for one in chosen}
    if published.keys() == {"all"}:
        found = {"all": sum(found.values())}
    for name, stated in published.items():
        if name in found and found[name] != stated["frames"]:
            yield f"{name}: {found[name]} frames were found, and {stated['frames']} are published"


def duplicates(chosen: Sequence[Chosen]) -> Iterator[str]:
    """Yield which images are the same file twice, of sequences that are image files; at most `PROBLEMS_SHOWN` lines.

    Files of one size are compared by a part first, and by digest where that is the same, too.
    """
    groups: dict[Any, list[tuple[str, Path]]] = defaultdict(list)
    for one in chosen:
        source = one.sequence
        while isinstance(source, DerivedSequence):
            source = source.source
        if isinstance(source, FileSequence):
            for index in one.indices:
                path = source.files[index].image
                groups[_size(path)].append((f"{one.sequence.name} {source.frame_ids[index]}", path))
    for key in (_part, digest_file):
        finer: dict[Any, list[tuple[str, Path]]] = defaultdict(list)
        for size, files in groups.items():
            for name, path in files if len(files) > 1 and size is not None else ():
                finer[size, key(path)].append((name, path))
        groups = finer
    same = [[name for name, _ in files] for files in groups.values() if len(files) > 1]
    for names in same[:PROBLEMS_SHOWN]:
        more = f" and {len(names) - NAMED} more" if names[NAMED:] else ""
        yield f"the same image {len(names)} times: {', '.join(names[:NAMED])}{more}"
    if same[PROBLEMS_SHOWN:]:
        yield f"and {len(same) - PROBLEMS_SHOWN} more images are there several times"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _part(path: Path) -> bytes:
    """Return some bytes from a file's middle."""
    with path.open("rb") as file:
        file.seek(path.stat().st_size // 2)
        return file.read(4096)


def read_some(chosen: Chosen) -> tuple[list[tuple[str, Frame]], list[str]]:
    """Read a few frames; return those that read, of the first one's size, and what is wrong with the others."""
    frames: list[tuple[str, Frame]] = []
    problems = []
    for index in spread(chosen, LOOKED_AT):
        try:
            frame = chosen.sequence.read(index)
        except (UnreadableFrame, ScopeDepthError) as error:
            problems.append(str(error))
            continue
        if frames and frame.rgb.shape != frames[0][1].rgb.shape:
            problems.append(
                f"frame {chosen.sequence.frame_ids[index]} is {frame.rgb.shape[1]}x{frame.rgb.shape[0]}, others are "
                f"{frames[0][1].rgb.shape[1]}x{frames[0][1].rgb.shape[0]}"
            )
            continue
        declared = isinstance(chosen.sequence, WithoutDepth)
        if not declared and (frame.depth is None or not chosen.sequence.encoding.valid(frame.depth).any()):
            problems.append(f"frame {chosen.sequence.frame_ids[index]} has no depth")
        frames.append((chosen.sequence.frame_ids[index], frame))
    return frames, problems


def contact_row(looked: Looked) -> NDArray[np.uint8]:
    """Return up to three frames side by side: image, depth and flags of each, uint8 (TILE, ..., 3)."""
    cells = [
        fit(part)
        for one in some(looked.frames)
        for part in (one.rgb, colour_depth(one.depth), overlay(one.rgb, one.flags))
    ]
    row = np.hstack(cells)
    label = np.full((24, row.shape[1], 3), 255, np.uint8)
    cv2.putText(
        label, looked.facts["name"], (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA
    )
    return np.vstack([label, row])


def some(frames: Sequence[Seen]) -> list[Seen]:
    """Return the first, the middle and the last frame."""
    return [frames[place] for place in dict.fromkeys((0, len(frames) // 2, len(frames) - 1))]


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
