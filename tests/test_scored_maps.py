"""What the report draws and bins is what was scored: the error's mean over a drawn frame is the frame's AbsRel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import yaml

from partial import partial
from report_study import model, specs, write_dataset, write_prediction
from scopedepth.config.datasets import DatasetSpec
from scopedepth.config.models import ModelSpec
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.align import align_unit
from scopedepth.evaluation.maps import Places, ScoredFrames
from scopedepth.evaluation.score import score_unit
from scopedepth.report.html.parts.aligned import Frames
from scopedepth.report.results import Results
from scopedepth.statistics.depth_error import BINS, binned, depth_error_rows, sampled_frames
from scopedepth.statistics.summarise import _of_study
from scopedepth.stores.dataset import DatasetStore
from scopedepth.tables.frames import read_scores
from scopedepth.tables.io import read_table, write_table
from scopedepth.tables.study import FRAMES as FRAME_ROWS

FRAMES = 2
SEEN: Any = SimpleNamespace(of=lambda model, sequence: "none")
UNITS = {"tube": "mm", "cave": "relative"}
DATASETS: Any = {
    name: {
        "title": name,
        "loader": "folder",
        "source": {"kind": "path", "path": name},
        "depth": {"unit": unit},
    }
    for name, unit in UNITS.items()
}
MODELS: Any = {
    "affine": model("Affine", "disparity", 0.3, shift=0.8),
    "below_zero": model("Below zero", "disparity", 0.3, shift=-1.5),
    "scaled": model("Scaled", "depth", 0.5, bend=0.3),
    "metric": model("Metric", "metric_depth", 0.4, unit="m"),
    "inverted": model("Depth that says it is disparity", "scaled_disparity", 0.2),
}
# Models by dataset: enough of each kind of output on each kind of unit.
ON = {"tube": ("affine", "below_zero", "scaled", "metric"), "cave": ("affine", "scaled", "inverted")}
# Shipped protocols, one of each kind, and members of the kinds that these lack.
SHIPPED = (
    "order", "raw_output", "endodac", "endodac_disparity", "endodav_scale_shift", "marigold_disparity",
    "moge_affine_disparity", "video_depth_anything", "simcol_challenge", "endoslam_minmax",
)  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "cut_after": {"depth_range": {"min": 8, "max": 40}},
    "cut_before": {"depth_range": {"min": 8, "max": 40}, "clamp": {"when": "before"}},
    "cut_elsewhere": {"depth_range": {"max": 60}, "clamp": {"depth": [10.0, 20.0]}},
    "not_cut": {"clamp": {"when": "never"}},
    "one_for_all": {"alignment": {"method": "median", "scope": "dataset"}, "depth_range": {"max": 50}},
    "sequence_median": {"alignment": {"method": "median", "scope": "sequence"}, "averaging": "frames"},
    "disparity_fit": {
        "alignment": {"method": "lsq_affine", "space": "disparity"},
        "clamp": {"disparity": "inverse_max_depth"},
    },
    "disparity_floor": {
        "alignment": {"method": "median_mad", "space": "disparity", "negative_scale": "score"},
        "clamp": {"disparity": "inverse_range_max"},
        "depth_range": {"max": 45},
    },
    "log_fit": {"alignment": {"method": "lsq_affine", "space": "log_depth"}},
    "zero_shift": {"alignment": {"affine_disparity": "zero_shift"}, "depth_range": {"min": 5, "max": 70}},
    "window": {"crops": [{"left": 7, "right": 60, "top": 3, "bottom": 50}]},
    "masked": {"masks": {"exclude": ["border"], "grey_above": 30.0, "rgb_sum_below": 400.0, "erode": 5}},
    "nearest": {"interpolation": {"method": "nearest"}},
    "corners": {"interpolation": {"align_corners": True}},
}


def protocols() -> dict[str, Any]:
    shipped = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text(encoding="utf-8"))
    own = {name: {"title": name, **spec} for name, spec in OWN.items()}
    found = specs(ProtocolSpec, {name: shipped["protocols"][name] for name in SHIPPED} | own)
    for spec in found.values():
        spec["metrics"] = list(dict.fromkeys(["abs_rel", *spec["metrics"]]))
    return found


PROTOCOLS = protocols()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Stores of two datasets, one without a unit, and predictions of five models; no fits yet."""
    folder = tmp_path_factory.mktemp("maps")
    datasets, models = specs(DatasetSpec, DATASETS), specs(ModelSpec, MODELS)
    stores = {name: folder / f"{name}.zarr" for name in datasets}
    predictions = {}
    for seed, unit in enumerate(datasets):
        write_dataset(stores[unit], datasets[unit], seed, ["bend", "hall"], FRAMES)
        for number, name in enumerate(ON[unit]):
            predictions[unit, name] = folder / unit / f"{name}.zarr"
            write_prediction(predictions[unit, name], models[name], stores[unit], number)
    return Places(stores, predictions, folder / "frames.parquet")


@pytest.fixture(scope="module")
def depths(places: Places) -> dict[tuple[str, str], np.ndarray]:
    """The reference by dataset and sequence, (frame, h, w)."""
    return {
        (unit, name): sequence.depth(0, FRAMES)
        for unit, path in places.stores.items()
        for name, sequence in DatasetStore(path).sequences.items()
    }


def scored(
    places: Places, name: str, folder: Path
) -> tuple[Places, dict[tuple[str, str], list[dict[str, Any]]]]:
    """Align and score all models under a protocol; returns the places with the fits, and the scores."""
    parts, rows = [], {}
    for unit, model_name in places.predictions:
        keys = {"dataset": unit, "model": model_name}
        fits, out = (folder / stage / unit / f"{model_name}.parquet" for stage in ("fits", "scores"))
        predicted = places.predictions[unit, model_name]
        chosen = {name: PROTOCOLS[name]}
        align_unit(chosen, [places.stores[unit]], [predicted], keys, {name: fits})
        score_unit(chosen, places.stores[unit], predicted, {name: fits}, keys, {name: out})
        parts.append(_of_study(read_scores(out), 1, model_name, SEEN))
        assert all(read_table(fits)[column] == parts[-1][column] for column in ("scale", "offset"))
        rows[unit, model_name] = read_table(out, ["sequence", "frame", "abs_rel", "status"]).to_pylist()
    frames = folder / "frames.parquet"
    write_table(frames, FRAME_ROWS, parts)
    return replace(places, frames=frames), rows


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_error_of_a_drawn_frame_is_the_one_scored(
    places: Places, depths: dict[tuple[str, str], np.ndarray], name: str, tmp_path: Path
) -> None:
    places, scores = scored(places, name, tmp_path)
    results = Results(
        partial(headline={"protocol": name, "metric": "abs_rel"}, datasets=list(DATASETS)), DATASETS, MODELS,
        PROTOCOLS, {"frames": places.frames}, places.stores, places.predictions,
    )  # fmt: skip
    frames, seen = Frames(results), 0
    for (unit, model_name), rows in scores.items():
        # In mm, so that it means nothing without a unit.
        epsilon = PROTOCOLS[name]["error_epsilon"] if UNITS[unit] == "mm" else 0.0
        for row in rows:
            one = frames.aligned(unit, model_name, row["sequence"], row["frame"])
            if row["abs_rel"] is None:
                # Not scored, so not drawn; or drawn with a pixel that has no depth.
                assert one.depth is None or not np.isfinite(one.depth[one.valid]).all()
                continue
            assert one.depth is not None
            assert one.error is not None
            assert one.valid is not None
            depth = depths[unit, row["sequence"]][row["frame"]]
            true = depth[one.valid].astype(np.float64)
            drawn = np.abs(one.depth[one.valid] - true) / (true + epsilon)
            assert drawn.mean() == pytest.approx(row["abs_rel"], rel=1e-6)
            assert np.nanmean(one.error) == pytest.approx(row["abs_rel"], rel=1e-12)
            assert (np.isnan(one.error) == ~one.valid).all()
            seen += 1
    # The windows of some published protocols lie outside of these small frames.
    assert seen or all(row["status"] != "ok" for rows in scores.values() for row in rows)


def test_a_frame_has_its_own_fit_where_the_table_lacks_earlier_ones(places: Places, tmp_path: Path) -> None:
    """As after a run in which an earlier part of a sequence could not be prepared."""
    name = "cut_after"
    whole, _ = scored(places, name, tmp_path)
    table = read_table(whole.frames)
    later = tmp_path / "later.parquet"
    write_table(later, FRAME_ROWS, [table.filter(pc.field("frame") > 0)])
    frames, fewer = (
        ScoredFrames(one, name, PROTOCOLS[name]) for one in (whole, replace(whole, frames=later))
    )
    wanted = frames.scored("tube", "scaled", "bend", 1)
    found = fewer.scored("tube", "scaled", "bend", 1)
    assert not isinstance(wanted, str)
    assert not isinstance(found, str)
    assert np.array_equal(found.depth, wanted.depth, equal_nan=True)
    with pytest.raises(ScopeDepthError, match="no row of frame 0 of bend"):
        fewer.scored("tube", "scaled", "bend", 0)


@pytest.mark.parametrize("name", ["cut_after", "disparity_fit", "endoslam_minmax", "sequence_median"])
def test_errors_against_depth_are_the_scored_ones_by_depth(places: Places, name: str, tmp_path: Path) -> None:
    """With all frames and pixels in the sample, the bins' mean by pixel is that of the frames' AbsRel."""
    places, scores = scored(places, name, tmp_path)
    for unit in DATASETS:
        keys = [(row["sequence"], row["frame"]) for row in scores[unit, "scaled"]]
        frames = ScoredFrames(places, name, PROTOCOLS[name])
        rows = depth_error_rows(frames, unit, list(MODELS), keys)
        assert {row["unit"] for row in rows} == {UNITS[unit]}
        for model_name in ON[unit]:
            table = read_table(
                tmp_path / "scores" / unit / f"{model_name}.parquet", ["abs_rel", "n_pixels"]
            ).to_pylist()
            table = [row for row in table if row["abs_rel"] is not None]
            of_model = [row for row in rows if row["model"] == model_name]
            assert bool(table) == bool(of_model)
            if not table:
                continue
            assert [row["bin"] for row in of_model] == list(range(1, BINS + 1))
            assert {row["n_frames"] for row in of_model} == {len(table)}
            pixels = sum(row["n_pixels"] for row in of_model)
            assert pixels == sum(row["n_pixels"] for row in table)
            binned_sum = sum(row["n_pixels"] * row["abs_rel"] for row in of_model if row["n_pixels"])
            scored_sum = sum(row["n_pixels"] * row["abs_rel"] for row in table)
            assert binned_sum == pytest.approx(scored_sum, rel=1e-9)
        assert depth_error_rows(ScoredFrames(places, name, PROTOCOLS[name]), unit, list(MODELS), keys) == rows


def test_bins_have_their_lower_ends_and_the_last_one_both() -> None:
    found = binned(
        np.array([1.0, 2.0, 2.5, 4.0]), np.array([0.1, 0.2, 0.4, 0.6]), np.array([1.0, 2.0, 3.0, 4.0])
    )
    assert [count for count, _ in found] == [1, 2, 1]
    assert [mean for _, mean in found] == pytest.approx([0.1, 0.3, 0.6])
    assert binned(np.array([1.0]), np.array([0.1]), np.array([1.0, 2.0, 3.0]))[1] == (0, None)
    assert binned(np.array([1.0]), np.array([0.1]), np.array([1.0])) == []


def test_a_sample_is_spread_over_the_frames_whatever_their_order() -> None:
    keys = [("b", i) for i in range(60)] + [("a", i) for i in range(36)]
    found = sampled_frames(keys)
    assert found == sampled_frames(keys[::-1])
    assert len(found) == 24
    assert [key for key in found if key[0] == "a"] == [("a", 2 + 4 * i) for i in range(9)]
    assert sampled_frames(keys[:5]) == keys[:5]
