"""Depth up to scale and shift: a fit in depth finds both, nothing else scores it as depth, no shift costs digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation_fakes import ALONE, protocol, smooth_depth
from scopedepth.evaluation.single import evaluate_frame
from scopedepth.prediction.predict import predict_unit
from scopedepth.stores.prediction import PredictionStore
from scopedepth.vocabulary.metrics import METRICS
from tiny_models import scene, spec, write_dataset

EVERY = ALONE


@pytest.mark.parametrize("method", ["lsq_affine", "l1_affine", "median_mad", "minmax"])
@pytest.mark.parametrize("shift", [0.0, -17.0, 4000.0])
def test_scale_and_shift_are_found_in_depth(method: str, shift: float) -> None:
    depth = smooth_depth((24, 32))
    spec = protocol(alignment={"method": method}, metrics=EVERY)
    metrics, fit, status = evaluate_frame(spec, (depth + shift) / 3, depth, output_kind="affine_depth")
    assert status == "ok"
    assert fit.scale == pytest.approx(3, rel=1e-9)
    assert fit.shift == pytest.approx(-shift, rel=1e-9, abs=1e-9)
    assert metrics["abs_rel"] == pytest.approx(0, abs=1e-9)
    assert metrics["spearman"] == pytest.approx(1)
    assert metrics["ordinal"] == 1
    exact, _, _ = evaluate_frame(spec, depth, depth, output_kind="depth")
    assert metrics["boundary_f1"] == pytest.approx(exact["boundary_f1"], abs=1e-9)


@pytest.mark.parametrize(
    "fit",
    [
        {"method": "none"},
        {"method": "median"},
        {"method": "median", "affine_disparity": "zero_shift"},
        {"method": "lsq_affine", "space": "disparity"},
        {"method": "lsq_affine", "space": "log_depth"},
    ],
)
def test_where_no_fit_finds_the_shift_only_order_is_scored(fit: dict[str, str]) -> None:
    depth = smooth_depth((24, 32))
    told = protocol(alignment=fit, metrics=EVERY, clamp={"disparity": 1e-6})
    metrics, _, status = evaluate_frame(told, depth - 100, depth, output_kind="affine_depth")
    assert status == "ok"
    assert {name for name in EVERY if METRICS[name].needs == "order"} == metrics.keys()
    assert metrics["spearman"] == pytest.approx(1)
    depths_alone = protocol(alignment=fit, clamp={"disparity": 1e-6})
    assert evaluate_frame(depths_alone, depth, depth, output_kind="affine_depth")[2] == "not_applicable"


def test_it_is_resized_as_it_is() -> None:
    """The inverse of a depth on an unknown shift means nothing, and would change its sign in between."""
    depth = smooth_depth((24, 32))
    coarse = depth[::2, ::2] - 60
    assert coarse.min() < 0 < coarse.max()
    found = [
        evaluate_frame(
            protocol(alignment={"method": "lsq_affine"}, interpolation={"space": space}),
            coarse,
            depth,
            output_kind="affine_depth",
        )[0]
        for space in ("output", "disparity")
    ]
    assert found[0] == found[1]


def test_stored_digits_do_not_depend_on_the_shift(tmp_path: Path) -> None:
    """The error is below 2^-12 of the frame's mean deviation, on a shift of hundreds of them."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w/net.py").write_text(
        "import numpy as np\n\n\nclass Net:\n    def __init__(self, *given): ...\n\n"
        "    def predict(self, frames):\n"
        "        return frames.mean(axis=3).astype(np.float32) / 255 + np.float32(100)\n"
    )
    frames = scene(3, 24, 32)
    data = write_dataset(tmp_path / "d.zarr", {"s": frames})
    worst = {}
    for kind in ("affine_depth", "depth"):
        told = spec("python", kind, code="net.py:Net")
        predict_unit(told, data, tmp_path / "w", tmp_path / f"{kind}.zarr", tmp_path / f"{kind}.json", "cpu")
        store = PredictionStore(tmp_path / f"{kind}.zarr")
        assert store.output_kind == kind
        said = frames.mean(axis=3).astype(np.float32) / 255 + np.float32(100)
        deviation = np.abs(said - said.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2), keepdims=True)
        worst[kind] = float((np.abs(store.sequences["s"].prediction(0, 3) - said) / deviation).max())
    # A quarter of the pixels says what the deviation is, so it is not the whole frame's to the last digit.
    assert worst["affine_depth"] < 1.05 * 2**-12
    assert worst["depth"] > 10 * worst["affine_depth"]
