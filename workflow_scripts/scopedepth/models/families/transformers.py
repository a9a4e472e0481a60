"""Checkpoints of the Hugging Face Hub: whatever AutoModelForDepthEstimation loads, with its own processor's settings.

Depth Anything (v1, v2, relative and metric), MiDaS (DPT-Large, DPT-Hybrid, BEiT, Swin v2), ZoeDepth, GLPN, Depth Pro,
Prompt Depth Anything (without a prompt: depth up to scale and shift), TIPSv2's DPT, CHMv2.

Options
    preprocessing   hub: the checkpoint's own settings, which every checkpoint has; authors: what the authors' own code
                    does (authors.py); null: hub, and a line that says so where the authors do otherwise
    flip            average with the prediction of the mirrored frame: two passes. null: as the preprocessing's maker
                    does it, so only ZoeDepth with `preprocessing: authors` is flipped
    processor       settings that replace the checkpoint's own, with preprocessing hub
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from typing_extensions import TypedDict

from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options
from scopedepth.models.authors import AuthorsProcessor, authors_processor, knows_better
from scopedepth.models.base import DepthModel
from scopedepth.models.processors import Processor, read_processor
from scopedepth.models.torch_model import TorchModel

if TYPE_CHECKING:
    from scopedepth.config.options import Finite, Pixels, Positive, Three, ThreePositive
    from scopedepth.vocabulary import specs


class Size(TypedDict):
    """Of a processor, in pixels."""

    height: Pixels
    width: Pixels


class ProcessorSettings(TypedDict, total=False):
    """What of a checkpoint's processor may be replaced. null stands for what is not given."""

    do_resize: bool | None
    size: Size | Pixels | None
    resample: Literal[2, 3] | None
    keep_aspect_ratio: bool | None
    ensure_multiple_of: Positive | None
    do_rescale: bool | None
    rescale_factor: Positive | None
    do_normalize: bool | None
    image_mean: Three | Finite | None
    image_std: ThreePositive | Positive | None
    do_pad: bool | None
    size_divisor: Pixels | None


@dataclass(frozen=True)
class Options:
    """As above."""

    preprocessing: Literal["hub", "authors"] | None = None
    flip: bool | None = None
    processor: ProcessorSettings = field(default_factory=ProcessorSettings)

    def __post_init__(self) -> None:
        if self.preprocessing == "authors" and self.processor:
            raise ValueError(
                "processor changes the Hub's settings, and preprocessing: authors takes none of them. "
                "Leave one of the two out"
            )


class Checkpoint(TorchModel):
    """A network of transformers and its processor."""

    def __init__(
        self,
        spec: specs.Model,
        network: torch.nn.Module,
        processor: Processor | AuthorsProcessor,
        device: str,
        flip: bool,
    ) -> None:
        super().__init__(spec, network, device)
        self.processor = processor
        self.flip = flip
        self._grids: dict[tuple[int, int], tuple[int, int]] = {}

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        return self.processor.input_size(height, width)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        # Every class has its own rule for the output's size; running it once is the one that cannot be wrong.
        if (height, width) not in self._grids:
            shape = self.predict(np.zeros((1, height, width, 3), np.uint8)).shape
            self._grids[height, width] = (shape[1], shape[2])
        return self._grids[height, width]

    def preprocess(self, frames: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return self.processor(self.upload(frames))

    def run(self, batch: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        out = self.depth(batch)
        if self.flip:
            out = (out + self.depth(batch.flip(-1)).flip(-1)) / 2
        return self.processor.unpad(out, *size)

    def depth(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the network's output, (n, v, u), for the input (n, 3, h, w)."""
        return self.network(pixel_values=batch).predicted_depth


class ZoeDepth(Checkpoint):
    """ZoeDepth. With two metric heads, a frame's head must not depend on the frames it shares a batch with.

    The network sums the votes for a head (room or street) over the batch; the vote of one frame alone is what its
    authors' inference takes. Frames that disagree with their batch are run again among themselves.
    """

    def depth(self, batch: torch.Tensor) -> torch.Tensor:
        out = self.network(pixel_values=batch)
        votes = out.domain_logits
        if votes is None or len(batch) == 1:
            return out.predicted_depth
        # The network adds the logits up, and takes the largest sum.
        taken = votes.float().sum(dim=0).argmax()
        outvoted = votes.argmax(dim=-1) != taken
        if not bool(outvoted.any()):
            return out.predicted_depth
        depth = out.predicted_depth.clone()
        depth[outvoted] = self.depth(batch[outvoted]).to(depth.dtype)
        return depth


class Dpt(Checkpoint):
    """DPT with a backbone of its own (MiDaS's large and hybrid), for frames that are not square.

    transformers' class tells its neck the grid of patches only where the backbone is another class, and takes the
    grid for square else; its hybrid's embeddings want to be told that positions may be interpolated.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        config = self.network.config
        if self.network.backbone is not None:
            return
        patch, patches = config.patch_size, [0, 0]

        def note(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            height, width = positional[0].shape[-2:]
            patches[:] = height // patch, width // patch
            return positional, {**named, **({"interpolate_pos_encoding": True} if config.is_hybrid else {})}

        def tell(_: Any, positional: tuple[Any, ...]) -> tuple[Any, ...]:
            return positional[0], *patches

        self.network.dpt.embeddings.register_forward_pre_hook(note, with_kwargs=True)
        self.network.neck.register_forward_pre_hook(tell)


class DepthPro(Checkpoint):
    """Depth Pro: inverse depth of a canonical camera, and the field of view that makes metres of it.

    Depth = 1 / (c * w / f), f / w = 1 / (2 tan(fov / 2)), between 1e-4 and 1e4 before inverting (as published). Its
    authors resize the inverse: the output kind metric_disparity stores that.
    """

    LEAST, MOST = 1e-4, 1e4

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if self.output_kind == "metric_disparity":
            self.greatest_depth = 1 / self.LEAST

    def depth(self, batch: torch.Tensor) -> torch.Tensor:
        out = self.network(pixel_values=batch)
        inverse = out.predicted_depth.float()
        if out.field_of_view is not None:
            half = torch.deg2rad(out.field_of_view.float()) / 2
            inverse = inverse * (2 * torch.tan(half))[:, None, None]
        if self.output_kind.endswith("disparity"):
            return inverse.clamp(max=self.MOST)
        return 1 / inverse.clamp(self.LEAST, self.MOST)


# What is known of each kind of transformers (config.model_type): where nothing else stands, the network's output needs
# no more than its padding cut off.
CLASSES: dict[str, type[Checkpoint]] = {
    "chmv2": Checkpoint,
    "depth_anything": Checkpoint,
    "depth_pro": DepthPro,
    "dpt": Dpt,
    "glpn": Checkpoint,
    "prompt_depth_anything": Checkpoint,
    "tipsv2_dpt": Checkpoint,
    "zoedepth": ZoeDepth,
}


def load(spec: specs.Model, weights: Path, device: str) -> DepthModel:
    """Load the checkpoint in the folder `weights`. Whatever does not fit is a `ScopeDepthError`."""
    options = read_options(spec, Options)
    name = spec["name"]
    if not (weights / "config.json").is_file():
        raise ScopeDepthError(f"Model {name}: {weights} holds no config.json. Fetch the weights first.")
    refuse_other_networks(weights, name)
    chosen = options.preprocessing
    processor: Processor | AuthorsProcessor = read_processor(weights, name, options.processor)
    network = _load_network(weights, name)
    kind = network.config.model_type
    if chosen == "authors":
        assert isinstance(processor, Processor)
        processor = authors_processor(network.config, processor, name)
    elif chosen is None and knows_better(network.config):
        said = (
            f"Model {name}: fed as the Hub's processor does, which is not how its authors feed it. Set "
            "options.preprocessing to hub or to authors."
        )
        print(said, file=sys.stderr, flush=True)
    flip = options.flip
    if flip is None:
        flip = chosen == "authors" and kind == "zoedepth"
    return CLASSES[kind](spec, network, processor, device, bool(flip))


def refuse_other_networks(weights: Path, name: str) -> None:
    """Raise a `ScopeDepthError` that names the class of a checkpoint which is none of those known here.

    A file that is damaged or says nothing of its class is left to transformers.
    """
    try:
        config = json.loads((weights / "config.json").read_text("utf-8"))
        kind = config.get("model_type")
        written = ", ".join(config.get("architectures") or ["a class that is not stated"])
    except (ValueError, RecursionError, AttributeError, TypeError):
        return
    if kind is None or kind in CLASSES:
        return
    raise ScopeDepthError(
        f"Model {name}: {weights / 'config.json'} is of {written} (model_type {kind}), and the family transformers "
        f"runs {', '.join(CLASSES)}. Run its own code by the family python, correct the "
        f"repository{_saved_with(weights)}."
    )


def _load_network(folder: Path, name: str) -> Any:
    # Weights are fetched apart; a computing job asks nobody.
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers
    from transformers import AutoModelForDepthEstimation

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        # Checkpoints in half precision are run in single precision unless the spec says otherwise.
        network, report = AutoModelForDepthEstimation.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            # A checkpoint is data: code in its folder is not run, nor what a pickle of it would call.
            trust_remote_code=False,
            weights_only=True,
        )
    except ImportError as error:
        raise ScopeDepthError(f"Model {name}: {folder} needs a package that is missing ({error}).") from error
    except Exception as error:
        # transformers, safetensors and pickle each have errors of their own for what is wrong with a file.
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ScopeDepthError(
            f"Model {name}: {folder} does not load with transformers {transformers.__version__} ({first[:200]}). "
            f"Fetch the weights again{_saved_with(folder)}."
        ) from error
    for problem in ("missing_keys", "mismatched_keys"):
        if report.get(problem):
            first = sorted(map(str, report[problem]))[0]
            raise ScopeDepthError(
                f"Model {name}: the weights in {folder} are another model's than config.json says: "
                f"{len(report[problem])} {problem.replace('_', ' ')}, the first one {first}."
            )
    return network


def _saved_with(folder: Path) -> str:
    """Return the version of transformers that a checkpoint was written by, as the end of a sentence."""
    try:
        version = json.loads((folder / "config.json").read_text("utf-8"))["transformers_version"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return ""
    return f", or install transformers {version}, which wrote this checkpoint"
