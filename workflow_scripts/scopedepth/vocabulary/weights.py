"""Where a model's weights come from, where that decides which job makes them."""

from __future__ import annotations

# They are published nowhere, but made here from another model's.
FINETUNED = "finetuned"
