"""A GPU for each process: Snakemake counts GPUs, but does not say which job gets which one.

`take_gpu` looks at the GPUs that this process may see, holds the first free one with a lock on a file, and
hides the others by narrowing CUDA_VISIBLE_DEVICES. The kernel lets go of the lock when the process ends, however
it ends. Where a scheduler started the job, its choice of GPUs stands and nothing is locked: it has given
the job a GPU of its own, which may well be called 0 in every job.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Callable, MutableMapping
from functools import cache
from pathlib import Path
from typing import IO

# Set inside a job of SLURM, PBS, LSF, Grid Engine and Kubernetes.
SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "KUBERNETES_SERVICE_HOST")
LOOK_AGAIN_SECONDS = 2.0

# An open file holds its lock; this process keeps it to its end.
_held: dict[str, IO[str]] = {}


def take_gpu(
    device: str,
    environment: MutableMapping[str, str] | None = None,
    count: Callable[[], int] | None = None,
    folder: Path | None = None,
) -> str | None:
    """Leave this process one GPU that no other process of ours holds, and return its name, or None for none.

    Call it before anything uses CUDA. `device`: as configured; only `auto` and `cuda` leave a choice, `cpu` needs
    none and `cuda:1` is one already. `environment` (changed), `count` (number of GPUs in the machine) and
    `folder` (of the locks) stand in for the real ones in tests. Waits where all GPUs are taken.
    """
    environment = os.environ if environment is None else environment
    if device not in ("auto", "cuda") or any(name in environment for name in SCHEDULERS):
        return None
    names = visible_gpus(environment, count or count_gpus)
    if not names:
        return None
    folder = folder or Path(tempfile.gettempdir(), f"scopedepth-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    said = False
    while True:
        for name in names:
            if _lock(folder / name.replace("/", "_")):
                # Without this, CUDA may number the GPUs by speed, and "0" be another one than the lock's.
                environment.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
                environment["CUDA_VISIBLE_DEVICES"] = name
                return name
        if not said:
            print(
                f"All {len(names)} GPUs are taken; waiting for one. With --resources gpu={len(names)}, Snakemake "
                "starts no more jobs than there are GPUs.",
                file=sys.stderr,
            )
            said = True
        time.sleep(LOOK_AGAIN_SECONDS)


def visible_gpus(environment: MutableMapping[str, str], count: Callable[[], int]) -> list[str]:
    """Return the names of the GPUs that CUDA would show: what CUDA_VISIBLE_DEVICES lists, or 0, 1, ..."""
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return [str(number) for number in range(count())]
    names = [name.strip() for name in listed.split(",")]
    # CUDA ignores what follows an invalid entry; -1 is the customary one.
    stop = next((place for place, name in enumerate(names) if name in ("", "-1", "NoDevFiles")), len(names))
    return names[:stop]


@cache
def gpu_at_hand() -> bool:
    """Whether this machine has a driver for GPUs that torch could use (NVIDIA, also below Windows, or AMD)."""
    return any(Path("/dev", name).exists() for name in ("nvidiactl", "dxg", "kfd"))


def count_gpus() -> int:
    """Return the number of NVIDIA GPUs in this machine, without starting CUDA."""
    import torch

    return torch.cuda.device_count()


def _lock(path: Path) -> bool:
    """Take the lock of the file `path` for the life of this process; False where another process has it."""
    file = path.open("a", encoding="utf-8")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _held[str(path)] = file
    return True
