"""What an image file says of itself beside its pixels, and what of that keeps its numbers from being taken.

A decoder passes over most of it: it hands out the colours of a palette, numbers of 4 bits times 17, the picture as it
lies and not as it is to be turned, the first of several pages. For a picture some of that is right and some is not; for
depth, where the number itself counts, nearly none is.
"""

from __future__ import annotations

import io
import logging
import math
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile
from PIL import Image

# It writes of damaged tags to the terminal, naming no file; what matters of them is raised.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

PNG = b"\x89PNG\r\n\x1a\n"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
EXIF_WITHIN = 1 << 17  # a segment has at most 64 KiB, and stands at the beginning
JPEG = b"\xff\xd8"
GREY, PALETTE = 0, 3  # of PNG's colour types
ORIENTATION = 274
GDAL_NODATA = 42113
# A gamma of 1, in PNG's hundred-thousandths; writers round it.
LINEAR_GAMMA = range(95_000, 105_001)
# Transfer functions of ITU-T H.273 that are no picture's: linear, logarithmic, and those of high dynamic range.
FOREIGN_TRANSFERS = {
    8: "linear light",
    9: "a logarithm of light",
    10: "a logarithm of light",
    16: "PQ",
    18: "HLG",
}
# TIFF's photometric interpretations: what they are called, and those that are read.
PHOTOMETRICS = {
    0: "white as zero", 1: "grey", 2: "RGB", 3: "a palette", 4: "a mask", 5: "CMYK", 6: "YCbCr", 8: "Lab",
    9: "Lab", 10: "Lab", 32803: "a sensor's raw mosaic", 32844: "LogL", 32845: "LogLuv", 34892: "linear light",
}  # fmt: skip
AS_PICTURE, AS_DEPTH = frozenset({1, 2, 3, 5, 6}), frozenset({1, 2})


def objection(data: bytes, depth: bool) -> str | None:
    """Return why a file's pixels cannot be taken as a picture, or as depth, and what to do; None where they can.

    A file whose header is damaged or unknown gives None: whether it decodes is the decoder's affair.
    """
    try:
        if data.startswith(PNG):
            return _of_png(data, depth)
        if data.startswith(JPEG):
            # Parsing costs a tenth of decoding, and most pictures have no such part.
            return _turned(_exif_orientation(data)) if b"Exif\0" in data[:EXIF_WITHIN] else None
        if data[:4] in TIFF:
            return _of_tiff(data, depth)
        if data.startswith(b"BM") and depth:
            return _of_bmp(data)
    except Exception:  # parsers of headers fail on damage in as many ways as there are
        return None
    return None


def _turned(orientation: int) -> str | None:
    if orientation == 1:
        return None
    return (
        f"says that it is to be turned or mirrored before it is looked at (orientation {orientation}), and its other "
        "files may not; save it upright"
    )


def _exif_orientation(data: bytes) -> int:
    with Image.open(io.BytesIO(data)) as image:
        return int(image.getexif().get(ORIENTATION, 1))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield PNG's chunks, (type, content), up to the pixels."""
    at = len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            return
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _of_png(data: bytes, depth: bool) -> str | None:
    chunks = dict(_chunks(data))
    bits, colour = chunks[b"IHDR"][8], chunks[b"IHDR"][9]
    if b"acTL" in chunks and struct.unpack_from(">I", chunks[b"acTL"])[0] > 1:
        return f"is an animation of {struct.unpack_from('>I', chunks[b'acTL'])[0]} pictures; save one a file"
    if b"eXIf" in chunks and (turned := _turned(_exif_orientation(data))):
        return turned
    if depth:
        if colour == PALETTE and not _is_grey_ramp(chunks.get(b"PLTE", b"")):
            return (
                "has a palette, so whether its indices or its colours are the depth is unknown; export the depth as "
                "one channel of 16 bits"
            )
        if bits < 8:
            return f"holds numbers of {bits} bits, which decoders stretch to 8; export the depth with 16 bits"
        return None
    if b"cICP" in chunks and (name := FOREIGN_TRANSFERS.get(chunks[b"cICP"][1])):
        return f"says that its numbers are {name} (cICP); convert it to sRGB"
    if b"gAMA" in chunks and not {b"sRGB", b"iCCP"} & chunks.keys():
        gamma = struct.unpack_from(">I", chunks[b"gAMA"])[0]
        if gamma in LINEAR_GAMMA:
            return "says that its numbers are linear light (gAMA 1); convert it to sRGB"
    return None


def _is_grey_ramp(palette: bytes) -> bool:
    """Whether each index of a PNG's palette is its own grey: then both readings give one number."""
    colours = np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)
    return len(colours) > 0 and bool((colours == np.arange(len(colours))[:, None]).all())


def _of_bmp(data: bytes) -> str | None:
    """Say why a BMP is no depth: it has at most 8 bits a channel, and its grey is a palette."""
    header, bits = struct.unpack_from("<I", data, 14)[0], struct.unpack_from("<H", data, 28)[0]
    if bits < 8 or bits == 16:
        return (
            f"holds numbers of {bits} bits, which decoders stretch to 8; export the depth as PNG of 16 bits"
        )
    if bits == 8:
        used = struct.unpack_from("<I", data, 46)[0] or 256
        colours = np.frombuffer(data, np.uint8, 4 * used, 14 + header).reshape(-1, 4)[:, :3]
        if not _is_grey_ramp(colours.tobytes()):
            return (
                "has a palette, so whether its indices or its colours are the depth is unknown; export the depth as "
                "PNG of 16 bits"
            )
    return None


def _of_tiff(data: bytes, depth: bool) -> str | None:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        # 1: a smaller copy of another page.
        whole = [page for page in pages_of(file) if not _number(page, 254, 0) & 1]
        if len(whole) > 1:
            return f"holds {len(whole)} pages; save one a file"
        page: Any = file.pages[0]
        if turned := _turned(_number(page, ORIENTATION, 1)):
            return turned
        photometric, channels = _number(page, 262, 1), page.samplesperpixel
        bits = page.bitspersample
        if lacks_bytes(page):
            return "lacks some of its strips or tiles, or a part of one; it is damaged, so make it again"
        # OpenCV decodes both to other numbers: planes that are no plain bytes, and grey with alpha.
        if channels > 1 and page.planarconfig == 2 and (bits > 8 or page.sampleformat != 1):
            return f"keeps its {channels} channels of {bits} bits in planes; save them pixel by pixel"
        if depth and channels == 2:
            return f"holds 2 channels of {bits} bits; export the depth as one channel"
        if depth and bits not in (8, 16, 32, 64):
            return f"holds numbers of {bits} bits; export the depth with 16 bits or as float32"
        if not depth and bits not in (1, 2, 4, 8, 16):
            return f"holds {bits} bits a channel; 8 or 16 are read, so convert it"
        if photometric == 0 and not depth and bits <= 8:
            return None  # decoded as it looks
        if photometric not in (AS_DEPTH if depth else AS_PICTURE):
            name = PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
            remedy = "export the depth as one channel" if depth else "convert it to RGB"
            return f"says that its numbers are {name}; {remedy}"
    return None


def pages_of(file: tifffile.TiffFile) -> Iterator[Any]:
    """Yield a TIFF's pages once each: a directory may name an earlier one as the next, and so for ever."""
    seen: set[int] = set()
    for page in file.pages:
        if page.offset in seen:
            return
        seen.add(page.offset)
        yield page


def lacks_bytes(page: Any) -> bool:
    """Whether a TIFF's page lacks a strip or tile, or one that is not compressed holds fewer bytes than its pixels."""
    if len(page.dataoffsets) < math.prod(page.chunked):
        return True
    if page.compression != 1 or page.bitspersample < 8:
        return False
    rows, columns, *channels = page.chunks
    row = math.prod([columns, *channels]) * page.bitspersample // 8
    for place, count in enumerate(page.databytecounts):
        above = 0 if page.is_tiled else place % page.chunked[-2 - len(channels)] * rows
        if 0 < count < row * (rows if page.is_tiled else min(rows, page.imagelength - above)):
            return True
    return False


def _number(page: Any, tag: int, default: int) -> int:
    found = page.tags.get(tag)
    return default if found is None else int(found.value)


def stated_missing(data: bytes) -> list[float]:
    """Return the numbers that a depth file itself declares to be no depth (GDAL's tag in a TIFF)."""
    if data[:4] not in TIFF:
        return []
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            found = file.pages[0].tags.get(GDAL_NODATA)
            words = re.split(r"[\s,]+", str(found.value).strip("\0 ")) if found is not None else []
            return [float(word) for word in words if word and np.isfinite(float(word))]
    except Exception:  # as above
        return []
