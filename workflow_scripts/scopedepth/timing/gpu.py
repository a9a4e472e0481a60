"""What an NVIDIA GPU says of itself and of those who use it, through NVML (the package nvidia-ml-py).

Without that package, without a GPU or for what a GPU does not report, the answer is null: a measurement is
not refused for a fact that cannot be had.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

# Bits of NVML's clock event reasons (nvml.h) that slow a GPU down. Being idle, and clocks that the owner set,
# are no throttling.
THROTTLING = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal (software)",
    0x40: "thermal (hardware)",
    0x80: "power brake",
}


class Gpu:
    """One GPU as NVML sees it. `nvml` is the module pynvml, or something like it in a test."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.nvml, self.handle = nvml, handle

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return question(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None

    def state(self) -> dict[str, Any]:
        """Return clocks (MHz), power (W), temperature (C), use (%) and what throttles the GPU now."""
        nvml = self.nvml
        power = self._ask(nvml.nvmlDeviceGetPowerUsage)
        use = self._ask(nvml.nvmlDeviceGetUtilizationRates)
        reasons = self._ask(nvml.nvmlDeviceGetCurrentClocksEventReasons)
        return {
            "clock_mhz": self._ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM),
            "memory_clock_mhz": self._ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
            "power_w": None if power is None else power / 1000,
            "temperature_c": self._ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
            "used_percent": None if use is None else use.gpu,
            "throttled_by": None
            if reasons is None
            else [name for bit, name in THROTTLING.items() if reasons & bit],
        }

    def energy_joule(self) -> float | None:
        """Return the energy used since the driver was loaded, in J."""
        used = self._ask(self.nvml.nvmlDeviceGetTotalEnergyConsumption)
        return None if used is None else used / 1000

    def other_processes(self, ours: int | None = None) -> list[str]:
        """Return the names of the other processes that compute on this GPU; `ours` is none of them."""
        found = self._ask(self.nvml.nvmlDeviceGetComputeRunningProcesses) or []
        return sorted(self._name(process.pid) for process in found if process.pid not in (os.getpid(), ours))

    def _name(self, pid: int) -> str:
        try:
            name = self.nvml.nvmlSystemGetProcessName(pid)
        except self.nvml.NVMLError:
            return f"process {pid}"
        return name.decode() if isinstance(name, bytes) else str(name)


def find_gpu(device: str, nvml: Any = None) -> Gpu | None:
    """Return the GPU behind torch's `device` ("cuda", "cuda:1"), or None for the processor or without NVML."""
    if not device.startswith("cuda"):
        return None
    import torch

    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            return None
    try:
        nvml.nvmlInit()
        # By its unique name: CUDA's numbers are not NVML's where CUDA_VISIBLE_DEVICES or the order differ.
        unique = str(torch.cuda.get_device_properties(device).uuid)
        unique = unique if unique.startswith("GPU-") else f"GPU-{unique}"
        return Gpu(nvml, nvml.nvmlDeviceGetHandleByUUID(unique))
    except nvml.NVMLError:
        return None
