"""The configuration: what is wrong is said in one line that names the field, what is allowed and the nearest name."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from scopedepth.config.load import ConfigError, check, select_study
from scopedepth.config.schema import PATH, TYPES, schema_text, types_text
from scopedepth.config.studies import Configuration
from scopedepth.study.plan import Plan


@pytest.fixture
def config(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))


def set_field(config: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(config)
    node = changed
    *parents, last = path.split(".")
    for part in parents:
        node = node[part]
    node[last] = value
    return changed


def test_the_shipped_configuration_is_valid_and_its_studies_are_complete(config: dict[str, Any]) -> None:
    for name in config["studies"]:
        study = select_study(config, name)
        assert study.units
        asked = study.spec["robustness"]
        views = asked["views"] if asked is not None else {}
        assert list(study.datasets) == [*study.spec["datasets"], *views]


@pytest.mark.parametrize("name", ["protocols", "datasets", "models"])
def test_a_field_of_nearly_the_right_name_is_spoken_of_and_not_the_one_that_is_missing(
    config: dict[str, Any], name: str
) -> None:
    study = config["studies"]["demo"]
    study[name[:-1]] = study.pop(name)
    with pytest.raises(
        ConfigError, match=rf"studies\.demo\.{name[:-1]}: unknown field\. Did you mean '{name}'\?"
    ):
        check(config)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("study", "papr", ["study: 'papr' is not known", "Did you mean 'paper'?", "demo"]),
        (
            "studies.demo.models",
            ["constant", "brightnes"],
            ["studies.demo.models[1]", "Did you mean 'brightness'?"],
        ),
        ("studies.demo.models", ["constant", "constant"], ["studies.demo.models", "named twice"]),
        (
            "studies.demo.protocol",
            ["x"],
            ["studies.demo.protocol: unknown field", "Did you mean 'protocols'?"],
        ),
        (
            "studies.demo.headline",
            {"protocol": "median_depth", "metric": "absrel"},
            ["metric", "Did you mean 'abs_rel'?"],
        ),
        ("studies.demo.timing", "quik", ["studies.demo.timing", "Did you mean 'quick'?"]),
        ("datasets.phantom.loader", "foldr", ["datasets.phantom.loader: 'foldr' is not allowed", "'folder'"]),
        (
            "datasets.phantom.source",
            {"kind": "hubb", "repo": "a/b"},
            ["datasets.phantom.source.kind", "'hub'"],
        ),
        ("datasets.phantom.source", {"repo": "a/b"}, ["datasets.phantom.source.kind", "missing"]),
        (
            "datasets.phantom.source",
            {"kind": "path", "pth": "x"},
            ["datasets.phantom.source.pth: unknown field", "Did you mean 'path'?"],
        ),
        (
            "datasets.phantom.source",
            {"kind": "path", "path": "x", "reposit": 1},
            ["datasets.phantom.source.reposit: unknown field", "path"],
        ),
        ("datasets.phantom.frames", {"step": 0}, ["datasets.phantom.frames.step: 0 is not allowed"]),
        ("datasets.phantom.max_bad_frames", 1.5, ["datasets.phantom.max_bad_frames: 1.5 is not allowed"]),
        ("datasets.phantom.split", "sequence", ["datasets.phantom", "split: sequence needs the sequences"]),
        ("models.constant.output", {"kind": "metric_depth"}, ["models.constant.output", "`unit`"]),
        (
            "models.constant.output",
            {"kind": "depht"},
            ["models.constant.output.kind", "Did you mean 'depth'?"],
        ),
        ("models.constant.family", None, ["models.constant.family: None is not allowed"]),
        (
            "models.constant.trained_on",
            [{"dataset": "phanto"}],
            ["trained_on[0].dataset", "Did you mean 'phantom'?"],
        ),
        ("models.Bad Name", {}, ["models", "small letters, digits and underscores"]),
        ("models.constant", {"output": {"kind": "depth"}}, ["models.constant.family", "needed and missing"]),
        (
            "models.constant.output",
            {"kind": "inverse_depth"},
            ["models.constant.output.kind", "Did you mean 'disparity'?"],
        ),
        ("models.constant.output", {"kind": "Relative depth"}, ["Did you mean 'depth'?"]),
        ("models.constant.output", {"kind": "metric inverse depth"}, ["Did you mean 'metric_disparity'?"]),
        (
            "studies.demo.headline",
            {"protocol": "sequence_disparity", "metric": "abs_rel"},
            [
                "studies.demo.headline.protocol: 'sequence_disparity' is none of the study's protocols",
                "add it to studies.demo.protocols, or choose one of them: median_depth",
            ],
        ),
        (
            "studies.demo.headline",
            {"protocol": "nonsense", "metric": "abs_rel"},
            ["headline.protocol: 'nonsense' is not known"],
        ),
        (
            "studies.demo.headline",
            {"protocol": "median_depth", "metric": "scale_drift"},
            ["headline.metric: scale_drift is a metric of a sequence"],
        ),
        (
            "studies.demo.metrics",
            ["rmse", "scale_drift"],
            [
                "studies.demo.metrics: the headline's metric 'abs_rel' is not among them; add it, or choose another as "
                "studies.demo.headline.metric"
            ],
        ),
        (
            "studies.demo.headline",
            {"protocol": "median_depth", "metric": "spearman"},
            [
                "studies.demo.headline.metric: the protocol median_depth does not compute 'spearman'; add it to "
                "protocols.median_depth.metrics"
            ],
        ),
        (
            "studies.demo.datasets",
            "phantom",
            ["studies.demo.datasets: 'phantom' is no list; write [phantom]."],
        ),
        ("modles", {}, ["modles: unknown field", "Did you mean 'models'?"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    config: dict[str, Any], path: str, value: object, expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        check(set_field(config, path, value))
    message = str(caught.value)
    assert "\n" not in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a b", ""])
def test_a_split_sequence_cannot_leave_its_folder(config: dict[str, Any], name: str) -> None:
    changed = set_field(config, "datasets.phantom.sequences", ["one", name])
    changed = set_field(changed, "datasets.phantom.split", "sequence")
    with pytest.raises(ConfigError, match="becomes part of a path"):
        select_study(changed, "demo")


def test_units_of_a_split_dataset(config: dict[str, Any]) -> None:
    changed = set_field(config, "datasets.phantom.sequences", ["colon", "stomach"])
    changed = set_field(changed, "datasets.phantom.split", "sequence")
    study = select_study(changed, "demo")
    assert study.units_of("phantom") == ["phantom@colon", "phantom@stomach"]
    assert study.units["phantom@stomach"].sequence == "stomach"
    assert study.units_of("phantom_stereo") == ["phantom_stereo"]


def test_units_of_a_cut_sequence(config: dict[str, Any]) -> None:
    changed = set_field(config, "datasets.phantom.sequences", ["colon", "stomach"])
    changed = set_field(changed, "datasets.phantom.split", "sequence")
    changed = set_field(changed, "datasets.phantom.cut", {"colon": [10, 30]})
    units = select_study(changed, "demo").units
    assert {name: unit.frames for name, unit in units.items() if unit.dataset == "phantom"} == {
        "phantom@colon~0": (0, 10),
        "phantom@colon~10": (10, 30),
        "phantom@colon~30": (30, None),
        "phantom@stomach": None,
    }
    changed = set_field(changed, "datasets.phantom.cut", {"colon": [30, 10]})
    with pytest.raises(ConfigError, match=r"cut\.colon needs growing numbers"):
        select_study(changed, "demo")
    changed = set_field(changed, "datasets.phantom.cut", {"ileum": [10]})
    with pytest.raises(ConfigError, match=r"cut\.ileum needs .* ileum among `sequences`"):
        select_study(changed, "demo")


def schema_fields(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for owner, node in {"Configuration": schema, **schema["$defs"]}.items():
        assert node.get("additionalProperties") is False, f"{owner} takes unknown fields"
        for name, field in node["properties"].items():
            yield owner, name, {**field, "required": name in node.get("required", [])}


def test_every_field_has_a_description_and_a_default_or_is_required() -> None:
    fields = list(schema_fields(Configuration.model_json_schema()))
    assert len(fields) > 80
    for owner, name, field in fields:
        assert field.get("description"), f"{owner}.{name} has no description"
        assert field["required"] or "default" in field, f"{owner}.{name} has no default"


def test_the_committed_schema_and_types_are_current() -> None:
    assert PATH.read_text(encoding="utf-8") == schema_text(), "run: make schema"
    assert TYPES.read_text(encoding="utf-8") == types_text(), "run: make schema"


def test_the_environment_has_the_pins_of_the_project(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environment = yaml.safe_load((root / "envs" / "scopedepth.yaml").read_text(encoding="utf-8"))
    assert environment["dependencies"][-1]["pip"] == project["dependencies"]
    for requirements in (project["dependencies"], *project["optional-dependencies"].values()):
        assert all("==" in requirement for requirement in requirements)


def test_specs_are_json(config: dict[str, Any]) -> None:
    study = select_study(config, "paper")
    for specs in (study.datasets, study.models, study.protocols):
        assert json.loads(json.dumps(specs)) == specs


def test_weights_at_a_path_that_no_file_can_have_are_left_to_their_fetching(
    root: Path, config: dict[str, Any]
) -> None:
    path = "x" * 5000
    changed = set_field(config, "models.tiny_midas.weights", {"kind": "path", "path": path})
    plan = Plan(select_study(changed, "demo"), root / "workflow_scripts")
    assert plan.local_weights(SimpleNamespace(model="tiny_midas")) == []
