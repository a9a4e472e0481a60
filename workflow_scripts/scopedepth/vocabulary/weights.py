"""Where a model's weights come from, where that decides which job makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# They are published nowhere, but made here from another model's.
FINETUNED: Final = "finetuned"
# Where the families lie whose networks can be fine-tuned, a file each: what parts they have, how they are saved.
FORMATS = "finetuning.formats"


def tuning_of(model: specs.Model) -> specs.TunedWeights:
    """Return what says how a model is fine-tuned; of one that is not, a ValueError."""
    weights = model["weights"]
    if weights["kind"] != FINETUNED:
        raise ValueError(f"{model['name']} is not fine-tuned here")
    return weights
