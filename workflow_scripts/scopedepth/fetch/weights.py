"""Weights: fetched apart from computing, once, with the digest that stands for them in a prediction's identity.

    results/weights/{model}/       the files as published (links, for weights that already lie on this disk)
    results/weights/{model}.json   the digest of what they hold; the Hub's commit; address and digest of each download

Downloads go on where they broke: they are kept in results/weights/{model}.partial until all are there.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError, one_line
from scopedepth.job.leaves import linked_digest
from scopedepth.job.manifest import IGNORED, write_json, write_manifest

# What `from_pretrained` reads besides the weights themselves.
HUB_SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json")
# Weights in order of preference: safetensors hold tensors and nothing that could run.
HUB_WEIGHTS = (
    ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"),
)


def fetch_weights(spec: Mapping[str, Any], out: Path, manifest: Path) -> None:
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
    """Fetch a model's repository at a pinned commit, or at the newest one, which is recorded."""
    import httpx2
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from scopedepth.fetch.archives import safe_path
    from scopedepth.fetch.download import check_digest, disk_error
    from scopedepth.fetch.remote import Progress

    source, name = spec["weights"], spec["name"]
    repo = source["repo"]
    if not sys.stderr.isatty():
        disable_progress_bars()
    endpoint = os.environ.get("HF_ENDPOINT")
    try:
        info = HfApi(endpoint).model_info(repo, revision=source["revision"], files_metadata=True)
        files = {file.rfilename: file for file in info.siblings or []}
        chosen = choose_files(list(files), source["files"], name, repo)
        state = Progress(partial, {**source, "commit": info.sha})
        for file in chosen:
            if file in state.done:
                continue
            safe_path(file, repo)  # before the client makes a path of it
            label = f"fetch {file} ({(files[file].size or 0) / 1e6:.1f} MB)"
            print(one_line(label), file=sys.stderr, flush=True)
            path = Path(
                hf_hub_download(repo, file, revision=info.sha, local_dir=state.downloads, endpoint=endpoint)
            )
            lfs = files[file].lfs
            digest = check_digest(path, f"sha256:{lfs.sha256}" if lfs else None, file)
            if digest is None:
                path.unlink()
                raise ScopeDepthError(
                    f"Model {name}: {repo}/{file} came with another digest than the Hub says. Run again."
                )
            facts = {"sha256": digest.removeprefix("sha256:"), "bytes": path.stat().st_size}
            state.finish(file, path, file, facts, False)
    except GatedRepoError as error:
        raise ScopeDepthError(
            f"Model {name}: {repo} wants its terms accepted. Open https://huggingface.co/{repo}, accept them, log in "
            "with `hf auth login`, and run again."
        ) from error
    except RevisionNotFoundError as error:
        raise ScopeDepthError(
            f"Model {name}: {repo} has no revision {source['revision']!r}. Correct weights.revision."
        ) from error
    except RepositoryNotFoundError as error:
        raise ScopeDepthError(
            f"Model {name}: the Hub has no model {repo}, or it is private. Correct weights.repo, or log in with "
            "`hf auth login`."
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError) as error:
        raise ScopeDepthError(_broken(name, repo, error)) from error
    except OSError as error:
        # The Hub's client raises bare OSErrors for a broken download and for its own offline mode.
        broken = ScopeDepthError(_broken(name, repo, error))
        raise (broken if error.errno is None else disk_error(error, partial)) from error
    return {"repo": repo, "commit": info.sha, "files": state.close()}


def _broken(name: str, repo: str, error: Exception) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"Model {name}: {repo} could not be fetched ({first}). Run again to go on; what came is kept."


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
