"""Snakemake's own report: what is marked for it is in it, and it is made without a network."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from project import Project

pytestmark = pytest.mark.workflow


def test_it_holds_the_report_the_ranking_and_what_a_paper_needs(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever asks the network for something is refused.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    done = finished.snakemake("--report", str(tmp_path / "report.zip"), cores=1)
    assert "Missing metadata" not in done.stderr
    assert "No files found" not in done.stderr
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        page = archive.read("report/report.html").decode("utf-8")
        results = {archive.read(name) for name in archive.namelist() if "/data/raw/" in name}
    assert {"ranking.txt", "one-median_depth.tex", "two-ranks.tex", "protocols-one.png"} <= names.keys()
    study = finished.folder / "results" / "studies" / "small"
    assert {(study / "report.html").read_bytes(), (study / "ranking.txt").read_bytes()} <= results
    for said in ("The study", "For a paper", "the whole report", "the ranking", "one-median_depth"):
        assert f'"{said}"' in page
    assert "each run once and scored under" in page  # what it opens with
    assert "The report of the study" in page  # a caption
    assert "{{" not in "".join(re.findall(r'"caption": "(.*?)"[,}]', page))
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="https?:', page)
