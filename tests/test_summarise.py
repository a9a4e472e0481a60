"""From tables of frames to the tables of a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from scopedepth.config.protocols import ProtocolSpec
from scopedepth.errors import ScopeDepthError
from scopedepth.statistics.summarise import summarise_study
from scopedepth.tables import frames, timing
from scopedepth.tables.frames import SCORES, with_metrics
from scopedepth.tables.io import read_table, write_table
from scopedepth.tables.study import NAME_TABLES, STUDY_TABLES
from scopedepth.vocabulary.metrics import METRICS

Row = dict[str, Any]
# A dataset's facts of lineage: the patient is the letter, frames are known by number.
FOOTAGE = {
    "sequences": [], "same_as": [], "patient": "(.).*", "device": {}, "frames": [0, None, 1], "listed": False,
    "files": "f", "source": "s",
}  # fmt: skip


class Bench:
    """A study made of arrays instead of images: give scores, get the rows of its tables."""

    def __init__(self, folder: Path, lengths: dict[str, int], unit: str = "mm") -> None:
        self.folder = folder
        self.lengths = lengths
        self.dataset: Row = {"depth": {"unit": unit}}
        self.models: dict[str, Any] = {}
        self.protocols: dict[str, Any] = {}
        self.scores: list[Path] = []
        self.metrics: list[str] | None = ["abs_rel"]
        self.name = "colon"
        self.lineage: Row = {"datasets": {self.name: FOOTAGE}, "models": {}}
        self.allow_seen = False
        self.made: tuple[int, dict[str, Path]] | None = None

    def protocol(self, name: str, **changes: Any) -> None:
        spec = {"title": name, "metrics": ["abs_rel", "delta1"], **changes}
        self.protocols[name] = {"name": name, **ProtocolSpec.model_validate(spec).model_dump()}

    def model(
        self, name: str, kind: str = "depth", family: str = "onnx", trained_on: list[Row] | None = None
    ) -> None:
        self.models[name] = {
            "name": name, "family": family, "output": {"kind": kind},
        }  # fmt: skip
        self.lineage["models"][name] = trained_on or []

    def add(
        self,
        model: str,
        protocol: str,
        values: dict[str, np.ndarray],
        status: np.ndarray | None = None,
        scale: np.ndarray | None = None,
        split: bool = False,
        coverage: np.ndarray | None = None,
    ) -> None:
        """Write the tables of a model and protocol; NaN is null. With `split`, one of each a sequence."""
        if model not in self.models:
            self.model(model)
        if protocol not in self.protocols:
            self.protocol(protocol)
        first = 0
        groups = [{name: n} for name, n in self.lengths.items()] if split else [self.lengths]
        for group in groups:
            n = sum(group.values())
            part = slice(first, first + n)
            first += n
            keys: dict[str, Any] = {
                "dataset": [self.name] * n,
                "sequence": [name for name, count in group.items() for _ in range(count)],
                "frame": [i for count in group.values() for i in range(count)],
                "frame_id": [f"f{i}" for i in range(n)],
                "model": [model] * n,
                "protocol": [protocol] * n,
                "n_pixels": [100] * n,
                "coverage": [1.0] * n if coverage is None else coverage[part],
                "status": ["ok"] * n if status is None else [str(s) for s in status[part]],
            }
            stem = f"{len(self.scores)}-{model}-{protocol}.parquet"
            nothing = np.full(n, np.nan)
            columns = {name: values[name][part] if name in values else nothing for name in METRICS}
            self.scores.append(self.folder / "scores" / stem)
            fit = {"scale": nothing if scale is None else scale[part], "offset": np.ones(n)}
            write_table(self.scores[-1], SCORES, keys | columns | fit)

    def run(
        self, to: str = "out", order: Callable[[list[Path]], list[Path]] = list, **study: Any
    ) -> dict[str, Path]:
        out = {name: self.folder / to / f"{name}.parquet" for name in STUDY_TABLES}
        spec: Any = {
            "lineage": self.lineage, "allow_seen": self.allow_seen,
            "name": "s", "title": "", "datasets": [self.name], "models": list(self.models),
            "protocols": list(self.protocols), "headline": {"protocol": "p", "metric": "abs_rel"},
            "metrics": self.metrics, "bootstrap": {"replicates": 400, "seed": 0}, "timing": {"realtime_fps": 30.0},
        }  # fmt: skip
        dataset: Any = self.dataset
        summarise_study(
            spec | study, {self.name: dataset}, self.models, self.protocols,
            order(self.scores), [], out,
        )  # fmt: skip
        return out

    def rows(self, table: str, **where: Any) -> list[Row]:
        if self.made is None or self.made[0] != len(self.scores):
            self.made = len(self.scores), self.run()
        found = read_table(self.made[1][table]).to_pylist()
        return [row for row in found if all(row[key] == value for key, value in where.items())]

    def row(self, table: str, **where: Any) -> Row:
        rows = self.rows(table, **where)
        assert len(rows) == 1, rows
        return rows[0]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, {"s1": 20, "s2": 40})


def noisy(rng: np.random.Generator, level: float, n: int = 60, spread: float = 0.01) -> dict[str, np.ndarray]:
    return {"abs_rel": level + spread * rng.random(n), "delta1": 1 - level + spread * rng.random(n)}


def test_each_frame_has_its_fit_and_its_protocols_version(bench: Bench, rng: np.random.Generator) -> None:
    values, scale = noisy(rng, 0.1), rng.random(60)
    bench.add("a", "p", values, scale=scale, split=True)
    bench.protocols["p"]["version"] = 7
    rows = bench.rows("frames")
    assert [row["scale"] for row in rows] == scale.tolist()
    assert [row["abs_rel"] for row in rows] == values["abs_rel"].tolist()
    assert {(row["offset"], row["protocol_version"]) for row in rows} == {(1.0, 7)}


def test_no_column_is_called_as_something_that_pandas_has() -> None:
    """`frame.rank` and the like would be a method, and not the column."""
    pandas = pytest.importorskip("pandas")
    taken = {*dir(pandas.DataFrame), *dir(pandas.Series)}
    schemas = {**STUDY_TABLES, **NAME_TABLES}
    for module in (frames, timing):
        schemas |= {name: value for name, value in vars(module).items() if isinstance(value, pa.Schema)}
    assert {"ALIGNMENTS", "SCORES"} < schemas.keys()
    assert {
        (table, name) for table, schema in schemas.items() for name in schema.names if name in taken
    } == set()


def test_all_tables_have_their_schemas(bench: Bench, rng: np.random.Generator) -> None:
    bench.metrics = None
    bench.add("a", "p", noisy(rng, 0.1), scale=np.ones(60))
    bench.add("b", "p", noisy(rng, 0.2), scale=np.ones(60))
    for name, path in bench.run().items():
        schema, wanted = read_table(path).schema, with_metrics(STUDY_TABLES[name], [])
        assert schema.names == wanted.names
        assert schema.metadata == wanted.metadata
        assert [field.metadata for field in schema] == [field.metadata for field in wanted]
    assert {row["metric"] for row in bench.rows("summary")} == {"abs_rel", "delta1", "scale_drift"}
    assert bench.rows("timing") == []
    assert len(bench.rows("frames")) == 120


def test_means_as_the_protocol_averages(bench: Bench, rng: np.random.Generator) -> None:
    values = noisy(rng, 0.1)
    bench.protocol("p", averaging="sequences")
    bench.protocol("q", averaging="frames", version=3)
    for protocol in "pq":
        bench.add("a", protocol, values)
    x = values["abs_rel"]
    row = bench.row("summary", protocol="p")
    assert row["value"] == pytest.approx((x[:20].mean() + x[20:].mean()) / 2)
    assert (row["n_frames"], row["n_sequences"], row["n_failed"], row["status"]) == (60, 2, 0, "ok")
    assert row["ci_low"] < row["value"] < row["ci_high"]
    assert row["ci_scope"] == "these sequences"
    frames = bench.row("summary", protocol="q")
    assert frames["value"] == pytest.approx(x.mean())
    assert frames["protocol_version"] == 3


def test_units_of_one_sequence_are_one_dataset(tmp_path: Path, rng: np.random.Generator) -> None:
    values = noisy(rng, 0.1)
    tables = []
    for name, split in (("whole", False), ("split", True)):
        bench = Bench(tmp_path / name, {"s1": 20, "s2": 40})
        bench.add("a", "p", values, split=split)
        bench.add("b", "p", noisy(np.random.default_rng(1), 0.2), split=split)
        tables.append(bench.run())
    for table in ("summary", "comparisons", "ranks"):
        assert tables[0][table].read_bytes() == tables[1][table].read_bytes()


def test_seven_sequences_speak_of_new_ones(tmp_path: Path, rng: np.random.Generator) -> None:
    bench = Bench(tmp_path, {f"s{i}": 10 for i in range(7)})
    bench.add("a", "p", noisy(rng, 0.1, 70))
    assert bench.row("summary")["ci_scope"] == "new sequences"


def test_the_better_of_two(bench: Bench, rng: np.random.Generator) -> None:
    bench.metrics = None
    a, b = noisy(rng, 0.1), noisy(rng, 0.3)
    bench.add("a", "p", a)
    bench.add("b", "p", b)
    row = bench.row("comparisons", metric="abs_rel")
    assert (row["model_a"], row["model_b"], row["n_frames"], row["status"]) == ("a", "b", 60, "ok")
    gap = a["abs_rel"] - b["abs_rel"]
    assert row["difference"] == pytest.approx((gap[:20].mean() + gap[20:].mean()) / 2)
    assert row["ci_low"] < row["difference"] < row["ci_high"] < 0
    assert row["p"] == row["p_holm"] < 0.001
    for metric in ("abs_rel", "delta1"):
        first = bench.row("ranks", metric=metric, model="a")
        assert (first["rank_by_value"], first["rank_low"], first["rank_high"], first["tied_with"]) == (
            1,
            1,
            1,
            [],
        )
        assert first["protocols_won"] == 1
        assert bench.row("ranks", metric=metric, model="b")["rank_low"] == 2


def test_models_too_close_to_tell_apart(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", noisy(rng, 0.1, spread=0.05))
    bench.add("b", "p", noisy(rng, 0.1, spread=0.05))
    bench.add("c", "p", noisy(rng, 0.5, spread=0.05))
    ranks = {row["model"]: row for row in bench.rows("ranks")}
    assert {ranks["a"]["rank_by_value"], ranks["b"]["rank_by_value"]} == {1, 2}
    assert (ranks["a"]["tied_with"], ranks["b"]["tied_with"]) == (["b"], ["a"])
    assert [ranks[name]["rank_low"] for name in "abc"] == [1, 1, 3]
    assert [ranks[name]["rank_high"] for name in "abc"] == [2, 2, 3]


def test_pairing_sees_what_single_intervals_hide(bench: Bench, rng: np.random.Generator) -> None:
    """Frames differ much more than the models do on each of them."""
    hard = rng.random(60)
    bench.add("a", "p", {"abs_rel": hard})
    bench.add("b", "p", {"abs_rel": hard + 0.01 + 0.002 * rng.random(60)})
    summary = {row["model"]: row for row in bench.rows("summary")}
    assert summary["a"]["ci_high"] > summary["b"]["ci_low"]
    assert bench.row("comparisons")["p"] < 0.001


def test_the_order_of_models_and_files_does_not_matter(bench: Bench, rng: np.random.Generator) -> None:
    for name, level in (("b", 0.2), ("a", 0.1), ("c", 0.15)):
        for protocol in "qp":
            bench.add(name, protocol, noisy(rng, level), scale=rng.random(60) + 1)
    one = bench.run("one")
    other = bench.run("other", lambda paths: paths[::-1], models=["c", "a", "b"], protocols=["p", "q"])
    for name in STUDY_TABLES:
        assert one[name].read_bytes() == other[name].read_bytes()


def test_another_model_changes_nothing_for_the_others(tmp_path: Path) -> None:
    tables = []
    for names in ("ab", "abcd"):
        bench = Bench(tmp_path / names, {"s1": 20, "s2": 40})
        for name in names:
            rng = np.random.default_rng(ord(name))
            status = np.where(np.arange(60) % 7 == 0, "failed_prediction", "ok") if name == "d" else None
            values = noisy(rng, 0.1)
            if status is not None:
                values["abs_rel"][status != "ok"] = np.nan
            bench.add(name, "p", values, status=status)
        tables.append((bench.rows("summary"), bench.rows("comparisons")))
    (few, few_pairs), (many, many_pairs) = tables
    assert few == [row for row in many if row["model"] in "ab"]
    pair = next(row for row in many_pairs if (row["model_a"], row["model_b"]) == ("a", "b"))
    assert few_pairs[0] | {"p_holm": None} == pair | {"p_holm": None}
    assert pair["p_holm"] >= few_pairs[0]["p_holm"]


# Failures.


def test_a_model_that_fails_on_frames_is_not_ranked(bench: Bench, rng: np.random.Generator) -> None:
    status = np.full(60, "ok", dtype="U20")
    status[[3, 30, 31]] = ["negative_scale", "nonfinite_prediction", "failed_prediction"]
    values = noisy(rng, 0.01)  # it would be first
    values["abs_rel"][status != "ok"] = np.nan
    bench.add("a", "p", noisy(rng, 0.1))
    bench.add("b", "p", values, status)
    bench.add("c", "p", noisy(rng, 0.2))
    row = bench.row("summary", model="b")
    assert (row["n_frames"], row["n_failed"], row["n_negative_scale"], row["status"]) == (
        57,
        3,
        1,
        "incomplete",
    )
    assert row["value"] is not None
    assert row["ci_low"] is not None
    rank = bench.row("ranks", model="b")
    assert [rank[key] for key in ("rank_by_value", "rank_low", "rank_high", "tied_with", "status")] == [
        None
    ] * 4 + ["incomplete"]
    assert [bench.row("ranks", model=name)["rank_by_value"] for name in "ac"] == [1, 2]
    pair = bench.row("comparisons", model_a="a", model_b="b")
    assert (pair["difference"], pair["p"], pair["n_frames"], pair["status"]) == (None, None, 57, "incomplete")
    assert bench.row("comparisons", model_a="a", model_b="c")["p_holm"] is not None


def test_frames_without_depth_are_nobodys_fault(bench: Bench, rng: np.random.Generator) -> None:
    status = np.full(60, "ok", dtype="U20")
    status[[0, 25, 26]] = ["unreadable_frame", "no_valid_pixels", "too_few_pixels"]
    for name, level in (("a", 0.1), ("b", 0.2)):
        values = noisy(rng, level)
        values["abs_rel"][status != "ok"] = np.nan
        bench.add(name, "p", values, status)
    row = bench.row("summary", model="a")
    assert (row["n_frames"], row["n_failed"], row["status"]) == (57, 0, "ok")
    assert bench.row("comparisons")["n_frames"] == 57
    assert bench.row("ranks", model="a")["rank_by_value"] == 1


def test_a_frame_that_one_model_could_do_is_due_from_all(bench: Bench, rng: np.random.Generator) -> None:
    values, status = noisy(rng, 0.1), np.full(60, "ok", dtype="U20")
    values["abs_rel"][5], status[5] = np.nan, "too_few_pixels"
    bench.add("a", "p", values, status)
    bench.add("b", "p", noisy(rng, 0.2))
    assert bench.row("summary", model="a")["n_failed"] == 1


def test_a_model_that_fails_everywhere(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", noisy(rng, 0.1))
    bench.add("b", "p", {}, np.full(60, "failed_prediction"))
    row = bench.row("summary", model="b")
    assert [row[key] for key in ("value", "ci_low", "skill", "n_frames", "n_failed")] == [
        None,
        None,
        None,
        0,
        60,
    ]
    assert row["status"] == "failed_prediction"
    assert bench.row("ranks", model="a")["rank_by_value"] == 1


def test_all_models_fail(bench: Bench) -> None:
    for name in "ab":
        bench.add(name, "p", {}, np.full(60, "nonfinite_prediction"))
    assert [row["n_failed"] for row in bench.rows("summary")] == [60, 60]
    assert [row["rank_by_value"] for row in bench.rows("ranks")] == [None, None]
    assert bench.row("comparisons")["difference"] is None
    assert [row["protocols_won"] for row in bench.rows("ranks")] == [None, None]


def test_nothing_but_frames_without_depth(bench: Bench) -> None:
    bench.add("a", "p", {}, np.full(60, "no_valid_pixels"))
    row = bench.row("summary")
    assert (row["value"], row["n_failed"], row["status"]) == (None, 0, "no_valid_pixels")


def test_a_protocol_that_does_not_apply(bench: Bench, rng: np.random.Generator) -> None:
    bench.model("b", kind="disparity")
    bench.add("a", "p", noisy(rng, 0.1))
    bench.add("b", "p", {}, np.full(60, "not_applicable"))
    row = bench.row("summary", model="b")
    assert (row["value"], row["n_failed"], row["status"]) == (None, 0, "not_applicable")
    assert bench.row("comparisons")["status"] == "not_applicable"


def test_order_without_alignment_is_all_that_a_disparity_permits(
    bench: Bench, rng: np.random.Generator
) -> None:
    bench.metrics = None
    bench.protocol("p", metrics=["abs_rel", "spearman"])
    bench.model("b", kind="disparity")
    bench.add("a", "p", {"abs_rel": rng.random(60), "spearman": rng.random(60)}, scale=np.ones(60))
    bench.add("b", "p", {"spearman": rng.random(60)}, scale=np.ones(60))
    status = {row["metric"]: (row["status"], row["n_failed"]) for row in bench.rows("summary", model="b")}
    assert status == {
        "abs_rel": ("not_applicable", 0), "spearman": ("ok", 0), "scale_drift": ("not_applicable", 0)
    }  # fmt: skip
    assert bench.row("ranks", model="b", metric="spearman")["rank_by_value"] in (1, 2)


def test_metrics_with_a_unit_want_depth_with_one(tmp_path: Path, rng: np.random.Generator) -> None:
    bench = Bench(tmp_path, {"s": 30}, unit="relative")
    bench.metrics = None
    bench.protocol("p", metrics=["abs_rel", "rmse"])
    bench.add("a", "p", {"abs_rel": rng.random(30)})
    row = bench.row("summary", metric="rmse")
    assert (row["value"], row["status"], row["n_failed"]) == (None, "no_unit", 0)


def test_a_metric_missing_on_some_frames_for_everyone(bench: Bench, rng: np.random.Generator) -> None:
    """No edge in the reference: no boundary metric, although the frame is fine."""
    bench.metrics = None
    bench.protocol("p", metrics=["boundary_f1"])
    for name in "ab":
        values = rng.random(60)
        values[:30] = np.nan
        bench.add(name, "p", {"boundary_f1": values})
    row = bench.row("summary", model="a", metric="boundary_f1")
    assert (row["n_frames"], row["n_sequences"], row["n_failed"], row["status"]) == (30, 1, 0, "ok")


# Few data.


def test_one_frame(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"s": 1})
    bench.add("a", "p", {"abs_rel": np.array([0.1])})
    bench.add("b", "p", {"abs_rel": np.array([0.2])})
    row = bench.row("summary", model="a")
    assert (row["value"], row["ci_low"], row["ci_scope"], row["status"]) == (0.1, None, "none", "ok")
    pair = bench.row("comparisons")
    assert (pair["difference"], pair["p"], pair["p_holm"], pair["status"]) == (
        pytest.approx(-0.1),
        None,
        None,
        "no_interval",
    )
    rank = bench.row("ranks", model="a")
    assert (rank["rank_by_value"], rank["rank_low"], rank["rank_high"], rank["tied_with"]) == (1, 1, 2, ["b"])


def test_constant_scores(bench: Bench) -> None:
    for name, level in (("a", 0.1), ("b", 0.1), ("c", 0.3)):
        bench.add(name, "p", {"abs_rel": np.full(60, level)})
    row = bench.row("summary", model="a")
    assert row["ci_low"] == pytest.approx(0.1)
    assert row["ci_high"] == pytest.approx(0.1)
    assert bench.row("comparisons", model_a="a", model_b="b")["p"] == 1
    assert bench.row("comparisons", model_a="a", model_b="c")["p_holm"] < 0.001
    assert [bench.row("ranks", model=name)["rank_by_value"] for name in "abc"] == [1, 1, 3]
    assert [row["protocols_won"] for row in bench.rows("ranks")] == [1, 1, 0]


# Skill, training data, drift, sensitivity.


def test_skill_is_against_the_better_baseline(bench: Bench, rng: np.random.Generator) -> None:
    bench.metrics = None
    bench.model("constant", family="baseline")
    bench.model("brightness", family="baseline")
    for name, level in (("constant", 0.4), ("brightness", 0.2), ("a", 0.1), ("worse", 0.3)):
        bench.add(name, "p", noisy(rng, level))
    rows = {row["model"]: row for row in bench.rows("summary", metric="abs_rel")}
    best = rows["brightness"]["value"]
    for row in rows.values():
        assert row["skill"] == pytest.approx(1 - row["value"] / best)
        assert row["skill_ci_low"] - 1e-12 <= row["skill"] <= row["skill_ci_high"] + 1e-12
    assert rows["a"]["skill_ci_low"] > 0 > rows["worse"]["skill_ci_high"]
    assert {row["skill"] for row in bench.rows("summary", metric="delta1")} == {None}


def test_no_skill_without_a_baseline_that_has_all_frames(bench: Bench, rng: np.random.Generator) -> None:
    bench.model("brightness", family="baseline")
    values, status = noisy(rng, 0.2), np.full(60, "ok", dtype="U20")
    values["abs_rel"][0], status[0] = np.nan, "failed_prediction"
    bench.add("brightness", "p", values, status)
    bench.add("a", "p", noisy(rng, 0.1))
    assert {row["skill"] for row in bench.rows("summary")} == {None}


def test_seen_in_training_stands_in_every_row(bench: Bench, rng: np.random.Generator) -> None:
    bench.model("a", trained_on=[{"dataset": "colon", "sequences": ["s1"], "held_out": None}])
    bench.model("b", trained_on=[{"unknown": True}])
    bench.add("a", "p", noisy(rng, 0.1), scale=np.ones(60))
    bench.add("b", "p", noisy(rng, 0.1), scale=np.ones(60))
    with pytest.raises(
        ScopeDepthError, match=r"^studies\.s: a was trained on frames of colon \(sequence s1\)"
    ):
        bench.run()
    bench.allow_seen = True
    for table in ("summary", "ranks"):
        assert [row["seen_in_training"] for row in bench.rows(table, metric="abs_rel")] == [
            "frames",
            "unknown",
        ]
    pair = bench.row("comparisons", metric="abs_rel")
    assert (pair["seen_in_training_a"], pair["seen_in_training_b"]) == ("frames", "unknown")
    for table in ("frames", "drift"):
        found = {(row["sequence"], row["seen_in_training"]) for row in bench.rows(table, model="a")}
        assert found == {("s1", "frames"), ("s2", "patient")}


def test_scale_drift_of_each_sequence(bench: Bench, rng: np.random.Generator) -> None:
    bench.metrics = ["scale_drift"]
    steady, wandering = np.full(60, 3.0), np.exp(rng.standard_normal(60))
    bench.add("a", "p", noisy(rng, 0.1), scale=steady)
    bench.add("b", "p", noisy(rng, 0.1), scale=wandering)
    logs = np.log(wandering)
    row = bench.row("summary", model="b")
    assert row["metric"] == "scale_drift"
    assert row["value"] == pytest.approx((logs[:20].std(ddof=1) + logs[20:].std(ddof=1)) / 2)
    assert row["ci_low"] < row["value"] < row["ci_high"]
    assert bench.row("summary", model="a")["value"] == pytest.approx(0, abs=1e-12)
    assert bench.row("ranks", model="a")["rank_by_value"] == 1


def test_no_drift_where_frames_share_a_factor(bench: Bench, rng: np.random.Generator) -> None:
    bench.metrics = None
    bench.protocol("p", alignment={"method": "median", "scope": "sequence"})
    bench.add("a", "p", noisy(rng, 0.1), scale=np.ones(60))
    assert not bench.rows("summary", metric="scale_drift")


def test_a_ranking_that_turns_round(bench: Bench, rng: np.random.Generator) -> None:
    levels = {"p": {"a": 0.1, "b": 0.2, "c": 0.9}, "q": {"a": 0.2, "b": 0.1, "c": 0.9}}
    for protocol, by_model in levels.items():
        for name, level in by_model.items():
            bench.add(name, protocol, noisy(rng, level))
    row = bench.row("sensitivity")
    assert (row["protocol_a"], row["protocol_b"], row["n_models"]) == ("p", "q", 3)
    assert row["tau"] == pytest.approx(1 / 3)
    assert row["flips"] == row["significant_flips"] == ["a > b"]
    assert (row["n_flips"], row["n_significant_flips"]) == (1, 1)
    assert {r["model"]: r["protocols_won"] for r in bench.rows("ranks", protocol="p")} == {
        "a": 0.5,
        "b": 0.5,
        "c": 0,
    }


def test_a_flip_within_the_noise_is_not_significant(bench: Bench, rng: np.random.Generator) -> None:
    noise = rng.random(60)
    bench.add("a", "p", {"abs_rel": noise})
    bench.add("b", "p", {"abs_rel": noise[::-1].copy() + 1e-6})
    bench.add("a", "q", {"abs_rel": noise + 0.5})
    bench.add("b", "q", {"abs_rel": noise})
    row = bench.row("sensitivity")
    if row["n_flips"]:
        assert row["n_significant_flips"] == 0
    assert row["n_models"] == 2


def test_one_model_or_one_protocol(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", noisy(rng, 0.1))
    assert bench.rows("comparisons") == []
    assert bench.rows("sensitivity") == []
    bench.add("a", "q", noisy(rng, 0.1))
    row = bench.row("sensitivity")
    assert (row["tau"], row["n_models"], row["n_flips"], row["flips"]) == (None, 1, 0, [])


def test_a_constant_map_has_no_factor_to_drift(bench: Bench, rng: np.random.Generator) -> None:
    bench.metrics = None
    bench.add("a", "p", noisy(rng, 0.1), scale=np.exp(rng.standard_normal(60)))
    bench.add("constant", "p", noisy(rng, 0.1), scale=np.zeros(60))
    row = bench.row("summary", model="constant", metric="scale_drift")
    assert (row["value"], row["n_failed"], row["status"]) == (None, 0, "undefined")
    assert bench.row("ranks", model="a", metric="scale_drift")["rank_by_value"] == 1


def test_drift_by_sequence_is_what_the_summary_averages(tmp_path: Path, rng: np.random.Generator) -> None:
    bench = Bench(tmp_path, {"long": 450, "short": 30})
    bench.metrics = None
    scale = np.exp(0.2 * rng.standard_normal(480))
    scale[[3, 460]] = np.nan, -1.0
    bench.add("a", "p", noisy(rng, 0.1, 480), scale=scale, split=True)
    long, short = (bench.row("drift", sequence=name) for name in ("long", "short"))
    logs = np.log(np.where(scale > 0, scale, np.nan))
    assert long["scale_drift"] == pytest.approx(np.nanstd(logs[:450], ddof=1))
    assert short["scale_drift"] == pytest.approx(np.nanstd(logs[450:], ddof=1))
    assert (long["n_frames"], long["n_factors"], short["n_factors"]) == (450, 449, 29)
    value = bench.row("summary", metric="scale_drift")["value"]
    assert value == pytest.approx((long["scale_drift"] + short["scale_drift"]) / 2)
    assert long["frames"] == list(range(0, 450, 3))
    assert short["frames"] == list(range(30))
    relative = np.array(long["relative_scales"], float)
    np.testing.assert_allclose(relative, scale[:450:3] / np.nanmedian(scale[:450]), rtol=1e-12)
    assert long["relative_scales"][1] is None
    assert short["relative_scales"][10] is None
    # Also where the study does not ask for the metric; not under a protocol that fits no factor to a frame.
    bench.metrics = ["abs_rel"]
    bench.protocol("whole", alignment={"method": "median", "scope": "sequence"})
    bench.add("a", "whole", noisy(rng, 0.1, 480), scale=scale, split=True)
    assert {row["protocol"] for row in bench.rows("drift")} == {"p"}


def test_intervals_keep_to_what_a_metric_can_be(bench: Bench, rng: np.random.Generator) -> None:
    bench.metrics = None
    wild = np.where(rng.random(60) < 0.05, 1.0, 0.0)
    bench.add("a", "p", {"abs_rel": wild, "delta1": 1 - wild})
    error, share = bench.row("summary", metric="abs_rel"), bench.row("summary", metric="delta1")
    assert 0 <= error["ci_low"] <= error["value"] <= error["ci_high"]
    assert share["ci_low"] <= share["value"] <= share["ci_high"] <= 1


def test_a_drifting_curve_is_marked(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", {"abs_rel": 1 + np.linspace(0, 1, 60)})
    bench.add("b", "p", {"abs_rel": rng.random(60)})
    assert bench.row("summary", model="a")["ci_caution"] == "few independent frames"
    assert bench.row("summary", model="b")["ci_caution"] == "no"
    assert bench.row("comparisons")["ci_caution"] in ("no", "few independent frames")


def test_sequences_of_unlike_length_are_marked(tmp_path: Path, rng: np.random.Generator) -> None:
    bench = Bench(tmp_path, {f"s{i}": 10 for i in range(7)} | {"whole": 120})
    for protocol in ("frames", "sequences"):
        bench.protocol(protocol, averaging=protocol)
        for model in ("a", "b"):
            bench.add(model, protocol, {"abs_rel": rng.random(190)})
    row = bench.row("summary", model="a", protocol="frames")
    assert row["n_sequences_effective"] == pytest.approx(19**2 / (7 + 144))
    assert (row["ci_scope"], row["ci_caution"]) == ("new sequences", "few effective sequences")
    pair = bench.row("comparisons", protocol="frames")
    assert (pair["ci_scope"], pair["ci_caution"]) == ("new sequences", "few effective sequences")
    row = bench.row("summary", model="a", protocol="sequences")
    assert row["n_sequences_effective"] == pytest.approx(8)
    assert row["ci_caution"] == bench.row("comparisons", protocol="sequences")["ci_caution"] == "no"


def test_comparisons_say_which_sequences_they_are_about(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", noisy(rng, 0.1))
    bench.add("b", "p", noisy(rng, 0.2))
    bench.add("c", "p", {"abs_rel": np.full(60, np.nan)}, np.array(["failed_prediction"] * 60))
    assert bench.row("comparisons", model_a="a", model_b="b")["ci_scope"] == "these sequences"
    assert bench.row("comparisons", model_a="a", model_b="c")["ci_scope"] == "none"


# Bad input.


def test_a_missing_table_is_named(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", noisy(rng, 0.1))
    bench.add("b", "p", noisy(rng, 0.1))
    bench.scores.pop()
    with pytest.raises(ScopeDepthError, match="b on colon under p"):
        bench.run()


def test_tables_of_other_frames_are_refused(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", noisy(rng, 0.1))
    bench.lengths = {"s1": 20, "s2": 39}
    bench.add("b", "p", noisy(rng, 0.1))
    with pytest.raises(ScopeDepthError, match="frames of a"):
        bench.run()


def test_a_table_that_mixes_models_is_refused(bench: Bench, rng: np.random.Generator) -> None:
    bench.add("a", "p", noisy(rng, 0.1))
    table = read_table(bench.scores[0])
    mixed = table.set_column(table.schema.get_field_index("model"), "model", [["a"] * 59 + ["b"]])
    write_table(bench.scores[0], SCORES, [mixed])
    with pytest.raises(ScopeDepthError, match="2 values of 'model'"):
        bench.run()


def test_the_tables_have_the_same_bytes_each_time(bench: Bench, rng: np.random.Generator) -> None:
    """In one process, too, in which memory holds what was there before."""
    for model, level in (("a", 0.1), ("b", 0.2)):
        bench.add(model, "p", noisy(rng, level))
    first, *others = [
        {name: path.read_bytes() for name, path in bench.run(f"run{number}").items()} for number in range(5)
    ]
    assert all(other == first for other in others)


def test_corrupted_views_stand_in_tables_of_their_own(bench: Bench, rng: np.random.Generator) -> None:
    """Values, ranks and paired changes of each view; the other tables are those of the clean frames alone."""
    clean = {"a": noisy(rng, 0.1), "b": noisy(rng, 0.2)}
    for model, values in clean.items():
        bench.add(model, "p", values)
    alone = {
        name: path.read_bytes() for name, path in bench.run("alone", metrics=["abs_rel", "delta1"]).items()
    }
    # Smoke adds 0.3 to the one, frame by frame, and nothing to the other.
    worse = {name: values + (0.3 if name == "abs_rel" else -0.3) for name, values in clean["a"].items()}
    bench.name = "colon_smoke_3"
    bench.add("a", "p", worse)
    bench.add("b", "p", clean["b"])
    bench.name = "colon"
    robustness = {
        "baseline": "b",
        "views": {"colon_smoke_3": {"dataset": "colon", "kind": "smoke", "severity": 3}},
    }
    made = bench.run("both", robustness=robustness, metrics=["abs_rel", "delta1"])
    rows = read_table(made["robustness"]).to_pylist()
    by_key = {(row["kind"], row["severity"], row["model"], row["metric"]): row for row in rows}
    assert len(rows) == len(by_key) == 2 * 2 * 2
    a = by_key["smoke", 3, "a", "abs_rel"]
    assert (a["view"], a["dataset"], a["status"], a["n_frames"]) == ("colon_smoke_3", "colon", "ok", 60)
    assert a["value"] == pytest.approx(by_key["clean", 0, "a", "abs_rel"]["value"] + 0.3, abs=1e-12)
    # The same on each frame: the interval of the change is a point, and that of the value as wide as before.
    ends = [a["change"], a["change_ci_low"], a["change_ci_high"]]
    assert ends == pytest.approx([0.3, 0.3, 0.3], abs=1e-9)
    before = by_key["clean", 0, "a", "abs_rel"]
    assert a["ci_high"] - a["ci_low"] == pytest.approx(before["ci_high"] - before["ci_low"], abs=1e-9)
    assert before["change"] is None
    assert [
        by_key[kind, at, "a", "abs_rel"]["rank_by_value"] for kind, at in (("clean", 0), ("smoke", 3))
    ] == [1, 2]
    assert (a["rank_low"], by_key["smoke", 3, "b", "abs_rel"]["rank_high"]) == (2, 1)
    rates = {row["model"]: row for row in read_table(made["resilience"]).to_pylist()}
    assert rates["b"]["mce"] == pytest.approx(100, abs=1e-9)
    assert rates["b"]["mrr"] == pytest.approx(100, abs=1e-9)

    def dee(kind: str, at: int, model: str) -> float:
        return (
            by_key[kind, at, model, "abs_rel"]["value"] - by_key[kind, at, model, "delta1"]["value"] + 1
        ) / 2

    assert rates["a"]["mce"] == pytest.approx(100 * dee("smoke", 3, "a") / dee("smoke", 3, "b"), abs=1e-9)
    mrr = 100 * (1 - dee("smoke", 3, "a")) / (1 - dee("clean", 0, "a"))
    assert rates["a"]["mrr"] == pytest.approx(mrr, abs=1e-9)
    # All other tables are those of a study without corruptions, byte by byte.
    own = ("robustness", "resilience")
    assert {name for name in STUDY_TABLES if made[name].read_bytes() != alone[name]} == set(own)
    lacking = [path for path in bench.scores if path != bench.scores[-1]]
    with pytest.raises(ScopeDepthError, match="no scores of b on colon_smoke_3 under p"):
        bench.run("lacking", order=lambda _: lacking, robustness=robustness)
