"""Where the entries of a stranger's archive go, and how many there may be: what holds for all kinds of archives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from scopedepth.datasets.reading.listing import LITTER
from scopedepth.errors import ScopeDepthError


@dataclass
class UnpackLimits:
    """What an archive may unpack to."""

    total_bytes: int = 500 * 10**9
    times_archive: int = 200
    # Small archives may be dense (a text file of zeros); the multiple counts beyond this.
    free_bytes: int = 1 << 30
    entries: int = 2_000_000
    depth: int = 4


@dataclass
class Spent:
    """What an archive and those in it have taken so far, of what the outermost one of `size` bytes may take."""

    name: str
    size: int
    limits: UnpackLimits
    bytes: int = 0
    entries: int = 0

    @property
    def allowed(self) -> int:
        """Bytes that may be unpacked."""
        return min(self.limits.total_bytes, self.limits.free_bytes + self.limits.times_archive * self.size)

    def add_entry(self) -> None:
        """Count an entry."""
        self.entries += 1
        if self.entries > self.limits.entries:
            raise ScopeDepthError(f"{self.name} holds more than {self.limits.entries} files.")

    def add_bytes(self, count: int) -> None:
        """Count unpacked bytes."""
        self.bytes += count
        if self.bytes > self.allowed:
            raise ScopeDepthError(
                f"{self.name} unpacks to more than {self.allowed / 1e9:.1f} GB from {self.size / 1e9:.4f} GB, with the "
                "archives in it; it looks like a decompression bomb and was not unpacked."
            )


def safe_path(name: str, archive: str) -> PurePosixPath:
    """Return an entry's path inside the folder, or raise a `ScopeDepthError` where it would lie outside."""
    path = PurePosixPath(name.replace("\\", "/"))
    outside = (
        path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]) or "\0" in name
    )
    if outside or not path.parts:
        raise ScopeDepthError(
            f"{archive} holds the entry {name!r}, which would leave the folder; it was not unpacked."
        )
    return path


def is_litter_entry(name: str) -> bool:
    """Return whether an entry is what an operating system left; other hidden files are unpacked like any."""
    return any(
        part.lower() in LITTER or part.startswith("._") or part == ".DS_Store"
        for part in PurePosixPath(name).parts
    )


@dataclass
class Targets:
    """Where an archive's entries go: each below `folder`, no two at one place, counted in `spent`."""

    archive: str
    folder: Path
    spent: Spent
    taken: set[Path] = field(default_factory=set)

    def of(self, name: str) -> Path:
        """Return the file that an entry becomes, its folder made."""
        self.spent.add_entry()
        target = self.folder / safe_path(name, self.archive)
        if target in self.taken:
            raise ScopeDepthError(
                f"{self.archive} holds {name!r} twice, so which one counts is unknown; unpack it by hand and use "
                "source kind path."
            )
        self.taken.add(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def known(self, name: str) -> Path:
        """Return the file of an entry that had its place before."""
        target = self.folder / safe_path(name, self.archive)
        if target not in self.taken:
            raise ScopeDepthError(
                f"{self.archive} holds {name!r}, which is not in its list; it was not unpacked."
            )
        return target

    def encrypted(self) -> str:
        """Return what to say of an archive with a password."""
        return f"{self.archive} is encrypted; unpack it by hand and use source kind path."

    def refused(self, name: str) -> str:
        """Return what to say of an entry that is no file and no folder."""
        return f"{self.archive} holds {name!r}, which is a link or a device; it was not unpacked."
