"""SC-SfMLearner: monodepth2's parts in one file."""

from __future__ import annotations

from pathlib import Path

import torch

from scopedepth.finetuning.formats.monodepth2 import adapted, cpu, parts
from scopedepth.models.families.sc_sfmlearner import ScSfmLearner
from scopedepth.models.torch_model import TorchModel

__all__ = ["adapted", "parts", "save"]


def save(model: TorchModel, weights: Path, out: Path) -> None:
    """Write the network where the base has it."""
    assert isinstance(model, ScSfmLearner)
    path = out / model.file
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": cpu(model.network)}, path)
