"""The docs: every query and notebook runs, and no page or link is left hanging."""

from __future__ import annotations

import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from describe_protocols import IN_LATEX
from project import Project
from scopedepth.config.load import select_study
from scopedepth.vocabulary.metrics import METRICS

# The pages speak of the demonstration; the tests run them on the small study.
NAMES = {"studies/demo": "studies/small", "phantom": "one"}


def on_the_small_study(program: str) -> str:
    for shown, here in NAMES.items():
        program = program.replace(shown, here)
    return program


@pytest.mark.workflow
def test_every_query_of_the_analysis_page_runs(root: Path, finished: Project) -> None:
    page = (root / "docs" / "analysis" / "index.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    printed = finished.python(on_the_small_study("\n".join(blocks)))
    assert "brightness" in printed
    assert "no_valid" not in printed


@pytest.mark.workflow
def test_the_notebook_runs(root: Path, finished: Project) -> None:
    notebook = json.loads((root / "docs" / "analysis" / "predictions.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell.get("outputs") for cell in notebook["cells"])
    program = "import matplotlib; matplotlib.use('agg')\n" + "\n".join(cells)
    assert "left" in finished.python(on_the_small_study(program))


def test_links_between_pages_and_pictures_exist(root: Path) -> None:
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (
                f"{page.relative_to(root)} links to {target}, which is not there"
            )


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_what_a_page_says_to_write_into_the_configuration_is_accepted(root: Path, page: str) -> None:
    config = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    blocks = re.findall(
        r"^```yaml\n(.*?)^```", (root / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) >= 2
    shown: dict[str, set[str]] = {}
    for block in blocks:
        for kind, entries in yaml.safe_load(block).items():
            config[kind].update(entries)
            shown.setdefault(kind, set()).update(entries)
    mine = config["studies"]["mine"]
    for kind in ("datasets", "models", "protocols"):
        mine[kind] = sorted({*mine[kind], *shown.get(kind, ())})
    study = select_study(config, "mine")
    assert set(study.models) > shown["models"]


def test_the_picture_of_the_rules_is_that_of_the_snakefile(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--rulegraph", "dot", "--forceall"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    drawn = (root / "docs" / "images" / "rules.dot").read_text(encoding="utf-8")
    assert arrows(drawn)
    assert arrows(done.stdout) == arrows(drawn), "run: make rulegraph"


def arrows(graph: str) -> set[tuple[str, str]]:
    """Return a graph's edges by the rules' names: numbers and order differ from run to run."""
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)', graph, re.MULTILINE))
    return {
        (names[tail], names[head]) for tail, head in re.findall(r"^\s*(\d+) -> (\d+)", graph, re.MULTILINE)
    }


LATEX_WORDS = {
    r"\left": "",
    r"\right": "",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\log_{10}": "log10",
    r"\,": "",
    "\\": "",
}


def test_formulas_on_the_page_are_those_of_the_registry() -> None:
    for name, formula in IN_LATEX.items():
        plain = re.sub(r"\\operatorname\{(\w+)\}", r"\1", formula.replace("$", ""))
        for written, meant in LATEX_WORDS.items():
            plain = plain.replace(written, meant)
        plain = re.sub(r"sqrt\{(.*)\}", r"sqrt(\1)", plain)
        assert plain.replace(" ", "") == METRICS[name].formula.replace(" ", ""), name


class Page(html.parser.HTMLParser):
    """A built page: where it points, what it loads, which places it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.ids: set[str] = set()
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag in ("script", "img", "source", "iframe") and "src" in given:
            self.loads.add(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.add(given["href"])


def test_the_site_builds_whole_and_asks_nobody(root: Path, tmp_path: Path) -> None:
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -e '.[dev]'")
    site = tmp_path / "site"
    command = ["-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", str(root / "docs"), str(site)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    for source in (root / "docs").rglob("*.md"):
        assert (site / source.relative_to(root / "docs")).with_suffix(".html") in pages
    for path, page in pages.items():
        if path.name in ("genindex.html", "search.html"):
            continue
        for link in page.links:
            address, _, place = link.partition("#")
            if re.match(r"\w+:", address):
                continue
            target = (path.parent / address).resolve() if address else path
            assert target.is_file(), f"{path.name} leads to {link}"
            if place and target in pages:
                assert place in pages[target].ids, f"{path.name} leads to {link}"
        for address in page.loads:
            assert not re.match(r"(\w+:)?//", address), f"{path.name} loads {address}"
            assert (path.parent / address.partition("?")[0]).is_file(), f"{path.name} loads {address}"
    # Formulas are MathML and no raw LaTeX is left.
    for name in ("metrics.html", "statistics.html"):
        page = pages[(site / name).resolve()]
        assert page.text.count("<math") > 10
        assert not re.search(r"\\(operatorname|frac|sqrt|\(|\[)", page.text)
