"""Floating-point operations of a call, by torch's own counter (`torch.utils.flop_counter.FlopCounterMode`).

It counts convolutions, matrix products and attention, a multiplication and an addition as two, and nothing
else: no activations, normalisation or resizing. Fused attention on the processor is unknown to it, so
attention runs as plain matrix products while it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TOOL = "torch.utils.flop_counter.FlopCounterMode"


def count_flops(call: Callable[[], Any]) -> int | None:
    """Return the floating-point operations of one `call`; None where torch ran none (another runtime)."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        call()
    return int(counter.get_total_flops()) or None
