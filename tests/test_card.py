"""A model's card says what a study has recorded, item by item, and that there is nothing where there is nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from partial import partial
from project import Project
from report_study import HOSTILE, tiny_study
from scopedepth.report.checklists.card import NOT_RECORDED, Facts, bias, card, claim
from scopedepth.report.checklists.items import BIAS, CLAIM
from scopedepth.report.results import Results


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_study(tmp_path_factory.getbasetemp())


def facts(made: dict[str, Any], model: str, **changed: Any) -> Facts:
    about = {key: value for key, value in made.items() if key != "records"} | changed
    records = tuple(path for path in made["records"] if path.name.startswith(model))
    return Facts(Results(**about), model, records, "sha256:abc")


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of the card's tables by their first cells, in a table each."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and set(cells[0]) != {"-"}:
            found.setdefault(cells[0], []).append(cells[-1])
    return found


def test_each_item_is_there_and_says_what_is_recorded_or_that_nothing_is(made: dict[str, Any]) -> None:
    assert list(CLAIM) == list(range(1, 45))
    assert len(set(BIAS)) == len(BIAS) == 29
    its = facts(made, "metric_net")
    assert set(bias(its)) <= set(BIAS)
    text = card(its)
    found = rows(text)
    for number in range(1, 45):
        assert len(found[str(number)]) == 1, number
        assert (found[str(number)][0] == f"*{NOT_RECORDED}*") == (not claim(its).get(number)), number
    for name in BIAS:
        assert (found[name] == [f"*{NOT_RECORDED}*"]) == (not bias(its).get(name)), name
    # No study of ours stores these.
    for number in (2, 3, 5, 11, 15, 18, 21, 31, 34, 36, 38, 41, 44):
        assert found[str(number)][0] == f"*{NOT_RECORDED}*", number
    assert bias(its)["terms of the data"] == "Tube & folds: licence MIT. Cave: licence not stated."
    assert claim(its)[23] == "torch 2.13.0"
    assert "2.12.0" in claim(facts(made, "scaled_net"))[23], "of this model's own jobs"


def test_numbers_are_the_tables(made: dict[str, Any]) -> None:
    its = facts(made, "metric_net")
    row = its.results.score("tube", "metric_net")
    assert row is not None
    said = f"Tube & folds: AbsRel {row['value']:.3f} (95 % {row['ci_low']:.3f} to {row['ci_high']:.3f})"
    assert said in claim(its)[37]
    assert claim(its)[35].startswith(
        f"Tube & folds: {row['n_frames']} frames of {row['n_sequences']} sequences."
    )
    assert "Test processor" in its.speed()
    assert facts(made, "brightness").speed() == "", "not timed"


def test_nothing_is_said_to_be_unseen_that_was_not_scored(made: dict[str, Any]) -> None:
    its = facts(made, "metric_net")
    assert claim(its)[32] == "Tube & folds: these frames."
    assert claim(its)[33] == "Cave: nothing of it."
    unknown = facts(made, "affine_net")
    assert claim(unknown)[20] == "Tube & folds: not known. Cave: not known."
    assert claim(unknown)[32] == claim(unknown)[33] == "", (
        "what is not known is neither internal nor external"
    )


def test_a_fact_that_is_taken_away_is_not_recorded(made: dict[str, Any]) -> None:
    bare = {
        name: {
            **spec,
            "licence": "unknown",
            "citation": "",
            "homepage": "",
            "depth": {"unit": "mm", "origin": "unknown"},
        }
        for name, spec in made["datasets"].items()
    }
    its = facts(made, "scaled_net", datasets=bare)
    assert claim(its)[7] == bias(its)["terms of the data"] == claim(its)[14] == bias(its)["annotation"] == ""


def test_what_others_wrote_is_no_markup_and_no_folder_is_told(made: dict[str, Any]) -> None:
    models = {
        name: {**spec, "weights": {"kind": "path", "path": "/home/mallory/weights"}}
        for name, spec in made["models"].items()
    }
    title = "a | b\n# c <img src=x>"
    study = {**made["study"], "title": title}
    text = card(facts(made, "hostile", models=models, study=study))
    assert "mallory" not in text
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "<img" not in text.replace("\\<img", "")
    assert HOSTILE.split(" ")[0] not in text
    assert all(
        len(re.findall(r"(?<!\\)\|", line)) in (3, 4) for line in text.splitlines() if line.startswith("|")
    )


def test_where_weights_come_from(made: dict[str, Any]) -> None:
    def said(**weights: Any) -> str:
        models = {**made["models"], "scaled_net": {**made["models"]["scaled_net"], "weights": weights}}
        return facts(made, "scaled_net", models=models).weights()

    hub = said(kind="hub", repo="a/b", revision="c1")
    assert hub == "a/b on the Hugging Face Hub, revision c1 (sha256:abc)"
    assert said(kind="url", files=[partial(url="https://x.org/w.pth")]) == "https://x.org/w.pth (sha256:abc)"
    assert said(kind="path", path="/home/mallory") == "files at hand (sha256:abc)"


@pytest.mark.workflow
def test_the_command_writes_the_card_of_a_finished_study(finished: Project, tmp_path: Path) -> None:
    out = tmp_path / "card.md"
    done = finished.command("card", "brightness", "--out", str(out))
    assert done.returncode == 0, done.stderr
    text = out.read_text(encoding="utf-8")
    assert text.startswith("# brightness")
    count = sum(cell == f"*{NOT_RECORDED}*" for cells in rows(text).values() for cell in cells)
    assert f"{count} items that the study has not recorded" in done.stdout
    assert str(finished.folder) not in text
