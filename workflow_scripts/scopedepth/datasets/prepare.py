"""Prepare: the raw files of a dataset become one store, with one size, one camera and one encoding a sequence.

    a dataset's raw files  ->  the store of a unit
                               its manifest: digest, counts
                               its page: what the report shows of the dataset

Frames are decoded and compressed in threads, and a shard is written while the next one is read: memory holds two of
them, whatever the length of the video.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from scopedepth.datasets import Chosen, choose_counted
from scopedepth.datasets.describe import COMPARED, describe_unit
from scopedepth.datasets.place import about, check_as_fetched, data_root, raw_digest
from scopedepth.datasets.reading.base import Frame, Sequence, size_text
from scopedepth.datasets.reading.lists import NONE_FETCHED
from scopedepth.datasets.reading.masks import DARK, find_border, find_specular
from scopedepth.datasets.rectify.agreement import Agreement, edge_agreement
from scopedepth.datasets.rectify.undistort import undistorted
from scopedepth.errors import DISK_FULL, ScopeDepthError, UnreadableFrame, one_line
from scopedepth.job.identity import module_digests
from scopedepth.job.leaves import check_unchanged, signatures
from scopedepth.job.manifest import page_of, write_json, write_manifest
from scopedepth.job.progress import progress
from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.vocabulary.flags import (
    BORDER,
    FLAG_MEANINGS,
    FRAME_NO_DEPTH,
    FRAME_OK,
    FRAME_STATUSES,
    FRAME_UNREADABLE,
    NO_DEPTH,
    SPECULAR,
)

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Memory holds two shards and a killed job loses as many: 48 MiB decoded each, and at most 64 frames.
SHARD_BYTES = 48 * 2**20
SHARD_FRAMES = 64
# Beyond this many threads decoding gains nothing, and a video read forward would be asked for frames too far apart.
MOST_THREADS = 16
# Shuffled by bytes, depth of C3VD and the phantom is a tenth smaller than by bits; images are not. Level 2 writes depth
# of 16 bits in 0.6 of level 3's time and as small (0.449 against 0.450 of raw, C3VD); level 1's is a tenth larger.
DEPTH_LEVEL = 2
# Camera-to-world matrices, of sequences whose poses are known.
POSE = ArraySpec(
    (4, 4), "float64", ("row", "column"), float("nan"), "shuffle", attrs={"long_name": "camera to world, mm"}
)
# How sure the reference depth is, of datasets that have a map of it.
CONFIDENCE = {"long_name": "confidence of the reference depth", "units": "1", "scale_factor": 1 / 255}
# Frames looked at to find the border.
BORDER_FRAMES = 16
# And to see whether a calibration fits.
PROBED = 4


# The arrays of a shard, by name.
Block = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Outline:
    """One sequence, ready to be written: size in pixels, the border found, frames a shard.

    `first` is the place of its first frame among the sequence's chosen ones: not 0 in a later part of a sequence.
    """

    chosen: Chosen
    height: int
    width: int
    border: NDArray[np.bool_]
    shard_frames: int
    first: int = 0

    @property
    def sequence(self) -> Sequence:
        """The sequence behind the outline."""
        return self.chosen.sequence


def prepare_unit(
    spec: specs.Dataset,
    raw: Path,
    store: Path,
    manifest: Path,
    workers: int,
    fetched: Mapping[str, Path] = NONE_FETCHED,
) -> None:
    """Write the dataset store of one unit and its manifest, the page beside that.

    `spec`: the dataset's spec, its `sequences` those of the unit; `part` is there for a range of one sequence's
    frames, (first, one past the last or None). `raw`: what fetch made. `workers`: threads that decode and compress;
    their number changes no byte. `fetched`: the dataset's lists that have an address, by digest.

    A frame that cannot be read gets a status. Raises `ScopeDepthError` where they are more than the spec's
    `max_bad_frames` of a sequence, for image and depth of different sizes, and for a full disk.
    """
    before_reading = signatures([data_root(raw)])
    check_as_fetched(raw)
    chosen, choice = choose_counted(spec, data_root(raw), fetched)
    before = {}
    if spec["undistort"]:
        before = {one.sequence.name: registration(one).facts() for one in chosen}
        chosen = [replace(one, sequence=undistorted(one.sequence)) for one in chosen]
    outlines = [make_outline(one, spec.get("part")) for one in chosen]
    digest = raw_digest(raw)
    fingerprint = {
        "spec": dict(spec),
        "raw": digest,
        "code": module_digests(Path(__file__), [f"scopedepth.datasets.loaders.{spec['loader']}"]),
        "frames": {outline.sequence.name: outline.chosen.frame_ids for outline in outlines},
    }
    words = about(raw, spec)
    groups = {outline.sequence.name: describe_group(outline, spec, words) for outline in outlines}
    for name, facts in before.items():
        groups[name]["attrs"]["registration_before_undistortion"] = facts
    shard_frames = {outline.sequence.name: outline.shard_frames for outline in outlines}
    by_name = {outline.sequence.name: outline for outline in outlines}
    attrs = {"dataset": spec["name"], "sequences": list(groups), "spec": dict(spec), **words}
    with (
        ShardedStore(store, fingerprint, groups, shard_frames, attrs) as writer,
        ThreadPoolExecutor(min(workers, MOST_THREADS)) as pool,
    ):
        missing = writer.missing()
        with progress(f"prepare {store.stem}", sum(stop - start for *_, start, stop in missing)) as advance:
            blocks = ((*shard, read_block(by_name[shard[0]], *shard[2:], pool)) for shard in missing)
            for frames in write_behind(writer, blocks, pool):
                advance(frames)
        counts = {outline.sequence.name: count_frames(writer, outline, spec) for outline in outlines}
        # Data used in place may change while they are read.
        check_unchanged(before_reading, signatures([data_root(raw)]))
        writer.finish()
    write_manifest(
        manifest,
        store,
        unit=store.stem,
        dataset=spec["name"],
        spec=dict(spec),
        sequences=counts,
        frame_lists=choice.counts(),
    )
    page = describe_unit(store)
    write_json(page_of(manifest), page)
    say_what_was_passed_over(spec["name"], page, counts)


def write_behind(
    writer: ShardedStore, blocks: Iterable[tuple[str, int, int, int, Block]], pool: Executor
) -> Iterator[int]:
    """Write shards in their order, each while the next one is read; yield how many frames each has once it is written.

    `blocks`: (sequence, shard, first frame, one past the last, arrays). One shard at most waits to be written.
    """

    def write(name: str, shard: int, start: int, stop: int, block: Block) -> int:
        try:
            writer.write_shard(name, shard, block, pool)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise ScopeDepthError(
                f"No space left on the disk of {writer.final}. Make room and run again: what is done is kept."
            ) from error
        return stop - start

    with ThreadPoolExecutor(1) as behind:
        writing: Future[int] | None = None
        for block in blocks:
            if writing is not None:
                yield writing.result()
            writing = behind.submit(write, *block)
        if writing is not None:
            yield writing.result()


def say_what_was_passed_over(
    name: str, page: Mapping[str, Any], counts: Mapping[str, Mapping[str, Any]]
) -> None:
    """Print the notes and doubts of each sequence, and that nothing can be scored where no frame has depth."""
    for one in page["sequences"]:
        for said in (*one["notes"], *one["doubts"]):
            print(one_line(f"{one['name']}: {said}"), file=sys.stderr)
    frames = sum(one["frames"] for one in counts.values())
    without = sum(one["no_depth"] + one["unreadable"] for one in counts.values())
    if without == frames:
        print(
            f"{name}: none of {frames} frames has depth, so nothing can be scored; see the notes above",
            file=sys.stderr,
        )


def make_outline(chosen: Chosen, part: SequenceOf[int | None] | None = None) -> Outline:
    """Look at a sequence's first readable frame and at its border, those of the whole where a `part` is wanted."""
    sequence = chosen.sequence
    images = sample_images(chosen)
    if not images:
        first = chosen.frame_ids[0]
        raise ScopeDepthError(
            f"Sequence {sequence.name}: none of the frames looked at can be read, the first one {first}. "
            "Are the files complete? Fetch them again or correct the loader's options."
        )
    height, width = images[0].shape[:2]
    alike = [image for image in images if image.shape[:2] == (height, width)]
    brightest = max(int(image.max()) for image in images)
    if brightest < DARK:
        raise ScopeDepthError(
            f"Sequence {sequence.name}: the {len(images)} frames looked at are black (the greatest number is "
            f"{brightest} of 255). Do their files hold fewer bits than they have room for? Convert them to 8 bits "
            "(loaders folder and stereo: options.bits)."
        )
    problems = sequence.problems(spread(chosen, PROBED))
    if problems:
        raise ScopeDepthError(f"Sequence {sequence.name}: {problems[0]}")
    border = find_border(alike)
    assert border is not None
    place = 0
    if part is not None:
        place = part[0] or 0
        indices = chosen.indices[slice(*part)]
        if not indices:
            raise ScopeDepthError(
                f"Sequence {sequence.name} has {len(chosen.indices)} chosen frames and is to be cut at frame {place}. "
                f"Correct cut.{sequence.name} of the dataset."
            )
        chosen = replace(chosen, indices=indices)
    pixel = 3 + 1 + np.dtype(sequence.encoding.dtype).itemsize
    shard = max(1, min(SHARD_FRAMES, SHARD_BYTES // (height * width * pixel), len(chosen.indices)))
    return Outline(chosen, height, width, border, shard, place)


def sample_images(chosen: Chosen, count: int = BORDER_FRAMES) -> list[NDArray[np.uint8]]:
    """Return up to `count` readable images, spread over the sequence (from its start where seeking is slow).

    Recordings begin in the dark: where the first ones are all black, those after them are looked at.
    """
    first = spread(chosen, count)
    images = _images(chosen, first)
    if not chosen.sequence.forward_only or any(image.max() >= DARK for image in images):
        return list(images)
    for index in chosen.indices[len(first) :]:
        images += _images(chosen, [index])
        if images and images[-1].max() >= DARK:
            after = chosen.indices.index(index)
            return images[-1:] + _images(chosen, chosen.indices[after + 1 : after + len(first)])
        del images[1:]
    return images


def _images(chosen: Chosen, indices: SequenceOf[int]) -> list[NDArray[np.uint8]]:
    """Return those of a sequence's images that can be read."""
    images = []
    for index in indices:
        try:
            images.append(chosen.sequence.image(index))
        except UnreadableFrame:
            continue
    return images


def spread(chosen: Chosen, count: int) -> list[int]:
    """Return up to `count` indices of the frames chosen: evenly spread, or the first ones where seeking is slow."""
    unlisted = chosen.sequence.unlisted
    indices = [index for index in chosen.indices if index not in unlisted]
    if chosen.sequence.forward_only:
        return indices[: max(1, count // 2)]
    return [indices[int(place)] for place in np.linspace(0, len(indices) - 1, min(count, len(indices)))]


def registration(chosen: Chosen) -> Agreement:
    """Measure how well image and depth agree in some frames of a sequence, as they are in the files."""
    sequence = chosen.sequence

    def pairs() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        for index in spread(chosen, COMPARED):
            try:
                frame = sequence.read(index)
            except (UnreadableFrame, ScopeDepthError):
                continue  # told of where the frames themselves are read
            if frame.depth is not None:
                yield frame.rgb, sequence.encoding.decode(frame.depth)

    return edge_agreement(pairs())


def describe_group(outline: Outline, spec: specs.Dataset, words: Mapping[str, str]) -> dict[str, Any]:
    """Return a sequence's arrays and attributes, as the store's writer wants them."""
    sequence, encoding = outline.sequence, outline.sequence.encoding
    size = (outline.height, outline.width)
    depth_attrs: dict[str, Any] = {"units": "mm" if encoding.unit == "mm" else "1", "long_name": "depth"}
    if encoding.unit == "mm":
        depth_attrs["long_name"] = "distance along the optical axis"
    if encoding.is_integer:
        depth_attrs |= {"scale_factor": float(encoding.scale), "_FillValue": 0}
    flag_attrs = {"flag_masks": list(FLAG_MEANINGS.values()), "flag_meanings": " ".join(FLAG_MEANINGS)}
    status_attrs = {"flag_values": list(FRAME_STATUSES.values()), "flag_meanings": " ".join(FRAME_STATUSES)}
    confidence = ArraySpec(size, "uint8", ("y", "x"), 0, "bitshuffle", attrs=CONFIDENCE)
    camera = sequence.intrinsics
    return {
        "n_frames": len(outline.chosen.indices),
        "arrays": {
            "rgb": ArraySpec((*size, 3), "uint8", ("y", "x", "channel"), 0, "bitshuffle"),
            "depth": ArraySpec(
                size, encoding.dtype, ("y", "x"), encoding.missing(), "shuffle", DEPTH_LEVEL, depth_attrs
            ),
            "flags": ArraySpec(size, "uint8", ("y", "x"), 0, "noshuffle", attrs=flag_attrs),
            "status": ArraySpec((), "uint8", attrs=status_attrs),
            "frame_id": ArraySpec((), str, fill=""),
            **({} if sequence.poses is None else {"pose": POSE}),
            **({"confidence": confidence} if sequence.has_confidence else {}),
        },
        "attrs": {
            "sequence": sequence.name,
            "first_frame": outline.first,
            "units": encoding.unit,
            "intrinsics": None if camera is None else [[float(value) for value in row] for row in camera],
            "depth_origin": sequence.depth_origin,
            "notes": sequence.notes,
            "licence": words["licence"],
            "citation": words["citation"],
            "spec": dict(spec),
        },
    }


def read_block(outline: Outline, start: int, stop: int, pool: Executor) -> Block:
    """Read frames `start` to `stop` of an outline into the arrays of a shard, in the pool's threads."""
    count, size = stop - start, (outline.height, outline.width)
    encoding = outline.sequence.encoding
    block: Block = {
        "rgb": np.zeros((count, *size, 3), np.uint8),
        "depth": np.full((count, *size), encoding.missing(), encoding.dtype),
        "flags": np.zeros((count, *size), np.uint8),
        "status": np.zeros(count, np.uint8),
        "frame_id": np.array(outline.chosen.frame_ids[start:stop], dtype=np.dtypes.StringDType()),
    }

    indices = outline.chosen.indices[start:stop]
    if outline.sequence.poses is not None:
        block["pose"] = outline.sequence.poses[indices]
    if outline.sequence.has_confidence:
        block["confidence"] = np.zeros((count, *size), np.uint8)

    def fill(place: int) -> None:
        fill_in(block, place, outline, indices[place], read_frame(outline.sequence, indices[place]))

    if not outline.sequence.forward_only:
        list(pool.map(fill, range(count)))
        return block
    # What comes forward only is read in its order, by nobody else: chosen frames may lie far apart, and one thread
    # that runs ahead would make another start again from the first frame.
    waiting = []
    for place, index in enumerate(indices):
        frame = read_frame(outline.sequence, index)
        waiting.append(pool.submit(fill_in, block, place, outline, index, frame))
    for done in waiting:
        done.result()
    return block


def read_frame(sequence: Sequence, index: int) -> Frame | None:
    """Return frame `index` of a sequence; None, with a word on standard error, where it cannot be read."""
    try:
        return sequence.read(index)
    except UnreadableFrame as error:
        said = f"{sequence.name}: frame {sequence.frame_ids[index]} is unreadable: {error}"
        print(one_line(said), file=sys.stderr)
        return None


def fill_in(block: Block, place: int, outline: Outline, index: int, frame: Frame | None) -> None:
    """Put frame `index` of the sequence into position `place` of a block, with its flags and status."""
    sequence, encoding = outline.sequence, outline.sequence.encoding
    flags = block["flags"][place]
    if frame is None:
        block["status"][place] = FRAME_UNREADABLE
        flags[:] = NO_DEPTH
        return
    check_size(frame, outline, index)
    block["rgb"][place] = frame.rgb
    if frame.depth is not None:
        if frame.depth.dtype != np.dtype(encoding.dtype):
            raise TypeError(
                f"{sequence.name}: depth of {frame.depth.dtype}, its encoding says {encoding.dtype}"
            )
        block["depth"][place] = frame.depth
    valid = encoding.valid(block["depth"][place])
    # Products of bits, since NumPy takes ten times as long to pick pixels by a mask that is set in most of them.
    flags |= ~valid * np.uint8(NO_DEPTH) | outline.border * np.uint8(BORDER)
    flags[find_specular(frame.rgb)] |= SPECULAR
    if frame.flags is not None:
        flags |= frame.flags
    if frame.confidence is not None:
        block["confidence"][place] = frame.confidence
    block["status"][place] = FRAME_OK if valid.any() else FRAME_NO_DEPTH


def check_size(frame: Frame, outline: Outline, index: int) -> None:
    """Raise a `ScopeDepthError` where a frame has not the size of its sequence's first frames."""
    if frame.rgb.shape[:2] != (outline.height, outline.width):
        raise ScopeDepthError(
            f"Sequence {outline.sequence.name}: frame {outline.sequence.frame_ids[index]} is {size_text(frame.rgb)}, "
            f"frame {outline.chosen.frame_ids[0]} is {outline.width}x{outline.height}. A sequence has one size; put it "
            "into another folder."
        )


def count_frames(writer: ShardedStore, outline: Outline, spec: specs.Dataset) -> dict[str, Any]:
    """Return a finished sequence's counts; too many unreadable frames are a `ScopeDepthError`."""
    name = outline.sequence.name
    status = np.asarray(zarr.open_array(writer.partial / "store" / name / "status", mode="r")[:])
    bad = np.flatnonzero(status == FRAME_UNREADABLE)
    share = len(bad) / len(status)
    if share > spec["max_bad_frames"]:
        first = outline.chosen.frame_ids[int(bad[0])]
        raise ScopeDepthError(
            f"Sequence {name}: {len(bad)} of {len(status)} frames cannot be read ({share:.1%}, allowed "
            f"{spec['max_bad_frames']:.1%}), the first one {first}. Fetch the data again, or raise max_bad_frames."
        )
    return {
        "frames": len(status),
        "unreadable": len(bad),
        "unreadable_frames": [outline.chosen.frame_ids[int(place)] for place in bad],
        "no_depth": int((status == FRAME_NO_DEPTH).sum()),
        "width": outline.width,
        "height": outline.height,
        "units": outline.sequence.encoding.unit,
        "notes": list(outline.sequence.notes),
    }
