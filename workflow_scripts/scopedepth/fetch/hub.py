"""Repositories of the Hugging Face Hub, datasets' and models' alike, at a pinned commit or at the newest one."""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.errors import ScopeDepthError, one_line
from scopedepth.fetch.download import check_digest, check_name, disk_error
from scopedepth.fetch.remote import Progress, say_passed_over
from scopedepth.fetch.targets import safe_path

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


def fetch_hub(spec: Mapping[str, Any], partial: Path, workers: int) -> dict[str, Any]:
    """Fetch a dataset repository of the Hub, those files that match `source.files`."""
    source: specs.HubSource = spec["source"]
    repo = source["repo"]

    def choose(available: list[str]) -> list[str]:
        chosen = [
            name for name in available if any(fnmatch.fnmatchcase(name, one) for one in source["files"])
        ]
        say_passed_over(
            f"of {repo} that match none of source.files", [name for name in available if name not in chosen]
        )
        chosen = [name for name in chosen if name != ".gitattributes"]
        if not chosen:
            raise ScopeDepthError(
                f"{repo} has no file that matches {', '.join(source['files'])}; correct source.files."
            )
        return chosen

    return fetch_repository("dataset", spec["name"], source, partial, choose, source.get("unpack", True))


def fetch_repository(
    kind: str,
    name: str,
    source: specs.HubSource,
    partial: Path,
    choose: Callable[[list[str]], list[str]],
    unpack: bool | list[str] = False,
) -> dict[str, Any]:
    """Fetch those files of a repository that `choose` takes of all their names; return its commit and the files' facts.

    kind: dataset or model; `name` is that of the configuration's entry, whose `source` has `repo` and `revision`.
    unpack: which archives to unpack, see `is_wanted`.
    """
    import httpx2
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    repo, whose = source["repo"], f"{kind.capitalize()} {name}"
    field = {"dataset": "source", "model": "weights"}[kind]
    if not sys.stderr.isatty():
        disable_progress_bars()
    # The client reads this variable when it is imported; a mirror set later is meant as well.
    endpoint = os.environ.get("HF_ENDPOINT")
    try:
        hub = HfApi(endpoint)
        ask = hub.dataset_info if kind == "dataset" else hub.model_info
        info = ask(repo, revision=source["revision"], files_metadata=True)
        files = {file.rfilename: file for file in info.siblings or []}
        chosen = choose(list(files))
        state = Progress(partial, {**source, "commit": info.sha})
        for file in (file for file in chosen if file not in state.done):
            # Before the client makes a path of it.
            check_name(state.downloads / safe_path(file, repo), f"{repo}/{file}")
            label = f"fetch {file} ({(files[file].size or 0) / 1e6:.1f} MB)"
            print(one_line(label), file=sys.stderr, flush=True)
            fetched = hf_hub_download(
                repo, file, repo_type=kind, revision=info.sha, local_dir=state.downloads, endpoint=endpoint
            )
            path, lfs = Path(fetched), files[file].lfs
            known = f"sha256:{lfs.sha256}" if lfs else None
            digest = check_digest(path, known, file)
            if digest is None:
                path.unlink()
                raise ScopeDepthError(
                    f"{whose}: {repo}/{file} has not the digest {known}; it was deleted. Run again."
                )
            facts = {"sha256": digest.removeprefix("sha256:"), "bytes": path.stat().st_size}
            state.finish(file, path, file, facts, unpack)
    except GatedRepoError as error:
        address = f"https://huggingface.co/{repo if kind == 'model' else f'{kind}s/{repo}'}"
        raise ScopeDepthError(
            f"{whose}: {repo} wants its terms accepted. Open {address}, accept them, log in with `hf auth login`, and "
            "run again."
        ) from error
    except RevisionNotFoundError as error:
        raise ScopeDepthError(
            f"{whose}: {repo} has no revision {source['revision']!r}. Correct {field}.revision."
        ) from error
    except RepositoryNotFoundError as error:
        raise ScopeDepthError(
            f"{whose}: the Hub has no {kind} {repo}, or it is private. Correct {field}.repo, or log in with "
            "`hf auth login`."
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise disk_error(error, partial) from error
        # The client raises bare OSErrors for a broken download and for its own offline mode.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ScopeDepthError(
            f"{whose}: {repo} could not be fetched ({first}). Run again to go on; what came is kept."
        ) from error
    return {"commit": info.sha, "files": state.close()}
