"""Checkpoints of the Hub's classes, tiny and random: what comes out, and what is said of files that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline_depths import FILE, KINDS, NEED_TORCHVISION, frames_of, probed, said_by_the_pipeline
from scopedepth.errors import ScopeDepthError
from scopedepth.models import load_model
from scopedepth.models.families.transformers import CLASSES
from tiny_models import chmv2, depth_anything, depth_pro, dpt, processor_file, scene, spec, zoedepth

FRAMES = scene(3, 60, 100)


def by_hand(model: Any, frame: np.ndarray) -> Any:
    """The network's output as transformers' own processor and class give it, one frame at a time."""
    import transformers

    kind = f"{model.processor.kind}ImageProcessorPil"
    settings = {key: value for key, value in model.processor.settings.items() if value is not None}
    pixels = getattr(transformers, kind)(**settings)(frame, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        return model.network(pixel_values=pixels)


def test_every_class_of_transformers_is_known() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES

    assert set(CLASSES) == set(KINDS) == set(MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_transformers_own_pipeline(tmp_path: Path, kind: str) -> None:
    """Preprocessing, network and post-processing together, at the network's grid, to 1e-4 of the range."""
    make, size = KINDS[kind]
    folder = make(tmp_path / "w")
    found = load_model(spec("transformers", "metric_depth", "m"), folder, "cpu").predict(frames_of(kind))
    assert found.shape == (2, *size)
    if kind in NEED_TORCHVISION:
        kept = json.loads(FILE.read_text())[kind]
        expected, spread = np.array(kept["depth"]), kept["spread"]
        found = probed(found)
    else:
        expected = said_by_the_pipeline(kind, folder)
        spread = float(expected.max() - expected.min())
    assert spread > 0.01 * np.abs(expected).mean()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * spread)


def test_chmv2_is_unpadded_to_the_frame(tmp_path: Path) -> None:
    """Frames keep their size and are padded to whole patches; what lies on the padding is no part of the frame."""
    model: Any = load_model(spec("transformers", "metric_depth", "m"), chmv2(tmp_path / "w"), "cpu")
    frames = scene(2, 41, 50)
    assert model.input_size(41, 50) == (48, 64)
    found = model.predict(frames)
    assert found.shape == (2, 41, 50)
    padded = np.zeros((1, 3, 48, 64), np.float32)
    mean, std = np.array([[0.420, 0.411, 0.296], [0.213, 0.156, 0.143]])
    padded[0, :, 3:44, 7:57] = ((frames[1] / 255 - mean) / std).transpose(2, 0, 1)
    with torch.inference_mode():
        out = model.network(pixel_values=torch.from_numpy(padded)).predicted_depth[:, None]
    whole = torch.nn.functional.interpolate(out, (48, 64), mode="bilinear", align_corners=True)[0, 0].numpy()
    assert whole.std() > 1
    np.testing.assert_allclose(found[1], whole[3:44, 7:57], atol=1e-4 * float(whole.std()))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "segformer", "architectures": ["SegformerForSemanticSegmentation"]}, "is of Segfor"),
        ({"model_type": "tipsv2"}, r"a class that is not stated \(model_type tipsv2\)"),
        ({"model_type": "depth_anything_3", "architectures": ["DA3", "Net"]}, r"is of DA3, Net \(model_type"),
    ],
)
def test_a_checkpoint_of_another_class_is_refused_by_its_name(
    tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    processor_file(tmp_path, "DPT")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ScopeDepthError, match=rf"{words}.*runs chmv2, depth_anything.*family python"):
        load_model(spec("transformers", "disparity"), tmp_path, "cpu")


@pytest.mark.parametrize("make", [depth_anything, dpt])
def test_equal_to_transformers_itself(tmp_path: Path, make: Any) -> None:
    model: Any = load_model(spec("transformers", "disparity"), make(tmp_path / "w"), "cpu")
    found = model.predict(FRAMES)
    assert found.shape == (3, *model.grid(60, 100))
    for frame, mine in zip(FRAMES, found, strict=True):
        np.testing.assert_allclose(mine, by_hand(model, frame).predicted_depth[0], rtol=1e-3, atol=1e-5)


def test_zoedepth_is_unpadded_to_the_frame(tmp_path: Path) -> None:
    model: Any = load_model(spec("transformers", "metric_depth", "m"), zoedepth(tmp_path / "w"), "cpu")
    found = model.predict(FRAMES)
    # Its own post-processing: bicubic to the padded frame's size, then the padding is cut off.
    assert found.shape == (3, 60, 100)
    top, left = int(np.sqrt(60 / 2) * 3), int(np.sqrt(100 / 2) * 3)
    for frame, mine in zip(FRAMES, found, strict=True):
        out = by_hand(model, frame).predicted_depth[:, None]
        size = (60 + 2 * top, 100 + 2 * left)
        whole = torch.nn.functional.interpolate(out, size, mode="bicubic", align_corners=False)[0, 0]
        np.testing.assert_allclose(mine, whole[top:-top, left:-left], rtol=1e-3)
    unpadded = spec("transformers", "metric_depth", "m", processor={"do_pad": False})
    plain = load_model(unpadded, tmp_path / "w", "cpu")
    assert plain.grid(60, 100) == (64, 96)


def test_zoedepths_heads_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    """With two metric heads the network votes once a batch; a frame alone must be given its own head."""
    model: Any = load_model(
        spec("transformers", "metric_depth", "m"), zoedepth(tmp_path / "w", heads=2), "cpu"
    )
    network = model.network
    frames = np.concatenate([FRAMES, 255 - FRAMES, scene(3, 60, 100, seed=5) // 4])
    with torch.inference_mode():
        batch = model.preprocess(frames)
        votes = torch.cat([network(pixel_values=frame[None]).domain_logits for frame in batch])
        # Centre the votes on the threshold, so that the frames disagree: in the widest gap near the middle, for a frame
        # on the threshold itself would vote by rounding.
        leads = (votes[:, 1] - votes[:, 0]).sort().values[2:-2]
        gap = leads.diff().argmax()
        network.metric_head.mlp_classifier.linear2.bias += (
            torch.tensor([1.0, 0.0]) * (leads[gap] + leads[gap + 1]) / 2
        )
        alone = np.concatenate([model.predict(frame[None]) for frame in frames])
        heads = {int(network(pixel_values=frame[None]).domain_logits.argmax()) for frame in batch}
        naive = network(pixel_values=batch).predicted_depth
    assert heads == {0, 1}
    together = model.predict(frames)
    np.testing.assert_allclose(together, alone, rtol=1e-4)
    fixed = model.processor.unpad(naive, 60, 100).numpy()
    assert not np.allclose(fixed, alone, rtol=1e-3)


def test_flip_averaging(tmp_path: Path) -> None:
    weights = depth_anything(tmp_path / "w")
    once = load_model(spec("transformers", "disparity"), weights, "cpu")
    twice = load_model(spec("transformers", "disparity", flip=True), weights, "cpu")
    mirrored = once.predict(FRAMES[:, :, ::-1])[:, :, ::-1]
    np.testing.assert_allclose(
        twice.predict(FRAMES), (once.predict(FRAMES) + mirrored) / 2, rtol=0.02, atol=1e-4
    )


@pytest.mark.parametrize("use_fov", [True, False])
def test_depth_pro(tmp_path: Path, use_fov: bool) -> None:
    model: Any = load_model(
        spec("transformers", "metric_depth", "m"), depth_pro(tmp_path / "w", use_fov=use_fov), "cpu"
    )
    found = model.predict(FRAMES)
    with torch.inference_mode():
        out = model.network(pixel_values=model.preprocess(FRAMES[:1]))
    inverse = out.predicted_depth[0]
    if use_fov:
        # As its processor: times width over focal length in pixels, for any width.
        width = 777
        focal = 0.5 * width / torch.tan(0.5 * torch.deg2rad(out.field_of_view[0]))
        inverse = inverse * width / focal
    np.testing.assert_allclose(found[0], 1 / inverse.clamp(1e-4, 1e4), rtol=1e-3)
    assert found.shape == (3, *model.grid(60, 100))


def test_half_precision_stored_is_run_in_single(tmp_path: Path) -> None:
    from transformers import AutoModelForDepthEstimation

    folder = depth_anything(tmp_path / "w")
    half = AutoModelForDepthEstimation.from_pretrained(folder, dtype=torch.float16)
    half.save_pretrained(tmp_path / "half")
    processor_file(tmp_path / "half", "DPT", **json.loads((folder / "preprocessor_config.json").read_text()))
    model: Any = load_model(spec("transformers", "disparity"), tmp_path / "half", "cpu")
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}
    whole = load_model(spec("transformers", "disparity"), folder, "cpu").predict(FRAMES)
    np.testing.assert_allclose(model.predict(FRAMES), whole, rtol=0.02, atol=1e-2 * float(whole.max()))
    bf16 = load_model(spec("transformers", "disparity", precision="bf16"), folder, "cpu").predict(FRAMES)
    assert 0 < np.abs(bf16 - whole).max() < 0.1 * whole.max()


def damage(folder: Path, how: str) -> None:
    weights, config = folder / "model.safetensors", folder / "config.json"
    content = json.loads(config.read_text())
    if how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif how == "not weights":
        weights.write_bytes(b"<html>not found</html>")
    elif how == "no weights":
        weights.unlink()
    elif how == "no config":
        config.unlink()
    elif how == "broken config":
        config.write_text("{")
    elif how == "no processor":
        (folder / "preprocessor_config.json").unlink()
    elif how == "unknown type":
        config.write_text(
            json.dumps({**content, "model_type": "depth_anything_9", "transformers_version": "4.30.0"})
        )
    elif how == "not for depth":
        config.write_text(json.dumps({"model_type": "bert"}))
    elif how == "wrong shape":
        config.write_text(json.dumps({**content, "fusion_hidden_size": 12}))
    else:
        from safetensors.torch import load_file, save_file

        tensors = load_file(weights)
        if how == "a key missing":
            tensors.pop(next(key for key in tensors if "head.conv2" in key))
        else:  # another model's
            tensors = {"net.weight": torch.zeros(3)}
        save_file(tensors, weights, {"format": "pt"})


HOWS = [
    "truncated", "not weights", "no weights", "no config", "broken config", "no processor", "unknown type",
    "not for depth", "wrong shape", "a key missing", "another model",
]  # fmt: skip


@pytest.mark.parametrize("how", HOWS)
def test_bad_checkpoints_are_one_clear_error(tmp_path: Path, how: str) -> None:
    folder = depth_anything(tmp_path / "w")
    damage(folder, how)
    with pytest.raises(ScopeDepthError) as caught:
        load_model(spec("transformers", "disparity"), folder, "cpu")
    message = str(caught.value)
    assert message.startswith("Model m: ")
    assert "\n" not in message
    assert str(folder) in message
    assert len(message) < 600
    if how == "unknown type":
        assert "transformers 4.30.0, which wrote this checkpoint" in message


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("open('exploded', 'w')",)


def test_a_pickle_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = depth_anything(tmp_path / "w")
    (folder / "model.safetensors").unlink()
    torch.save({"x": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises(ScopeDepthError, match="does not load"):
        load_model(spec("transformers", "disparity"), folder, "cpu")
    assert not (tmp_path / "exploded").exists()


def test_nothing_is_asked_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a connection was tried")

    folder = depth_anything(tmp_path / "w")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    load_model(spec("transformers", "disparity"), folder, "cpu").predict(FRAMES)
