"""Weights: fetched apart from computing, once, with the digest that stands for them in a prediction's identity.

    the folder      the files as published (links, for weights that already lie on this disk)
    its manifest    the digest of what they hold; the Hub's commit; address and digest of each download

Downloads go on where they broke: they are kept in a folder beside it, whose name ends in .partial, until all are there.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.errors import ScopeDepthError
from scopedepth.job.leaves import linked_digest
from scopedepth.job.manifest import IGNORED, write_json, write_manifest

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# What `from_pretrained` reads besides the weights themselves.
HUB_SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json")
# Weights in order of preference: safetensors hold tensors and nothing that could run.
HUB_WEIGHTS = (
    ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"),
)


def fetch_weights(spec: specs.Model, out: Path, manifest: Path) -> None:
    """Bring a model's weights to `out` and write `manifest`. `spec` needs `name` and `weights`.

    Whatever goes wrong, nothing is left under `out`, and it is a `ScopeDepthError` that says what to do.
    """
    source = spec["weights"]
    partial = out.with_name(out.name + ".partial")
    facts = SOURCES[source["kind"]](spec, partial, out)
    if out.exists():
        shutil.rmtree(out)
    os.replace(partial / "data", out)
    shutil.rmtree(partial)
    if source["kind"] != "path":
        write_manifest(manifest, out, model=spec["name"], **facts)
        return
    # Where the links lead, large files are read once and not again as long as they stay as they are.
    content = {
        "digest": linked_digest(out, spec.get("reads")),
        "model": spec["name"],
        "reads": spec.get("reads"),
    }
    write_json(manifest, content)


def _none(spec: Mapping[str, Any], partial: Path, out: Path) -> dict[str, Any]:
    raise ScopeDepthError(f"Model {spec['name']} has no weights to fetch.")


def _path(spec: Mapping[str, Any], partial: Path, out: Path) -> dict[str, Any]:
    """Link to files of the user's, which are read and never written: weights can be many gigabytes.

    Links are relative where the configuration's path is, so that a moved or copied project reads its own files.
    """
    given = Path(spec["weights"]["path"]).expanduser()
    root = given.absolute()
    shutil.rmtree(partial, ignore_errors=True)
    data = partial / "data"
    data.mkdir(parents=True)
    try:
        if root.is_file():
            (data / root.name).symlink_to(_target(root, given, out))
            return {}
        # Python writes bytecode beside code that it imports; it is no part of the weights.
        names = (entry for entry in root.iterdir() if entry.name not in IGNORED) if root.is_dir() else ()
        entries = sorted(names)
    except OSError as error:  # no permission, or a name that no file can have
        raise ScopeDepthError(
            f"Model {spec['name']}: its weights cannot be read ({error.strerror}: {root}). Correct weights.path in "
            "config.yaml."
        ) from error
    if not entries:
        raise ScopeDepthError(
            f"Model {spec['name']}: there are no weights at {root}. Put them there (docs/models.md says where they "
            "are published), or correct weights.path in config.yaml."
        )
    for entry in entries:
        (data / entry.name).symlink_to(_target(entry, given, out))
    return {}


def _target(entry: Path, given: Path, out: Path) -> str:
    return (
        str(entry)
        if given.is_absolute()
        else os.path.relpath(entry, out.absolute().parent.resolve() / out.name)
    )


def _url(spec: Mapping[str, Any], partial: Path, out: Path) -> dict[str, Any]:
    from scopedepth.fetch.remote import fetch_urls

    return fetch_urls({"name": spec["name"], "source": spec["weights"]}, partial, 1)


def _hub(spec: Mapping[str, Any], partial: Path, out: Path) -> dict[str, Any]:
    from scopedepth.fetch.hub import fetch_repository

    source: specs.HubSource = spec["weights"]
    name = spec["name"]

    def choose(available: list[str]) -> list[str]:
        return choose_files(available, source["files"], name, source["repo"])

    return {"repo": source["repo"], **fetch_repository("model", name, source, partial, choose)}


def choose_files(available: list[str], patterns: list[str], name: str, repo: str) -> list[str]:
    """Return the files to fetch: those that fit `patterns`, or for ["*"] what loading needs and no more.

    Repositories often hold the same weights in several formats.
    """
    if patterns != ["*"]:
        chosen = [file for file in available if any(fnmatch.fnmatchcase(file, p) for p in patterns)]
        if not chosen:
            raise ScopeDepthError(
                f"Model {name}: {repo} has no file like {', '.join(patterns)}. Correct weights.files."
            )
        return sorted(chosen)
    for weights in HUB_WEIGHTS:
        found = [file for file in available if any(fnmatch.fnmatchcase(file, p) for p in weights)]
        if found:
            return sorted(found + [file for file in HUB_SETTINGS if file in available])
    raise ScopeDepthError(
        f"Model {name}: {repo} holds no weights that transformers loads (model.safetensors or pytorch_model.bin), only "
        f"{', '.join(sorted(available)[:6])}. Name another repository, or its files in weights.files."
    )


SOURCES = {"none": _none, "path": _path, "url": _url, "hub": _hub}
