"""Models: one interface, one file a family.

A family's module is imported by name at run time and by nothing else, so that the code of one family is in no
other family's identity, and a baseline needs no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.errors import ScopeDepthError
from scopedepth.job import extensions
from scopedepth.job.heap import without_collecting
from scopedepth.models.base import DepthModel
from scopedepth.models.folds import FoldedModel, fold_name, read_folds

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

FAMILIES = extensions.names_in(extensions.FAMILIES)


def load_model(spec: specs.Model, weights: Path, device: str = "auto") -> DepthModel:
    """Return the model of `spec`, ready to predict.

    `weights`: the folder that `fetch_weights` made. `device`: `auto` (a GPU where there is one), `cpu`, `cuda`,
    `cuda:1` and the like. Raises `ScopeDepthError` for an unknown family, missing or unfitting weights.
    """
    family = spec["family"]
    if family not in FAMILIES:
        raise ScopeDepthError(f"Model {spec['name']}: no family {family!r}; there are {', '.join(FAMILIES)}.")
    with without_collecting():
        module = extensions.load(extensions.FAMILIES, spec)
        folds = read_folds(Path(weights))
        if folds is not None:
            return FoldedModel(
                folds, lambda number: module.load(spec, Path(weights) / fold_name(number), device)
            )
        model: DepthModel = module.load(spec, Path(weights), device)
        return model
