"""Files that are odd or lie a little, made part by part: what fuzz.py reads beside files with wrong bytes.

One function a format. Each takes a source of chance and gives a file whose structure holds (lengths, offsets,
checksums) but for what it lies about, and says what a reader owes: the numbers that were written, a refusal, or
neither where the lie leaves open what is right (a header that says another width).
"""

from __future__ import annotations

import io
import json
import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Chance = random.Random
Numbers = NDArray[Any]


@dataclass
class Made:
    """A file and what is known of it.

    `known`: the depth (h, w) that it holds; for networks what it is to give. `picture`: how it looks, uint8 RGB
    (h, w, 3). None: left open. `refused`: no number may come of it as depth. `others`: further files by their places
    relative to the file. `what`: what was made odd, for whoever looks for the cause of a finding.
    """

    name: str
    data: bytes
    known: Any = None
    picture: Numbers | None = None
    refused: bool = False
    others: dict[str, bytes] = field(default_factory=dict)
    what: str = ""


def often(chance: Chance, share: float = 0.1) -> bool:
    """Say yes in a `share` of the cases."""
    return chance.random() < share


def drawn(chance: Chance) -> np.random.Generator:
    """Return NumPy's generator for arrays, seeded by `chance`."""
    return np.random.default_rng(chance.randrange(2**32))


def size(chance: Chance) -> tuple[int, int]:
    """Return a height and a width."""
    return chance.choice([(24, 32), (24, 32), (7, 5), (1, 1), (3, 17), (40, 8), (1, 9), (9, 1)])


def packed(rows: Numbers, bits: int) -> bytes:
    """Return rows of numbers, (rows, numbers), with `bits` each and the high bit first, every row padded to bytes."""
    places = np.arange(bits - 1, -1, -1, dtype=np.uint64)
    spread = (rows.astype(np.uint64)[..., None] >> places) & np.uint64(1)
    return np.packbits(spread.astype(np.uint8).reshape(len(rows), -1), axis=1).tobytes()


def cut(data: bytes, chance: Chance) -> bytes:
    """Return the beginning of a file."""
    return data[: chance.randrange(len(data))]


# PNG.

PNG_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_pixels(samples: Numbers, bits: int, interlaced: bool, chance: Chance) -> bytes:
    """Return the filtered rows of samples (h, w, channels), in Adam7's seven passes or one."""
    passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    step = max(1, samples.shape[2] * bits // 8)
    out = bytearray()
    for one in passes:
        if one.size:
            lines = np.frombuffer(packed(one.reshape(len(one), -1), bits), np.uint8).reshape(len(one), -1)
            above = np.vstack([np.zeros_like(lines[:1]), lines[:-1]])
            left = np.hstack([np.zeros((len(lines), step), np.uint8), lines])[:, : lines.shape[1]]
            for row in range(len(lines)):
                kind = chance.choice([0, 0, 1, 2])
                filtered = lines[row] - (0, left[row], above[row])[kind]
                out += bytes([kind]) + filtered.astype(np.uint8).tobytes()
    return bytes(out)


def png_extra(colour: int, bits: int, height: int, width: int, chance: Chance) -> tuple[bytes, bytes]:
    """Return a chunk beside the pixels that leaves the numbers what they are."""
    most, channels = (1 << bits) - 1, PNG_CHANNELS[colour]
    depth = 8 if colour == 3 else bits
    frame = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, chance.randrange(3), chance.randrange(2))
    profile = b"x\0\0" + zlib.compress(bytes(chance.choice([0, 20, 128, 3000])))
    exif = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 274, 3, 1, chance.randrange(10)) + bytes(4)
    return chance.choice(
        [
            (b"gAMA", struct.pack(">I", chance.choice([0, 1, 45455, 100000, 220000, 2**31 - 1, 2**32 - 1]))),
            (b"sRGB", bytes([chance.randrange(5)])),
            (b"iCCP", profile),
            (b"cICP", bytes([chance.randrange(20) for _ in range(4)])),
            (b"sBIT", bytes([chance.randrange(depth + 2)] * (3 if colour == 3 else channels))),
            (b"tRNS", b"".join(struct.pack(">H", chance.randrange(most + 1)) for _ in range(channels))),
            (b"tRNS", bytes(chance.randrange(256) for _ in range(chance.choice([1, 5, 256])))),
            (b"bKGD", struct.pack(">H", 1) * (3 if colour & 2 else 1)),
            (b"acTL", struct.pack(">II", chance.choice([0, 1, 1, 1, 2, 2**31]), 0)),
            (b"fcTL", frame),
            (b"eXIf", exif),
            (b"cHRM", struct.pack(">8I", *[chance.choice([0, 31270, 2**32 - 1]) for _ in range(8)])),
            (b"pHYs", struct.pack(">IIB", 2, 1, 1)),
            (b"tEXt", b"Comment\0" + b"x" * chance.choice([0, 9, 10**5])),
            (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(chance.choice([9, 10**6])))),
            (b"hIST", bytes(2 * chance.choice([1, 256]))),
            (b"mDCV", bytes(24)),
            (b"quIt", b"unknown and ancillary"),
        ]
    )


def png(chance: Chance) -> Made:
    """Return a PNG of any colour type and number of bits."""
    said = []
    colour = chance.choice([0, 0, 0, 2, 3, 4, 6])
    bits = chance.choice(PNG_BITS[colour])
    height, width = size(chance)
    rng, most = drawn(chance), (1 << bits) - 1
    samples = rng.integers(0, most + 1, (height, width, PNG_CHANNELS[colour]))
    alike = often(chance, 0.6)
    if colour in (2, 6) and alike:
        samples[..., 1:3] = samples[..., :1]
    if colour in (4, 6) and often(chance, 0.4):
        samples[..., -1] = most
    interlaced = often(chance, 0.4)
    palette = (
        np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1) if alike else rng.integers(0, 256, (256, 3))
    )
    palette = palette[: most + 1].astype(np.uint8)
    header = [width, height, bits, colour, 0, 0, int(interlaced)]
    said.append(f"colour {colour}, {bits} bits, {height}x{width}, interlaced {interlaced}, alike {alike}")

    refused, known = False, None
    if bits >= 8 and (alike or colour in (0, 4)):
        known = samples[..., 0]
    elif colour == 3 or colour in (2, 6):
        distinct = samples[..., :3].min(axis=2) != samples[..., :3].max(axis=2)
        refused = not alike if colour == 3 else bool(distinct.any())
    grey = samples[..., :1] * 255 // most if bits <= 8 else samples[..., :1] >> 8
    colours = samples[..., :3] if bits == 8 else samples[..., :3] >> 8
    picture = palette[samples[..., 0]] if colour == 3 else colours if colour in (2, 6) else grey.repeat(3, 2)

    pixels = png_pixels(samples, bits, interlaced, chance)
    stream = zlib.compress(pixels, chance.choice([0, 1, 9]))
    chunks: list[tuple[bytes, bytes]] = [(b"PLTE", palette.tobytes())] if colour == 3 else []
    for _ in range(chance.choice([0, 0, 1, 2, 4])):
        chunks.insert(chance.choice([0, len(chunks)]), png_extra(colour, bits, height, width, chance))
    pieces = [stream]
    if often(chance, 0.3):
        at = sorted(chance.randrange(len(stream) + 1) for _ in range(3))
        pieces = [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True)]
    body = [(b"IDAT", piece) for piece in pieces]

    lie = chance.randrange(24)
    if lie == 0:  # a header about other pixels
        place = chance.randrange(7)
        header[place] = chance.choice(
            [0, 1, 2, 3, 4, 5, 8, 16, 64, 255, *([2**31 - 1, 70000] if place < 2 else [])]
        )
        known = picture = None
        refused = False
    elif lie == 1:
        body = [(b"IDAT", zlib.compress(pixels[: chance.randrange(len(pixels))]))]
    elif lie == 2:
        body = [(b"IDAT", cut(stream, chance))]
    elif lie == 3:
        body.insert(1, png_extra(colour, bits, height, width, chance))
    elif lie == 4:
        body = []
    elif lie == 5 and colour == 3:
        keep = chance.randrange(4) * 3
        chunks = [(kind, content[:keep] if kind == b"PLTE" else content) for kind, content in chunks]
        known = picture = None
    elif lie == 6:
        chunks.append((b"quIT", b"unknown and critical"))
    elif lie == 7:
        body[0] = (b"IDAT", stream[:-4] + bytes(4))
    if lie < 8:
        said.append(f"lie {lie}")
    whole = [(b"IHDR", struct.pack(">IIBBBBB", *header)), *chunks, *body, (b"IEND", b"")]
    said.append(" ".join(kind.decode() for kind, _ in whole))
    if lie == 8:
        whole.pop()
    if lie == 9 and len(whole) > 2:
        whole.insert(1, whole.pop(chance.randrange(1, len(whole))))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, content) for kind, content in whole)
    if lie == 10:
        data += data
    elif lie == 11:
        at = data.index(b"IDAT") if b"IDAT" in data else 33
        at += 4 + chance.randrange(max(1, len(stream) // 2))
        data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    elif lie == 12:
        data = cut(data, chance)
    return Made("a.png", data, known, picture, refused, what="; ".join([*said, f"{lie}"]))


# TIFF.

TIFF_TYPES = {1: "B", 3: "H", 4: "I", 5: "I", 11: "f", 12: "d", 16: "Q"}
PACKBITS, LZW, DEFLATE, OLD_DEFLATE = 32773, 5, 8, 32946


def packbits(data: bytes) -> bytes:
    """Return data in PackBits, by literal runs alone."""
    runs = [data[at : at + 128] for at in range(0, len(data), 128)]
    return b"".join(bytes([len(run) - 1]) + run for run in runs)


def lzw(data: bytes) -> bytes:
    """Return data in TIFF's LZW with a cleared table before it grows: codes of 9 bits all along."""
    codes = []
    for at in range(0, len(data), 200):
        codes += [256, *data[at : at + 200]]
    return packed(np.array([[*codes, 257]]), 9)


def tiff_segments(
    samples: Numbers,
    bits: int,
    order: str,
    planar: bool,
    shape: tuple[int, int] | None,
    rows: int,
    predictor: int,
) -> list[bytes]:
    """Return the strips of `rows` rows, or the tiles of `shape`, of samples (h, w, c), before compression."""
    planes = np.moveaxis(samples, 2, 0)[..., None] if planar else samples[None]
    height, width = samples.shape[:2]
    out = []
    for plane in planes:
        v, u = shape or (rows, width)
        for y in range(0, height, v):
            for x in range(0, width, u):
                piece = plane[y : y + v, x : x + u]
                if shape:
                    short = (v - piece.shape[0], u - piece.shape[1])
                    piece = np.pad(piece, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge")
                out.append(tiff_rows(piece, bits, order, predictor))
    return out


def tiff_rows(piece: Numbers, bits: int, order: str, predictor: int) -> bytes:
    """Return the bytes of a piece (h, w, c) of bit patterns, differences or bytes apart as the predictor says."""
    step = piece.shape[2]
    if predictor == 2:
        before = np.concatenate([np.zeros_like(piece[:, :1]), piece[:, :-1]], axis=1)
        piece = (piece - before) & np.uint64((1 << bits) - 1)
    flat = piece.reshape(len(piece), -1)
    if bits not in (8, 16, 32, 64):
        return packed(flat, bits)
    if predictor == 3:
        apart = flat.astype(f">u{bits // 8}").view(np.uint8).reshape(*flat.shape, -1)
        apart = apart.transpose(0, 2, 1).reshape(len(flat), -1)
        before = np.hstack([np.zeros((len(flat), step), np.uint8), apart[:, :-step]])
        return (apart - before).astype(np.uint8).tobytes()
    return flat.astype(f"{order}u{bits // 8}").tobytes()


def tiff_file(
    pages: list[tuple[dict[int, tuple[int, Any]], list[bytes]]], order: str, big: bool, loop: bool
) -> bytes:
    """Return a TIFF of pages: tags {number: (type, values)}, and the strips or tiles whose offsets are filled in.

    An offsets tag's values are changes of the true ones. `loop`: the last directory names the first as the next one.
    """
    word, count = ("Q", "Q") if big else ("I", "H")
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    out = bytearray(header + (struct.pack(f"{order}HHQ", 8, 0, 0) if big else bytes(4)))
    link, first = (8, 0) if big else (4, 0)
    for tags, segments in pages:
        places = []
        for segment in segments:
            places.append(len(out))
            out += segment + bytes(len(segment) % 2)
        entries = []
        for tag, (kind, values) in tags.items():
            if tag in (273, 324):
                values = [(place + change) % 2**32 for place, change in zip(places, values, strict=True)]
            if isinstance(values, bytes):
                content, number = values, len(values)
            else:
                content = struct.pack(f"{order}{len(values)}{TIFF_TYPES[kind]}", *values)
                number = len(values) // (2 if kind == 5 else 1)
            room = 8 if big else 4
            if len(content) > room:
                place = len(out)
                out += content + bytes(len(content) % 2)
                content = struct.pack(f"{order}{word}", place)
            entries.append(struct.pack(f"{order}HH{word}", tag, kind, number) + content.ljust(room, b"\0"))
        here = len(out)
        first = first or here
        out[link : link + (8 if big else 4)] = struct.pack(f"{order}{word}", here)
        out += struct.pack(f"{order}{count}", len(entries)) + b"".join(entries)
        link = len(out)
        out += bytes(8 if big else 4)
    if loop:
        out[link : link + (8 if big else 4)] = struct.pack(f"{order}{word}", first)
    return bytes(out)


def tiff(chance: Chance) -> Made:
    """Return a TIFF: a depth map of one or more equal channels, or a picture."""
    height, width = size(chance)
    channels = chance.choice([1, 1, 1, 1, 2, 3, 4])
    style = chance.choice([1, 1, 1, 2, 3, 3, 4, 5, 6])
    bits = chance.choice(
        {3: [16, 32, 32, 64, 24], 5: [32], 6: [64]}.get(style, [8, 8, 16, 16, 16, 32, 64, 1, 4, 12])
    )
    rng = drawn(chance)
    plain: Numbers
    if style in (3, 6) and bits in (16, 32, 64) and style == 3:
        plain = (rng.integers(1, 2000, (height, width, channels)) / 8).astype(f"f{bits // 8}")
        samples = plain.view(f"u{bits // 8}").astype(np.uint64)
    else:
        samples = rng.integers(0, 1 << min(bits, 24), (height, width, channels)).astype(np.uint64)
        plain = samples.astype(np.int64)
        if style == 2 and bits in (8, 16, 32, 64):
            plain = samples.astype(f"u{bits // 8}").view(f"i{bits // 8}")
    alike = often(chance, 0.7)
    if alike:
        samples[..., 1:] = samples[..., :1]
    order, big, planar = chance.choice("<>"), often(chance, 0.2), often(chance, 0.3)
    shape = chance.choice([(16, 16), (32, 16), (48, 64)]) if often(chance, 0.3) else None
    rows = chance.choice([1, 3, height, height, height])
    compression = chance.choice([1, 1, PACKBITS, LZW, DEFLATE, OLD_DEFLATE])
    predictor = 1
    if compression in (LZW, DEFLATE, OLD_DEFLATE) and bits in (8, 16, 32, 64):
        predictor = chance.choice([1, 2, 3] if style == 3 else [1, 2])
    segments = tiff_segments(samples, bits, order, planar, shape, rows, predictor)
    squeeze: Mapping[int, Callable[[bytes], bytes]] = {PACKBITS: packbits, LZW: lzw, 1: bytes}
    segments = [squeeze.get(compression, zlib.compress)(segment) for segment in segments]
    photometric = 2 if channels >= 3 else 1
    number = chance.choice([3, 4])
    tags: dict[int, tuple[int, Any]] = {
        256: (number, [width]),
        257: (number, [height]),
        258: (3, [bits] * channels),
        259: (3, [compression]),
        262: (3, [photometric]),
        277: (3, [channels]),
        284: (3, [2 if planar else 1]),
        339: (3, [style] * channels),
    }
    counts = [len(segment) for segment in segments]
    if shape:
        tags |= {322: (3, [shape[1]]), 323: (3, [shape[0]]), 324: (4, [0] * len(counts)), 325: (4, counts)}
    else:
        tags |= {273: (4, [0] * len(counts)), 278: (number, [rows]), 279: (4, counts)}
    if predictor > 1:
        tags[317] = (3, [predictor])
    if channels in (2, 4):
        tags[338] = (3, [chance.choice([0, 0, 1, 2])])
    refused = channels > 2 and not bool((samples[..., :3] == samples[..., :1]).all())
    known = None if refused or style in (4, 5, 6) or bits not in (8, 16, 32, 64) else plain[..., 0]
    picture = None
    if bits in (8, 16) and style == 1 and channels in (1, 3):
        picture = (
            (samples >> np.uint64(bits - 8)).astype(np.uint8).repeat(4 - channels if channels == 1 else 1, 2)
        )
    said = [
        f"{height}x{width}x{channels}, style {style}, {bits} bits, alike {alike}, order {order}, big {big}, planar "
        f"{planar}, tiles {shape}, rows {rows}, compression {compression}, predictor {predictor}"
    ]
    extra: dict[int, tuple[int, Any]] = {}
    loop = False
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        lie = chance.randrange(22)
        said.append(f"lie {lie}")
        if lie == 0:  # what has a default, left out
            tag = chance.choice(
                [259, 262, 278, 284, *([277] if channels == 1 else []), *([339] if style == 1 else [])]
            )
            if (
                tags.pop(tag, None)
                and tag in (259, 278, 284)
                and (compression != 1 or rows < height or planar)
            ):
                known = picture = None
        elif lie == 1:
            extra[270] = (2, b"a depth\0")
            extra[282] = (5, [72, 1])
        elif lie == 2:  # turned
            turned = chance.choice([0, 1, 2, 6, 8, 9])
            extra[274] = (3, [turned])
            if turned != 1:
                picture = None
        elif lie == 3:
            extra[280] = (3, [0] * channels)
            extra[281] = (3, [chance.choice([1, 255, 65535])] * channels)
        elif lie == 4:
            extra[42113] = (2, chance.choice([b"0\0", b"nan\0", b"-9999\0", b"1e999\0", b"x\0", b""]))
        elif lie == 5:
            extra[254] = (4, [chance.randrange(8)])
        elif lie == 6:  # numbers about the numbers
            tag = chance.choice([256, 257, 258, 259, 277, 284, 317, 339, 278, 322, 323])
            value = chance.choice([0, 1, 2, 3, 5, 7, 8, 12, 16, 24, 32, 64, 255, 65535, 34925, 50000, 34712])
            tags[tag] = (3, [value] * (channels if tag in (258, 339) else 1))
            known = picture = None
            refused = False
        elif lie == 7:
            value = chance.choice([0, 2, 3, 4, 5, 6, 8, 32803, 32844, 34892, 77])
            tags[262] = (3, [value])
            picture = None
            if value in (0, 3, 4, 5, 6, 8, 32803, 32844):
                known, refused = None, True
            if value == 3:
                tags[320] = (3, list(range(3 * (1 << min(bits, 8)))))
        elif lie in (8, 9):  # sizes that lie; where the pixels lie, the file says rightly
            tag = 325 if shape else 279
            value = chance.choice([0, 1, len(segments[0]) // 2, counts[0] + 7, 2**31, 2**32 - 1])
            if lie == 8:
                tags[tag] = (4, [value] * len(counts))
            else:
                tags.pop(tag, None)
        elif lie == 10:  # places that lie
            tag = 324 if shape else 273
            tags[tag] = (4, [chance.choice([0, 1, -1, 8, 2**31, 10**6]) for _ in counts])
            known = picture = None
            refused = False
        elif lie == 11:  # fewer places than pieces
            if len(counts) < 2:
                continue
            segments, counts = segments[:-1], counts[:-1]
            tags[324 if shape else 273] = (4, [0] * len(counts))
            tags[325 if shape else 279] = (4, counts)
        elif lie == 12:
            loop = True
        elif lie == 13:  # a piece that ends early
            at = chance.randrange(len(segments)) if segments else 0
            if segments and len(counts) > at and len(segments[at]) > 1:
                segments[at] = segments[at][: len(segments[at]) // 2]
                counts[at] = len(segments[at])
                tags[325 if shape else 279] = (4, counts)
        elif lie == 14 and 266 not in extra:
            extra[266] = (3, [2])
            turned_bits = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
            segments = [segment.translate(turned_bits) for segment in segments]
        elif lie == 15:
            extra[330] = (4, [chance.choice([0, 8, 10**9])])
        elif lie == 16:
            extra[34665] = (4, [chance.choice([0, 8, 10**9])])
    said.append(f"segments {len(segments)}")
    tags = dict(sorted({**tags, **extra}.items()))
    if often(chance, 0.05):
        tags = dict(sorted(tags.items(), key=lambda _: chance.random()))
    pages = [(tags, segments)]
    if often(chance, 0.1):
        kind = chance.choice([0, 1, 2, 4])
        pages.append(({**tags, 254: (4, [kind])}, segments))
        said.append(f"a page of kind {kind}")
        refused |= kind != 1 and 254 not in extra and known is not None
        known, picture = (None, None) if kind != 1 else (known, picture)
    data = tiff_file(pages, order, big, loop)
    if often(chance, 0.05):
        data = cut(data, chance)
        refused &= len(pages) == 1  # the page that is left may be whole
        said.append("cut")
    return Made(chance.choice(["a.tif", "a.tiff"]), data, known, picture, refused, what="; ".join(said))


# EXR.


def exr(chance: Chance) -> Made:
    """Return an EXR: channels, windows, parts, tiles, deep pixels; attributes that lie."""
    import OpenEXR

    rng = drawn(chance)
    height, width = size(chance)
    kind = chance.choice([np.float16, np.float32, np.float32, np.uint32])
    depth = rng.integers(1, 1900, (height, width)).astype(kind)
    if kind != np.uint32:
        depth /= kind(8)
        if often(chance, 0.1):
            depth[0, 0] = chance.choice([np.nan, np.inf, -np.inf, -1])
    other = np.where(depth == 3, depth + kind(1), kind(3))
    flat = np.ones_like(depth)
    layouts: list[tuple[dict[str, Numbers], bool]] = [
        ({"Z": depth}, True), ({"Y": depth}, True), ({"D": depth}, True), ({"V": depth}, True),
        ({"R": depth, "G": depth, "B": depth}, True), ({"R": depth, "G": depth, "B": depth, "A": flat}, True),
        ({"R": other, "G": depth, "B": depth}, False), ({"Z": depth, "R": other, "G": other, "B": other}, True),
        ({"left.Z": depth, "right.Z": depth}, True), ({"left.Z": depth, "right.Z": other}, False),
        ({"R": other, "D": depth}, False), ({"Depth": depth, "A": flat}, True), ({"A": depth}, True),
        ({"Z": depth, "ZBack": other}, True), ({"Z": depth, "z": other}, False),
        ({"Z": depth, "R": other.astype(np.float16), "id": flat.astype(np.uint32)}, True),
    ]  # fmt: skip
    channels, plain = chance.choice(layouts)
    header: dict[str, Any] = {"type": OpenEXR.scanlineimage}
    lossless = ["NO", "RLE", "ZIPS", "ZIP", "PIZ"]
    compression = chance.choice([*lossless, *lossless, "PXR24", "B44", "B44A", "DWAA", "DWAB"])
    header["compression"] = getattr(OpenEXR, f"{compression}_COMPRESSION")
    header["lineOrder"] = chance.choice([OpenEXR.INCREASING_Y, OpenEXR.INCREASING_Y, OpenEXR.DECREASING_Y])
    known = depth if plain and compression in lossless else None
    refused = not plain
    what = f"{height}x{width}, {sorted(channels)}, {np.dtype(kind)}, {compression}"
    form = chance.randrange(12)
    given: dict[str, Any] = dict(channels)
    if form == 0:
        tiles = OpenEXR.TileDescription()
        tiles.xSize = tiles.ySize = chance.choice([1, 8, 64])
        header |= {"type": OpenEXR.tiledimage, "tiles": tiles}
    elif form == 1:
        low = chance.choice([-5, 0, 3])
        window = (np.array([low, low], np.int32), np.array([low + width - 1, low + height - 1], np.int32))
        header |= {"dataWindow": window, "displayWindow": window}
    elif form == 2:
        more = chance.choice([1, 9, -1 if width > 1 else 2])
        header["displayWindow"] = (
            np.array([0, 0], np.int32),
            np.array([width - 1 + more, height - 1], np.int32),
        )
        refused, known = True, None
    elif form == 3:
        pixels = np.empty((height, width), object)
        for place in np.ndindex(height, width):
            pixels[place] = np.full(chance.randrange(3), 2, np.float32)
        given = {"Z": pixels}
        header |= {"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION}
        refused, known = True, None
    elif form == 4 and height % 2 == 0 and width % 2 == 0:
        half = np.ascontiguousarray(depth[::2, ::2])
        given = {name: OpenEXR.Channel(half, 2, 2) for name in channels}
        refused, known = True, None
    what += f", form {form}"
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.exr"
        if form == 5:
            parts = [OpenEXR.Part({**header, "name": name}, dict(channels)) for name in "ab"]
            refused, known = True, None
            with OpenEXR.File(parts) as file:
                file.write(path)
        else:
            with OpenEXR.File(header, given) as file:
                file.write(path)
        data = bytearray(Path(path).read_bytes())
    lie = chance.randrange(20)
    what += f", lie {lie}"
    if lie < 5:  # an attribute's value
        name, room = chance.choice(
            [("dataWindow", 16), ("displayWindow", 16), ("compression", 1), ("lineOrder", 1), ("channels", 40),
             ("pixelAspectRatio", 4), ("type", 12)]
        )  # fmt: skip
        at = data.find(name.encode() + b"\0")
        at = data.index(b"\0", at + len(name) + 1) + 1  # behind the type's name: the size, then the value
        place = at + 4 + chance.randrange(room)
        if name.endswith("Window"):
            place = at + 4 + 4 * chance.randrange(4)
            data[place : place + 4] = struct.pack(
                "<i", chance.choice([0, -1, 1, 40, 60000, 2**31 - 1, -(2**31)])
            )
        else:
            data[place] = chance.choice([0, 1, 2, 3, 4, 9, 255])
        refused, known = False, None
        what += f" in {name}"
    elif lie == 5:  # no table of places: readers make it anew
        at = data.index(b"\0\0", data.index(b"screenWindowWidth")) + 1
        data[at + 1 : at + 1 + 8 * min(height, 4)] = bytes(8 * min(height, 4))
        known = None
    elif lie == 6:
        data = bytearray(cut(bytes(data), chance))
    elif lie == 7:
        data[5] = chance.choice([2, 4, 8, 16, 0x1A])
        known, refused = None, False
    elif lie == 8:
        del data[-1 - chance.randrange(min(40, len(data) - 1)) :]
    return Made("a.exr", bytes(data), known, None, refused, what=what)


# NPY.


def npy(chance: Chance) -> Made:
    """Return an NPY file: any type, order and version; headers that lie."""
    rng = drawn(chance)
    shape: tuple[int, ...] = size(chance)
    kind = chance.choice(
        ["<f4", ">f4", "<f8", ">f8", "<f2", ">f2", "<u2", ">u2", "|u1", "|i1", "<i4", ">i8", "<u8", "<u4"]
    )
    depth = rng.integers(1, 120, shape).astype(kind)
    if chance.random() < 0.1 and kind[1] == "f":
        depth[0, 0] = np.nan
    columns = often(chance, 0.3)
    known: Any = depth
    refused = False
    content = depth.tobytes(order="F" if columns else "C")
    said: Any = kind
    if often(chance, 0.1):
        shape = chance.choice([(*shape, 1), (1, *shape) if shape[1] > 1 else shape])
    lie = chance.randrange(14)
    if lie == 0:
        said = chance.choice(
            ["|O", "<c8", "<c16", "|b1", "<M8[s]", "<m8[ms]", "|S4", "<U1", "|V4", "<f16", "(2,)<f2", "|x9", "", 4,
             [("z", "<f4")], [("z", "<f2"), ("w", "<f2")], "<f4,<f4", None, "<f3", ">f4 ", "=f4", "f", "float32"]
        )  # fmt: skip
        known = None
    elif lie == 1:
        shape = chance.choice(
            [(), (0,), (0, 0), shape[:1], (shape[0] + 1, *shape[1:]), (10**9, 10**9), (2**62, 4), (-1, 5), (2.5, 2),
             ("a", 2), (True, True), (10**30, 0), (2, 3, 4, 5), (30000, 30000)]
        )  # fmt: skip
        known = None
    elif lie == 2:  # fewer numbers than there are
        shape, known, refused = (max(1, shape[0] - 1), *shape[1:]), None, shape[0] > 1
    elif lie == 3:
        content += chance.choice([b"\0", content, b"\x93NUMPY"])
        known, refused = None, True
    elif lie == 4:
        content, known, refused = cut(content, chance), None, True
    text = repr({"descr": said, "fortran_order": columns, "shape": shape})
    if lie == 5:
        text = chance.choice(
            ["{}", "[" * 300, "{'descr': '<f4'}", text[:-1] + ", 'more': 1}", text.replace("False", "0"), "1",
             text.replace("'shape'", "'shape', 'shape'"), "__import__('os')", "{" * 3000, text + " # x"]
        )  # fmt: skip
        known = None
    version = chance.choice([(1, 0), (1, 0), (2, 0), (3, 0)])
    length = len(text) + 1
    if lie == 6:
        length = chance.choice([0, 3, length - 1, length + 9, 65535])
        known = None
    header = text.encode() + b"\n"
    if often(chance, 0.5):
        fill = -(len(header) + 10) % 64
        header, length = header[:-1] + b" " * fill + b"\n", length + fill
    if lie == 7:
        version, known = chance.choice([(0, 0), (4, 0), (1, 9), (255, 255)]), None
    start = b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version[0] == 1 else "<I", length % 65536)
    what = f"{said}, {shape}, columns {columns}, version {version}, lie {lie}"
    return Made("a.npy", start + header + content, known, None, refused, what=what)


# safetensors.

# Types of the format and how NumPy stores them; BF16 is the upper half of a float.
TENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bf16", "I64": "<i8", "I32": "<i4", "U8": "|u1"}


def tensor_bytes(values: Numbers, kind: str) -> bytes:
    """Return numbers as safetensors stores them."""
    if kind == "BF16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype(TENSORS[kind]).tobytes()


def safetensors(chance: Chance) -> Made:
    """Return a checkpoint for `conv.weight` (2, 3) and `conv.bias` (2); `known` holds both by name."""
    rng = drawn(chance)
    tensors = {"conv.weight": rng.integers(0, 99, (2, 3)), "conv.bias": rng.integers(0, 99, 2)}
    entries: list[tuple[str, Any]] = []
    content = b""
    for name, values in tensors.items():
        kind = chance.choice(["F32", "F32", "F64", "F16", "BF16", "I64", "U8"])
        data = tensor_bytes(values, kind)
        place = [len(content), len(content) + len(data)]
        entries.append((name, {"dtype": kind, "shape": list(values.shape), "data_offsets": place}))
        content += data
    known: Any = tensors
    entry = chance.choice(entries)[1]
    lie = chance.randrange(16)
    if lie == 0:
        entry["dtype"] = chance.choice(
            ["F8_E4M3", "F8_E5M2", "C64", "BOOL", "F4", "I16", "U64", "x", None, "f32", 1]
        )
        known = None
    elif lie == 1:
        entry["shape"] = chance.choice(
            [
                [],
                [2, -3],
                [3, 2],
                [6],
                [2, 3, 1],
                [2**63],
                [10**30],
                None,
                "2",
                [2.0, 3.0],
                [2**32, 2**32],
                [0],
                [1, 2],
            ]
        )
        known = None
    elif lie == 2:
        low, high = entry["data_offsets"]
        entry["data_offsets"] = chance.choice(
            [[low + 1, high + 1], [high, low], [low, high + 8], [0, 0], [-1, high], [2**63, 2**64], [low], None,
             [low, 10**18], ["0", "24"], [low + 0.5, high]]
        )  # fmt: skip
        known = None
    elif lie == 3:  # one name twice: the reader sees one of them
        name, first = chance.choice(entries)
        entries.append((name, {**first, **chance.choice([{}, {"dtype": "U8"}, {"data_offsets": [0, 8]}])}))
    elif lie == 4:
        content += bytes(chance.choice([1, 8]))
    elif lie == 5:
        content = cut(content, chance)
    elif lie == 6:
        entries.append(("__metadata__", chance.choice([{"a": "b"}, {"a": 1}, [], None, {"a": {"b": 1}}])))
    elif lie == 7:  # tensors that share their bytes
        entries.append(("more", {**entry}))
    elif lie == 8:
        entries.append(
            (
                chance.choice(["", "conv", "x" * 10**5, "\ud800", "a\nb"]),
                {**entry, "shape": [0], "data_offsets": [0, 0]},
            )
        )
    text = "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in entries) + "}"
    if lie == 9:
        text = chance.choice(
            ["", "{}", "[]", "null", "[" * 10**5, '{"a":' * 500, text + "x", text[:-1], text + " " * 99]
        )
        known = known if text.endswith(" ") else None
    length = len(text.encode())
    if lie == 10:
        length, known = chance.choice([0, 1, length - 1, length + 1, 2**40, 2**63, 2**64 - 1, 10**8]), None
    data = struct.pack("<Q", length) + text.encode() + content
    if lie == 11:
        data = cut(data, chance)
    return Made("a.safetensors", data, known, what=f"lie {lie}, {text[:300]}")


# ONNX.


def onnx(chance: Chance) -> Made:
    """Return an exported network that gives the frame's red (`known` is "red"), or one that does not."""
    from onnx import TensorProto, helper, numpy_helper

    number = {
        "f": TensorProto.FLOAT, "h": TensorProto.FLOAT16, "d": TensorProto.DOUBLE, "b": TensorProto.UINT8,
        "i": TensorProto.INT64, "s": TensorProto.STRING, "?": TensorProto.BOOL, "8": TensorProto.INT8,
    }  # fmt: skip
    known: Any = "red"
    refused = False
    others: dict[str, bytes] = {}
    weights = np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1)
    red = numpy_helper.from_array(weights, "red")
    kind = "f"
    nodes = [helper.make_node("Conv", ["image", "red"], ["depth"])]
    shape: Any = chance.choice(
        [["n", 3, "h", "w"], [None, 3, None, None], [1, 3, 16, 24], [2, 3, 16, 24], ["n", "c", "h", "w"],
         [3, 3, "h", "w"], ["n", 3, 16, "w"]]
    )  # fmt: skip
    out_kind, out_shape = "f", ["n", 1, "h", "w"]
    inputs, outputs = [], ["depth"]
    tensors = [red]
    opset, version = 17, 9
    lie = chance.randrange(26)
    what = f"lie {lie}, {shape}"
    domain = ""
    if lie == 0:
        kind = chance.choice("hdbis?8")
        known = None
    elif lie == 1:
        shape = chance.choice(
            [None, [], [3], [3, "h", "w"], ["n", 1, "h", "w"], ["n", "h", "w", 3], [0, 3, 16, 24], [-1, 3, -1, -1],
             ["n", 3, "h", "w", 1], ["n", 3, 10**9, 10**9], ["n", 3, "h", "h"], ["n", 3, 0, 0], ["n", 3, 7, 5]]
        )  # fmt: skip
        known = known if shape and shape in (["n", 3, "h", "h"],) else None
    elif lie == 2:  # a second thing to be given
        inputs = [
            helper.make_tensor_value_info(
                "more", number[chance.choice("fi")], chance.choice([[], [1], ["k"]])
            )
        ]
        if often(chance, 0.5):
            nodes.append(helper.make_node("Identity", ["more"], ["else"]))
        refused, known = True, None
    elif lie == 3:  # what comes behind the depth
        after = chance.choice(
            [("Shape", {}), ("Squeeze", {}), ("Transpose", {"perm": [0, 2, 3, 1]}),
             ("ReduceMean", {"axes": [0], "keepdims": 1}), ("ReduceMean", {"axes": [0], "keepdims": 0}),
             ("Flatten", {}), ("Size", {}), ("Cast", {"to": number["i"]}),
             ("Cast", {"to": number["s"]}), ("Cast", {"to": number["d"]}), ("Cast", {"to": number["?"]}),
             ("SequenceConstruct", {}), ("NonZero", {}), ("ReduceMax", {"keepdims": 0}), ("Cast", {"to": number["h"]})]
        )  # fmt: skip
        nodes.append(helper.make_node(after[0], ["depth"], ["last"], **after[1]))
        outputs, known = ["last"], None
        out_kind = ""
        what += f" {after}"
        refused = after[0] in ("Shape", "ReduceMax", "Flatten", "Size", "SequenceConstruct", "NonZero")
    elif lie == 4:  # more maps or fewer than frames
        nodes.append(
            helper.make_node("Concat", ["depth", "depth"], ["last"], axis=chance.choice([0, 1, 2, 3]))
        )
        outputs, out_kind, known = ["last"], "", None
    elif lie == 5:
        opset = chance.choice([0, -1, 1, 7, 25, 999, 2**40])
        known = None
    elif lie == 6:
        version, known = chance.choice([0, 1, 3, 99, 2**40]), None
    elif lie == 7:
        domain, known = chance.choice(["com.microsoft", "unknown", "ai.onnx.ml"]), None
    elif lie == 8:
        nodes = [helper.make_node(chance.choice(["Unknown", "If", "Loop", "Conv"]), ["image"], ["depth"])]
        known = None
    elif lie == 9:  # a circle
        nodes = [
            helper.make_node("Add", ["image", "b"], ["a"]),
            helper.make_node("Add", ["a", "a"], ["b"]),
            *nodes,
        ]
        refused, known = True, None
    elif lie == 10:
        nodes, known = (
            chance.choice([[], nodes * 2, [helper.make_node("Conv", ["nowhere", "red"], ["depth"])]]),
            None,
        )
    elif lie == 11:
        outputs, known = (
            chance.choice([[], ["image"], ["nowhere"], ["depth", "depth"], ["depth", "red"], ["red"]]),
            None,
        )
    elif lie == 12:
        red.dims[:] = chance.choice(
            [[1, 3, 1], [1, 3, 1, 2], [3, 1, 1, 1], [-1, 3, 1, 1], [2**40, 3, 1, 1], []]
        )
        known = None
    elif lie == 13:
        red.data_type, known = chance.choice([0, 2, 6, 7, 8, 10, 11, 16, 17, 99]), None
    elif lie in (14, 15, 16, 17):  # weights that lie elsewhere
        where = chance.choice(
            ["red.bin", "sub/red.bin", "../red.bin", "sub/../../red.bin", "/etc/hostname", "", "x" * 300,
             "red.bin", "./red.bin", "none.bin", "a\0b", "/dev/zero"]
        )  # fmt: skip
        place = {"location": where, "offset": chance.choice([None, None, "0", "4096", "-1", "x", str(2**62)]),
                 "length": chance.choice([None, None, "12", "8", "0", str(2**62), "x"])}  # fmt: skip
        red.ClearField("raw_data")
        red.data_location = TensorProto.EXTERNAL
        for key, value in place.items():
            if value is not None:
                red.external_data.add(key=key, value=value)
        inside = where.removeprefix("./") in ("red.bin", "sub/red.bin")
        if where.endswith("red.bin"):
            others[where.replace("sub/../../", "../")] = weights.tobytes()
        refused = not inside
        known = "red" if inside else None
        what += f" {place}"
    elif lie == 18:
        tensors.append(numpy_helper.from_array(weights * 2, "red"))
        known = None
    elif lie == 19:
        kind, out_kind = "h", "h"
        tensors = [numpy_helper.from_array(weights.astype(np.float16), "red")]
    elif lie == 20:  # numbers that are none
        tensors = [
            numpy_helper.from_array(weights * np.float32(chance.choice([np.nan, np.inf, 1e38])), "red")
        ]
        known = None
    elif lie == 21:
        out_shape = chance.choice([["n", 1, 1, 1], [], [7], ["n", "h", "w"]])
        known = None
    image = helper.make_tensor_value_info("image", number[kind], shape)
    if lie == 22:
        image = helper.make_tensor_sequence_value_info("image", number["f"], shape)
        refused, known = True, None
    last = [
        helper.make_tensor_value_info(name, number[out_kind], out_shape)
        if out_kind
        else helper.ValueInfoProto(name=name)
        for name in outputs
    ]
    graph = helper.make_graph(nodes, "red", [image, *inputs], last, tensors)
    opsets = [helper.make_opsetid(domain, 1 if domain else opset)] if lie != 23 else []
    try:
        model = helper.make_model(graph, opset_imports=opsets, ir_version=version)
        if lie == 23:
            del model.opset_import[:]
            known = None
        data = model.SerializeToString()
    except (ValueError, TypeError):  # more than the format's own writer can say
        data = b""
        known = None
    if lie == 24:
        data, known = cut(data, chance) if data else b"", None
    return Made("net/a.onnx", data, known, refused=refused, others=others, what=what)


# Parquet.


def parquet(chance: Chance) -> Made:
    """Return a table of scores or of fits (`known`) as another writer or another version might have left it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from scopedepth.tables.frames import ALIGNMENTS, SCORES
    from scopedepth.vocabulary.status import STATUSES

    schema, name = chance.choice([(SCORES, "scores.parquet"), (ALIGNMENTS, "fits.parquet")])
    rng, rows = drawn(chance), chance.choice([0, 1, 50])
    columns: dict[str, Any] = {}
    for one in schema:
        if one.name == "status":
            values: Any = [STATUSES[chance.choice([0, 0, 0, 2, 7])] for _ in range(rows)]
        elif one.name in ("sequence", "frame_id"):
            values = [f"{one.name}{row // 20}" for row in range(rows)]
        elif pa.types.is_dictionary(one.type):
            values = [one.name] * rows
        elif pa.types.is_integer(one.type):
            values = list(range(rows))
        else:
            values = [None if often(chance, 0.1) else float(value) for value in rng.random(rows)]
        columns[one.name] = (
            pa.array(values, pa.string()).dictionary_encode().cast(one.type)
            if pa.types.is_dictionary(one.type)
            else pa.array(values, one.type)
        )
    table = pa.table(columns, schema=schema)
    known: Any = table
    at = chance.randrange(len(schema))
    field_ = schema.field(at)
    lie = chance.randrange(18)
    what = f"{name}, {rows} rows, {field_.name}, lie {lie}"
    if lie == 0:
        table, known = table.drop_columns([field_.name]), None
    elif lie == 1:
        table = table.rename_columns([n + ("x" if n == field_.name else "") for n in table.column_names])
        known = None
    elif lie in (2, 3):
        kind = chance.choice(
            [pa.string(), pa.large_string(), pa.int8(), pa.int64(), pa.float32(), pa.float64(), pa.float16(),
             pa.bool_(), pa.binary(), pa.timestamp("us"), pa.decimal128(30, 3), pa.null(), pa.uint64()]
        )  # fmt: skip
        plain = (
            table[field_.name].cast(pa.string())
            if pa.types.is_dictionary(field_.type)
            else table[field_.name]
        )
        try:
            changed = plain.cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            changed = pa.nulls(rows, kind)
        table = table.set_column(at, field_.name, changed)
        what += f" {kind}"
        known = (
            known
            if kind in (pa.string(), pa.large_string()) and pa.types.is_dictionary(field_.type)
            else None
        )
    elif lie == 4:
        table, known = table.set_column(at, field_.name, pa.nulls(rows, field_.type)), None
    elif lie == 5 and rows:
        values = table[field_.name].to_pylist()
        values[chance.randrange(rows)] = None
        table, known = (
            table.set_column(
                at,
                field_.name,
                pa.array(
                    values, schema.field(at).type if not pa.types.is_dictionary(field_.type) else pa.string()
                ),
            ),
            None,
        )
    elif lie == 6:
        table = table.append_column("more", pa.array([[1, 2]] * rows, pa.list_(pa.int8())))
    elif lie == 7:
        table = table.append_column(field_.name, table[field_.name])
        known = None
    elif lie == 8:
        table = table.select(sorted(table.column_names, key=lambda _: chance.random()))
    elif lie == 9 and rows:
        strange = chance.choice(["", "ok ", "unknown", "é", "x" * 10**5])
        index = table.column_names.index("status")
        table, known = table.set_column(index, "status", pa.array([strange] * rows)), None
    elif lie == 10:
        nested = pa.StructArray.from_arrays([pa.array([1.0] * rows)], ["item"])
        table, known = table.set_column(at, field_.name, nested), None
    elif lie == 11 and rows:
        index = table.column_names.index("frame")
        table, known = (
            table.set_column(
                index, "frame", pa.array([chance.choice([-1, 2**31, 2**40])] * rows, pa.int64())
            ),
            None,
        )
    elif lie == 12:
        metadata = {b"ARROW:schema": chance.choice([b"", b"x" * 40]), b"pandas": b"{"}
        table = table.replace_schema_metadata(metadata)
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        compression=chance.choice(["zstd", "snappy", "gzip", "none", "lz4"]),
        row_group_size=chance.choice([1, 7, 1000]),
        use_dictionary=often(chance, 0.5),
        write_statistics=often(chance, 0.5),
        store_schema=often(chance, 0.6),
        version=chance.choice(["1.0", "2.4", "2.6"]),
        data_page_version=chance.choice(["1.0", "2.0"]),
        write_page_checksum=often(chance, 0.5),
    )
    data = bytearray(out.getvalue())
    if lie == 13:  # another schema than the one kept beside it
        kept = data.find(b"ARROW:schema")
        if kept > 0:
            place = kept + 20 + chance.randrange(60)
            data[place] = ord(chance.choice("ABCDwxyz019+/"))
            known = None
    elif lie == 14:  # the length of the footer
        data[-8:-4] = struct.pack("<i", chance.choice([0, 1, -1, len(data), 2**31 - 1, 100]))
        known = None
    elif lie == 15:
        data, known = bytearray(cut(bytes(data), chance)), None
    return Made(name, bytes(data), known, what=what)


FORMATS: dict[str, Callable[[Chance], Made]] = {
    "png": png,
    "tiff": tiff,
    "exr": exr,
    "npy": npy,
    "safetensors": safetensors,
    "onnx": onnx,
    "parquet": parquet,
}
