"""Reading a dataset store against decoding the PNGs that it was made from.

    python benchmarks/dataset_store.py [--frames 32] [--rounds 7]

Renders phantom frames, writes them as PNG (RGB 8 bits, depth 16 bits), prepares a store, and reads both back. A round
times PNG and store in turn, in processor time, so that other work on the machine counts little; printed are medians
a frame over the rounds, and their ratio, which is what can be compared between machines. `shard`: a shard at a time,
as jobs read; `frame`: one frame at a time. The store's times include the flags. Exits with 1 if a shard is slower
than the PNGs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

SIZES = ((320, 320), (480, 640))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    slower = False
    print("size      PNG ms   store ms (shard)  ratio   store ms (frame)  ratio   PNG KiB   store KiB")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            slower |= measure(Path(folder), size, options.frames, options.rounds) > 1
    sys.exit(1 if slower else 0)


def measure(place: Path, size: tuple[int, int], frames: int, rounds: int) -> float:
    """Print one line for frames of `size` (height, width); return the shard's time over the PNGs'."""
    from scopedepth.config.datasets import DatasetSpec
    from scopedepth.datasets.prepare import prepare_unit
    from scopedepth.datasets.reading.images import read_image, read_raw_depth
    from scopedepth.fetch import fetch_dataset
    from scopedepth.stores.dataset import DatasetStore

    source = {"kind": "phantom", "preset": "mono", "frames": frames, "size": list(size), "seed": 0}
    checked = DatasetSpec(loader="folder", source=source, sequences=["colon"], depth={"scale": 0.01})
    spec = {"name": "phantom", **checked.model_dump(mode="json")}
    fetch_dataset(spec, place / "raw", place / "raw.json", 2)
    prepare_unit(spec, place / "raw", place / "unit.zarr", place / "unit.json", 2)
    images = sorted((place / "raw/data/colon/rgb").glob("*.png"))
    depths = sorted((place / "raw/data/colon/depth").glob("*.png"))

    def png() -> None:
        for image, depth in zip(images, depths, strict=True):
            read_image(image)
            read_raw_depth(depth)

    def store(step: int) -> Callable[[], None]:
        def read() -> None:
            sequence = DatasetStore(place / "unit.zarr").sequences["colon"]
            for start in range(0, sequence.n_frames, step):
                sequence.rgb(start, start + step)
                sequence.stored_depth(start, start + step)
                sequence.flags(start, start + step)

        return read

    ways = (png, store(frames), store(1))
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds + 1):
        for taken, way in zip(times, ways, strict=True):
            began = time.process_time()
            way()
            taken.append((time.process_time() - began) / frames * 1000)
    # The first round warms caches up.
    of_png, of_shard, of_frame = (statistics.median(taken[1:]) for taken in times)
    kib = [
        sum(path.stat().st_size for path in paths) / 1024 / frames
        for paths in (images + depths, stored(place))
    ]
    print(
        f"{size[1]}x{size[0]}   {of_png:6.2f}   {of_shard:16.2f}  {of_shard / of_png:5.2f}   {of_frame:16.2f}  "
        f"{of_frame / of_png:5.2f}   {kib[0]:7.0f}   {kib[1]:9.0f}"
    )
    return of_shard / of_png


def stored(place: Path) -> list[Path]:
    """Return the files of the store."""
    return [path for path in (place / "unit.zarr").rglob("*") if path.is_file()]


if __name__ == "__main__":
    main()
