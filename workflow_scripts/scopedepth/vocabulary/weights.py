"""Where a model's weights come from, where that decides which job makes them."""

from __future__ import annotations

# They are published nowhere, but made here from another model's.
FINETUNED = "finetuned"
# Where the families lie whose networks can be fine-tuned, a file each: what parts they have, how they are saved.
FORMATS = "finetuning.formats"
