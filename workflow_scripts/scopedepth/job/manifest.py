"""Manifests: a small JSON file beside each directory that the workflow makes, with the digest of its content.

Snakemake compares small input files by content. A rule that depends on the manifest of a directory is thus
rerun when the content changes, and spared when the same bytes were made again, whatever the file times say.
A manifest holds only what follows from the inputs: no time, no host, no duration.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError

# What stands beside a result, after its name without the suffix: the manifest of a folder, what the report shows of a
# dataset's store, and what a job writes down of its run.
MANIFEST, PAGE, RECORD = ".json", ".page.json", ".run.json"

# Snakemake leaves this marker in every directory() output, and Python its bytecode beside code that it imports.
IGNORED = frozenset({".git", ".snakemake_timestamp", "__pycache__"})


def digest_file(path: Path) -> str:
    """Return ``sha256:...`` of one file's bytes, read in pieces of constant size."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def list_files(root: Path) -> list[Path]:
    """Return every regular file below `root` as a sorted list of relative paths (links are followed)."""
    found = []
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        found += [Path(folder, name).relative_to(root) for name in files if name not in IGNORED]
    return sorted(found, key=lambda path: path.as_posix())


def digest_tree(root: Path) -> str:
    """Return ``sha256:...`` over the names and contents of all files below `root`.

    The digest does not depend on file times, on permissions or on the order of the listing.
    """
    if not root.is_dir():
        raise ScopeDepthError(f"{root} is not a directory; make it again before it is used.")
    return digest_of({path.as_posix(): digest_file(root / path) for path in list_files(root)})


def digest_of(files: Mapping[str, str]) -> str:
    """Return ``sha256:...`` over files, given as name to digest, in the order given."""
    digest = hashlib.sha256()
    for name, found in files.items():
        digest.update(os.fsencode(name) + f"\0{found}\n".encode())
    return "sha256:" + digest.hexdigest()


def write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write a deterministic JSON file at once: beside its final name, then renamed."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def manifest_of(folder: Path) -> Path:
    """Return where the manifest of a folder lies that has one: beside it."""
    return folder.with_name(folder.name.removesuffix(".zarr") + MANIFEST)


def page_of(manifest: Path) -> Path:
    """Return where the page of a dataset's store lies: beside the store's manifest."""
    return manifest.with_suffix(PAGE)


def record_of(table: Path) -> Path:
    """Return where the run record of a table's job lies: beside it."""
    return table.with_suffix(RECORD)


def write_manifest(path: Path, directory: Path, **content: Any) -> None:
    """Write the manifest of `directory` to `path`: its content's digest and what the caller adds."""
    write_json(path, {"digest": digest_tree(directory), **content})


def read_manifest(path: Path) -> dict[str, Any]:
    """Return a manifest's content. A missing or broken file is a `ScopeDepthError` that names it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScopeDepthError(f"The manifest {path} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise ScopeDepthError(
            f"The manifest {path} is damaged ({error}). Delete it and run again."
        ) from error
    if not isinstance(content, dict) or "digest" not in content:
        raise ScopeDepthError(f"The manifest {path} is damaged (no digest). Delete it and run again.")
    return content
