"""The demonstration's networks: the committed checkpoints load, and beat what needs no network; training can learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from demo_networks.checkpoints import load, save  # noqa: E402
from demo_networks.judge import brightness, constant, demonstration, judge, network_predictor  # noqa: E402
from demo_networks.losses import loss  # noqa: E402
from demo_networks.networks import BUILDERS  # noqa: E402

WEIGHTS = Path(__file__).parents[1] / "demo_weights"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pictures() -> list[Any]:
    return demonstration(frames=3)


@pytest.mark.parametrize("name", BUILDERS)
def test_checkpoint_beats_baselines_under_its_protocol(name: str, pictures: list[Any]) -> None:
    folder = WEIGHTS / name
    network = load(name, folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2_000_000
    scores = judge(pictures, network_predictor(network), network.kind == "metric_depth")
    protocol = "affine" if network.kind == "affine_disparity" else "median"
    trivial = [judge(pictures, baseline, False)[protocol] for baseline in (constant, brightness)]
    assert scores["flipped"] == 0
    assert scores[protocol] < 0.8 * min(trivial)
    if network.kind == "metric_depth":
        assert scores["raw"] < 0.45


@pytest.mark.parametrize("name", ["tiny_depth_anything", "tiny_midas", "tiny_zoedepth"])
def test_processor_is_saved_with_the_network(name: str) -> None:
    settings = json.loads((WEIGHTS / name / "preprocessor_config.json").read_text())
    assert settings["do_pad"] is False  # trained without: ZoeDepth's own default would pad
    side = BUILDERS[name]().side
    assert settings["size"] == {"height": side, "width": side}


def test_checkpoints_have_the_published_formats() -> None:
    encoder = torch.load(WEIGHTS / "tiny_endo_depth" / "encoder.pth", weights_only=True)
    assert (encoder["height"], encoder["width"], encoder["use_stereo"]) == (160, 160, False)
    assert "encoder.layer4.1.bn2.running_var" in encoder
    decoder = torch.load(WEIGHTS / "tiny_endo_depth" / "depth.pth", weights_only=True)
    assert {"decoder.0.conv.conv.weight", "decoder.13.conv.bias"} <= set(decoder)
    whole = torch.load(WEIGHTS / "tiny_endo_sfmlearner" / "dispnet_model_best.pth.tar", weights_only=True)
    assert set(whole) == {"epoch", "state_dict"}
    assert {"encoder.encoder.conv1.weight", "decoder.decoder.10.conv.weight"} <= set(whole["state_dict"])


def test_saved_network_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = BUILDERS["tiny_endo_depth"]()
    network.module.eval()
    save(network, tmp_path, 1)
    rgb = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    before, after = (
        network_predictor(network)(rgb),
        network_predictor(load("tiny_endo_depth", tmp_path))(rgb),
    )
    assert np.abs(after / before - 1).max() < 0.02  # half precision


@pytest.mark.parametrize("kind", ["affine_disparity", "scaled_disparity", "metric_depth"])
def test_losses_want_the_right_sign(kind: Any) -> None:
    depth = torch.linspace(10, 100, 400).reshape(1, 20, 20)
    right = depth / 10 if kind == "metric_depth" else 30 / depth
    flipped = right.amax() + right.amin() - right
    valid = torch.ones_like(depth)
    assert loss(kind, right, depth, valid) < 0.15 * loss(kind, flipped, depth, valid)
    if kind == "affine_disparity":
        assert loss(kind, 5 * right + 2, depth, valid) == pytest.approx(
            float(loss(kind, right, depth, valid)), abs=1e-5
        )
