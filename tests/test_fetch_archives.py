"""Archives of strangers: what they may hold, and what is refused."""

from __future__ import annotations

import io
import struct
import sys
import tarfile
import zipfile
import zlib
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.archives import unpack
from scopedepth.fetch.targets import UnpackLimits


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


def seven_zip_of(files: dict[str, bytes], password: str | None = None) -> bytes:
    """Return a 7z archive, or skip where py7zr, which is installed apart, is not.

    The library writes no name that leads out of a folder: such a name is put into the archive's list afterwards, and
    the list's checksums are made to fit (offsets as in 7-Zip's 7zFormat.txt).
    """
    py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed")
    stream = io.BytesIO()
    names = {name: f"{number:0{len(name)}d}" for number, name in enumerate(files)}
    with py7zr.SevenZipFile(stream, "w", password=password) as archive:
        archive.set_encoded_header_mode(False)
        for name, content in files.items():
            archive.writestr(content, names[name])
    data = bytearray(stream.getvalue())
    offset, size = struct.unpack("<QQ", data[12:28])
    listed = bytes(data[32 + offset : 32 + offset + size])
    for name, written in names.items():
        old, new = (f"{one}\0".encode("utf-16-le") for one in (written, name))
        listed = listed.replace(old, new)
    data[32 + offset : 32 + offset + size] = listed
    data[28:32] = struct.pack("<I", zlib.crc32(listed))
    data[8:12] = struct.pack("<I", zlib.crc32(data[12:32]))
    return bytes(data)


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
        unpacked(tmp_path, name, pack({"zeros": bytes(3_000_000)}), limits)
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


def test_an_honest_7z(tmp_path: Path) -> None:
    inner = zip_of({"deep.txt": b"2"})
    files = {
        "x/1.txt": b"1" * 70_000,
        "empty.txt": b"",
        "x/.DS_Store": b"d",
        "x/a.zip": inner,
        "y.bin": bytes(range(256)),
    }
    assert unpacked(tmp_path, "a.7z", seven_zip_of(files)) == {
        "x/1.txt": b"1" * 70_000,
        "empty.txt": b"",
        "x/a/deep.txt": b"2",
        "y.bin": bytes(range(256)),
    }


def test_folders_and_links_of_a_7z(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed")
    (tmp_path / "in/deep/empty").mkdir(parents=True)
    (tmp_path / "in/deep/1.txt").write_bytes(b"1")
    with py7zr.SevenZipFile(tmp_path / "good.7z", "w") as archive:
        archive.writeall(tmp_path / "in", "in")
    assert unpacked(tmp_path, "a.7z", (tmp_path / "good.7z").read_bytes()) == {"in/deep/1.txt": b"1"}
    (tmp_path / "in/deep/link").symlink_to("1.txt")
    with py7zr.SevenZipFile(tmp_path / "bad.7z", "w") as archive:
        archive.writeall(tmp_path / "in", "in")
    with pytest.raises(ScopeDepthError, match="'in/deep/link', which is a link or a device"):
        unpacked(tmp_path / "in", "b.7z", (tmp_path / "bad.7z").read_bytes())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ok.txt": b"1", "../up.txt": b"!"}, "would leave the folder"),
        ({"ok.txt": b"1", "a/../../up.txt": b"!"}, "would leave the folder"),
        ({"ok.txt": b"1", "/abs.txt": b"!"}, "would leave the folder"),
        ({"ok.txt": b"1", "C:\\up.txt": b"!"}, "would leave the folder"),
        ({"ok.txt": b"1", "./ok.txt": b"!"}, "twice"),
        ({"ok.txt": b"1", "ok.txt/2": b"!"}, "a file and a folder of one name"),
        ({"zeros": bytes(3_000_000)}, "decompression bomb"),
        ({str(number): b"" for number in range(30)}, "more than 20 files"),
    ],
)
def test_what_is_refused_in_a_7z(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    limits = UnpackLimits(free_bytes=1_000_000, times_archive=20, entries=20)
    with pytest.raises(ScopeDepthError, match=said):
        unpacked(tmp_path, "bad.7z", seven_zip_of(files), limits)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad.7z"]


def test_a_7z_that_lies_about_its_size_or_is_damaged_or_locked(tmp_path: Path) -> None:
    good = seven_zip_of({"1.txt": b"1" * 1000})
    for place in range(0, len(good), 3):
        broken = bytearray(good)
        broken[place] ^= 0xFF
        with suppress(ScopeDepthError):  # otherwise it is a date or an attribute
            assert list(unpacked(tmp_path, "bad.7z", bytes(broken)).values()) == [b"1" * 1000]
    with pytest.raises(ScopeDepthError, match="damaged or cut short"):
        unpacked(tmp_path, "cut.7z", good[: len(good) // 2])
    with pytest.raises(ScopeDepthError, match="is encrypted"):
        unpacked(tmp_path, "locked.7z", seven_zip_of({"1.txt": b"1"}, "secret"))


def test_a_7z_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with pytest.raises(
        ScopeDepthError, match=r"a\.7z is a 7z archive\. To unpack it, run: pip install py7zr"
    ):
        unpacked(tmp_path, "a.7z", b"7z\xbc\xaf\x27\x1c")
