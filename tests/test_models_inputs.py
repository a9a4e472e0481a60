"""What a network is fed, against what its authors' own code gave on the same frames (conformance_inputs.json).

benchmarks/conformance_inputs.py says how these numbers were made: from which commit, file and function.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conformance_frames import SIZES, frame, places
from published_models import PUBLISHED
from scopedepth.errors import ScopeDepthError
from scopedepth.models import load_model
from scopedepth.models import resize as resize_module
from scopedepth.models.authors import authors_processor
from scopedepth.models.families.onnx import Onnx
from scopedepth.models.processors import read_processor
from test_models_families import export, write_monodepth2, write_sc
from tiny_models import depth_anything, dpt, processor_file, save, scene, spec, zoedepth

KEPT = json.loads(Path(__file__).with_name("conformance_inputs.json").read_text("utf-8"))["cases"]
# The same library's filter, in float32 where the source has float64.
SAME_FILTER = 1e-5
# torch rounds positions to single precision, and not alike in a frame and in its mirror image.
MIRRORED = 1e-4
TRANSFORMERS = {
    "depth_anything": "depth_anything_small",
    "depth_anything_v2": "depth_anything_v2_small",
    "midas dpt_large_384": "midas_dpt_large",
    "midas dpt_hybrid_384": "midas_dpt_hybrid",
    "midas dpt_beit_large_512": "midas_beit_large_512",
    "midas dpt_swin2_large_384": "midas_swinv2_large_384",
    "zoedepth input": "zoedepth_nyu_kitti",
}
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")


def uploaded(size: tuple[int, int]) -> torch.Tensor:
    return torch.from_numpy(frame(*size)[None]).permute(0, 3, 1, 2)


def assert_equal(ours: np.ndarray, case: str, size: tuple[int, int], within: float) -> None:
    """Compare what is kept of the source's array; the mean and the mean square hold all of it."""
    kept = KEPT[case][f"{size[0]}x{size[1]}"]
    assert list(ours.shape) == kept["shape"]
    exact = ours.astype(np.float64)
    np.testing.assert_allclose(exact.ravel()[places(ours.shape)], kept["values"], rtol=0, atol=within)
    assert exact.mean() == pytest.approx(kept["mean"], abs=within)
    assert (exact**2).mean() == pytest.approx(kept["square"], abs=10 * within)


def published_processor(name: str, folder: Path) -> Any:
    known = PUBLISHED[name]
    hub = read_processor(processor_file(folder, known.processor, **known.settings), name, {})
    return authors_processor(known.config(), hub, name)


@sizes
@pytest.mark.parametrize("case", TRANSFORMERS)
def test_authors_preprocessing(case: str, size: tuple[int, int], tmp_path: Path) -> None:
    processor = published_processor(TRANSFORMERS[case], tmp_path)
    ours = processor(uploaded(size))[0].numpy()
    assert ours.shape[1:] == processor.input_size(*size)
    assert_equal(ours, case, size, SAME_FILTER)


@sizes
@pytest.mark.parametrize("case", ["depth_anything", "midas dpt_large_384"])
def test_the_way_of_a_gpu(
    case: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's bicubic has OpenCV's filter; positions are rounded otherwise."""

    def on_a_gpu(values: torch.Tensor, wanted: tuple[int, int]) -> torch.Tensor:
        return torch.nn.functional.interpolate(values, wanted, mode="bicubic", align_corners=False)

    processor = published_processor(TRANSFORMERS[case], tmp_path)
    exact = processor(uploaded(size))
    monkeypatch.setattr("scopedepth.models.authors.resize_with_opencv", on_a_gpu)
    difference = (processor(uploaded(size)) - exact).abs()
    assert difference.max() < 2e-3 / 0.224
    assert difference.mean() < 1e-4


@sizes
def test_zoedepth_answers_as_its_own_inference(size: tuple[int, int], tmp_path: Path) -> None:
    """Padding, resizing, a pass for the frame and one for its mirror image, and the padding cut off again."""
    model = load_model(
        spec("transformers", "metric_depth", "m", preprocessing="authors"), zoedepth(tmp_path / "w"), "cpu"
    )
    known = PUBLISHED["zoedepth_nyu_kitti"]
    model.processor = read_processor(  # type: ignore[attr-defined]
        processor_file(tmp_path / "p", known.processor, **known.settings), "m", {}
    )
    seen = []

    def brightness(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch[0].numpy())
        return batch.mean(dim=1) + torch.linspace(0, 1, batch.shape[-1])

    model.depth = brightness  # type: ignore[attr-defined]
    answer = model.predict(frame(*size)[None])
    assert_equal(seen[0], "zoedepth input", size, SAME_FILTER)
    assert_equal(seen[1], "zoedepth mirrored", size, MIRRORED)
    assert_equal(answer, "zoedepth answer", size, MIRRORED)


@sizes
@pytest.mark.parametrize("case", [name for name in KEPT if name.startswith("endo_sfmlearner")])
def test_endo_sfmlearner(case: str, size: tuple[int, int], tmp_path: Path) -> None:
    height, width = map(int, case.split()[1].split("x"))
    folder = write_sc(tmp_path / "dispnet_model_best.pth.tar")
    model = load_model(spec("sc_sfmlearner", height=height, width=width), folder, "cpu")
    assert_equal(model.preprocess(frame(*size)[None])[0].numpy(), case, size, SAME_FILTER)


@sizes
def test_monodepth2_and_endo_depth(size: tuple[int, int], tmp_path: Path) -> None:
    folder = write_monodepth2(tmp_path, height=256, width=320)
    model = load_model(spec("monodepth2", centred=True), folder, "cpu")
    assert_equal(model.preprocess(frame(*size)[None])[0].numpy(), "monodepth2 256x320", size, SAME_FILTER)


@sizes
def test_midas_as_onnx(size: tuple[int, int], tmp_path: Path, root: Path) -> None:
    import yaml

    entry = yaml.safe_load((root / "config.yaml").read_text("utf-8"))["models"]["midas_v21_small"]
    export(tmp_path / "net.onnx", "n", "s")
    model = load_model(spec("onnx", "disparity", **entry["options"]), tmp_path, "cpu")
    assert isinstance(model, Onnx)
    assert_equal(model.preprocess(frame(*size)[None])[0], "midas_v21_small onnx", size, SAME_FILTER)


def test_a_network_without_centring_is_another_network(tmp_path: Path, capsys: Any) -> None:
    folder = write_monodepth2(tmp_path)
    frames = scene(2, 64, 96)
    without = load_model(spec("monodepth2", "scaled_disparity", centred=False), folder, "cpu")
    assert capsys.readouterr().err == ""
    centred = load_model(spec("monodepth2", "scaled_disparity", centred=True), folder, "cpu")
    given = (torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.225
    with torch.inference_mode():
        expected = 0.01 + 9.99 * without.network(given)[:, 0]  # type: ignore[attr-defined]
    np.testing.assert_allclose(centred.predict(frames), expected.numpy(), rtol=1e-5)
    assert np.abs(without.predict(frames) / centred.predict(frames) - 1).max() > 0.01
    silent = load_model(spec("monodepth2", "scaled_disparity"), folder, "cpu")
    said = capsys.readouterr().err
    assert "options.centred is not set" in said
    assert "AF-SfMLearner" in said
    assert said.count("\n") == 1
    np.testing.assert_array_equal(silent.predict(frames), centred.predict(frames))


@pytest.mark.parametrize("write", [depth_anything, dpt])
def test_a_choice_that_was_not_made_is_said(write: Any, tmp_path: Path, capsys: Any) -> None:
    folder = write(tmp_path)
    frames = scene(1, 40, 60)
    load_model(spec("transformers", "disparity"), folder, "cpu")
    assert "Set options.preprocessing to hub or to authors" in capsys.readouterr().err
    hub = load_model(spec("transformers", "disparity", preprocessing="hub"), folder, "cpu")
    authors = load_model(spec("transformers", "disparity", preprocessing="authors"), folder, "cpu")
    assert "Set options" not in capsys.readouterr().err
    assert hub.input_size(40, 60) != authors.input_size(40, 60)
    assert np.isfinite(authors.predict(frames)).all()


def dpt_of(kind: str, folder: Path) -> Path:
    """A tiny DPT whose backbone is another class (MiDaS 3.1's BEiT), or a convolutional one and a ViT (hybrid)."""
    from transformers import BeitConfig, BitConfig, DPTConfig, DPTForDepthEstimation

    torch.manual_seed(0)
    small = {"neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8}
    stages = ["stage1", "stage2", "stage3", "stage4"]
    vit = {"hidden_size": 24, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 48}
    if kind == "beit":
        backbone = BeitConfig(
            **vit,
            image_size=64,
            use_relative_position_bias=True,
            out_features=stages,
            reshape_hidden_states=False,
        )
        config = DPTConfig(backbone_config=backbone, **small)
    else:
        convolutions = BitConfig(
            embedding_size=8,
            hidden_sizes=[8, 8, 8],
            depths=[1, 1, 1],
            num_groups=4,
            layer_type="bottleneck",
            global_padding="SAME",
            embedding_dynamic_padding=True,
            out_features=stages[:3],
        )
        config = DPTConfig(
            **vit,
            **small,
            image_size=64,
            is_hybrid=True,
            backbone_config=convolutions,
            backbone_featmap_shape=[1, 8, 4, 4],
            backbone_out_indices=[0, 1, 2, 3],
            reassemble_factors=[1, 1, 1, 0.5],
            neck_ignore_stages=[0, 1],
            readout_type="project",
        )
    return save(DPTForDepthEstimation(config), folder, "DPT", size=64, resample=2)


@pytest.mark.parametrize("kind", ["vit", "beit", "hybrid"])
def test_networks_of_midas_take_frames_that_are_not_square(kind: str, tmp_path: Path) -> None:
    folder = dpt(tmp_path) if kind == "vit" else dpt_of(kind, tmp_path)
    model = load_model(spec("transformers", "disparity", preprocessing="authors"), folder, "cpu")
    for size, given in [((64, 64), (64, 64)), ((60, 200), (64, 224)), ((300, 90), (224, 64))]:
        assert model.input_size(*size) == given
        frames = scene(2, *size)
        out = model.predict(frames)
        assert out.shape[1] / out.shape[2] == pytest.approx(given[0] / given[1])
        assert np.isfinite(out).all()
        assert out.std() > 0
        alone = np.concatenate([model.predict(frame[None]) for frame in frames])
        np.testing.assert_allclose(out, alone, rtol=1e-4, atol=1e-4 * float(np.abs(out).max()))
    # For square ones the class does what transformers' own does.
    batch = model.preprocess(scene(1, 64, 64))
    told = model.forward(batch, (64, 64))
    network = model.network  # type: ignore[attr-defined]
    network.neck._forward_pre_hooks.clear()
    if kind != "vit":
        return
    with torch.inference_mode():
        assert torch.equal(network(pixel_values=batch).predicted_depth, told)


def test_what_cannot_be_done_is_refused(tmp_path: Path) -> None:
    folder = dpt(tmp_path / "w")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"preprocessing": "author"}, "no preprocessing 'author'; there are hub, authors"),
        ({"preprocessing": "authors", "processor": {"do_pad": True}}, "Leave one of the two out"),
    ]
    for options, said in refused:
        with pytest.raises(ScopeDepthError, match=said):
            load_model(spec("transformers", "disparity", **options), folder, "cpu")
    from transformers import GLPNConfig

    hub = read_processor(processor_file(tmp_path / "g", "GLPN"), "m", {})
    with pytest.raises(ScopeDepthError, match=r"'glpn' feed it is not known here.*preprocessing: hub"):
        authors_processor(GLPNConfig(), hub, "m")


def test_weights_of_skimages_filter_sum_to_one() -> None:
    for before, after in [(288, 256), (256, 288), (7, 5), (1080, 64), (64, 64)]:
        weights = resize_module.skimage_weights(before, after)
        assert weights.shape == (after, before)
        assert weights.min() >= 0
        assert torch.allclose(weights.sum(dim=1), torch.ones(after, dtype=torch.float64), atol=1e-12)
