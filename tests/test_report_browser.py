"""The report in headless Chromium: it works, it is quiet, it asks nobody, and everybody can use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report_study import tiny_study

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


RANKING = "#ranking .block:first-of-type > .table"


def test_a_table_sorts_by_value_and_keeps_what_is_missing_last(page: Any) -> None:
    head = page.locator(f"{RANKING} thead th").nth(2)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = [float(text) for text in column(page, RANKING, 2) if text[0].isdigit()]
    assert values == sorted(values)
    assert not column(page, RANKING, 2)[-1][0].isdigit()
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    values = [float(text) for text in column(page, RANKING, 2) if text[0].isdigit()]
    assert values == sorted(values, reverse=True)
    assert not column(page, RANKING, 2)[-1][0].isdigit()


def test_a_table_sorts_with_the_keyboard(page: Any) -> None:
    button = page.locator(f"{RANKING} thead th button").first
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator(f"{RANKING} thead th").first.get_attribute("aria-sort") == "ascending"


def test_a_table_filters_by_words(page: Any) -> None:
    page.locator(f"{RANKING} input[type=search]").fill("scaled")
    assert len(column(page, RANKING, 0)) < 7
    # Its mark stands behind it: what it was trained on is not known.
    assert "Scaled Net\n?" in column(page, RANKING, 0)
    page.locator(f"{RANKING} input[type=search]").fill("")
    assert len(column(page, RANKING, 0)) == 7


def test_a_table_copies_as_csv_with_full_values(page: Any) -> None:
    page.locator(f"{RANKING} .tool").click()
    page.wait_for_function("document.querySelector('#ranking .table').dataset.csv")
    lines = page.locator(RANKING).get_attribute("data-csv").strip().split("\n")
    assert lines[0].startswith("Model,Rank,AbsRel")
    assert len(lines) == 8
    assert any('""Net""' in line for line in lines)  # quotes are doubled
    value = next(line for line in lines if line.startswith("Scaled Net")).split(",")[2]
    assert len(value) > 8


def test_protocols_are_chosen_and_explained(page: Any) -> None:
    pair = page.locator("#pair")
    assert pair.is_visible()
    pair.locator("#pair-a").select_option("median_depth")
    pair.locator("#pair-b").select_option("lsq_disparity")
    text = pair.inner_text()
    assert "alignment.method" in text
    assert "lsq_affine" in text
    assert "order" in pair.locator("#pair-words").inner_text()
    assert pair.locator("svg line").count() >= 3
    pair.locator("#pair-b").select_option("median_depth")
    assert "one protocol" in pair.locator("#pair-words").inner_text()


def test_panels_follow_their_choices(page: Any) -> None:
    scores = page.locator("#scores")
    assert scores.locator(".panel:visible").count() == 1
    scores.locator('[data-axis="protocol"]').select_option("lsq_disparity")
    scores.locator('[data-axis="dataset"]').select_option("cave")
    assert "Cave, lsq_disparity version 1" in scores.locator(".panel:visible caption").inner_text()
    page.locator('#protocols .panels [data-axis="metric"]').first.select_option("rmse")
    assert "RMSE" in page.locator("#protocols .panels .panel:visible caption").inner_text()


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
    page.locator('#gallery [data-axis="dataset"]').select_option("absent")
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_fits_every_width(browser: Any, report: Path, width: int, scheme: str) -> None:
    for view in opened(browser, report, width, scheme):
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        cut = view.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
            " && !e.closest('.scroll') && !e.closest('svg')).map(e => e.outerHTML.slice(0, 80))"
        )
        assert cut == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_accessible(browser: Any, report: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    for view in opened(browser, report, width, scheme):
        view.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        found = axe.Axe().run(view).response["violations"]
        serious = [
            (v["id"], [node["html"][:160] for node in v["nodes"][:4]])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_readable_without_scripts_and_on_paper(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    view = context.new_page()
    view.goto(report.as_uri())
    assert view.locator("#ranking table").first.is_visible()
    assert view.locator("#scores .panel:visible").count() == 9
    view.emulate_media(media="print")
    assert not view.locator(".top").is_visible()
    assert len(view.pdf()) > 10_000
    context.close()
