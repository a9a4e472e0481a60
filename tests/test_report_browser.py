"""The report in headless Chromium: it works, it is quiet, it asks nobody, and everybody can use it."""

from __future__ import annotations

import csv
import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import until
from report_study import tiny_study
from report_wide import wide_study
from scopedepth.tables.io import read_table

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (390, 1280, 1920)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_study(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian's package: chromium)")
    from scopedepth.report.html.page import write_report

    out = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(**tiny_study(tmp_path_factory.getbasetemp()), out=out)
    return out


@pytest.fixture(scope="module")
def browser(report: Path) -> Iterator[Any]:
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')"
    )
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report on a wide screen; whatever it says on the console or asks of a network fails the test."""
    yield from opened(browser, report, 1280, "light")


def opened(browser: Any, report: Path, width: int, scheme: str) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    view = context.new_page()
    complaints: list[str] = []
    view.on(
        "console",
        lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None,
    )
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file:", "data:")) else complaints.append(request.url)
        ),
    )

    def dismissed(dialog: Any) -> None:
        complaints.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    view.on("dialog", dismissed)
    view.goto(report.as_uri())
    yield view
    context.close()
    assert complaints == []


def column(page: Any, table: str, index: int) -> list[str]:
    return page.eval_on_selector_all(
        f"{table} tbody tr:not([hidden])",
        "(rows, i) => rows.map(row => row.children[i].innerText.trim())",
        index,
    )


RANKING = "#ranking .panel:not([hidden]) > .table"
VALUE = 3  # the column of the metric


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, report: Path) -> Path:
    """A study with many models, datasets and protocols, and few metrics, so that it is made quickly."""
    from scopedepth.report.html.page import write_report

    root = tmp_path_factory.mktemp("wide")
    write_report(**wide_study(root, metrics=("abs_rel",), sequences=2, frames=3), out=root / "report.html")
    return root / "report.html"


def chosen(page: Any) -> None:
    """Wait until what was chosen is shown."""
    until(page, "document.documentElement.dataset.shown")
    page.evaluate("() => new Promise(done => setTimeout(done, 60))")


def keep_sections(page: Any, *names: str) -> None:
    """Take away all other sections and what is hidden, over which tools take their time."""
    kept = ", ".join(f"#{name}" for name in names)
    page.evaluate(
        "kept => document.querySelectorAll(`main > section:not(${kept}), .panel[hidden]`).forEach(one => one.remove())",
        kept,
    )


def choose(page: Any, **values: str) -> None:
    for axis, value in values.items():
        page.locator(f'.chooser [data-axis="{axis}"]').select_option(value)
    chosen(page)


def test_a_table_sorts_by_value_and_keeps_what_is_missing_last(page: Any) -> None:
    head = page.locator(f"{RANKING} thead th").nth(VALUE)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = [float(text) for text in column(page, RANKING, VALUE) if text[0].isdigit()]
    assert values == sorted(values)
    assert not column(page, RANKING, VALUE)[-1][0].isdigit()
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    values = [float(text) for text in column(page, RANKING, VALUE) if text[0].isdigit()]
    assert values == sorted(values, reverse=True)
    assert not column(page, RANKING, VALUE)[-1][0].isdigit()


def test_a_table_sorts_with_the_keyboard(page: Any) -> None:
    button = page.locator(f"{RANKING} thead th button").first
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator(f"{RANKING} thead th").first.get_attribute("aria-sort") == "ascending"


def test_a_table_filters_by_words(page: Any) -> None:
    page.locator(f"{RANKING} input[type=search]").fill("scaled")
    assert len(column(page, RANKING, 0)) < 7
    # Its mark stands behind it: what it was trained on is not known.
    assert "Scaled Net?" in column(page, RANKING, 0)
    page.locator(f"{RANKING} input[type=search]").fill("")
    assert len(column(page, RANKING, 0)) == 7


def test_a_table_is_taken_as_csv_with_seven_digits(page: Any, tmp_path: Path, study: dict[str, Any]) -> None:
    """Values and bounds in columns of their own, as the table in Parquet rounds to; the page names that file."""
    assert page.locator(f"{RANKING} .file").inner_text() == "summary.parquet"
    with page.expect_download() as started:
        page.locator(RANKING).get_by_role("button", name="CSV: ").click()
    assert started.value.suggested_filename == "tiny_Tube_folds_AbsRel_under_median_depth.csv"
    started.value.save_as(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:7] == ["Model", "Rank", "Rank low", "Rank high", "Letters", "AbsRel", "AbsRel low"]
    known = {row["model"]: row for row in read_table(study["tables"]["summary"]).to_pylist() if (
        row["dataset"], row["protocol"], row["metric"]) == ("tube", "median_depth", "abs_rel")}  # fmt: skip
    titles = {spec["title"] or name: name for name, spec in study["models"].items()}
    assert len(rows) == len(titles) == 7
    for row in rows:
        title, mark = row["Model"], row["Model"].rsplit(" ", 1)[0]
        of = known[titles.get(title) or titles[mark]]
        for name, key in (
            ("AbsRel", "value"),
            ("AbsRel low", "ci_low"),
            ("AbsRel high", "ci_high"),
            ("Skill", "skill"),
        ):
            told = None if of[key] is None else f"{of[key]:.7g}"
            assert (row[name] or None) == told, (title, name)
    page.locator(RANKING).get_by_role("button", name="Copy: ").click()
    until(page, "document.querySelector('#ranking .panel:not([hidden]) output').textContent")
    assert page.locator(RANKING).get_attribute("data-csv") == (tmp_path / "table.csv").read_text(
        encoding="utf-8"
    )


def test_protocols_are_chosen_and_explained(page: Any) -> None:
    pair = page.locator("#pair")
    chosen(page)
    assert pair.is_visible()
    pair.locator("#pair-a").select_option("median_depth")
    pair.locator("#pair-b").select_option("lsq_disparity")
    chosen(page)
    text = pair.inner_text()
    assert "alignment.method" in text
    assert "lsq_affine" in text
    assert "order" in pair.locator("#pair-words").inner_text()
    assert pair.locator("svg line").count() >= 3
    pair.locator("#pair-b").select_option("median_depth")
    chosen(page)
    assert "one protocol" in pair.locator("#pair-words").inner_text()


def test_the_page_follows_one_choice_and_its_address_can_be_sent(page: Any, report: Path) -> None:
    choose(page, dataset="cave", protocol="lsq_disparity", metric="rmse")
    assert page.locator("#scores .panel:visible").count() == 1
    assert "Cave, lsq_disparity version 1" in page.locator("#scores .panel:visible caption").inner_text()
    # A dataset without a unit has no RMSE; the ranking of that view says so, row by row.
    assert "Cave: RMSE under lsq_disparity" in page.locator("#ranking .panel:visible caption").inner_text()
    assert "the depth has no unit" in page.locator("#ranking .panel:visible").inner_text()
    assert "RMSE on Cave" in page.locator("#protocols .panel:visible caption").inner_text().replace(
        "Rank by ", ""
    )
    assert "RMSE under lsq_disparity" in page.locator("#baselines .panel:visible caption").inner_text()
    for name in ("sequences", "depth", "gallery", "drift", "pairs"):
        assert page.locator(f"#{name} .panel:visible").count() == 1, name
        assert "Follows the choice of dataset" in page.locator(f"#{name} .shows").inner_text()
    assert "Cave" in page.locator("#depth .panel:visible").inner_text()
    assert (
        "Nothing to show here for Cave, lsq_disparity" in page.locator(".speed .panel:visible").inner_text()
    )
    sent = page.evaluate("location.hash")
    assert sent == "#&dataset=cave&protocol=lsq_disparity&metric=rmse"
    # A plain link keeps the choice, and scrolls.
    page.locator('.part a[href="#drift"]').click()
    chosen(page)
    assert page.evaluate("location.hash") == "#drift&dataset=cave&protocol=lsq_disparity&metric=rmse"
    top = page.evaluate("document.querySelector('#drift').getBoundingClientRect().top")
    assert 0 <= top < 200, "below the bar, not under it"
    # Whoever gets the address sees the same.
    page.goto("about:blank")
    page.goto(report.as_uri() + "#scores&dataset=cave&metric=delta1&hide=m0")
    chosen(page)
    assert page.locator('.chooser [data-axis="dataset"]').input_value() == "cave"
    assert "δ < 1.25" in page.locator("#protocols .panel:visible caption").inner_text()
    assert page.evaluate("scrollY") > 500
    page.locator("#headline").click()
    chosen(page)
    assert page.evaluate("location.hash") == "#scores"
    assert page.locator("#headline").is_hidden()
    choose(page, dataset="*")
    assert page.locator("#ranking .panel:visible").count() == 3
    # An address without a choice arrives, too, though what stands above it has shrunk.
    page.goto("about:blank")
    page.goto(report.as_uri() + "#timing")
    chosen(page)
    page.wait_for_timeout(400)
    assert 0 <= page.evaluate("document.querySelector('#timing').getBoundingClientRect().top") < 200
    choose(page, dataset="*")
    # What is no choice of this page is passed over.
    page.goto(report.as_uri() + "#ranking&dataset=other&metric=%3Cb%3E&protocol=%&hide=x{}")
    chosen(page)
    assert page.evaluate("location.hash") == "#ranking&dataset=*"
    assert page.locator("#ranking .panel:visible").count() == 3


def test_a_legend_hides_a_model_in_all_charts(page: Any) -> None:
    chosen(page)
    shown = page.locator("svg.chart .m0:visible")
    before = shown.count()
    assert before > 5
    entry = page.locator("#depth .legend button").first
    assert entry.get_attribute("aria-pressed") == "true"
    entry.focus()
    page.keyboard.press("Enter")
    assert shown.count() == 0
    assert page.locator("svg.chart .m1:visible").count() > 5
    assert page.locator("#drift .legend button").first.get_attribute("aria-pressed") == "false"
    assert page.evaluate("location.hash").endswith("&hide=m0")
    assert "Affine Net?" in column(page, RANKING, 0), "tables keep it"
    page.locator(".models summary").focus()
    page.keyboard.press("Enter")
    page.locator(".models .legend button").first.click()
    assert shown.count() == before
    page.keyboard.press("Escape")
    assert not page.locator(".models .legend").is_visible()


def test_gallery_compares_by_picture_slider_and_hover(page: Any) -> None:
    frame = page.locator("#gallery [data-frame]").first
    stage, over = frame.locator(".stage"), frame.locator(".stage .over")
    before = over.get_attribute("src")
    frame.get_by_role("button", name="Compare: Metric Net, error").click()
    assert over.get_attribute("src") != before
    assert (
        frame.get_by_role("button", name="Compare: Metric Net, error").get_attribute("aria-pressed") == "true"
    )
    slider = frame.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert stage.evaluate("e => e.style.getPropertyValue('--at')") == "51%"
    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    assert stage.evaluate("e => e.style.getPropertyValue('--at')") == "25%"
    choose(page, dataset="absent")
    assert "no frames to show" in page.locator("#gallery .panel:visible").inner_text()


def test_the_theme_can_be_chosen(page: Any) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.locator("#theme").click()  # light
    assert page.evaluate(colour) == light
    page.locator("#theme").click()  # dark
    assert page.evaluate(colour) != light
    page.reload()
    assert page.evaluate(colour) != light


# Texts of a chart that overprint one another, as pairs.
OVERPRINTED = """() => [...document.querySelectorAll("svg.chart")].flatMap(svg => {
  const boxes = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()])
    .filter(([, box]) => box.width);
  return boxes.flatMap(([said, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
    .map(([other]) => [said, other]));
})"""


@pytest.mark.parametrize("width", WIDTHS)
def test_a_wide_study_fits_every_width(browser: Any, wide: Path, width: int) -> None:
    for view in opened(browser, wide, width, "light"):
        chosen(view)
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        assert view.evaluate(OVERPRINTED) == []
        sizes = view.evaluate(
            "[...new Set([...document.querySelectorAll('svg.chart')].filter(s => s.clientWidth).flatMap(s =>"
            "[...s.querySelectorAll('text')].map(t => Math.round(10 * parseFloat(getComputedStyle(t).fontSize)"
            " * s.clientWidth / s.viewBox.baseVal.width))))]"
        )
        assert sizes == [120]
        if width == 1280:
            seen = view.evaluate(
                "[...document.querySelectorAll('.glance tbody tr')]"
                ".filter(row => row.getBoundingClientRect().bottom <= 900).length"
            )
            assert seen == 12, "all datasets are on the first screen"
            fits = view.evaluate(
                "[...document.querySelectorAll(':is(#protocols, #ranking) .panel:not([hidden]) .scroll')]"
                ".every(box => box.scrollWidth <= box.clientWidth + 1)"
            )
            assert fits
            view.locator(".glance a").nth(3).click()
            chosen(view)
            assert "Dataset 3" in view.locator("#ranking .panel:visible h3").inner_text()
            dashes = view.evaluate(
                "[...document.querySelectorAll('td, th')].filter(cell => cell.textContent.trim() === '–')"
                ".map(cell => cell.closest('table').caption.textContent)"
            )
            assert dashes == [], "a reason stands beside every dash"


@pytest.mark.parametrize("width", WIDTHS)
def test_fits_every_width(browser: Any, report: Path, width: int) -> None:
    for view in opened(browser, report, width, "light"):
        chosen(view)
        assert view.evaluate(OVERPRINTED) == []
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        cut = view.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
            " && !e.closest('.scroll') && !e.closest('svg')).map(e => e.outerHTML.slice(0, 80))"
        )
        assert cut == []


@pytest.mark.parametrize(
    ("width", "scheme", "which"),
    [(1280, "dark", "report"), (390, "light", "report"), (1280, "light", "wide")],
)
def test_accessible(browser: Any, request: Any, width: int, scheme: str, which: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    for view in opened(browser, request.getfixturevalue(which), width, scheme):
        chosen(view)
        view.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        if which == "wide":  # what it has and the small one lacks
            keep_sections(view, "verdict", "ranking")
        found = axe.Axe().run(view).response["violations"]
        assert [(v["id"], [node["html"][:160] for node in v["nodes"][:4]]) for v in found] == []


def test_readable_without_scripts(browser: Any, report: Path) -> None:
    """The headline's view of all datasets, and no control that does nothing."""
    context = browser.new_context(java_script_enabled=False)
    view = context.new_page()
    view.goto(report.as_uri())
    assert view.locator("#ranking table").first.is_visible()
    assert view.locator("#scores .panel:visible").count() == 3
    assert view.locator(".speed svg:visible").count() == 2
    assert not view.locator(".chooser").is_visible()
    context.close()


def test_on_paper_no_table_is_cut(browser: Any, wide: Path, tmp_path: Path) -> None:
    """All columns of the widest table are in the PDF's text, what is folded is open, and bars are gone."""
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed (pip install -e '.[dev]')")
    for view in opened(browser, wide, 1280, "dark"):
        chosen(view)
        keep_sections(view, "verdict", "pairs", "protocols", "timing")
        view.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
        view.emulate_media(media="print")
        assert not view.locator(".top").is_visible()
        heads = view.evaluate(
            "[...document.querySelectorAll(':is(#timing, #protocols) .table:not(.fields) thead th')]"
            ".filter(head => head.offsetWidth).map(head => head.textContent.trim())"
        )
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    # Without ligatures.
    said = unicodedata.normalize("NFKC", "".join(page.extract_text() for page in pages))
    text = re.sub(r"\s", "", said)
    assert {"× yardstick", "Disturbed", "protocol_13"} <= set(heads)
    assert [
        head for head in heads if re.sub(r"\s", "", unicodedata.normalize("NFKC", head)) not in text
    ] == []
    assert "Paireddifferences" in text
