"""Pixels without an answer: a protocol refuses the frame or leaves them out, and the tables say how many have one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evaluation_fakes import ALONE, protocol, smooth_depth, terms
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.evaluation.pixels import Frame, Workspace, needs
from scopedepth.report.coverage import low_coverage
from scopedepth.report.html.sections.ranking import number_cell
from scopedepth.tables.frames import SCORES, read_scores
from scopedepth.tables.io import write_table
from scopedepth.vocabulary import flags as bits
from test_align_score import Run, run, stores, video

__all__ = ["run"]
ALIKE = ("scale", "offset", "n_pixels", "status", *ALONE)


@pytest.mark.parametrize("scope", ["frame", "sequence"])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["median", "lsq_affine"])
def test_what_is_left_out_is_as_if_it_had_no_depth(run: Run, scope: str, odd: float, method: str) -> None:
    """To the last digit, and for all metrics; the frames beside it lack nothing."""
    depth, output = video(5)
    fit = {"method": method, "scope": scope}
    told: dict[str, Any] = {"metrics": ALONE, "alignment": fit, "depth_range": {"min": 1, "max": 200}}
    rng = np.random.default_rng(1)
    sky = rng.random(depth.shape) < 0.3
    sky[0] = sky[4] = False
    masked, holed = np.where(sky, odd, output), np.where(sky, np.nan, depth)
    status = np.where(sky.any(axis=(1, 2)), bits.PREDICTION_NONFINITE, 0).astype(np.uint8)
    _, expected = run(protocol(**told), stores(holed, output))
    leave_out = protocol(uncovered="leave_out", **told)
    _, found = run(leave_out, stores(depth, masked.astype(np.float32), output_status=status))
    assert [{name: row[name] for name in ALIKE} for row in found] == [
        {name: row[name] for name in ALIKE} for row in expected
    ]
    counts = np.isfinite(depth)
    shares = [(here & ~gone).sum() / here.sum() for here, gone in zip(counts, sky, strict=True)]
    assert [row["coverage"] for row in found] == pytest.approx(shares, rel=1e-12)
    assert found[0]["coverage"] == 1
    # What refuses says the same share, and has no number there.
    _, refused = run(protocol(**told), stores(depth, masked.astype(np.float32), output_status=status))
    assert [row["coverage"] for row in refused] == pytest.approx(shares, rel=1e-12)
    lacks = [row["status"] for row in refused[1:4]]
    assert lacks == ["nonfinite_prediction"] * 3
    assert refused[1]["abs_rel"] is None


def test_frames_without_any_answer(run: Run) -> None:
    depth, output = video(4)
    output[0] = np.nan
    output[1] = np.nan
    output[1, 5, :4], depth[1, 5, :4] = 0.5, 50.0
    depth[2] = np.nan
    status = np.array([bits.PREDICTION_NONFINITE] * 2 + [0, bits.PREDICTION_FAILED], np.uint8)
    fits, scores = run(protocol(uncovered="leave_out"), stores(depth, output, output_status=status))
    said = ["nonfinite_prediction", "too_few_pixels", "no_depth", "failed_prediction"]
    assert [row["status"] for row in fits] == [row["status"] for row in scores] == said
    assert scores[0]["coverage"] == 0
    assert scores[1]["coverage"] == 4 / np.isfinite(depth[1]).sum()
    assert scores[2]["coverage"] is scores[3]["coverage"] is None


def test_a_coverage_is_of_the_protocols_own_range() -> None:
    """The far half has no answer: under a range that ends before it nothing lacks, whoever is scored beside it."""
    depth = smooth_depth((20, 30))
    depth[:, 15:] += 200
    output = depth.copy()
    output[:, 15:] = np.inf
    chosen = [
        terms(spec=protocol(uncovered=what, depth_range={"min": 1, "max": most}), size=(20, 30))
        for what in ("leave_out", "refuse")
        for most in (500, 150)
    ]
    flags = np.zeros(depth.shape, np.uint8)
    frame = Frame(chosen, needs(chosen, depth.dtype), 0, output, depth, flags, None, Workspace())
    for place, (share, count) in enumerate([(0.5, 300), (1.0, 300), (0.5, 600), (1.0, 300)]):
        assert (frame.pixels(place).coverage, frame.pixels(place).x.size) == (share, count)
        assert frame.pixels(place).valid.sum() == count


def test_a_resized_answer_lacks_where_a_neighbour_lacks(run: Run) -> None:
    depth, _ = video(1)
    depth[:] = 50
    output = np.ones((1, 12, 16), np.float32)
    output[0, 0, 0] = np.nan
    status = np.array([bits.PREDICTION_NONFINITE], np.uint8)
    _, (row,) = run(protocol(uncovered="leave_out"), stores(depth, output, output_status=status))
    # Pixels 0 to 2 of each side look at the first one; of the third it has a quarter.
    assert row["n_pixels"] == 24 * 32 - 9
    assert row["abs_rel"] == 0


def test_a_protocol_that_does_not_say_it_is_what_it_was() -> None:
    """Its spec is the one that results were made from before; only the other choice is in it."""
    spec = {"title": "t"}
    assert "uncovered" not in ProtocolSpec.model_validate(spec).model_dump(mode="json")
    assert ProtocolSpec.model_validate(spec | {"uncovered": "refuse"}) == ProtocolSpec.model_validate(spec)
    assert (
        ProtocolSpec.model_validate(spec | {"uncovered": "leave_out"}).model_dump()["uncovered"]
        == "leave_out"
    )


def test_scores_of_before_have_no_coverage(tmp_path: Any) -> None:
    older = pa.schema([field for field in SCORES if field.name != "coverage"], metadata=SCORES.metadata)
    write_table(tmp_path / "t.parquet", older, [])
    assert read_scores(tmp_path / "t.parquet").schema.names == SCORES.names


def test_a_low_coverage_is_named_beside_the_number() -> None:
    rows = [("one", "net", "ok", 0.8), ("one", "net", "ok", 0.9), ("one", "net", "failed_prediction", None)]
    rows += [
        ("one", "all", "ok", 1.0),
        ("one", "all", "nonfinite_prediction", 0.1),
        ("one", "old", "ok", None),
    ]
    names = ("dataset", "model", "status", "coverage")
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
    low = low_coverage(table)
    assert low == {("one", "net"): pytest.approx(0.85)}
    score = {"value": 0.125, "ci_low": None, "ci_high": None}
    cell = number_cell(score, "abs_rel", low["one", "net"])
    assert "85\u00a0% of the pixels" in str(cell.text)
    assert cell.sort == number_cell(score, "abs_rel", None).sort == 0.125
