"""The measurement of a model: order, rounds, what is recorded, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partial import partial
from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import record_of, write_json
from scopedepth.models.window import Window
from scopedepth.tables.io import read_table, table_from, write_table
from scopedepth.tables.timing import TIMING_CALLS
from scopedepth.timing import disturbance
from scopedepth.timing.measure import Measurement, time_model
from scopedepth.timing.realtime import realtime_verdicts
from scopedepth.timing.rounds import TURNS, YARDSTICK_CALLS
from scopedepth.timing.subject import Subject, resize, synthetic_frames
from scopedepth.timing.summary import summarise_timing
from timing_fakes import SETTINGS, FakeCuda, FakeModel, spec, use_watch

CLOCKS = ("forward", "turns")


def measure(settings: Any = None, **options: Any) -> Measurement:
    """Measure a fake model, with a yardstick that does nothing."""
    fails = options.pop("fails", None)
    options.setdefault("yardstick", lambda device: lambda: None)
    cuda = options.get("cuda")
    measurement = Measurement(
        options.pop("spec", spec()),
        SETTINGS | (settings or {}),
        lambda given: FakeModel(given, cuda, fails),
        **options,
    )
    measurement.run()
    return measurement


def calls(measurement: Measurement) -> list[dict[str, Any]]:
    return table_from(TIMING_CALLS, measurement.columns).to_pylist()


def test_model_and_yardstick_take_turns_and_every_call_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    rows = calls(measure())
    turns = list(dict.fromkeys((row["subject"], row["clock"], row["round_number"]) for row in rows))
    assert turns == [
        ("model", "load", 0),
        ("model", "first_call", 0),
        ("model", "load", 1),
        ("model", "first_call", 1),
        *[
            turn
            for number in range(3)
            for turn in (
                ("yardstick", "turns", number),
                ("model", "turns", number),
                ("yardstick", "forward", number),
                ("model", "forward", number),
                ("model", "end_to_end", number),
            )
        ],
    ]
    assert sum(row["clock"] == "end_to_end" for row in rows) == 6
    assert {row["input_size"] for row in rows} == {"64x96"}
    assert {row["frame_size"] for row in rows} == {"32x48"}


def test_the_cuda_path_warms_up_waits_and_reads_in_the_right_order(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    cuda = FakeCuda()

    class OnDevice:
        is_cuda = True

    def yardstick() -> OnDevice:
        cuda.launch("yardstick", 1.0)
        return OnDevice()

    measurement = measure(cuda=cuda, yardstick=lambda device: yardstick)
    reset = cuda.log.index("reset memory")
    assert cuda.log[reset - 1] == "empty cache", "torch counts what it keeps for later as reserved"
    log = cuda.log[reset + 1 :]
    one_frame = ["preprocess", "forward", "to_host", "synchronise"]
    # Warm-up: two calls of the whole way, each waited for.
    assert log[:10] == [*one_frame, "synchronise"] * 2
    # The input is placed before the clock of the forward pass starts, and no preprocessing is inside it.
    assert log[10:12] == ["preprocess", "forward"]
    # The yardstick once, to choose its clock; then the first round.
    y, forward = ["record", "yardstick", "record"], ["record", "forward", "record"]
    turns = ["synchronise", *["yardstick", *y, *forward] * TURNS, "synchronise", *["read"] * 2 * TURNS]
    yardstick_block = ["synchronise", *y * YARDSTICK_CALLS, "synchronise", *["read"] * YARDSTICK_CALLS]
    first_round = [
        *["forward", *turns, "yardstick", *y, "synchronise", "read", "forward"],
        *yardstick_block,
        *["synchronise", *forward * 2, "synchronise", "read", "read"],
        *["synchronise", *[*one_frame, "synchronise"] * 2],
        *yardstick_block,
    ]
    assert log[12:][: 1 + len(first_round)] == ["yardstick", *first_round]
    assert log.count("read") == 3 * first_round.count("read"), "every pair of events is read once"

    durations = {
        (row["subject"], row["clock"]): row["milliseconds"]
        for row in calls(measurement)
        if row["clock"] in CLOCKS
    }
    assert durations == {
        (who, clock): ms for who, ms in (("model", 2.0), ("yardstick", 1.0)) for clock in CLOCKS
    }
    setting = measurement.facts["settings"][0]
    assert (setting["memory_allocated_mib"], setting["memory_mib"]) == (3.0, 5.0)
    assert measurement.facts["hardware"] == "Fake GPU"


def test_every_precision_frame_size_and_batch_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    settings = {"frame_sizes": [[8, 8], [16, 16]], "batches": [1, 2], "precisions": ["fp32", "bf16"]}
    found = measure(settings).facts["settings"]
    keys = [(item["precision"], item["frame_size"], item["batch"]) for item in found]
    assert keys == [
        (precision, size, batch)
        for precision in ("fp32", "bf16")
        for size in ("8x8", "16x16")
        for batch in (1, 2)
    ]


def test_input_sizes_are_swept_after_the_models_own(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)

    class Sized(FakeModel):
        """Takes the size it is told, but no odd one, and none below 8."""

        def input_size(self, height: int, width: int) -> tuple[int, int]:
            size = self.given["options"].get("processor", {}).get("size", {"height": 16, "width": 16})
            return max(8, size["height"]), max(8, size["width"])

        def __init__(self, given: Any) -> None:
            super().__init__(given)
            self.given = given

        def forward(self, batch: Any, size: tuple[int, int]) -> Any:
            if self.input_size(*size)[0] % 2:
                raise RuntimeError("sizes of tensors must match\nand more")
            return super().forward(batch, size)

    sizes = [[32, 32], [33, 33], [8, 8], [4, 4], [16, 16]]
    measurement = Measurement(
        spec("transformers"),
        SETTINGS | {"input_sizes": sizes},
        Sized,
        yardstick=lambda device: lambda: None,
    )
    measurement.run()
    found = [(item["input_size"], item["status"]) for item in measurement.facts["settings"]]
    assert found == [
        ("16x16", "ok"),
        ("32x32", "ok"),
        ("33x33", "refused: sizes of tensors must match"),
        ("8x8", "ok"),
    ], "what comes to a size that was timed is not timed again"


def test_families_with_a_fixed_input_are_timed_at_their_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    assert len(measure({"input_sizes": [[8, 8], [16, 16]]}).facts["settings"]) == 1


def test_a_batch_that_does_not_fit_is_recorded_and_the_next_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    measurement = measure({"batches": [1, 2, 4]}, fails=2)
    assert [item["status"] for item in measurement.facts["settings"]] == ["ok", "out of memory", "ok"]


def test_a_model_that_never_fits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    with pytest.raises(ScopeDepthError, match="Model fake could not be timed: out of memory"):
        measure({"batches": [2]}, fails=2)


def test_a_fault_of_the_model_is_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    monkeypatch.setattr(
        FakeModel, "to_host", lambda *_: (_ for _ in ()).throw(RuntimeError("shape mismatch"))
    )
    with pytest.raises(RuntimeError, match="shape mismatch"):
        measure()


def test_disturbed_rounds_are_kept_and_followed_by_as_many_more(monkeypatch: pytest.MonkeyPatch) -> None:
    # Laps: after loading, and then before and after the clocks of each round.
    use_watch(monkeypatch, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.9])
    rounds = measure().facts["settings"][0]["rounds"]
    assert [item["other_load"] for item in rounds] == [0.0, 1.0, 0.9, 0.0, 0.0]


class Steps:
    """A yardstick that takes the ms of `durations`, one after another, by a clock that nothing else moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, durations: list[float]) -> None:
        self.now, self.durations = 0.0, iter(durations)
        monkeypatch.setattr("time.perf_counter_ns", lambda: self.now * 1e6)
        monkeypatch.setattr(disturbance, "SLOWED", 1.2)

    def __call__(self) -> None:
        self.now += next(self.durations)


def rounds_of_yardstick(*rounds: tuple[float, float]) -> list[float]:
    """Return what the yardstick takes in each call: before and after a round's clocks, 1 ms in turns."""
    durations = [1.0] * (YARDSTICK_CALLS + 1)  # while it is made ready
    for before, after in rounds:
        durations += [1.0] * 2 * (TURNS + 1) + [before] * YARDSTICK_CALLS + [after] * YARDSTICK_CALLS
    return durations


def test_rounds_of_a_slower_machine_are_followed_by_as_many_more(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    # The first round is found out by the second.
    taken = rounds_of_yardstick((2.5, 2.4), (1.0, 1.1), (1.0, 2.4), (1.1, 1.2), (1.3, 1.0))
    steps = Steps(monkeypatch, taken)
    rounds = measure(yardstick=lambda device: steps).facts["settings"][0]["rounds"]
    assert [item["yardstick_ms"] for item in rounds] == [2.5, 1.1, 2.4, 1.2, 1.3]


def test_how_fast_the_machine_can_be_is_known_from_earlier_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    taken = rounds_of_yardstick(*[(1.0, 1.0)] * 3, *[(1.0, 1.3)] * 6)
    taken.insert(len(rounds_of_yardstick(*[(1.0, 1.0)] * 3)), 1.0)  # the next setting's clock is chosen
    steps = Steps(monkeypatch, taken)
    fast, slow = measure({"batches": [1, 2]}, yardstick=lambda device: steps).facts["settings"]
    assert (len(fast["rounds"]), len(slow["rounds"])) == (3, 6)


def test_torch_has_its_threads_also_beside_another_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    use_watch(monkeypatch)
    given: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    measure({"rounds": 1}, threads=3, cuda=FakeCuda())
    assert given == [3, 3], "after each of the two loads; on a GPU turns change nothing"
    given.clear()
    measure({"rounds": 1}, threads=3)
    assert given == [3, 3, 1, 3]


def test_turns_are_on_one_thread_and_the_quoted_clocks_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch)
    log: list[str] = []

    class Threaded(FakeModel):
        def use_threads(self, threads: int) -> None:
            log.append(f"threads {threads}")

        def forward(self, batch: Any, size: tuple[int, int]) -> Any:
            log.append("forward")
            return super().forward(batch, size)

    measurement = Measurement(
        spec(),
        SETTINGS | {"rounds": 1, "runs": 2},
        Threaded,
        threads=2,
        yardstick=lambda device: lambda: log.append("yardstick"),
    )
    measurement.run()
    turns = ["yardstick", "yardstick", "forward"] * TURNS + ["yardstick"] * 2
    whole = [
        *["threads 1", "forward", *turns, "threads 2", "forward"],
        *["yardstick"] * YARDSTICK_CALLS,
        *["forward"] * 4,
        *["yardstick"] * YARDSTICK_CALLS,
    ]
    assert log[log.index("threads 1") :] == [*whole, "forward"], "the last one counts operations"
    counts = {(row["subject"], row["clock"]): 0 for row in calls(measurement)}
    for row in calls(measurement):
        counts[row["subject"], row["clock"]] += 1
    assert counts["yardstick", "turns"] == counts["model", "turns"] + 1 == TURNS + 1


def test_a_load_that_stays_ends_the_measurement_after_twice_the_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_watch(monkeypatch, [1.0] * 100)
    measurement = measure()
    assert len(measurement.facts["settings"][0]["rounds"]) == 6
    assert measurement.facts["other_processes"] == [{"name": "burner", "cores": 1.0}]


def test_a_busy_machine_is_refused_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    use_watch(monkeypatch, [0.9])
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(ScopeDepthError, match=r"The machine is busy: burner use 0.9 of its cores"):
        measure({"on_load": "refuse"})


def test_baselines_are_timed_without_torch_and_without_the_yardstick(root: Path, tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from timing_fakes import SETTINGS, spec
from scopedepth.job.manifest import record_of, write_json
from scopedepth.models.window import Window
from scopedepth.timing.measure import time_model
given = {**spec("baseline", "brightness"), "options": {"kind": "brightness"}}
time_model(given, Path("none"), SETTINGS, Path(sys.argv[1]))
assert "torch" not in sys.modules
"""
    table = tmp_path / "brightness.parquet"
    subprocess.run(
        [sys.executable, "-c", program, str(table)],
        check=True,
        env={"PYTHONPATH": f"{root / 'workflow_scripts'}:{root / 'tests'}"},
    )
    assert set(read_table(table)["subject"].to_pylist()) == {"model"}
    record = json.loads((tmp_path / "brightness.run.json").read_text())
    assert record["settings"][0]["status"] == "ok"
    row = summarise_timing([table], 30.0).to_pylist()[0]
    assert row["yardstick_ratio"] is None
    assert row["forward_median"] > 0


def test_the_baseline_through_the_entry_point_writes_both_files(tmp_path: Path) -> None:
    given = spec("baseline", "constant") | {"options": {"kind": "constant"}}
    out, record = tmp_path / "calls.parquet", tmp_path / "elsewhere.json"
    time_model(given, tmp_path, SETTINGS, out, record)
    facts = json.loads(record.read_text())
    assert facts["timing"]["runs"] == 6
    assert {"host", "versions", "began", "processor_before", "processor_after"} <= set(facts)
    assert read_table(out).schema.equals(TIMING_CALLS)


def test_end_to_end_ends_at_the_frames_size_in_host_memory() -> None:
    class Small(FakeModel):
        def forward(self, batch: Any, size: tuple[int, int]) -> Any:
            import torch

            return torch.arange(4, dtype=torch.float32).reshape(1, 2, 2).expand(len(batch), 2, 2)

        def to_host(self, out: Any) -> np.ndarray:
            return out.numpy()

    subject = Subject(Small(spec()), 2, 8, 12)
    depth = subject.end_to_end()
    assert depth.shape == (2, 8, 12)
    assert depth.dtype == np.float32
    assert (depth[0, 0, 0], depth[0, -1, -1]) == (0.0, 3.0)


def test_numpy_predictions_are_resized_alike() -> None:
    out = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    assert resize(out, (2, 2)) is out
    assert resize(out, (4, 4)).shape == (1, 4, 4)


def test_frames_are_the_same_each_time_and_different_from_each_other() -> None:
    frames = synthetic_frames(2, 8, 10, seed=3)
    assert frames.shape == (2, 8, 10, 3)
    assert np.array_equal(frames, synthetic_frames(2, 8, 10, seed=3))
    assert not np.array_equal(frames[0], frames[1])


def summarised(measurement: Measurement, folder: Path) -> list[dict[str, Any]]:
    from scopedepth.job.manifest import write_json

    write_table(folder / "fake.parquet", TIMING_CALLS, measurement.columns)
    write_json(folder / "fake.run.json", measurement.facts)
    return summarise_timing([folder / "fake.parquet"], 30.0).to_pylist()


def test_a_setting_that_did_not_fit_has_a_row_without_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_watch(monkeypatch)
    first, second = summarised(measure({"batches": [1, 2]}, fails=2), tmp_path)
    assert (first["status"], second["status"]) == ("ok", "out of memory")
    assert second["forward_median"] is None
    assert second["n_calls"] == 0
    assert first["parameters"] == second["parameters"] == 1234
    assert first["load_ms"] is not None
    assert first["start_ms"] is not None
    assert first["disturbed"] == "no"


MEMORY = """
import sys
from pathlib import Path
from scopedepth.job.heap import keep_freed_memory
from scopedepth.models import load_model
from scopedepth.job.manifest import record_of, write_json
from scopedepth.models.window import Window
from scopedepth.timing.measure import Measurement
from timing_fakes import SETTINGS, spec
model, batches = Path(sys.argv[1]), [int(batch) for batch in sys.argv[2].split(",")]
keep_freed_memory()
family = {".py": "python", ".onnx": "onnx"}[model.suffix]
options = {"file": model.name} if family == "onnx" else {"code": f"{model.name}:Hungry"}
settings = {**SETTINGS, "batches": batches, "frame_sizes": [[256, 256]], "runs": 1, "rounds": 1}
measurement = Measurement(
    {**spec(family), "options": options},
    settings,
    lambda given: load_model(given, model.parent, "cpu"),
    yardstick=lambda device: lambda: None,
)
measurement.run()
print(*[setting["memory_mib"] for setting in measurement.facts["settings"]])
"""

HUNGRY = """
import numpy as np

class Hungry:
    def __init__(self, weights, device, options): ...

    def grid(self, height, width):
        return height, width

    def predict(self, frames):
        taken = [np.ones((64, 256, 256), np.float32) for _ in frames]
        return np.stack([one[0] for one in taken])
"""


def hungry_network(path: Path) -> None:
    """Write an ONNX network that needs some 32 MiB for a frame of 256 x 256."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = [
        numpy_helper.from_array(np.ones((64, 3, 1, 1), np.float32), "many"),
        numpy_helper.from_array(np.ones((1, 64, 1, 1), np.float32), "one"),
    ]
    nodes = [helper.make_node("Conv", ["x", "many"], ["h"]), helper.make_node("Conv", ["h", "one"], ["y"])]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])]
        for name, channels in (("x", 3), ("y", 1))
    )
    graph = helper.make_graph(nodes, "hungry", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux has a peak to start anew")
@pytest.mark.parametrize("name", ["hungry.py", "hungry.onnx"])
def test_the_memory_of_a_setting_is_not_that_of_an_earlier_one(name: str, root: Path, tmp_path: Path) -> None:
    """A process keeps the memory that it frees, and ONNX Runtime that of its largest call."""
    if name == "hungry.onnx":
        hungry_network(tmp_path / name)
    else:
        (tmp_path / name).write_text(HUNGRY)

    def peaks(batches: str) -> list[float]:
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(tmp_path / name), batches],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": f"{root / 'workflow_scripts'}:{root / 'tests'}", "OMP_NUM_THREADS": "1"},
        )
        return [float(peak) for peak in done.stdout.split()]

    (alone,) = peaks("1")
    large, after, middle = peaks("8,1,4")
    assert large > alone + 100
    assert after == pytest.approx(alone, abs=12), "an eighth of what the larger batch took"
    assert after + 30 < middle < large - 30


def test_a_model_of_windows_is_timed_by_the_window(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One setting whatever batches are asked for; speed counts new frames, and what a prediction waits for is said."""
    use_watch(monkeypatch)
    shown: list[str | int] = []

    class Video(FakeModel):
        window = Window(8, 3)

        def start_sequence(self) -> None:
            shown.append("start")

        def preprocess(self, frames: np.ndarray) -> Any:
            shown.append(len(frames))
            return super().preprocess(frames)

    measurement = Measurement(
        spec(),
        partial(**SETTINGS | {"batches": [1, 4]}),
        lambda given: Video(given),
        yardstick=lambda device: lambda: None,
    )
    measurement.run()
    assert set(shown) == {"start", 8}
    (setting,) = measurement.facts["settings"]
    assert (setting["batch"], setting["new_frames"], setting["look_ahead"]) == (8, 5, 4)
    write_table(tmp_path / "t.parquet", TIMING_CALLS, measurement.columns)
    write_json(record_of(tmp_path / "t.parquet"), measurement.facts)
    (row,) = summarise_timing([tmp_path / "t.parquet"], 30.0).to_pylist()
    assert (row["batch"], row["new_frames"], row["look_ahead"]) == (8, 5, 4)
    assert row["frames_per_second"] == pytest.approx(5000 / row["end_to_end_median"])
    assert row["latency_frames"] == pytest.approx(4 + 0.03 * row["end_to_end_median"])
    (verdict,) = realtime_verdicts([row])
    assert verdict.keeps_up
