"""Tables of timing: every timed call of a model, and a study's summary of them."""

from __future__ import annotations

import pyarrow as pa

from scopedepth.tables.io import KEY, column

_SETTING = [
    column("model", KEY, "name of the model"),
    column("device", KEY, "the device as torch names it"),
    column("precision", KEY, "fp32, bf16 or fp16"),
    column("batch", pa.int32(), "frames in a call"),
    column("input_size", KEY, "network input, height x width"),
    column("frame_size", KEY, "frame, height x width"),
]

TIMING_CALLS = pa.schema(
    [
        *_SETTING,
        column(
            "subject", KEY, "model, or yardstick for the fixed network timed beside it in the model's setting"
        ),
        column(
            "clock",
            KEY,
            "forward, turns (forward, call by call with the yardstick), end_to_end, load or first_call",
        ),
        column(
            "round_number",
            pa.int32(),
            "round of the alternation between model and yardstick; for load and first_call 0 is a fresh process",
        ),
        column("milliseconds", pa.float64(), "duration of the call"),
    ],
    metadata={"description": "one row a timed call"},
)

TIMING = pa.schema(
    [
        *_SETTING,
        column("status", KEY, "ok, or why there is no number"),
        column("n_calls", pa.int32(), "timed calls of the forward pass behind the numbers of this row"),
        *[
            column(
                f"{clock}_{name}", pa.float64(), f"{text} of the {clock.replace('_', ' ')} time, ms a call"
            )
            for clock in ("forward", "end_to_end")
            for name, text in (
                ("median", "median"),
                ("ci_low", "lower end of the 95 % interval of the median"),
                ("ci_high", "upper end of the 95 % interval of the median"),
                ("iqr", "interquartile range"),
                ("p90", "90th percentile"),
                ("p95", "95th percentile"),
                ("p99", "99th percentile"),
                ("p90_early_stopping", "upper bound of the 90th percentile by MLPerf's early-stopping rule"),
            )
        ],
        column(
            "start_ms", pa.float64(), "from a fresh process to the loaded model: libraries and weights, ms"
        ),
        column("load_ms", pa.float64(), "loading the weights with libraries and files at hand, ms"),
        column("first_call_ms", pa.float64(), "first call of a fresh process, one frame end to end, ms"),
        column("new_frames", pa.int32(), "frames of a call that the call before was not given"),
        column(
            "look_ahead",
            pa.int32(),
            "frames after a frame that its prediction may depend on, at most, after a video's first window",
        ),
        column(
            "latency_frames",
            pa.float64(),
            "frames that arrive between a frame and its prediction, at most, at realtime_fps: those that the call "
            "waits for, and the median end-to-end time",
        ),
        column("frames_per_second", pa.float64(), "new frames / median end-to-end time"),
        column("realtime_fps", pa.float64(), "the frame rate asked for"),
        column(
            "realtime_share",
            pa.float64(),
            "share of the end-to-end calls that take no longer than their frames take to arrive",
        ),
        column("memory_mib", pa.float64(), "peak memory: of the process, or reserved on the device"),
        column(
            "memory_allocated_mib", pa.float64(), "peak memory allocated on the device; null on the processor"
        ),
        column("energy_joule", pa.float64(), "energy of a frame's forward pass, where the GPU reports it, J"),
        column("parameters", pa.int64(), "parameters of the network"),
        column(
            "gflops",
            pa.float64(),
            "floating-point operations of a frame, 1e9; what is counted: docs/timing.md",
        ),
        column("grid", KEY, "the prediction's own grid, height x width"),
        column("hardware", KEY, "processor or GPU"),
        column("threads", pa.int32(), "threads of the processor given to the model"),
        column("yardstick_ms", pa.float64(), "median forward time of the yardstick in the same rounds, ms"),
        column(
            "yardstick_ratio",
            pa.float64(),
            "forward time / the yardstick's, call by call in turns, median; on a processor both on one thread",
        ),
        column("yardstick_ratio_low", pa.float64(), "lower end of the 95 % interval of that ratio"),
        column("yardstick_ratio_high", pa.float64(), "upper end of the 95 % interval of that ratio"),
        column(
            "yardstick_drift",
            pa.float64(),
            "slowest / fastest round of the yardstick - 1: the machine's drift",
        ),
        column("rounds", pa.int32(), "rounds behind the numbers of this row"),
        column(
            "rounds_disturbed",
            pa.int32(),
            "rounds in which others used the same cores, or the machine was slower",
        ),
        column("disturbed", KEY, "no, or what else was running and what was done about it"),
    ],
    metadata={"description": "one row a model and setting"},
)
