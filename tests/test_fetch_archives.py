"""Archives of strangers: what they may hold, and what is refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.archives import Limits, unpack


def zip_of(files: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tar_of(files: dict[str, bytes], compression: str = "") -> bytes:
    """Return a tar archive."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def unpacked(tmp_path: Path, name: str, data: bytes, limits: Limits | None = None) -> dict[str, bytes]:
    """Unpack `data` as the archive `name`; return the files found."""
    (tmp_path / name).write_bytes(data)
    unpack(tmp_path / name, tmp_path / "out", limits)
    out = tmp_path / "out"
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zip_of({"x/1.txt": b"1", "__MACOSX/x/._1.txt": b"m", ".DS_Store": b"d"})),
        ("a.tar", tar_of({"x/1.txt": b"1"})),
        ("a.tgz", tar_of({"./x/1.txt": b"1"}, "gz")),
        ("a.tar.bz2", tar_of({"x/1.txt": b"1"}, "bz2")),
        ("a.tar.xz", tar_of({"x/1.txt": b"1"}, "xz")),
        ("a.zip", zip_of({"x\\1.txt": b"1"})),
    ],
    # An archive holds the second in which it was made: its bytes would name the test differently in each worker.
    ids=["zip", "tar", "tgz", "tar.bz2", "tar.xz", "zip from Windows"],
)
def test_honest_archives(tmp_path: Path, name: str, data: bytes) -> None:
    assert unpacked(tmp_path, name, data) == {"x/1.txt": b"1"}


@pytest.mark.parametrize("entry", ["../up.txt", "a/../../up.txt", "/abs.txt", "C:\\up.txt", "..\\up.txt"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_entries_that_leave_the_folder(tmp_path: Path, entry: str, kind: str) -> None:
    data = zip_of({"ok.txt": b"1", entry: b"!"}) if kind == "zip" else tar_of({"ok.txt": b"1", entry: b"!"})
    with pytest.raises(ScopeDepthError, match="would leave the folder"):
        unpacked(tmp_path, f"bad.{kind}", data)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [f"bad.{kind}"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_of_a_tar(tmp_path: Path, kind: bytes) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("innocent")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ScopeDepthError, match="'innocent', which is a link or a device"):
        unpacked(tmp_path, "bad.tar", data.getvalue())
    assert not (tmp_path / "out").exists()


def test_links_of_a_zip(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo("innocent")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ScopeDepthError, match="link or a device"):
        unpacked(tmp_path, "bad.zip", data.getvalue())


@pytest.mark.parametrize(
    ("name", "pack"), [("bomb.zip", zip_of), ("bomb.tar.gz", lambda files: tar_of(files, "gz"))]
)
def test_bombs(tmp_path: Path, name: str, pack: object) -> None:
    assert callable(pack)
    limits = Limits(free_bytes=1_000_000, times_archive=100)
    with pytest.raises(ScopeDepthError, match="decompression bomb"):
        unpacked(tmp_path, name, pack({"zeros": bytes(20_000_000)}), limits)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(ScopeDepthError, match="more than 3 files"):
        unpacked(tmp_path, name, pack({str(number): b"" for number in range(5)}), Limits(entries=3))


def test_archives_in_archives_have_an_end(tmp_path: Path) -> None:
    data = zip_of({"1.txt": b"1"})
    for level in range(3):
        data = zip_of({f"level{level}.zip": data})
    assert unpacked(tmp_path, "a.zip", data) == {"level2/level1/level0/1.txt": b"1"}
    deep = zip_of({"deep.zip": zip_of({"deeper.zip": data})})
    with pytest.raises(ScopeDepthError, match="more than 4 deep"):
        unpacked(tmp_path, "b.zip", deep)


@pytest.mark.parametrize("name", ["cut.zip", "cut.tar", "cut.tar.gz"])
def test_damaged_archives(tmp_path: Path, name: str) -> None:
    content = {"a.bin": bytes(range(256)) * 400, "b.bin": bytes(range(256)) * 400}
    data = zip_of(content) if name.endswith("zip") else tar_of(content, "gz" if name.endswith("gz") else "")
    with pytest.raises(ScopeDepthError, match=f"{name} is damaged or cut short"):
        unpacked(tmp_path, name, data[: len(data) // 2])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "cut.zip":
        flipped = bytearray(data)
        flipped[60] ^= 0xFF
        with pytest.raises(ScopeDepthError, match="damaged"):
            unpacked(tmp_path, name, bytes(flipped))


def test_a_folder_of_the_same_name_beside_a_nested_archive(tmp_path: Path) -> None:
    data = zip_of({"a/1.txt": b"1", "a.zip": zip_of({"2.txt": b"2"})})
    assert unpacked(tmp_path, "x.zip", data) == {"a/1.txt": b"1", "a_2/2.txt": b"2"}
