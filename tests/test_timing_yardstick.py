"""The yardstick never changes. If one of these tests fails, the change is wrong, not the test."""

from __future__ import annotations

import pytest
import torch

from scopedepth.timing.flops import count_flops
from scopedepth.timing.yardstick import Yardstick, output_digest, yardstick_call, yardstick_input

DIGEST = "sha256:601c66ba9a7f4331b60e12db5738722a098117d24692f6b3f1b0908fcc8eeffd"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_output_is_what_it_always_was() -> None:
    output = yardstick_call("cpu")()
    assert output.shape == (1, 16, 224, 224)
    assert output_digest(output) == DIGEST
    assert 0 < output.mean() < 7, "a network that died or saturated would skip no work, but prove nothing"


def test_the_output_does_not_depend_on_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    assert output_digest(Yardstick().double()(yardstick_input().double())) == DIGEST
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert output_digest(yardstick_call("cpu")()) == DIGEST


def test_the_work_is_what_it_always_was() -> None:
    assert count_flops(yardstick_call("cpu")) == 646_668_288
    assert sum(parameter.numel() for parameter in Yardstick().parameters()) == 67_248


def test_attention_is_counted_on_the_processor_too() -> None:
    query = torch.randn(1, 2, 64, 32)
    counted = count_flops(lambda: torch.nn.functional.scaled_dot_product_attention(query, query, query))
    # Two products of 64 x 32 and 64 x 64 in each of two heads, a multiplication and an addition as two.
    assert counted == 2 * 2 * (2 * 64 * 64 * 32)


def test_without_torch_operations_there_is_no_count() -> None:
    assert count_flops(lambda: 1) is None
