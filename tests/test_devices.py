"""Each process gets a GPU of its own, counted on machines with made-up numbers of GPUs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scopedepth.job.devices import take_gpu, visible_gpus

HOLD = """
import sys
from pathlib import Path
import scopedepth.job.devices as devices

devices.LOOK_AGAIN_SECONDS = 0.05
environment = dict(pair.split("=", 1) for pair in sys.argv[3:])
name = devices.take_gpu("auto", environment, lambda: int(sys.argv[2]), Path(sys.argv[1]))
print(name, environment.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


class Holders:
    """Processes that take a GPU and keep it until they are ended."""

    def __init__(self, root: Path, locks: Path) -> None:
        self.root, self.locks = root, locks
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, gpus: int, *environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(self.locks), str(gpus), *environment],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(self.root / "workflow_scripts")},
        )
        self.processes.append(process)
        return process

    def take(self, gpus: int, *environment: str) -> str:
        """Start a process and return the GPU that it took."""
        return said(self.start(gpus, *environment))


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    name, _, visible = process.stdout.readline().strip().partition(" ")
    assert name == visible or name == "None"
    return name


@pytest.fixture
def holders(root: Path, tmp_path: Path) -> Iterator[Holders]:
    holders = Holders(root, tmp_path / "locks")
    yield holders
    for process in holders.processes:
        process.kill()
        process.communicate()


def test_each_process_gets_its_own_gpu(holders: Holders) -> None:
    assert [holders.take(3) for _ in range(3)] == ["0", "1", "2"]


def test_a_killed_process_gives_its_gpu_back_and_who_waits_gets_it(holders: Holders) -> None:
    first, second = holders.start(2), holders.start(2)
    assert {said(first), said(second)} == {"0", "1"}
    waiting = holders.start(2)
    assert waiting.stderr is not None
    assert "gpu=2" in waiting.stderr.readline()
    first.kill()
    assert said(waiting) in ("0", "1")


def test_visible_gpus_are_chosen_from_by_their_own_names(holders: Holders) -> None:
    assert holders.take(4, "CUDA_VISIBLE_DEVICES=2,GPU-5ab") == "2"
    # Without the variable the same GPU 2 is known to be taken.
    assert [holders.take(4) for _ in range(3)] == ["0", "1", "3"]
    assert holders.take(4, "CUDA_VISIBLE_DEVICES=2,GPU-5ab") == "GPU-5ab"


def test_a_schedulers_choice_stands(tmp_path: Path) -> None:
    for number in range(2):
        environment = {"SLURM_JOB_ID": str(number), "CUDA_VISIBLE_DEVICES": "0"}
        assert take_gpu("auto", environment, lambda: 8, tmp_path) is None
        assert environment["CUDA_VISIBLE_DEVICES"] == "0"


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_a_stated_device_leaves_no_choice(device: str, tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    assert take_gpu(device, environment, lambda: 8, tmp_path) is None
    assert environment == {}


def test_a_machine_without_gpus_has_none_to_give(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    assert take_gpu("auto", environment, lambda: 0, tmp_path) is None
    assert environment == {}


@pytest.mark.parametrize(
    ("listed", "expected"), [("", []), ("-1", []), ("1", ["1"]), ("3, 1", ["3", "1"]), ("0,-1,2", ["0"])]
)
def test_the_list_of_visible_gpus_is_read_as_cuda_reads_it(listed: str, expected: list[str]) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": listed}, lambda: 8) == expected
