"""Sources over the network: fixed addresses, and data records with a DOI.

A source is worked through file by file. What is done is written to ``done.json`` in the unfinished folder, so that a
run that was stopped goes on with the next file, and archives already unpacked are not fetched again.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from scopedepth.errors import ScopeDepthError, one_line, without_secrets
from scopedepth.fetch.archives import bare_name, is_archive, is_wanted, unpack
from scopedepth.fetch.download import check_digest, download
from scopedepth.fetch.targets import safe_path
from scopedepth.job.manifest import write_json

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

MENDELEY = "10.17632/"
# Files passed over that are named.
NAMED = 5
FIGSHARE = "https://api.figshare.com/v2"


def say_passed_over(what: str, names: list[str]) -> None:
    """Say on standard error which files of a source are not taken: how many, and the first ones."""
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        print(
            one_line(f"passed over {len(names)} files {what}: {', '.join(names[:NAMED])}{more}"),
            file=sys.stderr,
        )


class Progress:
    """Which files of a source are done; facts of each, by name. `identity`: what they belong to."""

    def __init__(self, partial: Path, identity: Mapping[str, Any]) -> None:
        self.path = partial / "done.json"
        self.downloads, self.data = partial / "downloads", partial / "data"
        self.done: dict[str, Any] = {}
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            kept = {}
        self.identity = dict(identity)
        if kept.get("identity") == self.identity:
            self.done = kept["done"]
        else:  # another source's files
            shutil.rmtree(self.data, ignore_errors=True)
            shutil.rmtree(self.downloads, ignore_errors=True)
            self._write()
        self.data.mkdir(parents=True, exist_ok=True)

    def finish(
        self, name: str, file: Path, to: str, facts: Mapping[str, Any], which: bool | list[str]
    ) -> None:
        """Put a complete download in its place, unpacked where it is an archive and wanted so, and write that down."""
        target = self.data / safe_path(to, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_archive(target) and is_wanted(target.name, which):
            folder = self._folder_for(target)
            facts = {**facts, "unpacked_to": folder.relative_to(self.data).as_posix()}
            try:
                unpack(file, folder, which=which)
            except ScopeDepthError:
                file.unlink()  # a damaged archive is fetched again by the next run
                raise
            file.unlink()
        else:
            os.replace(file, target)
        self.done[name] = dict(facts)
        self._write()

    def _write(self) -> None:
        write_json(self.path, {"identity": self.identity, "done": self.done})

    def _folder_for(self, archive: Path) -> Path:
        """Return a folder for an archive that no other one has; one left by a run that was killed is replaced."""
        taken = {self.data / facts["unpacked_to"] for facts in self.done.values() if "unpacked_to" in facts}
        folder = archive.with_name(bare_name(archive))
        return next(
            one
            for number in itertools.count(1)
            if (one := folder if number == 1 else folder.with_name(f"{folder.name}_{number}")) not in taken
        )

    def close(self) -> dict[str, Any]:
        """Drop what was only needed on the way and return the files' facts; say which archives stay packed."""
        packed = [path for path in self.data.rglob("*") if path.is_file() and is_archive(path)]
        say_passed_over(
            "that stay packed, as source.unpack says",
            sorted(path.relative_to(self.data).as_posix() for path in packed),
        )
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.downloads, ignore_errors=True)
        return self.done


def fetch_urls(spec: Mapping[str, Any], partial: Path, workers: int) -> dict[str, Any]:
    """Fetch files at fixed addresses."""
    source: specs.UrlSource = spec["source"]
    files = [
        (
            file["to"] or name_of(file["url"]),
            file["url"],
            f"sha256:{file['sha256']}" if file["sha256"] else None,
        )
        for file in source["files"]
    ]
    return {"files": fetch_all(files, partial, source, source["unpack"])}


def name_of(url: str) -> str:
    """Return the file's name in an address."""
    name = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    if not name:
        raise ScopeDepthError(f"The address {url} names no file; give the file a name with `to`.")
    return name


def fetch_all(
    files: list[tuple[str, str, str | None]],
    partial: Path,
    identity: Mapping[str, Any],
    which: bool | list[str],
) -> dict[str, Any]:
    """Fetch files, each its name, address and published digest, and return facts of each; those done are not asked for.

    `identity`: see `Progress`; `which` archives are unpacked: see `is_wanted`.
    """
    state = Progress(partial, identity)
    for name, url, known in files:
        if name in state.done:
            continue
        file = state.downloads / safe_path(name, url)
        # Complete files alone have their final name; one left by a run that was killed is taken as it is.
        digest = check_digest(file, known, name) if file.is_file() else None
        digest = digest or download(url, file, known)
        facts = {
            "url": without_secrets(url),
            "sha256": digest.removeprefix("sha256:"),
            "bytes": file.stat().st_size,
        }
        state.finish(name, file, name, facts, which)
    return state.close()


def fetch_doi(spec: Mapping[str, Any], partial: Path, workers: int) -> dict[str, Any]:
    """Fetch the files of a data record: Zenodo, figshare and portals run by it, Dataverse, Mendeley Data."""
    source: specs.DoiSource = spec["source"]
    available = doi_files(source["doi"])
    chosen = source["files"] or [{"url": name, "sha256": None, "to": None} for name in available]
    named = {file["url"] for file in chosen}
    say_passed_over(
        f"of {source['doi']} that source.files does not name", [n for n in available if n not in named]
    )
    files = []
    for file in chosen:
        if file["url"] not in available:
            raise ScopeDepthError(
                f"The record {source['doi']} has no file {file['url']}; it has {', '.join(list(available)[:8])}."
            )
        url, known = available[file["url"]]
        files.append(
            (file["to"] or file["url"], url, f"sha256:{file['sha256']}" if file["sha256"] else known)
        )
    return {"files": fetch_all(files, partial, source, source["unpack"])}


def doi_files(doi: str) -> dict[str, tuple[str, str | None]]:
    """Return name -> (address, published digest) of each file of a record."""
    if doi.startswith(MENDELEY):
        # Mendeley Data hands out a whole record as one zip; its address follows from the DOI's number and version.
        record, _, version = doi.removeprefix(MENDELEY).partition(".")
        url = f"https://data.mendeley.com/public-api/zip/{record}/download/{version or 1}"
        return {f"{record}.zip": (url, None)}
    import requests
    from pooch import downloaders

    try:
        try:
            record = downloaders.doi_to_repository(doi, timeout=60)
        except ValueError:
            return figshare_files(doi)
        registry = _Registry()
        record.populate_registry(registry)
        return {name: (record.download_url(name), known) for name, known in registry.registry.items()}
    except (requests.exceptions.RequestException, ValueError, KeyError, IndexError) as error:
        raise ScopeDepthError(
            f"The files of the DOI {doi} could not be listed ({type(error).__name__}: {error}). Check the DOI, try "
            "again, or use source kind url."
        ) from error


def figshare_files(doi: str) -> dict[str, tuple[str, str | None]]:
    """Return the files of a record of a portal run by figshare under its own name (rdr.ucl.ac.uk).

    figshare's API knows the portals' DOIs; pooch 1.9 asks it for figshare.com's own alone, and cannot read a DOI of
    three parts. A version at the end of the DOI (.v2) is followed, otherwise it is the newest one.
    """
    import requests

    found = requests.get(f"{FIGSHARE}/articles", params={"doi": doi}, timeout=60)
    found.raise_for_status()
    if not found.json():
        raise ValueError("neither Zenodo, figshare, Dataverse nor Mendeley Data has it")
    url = f"{FIGSHARE}/articles/{found.json()[0]['id']}"
    version = re.search(r"\.v(\d+)$", doi)
    if version:
        url += f"/versions/{version[1]}"
    record = requests.get(url, timeout=60)
    record.raise_for_status()
    return {
        file["name"]: (
            file["download_url"],
            f"md5:{file['computed_md5']}" if file.get("computed_md5") else None,
        )
        for file in record.json()["files"]
    }


class _Registry:
    """What pooch's repositories fill: digests by file name."""

    def __init__(self) -> None:
        self.registry: dict[str, str] = {}
