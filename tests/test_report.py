"""The report as a file: what it says, what it must not say, and that nothing in it can hurt."""

from __future__ import annotations

import base64
import html.parser
import json
import re
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from markupsafe import escape

from report_study import HOSTILE, tiny_study
from scopedepth.report.html.page import safe_json, write_report
from scopedepth.report.html.parts.lines import Line, line_chart, y_range
from scopedepth.report.html.parts.marks import Look, looks
from scopedepth.report.html.parts.pictures import colours, mapped, smaller
from scopedepth.report.html.parts.svg import log_ticks, nice_ticks
from scopedepth.report.html.remarks import certainty
from scopedepth.report.html.sections import depth_error, drift
from scopedepth.report.html.sections.gallery import choose, values_by_frame
from scopedepth.report.html.sections.ranking import pairs_table
from scopedepth.report.html.verdict import headline, leader
from scopedepth.report.letters import letters
from scopedepth.report.methods import methods_text
from scopedepth.report.paper.latex import scores_caption
from scopedepth.report.results import Results
from scopedepth.report.words import interval, listed, metric_value, number, parameters, plural, significant
from scopedepth.tables.io import read_table, write_table
from scopedepth.tables.study import COMPARISONS, RANKS, REFERENCE, RESILIENCE, ROBUSTNESS, SUMMARY


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_study(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def page(study: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report(**study, out=out)
    return out.read_text(encoding="utf-8")


def results_of(study: dict[str, Any], **changed: Any) -> Results:
    return Results(**{**study, **changed})


class Reader(html.parser.HTMLParser):
    """Collects elements, their attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def packs(page: str) -> dict[str, dict[str, Any]]:
    """Return what is packed in a page, by dataset and key."""
    found = re.findall(r'data-pack="(.*?)">(.*?)</script>', page)
    return {dataset: json.loads(zlib.decompress(base64.b64decode(pack))) for dataset, pack in found}


def test_each_choice_stands_in_the_page_or_in_a_pack(study: dict[str, Any], page: str) -> None:
    results = results_of(study)
    keys = re.findall(r'data-key="ranking\|(.*?)"', page)
    assert keys == [f"{dataset}|median_depth|abs_rel" for dataset in ("tube", "cave", "absent")]
    packed = {
        key.partition("|")[2] for pack in packs(page).values() for key in pack if key.startswith("ranking|")
    }
    scored = {(row["dataset"], row["protocol"], row["metric"]) for row in results.summary}
    assert {"|".join(key) for key in scored} <= packed | set(keys)
    assert {key.partition("|")[0] for key in (packed | set(keys)) - {"|".join(key) for key in scored}} == {
        "absent"
    }
    view = packs(page)["cave"]["ranking|cave|lsq_disparity|delta1"]
    value = results.value("cave", "scaled_net", "lsq_disparity", "delta1")
    assert f'data-sort="{value:.7g}"' in view
    assert "<script" not in view
    assert str(escape(HOSTILE)) in view


def test_a_reason_stands_beside_every_dash(page: str) -> None:
    """In the headline's views and in all others: a study with what failed, what lacks and what does not apply."""
    views = [
        page,
        *(html for pack in packs(page).values() for html in pack.values() if isinstance(html, str)),
    ]
    assert len(views) > 50
    assert not [found for view in views for found in re.findall(r"<t[dh][^>]*>\s*–\s*</t[dh]>", view)]
    assert any(re.search(r"–\s*<small>the depth has no unit</small>", view) for view in views)


def test_models_share_a_letter_exactly_where_they_are_not_told_apart() -> None:
    random = np.random.default_rng(0)
    for models in (1, 2, 5, 9, 16):
        order = [f"m{i}" for i in range(models)]
        for share in (0.0, 0.3, 0.7, 1.0):
            same = np.triu(random.random((models, models)) < share, 1)
            tied = {
                one: {order[j] for j in range(models) if same[i, j] or same[j, i]}
                for i, one in enumerate(order)
            }
            found = letters(order, tied)
            for i, one in enumerate(order):
                for other in order[i + 1 :]:
                    shared = set(found[one].split(".")) & set(found[other].split(".")) if "." in "".join(
                        found.values()) else set(found[one]) & set(found[other])  # fmt: skip
                    assert bool(shared) == (other in tied[one])
    assert letters(["a", "b", "c"], {"a": {"b"}, "b": {"c"}}) == {"a": "a", "b": "ab", "c": "b"}
    assert letters([], {}) == {}


def test_trivial_baselines_do_not_stretch_an_axis() -> None:
    near = Line("Net", Look("s0 m0", 0), [(0.0, 0.1), (1.0, 0.2)])
    far = Line("Constant", Look("base m1", 4), [(0.0, 5.0), (1.0, 6.0)])
    assert y_range([near, far], from_zero=True) == y_range([near], from_zero=True)
    drawn = line_chart([near, far], "t", "x", "y", y_from_zero=True)
    assert drawn is not None
    assert "Constant 5–6 ↑" in drawn
    assert y_range([far]) is not None, "alone they make it"


def test_everything_is_in_the_one_file(page: str) -> None:
    for tag, attributes in Reader(page).elements:
        assert tag not in ("iframe", "object", "embed", "base")
        for name in ("src", "srcset", "href", "action", "data"):
            value = attributes.get(name) or ""
            if tag in ("img", "link", "script", "source", "use", "image"):
                assert not value or value.startswith("data:"), (tag, value)
    assert "@import" not in page
    assert not re.search(r"url\(\s*['\"]?(?!data:)", page)


def test_a_hostile_name_stays_text(page: str) -> None:
    reader = Reader(page)
    scripts = [attributes for tag, attributes in reader.elements if tag == "script"]
    assert [one.get("type") for one in scripts if "data-pack" not in one] == [None, "application/json", None]
    assert {one["type"] for one in scripts if "data-pack" in one} == {"application/octet-stream"}
    assert "<script>alert" not in page
    assert HOSTILE in reader.text
    assert not any(name.startswith("on") for _, attributes in reader.elements for name in attributes)


def test_embedded_json_cannot_end_its_element(page: str) -> None:
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert data
    assert "<" not in data.group(1)
    assert HOSTILE in json.loads(data.group(1))["models"]
    assert "</script" not in str(safe_json({"x": "</script><!--"}))


def test_only_the_pages_own_scripts_may_run(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy.group(1).count("sha256-") == 2
    assert "default-src 'none'" in policy.group(1)


def test_every_section_shows_and_ids_are_unique(page: str) -> None:
    reader = Reader(page)
    ids = [attributes["id"] for _, attributes in reader.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    targets = [
        a["href"] for tag, a in reader.elements if tag == "a" and (a.get("href") or "").startswith("#")
    ]
    assert {target[1:] for target in targets if target} <= set(ids)


def test_what_failed_or_is_missing_is_shown_as_such(page: str) -> None:
    text = Reader(page).text
    assert "Broken Net" in text
    assert "the model failed on the frame" in text
    assert "The dataset’s store is missing" in text
    assert "Absent data: no frames to show" in text
    assert "torch differs between jobs: 2.12.0 in predictions/cave/scaled_net" in text
    assert "Share of pixels with depth" in text  # from the dataset's page of facts


def test_what_a_protocol_does_otherwise_than_its_source_is_printed(page: str) -> None:
    text = Reader(page).text
    before, after = text.index("Not done as its source does"), text.index("Not stated by the source")
    assert "it counts a depth of zero; here that is missing" in text[before:after]
    assert "whether the median is over all frames" in text[after:]
    # It is said once, among the words about the protocol and not among its fields.
    assert "differs" not in re.findall(r"<code>([^<]*)</code>", page)


def test_pictures_show_what_is_there(page: str) -> None:
    alts = [a["alt"] for tag, a in Reader(page).elements if tag == "img"]
    assert "Affine Net, depth" in alts
    assert "Affine Net, error" in alts
    assert "Broken Net, depth" not in alts


def test_the_same_inputs_give_the_same_bytes(study: dict[str, Any], page: str, tmp_path: Path) -> None:
    write_report(**study, out=tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_a_study_without_any_store_still_has_a_report(study: dict[str, Any], tmp_path: Path) -> None:
    gone = {unit: tmp_path / f"{unit}.zarr" for unit in study["stores"]}
    less = {**study, "stores": gone, "predictions": {}, "records": []}
    write_report(**less, out=tmp_path / "report.html")
    text = Reader((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "no frames to show" in text
    assert "No run records were found" in text
    assert "Scaled Net" in text


def test_a_damaged_store_costs_its_pictures_alone(study: dict[str, Any], tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "tube.zarr"
    shutil.copytree(study["stores"]["tube"], broken)
    for path in (broken / "bend" / "depth").rglob("c/*/*/*"):
        path.unlink() if path.is_file() else None
    write_report(**{**study, "stores": {**study["stores"], "tube": broken}}, out=tmp_path / "report.html")
    assert "Scaled Net" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_study_without_timing_or_scores(study: dict[str, Any], tmp_path: Path) -> None:
    empty = {}
    for name, path in study["tables"].items():
        schema = read_table(path).schema
        write_table(tmp_path / f"{name}.parquet", schema, [])
        empty[name] = tmp_path / f"{name}.parquet"
    write_report(**{**study, "tables": empty}, out=tmp_path / "report.html")
    text = Reader((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "there is no ranking" in text
    assert "Speed was not measured" in text


def test_a_report_without_speeds_opens_with_the_accuracy(study: dict[str, Any], tmp_path: Path) -> None:
    tables = changed_table(study, "timing", read_table(study["tables"]["timing"]).schema, [], tmp_path)
    write_report(**{**study, "tables": tables}, out=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    opening = text[text.index('<section id="verdict"') : text.index('<section id="ranking"')]
    at = ("tube", "median_depth", "abs_rel")
    values, places = (
        {
            row["model"]: row[field]
            for row in read_table(study["tables"][table]).to_pylist()
            if (row["dataset"], row["protocol"], row["metric"]) == at and row[field] is not None
        }
        for table, field in (("summary", "value"), ("ranks", "rank_by_value"))
    )
    assert 3 < len(places) < len(values), "one that is not ranked for the frames it lacks is not shown"
    shown = re.search(r'<div class="table standing">.*?</table>', opening, re.DOTALL)
    assert shown is not None
    assert re.findall(r'<td class="number strong"[^>]*>([\d.]+)<', shown[0]) == [
        f"{values[model]:.3f}" for model in sorted(places, key=lambda model: places[model])
    ]
    assert "Speed was not measured" in Reader(opening).text
    assert "Accuracy against speed" not in Reader(opening).text


def test_the_footer_names_the_version(root: Path, page: str) -> None:
    import tomllib

    stated = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert f"Made by ScopeDepth {stated}." in Reader(page).text


def changed_table(
    study: dict[str, Any], name: str, schema: pa.Schema, rows: list[dict[str, Any]], folder: Path
) -> dict[str, Path]:
    path = folder / f"{name}.parquet"
    write_table(path, schema, {field: [row.get(field) for row in rows] for field in schema.names})
    return {**study["tables"], name: path}


def test_the_verdict_claims_the_best_only_where_every_difference_is_significant(
    study: dict[str, Any], tmp_path: Path
) -> None:
    results = results_of(study)
    first = leader(results, "tube")
    assert first
    tied = [
        {**row, "tied_with": [m for m in results.model_names if m != row["model"]]} for row in results.ranks
    ]
    close = results_of(study, tables=changed_table(study, "ranks", RANKS, tied, tmp_path / "close"))
    assert not leader(close, "tube").alone  # type: ignore[union-attr]
    assert "most accurate" not in headline(close)
    assert "not clearly lower than" in headline(close)
    apart = [{**row, "tied_with": []} for row in results.ranks]
    ahead = results_of(study, tables=changed_table(study, "ranks", RANKS, apart, tmp_path / "ahead"))
    assert leader(ahead, "tube").alone  # type: ignore[union-attr]
    assert "is the most accurate model" in headline(ahead)
    assert "for the sequences tested" in headline(ahead)  # three sequences say nothing of others
    # Without a test of its pairs nothing is claimed.
    untested = [{**row, "p": None, "p_holm": None} for row in results.comparisons]
    tables = changed_table(study, "comparisons", COMPARISONS, untested, tmp_path)
    unsure = results_of(study, tables={**tables, "ranks": ahead.tables["ranks"]})
    assert "most accurate" not in headline(unsure)


def test_who_is_tied_is_no_winner_where_datasets_differ(study: dict[str, Any], tmp_path: Path) -> None:
    results = results_of(study)
    names = [name for name in results.ranked("cave") if name in results.ranked("tube")]
    a, b = names[:2]
    place = {("tube", a): 1, ("tube", b): 2, ("cave", a): 2, ("cave", b): 1}

    def told(tied: dict[str, list[str]], folder: str) -> str:
        rows = [
            {**row, "rank_by_value": place[row["dataset"], row["model"]], "tied_with": tied[row["dataset"]]}
            for row in results.ranks
            if (row["dataset"], row["model"]) in place
        ]
        pairs = [
            {**row, "p_holm": 0.001}
            for row in results.comparisons
            if {row["model_a"], row["model_b"]} == {a, b}
        ]
        tables = changed_table(study, "ranks", RANKS, rows, tmp_path / folder)
        tables |= {
            "comparisons": changed_table(study, "comparisons", COMPARISONS, pairs, tmp_path / folder)[
                "comparisons"
            ]
        }
        return str(headline(results_of(study, tables=tables)))

    first, second = (escape(results.model_title(name)) for name in (a, b))
    tube, cave = (escape(results.dataset_title(name)) for name in ("tube", "cave"))
    apart = told({"tube": [], "cave": []}, "apart")
    assert (
        apart == f"No model is first on every dataset: <b>{first}</b> on {tube}; <b>{second}</b> on {cave}."
    )
    one = told({"tube": [b], "cave": []}, "one")
    assert one == (
        f"No model is first on every dataset: {first} on {tube}, tied with one other; "
        f"<b>{second}</b> on {cave}."
    )
    none = told({"tube": [b], "cave": [a]}, "none")
    assert none == (
        f"No model is clearly first on any dataset: {first} on {tube}, tied with one other; "
        f"{second} on {cave}, tied with one other."
    )


def test_the_page_says_where_few_long_sequences_outweigh_the_others(
    study: dict[str, Any], tmp_path: Path
) -> None:
    plain = results_of(study)
    assert "outweigh" not in certainty(plain)
    told = {
        "ci_scope": "new sequences", "ci_caution": "few effective sequences", "n_sequences": 8,
        "n_sequences_effective": 2.7,
    }  # fmt: skip
    rows = [row | told if row["ci_low"] is not None else row for row in plain.summary]
    tables = changed_table(study, "summary", SUMMARY, rows, tmp_path)
    pairs = [row | {"ci_caution": told["ci_caution"]} for row in plain.comparisons]
    tables["comparisons"] = changed_table(study, "comparisons", COMPARISONS, pairs, tmp_path)["comparisons"]
    few = results_of(study, tables=tables)
    assert "8 sequences count for as much as 2.7 equal ones" in certainty(few)
    table = pairs_table(few, "tube")
    assert table is not None
    assert "few long sequences outweigh" in str(table.rows[0][2].text)
    assert "a few long sequences outweigh the others" in methods_text(few)
    assert "A few long sequences outweigh the others." in scores_caption(few, "tube", few.protocol)


def test_the_page_says_what_tests_on_few_sequences_are_about(study: dict[str, Any]) -> None:
    results = results_of(study)
    assert "equally good on average differ significantly on these few" in certainty(results)
    table = pairs_table(results, "tube")
    assert table is not None
    about = {row["ci_scope"] for row in results.comparisons if row["dataset"] == "tube"}
    assert {row[5].text for row in table.rows} <= about


def test_charts_show_the_tables(study: dict[str, Any]) -> None:
    results = results_of(study)
    look = looks(results)
    parts = drift.drift(results, look)
    assert parts["protocol"] == "median_depth"
    tube = next(part for part in parts["datasets"] if part["dataset"] == "tube")
    row = next(r for r in results.drift if (r["model"], r["sequence"]) == ("affine_net", "bend"))
    cells = {line[0].copied or str(line[0].text): line for line in tube["table"].rows}
    line = next(cells for name, cells in cells.items() if "Affine Net" in name)
    assert line[1].text == number(row["scale_drift"], 3)
    by_depth = {part["dataset"]: part["chart"] for part in depth_error.depth_error(results, look)}
    assert all(by_depth[name] is not None for name in ("tube", "cave"))
    assert by_depth["absent"] is None
    assert {row["protocol"] for row in results.depth_error} == {results.protocol}
    assert {row["unit"] for row in results.depth_error if row["dataset"] == "cave"} == {"relative"}


def test_gallery_frames_are_best_median_and_worst_by_the_rule(study: dict[str, Any]) -> None:
    results = results_of(study)
    chosen = {one.why: one for one in choose(results, "tube") if one.why != "own"}
    assert list(chosen) == ["best", "median", "worst"]
    assert chosen["best"].value <= chosen["median"].value <= chosen["worst"].value
    values = values_by_frame(results, "tube")
    # Broken has no number anywhere and so judges nothing; a frame that the hostile one lost is not chosen.
    assert all("hostile" in values[one.sequence, one.frame] for one in chosen.values())
    own = [one for one in choose(results, "tube") if one.why == "own"]
    for one in own:
        model = one.models[0]
        assert one.value == max(of[model] for of in values.values() if model in of)


def test_aligned_pictures_are_what_was_scored(study: dict[str, Any]) -> None:
    from scopedepth.report.html.parts.aligned import Frames

    results = results_of(study)
    for protocol in results.protocol_names:
        frames = Frames(results, protocol)
        rows = results.frames(["abs_rel"], dataset="tube", protocol=protocol).to_pylist()
        for row in [row for row in rows if row["abs_rel"] is not None][:40:7]:
            one = frames.aligned("tube", row["model"], row["sequence"], row["frame"])
            depth = frames.scored.reference("tube", row["sequence"], row["frame"])[0]
            assert one.depth is not None
            assert one.valid is not None
            error = np.abs(one.depth[one.valid] - depth[one.valid]) / depth[one.valid]
            assert error.mean() == pytest.approx(row["abs_rel"], rel=1e-6)


def test_numbers_as_words() -> None:
    assert number(None) == "–"
    assert number(float("nan")) == "–"
    assert number(-0.0001, 3) == "0.000"
    assert number(-0.5, 2) == "−0.50"
    assert metric_value(0.12345, "abs_rel") == "0.123"
    assert metric_value(12.345, "rmse") == "12.35" or metric_value(12.345, "rmse") == "12.34"
    assert interval(0.1, 0.2, "abs_rel") == "0.100 to 0.200"
    assert significant(1234.5) == "1,230"
    assert significant(0.012345) == "0.0123"
    assert parameters(24_800_000) == "24.8 M"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert plural(1, "frame") == "1 frame"


def test_ticks_are_round_and_inside() -> None:
    assert nice_ticks(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(3, 3) == [3]
    assert log_ticks(0.5, 40) == [0.5, 1, 2, 5, 10, 20]
    assert all(1 <= tick <= 5000 for tick in log_ticks(1, 5000))


def test_maps_are_the_published_ones_and_grey_is_in_neither() -> None:
    assert tuple(colours("viridis")[0]) == (68, 1, 84)
    values = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert str(mapped(values, 1, 3, "viridis", 10)).startswith("data:image/webp;base64,")
    assert smaller(np.zeros((300, 200)), 150).shape == (150, 100)
    assert smaller(np.zeros((30, 20)), 150).shape == (30, 20)


def test_a_page_of_ten_models_and_three_datasets_fits_a_mail() -> None:
    from scopedepth.report.html.parts.pictures import photograph
    from scopedepth.report.html.sections.gallery import SIDES

    pictures = 3 * (3 * (2 + 2 * 10) + 10 * 4)
    side = next(side for most, side in SIDES if pictures <= most)
    noise = np.random.default_rng(0).integers(
        0, 256, (side, side, 3), np.uint8
    )  # the worst that can be packed
    assert pictures * len(photograph(noise, side)) < 25e6


def test_doubts_and_the_reasons_of_an_empty_ranking_are_said(tmp_path: Path) -> None:
    from scopedepth.report.html import remarks

    page = {
        "sequences": [
            {"name": "a", "doubts": ["<b>no body</b>"]},
            {"name": "b", "doubts": []},
            {"doubts": ["x"]},
        ]
    }
    (tmp_path / "u.page.json").write_text(json.dumps(page), encoding="utf-8")
    statuses = ["no_depth"] * 4 + ["outside_range"] * 2 + ["ok"] * 2
    results: Any = SimpleNamespace(
        units_of=lambda dataset: ["u"],
        stores={"u": tmp_path / "u.zarr"},
        dataset_title=lambda dataset: "Mine",
        protocol="p",
        model_names=["one", "two"],
        frames=lambda columns, **where: pa.table({"status": pa.array(statuses).dictionary_encode()}),
    )
    (said,) = remarks._doubts(results, "mine")
    assert (
        said
        == "The depth of Mine is doubtful: in a, &lt;b&gt;no body&lt;/b&gt; (1 more sequence with a doubt)."
    )
    assert remarks._why(results, "mine") == (
        ": the frame has no reference depth (2 frames); "
        "the reference depth lies outside of the protocol's range (1 frame)"
    )


def corrupted_rows(order: dict[tuple[str, int], list[str]]) -> list[dict[str, Any]]:
    """Return rows of the table `robustness` of the tube: models in their order by kind and severity, 0.1 apart."""
    return [
        {
            **dict.fromkeys(ROBUSTNESS.names), "dataset": "tube", "kind": kind, "severity": severity, "view": "v",
            "model": model, "protocol": "median_depth", "metric": "abs_rel", "value": 0.1 * place, "n_frames": 24,
            "ci_low": 0.1 * place - 0.01, "ci_high": 0.1 * place + 0.01, "rank_by_value": place, "rank_low": 1,
            "rank_high": 2, "seen_in_training": "none", "status": "ok",
        }
        for (kind, severity), models in order.items()
        for place, model in enumerate(models, 1)
    ]  # fmt: skip


def test_what_corruptions_do_is_a_section_of_its_own(
    study: dict[str, Any], tmp_path: Path, page: str
) -> None:
    """Sentences, a chart a kind, and tables; the views are no datasets of the page. Without corruptions, no section."""
    assert 'id="robustness"' not in page
    assert "#robustness" not in page
    a, b = "affine_net", "hostile"
    rows = corrupted_rows(
        {("clean", 0): [a, b], ("smoke", 1): [a, b], ("smoke", 5): [b, a], ("dirt", 3): [a, b]}
    )
    rates = {
        **dict.fromkeys(RESILIENCE.names), "dataset": "tube", "protocol": "median_depth", "baseline": b,
        "kinds": ["smoke", "dirt"], "severities": [1], "dee_clean": 0.05, "dee": [0.1, 0.1], "ce": [87.5, 120.25],
        "rr": [90.0, 80.0], "mce": 103.9, "mrr": 85.0, "seen_in_training": "none", "status": "ok", "model": a,
        "ders_status": "no_severity",
    }  # fmt: skip
    scored = {**rates, "ders": 4.4725, "ders_by_kind": [4.0, 4.945], "ders_status": "ok"}
    without = {**rates, "model": b, "ders_status": "no_unit"}
    tables = dict(study["tables"])

    def write(name: str, schema: pa.Schema, made: list[dict[str, Any]]) -> None:
        tables[name] = tmp_path / f"{name}.parquet"
        write_table(tables[name], schema, {field: [row[field] for row in made] for field in schema.names})

    write("robustness", ROBUSTNESS, rows)
    write("resilience", RESILIENCE, [rates])
    asked = {"kinds": ["smoke", "dirt"], "severities": [1, 5], "baseline": b, "views": {}}
    out = tmp_path / "report.html"
    write_report(**{**study, "tables": tables, "study": {**study["study"], "robustness": asked}}, out=out)
    whole = out.read_text(encoding="utf-8")
    section = whole.split('<section id="robustness">')[1].split("</section>")[0]
    assert '<a href="#robustness">Robustness</a>' in whole
    lines = re.findall(r"<li>(Affine Net.*?)</li>", section)
    assert lines == [
        f"Affine Net stays first up to severity 1 of smoke; at severity 5 {escape(HOSTILE)} is first; "
        "no model is significantly better than it.",
        "Affine Net stays first up to severity 3 of dirt on the lens, the greatest looked at.",
    ]
    assert re.findall(r"<figcaption>(.*?)</figcaption>", section) == ["Smoke", "Dirt on the lens"]
    assert section.count("<svg viewBox") == 2
    assert "<script" not in section
    assert "103.9" in section
    assert "120.2" in section
    assert "<h3>Cave</h3>" not in section  # it was not corrupted
    assert "DERS" not in section  # severity 2 was not asked for
    write("resilience", RESILIENCE, [scored, without])
    write_report(**{**study, "tables": tables, "study": {**study["study"], "robustness": asked}}, out=out)
    section = out.read_text(encoding="utf-8").split('<section id="robustness">')[1].split("</section>")[0]
    assert "DERS is not monotone" in section
    assert "DERS (not monotone)" in re.sub("<wbr>|&shy;", "", section)
    assert re.search(r'<td class="number "[^>]*>4\.47[23]</td>', section)  # neither bold nor coloured
    assert "the depth has no unit" in section


def test_what_the_reference_leaves_open_is_a_section_of_its_own(
    study: dict[str, Any], tmp_path: Path, page: str
) -> None:
    """Orders that stand and why others do not; a dataset beside it that states nothing is not assessed."""
    assert 'id="reference"' not in page
    assert "#reference" not in page
    assert "<dt>Reference error</dt><dd>not assessed</dd>" in re.sub(r">\s+<", "><", page)
    a, b, c = "affine_net", "hostile", "constant"
    empty: dict[str, Any] = dict.fromkeys(REFERENCE.names)
    rows = [
        {
            **empty, "dataset": "tube", "protocol": "median_depth", "metric": metric, "model_a": first,
            "model_b": second, "difference": -0.1, "reference_low": -0.2, "reference_high": -0.05,
            "trusted_difference": -0.1, "resolvable": reason == "resolved", "reason": reason,
            "seen_in_training_a": "none", "seen_in_training_b": "none",
        }
        for metric, first, second, reason in (
            ("abs_rel", a, b, "resolved"), ("abs_rel", a, c, "within the sampling interval"),
            ("abs_rel", b, c, "other on trusted pixels"), ("rmse", a, b, "within the reference's error"),
            ("rmse", a, c, "resolved"), ("rmse", b, c, "within the reference's error"),
        )
    ]  # fmt: skip
    tables = {**study["tables"], "reference": tmp_path / "reference.parquet"}
    write_table(
        tables["reference"], REFERENCE, {name: [row[name] for row in rows] for name in REFERENCE.names}
    )
    error: dict[str, Any] = {
        "focal": None, "baseline": 5.0, "reach": 4, "depth": None, "quantisation": None, "calibration": None,
        "registration": None, "drift": None,
        "disparity": {"sigma": 0.2, "probabilities": None, "classes": [], "grain": 1, "source": "<b>told</b>"},
    }  # fmt: skip
    datasets = {**study["datasets"], "tube": {**study["datasets"]["tube"], "reference_error": error}}
    out = tmp_path / "report.html"
    write_report(**{**study, "tables": tables, "datasets": datasets}, out=out)
    whole = out.read_text(encoding="utf-8")
    section = whole.split('<section id="reference">')[1].split("</section>")[0]
    assert "blind to errors that a model shares with the reference" in section
    assert "was redrawn 20 times within its stated error (disparity of each pixel: σ 0.2 px)" in whole
    assert re.search(r"The error of the reference of [^.]*Cave[^.]* was not assessed\.", whole)
    lines = re.findall(r"<li>(.*?)</li>", section)
    assert (
        lines[0]
        == "Before sampling the order stands of 2 of 3 pairs by AbsRel and 1 of 3 by RMSE: RMSE withstands least."
    )
    assert lines[-1] == "disparity of each pixel: σ 0.2 px <small>(&lt;b&gt;told&lt;/b&gt;)</small>"
    assert "Not assessed: no error of this reference is stated" in section.split("<h3>Cave</h3>")[1]
    # Whether another reference would say the same comes after the protocols, before where models fail.
    places = [whole.index(f'<section id="{name}">') for name in ("protocols", "reference", "depth")]
    assert places == sorted(places)
