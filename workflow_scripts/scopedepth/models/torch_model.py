"""What the families that run on torch share: device, precision, the way onto the device and back."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scopedepth.errors import ScopeDepthError
from scopedepth.models.base import DepthModel

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchModel(DepthModel):
    """A network of torch. A family says how frames become its input and how its output becomes a prediction.

    bf16 and fp16 run under autocast: what needs the wide range (norms, softmax) stays in float32.
    """

    def __init__(self, spec: specs.Model, network: torch.nn.Module, device: str) -> None:
        super().__init__(spec, resolve_device(device, spec["name"]), count_parameters(network))
        self.torch_device = torch.device(self.device)
        self.network = network.to(self.torch_device).eval().requires_grad_(False)
        if self.precision == "fp16" and self.torch_device.type == "cpu":
            raise ScopeDepthError(
                f"Model {self.name}: fp16 needs a GPU. Use bf16, which processors have, or fp32."
            )

    def upload(self, frames: np.ndarray) -> torch.Tensor:
        """Bring frames, uint8 (n, h, w, 3), to the device as uint8 (n, 3, h, w), without waiting on a GPU."""
        host = torch.from_numpy(np.ascontiguousarray(frames))
        if self.torch_device.type == "cuda":
            host = host.pin_memory()
        return host.to(self.torch_device, non_blocking=True).permute(0, 3, 1, 2)

    def forward(self, batch: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        with torch.inference_mode():
            with torch.autocast(
                self.torch_device.type, DTYPES[self.precision], enabled=self.precision != "fp32"
            ):
                out = self.run(batch, size)
            return out.float()

    @abstractmethod
    def run(self, batch: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Return the prediction (n, v, u) of `batch`, padding removed; called without gradients."""

    def begin_host(self, out: torch.Tensor) -> Any:
        if out.device.type != "cuda":
            return out
        # Into pinned memory, so that the copy runs beside the next batch's forward pass.
        host = torch.empty(out.shape, dtype=out.dtype, pin_memory=True)
        host.copy_(out, non_blocking=True)
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        copied.record()
        return host, copied

    def to_host(self, out: Any) -> np.ndarray:
        if isinstance(out, tuple):
            host, copied = out
            copied.synchronize()
            return host.numpy()
        return out.cpu().numpy()

    def use_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def prepare(self, threads: int | None) -> None:
        run_deterministically()
        super().prepare(threads)

    def is_out_of_memory(self, error: Exception) -> bool:
        # A processor's allocator has no class of its own for this.
        no_host_memory = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
        return isinstance(error, torch.OutOfMemoryError | MemoryError) or no_host_memory

    def is_fatal(self, error: Exception) -> bool:
        return isinstance(error, torch.AcceleratorError)

    def free_memory(self) -> None:
        if self.torch_device.type == "cuda":
            torch.cuda.empty_cache()


def count_parameters(network: torch.nn.Module) -> int:
    """Return the number of a network's parameters; shared ones count once."""
    return sum(parameter.numel() for parameter in network.parameters())


def resolve_device(device: str, name: str) -> str:
    """Return the device to use for `device`, which may be `auto`; one that is not there is an error."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    if not device.startswith("cuda") or not torch.cuda.is_available():
        raise ScopeDepthError(f"Model {name}: there is no device {device!r} here. Use `auto` or `cpu`.")
    return f"cuda:{torch.device(device).index or 0}"


def run_deterministically(*, compiled: bool = False) -> None:
    """Make torch's results repeatable where its backend can; what torch.compile makes too, where `compiled`."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if compiled:
        torch.use_deterministic_algorithms(True, warn_only=True)
    else:
        # The same without the compiler's setting, for which torch imports its compiler: a second or two.
        torch.set_deterministic_debug_mode("warn")
    # Otherwise every new buffer is filled with NaN first: slow, and for finding bugs only.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
