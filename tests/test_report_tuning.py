"""Before and after, in the report: a fine-tuned model beside its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from report_study import tiny_study
from scopedepth.job.manifest import write_json
from scopedepth.report.html.page import render
from scopedepth.report.html.parts.marks import looks
from scopedepth.report.html.sections.materials import weights_words
from scopedepth.report.html.sections.tuning import change, tuning
from scopedepth.report.methods import methods_text
from scopedepth.report.results import Results

WEIGHTS: Any = {
    "kind": "finetuned", "base": "scaled_net", "seed": 3, "train": [{"dataset": "tube", "sequences": ["bend"]}],
    "holdout": {"by": "sequence", "share": 0.25}, "folds": None,
    "recipe": {"name": "neck_head", "steps": 40, "batch": 8, "learning_rate": 5e-4, "trains": ["neck", "head"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_study(tmp_path_factory.getbasetemp())


def tuned(study: dict[str, Any], folder: Path, model: str, **weights: Any) -> Results:
    """Return the study's results as if `model` had been fine-tuned from scaled_net."""
    record = folder / "results" / "finetuned" / f"{model}.run.json"
    curve = [
        {"step": step, "loss": None, "watched_loss": 1 / (1 + step), "agreement": 0.9} for step in (0, 20, 40)
    ]
    training = {
        "curve": curve, "frames": 204, "held_out": ["tube: <b>"], "learning_parameters": 13393, "chosen_step": 40,
        "steps_per_second": 2.5, "peak_gpu_mib": None, "energy_joule": None, "device": "cpu",
    }  # fmt: skip
    write_json(record, {"training": training})
    models = {**study["models"], model: {**study["models"][model], "weights": {**WEIGHTS, **weights}}}
    return Results(**{**study, "models": models, "records": [*study["records"], record]})


def test_the_difference_is_that_of_the_frames_of_both_after_minus_before(
    study: dict[str, Any], tmp_path: Path
) -> None:
    # In one order of the pair and in the other: the table of comparisons holds each once.
    for model in ("affine_net", "metric_net"):
        results = tuned(study, tmp_path, model)
        of: dict[str, dict[tuple[str, int], float]] = {model: {}, "scaled_net": {}}
        for one in results.frames(["abs_rel"], dataset="tube", protocol="median_depth").to_pylist():
            if one["model"] in of and one["abs_rel"] is not None:
                of[one["model"]][one["sequence"], one["frame"]] = one["abs_rel"]
        both = of[model].keys() & of["scaled_net"].keys()
        differences: dict[str, list[float]] = {}
        for sequence, frame in both:
            value = of[model][sequence, frame] - of["scaled_net"][sequence, frame]
            differences.setdefault(sequence, []).append(value)
        expected = np.mean([np.mean(values) for values in differences.values()])
        row = change(results, "tube", "scaled_net", model, "median_depth")
        assert row["n_frames"] == len(both)
        assert row["difference"] == pytest.approx(expected)
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]


def test_the_section_says_what_was_seen_closest_first_and_how_training_went(
    study: dict[str, Any], tmp_path: Path
) -> None:
    results = tuned(study, tmp_path, "metric_net")
    shown = tuning(results, looks(results))
    assert shown is not None
    datasets = [row[1].text for row in shown["table"].rows]
    assert datasets[0] == "Tube & folds"  # the frames that it was trained on
    assert shown["table"].rows[0][2].text == "these frames"
    assert {str(row[3].sort) for row in shown["table"].rows} == set(results.protocol_names)
    assert "204" in [str(cell.text) for cell in shown["training"].rows[0]]
    page = render(results)
    assert 'id="tuning"' in page
    assert "Learning curves" in page
    assert "tube: &lt;b&gt;" in page


def test_there_is_no_such_section_where_no_model_stands_beside_its_base(
    study: dict[str, Any], tmp_path: Path
) -> None:
    plain = Results(**study)
    assert tuning(plain, looks(plain)) is None
    elsewhere = tuned(study, tmp_path, "metric_net", base="another")
    assert tuning(elsewhere, looks(elsewhere)) is None
    assert 'id="tuning"' not in render(elsewhere)


def test_a_model_made_here_says_from_what() -> None:
    assert weights_words(WEIGHTS) == "made here from scaled_net by neck_head, seed 3"


def test_the_methods_say_how_it_was_made(study: dict[str, Any], tmp_path: Path) -> None:
    text = methods_text(tuned(study, tmp_path, "metric_net"))
    assert (
        "Metric Net was fine-tuned from Scaled Net on sequences of Tube & folds (bend) in 40 steps of 8 frames with a "
        "learning rate of 0.0005 (neck and head learnt); the step was chosen on 25 % of them, held out by sequence."
    ) in text
    assert "the last step was taken" in methods_text(tuned(study, tmp_path, "metric_net", holdout=None))


def test_amounts_are_on_an_axis_and_folds_are_rows(study: dict[str, Any], tmp_path: Path) -> None:
    one = tuned(study, tmp_path, "affine_net")
    alone = tuning(one, looks(one))
    assert alone is not None
    assert alone["amounts"] == []
    record = tmp_path / "results" / "finetuned" / "metric_net.run.json"
    training = {
        "curve": [], "frames": 20, "held_out": [], "learning_parameters": 5, "chosen_step": 40,
        "steps_per_second": 2.5, "peak_gpu_mib": None, "energy_joule": None, "device": "cpu",
    }  # fmt: skip
    write_json(record, {"training": training})
    models = {**one.models, "metric_net": {**one.models["metric_net"], "weights": WEIGHTS}}
    both = Results(**{**study, "models": models, "records": [*one.records, record]})
    found = tuning(both, looks(both))
    assert found is not None
    drawn = dict(found["amounts"])
    assert list(drawn) == [both.dataset_title(name) for name in ("tube", "cave")]  # the third has no number
    values = [both.value("tube", name, both.protocol) for name in ("scaled_net", "metric_net", "affine_net")]
    assert None not in values
    # At 0 the base, then 20 frames and 204.
    assert f"first {values[0]:.3g}, " in drawn[both.dataset_title("tube")]
    assert f"last {values[2]:.3g}" in drawn[both.dataset_title("tube")]
    folded = {**training, "folds": [training, {**training, "frames": 22}]}
    write_json(record, {"training": folded})
    models = {
        **models,
        "metric_net": {**models["metric_net"], "weights": {**WEIGHTS, "folds": {"by": "sequence"}}},
    }
    results = Results(**{**study, "models": models, "records": [*one.records, record]})
    apart = tuning(results, looks(results))
    assert apart is not None
    assert apart["amounts"] == []
    said = [row[1].text for row in apart["training"].rows]
    assert [text.rpartition(", ")[2] for text in said] == ["40 steps of 8", "fold 1", "fold 2"]
