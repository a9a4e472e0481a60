"""Fetch: a dataset's files as published, the only stage that needs the network.

    data/           the files, archives unpacked (or in_place.json, for data used where they are)
    about.json      title, licence, citation, homepage
    the manifest    where it came from, the digest of every download, the digest of all files; beside the folder

Everything is built in a folder beside it, whose name ends in .partial and which survives a failure: the next run goes
on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.datasets.place import ABOUT, POINTER, WORDS, content_digest, data_root, point_to
from scopedepth.datasets.reading.listing import is_litter
from scopedepth.errors import ScopeDepthError, one_line, without_secrets
from scopedepth.job.manifest import digest_file, list_files, write_json

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Kinds of files that are named.
KINDS = 5
# What a source adds to the manifest: the commit, the digests of the downloads.
Facts = dict[str, Any]


def fetch_dataset(spec: specs.Dataset, out: Path, manifest: Path, workers: int) -> None:
    """Bring a dataset's files to `out` and write `manifest`.

    `spec` needs `name`, `source` and, to be shown and kept, `title`, `licence`, `citation`, `homepage`.
    Whatever goes wrong, nothing is left under `out`; what was downloaded stays beside it for the next run.
    """
    partial = out.with_name(out.name + ".partial")
    source = spec["source"]
    show_terms(spec)
    partial.mkdir(parents=True, exist_ok=True)
    (partial / POINTER).unlink(missing_ok=True)
    facts = SOURCES[source["kind"]](spec, partial, workers)
    write_json(partial / ABOUT, {word: spec.get(word) or "" for word in WORDS})
    if out.exists():
        shutil.rmtree(out)
    os.replace(partial, out)
    beside = {name: digest_file(out / name) for name in (ABOUT, POINTER) if (out / name).is_file()}
    say_what_is_there(spec["name"], data_root(out))
    content = {
        "digest": content_digest(out),
        "beside": beside,
        "dataset": spec["name"],
        "source": _shown(source),
        **facts,
    }
    write_json(manifest, content)


def say_what_is_there(name: str, root: Path) -> None:
    """Say on standard error how many files of which kinds lie below `root`: what no loader reads is seen here first."""
    files = [path for path in list_files(root) if not any(map(is_litter, path.parts))]
    kinds = Counter(path.suffix.lower() or "without a suffix" for path in files).most_common()
    said = ", ".join(f"{count} {kind}" for kind, count in kinds[:KINDS]) + (
        ", ..." if len(kinds) > KINDS else ""
    )
    print(one_line(f"{name}: {len(files)} files: {said}"), file=sys.stderr, flush=True)


def _shown(source: specs.Source) -> dict[str, Any]:
    """Return a source as a manifest may keep it, which others read: without what gives access to it."""
    shown: dict[str, Any] = json.loads(without_secrets(json.dumps(dict(source))))
    return shown


def show_terms(spec: specs.Dataset) -> None:
    """Say on standard error whose data these are, before anything is downloaded."""
    lines = [one_line(f"{spec['name']}: {spec.get('title') or spec['name']}")]
    lines += ["  " + one_line(f"{word}: {said}") for word in WORDS[1:] if (said := spec.get(word))]
    print("\n".join(lines), file=sys.stderr, flush=True)


def _phantom(spec: Mapping[str, Any], partial: Path, workers: int) -> Facts:
    from scopedepth.phantom import render

    # Rendering is deterministic and quick; a half-made one is made again.
    shutil.rmtree(partial)
    data = partial / "data"
    data.mkdir(parents=True)
    render(spec["source"], data, workers)
    return {}


def _path(spec: Mapping[str, Any], partial: Path, workers: int) -> Facts:
    return use_in_place(spec, partial)


def use_in_place(spec: Mapping[str, Any], partial: Path) -> Facts:
    """Point to a folder of the user's, which is read and never written."""
    root, name = Path(spec["source"]["path"]).expanduser(), spec["name"]
    if not root.is_dir():
        raise ScopeDepthError(
            f"Dataset {name}: there is no folder {root.absolute()}. Correct source.path, or put the data there."
        )
    if not any(root.iterdir()):
        raise ScopeDepthError(f"Dataset {name}: the folder {root.absolute()} is empty. Put the data there.")
    shutil.rmtree(partial)  # what an earlier source left
    point_to(partial, root, spec.get("reads"))
    return {}


def _registration(spec: Mapping[str, Any], partial: Path, workers: int) -> Facts:
    source: specs.RegistrationSource = spec["source"]
    folder = Path(source["path"]).expanduser()
    if folder.is_dir() and any(folder.iterdir()):
        return use_in_place(spec, partial)
    raise ScopeDepthError(
        f"Dataset {spec['name']} is fetched by hand. Get it under its owners' terms at {source['request_at']}, put it "
        f"into {folder.resolve()}, and run again. Nothing was downloaded."
    )


def _remote(kind: str) -> Callable[[Mapping[str, Any], Path, int], Facts]:
    def fetch(spec: Mapping[str, Any], partial: Path, workers: int) -> Facts:
        # The network's libraries load only where they are used.
        from scopedepth.fetch import dataverse, hub, remote

        sources = {
            "url": remote.fetch_urls,
            "doi": remote.fetch_doi,
            "dataverse": dataverse.fetch_dataverse,
            "hub": hub.fetch_hub,
        }
        return sources[kind](spec, partial, workers)

    return fetch


# Each reads of a spec its name and a source of its kind.
SOURCES: dict[str, Callable[[Mapping[str, Any], Path, int], Facts]] = {
    "phantom": _phantom,
    "path": _path,
    "url": _remote("url"),
    "doi": _remote("doi"),
    "dataverse": _remote("dataverse"),
    "hub": _remote("hub"),
    "registration": _registration,
}
