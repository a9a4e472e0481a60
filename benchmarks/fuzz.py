"""Generated nonsense through everything that reads what others wrote: configurations, options, input files.

    python benchmarks/fuzz.py                                      10,000 of each, 5,000 options, 5,000 structured
    python benchmarks/fuzz.py --configurations 500 --files 0       fewer
    python benchmarks/fuzz.py --only zip --seed 7                  one kind of file

A configuration must end in a plan or in a `ScopeDepthError` of one line, with every path of the plan below results/
and nothing written anywhere. An option's value must be refused in one line, or work on a small network or dataset. A
file must end in data, in a frame marked as unreadable, or in a `ScopeDepthError`. What else comes out is printed with
the number of its case, which makes it again: cases follow from seed and number.

Cases run in a child process, so that a crash of a library is a finding and not the end.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import yaml  # noqa: E402

from mutations import FORMATS, Made  # noqa: E402
from scopedepth.errors import ScopeDepthError  # noqa: E402

MEMORY = 8 * 2**30
SECONDS = 20
Chance = random.Random

# Configurations.

STRANGE: list[Any] = [
    None, True, False, 0, -1, 1, 3.5, -0.0, 1e308, float("nan"), float("inf"), 10**20, 10**400, -(2**63), "", " ",
    "a", "../x", "../../etc/passwd", "/etc/passwd", "~/x", "a/b", "a\\b", "..", ".", "C:\\x", "con", "x" * 300,
    "x" * 100_001, "é", "深度", "\u202e", "\u0000", "a\u0000b", "\n", "a\nb", "\x1b[31m", "\ud800", "😀", "{unit}",
    "{{unit}}", "$HOME", "`id`", "$(id)", "%s%n", "<script>", "' or 1", "*", "**/..", "[", "!!python/name:os.system",
    b"\xff\xfe", [], {}, [[]], [None], ["a", "a"], {"a": 1}, {1: 2, "a": 3}, {None: 1}, {"kind": "path"},
    {"kind": "none"}, {"kind": None}, "2024-01-01", "1e5", "0x10", "NaN", "yes", [1, 2], [-1, 0], [0], [10**30],
    {"": ""}, {"name": "other"}, ["a\n"], "a\n",
]  # fmt: skip
TEXTS = [
    "&a [*a]", "&a {b: *a}", "!!python/object/apply:os.system ['true']", "!!set {a, b}", "!!binary gIE=",
    "!!timestamp x", "2024-01-01", "2024-13-45", "!!int abc", "!!float x", "!unknown 1", "*nothing", "[" * 2000,
    "{a: " * 500, "|", ">", "? [a]\n: b", "<<: [1, 2]", "<<: *x", "0o99999", "1:2:3:4", "!!omap [a: 1]",
    "!!pairs [a: 1]", "%TAG", "---\na: 1", "...", "\t", "\ufeff", "\x85", "'", '"', '"\\ud800"', "@", "`",
    "__use_yte__: true", "!!str", "!!null x",
]  # fmt: skip
WORDS = [
    b"nan", b"inf", b"-1", b"1e999", b"9" * 5000, b"\xff", "١".encode(), "²".encode(), b"\0", b"[" * 5000, b"{",
    b"null", b'"', b"\n", b"../../x", b"#", b"(", b"O", b"<", b":",
]  # fmt: skip


def laughs(levels: int) -> str:
    """Return YAML in which anchors nest: a short text for very many values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every part of a nested value."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def changed(config: Any, chance: Chance) -> Any:
    """Return `config` with one part replaced, renamed, repeated, removed or moved."""
    path = chance.choice(list(places(config))[1:] or [()])
    if not path:
        return chance.choice(STRANGE)
    parent = config
    for key in path[:-1]:
        parent = parent[key]
    key, kind = path[-1], chance.randrange(8)
    if kind <= 2:
        parent[key] = copy.deepcopy(chance.choice(STRANGE))
    elif kind == 3:
        del parent[key]
    elif kind == 4 and isinstance(parent, dict):
        new = chance.choice(STRANGE)
        with contextlib.suppress(TypeError):
            parent[new] = parent.pop(key)
    elif kind == 5:
        other = chance.choice(list(places(config)))
        part = config
        for step in other:
            part = part[step]
        parent[key] = copy.deepcopy(part)
    elif kind == 6 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif kind == 7:
        for _ in range(chance.choice([3, 40, 200])):
            parent[key] = {"a": parent[key]} if chance.random() < 0.5 else [parent[key]]
    return config


def configuration_text(base: Mapping[str, Any], chance: Chance) -> str:
    """Return the text of a configuration that is wrong in some way, mostly."""
    kind = chance.random()
    if kind < 0.75:
        config: Any = copy.deepcopy(dict(base))
        for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
            if isinstance(config, dict | list):
                config = changed(config, chance)
        try:
            return yaml.safe_dump(config, sort_keys=False, allow_unicode=chance.random() < 0.5)
        except (yaml.YAMLError, RecursionError):
            return repr(config)
    text = yaml.safe_dump(dict(base), sort_keys=False)
    if kind < 0.9:  # in the text itself
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        head = lines[at].split(": ")[0] + ": " if ": " in lines[at] and chance.random() < 0.7 else ""
        lines[at] = head + chance.choice(TEXTS)
        return "\n".join(lines)
    if kind < 0.91:
        return laughs(chance.choice([3, 9, 40])) + "\n" + text
    data = bytearray(text.encode())
    for _ in range(chance.choice([1, 3, 20])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return data.decode("latin-1")


def plan_everything(path: Path, scripts: Path) -> None:
    """Load a configuration as the commands do, and work out every job of its study as the workflow does."""
    from scopedepth.commands.configuration import read_config
    from scopedepth.config.load import select_study
    from scopedepth.study.layout import STAGES
    from scopedepth.study.made_from import MadeFrom
    from scopedepth.study.needs import Needs
    from scopedepth.study.plan import Plan

    plan = Plan(select_study(read_config(path)), scripts)
    study, needs = plan.study, Needs(plan.study)
    paths = plan.targets()
    made_from = MadeFrom(plan)
    inputs = {rule: plan.inputs(rule) for rule in STAGES}
    for job in plan.jobs():
        made_from.shown(job), plan.needed_by(job)
        for found in inputs[job.rule].values():
            if callable(found):
                paths += found(job.wildcards)
        paths += [path.as_posix() for path in (*job.outputs().values(), job.log())]
    for model in study.models:
        wildcards: Any = SimpleNamespace(model=model, unit=next(iter(study.units)))
        plan.local_weights(wildcards)
        needs.predict_gpus(wildcards), needs.predict_kind(wildcards), needs.predict_cpus(wildcards)
        if study.timing:
            needs.time_runtime(wildcards, 1), needs.time_mem_mb(wildcards, 1)
        given = SimpleNamespace(unit_manifest="results/datasets/none.json")
        needs.predict_mem_mb(wildcards, given, 1), needs.predict_runtime(wildcards, given, 1)
    for made in paths:
        if "\n" in made or os.path.normpath(made) != made or not made.startswith("results/"):
            raise AssertionError(f"a path that is none below results/: {made!r}")


# Options: of networks that are small and of datasets that were written here, so that what is taken is used as well.

NEAR: list[Any] = [
    0.5, 2, 7, 8, 12, 16, 17, 31, 32, 33, 48, 64, 96, 100.0, "1", "64", "rgb", "depth", "*", "**", "x/*",
    "bilinear", "CT", "video", "extracted", "model.onnx", "mine.py:Mine", [0, 0, 0, 0], [100, 100, 16, 12],
    [100, 100, 16], [1, 1, 1], [[1, 0], [0, 1]], [[100, 0, 16], [0, 100, 12], [0, 0, 1]],
    [[100, 0, 16], [0, -100, 12], [0, 0, 1]], [0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    [float("inf"), float("inf"), float("inf"), float("inf")], {"size": 64}, {"*": "x"},
    {"size": {"height": 60, "width": 64}}, "hub", "authors", {"do_pad": True}, {"image_std": [0, 0, 0]},
    {"resample": 9}, {"ensure_multiple_of": 0.1}, {"rescale_factor": 1e-300},
]  # fmt: skip
SMALL = ("constant", "tiny_depth_anything", "tiny_midas", "tiny_endo_depth", "tiny_endo_sfmlearner")


def is_taken(kind: Any, options: Mapping[str, Any]) -> bool:
    """Say whether the check of options takes these."""
    try:
        kind(**options)
    except ValueError:
        return False
    return True


def option_cases(seed: int, folder: Path) -> Callable[[int], Callable[[], None]]:
    """Return what makes case after case: one or two options of a model or a dataset, checked, and used where taken."""
    from scopedepth.config.datasets import LOADERS
    from scopedepth.config.load import check, dataset_spec
    from scopedepth.config.models import ModelSpec
    from scopedepth.config.options import options_of
    from scopedepth.job import extensions
    from scopedepth.models import load_model

    shipped = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    trees = {name: one.tree for name, one in readers(folder).items() if isinstance(one, TreeReader)}
    entries: list[tuple[str, str, dict[str, Any]]] = [
        ("models", name, shipped["models"][name]) for name in SMALL
    ]
    for family in ("onnx", "python"):
        given = {
            "family": family,
            "weights": {"kind": "path", "path": "nowhere"},
            "output": {"kind": "depth"},
        }
        entries.append(("models", family, given))
    for loader in LOADERS:
        entry = {"loader": loader, "source": {"kind": "path", "path": "x"}}
        fields = options_of(extensions.LOADERS, loader).__dataclass_fields__
        entries += [("datasets", loader, entry)] * len(fields)
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)

    def make(number: int) -> Callable[[], None]:
        chance = Chance(f"{seed}-option-{number}")
        kind, name, base = chance.choice(entries)
        entry = copy.deepcopy(base)
        if kind == "models":
            known = options_of(extensions.FAMILIES, base["family"])
        else:
            known = options_of(extensions.LOADERS, base["loader"])
        names = [*known.__dataclass_fields__] or ["x"]
        options = entry.setdefault("options", {})
        for _ in range(chance.choice([1, 1, 2])):
            option = chance.choice(names)
            values = [chance.choice(STRANGE + NEAR + NEAR) for _ in range(chance.choice([1, 60]))]
            # Of many the first one of the right type: what passes the check is what is worth trying.
            fits = [value for value in values if is_taken(known, {**options, option: value})]
            options[option] = copy.deepcopy((fits or values)[0])

        def case() -> None:
            checked = check({**shipped, kind: {**shipped[kind], "tried": entry}})
            if kind == "datasets":
                frames_of(dataset_spec("tried", checked), trees[name])
                return
            spec = checked.models["tried"]
            assert isinstance(spec, ModelSpec)
            plain = {"name": "tried", **spec.model_dump(mode="json")}
            sides = [side for side in (options.get("height"), options.get("width")) if isinstance(side, int)]
            if max(sides, default=0) <= 512:
                model = load_model(plain, ROOT / plain["weights"].get("path", "nowhere"), "cpu")
                try:
                    model.predict(frames)
                except Exception as error:  # as the engine does: a status of the frame, and a line
                    raise ScopeDepthError(f"{type(error).__name__}: {error}") from None

        return case

    return make


def options(count: int, seed: int, folder: Path) -> int:
    """Run generated options; returns the number of findings."""
    (folder / "seeds").mkdir()
    return tally("options", run_cases(count, option_cases(seed, folder / "seeds")))


# Files. A reader takes a folder that holds the mutated file; a seed is a good file of the kind.


def mutated(data: bytes, others: list[bytes], chance: Chance) -> bytes:
    """Return a file's bytes with a few things wrong."""
    out = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        kind = chance.randrange(10)
        at = chance.randrange(len(out) + 1)
        if kind == 0 and out:  # flip a bit
            out[at % len(out)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del out[at:]
        elif kind == 2:
            out[at:at] = chance.randbytes(chance.choice([1, 2, 8, 300]))
        elif kind == 3:
            del out[at : at + chance.choice([1, 2, 8, 300])]
        elif kind == 4:  # an extreme number where a header may have one
            number = chance.choice([0, 1, -1, 2**31 - 1, 2**31, 2**16 - 1, 2**63 - 1, -(2**63), 255])
            size, order = chance.choice([1, 2, 4, 8]), chance.choice(["little", "big"])
            at = chance.randrange(min(len(out), 200) + 1) if chance.random() < 0.7 else at
            out[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, order)  # type: ignore[arg-type]
        elif kind == 5:
            out[at : at + chance.choice([4, 64, 1000])] = bytes(chance.choice([4, 64, 1000]))
        elif kind == 6:
            part = bytes(out[at : at + chance.choice([4, 64, 1000])])
            other = chance.randrange(len(out) + 1)
            out[other:other] = part
        elif kind == 7:
            other_file = chance.choice(others)
            out = bytearray(other_file if chance.random() < 0.2 else out[:at] + other_file[at:])
        elif kind == 8:  # a word of text
            out[at : at + chance.choice([0, 1, 4])] = chance.choice(WORDS)
        elif kind == 9 and out:
            out[at % len(out)] = chance.randrange(256)
    return bytes(out)


class Reader:
    """What reads one kind of file: good files, and a function that reads the mutated one in a folder of its own."""

    def __init__(self, seeds: Mapping[str, bytes], read: Callable[[Path], None]) -> None:
        self.seeds = dict(seeds)
        self.read = read

    def case(self, chance: Chance, folder: Path) -> None:
        """Write a mutated file into `folder` and read it."""
        name = chance.choice(sorted(self.seeds))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(self.seeds[name], list(self.seeds.values()), chance))
        self.read(path)


class TreeReader:
    """What reads a folder of many files, of which one is mutated: a dataset as published, a store."""

    def __init__(self, tree: Path, read: Callable[[Path], None], matching: str = "*") -> None:
        self.tree, self.read = tree, read
        self.files = sorted(p.relative_to(tree) for p in tree.rglob(matching) if p.is_file())
        self.contents = [(tree / path).read_bytes() for path in self.files]

    def case(self, chance: Chance, folder: Path) -> None:
        """Copy the tree into `folder`, mutate one of its files, now and then rename it, and read the tree."""
        copied = folder / "tree"
        shutil.copytree(self.tree, copied)
        at = chance.randrange(len(self.files))
        target = copied / self.files[at]
        target.write_bytes(mutated(self.contents[at], self.contents, chance))
        if chance.random() < 0.1:
            new = chance.choice(["²", "1²", "x", "٣.png", "9" * 200 + ".png", "a\nb.png", "_depth.tiff", "-"])
            target.rename(target.with_name(new + target.suffix))
        elif chance.random() < 0.05:
            target.unlink()
        self.read(copied)


def frames_of(spec: Mapping[str, Any], tree: Path) -> None:
    """Read every frame that a loader finds, as prepare does."""
    from scopedepth.datasets import choose
    from scopedepth.errors import UnreadableFrame

    for one in choose(spec, tree):
        for index in one.indices:
            with contextlib.suppress(UnreadableFrame):
                frame = one.sequence.read(index)
                assert frame.rgb.dtype == np.uint8
                assert frame.rgb.ndim == 3
                if frame.depth is not None:
                    assert frame.depth.dtype == np.dtype(one.sequence.encoding.dtype), (
                        "a depth of another type"
                    )


def readers(folder: Path) -> dict[str, Reader | TreeReader]:
    """Return every reader by name, with the good files that its cases start from (made in `folder`)."""
    import cv2
    import OpenEXR
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tifffile
    import torch
    from safetensors.torch import save_file
    from scipy.io import savemat

    import dataset_trees as trees
    from scopedepth.datasets.reading.cameras import read_intrinsics
    from scopedepth.datasets.reading.images import read_image, read_raw_depth
    from scopedepth.datasets.rectify.calibration import read_calibration, read_opencv
    from scopedepth.errors import UnreadableFrame
    from scopedepth.fetch.archives import unpack
    from scopedepth.fetch.targets import UnpackLimits
    from scopedepth.job.manifest import read_manifest
    from scopedepth.models.checkpoints import read_checkpoint
    from scopedepth.stores.dataset import DatasetStore
    from scopedepth.tables.io import read_table

    depth = trees.depth_mm(24, 32, 20, 90)
    grey16, rgb = np.round(depth * 100).astype(np.uint16), trees.picture(24, 32)

    def encoded(suffix: str, array: np.ndarray) -> bytes:
        good, data = cv2.imencode(suffix, array)
        assert good
        return data.tobytes()

    def saved(write: Callable[[Any, Any], Any], array: np.ndarray, **more: Any) -> bytes:
        file = io.BytesIO()
        write(file, array, **more)
        return file.getvalue()

    exr = folder / "seed.exr"
    with OpenEXR.File({}, {"Z": depth.astype(np.float32)}) as file:
        file.write(str(exr))
    pictures = {
        "a.png": encoded(".png", rgb), "b.png": encoded(".png", grey16), "c.jpg": encoded(".jpg", rgb),
        "d.tiff": encoded(".tiff", grey16), "e.tif": saved(tifffile.imwrite, depth.astype(np.float32)),
        "f.tif": saved(tifffile.imwrite, rgb, compression="zlib"), "g.bmp": encoded(".bmp", rgb),
        "h.npy": saved(np.save, depth), "i.npy": saved(np.save, grey16), "j.exr": exr.read_bytes(),
        "k.pfm": encoded(".pfm", depth.astype(np.float32)), "l.bmp": encoded(".bmp", grey16.astype(np.uint8)),
        "m.npz": saved(np.savez_compressed, depth), "n.mat": saved(savemat, {"depth": depth}),  # type: ignore[arg-type]
    }  # fmt: skip

    def read_picture(path: Path) -> None:
        from scopedepth.datasets.reading.depth import Meaning

        with contextlib.suppress(UnreadableFrame, ScopeDepthError):
            if path.suffix not in (".npy", ".exr", ".pfm"):
                read_image(path)
        with contextlib.suppress(UnreadableFrame):
            stored = read_raw_depth(path)
            Meaning(stored.dtype, path, 0.1).depth(stored, path)

    def read_points(path: Path) -> None:
        from scopedepth.datasets.loaders.scared import z_of

        with contextlib.suppress(UnreadableFrame):
            z_of(path.read_bytes(), str(path))

    def read_frames(path: Path) -> None:
        from scopedepth.datasets.reading.base import DepthEncoding, FileSequence, FrameFiles
        from scopedepth.datasets.reading.lists import match_list

        name = {"plain": "one", "scared": "dataset_3_keyframe_4", "simcol3d": "Frames_S5"}[path.stem]
        ids = {"plain": ("12", "13", "14"), "scared": ("000001",), "simcol3d": ("0000",)}[path.stem]
        frames = [FrameFiles(one, Path(f"{name}/rgb/{one}.png")) for one in ids]
        sequences = [FileSequence.of(name, frames, DepthEncoding())]
        source = {"path": str(path), "url": None, "sha256": None, "lines": None, "layout": path.stem}
        loader = "folder" if path.stem == "plain" else path.stem
        match_list(source, {"name": "d", "loader": loader}, sequences, sequences)

    found: dict[str, Reader | TreeReader] = {
        "image": Reader(pictures, read_picture),
        "points": Reader({"a.tiff": saved(tifffile.imwrite, trees.points(depth), photometric="rgb")}, read_points),
        "camera": Reader(
            {
                "a.txt": b"100.5 0 16\n0 1e2 12\n0 0 1\n",
                "b.txt": b"# fx fy cx cy\n100, 100, 16, 12\n",
                "c.json": b'{"model": "fisheye", "fx": 1, "fy": 1, "cx": 2, "cy": 2, "k1": 0.1, "image_width": 4}',
                "d.xml": b'<rig><camera><camera_model type="calibu_fu_fv_u0_v0_kb4"><width> 4 </width><height> 4 '
                b"</height><params> [ 1; 1; 2; 2; 0; 0; 0; 0 ] </params></camera_model></camera></rig>",
            },
            lambda path: finite(read_intrinsics(path)),
        ),
        "list": Reader(
            {
                "plain.txt": b"one 12\none/13.png\n14\n# x\n",
                "scared.txt": b"dataset3/keyframe4\t2\tl\r\n",
                "simcol3d.txt": b"\xef\xbb\xbf1 5 1\n",
            },
            read_frames,
        ),
        "opencv": Reader(
            {"a.yaml": trees.SCARED_CALIBRATION.encode()}, lambda path: rectified(read_opencv(path, (1280, 1024)))
        ),
        "calibration": Reader(
            {
                "a.txt": b"Width: 1280\nCamera-0-F: 1084 1084 // px\nCamera-0-C: 580 506\nCamera-1-F: 1083 1083\n"
                b"Camera-1-C: 680 505\nCamera-1-K: 0 0 0 0 0\nExtrinsic-Omega: 0 0.01 0\nExtrinsic-T: -4.3 0 0\n",
                "b.ini": b"".join(
                    b"[Stereo%s]\nfc_x=1084\nfc_y=1084\ncc_x=580\ncc_y=506\nkc_0=0\nkc_1=0\nkc_2=0\nkc_3=0\n" % side
                    for side in (b"Left", b"Right")
                ) + b"R_0=1\nR_1=0\nR_2=0\nR_3=0\nR_4=1\nR_5=0\nR_6=0\nR_7=0\nR_8=1\nT_0=-4\nT_1=0\nT_2=0\n",
                "c.json": b'{"P1": [[9, 0, 4, 0], [0, 9, 4, 0], [0, 0, 1, 0]], '
                b'"P2": [[9, 0, 4, -36], [0, 9, 4, 0], [0, 0, 1, 0]]}',
            },
            lambda path: rectified(read_calibration([path], (1280, 1024))),
        ),
        "manifest": Reader({"a.json": b'{"digest": "sha256:00", "sequences": {"a": {"frames": 3}}}'},
                           lambda path: read_manifest(path) and None),
    }  # fmt: skip

    # Archives.
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x/y.txt", "deep")
    packed: dict[str, bytes] = {}
    for name, compression in (("a.zip", zipfile.ZIP_STORED), ("b.zip", zipfile.ZIP_DEFLATED)):
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", compression) as archive:
            archive.writestr("one/rgb/0001.png", pictures["a.png"])
            archive.writestr("one/notes.txt", "words " * 100)
            archive.writestr("inner.zip", inner.getvalue())
        packed[name] = whole.getvalue()
    for suffix, mode in ((".tar", "w"), (".tar.gz", "w:gz"), (".tar.bz2", "w:bz2"), (".tar.xz", "w:xz")):
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode=mode) as tar:  # type: ignore[call-overload]
            for name, data in (("one/rgb/0001.png", pictures["a.png"]), ("inner.zip", inner.getvalue())):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        packed["c" + suffix] = whole.getvalue()

    def read_archive(path: Path) -> None:
        before = set(path.parent.rglob("*"))
        target = path.parent / "out" / "data"
        try:
            unpack(path, target, UnpackLimits(total_bytes=10**7, free_bytes=10**6))
        finally:
            strays = set(path.parent.rglob("*")) - before
            inside = [p for p in strays if target.parent in (p, *p.parents)]
            assert len(inside) == len(strays), f"unpacked outside its folder: {sorted(strays)[:3]}"
            links = [p for p in strays if p.is_symlink()]
            assert not links, f"links were unpacked: {links[:3]}"

    found["archive"] = Reader(packed, read_archive)

    # Weights.
    tensors = {"conv.weight": torch.ones(2, 3), "conv.bias": torch.zeros(2)}
    save_file(tensors, folder / "a.safetensors")
    torch.save(tensors, folder / "b.pth")
    torch.save(
        {"state_dict": tensors, "epoch": 3}, folder / "c.pth.tar", _use_new_zipfile_serialization=False
    )
    weights = {name: (folder / name).read_bytes() for name in ("a.safetensors", "b.pth", "c.pth.tar")}
    # A pickle that would run something, were it opened carelessly.
    weights["d.pth"] = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R."
    found["weights"] = Reader(weights, lambda path: read_checkpoint(path, "net") and None)

    # Tables.
    table = folder / "seed.parquet"
    columns = {"frame": list(range(50)), "model": ["a", "b"] * 25, "abs_rel": [0.1] * 50}
    pq.write_table(pa.table(columns), table, compression="zstd", write_page_checksum=True)
    found["table"] = Reader({"a.parquet": table.read_bytes()}, lambda path: read_table(path) and None)

    # Datasets as published, one of their files mutated.
    small = {1: depth, 2: depth + 1}
    specs: dict[str, dict[str, Any]] = {}

    def tree(loader: str, write: Callable[[Path], None], **fields: Any) -> None:
        root = folder / "trees" / loader
        root.mkdir(parents=True)
        write(root)
        specs[loader] = trees.spec_of(loader, loader.split("-")[0], root, **fields)
        found[loader] = TreeReader(root, lambda path, spec=specs[loader]: frames_of(spec, path))  # type: ignore[misc]

    def own_folder(root: Path) -> None:
        for number in small:
            trees.write_image(root / "one" / "rgb" / f"{number:04d}.png", rgb)
            trees.write_image(root / "one" / "depth" / f"{number:04d}.png", grey16)
        (root / "one" / "intrinsics.txt").write_text("100 100 16 12\n")

    def hamlyn_raw(root: Path) -> None:
        for number in small:
            for side in ("left", "right"):
                trees.write_image(root / "one" / side / f"{number:04d}.png", rgb)
        for side in ("left", "right"):
            (root / f"calib.{side}.intrinsic.txt").write_text("100 0 16\n0 100 12\n0 0 1\n")
            (root / f"calib.{side}.distortion.txt").write_text("0.01 0 0 0 0\n")
        (root / "calib.l2r.4x4").write_text("1 0 0 -5\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")

    def own_video(root: Path) -> None:
        writer = cv2.VideoWriter(str(root / "one.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (32, 24))
        for _ in range(3):
            writer.write(rgb)
        writer.release()
        trees.write_image(root / "one" / "depth" / "0001.png", grey16)

    def own_rows(root: Path) -> None:
        rows = {"image": [{"bytes": encoded(".png", rgb), "path": f"{n}.png"} for n in small],
                "depth": [encoded(".png", grey16) for _ in small], "video": ["a" for _ in small]}  # fmt: skip
        pq.write_table(pa.table(rows), root / "one.parquet")

    def own_model(root: Path) -> None:
        trees.write_image(root / "images" / "a.png", rgb)
        (root / "m").mkdir()
        (root / "m" / "cameras.txt").write_text("1 PINHOLE 32 24 30 30 16 12\n")
        (root / "m" / "images.txt").write_text("1 1 0 0 0 0 0 0 1 a.png\n4.5 3.5 7 9 9 -1\n")
        (root / "m" / "points3D.txt").write_text("7 1 2 30 9 9 9 0.5 1 0\n")

    levels = {n: np.round(d).astype(np.uint8) for n, d in small.items()}
    steps = {n: np.round(d).astype(np.uint16) for n, d in small.items()}
    tree("folder", own_folder, depth={"unit": "mm", "scale": 0.01})
    tree("video", own_video, depth={"unit": "mm", "scale": 0.01})
    tree("parquet", own_rows, options={"depths": "depth"})
    tree("colmap", own_model, depth={"unit": "relative"})
    tree("stereo", hamlyn_raw, stereo={"max_disparity": 16})
    tree(
        "hamlyn_rectified", lambda root: trees.hamlyn(root, "01", steps, "100 0 16 0\n0 100 12 0\n0 0 1 0\n")
    )
    tree("simcol3d", lambda root: trees.simcol(root, small))
    tree("c3vd", lambda root: trees.c3vd(root, small))
    tree("serv_ct", lambda root: trees.serv_ct(root, 1, small))
    tree("endonerf", lambda root: trees.endonerf(root, levels))
    tree("endoslam_unity", lambda root: trees.endoslam(root, {"Colon": levels}), depth={"unit": "relative"})
    tree("scared", lambda root: trees.scared(root, 1, 1, depth, []), options={"rectify": True})
    tree(
        "scared-video",
        lambda root: trees.scared(root, 1, 1, depth, [depth, depth]),
        options={"frames": "video"},
    )

    # A store, damaged: its manifest and metadata, its shards.
    from scopedepth.datasets.prepare import prepare_unit

    raw = folder / "raw" / "folder"
    raw.mkdir(parents=True)
    shutil.copytree(folder / "trees" / "folder", raw / "data")
    store = folder / "store" / "folder.zarr"
    prepare_unit(specs["folder"], raw, store, store.with_suffix(".json"), 1)

    def read_store(path: Path) -> None:
        for sequence in DatasetStore(path / "folder.zarr").sequences.values():
            sequence.rgb(0, 9), sequence.depth(0, 9), sequence.flags(0, 9), sequence.status()
            sequence.frame_ids()

    found["store"] = TreeReader(store.parent, read_store)

    found["prepare"] = TreeReader(folder / "raw", lambda path: prepare_copy(path, specs["folder"]))
    return found


def prepare_copy(tree: Path, spec: Mapping[str, Any]) -> None:
    """Prepare a unit from raw files; whatever happens, nothing lies under its final name that is not whole."""
    from scopedepth.datasets.prepare import prepare_unit

    store = tree.parent / "results" / "folder.zarr"
    try:
        prepare_unit({**spec, "max_bad_frames": 0.5}, tree / "folder", store, store.with_suffix(".json"), 1)
    except ScopeDepthError:
        assert not store.exists(), "a store under its final name after an error"
        raise


def finite(matrix: np.ndarray) -> None:
    """A camera that was accepted holds numbers only."""
    assert np.isfinite(matrix).all(), "a camera matrix with numbers that are none"


def rectified(camera: Any) -> None:
    """Rectify with a calibration that was read."""
    if camera is not None:
        from scopedepth.datasets.rectify.stereo import Rectifier

        lens = Rectifier(camera, 0.0)
        assert np.isfinite(lens.intrinsics).all(), "a camera matrix with numbers that are none"


# Structured files: odd or lying a little, see mutations.py. What is known of one is compared with what was read.


def check_depth_file(made: Made, path: Path) -> None:
    """Read a file as depth and as a picture; numbers that are not those written are a finding."""
    from scopedepth.datasets.loaders.scared import z_of
    from scopedepth.datasets.reading.depth import Meaning
    from scopedepth.datasets.reading.images import read_image, read_raw_depth
    from scopedepth.errors import UnreadableFrame

    refusals = []
    try:
        found = read_raw_depth(path)
        assert not made.refused, f"read as {found.dtype} {found.shape}, and is to be refused"
        assert found.dtype.isnative
        if made.known is not None:
            right = found.shape == made.known.shape and np.array_equal(
                found, made.known, equal_nan=found.dtype.kind == "f"
            )
            assert right, (
                f"other numbers: {found.dtype} {found.shape} for {made.known.dtype} {made.known.shape}"
            )
        meaning = Meaning(found.dtype, path, 0.1)
        assert meaning.depth(found, path).dtype == np.dtype(meaning.encoding.dtype)
    except (ScopeDepthError, UnreadableFrame) as error:
        refusals.append(error)
    if path.suffix in (".tif", ".tiff"):
        with contextlib.suppress(UnreadableFrame):
            assert z_of(made.data, path.name).ndim == 2
    if path.suffix in (".png", ".tif", ".tiff"):
        try:
            rgb = read_image(path)
            assert rgb.dtype == np.uint8
            assert rgb.ndim == 3
            if made.picture is not None:
                assert np.array_equal(rgb, made.picture), (
                    f"another picture: {rgb.shape} for {made.picture.shape}"
                )
        except (ScopeDepthError, UnreadableFrame) as error:
            refusals.append(error)
    if refusals:
        raise ScopeDepthError(refusals[0])


def check_checkpoint(made: Made, path: Path) -> None:
    """Read a checkpoint into a network."""
    import torch

    from scopedepth.models.checkpoints import load_strictly, read_checkpoint

    network = torch.nn.ModuleDict({"conv": torch.nn.Linear(3, 2)})
    load_strictly(network, read_checkpoint(path, "net"), "net", path, ignored=("more", ""))
    if made.known is not None:
        for name, values in made.known.items():
            found = network.state_dict()[name].numpy()
            assert np.array_equal(found, values), (
                f"other weights: {name} is {found.tolist()} for {values.tolist()}"
            )


def check_network(made: Made, path: Path) -> None:
    """Open an exported network and run it on three frames."""
    from scopedepth.models import load_model

    output = {"kind": "depth", "unit": None}
    options = {"mean": None, "std": None, "file": path.name}
    spec = {"name": "net", "family": "onnx", "precision": "fp32", "output": output, "options": options}
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), np.uint8)
    model = load_model(spec, path.parent, "cpu")
    try:
        found = model.predict(frames)
        grid = model.grid(16, 24)
    except ScopeDepthError:
        raise
    except Exception as error:  # as the engine does: a status of the frame, and a line
        raise ScopeDepthError(f"{type(error).__name__}: {error}") from None
    assert found.shape == (3, *grid), f"{found.shape} for three frames with a grid of {grid}"
    assert not made.refused, "gave numbers, and is to be refused"
    if made.known is not None and grid == (16, 24):
        assert np.allclose(found * 255, frames[..., 0], atol=0.2), "another output than red"


def check_table(made: Made, path: Path) -> None:
    """Read a table as the jobs do that others' tables are given to."""
    from scopedepth.evaluation.score import read_fits
    from scopedepth.report.ranking import failed_frames, why_nothing
    from scopedepth.statistics.panel import group_paths, read_panel
    from scopedepth.statistics.summarise import _write_frames
    from scopedepth.tables.frames import ALIGNMENTS, SCORES
    from scopedepth.tables.io import read_table
    from scopedepth.vocabulary.metrics import METRICS

    is_fits = path.stem == "fits"
    schema = ALIGNMENTS if is_fits else SCORES
    found = read_table(path, schema=schema)
    assert found.schema.equals(schema), "another schema"
    if made.known is not None:
        assert found.to_pydict() == made.known.to_pydict(), "another content"
    if is_fits:
        read_fits(path)
    groups = group_paths([path])
    dataset, model, protocol = next(iter(groups))
    if is_fits:
        return
    read_panel(dataset, protocol, [model], groups, ["abs_rel", "rmse", "scale", "offset"])
    whole = path.with_name("frames.parquet")
    seen: Any = SimpleNamespace(of=lambda model, sequence: "none")
    _write_frames(whole, groups, {protocol: {"version": 1, "metrics": list(METRICS)}}, {dataset: seen})
    why_nothing(whole, protocol, dataset)
    list(failed_frames(whole, protocol, {dataset: {}}, {model: {}}))


CHECKS: dict[str, Callable[[Made, Path], None]] = {
    "safetensors": check_checkpoint,
    "onnx": check_network,
    "parquet": check_table,
}


def structured_case(name: str, chance: Chance, folder: Path) -> None:
    """Make a file of a format in `folder` and read it."""
    made = FORMATS[name](chance)
    path = folder / "files" / made.name
    path.parent.mkdir(parents=True)
    path.write_bytes(made.data)
    for place, data in made.others.items():
        other = path.parent / place
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(data)
    try:
        CHECKS.get(name, check_depth_file)(made, path)
    except AssertionError as error:
        raise AssertionError(f"{error} ({made.what})") from None


def structured(count: int, seed: int, folder: Path, only: str | None = None) -> int:
    """Run structured files of every format, alike often; returns the number of findings."""
    names = [name for name in FORMATS if only in (None, name)]
    found = 0
    for index, name in enumerate(names):

        def make(number: int, name: str = name) -> Callable[[], None]:
            def case() -> None:
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    structured_case(name, Chance(f"{seed}-structured-{name}-{number}"), Path(place))

            return case

        cases = count // len(names) + (index < count % len(names))
        found += tally(name, run_cases(cases, make))
    return found


# Running cases.


class Hang(BaseException):
    """A case that takes far too long; no `except Exception` of what is tried passes over it."""


def outcome(case: Callable[[], None]) -> str:
    """Run a case; returns how it ended, the exceptions that must not be as `FOUND ...`."""

    def ring(_number: int, _frame: Any) -> None:
        raise Hang(f"more than {SECONDS} s")

    # Of the processor's time: a machine with other work to do is no finding.
    signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        case()
    except ScopeDepthError as error:
        lines = str(error).splitlines()
        return "error" if len(lines) == 1 else f"FOUND an error of {len(lines)} lines: {lines[:2]}"
    except BaseException as error:
        frames = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if "scopedepth" in f.filename or "fuzz" in f.filename
        ]
        last = frames[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        return f"FOUND {type(error).__name__} at {where}: {str(error)[:400]!r}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "well"


def run_cases(cases: int, make: Callable[[int], Callable[[], None]]) -> Iterator[tuple[int, str]]:
    """Run the cases numbered 0 to `cases` in a child process, in another one from where one crashed."""
    number = 0
    while number < cases:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 1), os.dup2(devnull, 2)
            with os.fdopen(writing, "w", encoding="utf-8") as out:
                for current in range(number, cases):
                    out.write(json.dumps(outcome(make(current))) + "\n")
                    out.flush()
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as lines:
            for line in lines:
                yield number, json.loads(line)
                number += 1
        _, status = os.waitpid(child, 0)
        if status != 0:
            yield number, f"FOUND a crash (status {status})"
            number += 1


def tally(name: str, results: Iterator[tuple[int, str]], shown: int = 3) -> int:
    """Print how cases ended, findings with the first of their numbers; returns the number of findings."""
    began, counts, numbers = time.monotonic(), Counter[str](), {}
    for number, how in results:
        kind = how if not how.startswith("FOUND") else how.split(": ")[0]
        counts[kind] += 1
        if how.startswith("FOUND"):
            numbers.setdefault(kind, []).append((number, how))
    found = sum(len(cases) for cases in numbers.values())
    took = time.monotonic() - began
    ended = f"{counts['well']} well, {counts['error']} errors, {found} findings ({took:.0f} s)"
    print(f"{name:18s} {sum(counts.values()):6d} cases: {ended}", flush=True)
    for cases in numbers.values():
        for number, how in cases[:shown]:
            print(f"    case {number}: {how}")
        if len(cases) > shown:
            print(f"    and {len(cases) - shown} more of these")
    return found


def listing(folder: Path) -> set[str]:
    """Return the names of everything below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def configurations(count: int, seed: int, folder: Path) -> int:
    """Run generated configurations; returns the number of findings."""
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    from project import CONFIG

    work = folder / "work"
    work.mkdir()
    before = Path.cwd()
    os.chdir(work)

    def make(number: int) -> Callable[[], None]:
        chance = Chance(f"{seed}-configuration-{number}")
        base = shipped if chance.random() < 0.3 else CONFIG

        def case() -> None:
            path = work / "config.yaml"
            path.write_text(configuration_text(base, chance), encoding="utf-8", errors="surrogatepass")
            try:
                plan_everything(path, ROOT / "workflow_scripts")
            finally:
                written = listing(folder) - {"work", "work/config.yaml"}
                assert not written, f"written: {sorted(written)[:3]}"

        return case

    try:
        return tally("configurations", run_cases(count, make))
    finally:
        os.chdir(before)


def files(count: int, seed: int, folder: Path, only: str | None = None) -> int:
    """Run mutated files through every reader, alike often; returns the number of findings."""
    (folder / "seeds").mkdir()
    every = {name: reader for name, reader in readers(folder / "seeds").items() if only in (None, name)}
    found = 0
    for index, (name, reader) in enumerate(every.items()):
        cases = count // len(every) + (index < count % len(every))

        def make(number: int, name: str = name, reader: Reader | TreeReader = reader) -> Callable[[], None]:
            def case() -> None:
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    reader.case(Chance(f"{seed}-{name}-{number}"), Path(place))

            return case

        found += tally(name, run_cases(cases, make))
    return found


def main() -> int:
    """Run all kinds; the status is 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", type=int, default=10_000)
    parser.add_argument("--options", type=int, default=5_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--structured", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one kind of file")
    given = parser.parse_args()
    found = 0
    for work, count, more in (
        (configurations, given.configurations, ()),
        (options, given.options, ()),
        (structured, given.structured, (given.only,)),
        (files, given.files, (given.only,)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            found += work(count, given.seed, Path(folder), *more) if count else 0
    print(f"{found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
