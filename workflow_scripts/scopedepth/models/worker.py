"""The worker: a user's class in another Python, called by the process that runs the job.

    python -I worker.py SOCKET MEMORY       # the numbers of two descriptors that it inherits

Here is the channel between the two, used by both, and what the worker does. In the other Python no other module of ours
is but `user_class.py`, beside this file: standard library and NumPy alone, of Python 3.9 and NumPy 1 on. What the class
prints goes to the job's log. The worker ends when the job's process does, in whatever way that ends.
"""

from __future__ import annotations

import importlib.util
import json
import math
import mmap
import os
import queue
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

LENGTH = struct.Struct("<Q")
# Arrays begin at multiples of it.
ALIGNED = 64
TRACEBACK_LINES = 8


class Channel:
    """Messages to a process and back: JSON behind its length in a socket, arrays in memory that both have mapped.

    One side asks and waits, the other answers: so one place in memory serves both ways. Arrays are plain numbers;
    nothing is ever unpickled.
    """

    def __init__(self, connection: socket.socket, memory: int) -> None:
        self.connection, self.memory = connection, memory
        self._mapped: mmap.mmap | None = None

    def send(self, message: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
        """Send a message with arrays."""
        places, end = [], 0
        for array in arrays:
            if array.dtype.hasobject:
                raise TypeError(f"an array of {array.dtype} is no array of numbers")
            places.append({"shape": array.shape, "dtype": array.dtype.str, "at": end})
            end += -(-array.nbytes // ALIGNED) * ALIGNED
        mapped = self._map(end)
        for array, place in zip(arrays, places):  # noqa: B905 - Python 3.9
            self._view(mapped, place)[...] = array
        said = json.dumps({**message, "arrays": places}).encode()
        self.connection.sendall(LENGTH.pack(len(said)) + said)

    def receive(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Return the next message and copies of its arrays; EOFError where the other side is gone."""
        message: dict[str, Any] = json.loads(self._read(LENGTH.unpack(self._read(LENGTH.size))[0]))
        places = message.pop("arrays")
        mapped = self._map(max((place["at"] + self._bytes(place) for place in places), default=0))
        return message, [self._view(mapped, place).copy() for place in places]

    def _read(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            piece = self.connection.recv(min(count - len(found), 2**20))
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)

    def _map(self, size: int) -> mmap.mmap | None:
        """Return the memory, at least `size` bytes of it; it grows, and never shrinks."""
        if size and (self._mapped is None or len(self._mapped) < size):
            if os.fstat(self.memory).st_size < size:
                os.ftruncate(self.memory, size)
            self._mapped = mmap.mmap(self.memory, os.fstat(self.memory).st_size)
        return self._mapped

    @staticmethod
    def _bytes(place: Mapping[str, Any]) -> int:
        return int(np.dtype(place["dtype"]).itemsize * math.prod(place["shape"]))

    def _view(self, mapped: mmap.mmap | None, place: Mapping[str, Any]) -> np.ndarray:
        dtype = np.dtype(place["dtype"])
        if mapped is None or not self._bytes(place) or dtype.hasobject:
            return np.empty(place["shape"], np.dtype(np.uint8) if dtype.hasobject else dtype)
        return np.ndarray(place["shape"], dtype, mapped, place["at"])


def as_float32(out: Any) -> np.ndarray:
    """Return what a class's predict gave, NumPy or torch, as float32 in host memory."""
    host = out.detach().float().cpu().numpy() if hasattr(out, "detach") else out
    return np.asarray(host, dtype=np.float32)


class Worker:
    """The objects of the user's class, by number, and the calls that are asked of them."""

    def __init__(self, user_class: Any) -> None:
        self.user_class = user_class
        self.users: dict[int, Any] = {}
        self.made = 0

    def answer(
        self, asked: dict[str, Any], arrays: list[np.ndarray]
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Do what is asked."""
        call = asked["call"]
        for number in asked["dropped"]:
            self.users.pop(number, None)
        if call == "make":
            device = _device(asked["told"])
            # Some packages call the program that runs by a second name.
            user = self.user_class.make({**asked["told"], "device": device}, [Path(__file__)])
            return {"device": device, **self.describe(user)}, []
        if call == "prepare":
            self.prepare(asked["repeatable"], asked["threads"])
            return {}, []
        user = self.users[asked["user"]]
        if call == "predict":
            camera = {"intrinsics": arrays[1]} if len(arrays) > 1 else {}
            return {}, [as_float32(user.predict(arrays[0], **camera))]
        said = getattr(user, call)(*asked["arguments"])
        if call == "for_sequence":
            return self.describe(said), []
        return {"said": [int(number) for number in said] if call == "grid" else None}, []

    def describe(self, user: Any) -> dict[str, Any]:
        """Return an object's number, one for the same object, and what its class offers."""
        import inspect

        number = next((number for number, one in self.users.items() if one is user), None)
        if number is None:
            number, self.made = self.made, self.made + 1
            self.users[number] = user
        try:
            takes = "intrinsics" in inspect.signature(user.predict).parameters
        except (TypeError, ValueError):  # compiled code may not say what it takes
            takes = False
        window, parameters = getattr(user, "window", None), getattr(user, "parameters", None)
        return {
            "user": number,
            "intrinsics": takes,
            "window": json.loads(json.dumps(window, default=repr)),
            "parameters": parameters if isinstance(parameters, int) else None,
            "has": [one for one in ("grid", "reset", "for_sequence") if callable(getattr(user, one, None))],
        }

    @staticmethod
    def prepare(repeatable: bool, threads: int | None) -> None:
        """Make torch's results repeatable, as those of the job's own process, and set its threads."""
        torch = sys.modules.get("torch")
        if torch is None:
            return
        if repeatable:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
            if hasattr(torch.utils, "deterministic"):
                torch.utils.deterministic.fill_uninitialized_memory = False
            torch.backends.cudnn.benchmark = False
        if threads:
            torch.set_num_threads(threads)


def _device(told: Mapping[str, Any]) -> str:
    """Return the device to use: `auto` is a GPU where this Python has a torch that can use one."""
    device = str(told["device"])
    if device == "cpu" or (device == "auto" and importlib.util.find_spec("torch") is None):
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        if device == "auto":
            return "cpu"
        raise ValueError(f"there is no device {device!r} for its torch. Use `auto` or `cpu`.")
    return f"cuda:{torch.device('cuda' if device == 'auto' else device).index or 0}"


def failure(error: Exception, refused: type[Exception]) -> dict[str, Any]:
    """Return what is told of an error: its kind, itself, and the end of its traceback."""
    no_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    kind = "refused" if isinstance(error, refused) else "memory" if no_memory else "failed"
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
    said = str(error) if kind == "refused" else f"{type(error).__name__}: {error}"
    return {"error": kind, "said": said, "trace": trace[-TRACEBACK_LINES:]}


def main(connection: int, memory: int) -> None:
    """Answer until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job's process says when it ends
    sys.path[:] = [path for path in sys.path if path]
    beside = importlib.util.spec_from_file_location(
        "scopedepth_user_class", Path(__file__).with_name("user_class.py")
    )
    assert beside is not None
    assert beside.loader is not None
    user_class = importlib.util.module_from_spec(beside)
    beside.loader.exec_module(user_class)
    channel = Channel(socket.socket(fileno=connection), memory)
    asked: queue.SimpleQueue[tuple[dict[str, Any], list[np.ndarray]]] = queue.SimpleQueue()

    def listen() -> None:
        while True:
            try:
                asked.put(channel.receive())
            except (EOFError, OSError):
                os._exit(0)  # also in the midst of a prediction, which nobody waits for

    threading.Thread(target=listen, daemon=True).start()
    worker = Worker(user_class)
    while True:
        message, arrays = asked.get()
        try:
            reply, out = worker.answer(message, arrays)
        except Exception as error:
            reply, out = failure(error, user_class.Refused), []
        channel.send(reply, out)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
