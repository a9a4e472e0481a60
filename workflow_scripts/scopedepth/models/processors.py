"""The preprocessing of the Hub's image processors, in batches and on the device.

A checkpoint brings its settings (preprocessor_config.json); they are followed, not replaced. The rules of each
processor class (transformers 5.23, image_processing_*.py) are stated here once more, because the classes themselves
work frame by frame on the host, which takes longer than a small network. Tests hold the two together.

class                size                                 order
DPT                  fit one side, both to a multiple     resize to grey levels, scale, normalise, pad with 0
PromptDepthAnything  the same                             the same
CHMv2                the same, or the frame's own         the same
ZoeDepth             the same, of the padded frame        scale, pad by reflection, resize, normalise
GLPN                 down to a multiple of size_divisor   resize to grey levels, scale
Tipsv2Dpt            as given                             resize to grey levels, scale
DepthPro             as given                             scale, normalise, resize
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from scopedepth.errors import ScopeDepthError
from scopedepth.models.resampling import BICUBIC, BILINEAR
from scopedepth.models.resize import MODES, normalise, resize_grey_levels

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
HALF = [0.5, 0.5, 0.5]

_COMMON: dict[str, Any] = {
    "do_resize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": HALF,
    "image_std": HALF,
    "do_pad": False,
}
_DPT: dict[str, Any] = {
    **_COMMON,
    "size": {"height": 384, "width": 384},
    "resample": BICUBIC,
    "keep_aspect_ratio": False,
    "ensure_multiple_of": 1,
    "size_divisor": None,
}
# What each class takes where the checkpoint says nothing.
DEFAULTS: dict[str, dict[str, Any]] = {
    "DPT": _DPT,
    "PromptDepthAnything": _DPT,
    "CHMv2": {
        **_DPT,
        "do_resize": False,
        "do_pad": True,
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 16,
        "size_divisor": 16,
        "image_mean": [0.420, 0.411, 0.296],
        "image_std": [0.213, 0.156, 0.143],
    },
    "ZoeDepth": {
        **_COMMON,
        "size": {"height": 384, "width": 512},
        "resample": BILINEAR,
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 1 / 32,
        "do_pad": True,
    },
    "GLPN": {**_COMMON, "resample": BILINEAR, "do_normalize": False, "size_divisor": 32},
    "Tipsv2Dpt": {
        **_COMMON,
        "size": {"height": 448, "width": 448},
        "resample": BILINEAR,
        "do_normalize": False,
    },
    "DepthPro": {**_COMMON, "size": {"height": 1536, "width": 1536}, "resample": BILINEAR},
}


@dataclass(frozen=True)
class Processor:
    """One checkpoint's preprocessing. `kind`: a class above, and `settings` all of DEFAULTS[kind]."""

    kind: str
    settings: Mapping[str, Any]

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """uint8 (n, 3, h, w) -> the network's input, float32 (n, 3, *input_size(h, w)), on the same device."""
        has = self.settings
        size = tuple(frames.shape[-2:])
        factor = has["rescale_factor"] if has["do_rescale"] else 1.0
        mean, std = (has["image_mean"], has["image_std"]) if has["do_normalize"] else (None, None)
        if self.kind == "ZoeDepth":
            top, left = self.padding(*size)[0::2]
            # In this order in memory torch rounds positions as in the authors' own inference.
            values = functional.pad(
                frames.float().contiguous() * factor, (left, left, top, top), mode="reflect"
            )
            values = self._interpolate(values, self.resized(*size), align_corners=True)
            return normalise(values, 1.0, mean, std)
        if self.kind == "DepthPro":
            values = normalise(frames, factor, mean, std)
            return self._interpolate(values, self.resized(*size), align_corners=False)
        if has["do_resize"]:
            frames = resize_grey_levels(frames, self.resized(*size), has["resample"])
        values = normalise(frames, factor, mean, std)
        top, bottom, left, right = self.padding(*size)
        return functional.pad(values, (left, right, top, bottom))

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) that the network sees of frames of `height` x `width`."""
        v, u = self.resized(height, width)
        if self.kind == "ZoeDepth":  # padded before it is resized
            return v, u
        top, bottom, left, right = self.padding(height, width)
        return v + top + bottom, u + left + right

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) after resizing; ZoeDepth pads before, the others later."""
        has = self.settings
        if self.kind == "ZoeDepth":
            top, bottom, left, right = self.padding(height, width)
            height, width = height + top + bottom, width + left + right
        if not has["do_resize"]:
            return height, width
        if self.kind == "GLPN":
            divisor = has["size_divisor"]
            return height // divisor * divisor, width // divisor * divisor
        target = has["size"]["height"], has["size"]["width"]
        if "ensure_multiple_of" not in has:
            return target
        return fit((height, width), target, has["keep_aspect_ratio"], has["ensure_multiple_of"])

    def padding(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return what is added (top, bottom, left, right): to the frame for ZoeDepth, else after resizing."""
        has = self.settings
        if not has["do_pad"]:
            return 0, 0, 0, 0
        if self.kind == "ZoeDepth":
            top, left = int(math.sqrt(height / 2) * 3), int(math.sqrt(width / 2) * 3)
            return top, top, left, left
        if has.get("size_divisor"):
            v, u = self.resized(height, width)
            more_v, more_u = -v % has["size_divisor"], -u % has["size_divisor"]
            return more_v // 2, more_v - more_v // 2, more_u // 2, more_u - more_u // 2
        return 0, 0, 0, 0

    def unpad(self, out: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Cut the padding's share off the output (n, v, u), so that it covers the frame exactly.

        The share is no whole number of output pixels, so the output is first brought to the size at which the padding
        was added: bicubic, as ZoeDepth's own post-processing does; for CHMv2 as its own does, which is done without
        padding, too, for its network answers on a grid of another shape where the patches are odd in number.
        """
        top, bottom, left, right = self.padding(height, width)
        corners = self.kind == "CHMv2"
        if not (top or bottom or left or right or corners):
            return out
        v, u = (height, width) if self.kind == "ZoeDepth" else self.resized(height, width)
        size = (v + top + bottom, u + left + right)
        if tuple(out.shape[-2:]) != size:
            mode = "bilinear" if corners else "bicubic"
            out = functional.interpolate(out[:, None].float(), size, mode=mode, align_corners=corners)[:, 0]
        return out[:, top : top + v, left : left + u]

    def _interpolate(self, values: torch.Tensor, size: tuple[int, int], align_corners: bool) -> torch.Tensor:
        if not self.settings["do_resize"]:
            return values
        mode = MODES[self.settings["resample"]]
        return functional.interpolate(values, size, mode=mode, align_corners=align_corners)


def fit(
    size: tuple[int, int], target: tuple[int, int], keep_aspect_ratio: bool, multiple: float
) -> tuple[int, int]:
    """Return `size` scaled to `target`, to multiples of `multiple`; with `keep_aspect_ratio`, scaled as little as
    one side allows, the other one going with it (so nothing is cut and one side may exceed the target)."""
    scales = [wanted / has for wanted, has in zip(target, size, strict=True)]
    if keep_aspect_ratio:
        # The one nearer to 1; the height's where both are alike.
        scales = [min(scales, key=lambda scale: abs(1 - scale))] * 2
    v, u = (int(round(scale * has / multiple) * multiple) for scale, has in zip(scales, size, strict=True))
    return v, u


def read_processor(folder: Path, name: str, overrides: Mapping[str, Any]) -> Processor:
    """Return the processor of the checkpoint in `folder`; `overrides` replace its settings.

    Raises `ScopeDepthError` for a checkpoint without settings, or of a class that is not known here.
    """
    found = _settings(folder, name)
    written = found.get("image_processor_type") or found.get("feature_extractor_type") or ""
    kind = written
    for ending in ("Fast", "Pil", "ImageProcessor", "FeatureExtractor"):
        kind = kind.removesuffix(ending)
    if kind not in DEFAULTS:
        known = ", ".join(f"{kind}ImageProcessor" for kind in DEFAULTS)
        raise ScopeDepthError(f"Model {name}: image processor {written!r} is not known here, only {known}.")
    defaults = DEFAULTS[kind]
    unknown = sorted(set(overrides) - set(defaults))
    if unknown:
        raise ScopeDepthError(
            f"Model {name}: options.processor has no {unknown[0]!r}; it has {', '.join(defaults)}."
        )
    settings = {key: overrides.get(key, _or(found.get(key), value)) for key, value in defaults.items()}
    for key in ("image_mean", "image_std"):
        if not isinstance(settings[key], list | tuple):
            settings[key] = [settings[key]] * 3
    if isinstance(settings.get("size"), int):  # the form of older checkpoints
        settings["size"] = {"height": settings["size"], "width": settings["size"]}
    if settings["resample"] not in MODES:
        raise ScopeDepthError(
            f"Model {name}: resample {settings['resample']} is neither bilinear nor bicubic."
        )
    return Processor(kind, settings)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _settings(folder: Path, name: str) -> dict[str, Any]:
    for file, key in (("processor_config.json", "image_processor"), ("preprocessor_config.json", None)):
        try:
            content = json.loads((folder / file).read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (ValueError, RecursionError) as error:
            raise ScopeDepthError(
                f"Model {name}: {folder / file} is damaged ({error}). Fetch it again."
            ) from error
        if key is None or key in content:
            return content if key is None else content[key]
    raise ScopeDepthError(
        f"Model {name}: {folder} holds no preprocessor_config.json. Fetch it beside the weights, or add one."
    )
