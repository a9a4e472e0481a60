"""What an author takes away: tables that compile as they are, references that are whole, the same bytes each time."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from partial import partial
from report_study import HOSTILE, tiny_study
from scopedepth.config.citations import entries
from scopedepth.report.methods import methods_text
from scopedepth.report.paper.bibtex import references
from scopedepth.report.paper.folder import write_paper
from scopedepth.report.paper.latex import escape
from scopedepth.report.results import Results
from scopedepth.report.words import preprocessing

PARTS = ("study", "datasets", "models", "protocols", "tables")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    whole = tiny_study(tmp_path_factory.getbasetemp())
    return {name: whole[name] for name in PARTS}


@pytest.fixture(scope="module")
def paper(study: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("paper") / "paper"
    write_paper(**study, out=out)
    return out


def test_a_table_for_each_dataset_and_protocol_and_one_of_ranks(paper: Path) -> None:
    names = {path.stem for path in (paper / "tables").iterdir()}
    assert {
        "tube-ranks",
        "tube-median_depth",
        "cave-lsq_disparity",
        "absent-sequence_scale",
        "timing",
    } <= names


def test_a_table_marks_what_a_reader_must_know(paper: Path) -> None:
    text = (paper / "tables" / "tube-median_depth.tex").read_text(encoding="utf-8")
    assert r"\toprule" in text
    assert r"\textbf{" in text
    assert r"\underline{" in text
    assert r"Metric Net\textsuperscript{\dag{}}" in text
    assert r"protocol median\_depth (version 1)." in text
    assert "for these sequences only" in text
    assert re.search(r"\[0\.\d{3}, 0\.\d{3}\]", text)
    assert escape(HOSTILE) in text


def test_a_model_with_failed_frames_is_not_set_beside_the_others(paper: Path) -> None:
    text = (paper / "tables" / "tube-median_depth.tex").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(escape(HOSTILE)))
    assert r"\textsuperscript{*}" in row
    assert r"\textbf" not in row


def test_whatever_latex_would_take_for_a_command_is_text() -> None:
    assert escape("a_b & 100% $x$ #1 {y} ~ ^ \\") == (
        r"a\_b \& 100\% \$x\$ \#1 \textbraceleft{}y\textbraceright{} \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{}"
    )
    assert escape("δ < 1.25²") == r"$\delta$ \textless{} 1.25$^2$"
    assert escape("Ünïcode é") == "Ünïcode é"
    assert escape("内視鏡") == "[U+5185][U+8996][U+93E1]"
    assert escape("a\nb\x00") == "a b"


def test_bibtex_is_read_with_nested_braces_and_broken_entries_are_left_out() -> None:
    text = "@article{a1, title={A {B} C}}\n@book{b2,title={D}} @misc{broken, title={"
    assert [key for key, _ in entries(text)] == ["a1", "b2"]
    assert list(entries("no entry")) == []
    assert list(entries("@string{x, y}")) == []


def test_every_model_and_dataset_has_a_reference(study: dict[str, Any], paper: Path) -> None:
    results = Results(**study)
    text, keys = references(results)
    written = [key for key, _ in entries(text)]
    assert len(written) == len(set(written))
    for name in results.networks:
        assert keys["models", name]
    for name in results.dataset_names:
        assert set(keys["datasets", name]) <= set(written)
    assert "tube2020" in written
    assert (paper / "references.bib").read_text(encoding="utf-8") == text


def test_two_entries_under_one_key_stay_two(study: dict[str, Any]) -> None:
    entry = "@misc{same, title = {%s}}"
    models = {
        name: {**spec, "citation": entry % name} if name in ("affine_net", "scaled_net") else spec
        for name, spec in study["models"].items()
    }
    text, keys = references(Results(**{**study, "models": models}))
    assert keys["models", "affine_net"] == ["same"]
    assert keys["models", "scaled_net"] == ["same-2"]
    assert len(list(entries(text))) == len({key for key, _ in entries(text)})


def test_the_methods_say_what_the_specs_say(study: dict[str, Any], paper: Path) -> None:
    text = methods_text(Results(**study))
    assert "by a least-squares factor and offset in disparity" in text
    assert "once for each sequence" in text
    assert "reference depths from 1 to 150 mm counted" in text
    assert "Absent data (no result)" in text
    assert "Frames were preprocessed in these ways: its own code (Affine Net" in text
    assert r"\cite{tube2020}" in (paper / "methods.tex").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("family", "options", "said"),
    [
        ("baseline", {"kind": "constant"}, "none"),
        ("python", {"code": "network.py:Net"}, "its own code"),
        ("transformers", {}, "the Hub's processor"),
        ("transformers", {"preprocessing": "authors", "flip": True}, "the authors' own, flip yes"),
        ("transformers", {"processor": {"do_pad": False}}, "the Hub's processor, processor with do_pad no"),
        ("monodepth2", {"checkpoint": "a", "width": None}, "as the family monodepth2 does it"),
        ("onnx", {"height": 64, "mean": [0, 0.5, 1]}, "as the family onnx does it, height 64, mean 0 0.5 1"),
    ],
)
def test_how_frames_are_preprocessed_is_a_phrase(family: str, options: dict[str, Any], said: str) -> None:
    assert preprocessing(partial(family=family, options=options)) == said


def test_figures_are_pdf_and_png(paper: Path) -> None:
    for name in ("speed-tube", "protocols-tube", "speed-cave"):
        assert (paper / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (paper / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_inputs_give_the_same_bytes(study: dict[str, Any], paper: Path, tmp_path: Path) -> None:
    write_paper(**study, out=tmp_path / "again")
    first = {path.relative_to(paper): path.read_bytes() for path in paper.rglob("*") if path.is_file()}
    again = tmp_path / "again"
    assert first == {
        path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()
    }


def test_everything_compiles_as_it_is(paper: Path, tmp_path: Path) -> None:
    if shutil.which("tectonic"):
        commands = [["tectonic", "all.tex"]]
    elif shutil.which("pdflatex") and shutil.which("bibtex"):
        latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
        commands = [latex, ["bibtex", "all"], latex, latex]
    else:
        pytest.skip("no LaTeX is installed (Debian's texlive-latex-recommended, or tectonic)")
    shutil.copytree(paper, tmp_path / "paper")
    for command in commands:
        run = subprocess.run(
            command, cwd=tmp_path / "paper", capture_output=True, text=True, timeout=300, check=False
        )
        assert run.returncode == 0, run.stdout[-3000:]
    assert (tmp_path / "paper" / "all.pdf").stat().st_size > 10_000
    log = tmp_path / "paper" / "all.log"
    if log.exists():
        assert "undefined" not in log.read_text(encoding="utf-8", errors="replace")
