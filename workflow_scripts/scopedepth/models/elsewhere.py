"""A user's class in another Python: the job's side of the worker, and an object that stands in for the class's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.models import worker

# Of what the worker prints, for the line that says why it ended.
LAST_LINES = 3
SECONDS_TO_END = 5


class WorkerError(Exception):
    """The user's class failed on what it was given; the message is the error's kind and its words."""


class Elsewhere:
    """The worker of one model, a process of `interpreter`. It ends with this object, and with this process."""

    def __init__(self, name: str, interpreter: Path) -> None:
        self.name, self.interpreter = name, interpreter
        self._users: weakref.WeakValueDictionary[int, Remote] = weakref.WeakValueDictionary()
        # Objects that nobody here knows any more; the worker hears of them with the next call.
        self.dropped: list[int] = []
        here, there = socket.socketpair()
        memory = _shared_memory()
        command = [str(interpreter), "-I", "-B", "-u", worker.__file__, str(there.fileno()), str(memory)]
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(there.fileno(), memory),
            )
        except OSError as error:
            raise ScopeDepthError(f"Model {name}: {interpreter} does not start: {error}.") from error
        finally:
            there.close()
        self._channel = worker.Channel(here, memory)
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        assert self.process.stdout is not None
        self._printing = threading.Thread(target=_print, args=(self.process.stdout, self._last), daemon=True)
        self._printing.start()
        self.close = weakref.finalize(self, _end, self.process, here, memory)

    def ask(
        self, call: str, arrays: Sequence[NDArray[Any]] = (), **told: Any
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """Return the answer to a call. Where the user's class fails: MemoryError, `WorkerError`, `ScopeDepthError`."""
        dropped, self.dropped = self.dropped, []
        try:
            self._channel.send({"call": call, "dropped": dropped, **told}, arrays)
            answer, out = self._channel.receive()
        except (EOFError, ConnectionError) as error:
            raise ScopeDepthError(self._how_it_ended()) from error
        kind = answer.pop("error", None)
        if kind == "refused":
            raise ScopeDepthError(answer["said"])
        if kind == "memory":
            raise MemoryError(answer["said"])
        if kind is not None and call != "predict":
            last = " / ".join(map(str.strip, answer["trace"]))
            raise ScopeDepthError(f"Model {self.name}: its code fails in {self.interpreter}: {last}")
        if kind is not None:
            raise WorkerError(answer["said"])
        return answer, out

    def stand_in(self, facts: Mapping[str, Any]) -> Remote:
        """Return what stands in for an object of the worker's, the same for the same object."""
        number = facts["user"]
        known = self._users.get(number)
        if known is None:
            known = self._users[number] = Remote(self, facts)
            self.dropped = [one for one in self.dropped if one != number]
        return known

    def _how_it_ended(self) -> str:
        try:
            status = self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            status = None
        self._printing.join(SECONDS_TO_END)
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        said = f"; its last lines: {' / '.join(self._last)}" if self._last else ", and said nothing"
        return f"Model {self.name}: its process ({self.interpreter}) ended {how}{said}"


class Remote:
    """Stands in for an object of the user's class in a worker: it has the methods that the class has."""

    def __init__(self, elsewhere: Elsewhere, facts: Mapping[str, Any]) -> None:
        self.elsewhere, self.number = elsewhere, facts["user"]
        self.parameters, self.window = facts["parameters"], facts["window"]
        self._has, self._camera = facts["has"], facts["intrinsics"]

    def __del__(self) -> None:
        self.elsewhere.dropped.append(self.number)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_has", ()):
            return partial(self._call, name)
        raise AttributeError(name)

    @property
    def predict(self) -> Any:
        """The class's own form: with a parameter `intrinsics` where that has one."""
        return self._with_camera if self._camera else self._frames

    def _frames(self, frames: NDArray[Any]) -> NDArray[Any]:
        return self.elsewhere.ask("predict", [frames], user=self.number)[1][0]

    def _with_camera(self, frames: NDArray[Any], intrinsics: NDArray[np.float64]) -> NDArray[Any]:
        return self.elsewhere.ask("predict", [frames, intrinsics], user=self.number)[1][0]

    def _call(self, name: str, *arguments: Any) -> Any:
        answer, _ = self.elsewhere.ask(name, user=self.number, arguments=arguments)
        return self.elsewhere.stand_in(answer) if name == "for_sequence" else answer["said"]


def make(interpreter: Path, told: Mapping[str, Any]) -> tuple[Remote, str]:
    """Start a worker and make the object of the user's class there; return what stands in for it, and its device.

    told: as `user_class.make` takes it.
    """
    elsewhere = Elsewhere(told["name"], interpreter)
    answer, _ = elsewhere.ask("make", told={**told, "pip": f"{interpreter} -m pip install"})
    return elsewhere.stand_in(answer), str(answer["device"])


def _shared_memory() -> int:
    """Return the descriptor of memory that another process can map; nothing is left of it when both are gone."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("scopedepth")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _print(stream: IO[bytes], last: deque[str]) -> None:
    """Pass on what the worker prints, and remember the last of it."""
    for line in stream:
        text = line.decode(errors="replace").rstrip()
        print(text, file=sys.stderr, flush=True)
        if text.strip():
            last.append(text.strip())


def _end(process: subprocess.Popen[bytes], connection: socket.socket, memory: int) -> None:
    connection.close()
    os.close(memory)
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
