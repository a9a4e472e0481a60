"""Ten questions that an analyst asks of a study, each answered twice: as the docs say, and from what lies below.

The questions, of the dataset `tube` under `median_depth` where they name none:

1.  Which model has the lowest AbsRel, and what is its interval?
2.  Is model A better than model B, with p corrected for how many pairs there are?
3.  Does the order of two models flip between two protocols?
4.  Which frames are worst for a model, and where in them is the error?
5.  How many frames of a model have no number, and for what reason?
6.  What is the factor of each frame, and how much does it wander?
7.  Which models does no other one beat in both error and time?
8.  How large is the error between two depths?
9.  How does a model do on each sequence?
10. Which weights and versions made a number?

Four people's ways through the project are tests, too. Who has only the tables, and who writes a paper: below. Who adds
data and models of their own: test_first_hour.py, and from an installed wheel test_outside.py. Who puts two
laboratories' results together: test_merge.py.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import scopedepth
from project import Project
from report_study import tiny_study
from scopedepth.api import Study
from scopedepth.cli import main
from scopedepth.config.citations import entries
from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import write_json
from scopedepth.report.checklists.card import Facts, card
from scopedepth.report.paper.bibtex import references
from scopedepth.report.paper.folder import methods_tex, table_files
from scopedepth.report.results import Results
from scopedepth.report.words import metric_value
from scopedepth.statistics.bootstrap import bootstrap, draw
from scopedepth.statistics.comparisons import two_sided_p
from scopedepth.statistics.pareto import Point, pareto_front
from scopedepth.stores.prediction import PredictionStore
from scopedepth.study.layout import Job

NETWORK = "scaled_net"
FAILED = {"hostile", "broken"}
PARTS = ("study", "datasets", "models", "protocols", "tables")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_study(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def results(made: dict[str, Any]) -> Path:
    """The results folder of the made study, with the record that a finished study has."""
    folder: Path = made["tables"]["summary"].parents[2]
    spec = {kind: made[kind] for kind in ("study", "datasets", "models", "protocols")}
    write_json(Job("summarise", ("tiny",)).path("record", folder), {"made_from": json.dumps({"spec": spec})})
    return folder


@pytest.fixture(scope="module")
def study(results: Path) -> Study:
    return scopedepth.open(results, "tiny")


def asked(query: str) -> list[Any]:
    """Return the rows that DuckDB finds."""
    found = duckdb.sql(query)
    assert found is not None
    return found.fetchall()


def below(results: Path, model: str, protocol: str = "median_depth", column: str = "abs_rel") -> Any:
    """Return {sequence: [value or None, ...]} of `tube`, from the table that the scoring wrote."""
    rows = pq.read_table(results / "scores" / "tube" / model / f"{protocol}.parquet").to_pylist()
    found: dict[str, list[Any]] = {}
    for row in sorted(rows, key=lambda one: (one["sequence"], one["frame"])):
        found.setdefault(row["sequence"], []).append(row[column])
    return found


def mean(found: dict[str, list[float]]) -> float:
    """Return the mean over sequences of the means over their frames."""
    return math.fsum(math.fsum(values) / len(values) for values in found.values()) / len(found)


def whole(results: Path, models: Any, protocol: str = "median_depth") -> dict[str, dict[str, list[float]]]:
    """Return the AbsRel of the models that have one on all frames."""
    read = {model: below(results, model, protocol) for model in models}
    return {
        model: found
        for model, found in read.items()
        if all(value is not None for values in found.values() for value in values)
    }


def estimated(made: dict[str, Any], series: dict[str, list[float]]) -> Any:
    """Return the bootstrap's estimate of one series of frames."""
    of_study = made["study"]["bootstrap"]
    starts = np.cumsum([0, *(len(values) for values in series.values())])
    draws = draw("tube", len(series), of_study["replicates"], of_study["seed"])
    return bootstrap(np.concatenate([*series.values()])[None], starts, "sequences", draws)


def test_1_the_lowest_error_and_its_interval(study: Study, results: Path, made: dict[str, Any]) -> None:
    best = asked(
        f"""SELECT model, value, ci_low, ci_high FROM '{results}/studies/tiny/summary.parquet'
        WHERE dataset = 'tube' AND protocol = 'median_depth' AND metric = 'abs_rel' AND status = 'ok'
        ORDER BY value LIMIT 1"""
    )[0]
    scored = whole(results, study.models)
    assert set(study.models) - set(scored) == FAILED
    model = min(scored, key=lambda name: mean(scored[name]))
    assert best[0] == model
    assert best[1] == pytest.approx(mean(scored[model]), rel=1e-12)
    again = estimated(made, scored[model])
    assert best[2:] == (again.low[0], again.high[0])
    assert best[2] < best[1] < best[3]
    ranks = study.ranks.query("dataset == 'tube' and protocol == 'median_depth' and metric == 'abs_rel'")
    assert ranks[ranks.rank_by_value == 1].model.tolist() == [model]


def test_2_better_with_a_corrected_p(study: Study, results: Path, made: dict[str, Any]) -> None:
    rows = study.comparisons.query("dataset == 'tube' and protocol == 'median_depth' and metric == 'abs_rel'")
    told = {(row.model_a, row.model_b): row for row in rows[rows.status == "ok"].itertuples()}
    scored = whole(results, study.models)
    p = {}
    for a, b in combinations(sorted(scored), 2):
        gaps = {
            name: [x - y for x, y in zip(scored[a][name], scored[b][name], strict=True)] for name in scored[a]
        }
        again = estimated(made, gaps)
        row = told[a, b]
        assert row.difference == pytest.approx(mean(scored[a]) - mean(scored[b]), rel=1e-9)
        p[a, b] = float(two_sided_p(again.value, again.error, again.df)[0])
        assert row.p == pytest.approx(p[a, b], rel=1e-9)
    assert set(p) == set(told)
    # Holm: reject from the smallest p on, as long as each is below the level over how many are left.
    for level in (0.001, 0.05, 0.3):
        rejected = set()
        for left, (pair, value) in enumerate(sorted(p.items(), key=lambda one: one[1])):
            if value * (len(p) - left) >= level:
                break
            rejected.add(pair)
        assert {pair for pair, row in told.items() if row.p_holm < level} == rejected


def test_3_orders_that_flip_between_protocols(study: Study, results: Path) -> None:
    from scipy.stats import kendalltau

    rows = study.sensitivity.query("dataset == 'tube' and metric == 'abs_rel'")
    assert len(rows) == 3
    for row in rows.itertuples():
        a, b = (whole(results, study.models, name) for name in (row.protocol_a, row.protocol_b))
        # One of the protocols averages over frames; the sequences here have equally many.
        orders = [{name: mean(found[name]) for name in a if name in b} for found in (a, b)]
        flips = {
            " > ".join(sorted(pair, key=lambda name: orders[0][name]))
            for pair in combinations(orders[0], 2)
            if (orders[0][pair[0]] < orders[0][pair[1]]) != (orders[1][pair[0]] < orders[1][pair[1]])
        }
        assert set(row.flips) == flips
        assert row.n_flips == len(flips)
        assert row.tau == pytest.approx(kendalltau(*([*one.values()] for one in orders)).statistic, rel=1e-12)
    assert rows.n_flips.sum() > 0


def test_4_the_worst_frames_and_where_in_them(study: Study, results: Path) -> None:
    worst = asked(
        f"""SELECT sequence, frame, abs_rel FROM '{results}/studies/tiny/frames.parquet'
        WHERE dataset = 'tube' AND model = '{NETWORK}' AND protocol = 'median_depth' AND status = 'ok'
        ORDER BY abs_rel DESC LIMIT 3"""
    )
    places = [(name, frame) for name in ("bend", "straight", "wide") for frame in range(8)]
    maps = {place: study.frame("tube", *place).scored(NETWORK, "median_depth").error for place in places}
    ordered = sorted(places, key=lambda place: -float(np.nanmean(maps[place])))
    assert [(sequence, frame) for sequence, frame, _ in worst] == ordered[:3]
    # Where: near and far parts of the frame, which make up its error.
    sequence, frame, abs_rel = worst[0]
    depth, error = study.frame("tube", sequence, frame).depth_mm, maps[sequence, frame]
    counted = np.isfinite(error)
    near = counted & (depth < np.median(depth[counted]))
    shares = [float(error[part].mean() * part.sum() / counted.sum()) for part in (near, counted & ~near)]
    assert sum(shares) == pytest.approx(abs_rel, rel=1e-9)
    assert max(shares) > 1.2 * min(shares)


def test_5_frames_without_a_number_and_why(study: Study, results: Path, made: dict[str, Any]) -> None:
    told = study.frames.groupby(["dataset", "model", "protocol"], observed=True).status.value_counts()
    for model in study.models:
        store = PredictionStore(made["predictions"]["tube", model])
        failed = Counter(
            "failed_prediction" if code else "ok"
            for sequence in store.sequences.values()
            for code in sequence.status()
        )
        counts = told["tube", model, "median_depth"]
        assert {**counts[counts > 0]} == failed
    assert told["tube", "hostile", "median_depth"]["failed_prediction"] == 3
    # The summary counts them, and gives no rank for them.
    rows = study.summary.query("dataset == 'tube' and protocol == 'median_depth' and metric == 'abs_rel'")
    assert dict(zip(rows.model, rows.n_failed, strict=True)) == {
        **dict.fromkeys(study.models, 0), "hostile": 3, "broken": 24
    }  # fmt: skip


def test_6_the_factor_of_each_frame_and_its_drift(study: Study, results: Path) -> None:
    rows = study.frames.query("dataset == 'tube' and protocol == 'median_depth' and model == @NETWORK")
    logs: dict[str, list[float]] = {}
    for row in rows.sort_values(["sequence", "frame"]).itertuples():
        frame = study.frame("tube", row.sequence, row.frame)
        maps = frame.scored(NETWORK, "median_depth")
        # The prediction on the reference's grid, before the fit.
        plain = maps.depth / row.scale
        factor = np.median(frame.depth[maps.valid]) / np.median(plain[maps.valid])
        assert row.scale == pytest.approx(factor, rel=1e-6)
        logs.setdefault(row.sequence, []).append(math.log(factor))
    drift = study.drift.query("dataset == 'tube' and protocol == 'median_depth' and model == @NETWORK")
    assert dict(zip(drift.sequence, drift.scale_drift, strict=True)) == pytest.approx(
        {name: float(np.std(values, ddof=1)) for name, values in logs.items()}, rel=1e-4
    )
    whole_study = study.summary.query(
        "dataset == 'tube' and protocol == 'median_depth' and model == @NETWORK and metric == 'scale_drift'"
    )
    assert whole_study.value.tolist() == pytest.approx([drift.scale_drift.mean()], rel=1e-9)


def test_7_models_that_none_beats_in_error_and_time(study: Study, results: Path) -> None:
    front = asked(
        f"""WITH both_known AS (
            SELECT model, value, forward_median AS ms FROM '{results}/studies/tiny/summary.parquet'
            JOIN '{results}/studies/tiny/timing.parquet' USING (model)
            WHERE dataset = 'tube' AND protocol = 'median_depth' AND metric = 'abs_rel' AND ci_low IS NOT NULL
        )
        SELECT model FROM both_known a WHERE NOT EXISTS (
            SELECT 1 FROM both_known b WHERE b.value <= a.value AND b.ms <= a.ms
            AND (b.value < a.value OR b.ms < a.ms))"""
    )
    rows = study.summary.query("dataset == 'tube' and protocol == 'median_depth' and metric == 'abs_rel'")
    known = rows[rows.ci_low.notna()].merge(study.timing.astype({"model": str}), on="model")
    points = [
        Point(
            row.model,
            row.value,
            row.ci_low,
            row.ci_high,
            row.forward_median,
            row.forward_median,
            row.forward_median,
        )
        for row in known.itertuples()
    ]
    assert {name for (name,) in front} == {place.name for place in pareto_front(points) if place.on_front}
    assert 0 < len(front) < len(points)


def test_8_the_error_between_two_depths(study: Study) -> None:
    bins = study.depth_error.query("dataset == 'tube' and protocol == 'median_depth' and model == @NETWORK")
    inside = bins[(bins.depth_low >= 30) & (bins.depth_high <= 60)]
    assert len(inside) > 1
    told = float((inside.abs_rel * inside.n_pixels).sum() / inside.n_pixels.sum())
    low, high = inside.depth_low.min(), inside.depth_high.max()
    errors = []
    for sequence, frame in ((name, frame) for name in ("bend", "straight", "wide") for frame in range(8)):
        found = study.frame("tube", sequence, frame)
        error = found.scored(NETWORK, "median_depth").error
        errors.append(error[np.isfinite(error) & (found.depth >= low) & (found.depth < high)])
    assert told == pytest.approx(np.concatenate(errors).mean(), rel=1e-9)
    assert len(np.concatenate(errors)) == inside.n_pixels.sum()


def test_9_each_sequence(study: Study, results: Path) -> None:
    scored = study.frames[study.frames.status == "ok"]
    table = scored.pivot_table(
        index=["dataset", "sequence"], columns=["protocol", "model"], values="abs_rel", observed=True
    )
    for protocol in study.protocols:
        for model, found in whole(results, study.models, protocol).items():
            for sequence, values in found.items():
                assert table.loc[("tube", sequence), (protocol, model)] == pytest.approx(
                    math.fsum(values) / len(values), rel=1e-12
                )
    of_network = table.loc["tube"]["median_depth", NETWORK]
    value = study.summary.query(
        "dataset == 'tube' and protocol == 'median_depth' and model == @NETWORK and metric == 'abs_rel'"
    ).value
    assert value.tolist() == pytest.approx([of_network.mean()], rel=1e-12)


def test_10_the_weights_and_versions_behind_a_number(made: dict[str, Any]) -> None:
    told = card(
        Facts(Results(**{name: made[name] for name in PARTS}), NETWORK, tuple(made["records"]), "sha256:ab")
    )
    store = made["predictions"]["tube", NETWORK]
    digest = json.loads(store.with_suffix(".json").read_text())["weights_digest"]
    versions = {
        json.loads(path.read_text())["versions"]["torch"]
        for path in made["records"]
        if path.is_file() and path.stem.startswith(NETWORK)
    }
    assert f"({digest})" in told
    assert versions == {"2.12.0"}
    assert re.search(r"torch \S*2\.12\.0", told)


def test_somebody_who_was_given_the_crate(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    assert main(["export", "small", "--out", str(tmp_path / "small.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "small.zip") as crate:
        crate.extractall(tmp_path / "got")
    monkeypatch.chdir(tmp_path / "got")
    study = scopedepth.open("results", "small")
    theirs = scopedepth.open(finished.folder / "results", "small")
    for name in ("summary", "frames", "ranks", "comparisons", "models", "protocols"):
        pd.testing.assert_frame_equal(study.table(name), theirs.table(name))
    # What each number stands for is in the tables.
    for field in pq.read_schema("results/studies/small/summary.parquet"):
        assert field.metadata[b"description"]
    described = json.loads(Path("croissant.json").read_text(encoding="utf-8"))
    assert {one["name"] for one in described["recordSet"]} >= {"summary", "frames"}
    # Frames did not come along, and that is what is said.
    with pytest.raises(ScopeDepthError, match=r"results/datasets/one\.zarr is not there") as error:
        study.frame("one", "left", 0)
    assert "\n" not in str(error.value)


def test_the_writer_of_a_paper(made: dict[str, Any], study: Study) -> None:
    given = Results(**{name: made[name] for name in PARTS})
    tables = dict(table_files(given))
    titles = {spec["title"]: name for name, spec in study.models.items() if "<" not in spec["title"]}
    labels = {"AbsRel": "abs_rel", "RMSE (mm)": "rmse", r"$\delta$ \textless{} 1.25": "delta1"}
    found: dict[tuple[str, str], str] = {}
    heads, model = [""], ""
    for cells in cells_of(tables["tube-median_depth"]):
        if cells[0] == "Model":
            heads = [re.sub(r" \$\\(up|down)arrow\$", "", cell) for cell in cells]
            continue
        model = titles.get(cells[0].split(r"\textsuperscript")[0], "") if cells[0] else model
        for head, cell in zip(heads[1:], cells[1:], strict=True):
            if model and head in labels:
                found[model, head] = found.get((model, head), "") + cell
    rows = study.summary.query("dataset == 'tube' and protocol == 'median_depth'")
    told = {(row.model, row.metric): row for row in rows.itertuples()}
    assert len(found) == len(titles) * len(labels)
    for head, metric in labels.items():
        best = study.ranks.query(
            "dataset == 'tube' and protocol == 'median_depth' and metric == @metric and rank_by_value == 1"
        )
        for name in titles.values():
            row, cell = told[name, metric], found[name, head]
            values = [value for value in (row.value, row.ci_low, row.ci_high) if not math.isnan(value)]
            assert re.findall(r"\d+\.\d+", cell) == [metric_value(value, metric) for value in values]
            assert (r"\textbf" in cell) == (name in best.model.tolist())

    # Places under each protocol, and how alike the orders are.
    places = {cells[0].split(r"\textsuperscript")[0]: cells[1:] for cells in cells_of(tables["tube-ranks"])}
    ranks = study.ranks.query("dataset == 'tube' and metric == 'abs_rel'").astype({"model": str})
    for title, name in titles.items():
        for protocol, cell in zip(study.protocols, places[title], strict=True):
            rank = ranks[(ranks.model == name) & (ranks.protocol == protocol)].rank_by_value.tolist()
            place = cell.split(" ")[0]
            assert ([int(place)] if place != "--" else []) == [one for one in rank if one == one]
    rows = study.sensitivity.query("dataset == 'tube' and metric == 'abs_rel'")
    taus = {frozenset((row.protocol_a, row.protocol_b)): row.tau for row in rows.itertuples()}
    assert places[r"Kendall's $\tau$"][1:] == [
        f"{taus[frozenset(('median_depth', one))]:.2f}" for one in [*study.protocols][1:]
    ]

    # Each citation of the text has its entry.
    bibliography, keys = references(given)
    text = methods_tex(given, keys)
    cited = {key for keys in re.findall(r"\\cite\{(.*?)\}", text) for key in keys.split(",")}
    assert cited
    assert cited <= {key for key, _ in entries(bibliography)}
    # Sentences are whole: none begins in the middle.
    assert not re.search(r"\. [a-z]+ [A-Z]", text.replace("et al. ", ""))


def cells_of(table: str) -> list[list[str]]:
    """Return the cells of a LaTeX table's rows."""
    lines = [line.removesuffix(r" \\") for line in table.splitlines() if line.endswith(r" \\")]
    return [[cell.strip() for cell in line.split(" & ")] for line in lines]
