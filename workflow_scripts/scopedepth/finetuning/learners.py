"""Which parts of a network learn, as a recipe says: adapters that are merged in the end (LoRA), neck, head, or all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import nn

from scopedepth.errors import ScopeDepthError
from scopedepth.models.torch_model import TorchModel


class Learners:
    """The parameters of a model that learn, by name. `format`: the family's module of `finetuning.formats`."""

    def __init__(self, model: TorchModel, recipe: Mapping[str, Any], format: ModuleType, name: str) -> None:
        self.network = model.network
        self._adapters: Any = None
        refused = f"Model {name}: its recipe does not fit {type(self.network).__name__}: "
        if "adapters" in recipe["trains"]:
            layers = format.adapted(self.network)
            if not layers:
                raise ScopeDepthError(
                    f"{refused}no layer of it takes adapters. Choose one that trains neck, head or all."
                )
            self._adapters = _with_adapters(self.network, layers, recipe["rank"])
        parts = format.parts(self.network)
        for part in recipe["trains"]:
            names = list(dict(self.network.named_children())) if part == "all" else parts.get(part, [])
            if part != "adapters" and not names:
                raise ScopeDepthError(f"{refused}it has no {part}. Choose one that trains adapters or all.")
            for child in names:
                self.network.get_submodule(child).requires_grad_(True)
        if recipe["gradient_checkpointing"]:
            _save_memory(self.network, refused)
        self.parameters = {
            key: parameter for key, parameter in self.network.named_parameters() if parameter.requires_grad
        }

    def merge(self) -> None:
        """Bring the adapters into the layers that they stand beside: the network is of its own class again."""
        if self._adapters is not None:
            self._adapters.merge_and_unload()
            self._adapters = None
        self.network.requires_grad_(False)


def _with_adapters(network: nn.Module, layers: list[str], rank: int) -> Any:
    """Put adapters beside layers, in place; they begin as nothing, at random by torch's generator."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ScopeDepthError(
            "Adapters need the package peft, which is not here. Install it: pip install 'peft==0.21.2'"
        ) from error
    # Strength two, as in the paper's own experiments with few ranks.
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=layers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it asks transformers by a name that will change
        return get_peft_model(network, config)


def _save_memory(network: nn.Module, refused: str) -> None:
    """Let a network of transformers compute its layers' activations again on the way back."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [layer for layer in network.modules() if isinstance(layer, GradientCheckpointingLayer)]
    if not layers or not getattr(network, "supports_gradient_checkpointing", False):
        raise ScopeDepthError(
            f"{refused}it cannot compute activations twice. Leave gradient_checkpointing out."
        )
    network.activation_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    for layer in layers:
        # Layers do so while they train; what is in them stays as it is in use.
        layer.training = True
