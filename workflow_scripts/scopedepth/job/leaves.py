"""Leaves: files outside results/ that a result is made from, such as data used in place, local weights, a frame list.

Their content decides, and hashing terabytes each time that work is planned is out of the question. So digests are
kept, and a file is read again where its device, inode, size or one of its times (of content and of inode, in
nanoseconds) is another than when it was read. A touched or copied file costs a reading and nothing else. What was
read within two seconds of its change is not kept: a change in the same moment would leave all of these as they are.

The digests of a leaf are kept in a file of the leaf's name in the folder .leaves, below results/.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scopedepth.errors import ScopeDepthError
from scopedepth.job.caches import keep_json
from scopedepth.job.manifest import digest_file, digest_of, list_files, manifest_of, read_manifest
from scopedepth.job.progress import progress

FOLDER = ".leaves"
NONE = "none"
UNREAD = "unread:"
# What planning reads of one leaf at most; more is left to the job that fetches it, which shows how far it is.
PLANNED_BYTES = 2**30
SETTLED_NS = 2 * 10**9
THREADS = 4

Signature = list[int]


@dataclass(frozen=True)
class Leaf:
    """A file or a folder outside results/. `reads`: suffixes and names of the files in it that count; None: all.

    `name` is that of the result that is made from it (`layout.Job.name`).
    """

    name: str
    root: Path
    reads: Sequence[str] | None = None

    def files(self) -> dict[str, Path]:
        """Return the leaf's files by the name that its digest gives them; empty where there is no such place."""
        if self.root.is_file():
            return {self.root.name: self.root}
        return {
            path.as_posix(): self.root / path
            for path in list_files(self.root)
            if is_read(path.name, self.reads)
        }


def is_read(name: str, reads: Iterable[str] | None) -> bool:
    """Say whether a file of that name is one of those that `reads` means, whatever its letters' case."""
    if reads is None:
        return True
    if name.startswith("."):  # what operating systems leave
        return False
    low = name.lower()
    return any(low.endswith(word) if word.startswith(".") else low == word for word in reads)


def signature(path: Path) -> Signature:
    """Return what tells that a file may be another than before: device, inode, size, times in nanoseconds."""
    facts = path.stat()
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


def signatures(paths: Iterable[str | Path]) -> dict[Path, Signature]:
    """Return what tells one state of files from another, for each file among and below `paths`."""
    found = {}
    for path in map(Path, paths):
        for file in [path / inside for inside in list_files(path)] if path.is_dir() else [path]:
            with suppress(OSError):
                found[file] = signature(file)
    return found


def check_unchanged(before: Mapping[Path, Signature], after: Mapping[Path, Signature]) -> None:
    """Raise a `ScopeDepthError` that names the first file that is not what it was."""
    changed = sorted(
        str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise ScopeDepthError(
            f"{changed[0]}{more} changed while this job read it, so its result would be of neither state. Run the same "
            "command again."
        )


@dataclass
class Digests:
    """The digests kept of one leaf's files, by name."""

    path: Path
    known: dict[str, tuple[Signature, str]] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def of(cls, leaf: Leaf, results: Path) -> Digests:
        """Return what is kept of a leaf below `results`; nothing, where that cannot be read."""
        digests = cls(results / FOLDER / f"{leaf.name}.json")
        try:
            content = json.loads(digests.path.read_text(encoding="utf-8"))
            digests.known = {name: (list(facts[:5]), str(facts[5])) for name, facts in content.items()}
        except (OSError, ValueError, RecursionError, AttributeError, TypeError, IndexError):
            pass
        return digests

    def get(self, name: str, now: Signature) -> str | None:
        """Return a file's digest if it was read in the state `now`."""
        before = self.known.get(name)
        return before[1] if before is not None and before[0] == now else None

    def read(self, name: str, path: Path, now: Signature) -> str:
        """Read a file, and keep its digest where the file was settled before."""
        began = time.time_ns()
        digest = digest_file(path)
        if began - max(now[3:]) > SETTLED_NS:
            self.known[name] = (now, digest)
            self.changed = True
        return digest

    def save(self) -> None:
        """Write down what is kept. Where that fails (results are not ours to write), files are read again."""
        if not self.changed:
            return
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = {name: [*facts, digest] for name, (facts, digest) in sorted(self.known.items())}
            keep_json(self.path, content)
            self.changed = False


def leaf_digest(leaf: Leaf, results: Path, most_bytes: int | None = None, afresh: bool = False) -> str:
    """Return ``sha256:...`` over the names and contents of a leaf's files, ``none`` where there is no such place.

    Where more than `most_bytes` would have to be read, it is ``unread:...`` instead, over the files' signatures.
    Files whose digests are kept below `results` are not read again, but where they are wanted `afresh`.
    """
    try:
        files = leaf.files()
        now = {name: signature(path) for name, path in files.items()}
    except OSError:
        return NONE
    if not files:
        return NONE
    digests = Digests.of(leaf, results)
    found = {name: None if afresh else digests.get(name, now[name]) for name in files}
    unread = [name for name in files if found[name] is None]
    if most_bytes is not None and sum(now[name][2] for name in unread) > most_bytes:
        return UNREAD + hashlib.sha256(repr(sorted(now.items())).encode("utf-8", "replace")).hexdigest()
    try:
        found.update(_read(leaf, digests, {name: files[name] for name in unread}, now))
    except OSError:
        return NONE
    if digests.known.keys() - files.keys():
        digests.known = {name: facts for name, facts in digests.known.items() if name in files}
        digests.changed = True
    digests.save()
    return digest_of({name: str(found[name]) for name in files})


def _read(
    leaf: Leaf, digests: Digests, files: dict[str, Path], now: dict[str, Signature]
) -> Iterator[tuple[str, str]]:
    """Read files in several threads (hashing lets go of Python's lock), visibly where they are many or large."""
    if sum(now[name][2] for name in files) < PLANNED_BYTES // 16:
        yield from ((name, digests.read(name, path, now[name])) for name, path in files.items())
        return
    with (
        ThreadPoolExecutor(THREADS) as pool,
        progress(f"digest of {leaf.name}", len(files), "files") as advance,
    ):
        read = pool.map(lambda name: digests.read(name, files[name], now[name]), files)
        for name, digest in zip(files, read, strict=True):
            yield name, digest
            advance(1)


def linked_digest(folder: Path, reads: Sequence[str] | None, afresh: bool = False) -> str:
    """Return ``sha256:...`` over what the links in a weights' folder lead to, of the files that their family reads."""
    leaf = Leaf(f"{folder.parent.name}/{folder.name}", folder, reads)
    return leaf_digest(leaf, folder.parent.parent, afresh=afresh)


def check_weights(folder: Path) -> None:
    """Raise a `ScopeDepthError` where local weights are not what they were when they were fetched."""
    manifest = manifest_of(folder)
    if not manifest.is_file():
        return
    content = read_manifest(manifest)
    if "reads" in content and content["digest"] != linked_digest(folder, content["reads"]):
        raise ScopeDepthError(
            f"The weights that {folder} leads to changed since they were looked at. Run the same command again."
        )
