"""The docs: every query and notebook runs, and no page or link is left hanging."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from project import Project

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
