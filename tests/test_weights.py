"""Fetching weights: from the Hub, from addresses and from the disk, and what is said when they are not there."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_site import Site, serve
from partial import partial
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.weights import choose_files, fetch_weights
from scopedepth.job.manifest import digest_tree

COMMIT = "d" * 40


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


def add_model(site: Site, repo: str, files: dict[str, bytes]) -> None:
    """Serve `files` as a model's repository of the Hub."""
    siblings = []
    for name, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        siblings.append(
            {"rfilename": name, "size": len(data), "lfs": {"sha256": digest, "size": 1, "pointerSize": 1}}
        )
        path = f"/{repo}/resolve/{COMMIT}/{name}"
        site.files[path] = data
        site.headers[path] = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(data)),
        }
    content = {"id": repo, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []}
    for path in (
        f"/api/models/{repo}",
        f"/api/models/{repo}/revision/main",
        f"/api/models/{repo}/revision/v1",
    ):
        site.files[path] = json.dumps(content).encode()


def fetch(tmp_path: Path, **weights: Any) -> dict[str, Any]:
    fetch_weights(partial(name="m", weights=weights), tmp_path / "m", tmp_path / "m.json")
    return json.loads((tmp_path / "m.json").read_text())


def hub(
    repo: str = "some/depth", revision: str | None = None, files: list[str] | None = None
) -> dict[str, Any]:
    return {"kind": "hub", "repo": repo, "revision": revision, "files": files or ["*"]}


FILES = {
    "config.json": b"{}",
    "preprocessor_config.json": b"{ }",
    "model.safetensors": b"tensors" * 100,
    "pytorch_model.bin": b"pickle",
    "README.md": b"words",
}


def test_from_the_hub(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    add_model(site, "some/depth", FILES)
    manifest = fetch(tmp_path, **hub())
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert manifest["commit"] == COMMIT
    assert (
        manifest["files"]["model.safetensors"]["sha256"]
        == hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    )
    assert manifest["digest"] == digest_tree(tmp_path / "m")
    assert not (tmp_path / "m.partial").exists()
    assert fetch(tmp_path, **hub(revision="v1")) == manifest
    assert list(fetch(tmp_path, **hub(files=["*.md"]))["files"]) == ["README.md"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (hub(revision="v9"), "(has no revision 'v9'|could not be fetched)"),
        (hub(files=["*.onnx"]), "no file like"),
    ],
)
def test_what_the_hub_does_not_have(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    add_model(site, "some/depth", FILES)
    with pytest.raises(ScopeDepthError, match=said):
        fetch(tmp_path, **source)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("GatedRepoError", r"terms accepted.*huggingface\.co/some/depth"),
        ("RepositoryNotFoundError", "has no model some/depth.*hf auth login"),
        ("RevisionNotFoundError", "has no revision 'v9'"),
    ],
)
def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str, said: str) -> None:
    import httpx2
    from huggingface_hub import errors

    def refuse(self: Any, repo: str, **kwargs: Any) -> None:
        response = httpx2.Response(403, request=httpx2.Request("GET", "https://huggingface.co"))
        raise getattr(errors, error)("refused", response=response)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    with pytest.raises(ScopeDepthError, match=said):
        fetch(tmp_path, **hub(revision="v9"))


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ScopeDepthError, match=r"could not be fetched.*Run again"):
        fetch(tmp_path, **hub())


def test_which_files() -> None:
    assert choose_files(["pytorch_model.bin", "config.json", "tf_model.h5"], ["*"], "m", "r") == [
        "config.json",
        "pytorch_model.bin",
    ]
    with pytest.raises(ScopeDepthError, match="holds no weights"):
        choose_files(["tf_model.h5"], ["*"], "m", "r")


def test_from_addresses(site: Site, tmp_path: Path) -> None:
    """A zip of checkpoints: unpacked, but torch's own .pth.tar in it is no archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("run/dispnet_model_best.pth.tar", b"PK not really")
    site.files["/w.zip"] = packed.getvalue()
    site.files["/net.onnx"] = b"onnx"
    files = [
        {"url": f"{site.url}/w.zip", "sha256": hashlib.sha256(packed.getvalue()).hexdigest(), "to": None},
        {"url": f"{site.url}/net.onnx", "sha256": None, "to": "sub/n.onnx"},
    ]
    manifest = fetch(tmp_path, kind="url", files=files, unpack=True)
    assert (tmp_path / "m/w/run/dispnet_model_best.pth.tar").read_bytes() == b"PK not really"
    assert (tmp_path / "m/sub/n.onnx").read_bytes() == b"onnx"
    assert manifest["files"]["sub/n.onnx"]["sha256"] == hashlib.sha256(b"onnx").hexdigest()
    files[0]["sha256"] = "0" * 64
    with pytest.raises(ScopeDepthError):
        fetch(tmp_path / "again", kind="url", files=files, unpack=True)


def test_from_the_disk(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.pth").write_bytes(b"a")
    (folder / "b.pth").write_bytes(b"b")
    first = fetch(tmp_path, kind="path", path=str(folder))
    assert (tmp_path / "m" / "sub" / "a.pth").read_bytes() == b"a"
    assert first["digest"] == digest_tree(folder)
    (folder / "b.pth").write_bytes(b"c")
    assert fetch(tmp_path, kind="path", path=str(folder))["digest"] != first["digest"]
    assert (folder / "b.pth").exists()
    fetch(tmp_path, kind="path", path=str(folder / "b.pth"))
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["b.pth"]
    with pytest.raises(ScopeDepthError, match=r"no weights at .*nowhere"):
        fetch(tmp_path, kind="path", path=str(tmp_path / "nowhere"))
    with pytest.raises(ScopeDepthError, match="has no weights to fetch"):
        fetch(tmp_path, kind="none")


def test_a_path_that_no_file_can_have(tmp_path: Path) -> None:
    spec = partial(name="mine", weights={"kind": "path", "path": "x" * 5000})
    with pytest.raises(ScopeDepthError, match=r"mine: its weights cannot be read \(File name too long"):
        fetch_weights(spec, tmp_path / "mine", tmp_path / "mine.json")
