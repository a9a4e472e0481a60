"""Models: one interface, one file a family.

A family's module is imported by name at run time and by nothing else, so that the code of one family is in no
other family's identity, and a baseline needs no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.models.base import DepthModel

FAMILIES = ("baseline", "monodepth2", "onnx", "python", "sc_sfmlearner", "transformers")


def load_model(spec: Mapping[str, Any], weights: Path, device: str = "auto") -> DepthModel:
    """Return the model of `spec`, ready to predict.

    `weights`: the folder that `fetch_weights` made. `device`: `auto` (a GPU where there is one), `cpu`, `cuda`,
    `cuda:1` and the like. Raises `ScopeDepthError` for an unknown family, missing or unfitting weights.
    """
    family = spec["family"]
    if family not in FAMILIES:
        raise ScopeDepthError(f"Model {spec['name']}: no family {family!r}; there are {', '.join(FAMILIES)}.")
    return importlib.import_module(f"scopedepth.models.{family}").load(spec, Path(weights), device)
