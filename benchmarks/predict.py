"""The prediction engine against its aims, each as a ratio or a time in one run.

    python benchmarks/predict.py [host] [start] [memory] [store] [throughput] [bf16] [kill] [published]

Without names, all of them: about half an hour on two cores. Weights are random, or the demonstration's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "tests")]

from published_models import PUBLISHED, write  # noqa: E402
from scopedepth.job.heap import keep_freed_memory  # noqa: E402
from tiny_models import scene, spec, write_dataset  # noqa: E402

THREADS = int(os.environ.get("THREADS", "2"))


def say(what: str, value: str, aim: str) -> None:
    print(f"{what:<66} {value:>14}   {aim}", flush=True)


def video(path: Path, frames: int, height: int = 480, width: int = 640, name: str = "s") -> Path:
    """A dataset store of smooth frames with sensor noise, like a camera's."""
    some = scene(16, height, width)
    return write_dataset(path, {name: np.concatenate([some] * -(-frames // 16))[:frames]})


def job(model: dict[str, Any], dataset: Path, weights: Path, out: Path, **how: Any) -> list[str]:
    """The command of a predict job of its own process."""
    call = {"model": model, "dataset": str(dataset), "weights": str(weights), "out": str(out), "how": how}
    return [sys.executable, str(Path(__file__)), "--job", json.dumps(call)]


def run_job(call: dict[str, Any]) -> None:
    """In a process of its own: predict, and print when the first batch began and the peak of memory."""
    began = float(os.environ["BEGAN"])
    from scopedepth.prediction import engine, predict

    start = engine.Engine._start
    first: list[float] = []

    def noticed(self: Any, *args: Any) -> None:
        first.append(time.time())
        start(self, *args)

    engine.Engine._start = noticed  # type: ignore[method-assign]
    out = Path(call["out"])
    predict.predict_unit(
        call["model"],
        Path(call["dataset"]),
        Path(call["weights"]),
        out,
        out.with_suffix(".json"),
        "cpu",
        **call["how"],
    )
    # Not getrusage: its peak is inherited from the process that started this one, before it became a program.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(
        json.dumps({"first": first[0] - began if first else None, "last": time.time() - began, "peak": peak})
    )


def launch(command: list[str]) -> dict[str, float]:
    done = subprocess.run(
        command, env={**os.environ, "BEGAN": str(time.time())}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


class Copy:
    """A network that costs nothing: its prediction is the frame's own brightness, half as large."""

    @staticmethod
    def model() -> Any:
        from scopedepth.models.base import DepthModel

        class Free(DepthModel):
            def __init__(self) -> None:
                super().__init__(spec("baseline"))
                # Smooth as a network's output is; four of them, so that no shard is one value.
                y, x = np.mgrid[0:480, 0:640].astype(np.float32) / 480
                self.maps = [
                    1 + x * y + 0.3 * np.sin(3 * x + k) + 0.01 * np.cos(31 * y * x) for k in range(4)
                ]

            def grid(self, height: int, width: int) -> tuple[int, int]:
                return height, width

            def preprocess(self, frames: np.ndarray) -> np.ndarray:
                return frames

            def forward(self, batch: np.ndarray, size: tuple[int, int]) -> np.ndarray:
                return np.broadcast_to(self.maps[int(batch[0, 0, 0, 0]) % 4], (len(batch), *size))

            def to_host(self, out: Any) -> np.ndarray:
                return out

        return Free()


def host(folder: Path) -> None:
    """Read, hand over, round, compress, write; the forward pass free; the work of all threads on one core."""
    from scopedepth.job import manifest
    from scopedepth.prediction import predict

    data = video(folder / "host.zarr", 256)
    real = predict.load_model
    predict.load_model = lambda *args: Copy.model()
    # As in the workflow: the digest of the data is known already.
    manifest.write_manifest(folder / "host.json", data)
    os.sched_setaffinity(0, {0})
    times = []
    for number in range(4):
        out = folder / f"host{number}.p"
        began = time.process_time()
        predict.predict_unit(spec("baseline"), data, folder, out, folder / "host_out.json", "cpu", batch=8)
        times.append((time.process_time() - began) / 256 * 1e3)
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
    predict.load_model = real
    say("host cost of a 640x480 frame, all threads on one core", f"{min(times[1:]):.2f} ms", "under 5 ms")


def start(folder: Path) -> None:
    """From the start of the process to the first batch, for a tiny model."""
    data = video(folder / "start.zarr", 8, 320, 320)
    for name in ("tiny_depth_anything", "tiny_zoedepth", "tiny_endo_depth"):
        family = "monodepth2" if name == "tiny_endo_depth" else "transformers"
        weights = ROOT / "demo_weights" / name
        if not weights.is_dir():
            continue
        says = "depth" if family == "monodepth2" else "disparity"
        seconds = [
            launch(job(spec(family, says), data, weights, folder / f"start_{name}{k}.p", threads=THREADS))[
                "first"
            ]
            for k in range(4)
        ]
        say(f"process start to first batch, {name}", f"{statistics.median(seconds[1:]):.2f} s", "under 4 s")


def memory(folder: Path) -> None:
    """The peak of memory must not grow with the video."""
    peaks = {}
    weights = ROOT / "demo_weights" / "tiny_endo_depth"
    for frames in (100, 1000):
        data = video(folder / f"memory{frames}.zarr", frames)
        call = job(spec("monodepth2"), data, weights, folder / f"memory{frames}.p", threads=THREADS)
        peaks[frames] = launch(call)["peak"]
    say("peak memory at 1000 frames / at 100", f"{peaks[1000] / peaks[100]:.3f}", "at most 1.1")


def store(folder: Path) -> None:
    """Size of the prediction store against raw float32, on the demonstration networks' output."""
    from scopedepth.prediction.predict import predict_unit
    from scopedepth.stores.prediction import PredictionStore

    samples = sorted((ROOT.parent / "shared" / "samples" / "simcol3d").rglob("*FrameBuffer*.png"))
    frames = scene(64, 320, 320)
    if samples:
        from PIL import Image

        frames = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in samples])
    data = write_dataset(folder / "store.zarr", {"s": frames})
    for name in (
        "tiny_depth_anything",
        "tiny_midas",
        "tiny_zoedepth",
        "tiny_endo_depth",
        "tiny_endo_sfmlearner",
    ):
        weights = ROOT / "demo_weights" / name
        if not weights.is_dir():
            continue
        family = {"tiny_endo_depth": "monodepth2", "tiny_endo_sfmlearner": "sc_sfmlearner"}.get(
            name, "transformers"
        )
        out = folder / f"store_{name}.p"
        says = "disparity" if family == "transformers" else "depth"
        predict_unit(spec(family, says), data, weights, out, folder / "s.json", "cpu", threads=THREADS)
        sequence = PredictionStore(out).sequences["s"]
        raw = sequence.n_frames * sequence.grid[0] * sequence.grid[1] * 4
        stored = sum(path.stat().st_size for path in (out / "s" / "prediction").rglob("*") if path.is_file())
        say(
            f"store / raw float32, {name} on {'SimCol3D' if samples else 'waves'}",
            f"{stored / raw:.3f}",
            "at most 0.4",
        )


def rate(model: Any, frames: np.ndarray, batch: int, count: int) -> float:
    """Frames a second of the bare loop over `count` frames: input that is there already, forward, nothing else."""
    inputs = model.preprocess(frames[:batch])
    size = frames.shape[1:3]
    model.forward(inputs, size)
    began = time.perf_counter()
    for _ in range(count // batch):
        model.forward(inputs, size)
    return count / (time.perf_counter() - began)


def throughput(folder: Path) -> None:
    """The job against the bare forward loop, alternating, Depth Anything Small at its real size.

    The best of each: whatever else runs on the machine only ever slows a round down.
    """
    from scopedepth.models import load_model
    from scopedepth.prediction.engine import Engine
    from scopedepth.prediction.predict import predict_unit

    weights = write("depth_anything_small", folder / "small")
    count, rounds = 16, 5
    data = video(folder / "throughput.zarr", count)
    frames = scene(2, 480, 640)
    model = load_model(spec("transformers", "disparity"), weights, "cpu")
    model.prepare(THREADS)
    bare: list[float] = []
    job_: list[float] = []
    run = Engine.run

    def timed(self: Any, out: Any) -> None:
        began = time.perf_counter()
        run(self, out)
        job_.append(count / (time.perf_counter() - began))

    Engine.run = timed  # type: ignore[method-assign]
    for number in range(rounds):
        bare.append(rate(model, frames, 2, count))
        out = folder / f"throughput{number}.p"
        how: dict[str, Any] = {"batch": 2, "threads": THREADS}
        predict_unit(spec("transformers", "disparity"), data, weights, out, folder / "t.json", "cpu", **how)
    Engine.run = run  # type: ignore[method-assign]
    print(f"bare {[round(r, 3) for r in bare]}, job {[round(r, 3) for r in job_]} frames/s")
    say(
        "job's frames a second / bare forward's, Depth Anything S",
        f"{max(job_) / max(bare):.3f}",
        "at least 0.95",
    )


def bf16(folder: Path) -> None:
    """bf16 against fp32, alternating; the best of each."""
    from scopedepth.models import load_model

    weights = write("depth_anything_small", folder / "small16")
    frames = scene(2, 480, 640)
    models = {
        p: load_model(spec("transformers", "disparity", precision=p), weights, "cpu")
        for p in ("fp32", "bf16")
    }
    rates: dict[str, list[float]] = {p: [] for p in models}
    for _ in range(5):
        for precision, model in models.items():
            model.prepare(THREADS)
            rates[precision].append(rate(model, frames, 2, 8))
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    has = (
        "amx_bf16"
        if "amx_bf16" in flags
        else "avx512_bf16"
        if "avx512_bf16" in flags
        else "no bf16 instructions"
    )
    print({p: [round(r, 3) for r in found] for p, found in rates.items()}, "frames/s")
    say(
        f"bf16 / fp32, Depth Anything S ({has})",
        f"{max(rates['bf16']) / max(rates['fp32']):.2f}",
        "at least 1.8",
    )


def kill(folder: Path) -> None:
    """SIGKILL at 20 random moments, each followed by a rerun."""
    from scopedepth.job.manifest import digest_tree
    from scopedepth.prediction import predict

    data = video(folder / "kill.zarr", 400, 320, 320)
    weights = ROOT / "demo_weights" / "tiny_endo_depth"
    whole = folder / "kill_whole.p"
    model = spec("monodepth2")
    spent = launch(job(model, data, weights, whole, threads=1))
    wanted = digest_tree(whole)
    assert predict.SHARD_FRAMES[1] <= 64
    same = again = 0
    for number in range(20):
        out = folder / f"kill{number}.p"
        command = job(model, data, weights, out, threads=1)
        moment = random.Random(number).uniform(0.2, spent["last"])
        process = subprocess.Popen(
            command,
            env={**os.environ, "BEGAN": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = out.with_name(out.name + ".partial") / "done"
        finished = {path: path.stat().st_mtime_ns for path in done.iterdir()} if done.is_dir() else {}
        kept = {
            path.relative_to(out.with_name(out.name + ".partial") / "store"): path.stat().st_mtime_ns
            for path in out.with_name(out.name + ".partial").rglob("store/s/*/c/**/*")
            if path.is_file()
            and f"0.{path.relative_to(out.with_name(out.name + '.partial') / 'store').parts[3]}"
            in {mark.name for mark in finished}
        }
        launch(command)
        same += digest_tree(out) == wanted
        again += sum((out / path).stat().st_mtime_ns != before for path, before in kept.items())
        shutil.rmtree(out)
    say("stores byte-identical after SIGKILL and rerun, of 20", f"{same}", "20")
    say("files of finished shards written again", f"{again}", "0")


def published(folder: Path) -> None:
    """Every published architecture, real size, random weights, one frame."""
    from scopedepth.models import load_model

    for name in PUBLISHED:
        weights = write(name, folder / name)
        says = (
            ("metric_depth", "m")
            if name.startswith("zoe") or "metric" in name or name == "depth_pro"
            else ("disparity", None)
        )
        model = load_model(spec("transformers", *says), weights, "cpu")
        model.prepare(THREADS)
        began = time.perf_counter()
        found = model.predict(scene(1, 480, 640))
        seconds = time.perf_counter() - began
        finite = "finite" if np.isfinite(found).all() else "NOT FINITE"
        size = "x".join(map(str, found.shape[1:]))
        say(f"{name}: {model.parameters / 1e6:.1f} M, grid {size}, {finite}", f"{seconds:.1f} s", "")
        del model
        shutil.rmtree(weights)


PARTS = {f.__name__: f for f in (host, start, memory, store, throughput, bf16, kill, published)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="what to measure; nothing: all")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    keep_freed_memory()  # as every job of the workflow does
    if given.job:
        run_job(json.loads(given.job))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in given.parts or PARTS:
            PARTS[name](Path(folder))


if __name__ == "__main__":
    main()
