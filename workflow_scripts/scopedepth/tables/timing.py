"""Tables of timing: every timed call of a model, and a study's summary of them."""

from __future__ import annotations

import pyarrow as pa

from scopedepth.tables.io import KEY, column

TIMING_CALLS = pa.schema(
    [
        column("model", KEY, "name of the model"),
        column("subject", KEY, "model, or yardstick for the fixed network timed beside it"),
        column("device", KEY, "name of the device"),
        column("precision", KEY, "fp32, bf16 or fp16"),
        column("batch", pa.int32(), "frames in a call"),
        column("input_size", KEY, "network input, height x width"),
        column("frame_size", KEY, "frame, height x width"),
        column("clock", KEY, "forward, end_to_end, load or first_call"),
        column("round", pa.int32(), "round of the alternation between model and yardstick"),
        column("milliseconds", pa.float64(), "duration of the call"),
    ],
    metadata={"description": "one row a timed call"},
)

TIMING = pa.schema(
    [
        column("model", KEY, "name of the model"),
        column("device", KEY, "name of the device"),
        column("precision", KEY, "fp32, bf16 or fp16"),
        column("batch", pa.int32(), "frames in a call"),
        column("input_size", KEY, "network input, height x width"),
        column("frame_size", KEY, "frame, height x width"),
        column("n_calls", pa.int32(), "timed calls of the forward pass"),
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
            )
        ],
        column(
            "forward_p90_early_stopping",
            pa.float64(),
            "upper bound of the 90th percentile by MLPerf's early-stopping rule, ms",
        ),
        column("load_ms", pa.float64(), "time to load the weights, ms"),
        column("first_call_ms", pa.float64(), "time of the first call after loading, ms"),
        column("frames_per_second", pa.float64(), "batch / median end-to-end time"),
        column("realtime_fps", pa.float64(), "the frame rate asked for"),
        column("realtime_share", pa.float64(), "share of the end-to-end calls within one frame's time"),
        column("memory_mib", pa.float64(), "peak memory: of the process, or reserved on the device"),
        column(
            "memory_allocated_mib", pa.float64(), "peak memory allocated on the device; null on the processor"
        ),
        column("parameters", pa.int64(), "parameters of the network"),
        column("gflops", pa.float64(), "floating-point operations of a frame, 1e9"),
        column("hardware", KEY, "processor or GPU"),
        column("yardstick_ms", pa.float64(), "median forward time of the yardstick in the same run"),
        column("yardstick_ratio", pa.float64(), "median forward time / the yardstick's, round by round"),
        column("disturbed", KEY, "no, or what else was running"),
    ],
    metadata={"description": "one row a model and setting"},
)
