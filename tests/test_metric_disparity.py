"""Inverse depth in a unit: what authors resize before they invert is stored, resized and then inverted here too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from evaluation_fakes import protocol, smooth_depth
from scopedepth.config.models import Output
from scopedepth.evaluation.align import open_pairs
from scopedepth.evaluation.single import evaluate_frame
from scopedepth.models import load_model
from scopedepth.prediction import predict as predict_module
from scopedepth.stores.prediction import PredictionStore
from test_models_families import FRAMES, write_monodepth2, write_sc
from tiny_models import spec, write_dataset

NONE = protocol(alignment={"method": "none"})
MEDIAN = protocol(alignment={"method": "median"})


def endo_depths_way(share: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Endo-Depth: the sigmoid is resized, becomes inverse depth, depth, millimetres, and saturates at 300."""
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(share)[None, None], size, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    return np.minimum(52.864 / (0.01 + 9.99 * resized), 300)


def test_endo_depth_is_resized_as_its_authors_do(tmp_path: Path) -> None:
    """The limit of 300 mm binds in a part of the picture, and edges are steep."""
    depth = smooth_depth((48, 64))
    share = 0.3 * np.random.default_rng(0).uniform(0, 1, (16, 24)) ** 2
    author = endo_depths_way(share, depth.shape)
    assert 0.02 < np.mean(author == 300) < 0.5
    told: dict[str, Any] = {"output_kind": "metric_disparity", "output_unit": "mm", "output_greatest": 300.0}
    metrics, _, status = evaluate_frame(NONE, (0.01 + 9.99 * share) / 52.864, depth, **told)
    expected = np.mean(np.abs(author - depth) / depth)
    assert status == "ok"
    assert metrics["abs_rel"] == pytest.approx(expected, rel=1e-9)
    factor = np.median(depth) / np.median(author)
    expected = np.mean(np.abs(author * factor - depth) / depth)
    metrics, fit, _ = evaluate_frame(MEDIAN, (0.01 + 9.99 * share) / 52.864, depth, **told)
    assert metrics["abs_rel"] == pytest.approx(expected, rel=1e-9)
    assert fit.scale == pytest.approx(factor, rel=1e-9)
    # Stored as depth, it is another number.
    before = np.minimum(52.864 / (0.01 + 9.99 * share), 300)
    other, _, _ = evaluate_frame(NONE, before, depth, output_kind="metric_depth", output_unit="mm")
    assert other["abs_rel"] > 1.05 * np.mean(np.abs(author - depth) / depth)


@pytest.mark.parametrize(("unit", "millimetres"), [("mm", 1), ("cm", 10), ("m", 1000)])
@pytest.mark.parametrize("space", ["depth", "disparity", "log_depth"])
def test_units_and_spaces(unit: str, millimetres: float, space: str) -> None:
    depth = smooth_depth((24, 32))
    told: dict[str, Any] = {"output_kind": "metric_disparity", "output_unit": unit}
    metrics, fit, status = evaluate_frame(NONE, millimetres / (1.1 * depth), depth, **told)
    assert (status, fit.scale, fit.shift) == ("ok", 1.0, 0.0)
    assert metrics["abs_rel"] == pytest.approx(0.1, rel=1e-9)
    fitted = protocol(alignment={"method": "median", "space": space}, clamp={"disparity": 1e-6})
    metrics, _, _ = evaluate_frame(fitted, millimetres / (1.1 * depth), depth, **told)
    assert metrics["abs_rel"] == pytest.approx(0, abs=1e-9)


def test_limit_in_its_unit() -> None:
    depth = np.full((8, 8), 50.0)
    far = np.full((8, 8), 1 / 0.4)
    far[0, 0] = 1 / 0.05
    told: dict[str, Any] = {"output_kind": "metric_disparity", "output_unit": "m", "output_greatest": 0.1}
    metrics, _, _ = evaluate_frame(NONE, far, depth, **told)
    assert metrics["abs_rel"] == pytest.approx(63 / 64, rel=1e-9)


def test_from_the_network_to_the_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_monodepth2(tmp_path / "w")
    options = {"factor": 52.864, "saturate": 12.0, "centred": True}
    model = load_model(spec("monodepth2", "metric_disparity", "mm", **options), folder, "cpu")
    depth = load_model(spec("monodepth2", "metric_depth", "mm", **options), folder, "cpu")
    assert (model.greatest_depth, depth.greatest_depth) == (12.0, None)
    inverse = model.predict(FRAMES)
    np.testing.assert_allclose(np.minimum(1 / inverse, 12), depth.predict(FRAMES), rtol=1e-6)
    assert (1 / inverse).max() > 12
    data = write_dataset(tmp_path / "d.zarr", {"s": FRAMES})
    predict_module.predict_unit(
        spec("monodepth2", "metric_disparity", "mm", **options),
        data,
        folder,
        tmp_path / "p.zarr",
        tmp_path / "p.json",
        "cpu",
    )
    store = PredictionStore(tmp_path / "p.zarr")
    assert (store.output_kind, store.unit, store.attrs["greatest_depth"]) == ("metric_disparity", "mm", 12.0)
    np.testing.assert_allclose(store.sequences["s"].prediction(0, 3), inverse, rtol=2**-13)

    frames = SimpleNamespace(n_frames=3, height=90, width=130, units="mm")
    data_store = SimpleNamespace(sequences={"s": frames}, path=data)
    found = open_pairs({"p": NONE}, data_store, store, "d")["s"].terms["p"]
    assert found.source.low == pytest.approx(1 / 12)
    assert found.source.flip


def test_other_families_say_inverse_depth_too(tmp_path: Path) -> None:
    from tiny_models import depth_pro

    folder = write_sc(tmp_path / "sc" / "dispnet_model_best.pth.tar")
    inverse = load_model(spec("sc_sfmlearner", "metric_disparity", "mm"), folder, "cpu").predict(FRAMES)
    depth = load_model(spec("sc_sfmlearner", "metric_depth", "mm"), folder, "cpu").predict(FRAMES)
    np.testing.assert_allclose(inverse * depth, 1, rtol=1e-5)
    folder = depth_pro(tmp_path / "pro", use_fov=True)
    model = load_model(spec("transformers", "metric_disparity", "m"), folder, "cpu")
    inverse = model.predict(FRAMES[:1])
    assert model.greatest_depth == pytest.approx(1e4)
    depth = load_model(spec("transformers", "metric_depth", "m"), folder, "cpu").predict(FRAMES[:1])
    np.testing.assert_allclose(1 / np.maximum(inverse, 1e-4), depth, rtol=1e-5)
    scaled = load_model(spec("transformers", "scaled_disparity"), folder, "cpu").predict(FRAMES[:1])
    np.testing.assert_array_equal(scaled, inverse)


def test_a_unit_belongs_to_the_metric_kinds() -> None:
    for kind in ("metric_depth", "metric_disparity"):
        assert Output.model_validate({"kind": kind, "unit": "cm"}).unit == "cm"
        with pytest.raises(ValidationError, match="they need it"):
            Output.model_validate({"kind": kind})
    for kind in ("depth", "disparity", "scaled_disparity"):
        with pytest.raises(ValidationError, match="`unit` belongs to"):
            Output.model_validate({"kind": kind, "unit": "mm"})
