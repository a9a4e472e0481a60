"""A class of one's own in another Python: an environment of its own, and a process that serves the job."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import operations
import test_own_code
from interrupted import interrupted, written
from scopedepth.config.load import select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.job.environment import environment_digest, installed_in, interpreter_at
from scopedepth.job.manifest import digest_file, read_manifest
from scopedepth.models import load_model
from scopedepth.prediction.predict import predict_unit
from scopedepth.stores.prediction import PredictionStore
from scopedepth.study.layout import Job
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan
from scopedepth.timing.machine import LoadWatch
from tiny_models import scene, spec, write_dataset

NET = """
import os, sys, time
import numpy as np
try:
    from only_there import POWER
except ImportError:
    POWER = 0.5


class Net:
    def __init__(self, weights, device, options):
        self.options, self.device = options, device
        if options.get("fails") == "made":
            raise ValueError("no weights of this layout")

    def predict(self, frames):
        fails = self.options.get("fails")
        if fails == "exits":
            print("out of cheese", file=sys.stderr)
            os._exit(3)
        if fails == "killed":
            os.kill(os.getpid(), 9)
        if fails == "sleeps":
            print("asleep")
            time.sleep(60)
        if fails == "dark" and (frames.max(axis=(1, 2, 3)) == 1).any():
            raise ValueError("too dark")
        if fails == "memory" and len(frames) > 2:
            raise MemoryError("too many")
        return np.maximum(frames.mean(axis=3), 1.0).astype(np.float32) ** np.float32(-POWER)


class Video:
    window = {"frames": 8, "overlap": 2, "keep": "later"}
    parameters = 7

    def __init__(self, weights, device, options):
        self.reset()

    def reset(self):
        self.seen = 0.0

    def grid(self, height, width):
        return height // 2, width // 2

    def predict(self, frames, intrinsics):
        self.seen = self.seen / 2 + frames.mean()
        return (frames[:, ::2, ::2, 0] + self.seen) * intrinsics[0, 0]


class Folds:
    def __init__(self, weights, device, options):
        self.made = {}

    def predict(self, frames):
        return frames[..., 0]

    def for_sequence(self, name):
        other = self.made.setdefault(name, Folds(None, None, None)) if name == "kept" else Folds(None, None, None)
        other.predict = lambda frames: frames[..., 1] if name == "kept" else frames[..., 2]
        return self if name == "same" else other
"""


def package(site: Path, name: str, version: str, module: str = "", code: str = "") -> None:
    """Write a package as pip leaves it."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if module:
        (site / module).write_text(code)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another environment's Python: of this version, with this NumPy, and a package that this one has not."""
    home = Path(os.path.realpath(sys.executable)).parent
    environment = tmp_path / "other"
    site = environment / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    site.mkdir(parents=True)
    (environment / "bin").mkdir()
    (environment / "bin/python").symlink_to(os.path.realpath(sys.executable))
    (environment / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    ours = Path(np.__file__).parents[1]
    for found in ours.glob("numpy*"):
        (site / found.name).symlink_to(found)
    package(site, "only-there", "2.0", "only_there.py", "POWER = 0.5\n")
    return environment / "bin/python"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return test_own_code.own(tmp_path / "code", NET)


def told(code: Path, python: Path | None, name: str = "Net", fails: str | None = None, **options: Any) -> Any:
    given = {"folder": str(code), **({} if python is None else {"python": str(python)}), **options}
    return spec("python", code=f"net.py:{name}", options={"fails": fails}, **given)


NOTHING = Path(os.devnull)


def test_a_package_that_is_only_there(code: Path, other: Path) -> None:
    frames = scene(3, 24, 32)
    model = load_model(told(code, other, packages=["Only_There==2.0"]), NOTHING, "cpu")
    np.testing.assert_array_equal(model.predict(frames), test_own_code.said(frames, 0.5))
    assert "only_there" not in sys.modules
    assert model.environment is not None
    assert [one for one in model.environment["packages"] if "numpy" in one] == [f"numpy=={np.__version__}"]
    assert model.device == "cpu"
    with pytest.raises(
        ScopeDepthError, match=rf"needs only-there==2\.1, and 2\.0 is .*: {other} -m pip inst"
    ):
        load_model(told(code, other, packages=["only-there==2.1"]), NOTHING, "cpu")
    with pytest.raises(ScopeDepthError, match=r"pip install only-there==2\.0"):
        load_model(told(code, None, packages=["only-there==2.0"]), NOTHING, "cpu")
    # An address of a device is for its torch to settle, and there is none.
    assert load_model(told(code, other), NOTHING, "auto").device == "cpu"


def shards(store: Path) -> dict[str, str]:
    """Return the digests of a store's numbers; its description names the environment."""
    files = [path for path in store.rglob("*") if path.is_file() and path.name != "zarr.json"]
    return {path.relative_to(store).as_posix(): digest_file(path) for path in files}


def test_the_bytes_are_those_of_this_process_also_after_a_kill(
    tmp_path: Path, code: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_dataset(tmp_path / "d.zarr", {"s": scene(150, 24, 32)})

    def predict(python: Path | None, name: str) -> dict[str, str]:
        out = tmp_path / f"{name}.zarr"
        predict_unit(told(code, python), data, NOTHING, out, out.with_suffix(".json"), "cpu", 8, 1)
        return shards(out)

    whole = predict(None, "here")
    assert len(whole) > 2
    before = interrupted(monkeypatch, 2, lambda: predict(other, "there"))
    assert before == [0, 1]
    after = written(monkeypatch)
    assert predict(other, "there") == whole
    assert before + after == [0, 1, 2]
    environment = installed_in(other)
    assert PredictionStore(tmp_path / "there.zarr").attrs["environment"] == environment
    assert read_manifest(tmp_path / "there.json")["environment"] == environment
    assert "environment" not in read_manifest(tmp_path / "here.json")


def test_windows_a_camera_and_a_grid(tmp_path: Path, code: Path, other: Path) -> None:
    frames = scene(20, 24, 32)
    camera = np.array([[16.0, 0, 15.5], [0, 16, 11.5], [0, 0, 1]])
    here = load_model(told(code, None, "Video"), NOTHING, "cpu").with_camera(camera)
    there = load_model(told(code, other, "Video"), NOTHING, "cpu").with_camera(camera)
    assert (there.window, there.wants_intrinsics, there.parameters) == (here.window, True, 7)
    assert there.grid(24, 32) == (12, 16)
    for model in (here, there):
        model.start_sequence()
    for first in (0, 6, 12):
        np.testing.assert_array_equal(
            there.predict(frames[first : first + 8]), here.predict(frames[first : first + 8])
        )
    there.start_sequence()
    here.start_sequence()
    # A larger answer than all before.
    np.testing.assert_array_equal(
        there.predict(np.tile(frames, (1, 2, 2, 1))), here.predict(np.tile(frames, (1, 2, 2, 1)))
    )


def test_other_weights_for_each_sequence(code: Path, other: Path) -> None:
    frames = scene(2, 8, 8)
    model = load_model(told(code, other, "Folds"), NOTHING, "cpu")
    assert model.for_sequence("same") is model
    for _ in range(3):  # what is forgotten here is forgotten there, and found again
        for name, channel in (("kept", 1), ("new", 2)):
            own = model.for_sequence(name)
            np.testing.assert_array_equal(own.predict(frames), frames[..., channel])
            del own
            gc.collect()
    np.testing.assert_array_equal(model.predict(frames), frames[..., 0])


@pytest.mark.parametrize(
    ("fails", "words"),
    [
        ("exits", r"ended with status 3; its last lines: .*out of cheese"),
        ("killed", r"ended by signal 9, and said nothing"),
    ],
)
def test_a_process_that_ends_is_one_line(code: Path, other: Path, fails: str, words: str) -> None:
    model = load_model(told(code, other, fails=fails), NOTHING, "cpu")
    with pytest.raises(ScopeDepthError, match=f"Model m: its process .*{words}"):
        model.predict(scene(1, 8, 8))


def test_what_fails_there(
    tmp_path: Path, code: Path, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ScopeDepthError, match=r"its code fails in .*net\.py.*ValueError: no weights of this"):
        load_model(told(code, other, fails="made"), NOTHING, "cpu")
    # As of a model in this process: a frame of its own gets a status, and a batch that is too large is halved.
    frames = scene(12, 24, 32)
    frames[5] = 1
    data = write_dataset(tmp_path / "d.zarr", {"s": frames})
    for fails, failed in (("dark", [5]), ("memory", [])):
        given, out = told(code, other, fails=fails), tmp_path / f"{fails}.zarr"
        predict_unit(given, data, NOTHING, out, out.with_suffix(".json"), "cpu", 8, 1)
        status = PredictionStore(out).sequences["s"].status()
        assert np.flatnonzero(status != 0).tolist() == failed
    said = capsys.readouterr().err
    assert "s, frame 5: WorkerError: ValueError: too dark" in said
    assert "going on with batches of 2" in said


def test_a_python_that_is_not_there_or_says_nothing(tmp_path: Path, code: Path, other: Path) -> None:
    with pytest.raises(
        ScopeDepthError, match=r"there is no Python at nowhere/bin/python \(options\.python\)"
    ):
        load_model(told(code, Path("nowhere/bin/python")), NOTHING, "cpu")
    false = shutil.which("false")
    assert false is not None
    with pytest.raises(ScopeDepthError, match="false does not say what is installed"):
        load_model(told(code, Path(false)), NOTHING, "cpu")
    for found in (other.parents[1] / "lib").glob("*/site-packages/numpy*"):
        found.unlink()
    with pytest.raises(
        ScopeDepthError, match=r"ended with status 1; its last lines: .*No module named 'numpy'"
    ):
        load_model(told(code, other), NOTHING, "cpu")


def test_no_process_is_left(tmp_path: Path, code: Path, other: Path) -> None:
    """Of a model that is given up, and of a job that is killed in the midst of a prediction."""
    model = load_model(told(code, other), NOTHING, "cpu")
    process = psutil.Process(model.own_process)
    del model
    gc.collect()
    assert not process.is_running()
    job = f"""
import numpy as np
from pathlib import Path
from scopedepth.models import load_model
model = load_model({told(code, other, fails="sleeps")!r}, Path({os.devnull!r}), "cpu")
print(model.own_process, flush=True)
model.predict(np.zeros((1, 8, 8, 3), np.uint8))
"""
    with subprocess.Popen(
        [sys.executable, "-c", job], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        process = psutil.Process(int(running.stdout.readline()))
        assert running.stderr.readline().strip() == "asleep"
        running.send_signal(signal.SIGKILL)
        running.wait()
        process.wait(10)


def test_what_is_installed_there_is_part_of_the_identity(
    tmp_path: Path, code: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = test_own_code.study(folder="code", python=str(other))
    plan = Plan(select_study(config), operations.SCRIPTS)
    predict = Job("predict", ("one", "net"))
    now = MadeFrom(plan, planning=False).now(predict)
    assert f"what is installed for {other}" in now
    assert MadeFrom(plan, planning=False).now(predict) == now
    assert "installed for" not in MadeFrom(plan, planning=False).now(Job("predict", ("one", "brightness")))
    site = next((other.parents[1] / "lib").glob("*/site-packages"))
    package(site, "another", "0.1")
    after = MadeFrom(plan, planning=False).now(predict)
    assert after != now
    # The commit of a package from a repository, whose version stays.
    for commit in ("a" * 40, "b" * 40):
        shutil.rmtree(site / "another-0.1.dist-info")
        package(site, "another", "0.1")
        (site / "another-0.1.dist-info/direct_url.json").write_text(
            f'{{"url": "https://x/y", "vcs_info": {{"vcs": "git", "commit_id": "{commit}"}}}}'
        )
        assert f"another==0.1@{commit}" in installed_in(other)["packages"]
    # Where nothing has changed it is not started again.
    with monkeypatch.context() as context:
        context.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started again"))
        environment_digest(str(other))
    shutil.rmtree(other.parents[1])
    assert environment_digest(str(other)) == "none"
    assert interpreter_at(str(other)) is None


def test_the_work_of_its_process_is_no_others(code: Path, other: Path) -> None:
    model = load_model(told(code, other), NOTHING, "cpu")
    assert model.own_process is not None
    times = psutil.Process(model.own_process).cpu_times()
    busy = times.user + times.system
    assert busy > 0  # it has started
    moments = iter([0.0, 0.0, 1.0, 2.0, 3.0])
    readings = iter([(0.0, 0.0), (busy, 0.0)])
    watch = LoadWatch(lambda: next(readings), lambda: next(moments))
    watch.ours = model.own_process
    assert watch.lap() == 0
    assert model.own_process not in [pid for pid, _ in watch._others()]
    watch.ours = None
    assert model.own_process in [pid for pid, _ in watch._others()]
