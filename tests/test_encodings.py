# ruff: noqa: E501  # a row a line
"""A table of encodings: each file gives the number that was written, or is refused in a line that says why."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

import dataset_trees as trees
from scopedepth.datasets import choose
from scopedepth.datasets.loaders.scared import z_of
from scopedepth.datasets.reading.headers import stated_missing
from scopedepth.datasets.reading.images import read_image, read_raw_depth
from scopedepth.errors import ScopeDepthError, UnreadableFrame

SHAPE = (48, 64)
NUMBERS = (np.arange(SHAPE[0] * SHAPE[1]) % 199).reshape(SHAPE).astype(np.uint8)
LARGE = NUMBERS.astype(np.uint16) * 300
HALF = NUMBERS.astype(np.float16) / np.float16(8)


def pillow(image: Image.Image, form: str, **how: Any) -> bytes:
    """Return an image file as Pillow writes it."""
    data = io.BytesIO()
    image.save(data, form, **how)
    return data.getvalue()


def tiff(array: NDArray[Any], **how: Any) -> bytes:
    """Return a TIFF."""
    data = io.BytesIO()
    tifffile.imwrite(data, array, **{"photometric": "minisblack", **how})
    return data.getvalue()


def png(array: NDArray[Any]) -> bytes:
    """Return a PNG."""
    good, data = cv2.imencode(".png", array)
    assert good
    return data.tobytes()


def with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a PNG with one more chunk behind its header."""
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data[:33] + chunk + data[33:]


def npy(array: NDArray[Any]) -> bytes:
    """Return an NPY file."""
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


def exr(window: bool = True, **channels: NDArray[Any]) -> bytes:
    """Return an EXR; its display window is larger than its data where `window` is false."""
    import tempfile

    import OpenEXR

    header: dict[str, Any] = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if not window:
        height, width = SHAPE
        header["displayWindow"] = (np.array([0, 0], np.int32), np.array([width, height], np.int32))
    with tempfile.TemporaryDirectory() as folder, OpenEXR.File(header, channels) as file:
        file.write(f"{folder}/x.exr")
        return Path(folder, "x.exr").read_bytes()


def palette(colours: list[int], form: str = "PNG") -> bytes:
    """Return a file of indices into grey `colours`."""
    image = Image.fromarray(NUMBERS)
    indexed = Image.new("P", image.size)
    indexed.putdata(NUMBERS.ravel().tolist())
    indexed.putpalette([value for value in colours for _ in range(3)])
    return pillow(indexed, form)


def oriented(orientation: int, form: str) -> bytes:
    """Return a grey picture that says how it is to be turned."""
    exif = Image.Exif()
    exif[274] = orientation
    return pillow(Image.fromarray(NUMBERS), form, exif=exif)


def looping(data: bytes) -> bytes:
    """Return a little-endian TIFF whose directory names itself as the next one."""
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    at = first + 2 + 12 * count
    return data[:at] + data[4:8] + data[at + 4 :]


def halved(data: bytes) -> bytes:
    """Return a TIFF of one strip that says of itself to have half of its bytes."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[279]
        number = struct.pack("<I" if tag.dtype == 4 else "<H", tag.value[0] // 2)
        return data[: tag.valueoffset] + number + data[tag.valueoffset + len(number) :]


def special_exr(what: str) -> bytes:
    """Return an EXR that is deep, sub-sampled, or of two parts of which the second is cut off."""
    import tempfile

    import OpenEXR

    header: dict[str, Any] = {"compression": OpenEXR.ZIPS_COMPRESSION, "type": OpenEXR.scanlineimage}
    given: Any = {"Z": OpenEXR.Channel(np.ascontiguousarray(Z[::2, ::2]), 2, 2)}
    if what == "deep":
        pixels = np.empty(SHAPE, object)
        for place in np.ndindex(SHAPE):
            pixels[place] = np.full(place[0] % 3, 2, np.float32)
        header, given = header | {"type": OpenEXR.deepscanline}, {"Z": pixels}
    with tempfile.TemporaryDirectory() as folder:
        parts = [OpenEXR.Part({**header, "name": name}, {"Z": Z}) for name in "ab"]
        with OpenEXR.File(parts) if what == "parts" else OpenEXR.File(header, given) as file:
            file.write(f"{folder}/x.exr")
        data = Path(folder, "x.exr").read_bytes()
    return data[:-5] if what == "parts" else data


PICTURE = trees.picture(*SHAPE)
Z = NUMBERS.astype(np.float32) / 4
GREY_RGB = np.dstack([NUMBERS] * 3)
INK = pillow(
    Image.merge("CMYK", [Image.fromarray(255 - NUMBERS)] * 3 + [Image.new("L", SHAPE[::-1])]), "TIFF"
)

DEPTHS: dict[str, tuple[str, Callable[[], bytes], NDArray[Any] | str]] = {
    "png 8": ("png", lambda: png(NUMBERS), NUMBERS),
    "png 16": ("png", lambda: png(LARGE), LARGE),
    "png equal rgb": ("png", lambda: png(GREY_RGB), NUMBERS),
    "png grey with alpha": ("png", lambda: pillow(Image.merge("LA", [Image.fromarray(NUMBERS)] * 2), "PNG"), NUMBERS),
    "png palette of its own greys": ("png", lambda: palette(list(range(256))), NUMBERS),
    "png palette of other greys": ("png", lambda: palette(list(range(255, -1, -1))), "has a palette"),
    "png 1 bit": ("png", lambda: pillow(Image.fromarray(NUMBERS % 2 * 255).convert("1"), "PNG"), "numbers of 1 bit"),
    "png colours": ("png", lambda: png(np.dstack([NUMBERS, NUMBERS, NUMBERS // 2])), "channels that differ"),
    "png turned": ("png", lambda: oriented(6, "PNG"), "orientation 6"),
    "png animated": ("png", lambda: with_chunk(png(NUMBERS), b"acTL", struct.pack(">II", 3, 0)), "animation of 3"),
    "tiff 16": ("tiff", lambda: tiff(LARGE), LARGE),
    "tiff 16 big-endian": ("tif", lambda: tiff(LARGE, byteorder=">"), LARGE),
    "tiff 16 tiled, deflated, predicted": ("tiff", lambda: tiff(LARGE, tile=(16, 16), compression="zlib", predictor=True), LARGE),
    "tiff 32 unsigned": ("tiff", lambda: tiff(LARGE.astype(np.uint32) * 7), LARGE.astype(np.uint32) * 7),
    "tiff 16 signed": ("tiff", lambda: tiff(LARGE.astype(np.int16)), LARGE.astype(np.int16)),
    "tiff half": ("tiff", lambda: tiff(HALF), HALF),
    "tiff float": ("tiff", lambda: tiff(Z), Z),
    "tiff float big-endian": ("tiff", lambda: tiff(Z, byteorder=">"), Z),
    "tiff double": ("tiff", lambda: tiff(Z.astype(np.float64)), Z),
    "tiff planes that are equal": ("tiff", lambda: tiff(np.stack([NUMBERS] * 3), photometric="rgb", planarconfig="separate"), NUMBERS),
    "tiff white as zero": ("tiff", lambda: tiff(LARGE, photometric="miniswhite"), "white as zero"),
    "tiff ink": ("tiff", lambda: INK, "CMYK"),
    "tiff palette": ("tiff", lambda: palette(list(range(256)), "TIFF"), "a palette"),
    "tiff upside down": ("tiff", lambda: tiff(LARGE, extratags=[(274, 3, 1, 4, True)]), "orientation 4"),
    "tiff of two pages": ("tiff", lambda: tiff(np.stack([LARGE, LARGE])), "2 pages"),
    "tiff of 16 bits in planes": ("tiff", lambda: tiff(np.stack([LARGE] * 3), photometric="rgb", planarconfig="separate"), "in planes"),
    "tiff of 16 bits with alpha": ("tiff", lambda: tiff(np.dstack([LARGE] * 2), extrasamples=["unassalpha"]), "2 channels of 16 bits"),
    "tiff of 8 bits with alpha": ("tiff", lambda: tiff(np.dstack([NUMBERS] * 2), extrasamples=["unassalpha"]), "2 channels of 8 bits"),
    "tiff that names itself as its next page": ("tiff", lambda: looping(tiff(LARGE)), LARGE),
    "tiff of half its bytes": ("tiff", lambda: halved(tiff(LARGE)), "lacks some of its strips"),
    "tiff half of half its bytes": ("tiff", lambda: halved(tiff(HALF)), "lacks some of its strips"),
    "png of one row of colours": ("png", lambda: png(PICTURE[:1]), "channels that differ"),
    "npy": ("npy", lambda: npy(LARGE), LARGE),
    "npy of two arrays": ("npy", lambda: npy(LARGE) + npy(LARGE), "more than the array"),
    "npy with an axis of one before": ("npy", lambda: npy(LARGE[None]), LARGE),
    "npy with an axis of one behind": ("npy", lambda: npy(LARGE[..., None]), LARGE),
    "npy big-endian": ("npy", lambda: npy(LARGE.astype(">u2")), LARGE),
    "npy in columns": ("npy", lambda: npy(np.asfortranarray(Z)), Z),
    "npy half": ("npy", lambda: npy(HALF), HALF),
    "npy mask": ("npy", lambda: npy(NUMBERS > 3), "a mask"),
    "npy stack": ("npy", lambda: npy(np.stack([Z, Z])), "array of shape"),
    "exr Z among colours": ("exr", lambda: exr(R=Z * 2, G=Z * 3, B=Z, Z=Z), Z),
    "exr depth of a layer": ("exr", lambda: exr(True, **{"View.Combined.R": Z * 2, "View.Depth.Z": Z}), Z),
    "exr equal colours": ("exr", lambda: exr(R=Z, G=Z, B=Z, A=np.ones_like(Z)), Z),
    "exr half": ("exr", lambda: exr(Y=HALF), HALF),
    "exr R, G, B and D": ("exr", lambda: exr(R=Z * 2, G=Z * 3, B=Z * 4, D=Z), "channels B, D, G, R, which differ"),
    "exr two depths": ("exr", lambda: exr(True, **{"left.Z": Z, "right.Z": Z * 2}), "which differ"),
    "exr deep": ("exr", lambda: special_exr("deep"), "deep or sub-sampled"),
    "exr sub-sampled": ("exr", lambda: special_exr("sub"), "deep or sub-sampled"),
    "exr of two parts, one cut off": ("exr", lambda: special_exr("parts"), "2 parts"),
    "exr of a part": ("exr", lambda: exr(window=False, Z=Z), "a part of its picture"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEPTHS)
def test_depth_of_every_encoding(tmp_path: Path, name: str) -> None:
    suffix, write, expected = DEPTHS[name]
    path = tmp_path / f"depth.{suffix}"
    path.write_bytes(write())
    if isinstance(expected, str):
        with pytest.raises(ScopeDepthError, match=expected) as caught:
            read_raw_depth(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    found = read_raw_depth(path)
    assert found.dtype.isnative
    assert np.array_equal(found, expected)


DEEP = PICTURE.astype(np.uint16) * 257
PICTURES: dict[str, tuple[str, Callable[[], bytes], NDArray[Any] | str]] = {
    "png 8": ("png", lambda: png(PICTURE[..., ::-1]), PICTURE),
    "png 16": ("png", lambda: png(DEEP[..., ::-1]), PICTURE),
    "png straight alpha": ("png", lambda: pillow(Image.fromarray(np.dstack([PICTURE, NUMBERS])), "PNG"), PICTURE),
    "png grey": ("png", lambda: png(NUMBERS), GREY_RGB),
    "png palette": ("png", lambda: palette(list(range(255, -1, -1))), 255 - GREY_RGB),
    "png 1 bit": ("png", lambda: pillow(Image.fromarray(NUMBERS % 2 * 255).convert("1"), "PNG"), GREY_RGB % 2 * 255),
    "png of screens (gAMA 1/2.2)": ("png", lambda: with_chunk(png(PICTURE[..., ::-1]), b"gAMA", struct.pack(">I", 45455)), PICTURE),
    "png linear light": ("png", lambda: with_chunk(png(PICTURE), b"gAMA", struct.pack(">I", 100000)), "linear light"),
    "png high dynamic range": ("png", lambda: with_chunk(png(PICTURE), b"cICP", bytes([9, 16, 0, 1])), "PQ"),
    "png turned": ("png", lambda: oriented(3, "PNG"), "orientation 3"),
    "jpeg turned": ("JPG", lambda: oriented(6, "JPEG"), "orientation 6"),
    "tiff 8": ("tif", lambda: tiff(PICTURE, photometric="rgb"), PICTURE),
    "tiff 16 big-endian": ("tif", lambda: tiff(DEEP, photometric="rgb", byteorder=">"), PICTURE),
    "tiff in planes": ("tif", lambda: tiff(np.moveaxis(PICTURE, 2, 0), photometric="rgb", planarconfig="separate"), PICTURE),
    "tiff of 16 bits in planes": ("tif", lambda: tiff(np.moveaxis(DEEP, 2, 0), photometric="rgb", planarconfig="separate"), "in planes"),
    "tiff opaque": ("tif", lambda: tiff(np.dstack([PICTURE, np.full(SHAPE, 255, np.uint8)]), photometric="rgb", extrasamples=["assocalpha"]), PICTURE),
    "tiff premultiplied": ("tif", lambda: tiff(np.dstack([PICTURE // 2, np.full(SHAPE, 128, np.uint8)]), photometric="rgb", extrasamples=["assocalpha"]), "partly transparent"),
    "tiff straight alpha": ("tif", lambda: tiff(np.dstack([PICTURE, NUMBERS]), photometric="rgb", extrasamples=["unassalpha"]), "partly transparent"),
    "tiff ink": ("tif", lambda: INK, GREY_RGB),
    "tiff white as zero, 8": ("tif", lambda: tiff(255 - NUMBERS, photometric="miniswhite"), GREY_RGB),
    "tiff white as zero, 16": ("tif", lambda: tiff(LARGE, photometric="miniswhite"), "white as zero"),
    "tiff Lab": ("tif", lambda: tiff(PICTURE, photometric="cielab"), "Lab"),
    "tiff of two pages": ("tif", lambda: tiff(np.stack([PICTURE, PICTURE]), photometric="rgb"), "2 pages"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_every_encoding(tmp_path: Path, name: str) -> None:
    suffix, write, expected = PICTURES[name]
    path = tmp_path / f"image.{suffix}"
    path.write_bytes(write())
    if isinstance(expected, str):
        with pytest.raises(ScopeDepthError, match=expected):
            read_image(path)
        return
    assert np.array_equal(read_image(path), expected)


@pytest.mark.parametrize("kind", ["lzw", "deflate", "packbits"])
def test_a_strip_that_does_not_decode_is_no_black_one(tmp_path: Path, kind: str) -> None:
    """OpenCV goes on with black where libtiff fails on numbers of 8 bits."""
    names = {"lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "packbits": "packbits"}
    fill = b"\x80" if kind == "packbits" else b"\xff"  # 80: nothing, to PackBits
    image = Image.fromarray(np.tile(NUMBERS, (8, 1)))
    data = pillow(image, "TIFF", compression=names[kind], tiffinfo={278: 8})
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        starts, lengths = file.pages[0].dataoffsets, file.pages[0].databytecounts
    assert len(starts) > 3
    (tmp_path / "whole.tif").write_bytes(data)
    assert np.array_equal(read_raw_depth(tmp_path / "whole.tif"), np.asarray(image))
    at, half = starts[2], lengths[2] // 2
    (tmp_path / "cut.tif").write_bytes(
        data[: at + half] + fill * (lengths[2] - half) + data[at + lengths[2] :]
    )
    for read in (read_raw_depth, read_image):
        with pytest.raises(UnreadableFrame, match=r"cut\.tif: does not decode"):
            read(tmp_path / "cut.tif")


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_fewer_bits_in_sixteen(tmp_path: Path, bits: int) -> None:
    for number in (1, 2):
        picture = (DEEP >> (16 - bits)).astype(np.uint16)
        trees.write_image(tmp_path / f"rgb/{number}.png", picture)
    with pytest.raises(ScopeDepthError, match=rf"Set options\.bits to {bits}"):
        choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)
    spec = trees.spec_of("mine", "folder", tmp_path, options={"bits": bits})
    assert np.array_equal(choose(spec, tmp_path)[0].sequence.image(0), PICTURE)
    dark = trees.spec_of("mine", "folder", tmp_path, options={"bits": 16})
    assert choose(dark, tmp_path)[0].sequence.image(0).max() < 1 << (bits - 8)
    few = choose(trees.spec_of("mine", "folder", tmp_path, options={"bits": 9}), tmp_path)[0].sequence
    with pytest.raises(ScopeDepthError, match="takes more than 9 bits"):
        few.image(0)


def test_bright_and_black_pictures_of_sixteen_bits_are_taken(tmp_path: Path) -> None:
    trees.write_image(tmp_path / "rgb/1.png", np.zeros_like(DEEP))
    trees.write_image(tmp_path / "rgb/2.png", DEEP)
    assert np.array_equal(
        choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)[0].sequence.image(1), PICTURE
    )


def test_point_maps_of_odd_tiffs(tmp_path: Path) -> None:
    points = tiff(np.dstack([Z, Z, Z + 1]), photometric="rgb")
    assert np.array_equal(z_of(looping(points), "x"), Z + 1)
    two = tiff(np.stack([np.dstack([Z, Z, Z + 1])] * 2), photometric="rgb")
    for data in (halved(points), two):
        with pytest.raises(UnreadableFrame, match="x: does not decode"):
            z_of(data, "x")


def test_what_a_tiff_declares_to_be_missing() -> None:
    assert stated_missing(tiff(LARGE)) == []
    assert stated_missing(tiff(LARGE, extratags=[(42113, 2, 6, "65535", True)])) == [65535]
    assert stated_missing(tiff(Z, extratags=[(42113, 2, 4, "nan", True)])) == []
    assert stated_missing(png(LARGE)) == []
