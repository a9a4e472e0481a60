"""Preprocessing in batches on the device against each checkpoint's own processor, over odd sizes.

transformers' processors work frame by frame with Pillow; a grey level of the resized frame is the tolerance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scopedepth.errors import ScopeDepthError
from scopedepth.models import processors as processors_module
from scopedepth.models.processors import DEFAULTS, read_processor
from scopedepth.models.resampling import BICUBIC, BILINEAR, LANCZOS
from scopedepth.models.resize import resize_grey_levels, resize_with_torch
from tiny_models import IMAGENET, processor_file, scene

# Hamlyn's, a rectified pair's, EndoMapper's and SimCol3D's, and one smaller than any network's input.
SIZES = [(288, 720), (288, 360), (1080, 1350), (475, 475), (51, 97)]
LARGE_ONES_FOR = ("depth anything", "zoedepth")

# As the published checkpoints have them, where those are known, and every switch the other way round as well.
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "depth anything": (
        "DPT",
        {
            "size": {"height": 518, "width": 518},
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 14,
            "resample": 3,
            **IMAGENET,
        },
    ),
    "midas": ("DPT", {"size": {"height": 384, "width": 384}, "resample": 3}),
    "midas bilinear": (
        "DPT",
        {"size": {"height": 384, "width": 384}, "resample": 2, "keep_aspect_ratio": True},
    ),
    "dpt padded": (
        "DPT",
        {
            "size": {"height": 200, "width": 300},
            "keep_aspect_ratio": True,
            "do_pad": True,
            "size_divisor": 14,
        },
    ),
    "dpt not resized": ("DPT", {"do_resize": False, "do_normalize": False}),
    "zoedepth": ("ZoeDepth", {"size": {"height": 384, "width": 512}, "ensure_multiple_of": 32}),
    "zoedepth square": (
        "ZoeDepth",
        {
            "size": {"height": 384, "width": 512},
            "ensure_multiple_of": 32,
            "do_pad": False,
            "keep_aspect_ratio": False,
        },
    ),
    "glpn": ("GLPN", {"size_divisor": 32}),
    "prompt": (
        "PromptDepthAnything",
        {
            "size": {"height": 756, "width": 756},
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 14,
            **IMAGENET,
        },
    ),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", SETTINGS)
@pytest.mark.parametrize("on", ["processor", "gpu's way"])
def test_equal_to_the_checkpoints_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, size: tuple[int, int], on: str
) -> None:
    import transformers

    if size[0] > 1000 and (case not in LARGE_ONES_FOR or on != "processor"):
        pytest.skip("as for the others, and slow")
    if on != "processor":
        monkeypatch.setattr(processors_module, "resize_grey_levels", resize_with_torch)

    kind, settings = SETTINGS[case]
    theirs = getattr(transformers, f"{kind}ImageProcessorPil")(**settings)
    frames = scene(1, *size)
    frames[:, 10:14, 20:25] = 255
    processor = read_processor(processor_file(tmp_path, kind, **settings), "m", {})
    ours = processor(torch.from_numpy(frames).permute(0, 3, 1, 2))
    assert tuple(ours.shape[-2:]) == processor.input_size(*size)
    for frame, mine in zip(frames, ours, strict=True):
        expected = np.asarray(theirs(frame)["pixel_values"][0])
        assert mine.shape == expected.shape
        std = np.array(processor.settings["image_std"] if processor.settings["do_normalize"] else [1.0] * 3)
        grey_level = (1.0 / 255 / std)[:, None, None]
        difference = np.abs(mine.numpy() - expected)
        assert (difference <= grey_level * 1.001).all(), (difference / grey_level).max()


def test_depth_pro_is_resized_after_normalising(tmp_path: Path) -> None:
    import cv2

    size = {"height": 96, "width": 96}
    processor = read_processor(processor_file(tmp_path, "DepthPro", size=size), "m", {})
    frame = scene(1, 75, 133)[0]
    ours = processor(torch.from_numpy(frame)[None].permute(0, 3, 1, 2))[0].permute(1, 2, 0).numpy()
    expected = cv2.resize((frame / np.float32(255) - 0.5) / 0.5, (96, 96), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(ours, expected, atol=1 / 255)


@pytest.mark.parametrize("kind", ["DPT", "ZoeDepth", "GLPN", "PromptDepthAnything"])
def test_defaults_are_those_of_the_classes(kind: str) -> None:
    import transformers

    theirs = getattr(transformers, f"{kind}ImageProcessorPil")()
    for key, value in DEFAULTS[kind].items():
        their_value: Any = getattr(theirs, key, None)
        if key == "size":
            their_value = {"height": their_value.height, "width": their_value.width}
        if key in ("image_mean", "image_std") and not DEFAULTS[kind]["do_normalize"]:
            continue
        if isinstance(their_value, tuple):
            their_value = list(their_value)
        assert (their_value or False) == (value or False), key


@pytest.mark.parametrize("how", [LANCZOS, BILINEAR, BICUBIC])
@pytest.mark.parametrize("new", [(192, 640), (37, 91), (500, 120), (288, 640), (192, 360)])
@pytest.mark.parametrize("way", [resize_grey_levels, resize_with_torch])
def test_resizing_equals_pillow(way: Any, how: int, new: tuple[int, int]) -> None:
    """Highlights and black borders included, where a filter's overshoot is clipped after each of two passes."""
    from PIL import Image

    frames = scene(2, 288, 360)
    frames[:, :, :20] = 0
    for y in range(10, 280, 23):
        frames[:, y : y + 4, y : y + 5] = 255
    ours = way(torch.from_numpy(frames).permute(0, 3, 1, 2), new, how)
    assert ours.dtype == torch.uint8
    for frame, mine in zip(frames, ours, strict=True):
        theirs = np.asarray(Image.fromarray(frame).resize(new[::-1], how)).astype(int)
        assert np.abs(mine.permute(1, 2, 0).numpy().astype(int) - theirs).max() <= (
            0 if way is resize_grey_levels else 1
        )


def test_padding_is_cut_off_exactly(tmp_path: Path) -> None:
    """A network that returned its padded input would give the frame back, where the frame is."""
    frames = scene(1, 101, 75)
    zoe = read_processor(processor_file(tmp_path / "z", "ZoeDepth", ensure_multiple_of=32), "m", {})
    grey = zoe(torch.from_numpy(frames).permute(0, 3, 1, 2)).mean(dim=1)
    back = zoe.unpad(grey, 101, 75)
    assert back.shape == (1, 101, 75)
    expected = (frames / 255).mean(axis=-1) * 2 - 1
    inner = np.s_[:, 3:-3, 3:-3]
    assert np.abs(back.numpy() - expected)[inner].mean() < 0.02
    settings = {"size": {"height": 50, "width": 70}, "do_pad": True, "size_divisor": 32}
    dpt = read_processor(processor_file(tmp_path / "d", "DPT", **settings), "m", {})
    values = dpt(torch.from_numpy(frames).permute(0, 3, 1, 2))
    assert values.shape[-2:] == (64, 96)
    assert dpt.unpad(values[:, 0], 101, 75).shape == (1, 50, 70)
    assert (dpt.unpad(values[:, 0], 101, 75) == values[:, 0, 7:57, 13:83]).all()


def test_older_and_newer_files_are_read(tmp_path: Path) -> None:
    import json

    old = {"feature_extractor_type": "DPTFeatureExtractor", "size": 384, "resample": 2, "image_mean": 0.5}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(old))
    processor = read_processor(tmp_path, "m", {})
    assert processor.input_size(100, 200) == (384, 384)
    assert processor.settings["image_mean"] == [0.5] * 3
    new = {"image_processor": {"image_processor_type": "ZoeDepthImageProcessorFast", "do_pad": False}}
    (tmp_path / "processor_config.json").write_text(json.dumps(new))
    assert read_processor(tmp_path, "m", {}).kind == "ZoeDepth"
    assert read_processor(tmp_path, "m", {"do_pad": True}).settings["do_pad"] is True
    with pytest.raises(ScopeDepthError, match="no 'pad'"):
        read_processor(tmp_path, "m", {"pad": True})
    (tmp_path / "processor_config.json").write_text("{")
    with pytest.raises(ScopeDepthError, match="damaged"):
        read_processor(tmp_path, "m", {})
    (tmp_path / "processor_config.json").unlink()
    processor_file(tmp_path, "CLIP")
    with pytest.raises(ScopeDepthError, match="'CLIPImageProcessor' is not known"):
        read_processor(tmp_path, "m", {})
    with pytest.raises(ScopeDepthError, match=r"no preprocessor_config\.json"):
        read_processor(tmp_path / "none", "m", {})
