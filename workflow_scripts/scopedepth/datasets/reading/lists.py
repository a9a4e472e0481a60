"""Lists of frames, published splits among them: what each line means, and the frame that it names.

    plain     a frame, a sequence, or both: 0012, cecum_t1_a, patient1 12, rectified01/image01/0000000003.jpg
    scared    dataset3/keyframe4 390 l    (AF-SfMLearner and what came after it; the loader's file says what it means)
    simcol3d  1 5 1                       (Endo-GeDE; likewise)

A line names a frame or is an error: none is dropped. Empty lines and what follows a # are no lines. A plain line may
end with the camera's side, l or left.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scopedepth.datasets.reading.base import FileSequence, Sequence, file_safe
from scopedepth.datasets.reading.images import IMAGE_SUFFIXES
from scopedepth.datasets.reading.text import read_text
from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import digest_file
from scopedepth.job.shipped import runs_by

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

LEFT = frozenset({"l", "left"})
SHOWN = 3
NONE_FETCHED: Mapping[str, Path] = MappingProxyType({})

# Positions in `frame_ids`, by the sequence's name.
Positions = dict[str, set[int]]


class NoFrame(Exception):
    """A line names no frame; the text says why."""


@dataclass(frozen=True)
class Line:
    """One line of a list that says something, with its number in the file, from 1."""

    number: int
    text: str


@dataclass
class Listed:
    """What a list chooses of some sequences, and how its lines were counted.

    `lines`: those that say something; `frames`: different frames that they name; `repeated`: lines that only name
    frames again; `by_sequence`: lines by the sequence that they name.
    """

    name: str
    lines: int = 0
    frames: int = 0
    repeated: int = 0
    positions: Positions = field(default_factory=lambda: defaultdict(set))
    by_sequence: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[str, Any]:
        """Return the counts over all sequences, JSON-able."""
        return {
            "list": self.name,
            "listed": self.lines,
            "found": self.frames,
            "repeated": self.repeated,
            "sequences": len(self.by_sequence),
        }

    def sentence(self) -> str:
        """Return the counts in words."""
        again = f", {self.repeated} lines repeat others" if self.repeated else ""
        found = f"{self.frames} frames of {len(self.by_sequence)} sequences found"
        return f"{self.name}: {self.lines} lines, {found}{again}"


def name_of(source: specs.FrameList) -> str:
    """Return how a list is called: its path, its address, or where its lines stand."""
    return str(source["path"] or source["url"] or "the configuration's list")


def read_lines(source: specs.FrameList, dataset: str, fetched: Mapping[str, Path]) -> list[Line]:
    """Return the lines of a list. `source`: a FrameList as plain values; `fetched`: where those with an address lie, by
    digest. A list that is not there or not the one whose digest is stated, or that is empty, is a `ScopeDepthError`.
    """
    if source["lines"] is not None:
        texts = list(source["lines"])
    else:
        path = Path(source["path"]).expanduser() if source["url"] is None else fetched.get(source["sha256"])  # type: ignore[arg-type]
        if path is None or (source["url"] is not None and not path.is_file()):
            how = "" if path is None else f" Run: {runs_by('1')} {path}"
            raise ScopeDepthError(f"Dataset {dataset}: the list {source['url']} has not been fetched.{how}")
        texts = read_text(path, "frame list").removeprefix("\ufeff").splitlines()
        if source["sha256"] is not None and digest_file(path) != f"sha256:{source['sha256']}":
            raise ScopeDepthError(
                f"Dataset {dataset}: the list {path} is not the one stated: its digest is {digest_file(path)}, "
                f"frames state sha256:{source['sha256']}. Correct the file or the digest."
            )
    said = (Line(number, _without_comment(text)) for number, text in enumerate(texts, 1))
    lines = [line for line in said if line.text]
    if not lines:
        raise ScopeDepthError(f"Dataset {dataset}: {name_of(source)} names no frame.")
    return lines


def _without_comment(text: str) -> str:
    return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()


def match_list(
    source: specs.FrameList,
    spec: specs.Dataset,
    found: list[Sequence],
    kept: list[Sequence],
    fetched: Mapping[str, Path] = NONE_FETCHED,
) -> Listed:
    """Return which frames of the sequences `found` a list names.

    A frame without a sequence is one of each sequence `kept`. Lines that name no frame are one `ScopeDepthError`,
    which names the first ones.
    """
    lines = read_lines(source, spec["name"], fetched)
    listed = Listed(name_of(source))
    wrong: list[str] = []
    read = _plain_reader(found, kept) if source["layout"] == "plain" else _own_reader(spec["loader"], found)
    for line in lines:
        try:
            named = read(line.text)
        except NoFrame as error:
            wrong.append(f"line {line.number} ({line.text[:80]!r}): {error}")
            continue
        new = 0
        for name, positions in named.items():
            listed.by_sequence[name] += 1
            new += len(positions - listed.positions[name])
            listed.positions[name] |= positions
        listed.lines += 1
        listed.frames += new
        listed.repeated += not new
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise ScopeDepthError(
            f"Dataset {spec['name']}: {len(wrong)} of {len(lines)} lines of {name_of(source)} name no frame: "
            f"{'; '.join(wrong[:SHOWN])}{more}. Is it the list of this dataset, and {source['layout']} its layout?"
        )
    return listed


def _plain_reader(found: list[Sequence], kept: list[Sequence]) -> Callable[[str], Positions]:
    """Return a function from a plain line to the frames that it names; `NoFrame` where there are none."""
    names = Names({one.name: Frames(one) for one in found})
    return lambda text: _plain(text, names, [one.name for one in kept])


def _own_reader(loader: str, found: list[Sequence]) -> Callable[[str], Positions]:
    """Return the same for lines spelled as the published ones of a loader's dataset: its `listed` reads them."""
    listed = importlib.import_module(f"scopedepth.datasets.loaders.{loader}").listed
    sequences = {one.name: one for one in found}
    frames = {one.name: Frames(one) for one in found}

    def read(text: str) -> Positions:
        name, frame_id = listed(text.split(), sequences)
        return {name: {frames[name].exact(frame_id)}}

    return read


class Frames:
    """The frames of a sequence by all that a list may call them."""

    def __init__(self, sequence: Sequence) -> None:
        self.sequence = sequence
        self.ids = {frame_id: position for position, frame_id in enumerate(sequence.frame_ids)}

    @cached_property
    def _names(self) -> dict[str, set[int]]:
        """Positions by file name without suffix, and by the last number in the frame's name and in its file's.

        The two numbers may differ (extracted frames of SCARED): then a number alone names two frames.
        """
        names: dict[str, set[int]] = defaultdict(set)
        called = [(frame_id, position) for frame_id, position in self.ids.items()]
        if isinstance(self.sequence, FileSequence):
            stems = [(file.image.stem, position) for position, file in enumerate(self.sequence.files)]
            for stem, position in stems:
                names[stem].add(position)
            called += stems
        for name, position in called:
            number = re.search(r"([0-9]+)(?=[^0-9]*$)", name)
            if number:  # lists write 12 for a file named 0000000012.jpg
                names[_without_zeros(number[1])].add(position)
        return names

    def exact(self, frame_id: str) -> int:
        """Return the position of the frame with this very id."""
        if frame_id not in self.ids:
            raise NoFrame(f"sequence {self.sequence.name} has no frame {frame_id}")
        return self.ids[frame_id]

    def find(self, name: str) -> int:
        """Return the position of the frame called `name`: its id, its file with or without suffix, or its number."""
        bare = re.sub(rf"({'|'.join(map(re.escape, IMAGE_SUFFIXES))})$", "", name, flags=re.IGNORECASE)
        for said in (name, bare):
            if said in self.ids:
                return self.ids[said]
        number = _without_zeros(bare) if re.fullmatch(r"[0-9]+", bare) else bare
        named = self._names.get(bare) or self._names.get(number) or set()
        if len(named) > 1:
            first, second = (self.sequence.frame_ids[position] for position in sorted(named)[:2])
            raise NoFrame(
                f"{name} may be {first} or {second} of sequence {self.sequence.name}; give the whole name"
            )
        if not named:
            raise NoFrame(f"sequence {self.sequence.name} has no frame {name}")
        return next(iter(named))

    def has(self, name: str) -> bool:
        """Return whether a frame may be called `name`."""
        try:
            self.find(name)
        except NoFrame:
            return False
        return True

    def check_folders(self, folders: list[str]) -> None:
        """Raise `NoFrame` where the folders that a line names below the sequence are not those of its images."""
        if not folders:
            return
        if not isinstance(self.sequence, FileSequence):
            raise NoFrame(f"sequence {self.sequence.name} has no folder {'/'.join(folders)}")
        own = self.sequence.files[0].image.parent.parts
        if list(own[-len(folders) :]) != folders:
            raise NoFrame(
                f"the images of sequence {self.sequence.name} are read from {own[-1]}, not from {'/'.join(folders)}"
            )


def _without_zeros(digits: str) -> str:
    return digits.lstrip("0") or "0"


class Names:
    """The sequences of a dataset by the places that a list may give for them."""

    def __init__(self, frames: Mapping[str, Frames]) -> None:
        self.frames = frames

    def find(self, place: str) -> tuple[Frames, list[str]] | None:
        """Return the sequence that a place such as ``train/patient1/rgb`` lies in, and the folders below it.

        The longest part of the place that is a sequence's name counts, the last one of several. None where no part is.
        """
        parts = [part for part in place.split("/") if part not in ("", ".")]
        for length in range(len(parts), 0, -1):
            hits = [
                (file_safe("/".join(parts[start : start + length])), parts[start + length :])
                for start in range(len(parts) - length + 1)
            ]
            named = [(name, below) for name, below in hits if name in self.frames]
            if len({name for name, _ in named}) > 1:
                raise NoFrame(f"the sequence may be {named[0][0]} or {named[-1][0]}")
            if named:
                return self.frames[named[-1][0]], named[-1][1]
        return None


def _plain(text: str, names: Names, kept: list[str]) -> Positions:
    """Return what a plain line names."""
    place, *rest = text.replace("\\", "/").replace(",", " ").split()
    if not rest:
        return _one_word(place, names, kept)
    frame, *sides = rest
    if any(side.lower() not in LEFT for side in sides):
        raise NoFrame(
            f"what is {' '.join(sides)}? A line holds a sequence, a frame and at most l, the left camera"
        )
    found = names.find(place)
    if found is None:
        raise NoFrame(f"there is no sequence {place}")
    frames, below = found
    frames.check_folders(below)
    return {frames.sequence.name: {frames.find(frame)}}


def _one_word(word: str, names: Names, kept: list[str]) -> Positions:
    """Return what a path, a sequence's name or a frame's name stands for."""
    whole = names.find(word)
    if whole is not None and not whole[1]:
        frames = whole[0]
        if "/" not in word and any(names.frames[name].has(word) for name in kept):
            raise NoFrame(f"{word} is a sequence and a frame; give the frame with its sequence")
        return {frames.sequence.name: set(range(len(frames.sequence)))}
    if "/" in word:
        place, frame = word.rsplit("/", 1)
        found = names.find(place)
        if found is None:
            raise NoFrame(f"there is no sequence {place}")
        found[0].check_folders(found[1])
        return {found[0].sequence.name: {found[0].find(frame)}}
    return {name: {names.frames[name].find(word)} for name in kept}
