"""The pages of frames: what they show is what was scored, and they open from disk."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from browsing import until
from project import CONFIG, ROOT
from report_study import HOSTILE, tiny_study
from scopedepth.config.base import plain_spec
from scopedepth.config.load import check, select_study
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.maps import Places, ScoredFrames, scored_maps
from scopedepth.evaluation.metrics import frame_limits
from scopedepth.evaluation.pixels import Workspace, single
from scopedepth.evaluation.protocol import Terms, terms_for
from scopedepth.job.identity import canonical_json
from scopedepth.job.manifest import write_json
from scopedepth.report.frames.chosen import address, shown, spread
from scopedepth.report.frames.pack import LEAST, ROUNDING, packed, unpacked
from scopedepth.report.frames.pages import Video, _how, _plain, write_pages
from scopedepth.report.html.page import style, write_report
from scopedepth.report.html.sections.gallery import page_of
from scopedepth.report.palette import palette
from scopedepth.study.layout import Job
from scopedepth.study.needs import Needs
from scopedepth.study.plan import Plan
from test_report_browser import CHROMIUM, FLAGS

NOTHING = re.compile("no_depth|failed_prediction|not_applicable")


def arguments(base: Path) -> dict[str, Any]:
    """Return the arguments of `write_pages` for the tiny study, `out` left out."""
    tiny = tiny_study(base)
    names = ["tube", "cave"]
    return {
        "study": {**tiny["study"], "datasets": names, "frame_pages": 3},
        "datasets": {name: {**tiny["datasets"][name], "title": HOSTILE} for name in names},
        "models": tiny["models"],
        "protocols": tiny["protocols"],
        "frames": tiny["tables"]["frames"],
        "stores": {name: tiny["stores"][name] for name in names},
        "predictions": tiny["predictions"],
    }


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "frames"
    write_pages(**arguments(tmp_path_factory.getbasetemp()), out=out)
    return out


def content(path: Path) -> Any:
    return json.loads(re.fullmatch(r'part\("[^"]*",(.*)\);\n', path.read_text())[1])  # type: ignore[index]


MAPS = [
    np.random.default_rng(0).normal(size=(7, 9)),
    np.random.default_rng(1).uniform(0, 1e-6, (64, 3)),
    np.geomspace(1e-12, 1e9, 60).reshape(6, 10),
    np.array([[np.inf, -np.inf, np.nan, 0.0, -5e8, 1e-30]]),
    np.full((3, 4), np.nan),
    np.zeros((2, 2)),
]


@pytest.mark.parametrize("values", MAPS)
def test_a_packed_map_is_within_what_the_page_states(values: np.ndarray) -> None:
    found = unpacked(packed(values))
    finite = np.isfinite(values)
    assert ((found == values) | finite | (np.isnan(found) & np.isnan(values))).all()
    largest = np.abs(values[finite]).max(initial=0.0)
    allowed = ROUNDING * np.maximum(np.abs(values[finite]), LEAST * largest)
    assert (np.abs(found[finite] - values[finite]) <= allowed).all()


def test_frames_are_evenly_spaced_and_the_reports_own_come_on_top() -> None:
    assert spread(40, 5) == [0, 10, 20, 29, 39]
    assert spread(3, 24) == [0, 1, 2]
    assert (spread(9, 1), spread(1, 4), spread(0, 4)) == ([0], [0], [])
    assert shown(40, 2, [7, 39]) == [0, 7, 39]
    assert all(len(spread(n, most)) == min(n, most) for n in range(1, 90) for most in (1, 2, 7, 24, 88))


def test_an_address_holds_what_names_may_hold() -> None:
    assert (
        address("tube", "a/b c#1", 3, ["x", "y", "z"], "p") == "frames/index.html#tube/a%2Fb%20c%231/3/x/y/p"
    )
    assert address("tube", "a", 3, ["x"], "p").endswith("/3/x//p")


def test_the_same_inputs_give_the_same_pages_and_nothing_half_made(
    pages: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path / "frames"
    for folder in (out, tmp_path / "frames.partial"):  # as a job that was killed leaves them
        folder.mkdir()
        (folder / "old.js").touch()
    write_pages(**arguments(tmp_path_factory.getbasetemp()), out=out)
    files = {path.relative_to(pages): path.read_bytes() for path in pages.rglob("*.*")}
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")} == files
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]
    assert b"<script>alert" not in files[Path("index.html")]


def test_what_is_shown_holds_the_frames_of_the_reports_pictures(
    pages: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tiny = tiny_study(tmp_path_factory.getbasetemp())
    study = {**tiny["study"], "frame_pages": 3}
    write_report(**{**tiny, "study": study}, out=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    links = re.findall(r'href="frames/index\.html#([^"]*)"', text)
    sequences = {
        (dataset["name"], one["name"]): one["shown"]
        for dataset in content(pages / "study.js")["datasets"]
        for one in dataset["sequences"]
    }
    assert len(links) > 8
    for link in links:
        dataset, sequence, frame, *_ = link.split("/")
        assert int(frame) in sequences[dataset, sequence]
    assert page_of(SimpleNamespace(study=tiny["study"]), None, "tube", "bend", 0, []) == ""  # type: ignore[arg-type]


def test_a_video_may_lie_in_several_units() -> None:
    parts: Any = [
        ("a@b~0", SimpleNamespace(first_frame=0, n_frames=3)),
        ("a@b~1", SimpleNamespace(first_frame=3, n_frames=2)),
    ]
    video = Video("b", 0, parts)
    assert video.n_frames == 5
    assert [(unit, place) for unit, _, place in map(video.place, (0, 2, 3, 4))] == [
        ("a@b~0", 0), ("a@b~0", 2), ("a@b~1", 0), ("a@b~1", 1),
    ]  # fmt: skip


def test_a_scheduler_hears_how_many_frames_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    size = {"frames": 20_000, "height": 1000, "width": 1000}
    write_json(Job("prepare", ("one",)).path("manifest"), {"digest": "", "sequences": {"left": size}})
    some, every, more = (
        Needs(planned(frame_pages=n).study).pages_runtime(None, 1) for n in (1000, 20_000, 40_000)
    )
    assert some < every == more


def planned(**study: Any) -> Plan:
    config = {**CONFIG, "studies": {"small": {**CONFIG["studies"]["small"], **study}}}
    return Plan(select_study(config), ROOT / "workflow_scripts")


def test_the_pages_are_a_job_of_their_own() -> None:
    job, report, tables = (Job(rule, ("small",)) for rule in ("frame_pages", "report", "summarise"))
    plan, without = planned(frame_pages=4), planned()
    assert plan.has(job)
    assert not without.has(job)
    assert str(job.path("pages")) in plan.targets()
    assert plan.needed_by(job)[-1] == tables
    assert plan.spec(tables) == without.spec(tables)
    noted = planned(frame_pages=4, notes=["a word"])
    assert noted.spec(job) == plan.spec(job) != planned(frame_pages=5).spec(job)
    assert noted.spec(report) != plan.spec(report)
    code = json.loads(plan.code(job))
    assert {"report/frames/static/page.js", "scopedepth.report.frames.pages"} <= code.keys()
    assert not {"scopedepth.report.html.page", "scopedepth.report.words"} & code.keys()
    assert not any("torch" in name or "models" in name for name in code)


def test_report_and_pages_take_their_colours_from_one_place(pages: Path) -> None:
    assert palette() in style()
    assert palette() in (pages / "index.html").read_text(encoding="utf-8")
    report = ROOT / "workflow_scripts/scopedepth/report"
    for sheet in report.rglob("static/*.css"):
        assert not re.search(r"--(s\d|base):", sheet.read_text(encoding="utf-8")), sheet


def test_values_of_every_metric_are_the_tables(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    given = arguments(tmp_path_factory.getbasetemp())
    known = content(pages / "study.js")
    rows = pq.read_table(given["frames"]).to_pylist()
    for protocol in known["protocols"]:
        assert set(protocol["metrics"]) <= {one["name"] for one in known["metrics"]}
        for metric in protocol["metrics"]:
            shown = content(pages / f"tube/1/values/{protocol['name']}/{metric}.js")
            for row in rows:
                if (row["dataset"], row["sequence"], row["protocol"]) == (
                    "tube",
                    "straight",
                    protocol["name"],
                ):
                    value = shown[row["model"]][row["frame"]]
                    assert value == (None if row[metric] is None else pytest.approx(row[metric], rel=5e-4))
    assert known["metrics"][0]["name"] == known["metric"] == "abs_rel"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian's package: chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def view(browser: Any) -> Iterator[Any]:
    """A page; whatever it says on the console or asks of a network fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file:", "data:")) else complaints.append(request.url)
        ),
    )
    yield page
    context.close()
    assert complaints == []


def go(page: Any, pages: Path, address: str) -> None:
    page.goto(f"{(pages / 'index.html').as_uri()}#{address}")
    until(page, f"document.documentElement.dataset.shown === {json.dumps('#' + address)}")


@pytest.mark.browser
def test_a_view_is_found_by_its_address_and_read(view: Any, pages: Path) -> None:
    go(view, pages, "tube/straight/0/affine_net/scaled_net/lsq_disparity")
    view.locator("#next").click()
    until(view, "location.hash.split('/')[2] !== '0'")
    go(view, pages, "tube/bend/7/affine_net/metric_net/median_depth/40,30")
    assert "Frame 7" in view.locator("#where").inner_text()
    read = view.locator("#values tbody tr").nth(1).inner_text().split()
    known = view.evaluate("[shown.sides.a.depth[30 * 80 + 40], shown.depth[30 * 80 + 40]]")
    assert float(read[-4]) == pytest.approx(known[0], rel=5e-4)
    assert float(read[-2]) == pytest.approx(100 * (known[0] / known[1] - 1), rel=6e-3)
    stage = view.locator('[data-map="depth"] .stage')
    box = stage.bounding_box()
    view.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    view.mouse.down()
    view.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40)
    view.mouse.up()
    divide = "getComputedStyle(document.documentElement).getPropertyValue('--divide')"
    assert view.evaluate(divide) == "25%"
    assert view.evaluate("location.hash").endswith("/40,30")  # a drag holds no pixel
    assert "no camera" in view.locator("#cloud").inner_text()
    assert view.locator("#dataset option").first.inner_text() == HOSTILE
    view.locator("h1").click()
    view.keyboard.press("Home")
    until(view, "location.hash.includes('/bend/0/')")
    view.evaluate("location.hash = '#tube/bend/2000/affine_net/x/median_depth'")
    until(view, "!document.getElementById('notice').hidden")
    assert "no model x" in view.locator("#notice").inner_text()
    view.evaluate("location.hash = '#%E0%A4%A'")
    until(view, "document.getElementById('notice').textContent.includes('damaged')")


@pytest.mark.browser
def test_a_frame_without_an_answer_says_its_status(view: Any, pages: Path) -> None:
    go(view, pages, "tube/bend/0/broken/affine_net/median_depth")
    assert (
        "failed_prediction on 8 of 8 frames (0 to 7): the model failed on the frame"
        in view.locator("#lost").inner_text()
    )
    assert "failed_prediction" in view.locator('[data-map="depth"] .none').inner_text()
    assert view.evaluate("shown.sides.a.depth === undefined && shown.sides.b.depth.length === 4800")


@pytest.mark.browser
def test_the_strip_follows_the_metric_and_the_address_names_it(view: Any, pages: Path) -> None:
    go(view, pages, "tube/bend/0/affine_net/scaled_net/median_depth/40,30")
    assert view.locator("#metric").input_value() == "abs_rel"
    view.locator("#metric").select_option("delta1")
    until(view, "document.documentElement.dataset.shown.endsWith('/median_depth/delta1/40,30')")
    assert "higher is better" in view.locator("#strip").text_content()
    value = content(pages / "tube/0/values/median_depth/delta1.js")["affine_net"][0]
    read = view.locator("#models tbody tr").first.inner_text().split()[-1]
    assert float(read) == pytest.approx(value, rel=5e-3)
    # A protocol that lacks it says so, and an address may name what is not there.
    go(view, pages, "tube/bend/0/affine_net/scaled_net/median_depth/silog")
    view.locator("#protocol").select_option("lsq_disparity")
    until(view, "document.documentElement.dataset.shown.endsWith('/lsq_disparity/silog')")
    assert "This protocol does not compute SILog" in view.locator("#strip").text_content()
    view.evaluate("location.hash = '#tube/bend/0/affine_net/scaled_net/median_depth/nothing'")
    until(view, "!document.getElementById('notice').hidden")
    assert "no metric nothing" in view.locator("#notice").inner_text()


@pytest.mark.browser
def test_dragging_over_the_strip_goes_from_frame_to_frame(view: Any, pages: Path) -> None:
    go(view, pages, "tube/bend/0/affine_net/scaled_net/median_depth")
    frames = next(one for one in content(pages / "study.js")["datasets"] if one["name"] == "tube")
    shown = next(one for one in frames["sequences"] if one["name"] == "bend")["shown"]
    view.locator("#strip").scroll_into_view_if_needed()
    box = view.locator("#strip svg").bounding_box()
    assert len(shown) > 2
    passed = []
    view.mouse.move(box["x"] + 60, box["y"] + 60)
    view.mouse.down()
    for step in range(1, 11):
        view.mouse.move(box["x"] + 60 + (box["width"] - 80) * step / 10, box["y"] + 60)
        passed.append(int(view.evaluate("location.hash").split("/")[2]))
    view.mouse.up()
    assert list(dict.fromkeys(passed)) == [frame for frame in shown if frame >= passed[0]]
    view.mouse.move(box["x"] + 60, box["y"] + 60)
    assert int(view.evaluate("location.hash").split("/")[2]) == shown[-1], "no button is held any more"


@pytest.mark.browser
def test_an_output_that_nothing_aligns_is_shown_as_it_is(view: Any, pages: Path) -> None:
    go(view, pages, "tube/bend/0/affine_net/scaled_net/median_depth")
    view.evaluate(
        "load('tube/0/models/affine_net/0').then(part => { part.frames[0].fits = {}; return go({ frame: 0 }); })"
    )
    said = view.locator('[data-map="depth"] .none').inner_text()
    assert "Affine Net: ok, but without an aligned depth. The output is shown as it is" in said
    assert view.evaluate("shown.sides.a.raw.length === 4800 && shown.sides.a.depth === undefined")
    assert "Scaled Net" not in said


@pytest.mark.browser
def test_a_point_cloud_turns_where_a_camera_is_known(view: Any, pages: Path) -> None:
    go(view, pages, "tube/bend/0/scaled_net/affine_net/median_depth")
    drawn = "document.querySelector('#cloud canvas').toDataURL()"
    view.evaluate("study.datasets[0].sequences[0].camera = [60, 60, 40, 30]; cloud.fill()")
    before = view.evaluate(drawn)
    view.locator("#cloud canvas").focus()
    view.keyboard.press("ArrowLeft")
    assert view.evaluate(drawn) != before


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_pages_fit_and_are_accessible(view: Any, pages: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    view.set_viewport_size({"width": width, "height": 900})
    view.emulate_media(color_scheme=scheme)
    go(view, pages, "tube/bend/4/hostile/affine_net/lsq_disparity/4,5")
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(view).response["violations"]
    assert [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found] == []


@pytest.mark.browser
def test_a_value_in_the_page_is_the_scored_one(
    view: Any, pages: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    given = arguments(tmp_path_factory.getbasetemp())
    places = Places(given["stores"], given["predictions"], given["frames"])
    compared = 0
    pairs = ("affine_net", "hostile"), ("metric_net", "broken")
    for turn, (protocol, spec) in enumerate(given["protocols"].items()):
        frames = ScoredFrames(places, protocol, spec)
        for other, (dataset, sequence) in enumerate((("tube", "wide"), ("cave", "hall"))):
            both = pairs[(turn + other) % 2]
            go(view, pages, f"{dataset}/{sequence}/7/{'/'.join(both)}/{protocol}")
            for side, model in zip("ab", both, strict=True):
                page = view.evaluate(
                    f"shown.sides.{side}.depth ? [[...shown.sides.{side}.depth].map(String),"
                    f" [...shown.sides.{side}.error].map(String)] : null"
                )
                scored = frames.scored(dataset, model, sequence, 7)
                if isinstance(scored, str):
                    assert page is None
                    continue
                depth, error = (np.array(one, float).reshape(scored.depth.shape) for one in page)
                low, high = within(frames, dataset, model, sequence, 7)
                assert (depth >= low * (1 - 1e-6)).all()
                assert (depth <= high * (1 + 1e-6)).all()
                assert (np.isfinite(error) == scored.valid).all()
                compared += 1
    assert compared > 6


def within(
    frames: ScoredFrames, dataset: str, model: str, sequence: str, place: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the aligned depths that the stated rounding of an output leaves room for."""
    pair = frames._open(dataset, model)[sequence]
    fit = frames._fit(dataset, model, sequence, place)
    reference = frames.reference(dataset, sequence, place)
    output = pair.predicted.prediction(place, place + 1)[0]
    maps = []
    for factor in (1 - ROUNDING, 1 + ROUNDING):
        given = (output * np.float32(factor), reference.depth, reference.flags, reference.rgb)
        pixels = single(pair.terms[frames.name], place, *given, Workspace()).pixels(0)
        maps.append(scored_maps(pair.terms[frames.name], pixels, fit).depth)
    return np.minimum(*maps), np.maximum(*maps)


KINDS = [
    ("disparity", None), ("scaled_disparity", None), ("metric_disparity", "m"), ("affine_depth", None), ("depth", None),
    ("metric_depth", "cm"),
]  # fmt: skip


def cases() -> Iterator[tuple[str, Terms]]:
    """Yield the terms of the shipped protocols, and of some that none of them has, for each kind of output."""
    protocols = check(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))).protocols
    specs = {name: plain_spec(name, spec) for name, spec in protocols.items()}
    other = {"method": "bilinear", "align_corners": True, "space": "disparity", "epsilon": 0.25}
    specs["corners"] = {**specs["median_depth"], "interpolation": other}
    specs["nearest"] = {**specs["median_depth"], "interpolation": {**other, "method": "nearest"}}
    seen: set[str] = set()
    for name, spec in specs.items():
        for kind, unit in KINDS:
            for units in ("mm", "relative"):
                terms = terms_for(
                    spec, dataset="any", sequence="any", size=(9, 12), units=units, output_kind=kind, output_unit=unit,
                    output_greatest=0.09 if kind == "metric_disparity" else None,
                )  # fmt: skip
                key = canonical_json(
                    {"how": _how(terms), "own": [terms.floor_from_frame, terms.limits_from_frame]}
                )
                if _how(terms) is not None and key not in seen:
                    seen.add(key)
                    yield f"{name}, {kind}, {units}", terms


@pytest.mark.browser
def test_every_way_of_the_shipped_protocols_is_gone_in_the_page(view: Any, pages: Path) -> None:
    view.goto((pages / "index.html").as_uri())
    random = np.random.default_rng(0)
    depth = random.uniform(20, 90, (9, 12)).astype(np.float32)
    flags = np.zeros(depth.shape, np.uint8)
    rgb = np.full((*depth.shape, 3), 128, np.uint8)
    made, wanted = [], []
    for name, terms in cases():
        output = random.uniform(-0.2, 3.0, (5, 7))
        output[2, 3], output[4, 0] = 0.0, np.nan
        given = packed(output)
        stored = unpacked(given).astype(np.float32)
        pixels = single(terms, 0, stored, depth, flags, rgb, Workspace()).pixels(0)
        fit = Fit(0.7, 0.01, 9, 0)
        limits = _plain(frame_limits(terms, pixels)[1:])
        with np.errstate(all="ignore"):
            wanted.append((name, scored_maps(terms, pixels, fit).depth.ravel()))
        made.append([given, _how(terms), [fit.scale, fit.shift, *limits]])
    assert len(made) > 30
    found = view.evaluate(
        "made => Promise.all(made.map(async ([map, how, fit]) =>"
        " Array.from(onGrid(await unpacked(map), 9, 12, how), depthOf(how, fit)).map(String)))",
        made,
    )
    for (name, depths), page in zip(wanted, found, strict=True):
        # The grid holds float32, whose last digit a disparity near zero makes large.
        np.testing.assert_allclose(np.array(page, float), depths, rtol=2e-6, atol=0, err_msg=name)
    assert not all(math.isfinite(float(one)) for page in found for one in page)
