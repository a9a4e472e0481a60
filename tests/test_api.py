"""The functions for notebooks and training loops give the workflow's numbers, and one line for what is not there."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scopedepth
from evaluation_fakes import ALONE
from project import Project
from scopedepth.errors import ScopeDepthError

MAP = np.ones((4, 5), np.float32)


@pytest.fixture(scope="module")
def opened(finished: Project) -> Any:
    return scopedepth.open(finished.folder / "results", "small")


def test_the_score_of_two_arrays_is_the_tables(opened: Any) -> None:
    rows = opened.frames[opened.frames.status == "ok"]
    # A factor for a whole sequence is no business of one frame.
    rows = rows[rows.protocol == "median_depth"]
    assert len(rows) > 8
    for row in rows.to_dict("records"):
        frame = opened.frame(row["dataset"], row["sequence"], row["frame"])
        given = {
            "kind": opened.models[row["model"]]["output"]["kind"],
            "flags": frame.flags,
            "rgb": frame.rgb,
        }
        protocol = opened.protocols[row["protocol"]]
        if row["model"] == "constant":
            continue  # a baseline says that it is one, and a constant map is its answer
        found = scopedepth.score(frame.prediction(row["model"]), frame.depth_mm, protocol, **given)
        assert found.status == "ok"
        assert (found.scale, found.offset, found.n_pixels) == (row["scale"], row["offset"], row["n_pixels"])
        for name in ALONE:
            value = found.metrics.get(name)
            assert value == row[name] or (value is None and math.isnan(row[name]))
        maps = frame.scored(row["model"], row["protocol"])
        assert np.nanmean(maps.error) == pytest.approx(row["abs_rel"], rel=1e-12)
        assert (frame.aligned(row["model"], row["protocol"]) == maps.depth).all()


def test_tables_and_frames_of_a_study(opened: Any) -> None:
    assert set(opened.summary.model) == {"constant", "brightness"}
    assert {"summary", "frame", "ranks"} <= set(dir(opened))
    frame = opened.frame("two", "only", 2)
    assert frame.rgb.shape == (24, 32, 3)
    assert len(frame.plot().axes) == 5  # image, reference, two models, the bar
    assert opened.frame("two", "only", 1).depth.tolist() != frame.depth.tolist()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda study: study.frame("two", "onl", 0), "no frame 0 of a sequence 'onl'. Its sequences: only"),
        (lambda study: study.frame("two", "only", 3), "no frame 3"),
        (lambda study: study.frame("two", "only", -1), "no frame -1"),
        (lambda study: study.frame("three", "only", 0), "There is no 'three'. There are: one, two"),
        (lambda study: study.frame("two", "only", 0).prediction("net"), "There is no 'net'"),
        (lambda study: study.frame("two", "only", 0).aligned("constant", "x"), "There is no 'x'"),
        (lambda study: study.table("x"), "no table 'x'"),
        (lambda study: scopedepth.open(study.results, "large"), "no finished study"),
        (lambda study: scopedepth.open(study.results / "raw", "small"), "no finished study"),
        (lambda study: scopedepth.score(MAP, MAP, "x"), "There is no 'x'"),
        (lambda study: scopedepth.score(MAP, MAP, config="none.yaml"), "none.yaml"),
        (lambda study: scopedepth.score(MAP, MAP, {"alignment": {"method": "x"}}), "alignment.method"),
        (lambda study: scopedepth.score(MAP, MAP, kind="x"), "output kind 'x'"),
        (lambda study: scopedepth.score(MAP, MAP, kind="metric_depth", unit="ft"), "output unit 'ft'"),
        (lambda study: scopedepth.score(MAP[0], MAP), "prediction is float32 of the shape (5,)"),
        (lambda study: scopedepth.score(MAP, MAP.astype(int)), "depth is int64"),
        (lambda study: scopedepth.score(MAP, MAP[:0]), "depth is float32 of the shape (0, 5)"),
    ],
)
def test_what_is_not_there_is_one_line(opened: Any, call: Any, said: str) -> None:
    with pytest.raises(ScopeDepthError) as error:
        call(opened)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_examples_of_the_docs_run(
    root: Path, finished: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays, study = re.findall(
        r"```python\n(.*?)```", (root / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL
    )
    monkeypatch.chdir(root)
    exec(arrays, {})
    abs_rel, scale, _, pixels, status = capsys.readouterr().out.split()
    assert float(abs_rel) < 1e-5
    assert float(scale) == pytest.approx(1 / 3, rel=1e-4)
    assert (pixels, status) == (str(48 * 64), "ok")
    monkeypatch.chdir(finished.folder)
    for documented, ours in (('"demo"', '"small"'), ('"phantom", "colon", 3', '"one", "left", 1')):
        assert documented in study
        study = study.replace(documented, ours)
    found: dict[str, Any] = {}
    exec(study, found)
    assert found["figure"].axes
