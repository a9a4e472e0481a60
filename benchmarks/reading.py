"""Preparing a video and a folder of PNGs against plain decoding of the same files.

    python benchmarks/reading.py [--frames 48] [--height 1080] [--width 1920] [--rounds 3] [--threads 2]

Writes textured frames as an MPEG-4 video and as PNGs, decodes them with OpenCV and nothing else, and runs `prepare` on
them without depth, on as many threads as asked for. Printed are milliseconds of processor time a frame, and after them
those of the clock (the least of the rounds, so that other work on the machine counts little). What preparing has beyond
decoding are flags and the lossless store; what is fixed a sequence is left out: frames are prepared, and a third of
them, and the difference counts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

from scopedepth.job.heap import keep_freed_memory


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    keep_freed_memory()  # as a job does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, options.frames, options.height, options.width)
        for kind in ("video", "folder"):
            measure(kind, folder, options)


def write(folder: Path, frames: int, height: int, width: int) -> None:
    """Write the video and the PNGs: a smooth texture that moves, with the noise of a camera."""
    (folder / "video").mkdir()
    (folder / "folder" / "one" / "rgb").mkdir(parents=True)
    random = np.random.default_rng(0)
    texture = cv2.GaussianBlur(
        random.integers(0, 256, (height + 64, width + 64, 3), dtype=np.uint8), (0, 0), 4
    )
    texture = cv2.normalize(texture, None, 40, 220, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    writer = cv2.VideoWriter(
        str(folder / "video" / "one.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (width, height)
    )
    for frame in range(frames):
        at = frame % 64
        moved = texture[at : at + height, at : at + width]
        noisy = cv2.add(moved, random.integers(0, 6, moved.shape, dtype=np.uint8))
        writer.write(noisy)
        cv2.imwrite(str(folder / "folder" / "one" / "rgb" / f"{frame:04d}.png"), noisy)
    writer.release()


def measure(kind: str, folder: Path, options: argparse.Namespace) -> None:
    """Print one line for the video or the folder."""
    plain = decode_video if kind == "video" else decode_images
    calls: dict[str, Callable[[], None]] = {
        "plain": lambda: plain(folder / kind),
        "part": lambda: prepare(kind, folder, options.frames // 3, options.threads),
        "prepare": lambda: prepare(kind, folder, options.frames, options.threads),
    }
    # Seconds: of the processor, of the clock.
    least = dict.fromkeys(calls, np.full(2, np.inf))
    for _ in range(options.rounds):
        for name, call in calls.items():
            least[name] = np.minimum(least[name], timed(call))
    decoding = 1000 * least["plain"] / options.frames
    preparing = 1000 * (least["prepare"] - least["part"]) / (options.frames - options.frames // 3)
    for clock, one, other in zip(("processor", "clock"), decoding, preparing, strict=True):
        print(
            f"{kind}, {clock}: {options.frames} frames of {options.width}x{options.height}, plain decoding {one:.1f} "
            f"ms a frame, prepare on {options.threads} threads {other:.1f} ms, share {one / other:.2f}"
        )


def timed(call: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of processor time that a call takes, its threads included, and those of the clock."""
    began = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - began[0], time.perf_counter() - began[1]


def decode_video(folder: Path) -> None:
    """Decode each frame of a video."""
    capture = cv2.VideoCapture(str(next(folder.glob("*.mp4"))))
    while capture.read()[0]:
        pass
    capture.release()


def decode_images(folder: Path) -> None:
    """Decode each PNG."""
    for path in folder.rglob("*.png"):
        assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED) is not None


def prepare(kind: str, folder: Path, frames: int, threads: int) -> None:
    """Prepare the first frames of the video or the folder anew."""
    from scopedepth.config.datasets import DatasetSpec
    from scopedepth.datasets.place import point_to
    from scopedepth.datasets.prepare import prepare_unit

    checked = DatasetSpec(
        loader=kind,
        source={"kind": "path", "path": str(folder / kind)},
        depth={"kind": "none"},
        frames={"stop": frames},
    )
    spec: dict[str, Any] = {"name": kind, **checked.model_dump(mode="json")}
    raw, store = folder / f"raw_{kind}", folder / f"{kind}.zarr"
    raw.mkdir(exist_ok=True)
    point_to(raw, folder / kind, None)
    shutil.rmtree(store, ignore_errors=True)
    prepare_unit(spec, raw, store, store.with_suffix(".json"), threads)


if __name__ == "__main__":
    main()
