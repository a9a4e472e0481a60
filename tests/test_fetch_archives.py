"""Archives of strangers: what they may hold, and what is refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.archives import UnpackLimits, unpack


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


def unpacked(tmp_path: Path, name: str, data: bytes, limits: UnpackLimits | None = None) -> dict[str, bytes]:
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
    limits = UnpackLimits(free_bytes=1_000_000, times_archive=100)
    with pytest.raises(ScopeDepthError, match="decompression bomb"):
        unpacked(tmp_path, name, pack({"zeros": bytes(20_000_000)}), limits)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(ScopeDepthError, match="more than 3 files"):
        unpacked(tmp_path, name, pack({str(number): b"" for number in range(5)}), UnpackLimits(entries=3))


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


def test_archives_that_multiply_in_all(tmp_path: Path) -> None:
    """Each archive inside is within the limits of one; together they are not."""
    inner = zip_of({"zeros": bytes(400_000)})
    limits = UnpackLimits(free_bytes=1_000_000, times_archive=100)
    four = zip_of({f"{number}.zip": inner for number in range(4)})
    assert len(unpacked(tmp_path, "two.zip", zip_of({"a.zip": inner, "b.zip": inner}), limits)) == 2
    with pytest.raises(
        ScopeDepthError, match=r"four\.zip unpacks to more than 0\.0 GB .*with the archives in it"
    ):
        unpacked(tmp_path, "four.zip", four, limits)
    many = zip_of({f"{number}.zip": zip_of({"1": b"1", "2": b"2"}) for number in range(4)})
    with pytest.raises(ScopeDepthError, match=r"many\.zip holds more than 9 files"):
        unpacked(tmp_path, "many.zip", many, UnpackLimits(entries=9))


@pytest.mark.parametrize(
    ("first", "second"), [("a.txt", "a.txt"), ("x/a.txt", "./x/a.txt"), ("x\\a.txt", "x/a.txt")]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_two_entries_of_one_name(tmp_path: Path, first: str, second: str, kind: str) -> None:
    data = io.BytesIO()
    if kind == "zip":
        with (
            zipfile.ZipFile(data, "w") as archive,
            pytest.warns(UserWarning, match="Duplicate") if first == second else nullcontext(),
        ):
            archive.writestr(first, b"1")
            archive.writestr(second, b"2")
    else:
        with tarfile.open(fileobj=data, mode="w") as archive:
            for name in (first, second):
                member = tarfile.TarInfo(name)
                member.size = 1
                archive.addfile(member, io.BytesIO(b"1"))
    with pytest.raises(ScopeDepthError, match=r"twice, so which one counts is unknown"):
        unpacked(tmp_path, f"twice.{kind}", data.getvalue())
    assert not (tmp_path / "out").exists()


def test_a_name_in_an_archive_that_no_disk_takes(tmp_path: Path) -> None:
    for name, data in (("a.zip", zip_of({"x" * 300: b"1"})), ("a.tar", tar_of({"y/" + "x" * 300: b"1"}))):
        with pytest.raises(ScopeDepthError, match="names a file as this disk cannot"):
            unpacked(tmp_path, name, data)


def test_litter_in_archives_is_left_there(tmp_path: Path) -> None:
    files = {"x/1.png": b"1", "x/._1.png": b"m", "x/Thumbs.db": b"t", "X/DESKTOP.INI": b"i", ".hidden": b"h"}
    for name, data in (("a.zip", zip_of(files)), ("a.tar", tar_of(files))):
        assert unpacked(tmp_path, name, data) == {"x/1.png": b"1", ".hidden": b"h"}
