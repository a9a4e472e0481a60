"""Reading a study's crate: what is in it, each file held against the size and digest that the crate states of it."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from scopedepth.errors import ScopeDepthError
from scopedepth.export.crate import METADATA
from scopedepth.job.manifest import RECORD, digest_file
from scopedepth.job.run import sealed
from scopedepth.study.layout import RESULTS, Job, job_at

RESOLVED = "study.json"
# What metadata may weigh: of a million files, some hundreds of megabytes.
LARGEST_METADATA = 2**30
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class OpenedCrate:
    """A crate written by `scopedepth export`. What is not as it says is a `ScopeDepthError` that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
            names = self._archive.namelist()
        except FileNotFoundError:
            raise ScopeDepthError(f"{path}: there is no such file.") from None
        except BROKEN as error:
            raise self._wrong(f"it is no zip file, or a damaged one ({error})") from None
        if len(set(names)) != len(names):
            raise self._wrong("a file stands in it twice")
        try:
            graph = json.loads(self._bytes(METADATA, LARGEST_METADATA))["@graph"]
            self._entities = {entity["@id"]: entity for entity in graph}
            self._files = {
                unquote(name): (int(entity["contentSize"]), str(entity["sha256"]))
                for name, entity in self._entities.items()
                if "File" in entity["@type"]
            }
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._wrong(f"{METADATA} is damaged ({type(error).__name__}: {error})") from None
        strange = set(names) ^ (self._files.keys() | {METADATA})
        if strange:
            raise self._wrong(
                f"{min(strange)} stands in one of the crate and {METADATA}, and not in the other"
            )

    @cached_property
    def digest(self) -> str:
        """The digest of the whole file."""
        return digest_file(self.path)

    @cached_property
    def study(self) -> dict[str, Any]:
        """The study with all defaults filled in: study, datasets, models, protocols, execution."""
        content = self.json(RESOLVED)
        if not {"study", "datasets", "models", "protocols"} <= content.keys():
            raise self._wrong(f"{RESOLVED} names no study")
        return content

    @cached_property
    def jobs(self) -> list[Job]:
        """The jobs of which results lie in the crate."""
        found: dict[Job, None] = {}
        for name in self._files:
            place = PurePosixPath(name)
            if place.parts[0] != RESULTS.name or ".." in place.parts or "\\" in name:
                continue
            job = job_at("/".join(place.parts[1:]))
            if job is not None:
                found[job] = None
        return list(found)

    @property
    def measured_by(self) -> str:
        """Who made the study, as far as the crate says it: authors, version of the code, when it ended."""
        root, run = self._entities.get("./", {}), self._entities.get("#run", {})
        given = root.get("author", [])
        authors = given if isinstance(given, list) else [given]
        people = [
            self._entities.get(one.get("@id"), {}).get("name", "") for one in authors if isinstance(one, dict)
        ]
        version = str(self._entities.get("Snakefile", {}).get("version", "unknown"))
        version = re.sub(r"(?<=commit [0-9a-f]{10})[0-9a-f]+", "", version)
        who = ", ".join(str(name) for name in people if name)
        when = str(run.get("endTime", ""))[:10]
        return f"{self.path.name}{f' by {who}' if who else ''} (ScopeDepth {version}, {when or 'no date'})"

    def has(self, name: str) -> bool:
        """Say whether a file stands in the crate."""
        return name in self._files

    def read(self, name: str) -> bytes:
        """Return a file's bytes, which are those that the crate states."""
        if name not in self._files:
            raise self._wrong(f"{name} is missing")
        size, digest = self._files[name]
        content = self._bytes(name, size)
        if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
            raise self._wrong(f"{name} is not the file that {METADATA} states")
        return content

    def json(self, name: str) -> dict[str, Any]:
        """Return the content of a JSON file that holds a mapping."""
        try:
            content = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"{name} is damaged ({error})") from None
        if not isinstance(content, dict):
            raise self._wrong(f"{name} is damaged (no mapping)")
        return content

    def record(self, job: Job) -> dict[str, Any]:
        """Return a job's run record, whose seal holds and whose results are those in the crate."""
        name = job.path("record").as_posix()
        content = self.json(name)
        if content != sealed(content):
            raise self._wrong(f"{name} is not as its job left it")
        outputs = content.get("outputs", {})
        for path in job.outputs().values():
            stated, inside = outputs.get(path.name), path.as_posix()
            if inside.endswith(RECORD):
                continue
            if self.has(inside) and stated != "sha256:" + self._files[inside][1]:
                raise self._wrong(f"{inside} is not the file that its job made")
            if stated is not None and not self.has(inside):
                raise self._wrong(f"{inside} is missing, which its job made")
        return content

    def _bytes(self, name: str, limit: int) -> bytes:
        try:
            with self._archive.open(name) as file:
                return file.read(limit + 1)
        except KeyError:
            raise self._wrong(f"{name} is missing") from None
        except BROKEN as error:
            raise self._wrong(f"{name} is damaged ({error})") from None

    def _wrong(self, what: str) -> ScopeDepthError:
        return ScopeDepthError(f"{self.path}: {what}. Is it a crate of scopedepth export, and whole?")
