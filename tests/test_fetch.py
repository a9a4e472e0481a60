"""Fetching against servers on this machine: what breaks is resumed or ends in one clear error, and leaves no file."""

from __future__ import annotations

import collections
import errno
import gzip
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dataset_trees as trees
from http_site import Site, serve
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch import download as downloads
from scopedepth.fetch import fetch_dataset
from test_fetch_archives import tar_of, zip_of

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

DATA = np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server, and no pauses between tries."""
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    with serve() as running:
        yield running


def sha256(data: bytes) -> str:
    """Return a digest as it stands in the configuration."""
    return hashlib.sha256(data).hexdigest()


def url_spec(*files: dict[str, Any], **fields: Any) -> specs.Dataset:
    """Return the spec of a dataset at fixed addresses."""
    return trees.spec_of("remote", "folder", {"kind": "url", "files": list(files), **fields})


def fetch(spec: specs.Dataset, place: Path) -> dict[str, Any]:
    """Fetch to `place`/remote and return the manifest."""
    fetch_dataset(spec, place / "remote", place / "remote.json", 2)
    return json.loads((place / "remote.json").read_text())


def left_behind(place: Path) -> list[str]:
    """Return what stands under final names."""
    return sorted(path.name for path in place.iterdir() if not path.name.endswith(".partial"))


def test_a_broken_download_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    site.files["/data.bin"] = DATA
    site.breaks["/data.bin"] = [1_000_000, 500_000]
    manifest = fetch(url_spec({"url": f"{site.url}/data.bin", "sha256": sha256(DATA)}), tmp_path)
    assert (tmp_path / "remote/data/data.bin").read_bytes() == DATA
    ranges = site.asked("/data.bin")
    assert sum(ranges.values()) == 3
    assert ranges[None] == 1  # the beginning was sent once
    assert manifest["files"]["data.bin"] == {
        "url": f"{site.url}/data.bin",
        "sha256": sha256(DATA),
        "bytes": len(DATA),
    }
    assert left_behind(tmp_path) == ["remote", "remote.json"]
    assert not (tmp_path / "remote.partial").exists()


def test_the_next_run_goes_on_too(site: Site, tmp_path: Path) -> None:
    site.files["/data.bin"] = DATA
    site.breaks["/data.bin"] = [1_500_000]
    spec = url_spec({"url": f"{site.url}/data.bin"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "TRIES", 0)
        with pytest.raises(ScopeDepthError, match="run again to go on"):
            fetch(spec, tmp_path)
    assert left_behind(tmp_path) == []
    fetch(spec, tmp_path)
    assert (tmp_path / "remote/data/data.bin").read_bytes() == DATA
    assert site.asked("/data.bin")[None] == 1


@pytest.mark.parametrize("fault", ["changed", "no ranges", "no validator"])
def test_two_versions_are_never_joined(site: Site, tmp_path: Path, fault: str) -> None:
    site.files["/data.bin"] = bytes(reversed(DATA)) if fault == "changed" else DATA
    site.etags = fault != "no validator"
    site.breaks["/data.bin"] = [1_000_000]
    target = tmp_path / "data.bin"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "TRIES", 0)
        with pytest.raises(ScopeDepthError):
            downloads.download(f"{site.url}/data.bin", target)
    assert not target.exists()
    site.files["/data.bin"], site.ranges = DATA, fault != "no ranges"
    assert downloads.download(f"{site.url}/data.bin", target) == f"sha256:{sha256(DATA)}"
    assert target.read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]


def test_a_wrong_digest_is_deleted(site: Site, tmp_path: Path) -> None:
    site.files["/data.bin"] = DATA
    with pytest.raises(ScopeDepthError, match="has not the digest sha256:0000"):
        fetch(url_spec({"url": f"{site.url}/data.bin", "sha256": "0" * 64}), tmp_path)
    assert left_behind(tmp_path) == []
    assert not list(tmp_path.rglob("data.bin*"))


@pytest.mark.parametrize(
    ("status", "word"), [(404, "has changed"), (403, "browser"), (401, "login"), (410, "taken")]
)
def test_final_answers_are_not_asked_again(site: Site, tmp_path: Path, status: int, word: str) -> None:
    site.fails["/data.bin"] = [status] * 9
    with pytest.raises(ScopeDepthError, match=f"answers {status} .*{word}"):
        fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)
    assert sum(site.asked("/data.bin").values()) == 1
    assert left_behind(tmp_path) == []


def test_a_server_that_was_ill_for_a_moment(site: Site, tmp_path: Path) -> None:
    site.files["/data.bin"] = DATA
    site.fails["/data.bin"] = [500, 503, 429]
    fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)
    assert (tmp_path / "remote/data/data.bin").read_bytes() == DATA


def test_a_server_that_stays_ill(site: Site, tmp_path: Path) -> None:
    site.fails["/data.bin"] = [500] * 50
    with pytest.raises(ScopeDepthError, match=r"the server answers 500 .*tried 5 times"):
        fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)
    assert sum(site.asked("/data.bin").values()) == 5


def test_nobody_there(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ScopeDepthError, match="could not be fetched"):
        fetch(url_spec({"url": "http://127.0.0.1:9/data.bin"}), tmp_path)
    with pytest.raises(ScopeDepthError, match=r"is no address"):
        fetch(url_spec({"url": "data.bin"}), tmp_path)


def test_no_disk_space_before_and_during(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.files["/data.bin"] = DATA
    spec = url_spec({"url": f"{site.url}/data.bin"})
    usage = collections.namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
        with pytest.raises(ScopeDepthError, match=r"No space for data\.bin: 0\.00 GB are needed"):
            fetch(spec, tmp_path)

    def full(*_: Any) -> Iterator[bytes]:
        yield DATA[:1_000_000]
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(downloads, "_pieces", full)
        with pytest.raises(ScopeDepthError, match="No space left on the disk"):
            fetch(spec, tmp_path)
    assert left_behind(tmp_path) == []
    fetch(spec, tmp_path)
    assert (tmp_path / "remote/data/data.bin").read_bytes() == DATA
    assert site.asked("/data.bin")["bytes=1000000-"] == 1


def test_archives_are_unpacked_nested_ones_too(site: Site, tmp_path: Path) -> None:
    frames = zip_of({"Frames/image_0000.png": b"one", "Frames/image_0001.png": b"two"})
    site.files["/Endo%20SLAM.zip".replace("%20", " ")] = zip_of(
        {"UnityCam/Colon/Frames.zip": frames, "readme.txt": b"r"}
    )
    site.files["/extra.tar.gz"] = tar_of({"cam.txt": b"1"}, "gz")
    spec = url_spec(
        {"url": f"{site.url}/Endo%20SLAM.zip"}, {"url": f"{site.url}/extra.tar.gz", "to": "more/extra.tar.gz"}
    )
    manifest = fetch(spec, tmp_path)
    data = tmp_path / "remote/data"
    found = sorted(path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())
    assert found == [
        "Endo SLAM/UnityCam/Colon/Frames/Frames/image_0000.png",
        "Endo SLAM/UnityCam/Colon/Frames/Frames/image_0001.png",
        "Endo SLAM/readme.txt",
        "more/extra/cam.txt",
    ]
    assert manifest["files"]["Endo SLAM.zip"]["unpacked_to"] == "Endo SLAM"


def test_a_truncated_archive_is_fetched_again(site: Site, tmp_path: Path) -> None:
    whole = zip_of({"a.png": DATA[:10_000]})
    site.files["/a.zip"], site.files["/b.zip"] = zip_of({"b.png": b"b"}), whole[:-200]
    spec = url_spec({"url": f"{site.url}/a.zip"}, {"url": f"{site.url}/b.zip"})
    with pytest.raises(ScopeDepthError, match=r"The archive b\.zip is damaged or cut short"):
        fetch(spec, tmp_path)
    assert left_behind(tmp_path) == []
    site.files["/b.zip"] = whole
    fetch(spec, tmp_path)
    assert (tmp_path / "remote/data/b/a.png").read_bytes() == DATA[:10_000]
    assert sum(site.asked("/a.zip").values()) == 1  # what was done before is kept


def test_an_entry_that_leaves_the_folder(site: Site, tmp_path: Path) -> None:
    site.files["/bad.zip"] = zip_of({"../../escaped.txt": b"!"})
    with pytest.raises(ScopeDepthError, match=r"'\.\./\.\./escaped\.txt', which would leave the folder"):
        fetch(url_spec({"url": f"{site.url}/bad.zip"}), tmp_path)
    assert not list(tmp_path.rglob("escaped.txt"))
    assert left_behind(tmp_path) == []


def test_terms_are_shown_and_kept(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.files["/data.bin"] = b"1"
    spec: Any = {
        **url_spec({"url": f"{site.url}/data.bin"}),
        "title": "Mine",
        "licence": "CC BY 4.0",
        "citation": "A. Uthor",
    }
    fetch(spec, tmp_path)
    shown = capsys.readouterr().err
    assert shown.index("licence: CC BY 4.0") < shown.index("fetch data.bin")
    assert json.loads((tmp_path / "remote/about.json").read_text())["citation"] == "A. Uthor"


def hub_spec(**source: Any) -> specs.Dataset:
    """Return the spec of a dataset on the Hub."""
    return trees.spec_of("remote", "folder", {"kind": "hub", "repo": "someone/videos", **source})


def test_a_dataset_of_the_hub(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    # The client writes pieces of 10 MiB and loses a piece that broke off.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    archive = zip_of({"rectified01/image01/0000000000.jpg": DATA[:100_000]})
    site.add_hub_dataset(
        "someone/videos", {"rectified01.zip": archive, "README.md": b"card", "big.zip": DATA}
    )
    path = f"/datasets/someone/videos/resolve/{'c' * 40}/rectified01.zip"
    site.breaks[path] = [50_000]
    manifest = fetch(hub_spec(files=["*.md", "rectified*.zip"]), tmp_path)
    data = tmp_path / "remote/data"
    assert (data / "rectified01/rectified01/image01/0000000000.jpg").read_bytes() == DATA[:100_000]
    assert (data / "README.md").read_bytes() == b"card"
    assert not list(data.glob("big*"))
    assert not list((tmp_path / "remote").rglob(".cache"))
    assert manifest["commit"] == "c" * 40
    assert manifest["files"]["rectified01.zip"]["sha256"] == sha256(archive)
    assert site.asked(path)["bytes=50000-"] == 1


def test_hub_datasets_that_are_not_there(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    with pytest.raises(ScopeDepthError, match="someone/videos"):
        fetch(hub_spec(), tmp_path)
    site.add_hub_dataset("someone/videos", {"a.bin": DATA})
    with pytest.raises(ScopeDepthError, match="no file that matches"):
        fetch(hub_spec(files=["*.zip"]), tmp_path)
    site.files[f"/datasets/someone/videos/resolve/{'c' * 40}/a.bin"] = bytes(len(DATA))
    with pytest.raises(ScopeDepthError, match="has not the digest"):
        fetch(hub_spec(), tmp_path)
    assert left_behind(tmp_path) == []


def test_a_record_with_a_doi(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zenodo's protocol through pooch's own client; only the host is ours."""
    from pooch import downloaders

    data, table = zip_of({"rgb/1.png": b"1"}), b"table"
    site.files["/data.zip"], site.files["/table.csv"] = data, table
    files = [
        {
            "key": name,
            "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
            "links": {"self": f"{site.url}/{name}"},
        }
        for name, content in (("data.zip", data), ("table.csv", table))
    ]
    site.files["/api/records/77"] = json.dumps({"id": 77, "files": files}).encode()
    monkeypatch.setattr(downloaders, "doi_to_url", lambda doi, **_: "https://zenodo.org/records/77")
    monkeypatch.setattr(downloaders.ZenodoRepository, "base_api_url", f"{site.url}/api/records")
    spec = trees.spec_of("remote", "folder", {"kind": "doi", "doi": "10.5281/zenodo.77"})
    manifest = fetch(spec, tmp_path)
    assert (tmp_path / "remote/data/data/rgb/1.png").read_bytes() == b"1"
    assert set(manifest["files"]) == {"data.zip", "table.csv"}
    only = {"kind": "doi", "doi": "10.5281/zenodo.77", "files": [{"url": "nothing.zip"}]}
    with pytest.raises(ScopeDepthError, match=r"has no file nothing\.zip; it has data\.zip, table\.csv"):
        fetch(trees.spec_of("remote", "folder", only), tmp_path)
    site.files["/table.csv"] = b"tampered"
    with pytest.raises(ScopeDepthError, match="has not the digest md5:"):
        fetch(trees.spec_of("remote", "folder", {**only, "files": [{"url": "table.csv"}]}), tmp_path)


def test_a_record_of_a_portal_run_by_figshare(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from pooch import downloaders

    from scopedepth.fetch import remote

    file = {"name": "S1.zip", "download_url": f"{site.url}/ndownloader/1", "computed_md5": "0" * 32}
    site.files["/v2/articles"] = json.dumps([{"id": 24077763}]).encode()
    site.files["/v2/articles/24077763"] = json.dumps({"files": [file]}).encode()
    site.files["/v2/articles/24077763/versions/1"] = json.dumps({"files": []}).encode()
    monkeypatch.setattr(downloaders, "doi_to_url", lambda doi, **_: f"{site.url}/articles/24077763")
    monkeypatch.setattr(remote, "FIGSHARE", f"{site.url}/v2")
    found = remote.doi_files("10.5522/04/24077763")
    assert found == {"S1.zip": (f"{site.url}/ndownloader/1", "md5:" + "0" * 32)}
    assert remote.doi_files("10.5522/04/24077763.v1") == {}
    site.files["/v2/articles"] = b"[]"
    with pytest.raises(ScopeDepthError, match="could not be listed"):
        remote.doi_files("10.5522/04/1")


def dataverse(site: Site, **fields: Any) -> specs.Dataset:
    """Return the spec of a record that `site` serves."""
    source = {"kind": "dataverse", "server": site.url, "doi": "10.7281/T1/TEST", **fields}
    return trees.spec_of("remote", "folder", source)


def test_a_record_of_a_dataverse(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each video is a file of the record; a second run goes on with what is missing, where it broke."""
    videos = {f"c0_{name}.zip": zip_of({f"{name}/1.png": DATA}) for name in ("a", "b")}
    listed = site.add_dataverse({**videos, "docs/camera.txt": b"1 2", "c1_c.zip": b"no"})
    site.breaks["/store/102"] = [500_000] * 6
    spec = dataverse(site, files=["c0_*", "docs/*"])
    tries = downloads.TRIES
    monkeypatch.setattr(downloads, "TRIES", 0)
    with pytest.raises(ScopeDepthError, match="could not be fetched"):
        fetch(spec, tmp_path)
    monkeypatch.setattr(downloads, "TRIES", tries)
    manifest = fetch(spec, tmp_path)
    assert site.asked("/store/101").total() == 1
    assert any(range_ for range_ in site.asked("/store/102"))
    assert (tmp_path / "remote/data/c0_a/a/1.png").read_bytes() == DATA
    assert (tmp_path / "remote/data/c0_b/b/1.png").read_bytes() == DATA
    assert (tmp_path / "remote/data/docs/camera.txt").read_bytes() == b"1 2"
    assert manifest["version"] == "1.0"
    assert set(manifest["files"]) == {"c0_a.zip", "c0_b.zip", "docs/camera.txt"}
    assert (
        "passed over 1 files of 10.7281/T1/TEST that match none of source.files: c1_c.zip"
        in capsys.readouterr().err
    )
    # A wrong digest, a file on request, one that became a table, another version.
    listed[0]["dataFile"]["checksum"] = {"type": "SHA-1", "value": "0" * 40}
    listed[2]["dataFile"] |= {"originalFileName": "camera.csv", "filename": "camera.tab"}
    listed[3]["restricted"] = True
    site.list_dataverse(listed, "2.1")
    with pytest.raises(ScopeDepthError, match="has not the digest sha1:000"):
        fetch(dataverse(site, files=["c0_a*"]), tmp_path / "b")
    with pytest.raises(ScopeDepthError, match=r"c1_c\.zip of 10.7281/T1/TEST are given on request alone"):
        fetch(dataverse(site), tmp_path / "b")
    tables = fetch(dataverse(site, files=["docs/*"]), tmp_path / "c")
    assert tables["version"] == "2.1"
    assert tables["files"]["docs/camera.csv"]["url"].endswith("/api/access/datafile/103?format=original")


@pytest.mark.parametrize(
    ("content", "fields", "said"),
    [
        (None, {}, "has no version that is published of the record 10.7281/T1/TEST"),
        (None, {"version": "3.0"}, "has no version 3.0 of the record"),
        (b"<html>", {}, "could not be listed at http"),
        (b'{"data": {"files": {}}}', {}, "could not be listed at http"),
        (b'{"data": {"files": []}}', {}, r"no file that matches \*; it has none"),
        (b'{"data": {"files": [{"label": "a"}]}}', {}, "lists a file in a way that is not understood"),
        (b'{"data": {"files": [{"label": "a", "dataFile": {"id": "../x"}}]}}', {}, "is not understood"),
        (
            b'{"data": {"files": [{"label": "a", "directoryLabel": "../..", "dataFile": {"id": 1}}]}}',
            {},
            "would leave the folder",
        ),
    ],
)
def test_dataverses_that_do_not_have_it(
    site: Site, tmp_path: Path, content: bytes | None, fields: dict[str, Any], said: str
) -> None:
    if content is not None:
        site.files["/api/datasets/:persistentId/versions/:latest-published"] = content
    with pytest.raises(ScopeDepthError, match=said):
        fetch(dataverse(site, **fields), tmp_path)
    assert left_behind(tmp_path) == []


def test_mendeley_records_have_one_archive() -> None:
    from scopedepth.fetch.remote import doi_files

    url = "https://data.mendeley.com/public-api/zip/cd2rtzm23r/download/1"
    assert doi_files("10.17632/cd2rtzm23r.1") == {"cd2rtzm23r.zip": (url, None)}


def test_registration_says_what_to_do(tmp_path: Path) -> None:
    source = {
        "kind": "registration",
        "request_at": "https://example.org/ask",
        "path": str(tmp_path / "put/here"),
    }
    spec = trees.spec_of("remote", "folder", source)
    with pytest.raises(
        ScopeDepthError, match=r"at https://example\.org/ask, put it into .*put/here, and run again"
    ):
        fetch(spec, tmp_path)
    (tmp_path / "put/here").mkdir(parents=True)
    (tmp_path / "put/here/1.png").write_bytes(b"1")
    fetch(spec, tmp_path)
    assert json.loads((tmp_path / "remote/in_place.json").read_text())["path"] == str(tmp_path / "put/here")


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(ScopeDepthError, match=r"no folder .*absent"):
        fetch(trees.spec_of("remote", "folder", tmp_path / "absent"), tmp_path)
    (tmp_path / "absent").mkdir()
    with pytest.raises(ScopeDepthError, match="is empty"):
        fetch(trees.spec_of("remote", "folder", tmp_path / "absent"), tmp_path)


def test_another_source_of_the_same_name_starts_anew(site: Site, tmp_path: Path) -> None:
    site.files["/a/data.bin"], site.files["/b/data.bin"] = DATA, bytes(reversed(DATA))
    site.fails["/a/last.bin"] = [404]
    with pytest.raises(ScopeDepthError, match="404"):
        fetch(url_spec({"url": f"{site.url}/a/data.bin"}, {"url": f"{site.url}/a/last.bin"}), tmp_path)
    fetch(url_spec({"url": f"{site.url}/b/data.bin"}), tmp_path)
    assert (tmp_path / "remote/data/data.bin").read_bytes() == bytes(reversed(DATA))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/1.png").write_bytes(b"1")
    fetch(trees.spec_of("remote", "folder", tmp_path / "own"), tmp_path)
    assert sorted(path.name for path in (tmp_path / "remote").iterdir()) == ["about.json", "in_place.json"]


@pytest.mark.parametrize("length", ["9" * 18, "9" * 30, "9" * 5000])
def test_an_absurd_length(site: Site, tmp_path: Path, length: str) -> None:
    site.files["/data.bin"], site.headers["/data.bin"] = DATA, {"Content-Length": length}
    with pytest.raises(ScopeDepthError, match=r"No space for data\.bin: 1000000000\.00 GB are needed"):
        fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("length", ["-5", "3 million", "\u00b2", "0x10"])
def test_a_length_that_is_no_number(site: Site, tmp_path: Path, length: str) -> None:
    site.files["/data.bin"] = DATA
    site.headers["/data.bin"] = {"Content-Length": length, "Connection": "close"}
    fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)
    assert (tmp_path / "remote/data/data.bin").read_bytes() == DATA


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("7", 7.0),
        ("9" * 18, 1e18),
        ("9" * 400, None),
        ("\u00b2", None),
        ("soon", None),
        ("-3", None),
        ("", None),
    ],
)
def test_when_to_come_back(after: str, seconds: float | None) -> None:
    assert downloads._seconds(after) == pytest.approx(seconds)


def test_a_date_to_come_back() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert downloads._seconds(later) == pytest.approx(40, abs=2)
    assert downloads._seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert downloads._seconds("Wed, 99 Oct 2015 07:28:00 GMT") is None


@pytest.mark.parametrize("after", ["\u00b2", "99999999999999999999", "tomorrow"])
def test_a_server_that_asks_for_nonsense_is_asked_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pauses.append(seconds))
    pauses: list[float] = []
    site.files["/data.bin"], site.fails["/data.bin"] = DATA, [503]
    site.headers["fails"] = {"Retry-After": after}
    fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)
    assert len(pauses) == 1
    assert pauses[0] <= downloads.LONGEST_PAUSE


@pytest.mark.parametrize("said", ["bytes \u00b2-9/10", "bytes " + "9" * 5000 + "-9/10", "pages 3-4/9", ""])
def test_a_range_that_is_none(site: Site, tmp_path: Path, said: str) -> None:
    site.files["/data.bin"] = DATA
    site.breaks["/data.bin"] = [1_000_000]
    target = tmp_path / "data.bin"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "TRIES", 0)
        with pytest.raises(ScopeDepthError):
            downloads.download(f"{site.url}/data.bin", target)
    site.headers["/data.bin"] = {"Content-Range": said}
    assert downloads.download(f"{site.url}/data.bin", target) == f"sha256:{sha256(DATA)}"


@pytest.mark.parametrize("name", ["x" * 300 + ".zip", "\u00e9" * 130 + ".bin"])
def test_a_name_that_no_disk_takes(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site.files[f"/{name}"] = DATA
    with pytest.raises(ScopeDepthError, match=r"a name of \d+ bytes, more than the 245"):
        fetch(url_spec({"url": f"{site.url}/{name}"}), tmp_path)
    fetch(url_spec({"url": f"{site.url}/{name}", "to": "short.bin"}), tmp_path)
    assert (tmp_path / "remote/data/short.bin").read_bytes() == DATA
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    site.add_hub_dataset("someone/videos", {name: DATA})
    with pytest.raises(ScopeDepthError, match=r"a name of \d+ bytes"):
        fetch(hub_spec(), tmp_path)


def test_a_file_encoded_though_nobody_asked(site: Site, tmp_path: Path) -> None:
    packed = gzip.compress(DATA, 1)
    for name in ("data.bin", "more.tar.gz"):
        site.files[f"/{name}"] = packed
        site.headers[f"/{name}"] = {"Content-Encoding": "gzip"}
    site.breaks["/data.bin"] = [1_000_000]
    spec = url_spec({"url": f"{site.url}/data.bin"}, {"url": f"{site.url}/more.tar.gz"}, unpack=False)
    fetch(spec, tmp_path)
    assert (tmp_path / "remote/data/data.bin").read_bytes() == DATA
    # A .gz is the file itself, whatever the server calls it.
    assert (tmp_path / "remote/data/more.tar.gz").read_bytes() == packed
    assert site.asked("/data.bin")[None] == 2  # nothing is joined to a part that was decoded


def test_bytes_that_never_end(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.files["/data.bin"] = DATA
    site.endless.add("/data.bin")
    monkeypatch.setattr(downloads, "LOOK_AT_DISK", 1 << 20)
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "MOST_WITHOUT_LENGTH", 20_000_000)
        with pytest.raises(ScopeDepthError, match=r"goes on without saying how long it is: after 0\.02 GB"):
            fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)
    assert not list(tmp_path.rglob("data.bin*"))
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, downloads.LEAST_FREE - 1))
    with pytest.raises(ScopeDepthError, match=r"\(1\.07 GB are free\)"):
        fetch(url_spec({"url": f"{site.url}/data.bin"}), tmp_path)


def test_a_password_in_an_address_is_not_echoed(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = site.url.replace("http://", "http://anna:s3cret@") + "/data.bin?X-Amz-Signature=s3cret&part=1"
    site.fails["/data.bin"] = [403]
    with pytest.raises(ScopeDepthError) as caught:
        fetch(url_spec({"url": address}), tmp_path)
    assert "s3cret" not in str(caught.value)
    assert "http://***@127.0.0.1" in str(caught.value)
    nobody = "http://anna:s3cret@127.0.0.1:9/data.bin?access_token=s3cret"
    with pytest.raises(ScopeDepthError) as caught:
        fetch(url_spec({"url": nobody}), tmp_path)
    assert "s3cret" not in str(caught.value)
    site.files["/data.bin"] = DATA
    manifest = fetch(url_spec({"url": address}), tmp_path)
    assert "s3cret" not in json.dumps(manifest)
    assert manifest["source"]["files"][0]["url"].endswith("?X-Amz-Signature=***&part=1")
    assert "s3cret" not in "".join(capsys.readouterr())


def test_terms_and_names_do_not_command_a_terminal(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.files["/\x1b[2Jdata.bin"] = b"1"
    spec: Any = {
        **url_spec({"url": f"{site.url}/%1b[2Jdata.bin"}),
        "title": "Mine\x1b]0;owned\x07",
        "licence": "\x1b[31mred\r\nlines",
        "citation": "\u202etxet",
    }
    fetch(spec, tmp_path)
    said = capsys.readouterr().err
    assert all(character.isprintable() or character == "\n" for character in said)
    assert "licence: \\x1b[31mred lines" in said


def points() -> bytes:
    """Return a packed archive as SCARED's clouds are."""
    return tar_of({"scene_points000000.tiff": DATA[:1000]}, "gz")


@pytest.mark.parametrize(
    ("unpack", "expected"),
    [
        (True, ["d/data/scene_points/scene_points000000.tiff", "e/scene_points000000.tiff"]),
        (False, ["d.zip", "e.tar.gz"]),
        (["*.zip"], ["d/data/scene_points.tar.gz", "e.tar.gz"]),
        (["e.*"], ["d.zip", "e/scene_points000000.tiff"]),
    ],
)
@pytest.mark.parametrize("kind", ["url", "hub"])
def test_what_is_unpacked(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpack: Any, expected: list[str], kind: str
) -> None:
    files = {"d.zip": zip_of({"data/scene_points.tar.gz": points()}), "e.tar.gz": points()}
    if kind == "hub":
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        site.add_hub_dataset("someone/videos", files)
        spec = hub_spec(unpack=unpack)
    else:
        site.files = {f"/{name}": data for name, data in files.items()}
        spec = url_spec(*({"url": f"{site.url}/{name}"} for name in files), unpack=unpack)
    fetch(spec, tmp_path)
    data = tmp_path / "remote/data"
    assert sorted(path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()) == expected


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Log in</title>", b"\xef\xbb\xbf\n <HTML lang=en>"])
def test_a_web_page_in_a_files_place(site: Site, tmp_path: Path, page: bytes) -> None:
    site.files["/data.zip"] = page
    spec = url_spec({"url": f"{site.url}/data.zip"}, {"url": f"{site.url}/card.html"})
    site.files["/card.html"] = page
    with pytest.raises(ScopeDepthError, match=r"data\.zip gives a web page and not the file"):
        fetch(spec, tmp_path)
    assert left_behind(tmp_path) == []
    site.files["/data.zip"] = zip_of({"rgb/1.png": b"1"})
    fetch(spec, tmp_path)  # the same command, once the server is well
    assert (tmp_path / "remote/data/data/rgb/1.png").read_bytes() == b"1"
    assert (tmp_path / "remote/data/card.html").read_bytes() == page


def test_fetching_says_what_is_there_and_what_it_passed_over(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    files = {f"other{number}.bin": b"1" for number in range(7)}
    site.add_hub_dataset(
        "someone/videos", {**files, "a.PNG": b"1", "b.png": b"2", "c.tar": tar_of({"x": b"1"})}
    )
    fetch(hub_spec(files=["*.PNG", "*.png", "*.tar"], unpack=False), tmp_path)
    said = capsys.readouterr().err
    assert "passed over 7 files of someone/videos that match none of source.files: other0.bin, " in said
    assert "other4.bin and 2 more" in said
    assert "passed over 1 files that stay packed, as source.unpack says: c.tar" in said
    assert "remote: 3 files: 2 .png, 1 .tar" in said
