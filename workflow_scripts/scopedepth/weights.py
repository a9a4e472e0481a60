"""Weights: fetched apart from computing, once, with the digest that stands for them in a prediction's identity.

results/weights/{model}/       the files as published (links, for weights that already lie on this disk)
results/weights/{model}.json   the digest of what they hold, the source, the hub's commit
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.manifest import write_manifest


def fetch_weights(spec: Mapping[str, Any], out: Path, manifest: Path) -> None:
    """Bring a model's weights to `out` and write `manifest`. `spec` needs `name` and `weights`.

    Whatever goes wrong, nothing is left under `out`.
    """
    source = spec["weights"]
    partial = out.with_name(out.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    facts = SOURCES[source["kind"]](spec["name"], source, partial)
    if out.exists():
        shutil.rmtree(out)
    os.replace(partial, out)
    write_manifest(manifest, out, model=spec["name"], source=dict(source), **facts)


def _none(name: str, source: Mapping[str, Any], partial: Path) -> dict[str, Any]:
    raise ScopeDepthError(f"Model {name} has no weights to fetch.")


def _path(name: str, source: Mapping[str, Any], partial: Path) -> dict[str, Any]:
    """Link to files of the user's, which are read and never written: weights can be many gigabytes."""
    root = Path(source["path"]).expanduser().resolve()
    shutil.rmtree(partial)
    partial.mkdir()
    if root.is_file():
        (partial / root.name).symlink_to(root)
    elif root.is_dir() and any(root.iterdir()):
        for entry in sorted(root.iterdir()):
            (partial / entry.name).symlink_to(entry)
    else:
        raise ScopeDepthError(
            f"Model {name}: there are no weights at {root}. Put them there, or correct weights.path in config.yaml."
        )
    return {}


SOURCES = {"none": _none, "path": _path}
