"""Citations: every published model and dataset has an entry of its own, and the entries are good BibTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from project import Project
from scopedepth.config.citations import bibliography, entries, expand
from scopedepth.config.load import ConfigError, check


@pytest.fixture
def config(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(root)
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))


# Its makers' paper is not known to us, as the entry says.
UNKNOWN = ("kidney3d_ct",)


def published(config: dict[str, Any]) -> dict[str, str]:
    """Return the citations of everything that others have made, as config.yaml has them."""
    # A view is another one's frames, and cites what that one cites.
    stored = {name: spec for name, spec in config["datasets"].items() if "view_of" not in spec}
    datasets = {name: spec for name, spec in stored.items() if spec["source"]["kind"] != "phantom"}
    # A model that is fine-tuned here cites what its base cites.
    published_models = {name: spec for name, spec in config["models"].items() if "recipe" not in spec}
    models = {
        k: v
        for k, v in published_models.items()
        if v["family"] != "baseline" and not v["weights"].get("path", "").startswith("demo_weights")
    }
    cited = {name: spec["citation"] for name, spec in (datasets | models).items() if name not in UNKNOWN}
    assert not [name for name in UNKNOWN if "citation" in datasets[name]]
    return cited


def test_everything_published_is_cited_by_an_entry_and_every_entry_is_used(config: dict[str, Any]) -> None:
    cited = published(config)
    assert len(cited) > 20
    for name, citation in cited.items():
        assert [f"@{key}" for key, _ in entries(expand(citation))] == citation.split("; "), name
    assert {f"@{key}" for key in bibliography()} == {
        key for text in cited.values() for key in text.split("; ")
    }
    checked = check(config)
    assert "Towards Robust" in checked.models["midas_dpt_large"].citation
    assert "Vision Transformers" in checked.models["midas_dpt_large"].citation


def test_the_entries_are_whole(root: Path, config: dict[str, Any]) -> None:
    text = (root / "citations.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),$", text, re.MULTILINE)
    assert keys == list(bibliography())
    assert len(keys) == len(set(keys))
    for key, entry in bibliography().items():
        fields = dict(re.findall(r"^  (\w+)\s*= \{(.*)\},?$", entry, re.MULTILINE))
        assert {"author", "title"} <= fields.keys(), key
        assert "year" in fields or key == "hamlyn", key
        assert entry.isascii(), f"{key}: plain BibTeX knows no Unicode"
        for value in fields.values():
            assert value.count("{") == value.count("}"), key


def test_a_key_that_is_not_there_is_one_line_with_the_nearest(config: dict[str, Any]) -> None:
    config["models"]["endo_depth"]["citation"] = "@recasens2021endo"
    with pytest.raises(ConfigError, match=r"models\.endo_depth\.citation: .*recasens2021endodepth"):
        check(config)


def test_words_and_bibtex_stay_as_they_are_and_an_own_file_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("", "Me, 2026", "@misc{me, title = {Mine}}", "see @recasens2021endodepth"):
        assert expand(text) == text
    monkeypatch.chdir(tmp_path)
    assert "Recasens" in expand("@recasens2021endodepth")
    (tmp_path / "citations.bib").write_text("% mine\n@misc{me,\n  title = {Mine}\n}\n", encoding="utf-8")
    assert expand("@me") == "@misc{me,\n  title = {Mine}\n}"


def test_latex_takes_every_entry(root: Path, tmp_path: Path) -> None:
    if not (shutil.which("pdflatex") and shutil.which("bibtex")):
        pytest.skip("no pdflatex or no bibtex (Debian's texlive-latex-base)")
    shutil.copy(root / "citations.bib", tmp_path / "references.bib")
    (tmp_path / "all.tex").write_text(
        r"\documentclass{article}\usepackage{url}\begin{document}\nocite{*}"
        r"\bibliographystyle{plain}\bibliography{references}\end{document}",
        encoding="utf-8",
    )
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    for command in (latex, ["bibtex", "all"], latex):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        assert "Warning--" not in done.stdout, done.stdout
    printed = (tmp_path / "all.bbl").read_text(encoding="utf-8")
    assert printed.count(r"\bibitem") == len(bibliography())


@pytest.mark.workflow
def test_data_are_kept_with_the_entry_and_not_with_its_key(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    (project.folder / "citations.bib").write_text("@misc{me,\n  title = {Mine}\n}\n", encoding="utf-8")
    config = project.read_config()
    config["datasets"]["one"]["citation"] = "@me"
    project.write_config(config)
    assert project.jobs() == {"report(small)"}  # words decide no result
    project.snakemake("--forcerun", "fetch_dataset", "--", "results/raw/one")
    kept = [path.read_text("utf-8") for path in (project.folder / "results/raw/one").glob("*.json")]
    assert any("title = {Mine}" in text for text in kept)
