"""Each published architecture, built with random weights: it is what it is said to be, and it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from published_models import PUBLISHED, build, write
from scopedepth.models import FAMILIES, load_model
from scopedepth.models.processors import read_processor
from tiny_models import scene, spec


@pytest.fixture(scope="module")
def models(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "config.yaml").read_text("utf-8"))["models"]


def test_every_system_has_an_entry(models: dict[str, Any]) -> None:
    wanted = {*PUBLISHED, "midas_v21_small", "endo_depth", "endo_sfmlearner", "constant", "brightness"}
    assert wanted <= set(models)
    for name, model in models.items():
        # What is made here is as its base.
        assert ("recipe" in model) != (model.get("family") in FAMILIES)
        if model.get("weights", {}).get("kind") in ("hub", "url"):
            assert model["licence"], name
            assert model["citation"], name
            assert model["homepage"], name


def test_configuration_knows_the_families_options() -> None:
    from pydantic import ValidationError

    from scopedepth.config.models import ModelSpec

    plain = {"family": "monodepth2", "weights": {"kind": "path", "path": "w"}, "output": {"kind": "depth"}}
    ModelSpec.model_validate(plain)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"options": {"factr": 2}}, "did you mean 'factor'"),
        ({"weights": {"kind": "none"}}, "the family monodepth2 needs weights"),
        ({"family": "baseline"}, "a baseline has no weights"),
        (
            {"family": "baseline", "weights": {"kind": "none"}, "output": {"kind": "disparity"}},
            "kind is `depth`",
        ),
    ]
    for changed, said in refused:
        with pytest.raises(ValidationError, match=said):
            ModelSpec.model_validate({**plain, **changed})


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters(name: str, models: dict[str, Any]) -> None:
    network = build(name, "meta")
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    published = PUBLISHED[name].millions
    if published is not None:
        assert millions == pytest.approx(published, rel=0.02)
        assert models[name]["parameters"] == pytest.approx(published * 1e6)
    metric = models[name]["output"]["kind"].startswith("metric_")
    assert metric == (name.startswith("zoedepth") or "metric" in name or name == "depth_pro")


@pytest.mark.parametrize(
    ("name", "input_size"),
    [
        ("depth_anything_small", (518, 686)),
        ("midas_dpt_large", (384, 384)),
        ("zoedepth_nyu", (384, 512)),
        ("depth_pro", (1536, 1536)),
    ],
)
def test_input_size_of_a_common_frame(tmp_path: Path, name: str, input_size: tuple[int, int]) -> None:
    from tiny_models import processor_file

    published = PUBLISHED[name]
    folder = processor_file(tmp_path, published.processor, **published.settings)
    assert read_processor(folder, name, {}).input_size(480, 640) == input_size


@pytest.mark.parametrize(
    ("name", "grid"),
    [("depth_anything_small", (518, 518)), ("depth_anything_v2_metric_indoor_small", (518, 518))],
)
def test_small_ones_run(tmp_path: Path, name: str, grid: tuple[int, int]) -> None:
    """The larger ones run in benchmarks/published_models.py: they need minutes and gigabytes."""
    folder = write(name, tmp_path)
    says = ("metric_depth", "m") if "metric" in name else ("disparity", None)
    model = load_model(spec("transformers", *says), folder, "cpu")
    found = model.predict(scene(1, 320, 320))
    assert found.shape == (1, *grid)
    assert torch.isfinite(torch.from_numpy(found)).all()
    if says[1]:
        assert found.max() <= 20
