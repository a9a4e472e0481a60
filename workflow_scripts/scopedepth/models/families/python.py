"""A class of your own, by `options: {code: "file.py:Class"}`, or one of an installed package, "package.module:Class".

The file lies in the weights' folder, which is part of a prediction's identity like any weights, so that an edit of the
file is noticed. Where weights are fetched (`kind: hub` or `url`) the code is never theirs: `folder` is a folder of your
own, which is watched alike, or the class is an installed package's. `packages` names what the code imports, each with
its version ("name==1.2"), which is part of the identity, too; another version is refused. The class:

    class MyModel:
        def __init__(self, weights: pathlib.Path | None, device: str, options: dict) -> None: ...
        def predict(self, frames):            # uint8 NumPy (n, h, w, 3) -> (n, v, u), NumPy or torch
            ...
        # optional
        def grid(self, height, width): ...    # -> (v, u); without it, one frame is predicted to find out
        def for_sequence(self, name): ...     # -> an object like this one, with other weights
        parameters: int
        def predict(self, frames, intrinsics): ...  # float64 (3, 3), pixels of these frames, centres at whole numbers
        window = {"frames": 32, "overlap": 10}  # a video's frames at once and in order (models/window.py)
        def reset(self): ...                  # a sequence begins: of a window with memory

Where the code wants other packages than ours, `python` is another Python, of an environment of its own: the class is
made in a process of it, and frames and predictions go to and fro through memory (models/elsewhere.py). Its version
and packages are part of the identity.

Nothing else is asked of it. `weights` is None for `kind: none`. `device` is where to compute, `cpu` or `cuda:N`: `auto`
is settled before the class is made. Options are `options.options`.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.job.devices import gpu_at_hand
from scopedepth.job.environment import installed_in, interpreter_at
from scopedepth.job.extensions import read_options
from scopedepth.job.identity import ROOT
from scopedepth.job.manifest import digest_tree, manifest_of, read_manifest
from scopedepth.models import elsewhere, user_class
from scopedepth.models.base import DepthModel
from scopedepth.models.window import Window
from scopedepth.models.worker import as_float32

if TYPE_CHECKING:
    from scopedepth.config.options import File, Interpreter, OwnFolder, Pinned
    from scopedepth.vocabulary import specs


@dataclass(frozen=True)
class Options:
    """The class, where its code lies, the packages behind it, another Python to run it, and what is handed to it."""

    code: File | None = None
    folder: OwnFolder | None = None
    packages: list[Pinned] = field(default_factory=list)
    python: Interpreter | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        place, _, name = (self.code or "").partition(":")
        dotted = all(part.isidentifier() for part in place.split("."))
        if not name.isidentifier() or not (place.endswith(".py") or dotted):
            raise ValueError(f'code must be "file.py:Class" or "package.module:Class", not {self.code!r:.60}')
        if not place.endswith(".py") and not self.packages:
            raise ValueError(f'packages must name the package of {self.code} and its version, ["name==1.2"]')
        if not place.endswith(".py") and self.folder is not None:
            raise ValueError("folder is for code in a file; a package's code is installed")

    def check_model(self, weights: str, output: str) -> None:
        """Refuse code that nobody has looked at."""
        place, _, name = (self.code or "").partition(":")
        if not place.endswith(".py") or weights == "path" or self.folder is not None:
            return
        if weights == "none":
            folder, _, file = place.rpartition("/")
            raise ValueError(
                f'{place} is looked for in a folder: options: {{code: "{file}:{name}", folder: {folder or "FOLDER"}}}, '
                "or in that of weights: {kind: path}"
            )
        raise ValueError(
            "code that was downloaded is not run; look at it, and give its folder as weights: {kind: path}, or "
            "name a folder of your own code as options.folder, or a class of an installed package as options.code"
        )


class UserModel(DepthModel):
    """Wraps an object of the user's class."""

    def __init__(self, spec: specs.Model, device: str, user: Any) -> None:
        parameters = getattr(user, "parameters", None)
        known = parameters if isinstance(parameters, int) else spec.get("parameters") or 0
        super().__init__(spec, device, known)
        self.spec = spec
        self.user = user
        self.wants_intrinsics = _takes_intrinsics(user)
        self.window = _window(user, self.name)
        self.intrinsics: NDArray[np.float64] | None = None
        self._grids: dict[tuple[int, int], tuple[int, int]] = {}

    def for_sequence(self, name: str) -> DepthModel:
        other = self.user.for_sequence(name) if hasattr(self.user, "for_sequence") else self.user
        return self if other is self.user else self._like(other)

    def with_camera(self, intrinsics: NDArray[np.float64]) -> DepthModel:
        if not self.wants_intrinsics:
            return self
        other = self._like(self.user)
        other.intrinsics = intrinsics
        return other

    def _like(self, user: Any) -> UserModel:
        other = type(self)(self.spec, self.device, user)
        other.own_code, other.environment = self.own_code, self.environment
        return other

    def grid(self, height: int, width: int) -> tuple[int, int]:
        if hasattr(self.user, "grid"):
            v, u = self.user.grid(height, width)
            return int(v), int(u)
        if (height, width) not in self._grids:
            frames = 1 if self.window is None else self.window.frames
            self.start_sequence()
            shape = self.predict(np.zeros((frames, height, width, 3), np.uint8)).shape
            self.start_sequence()
            self._grids[height, width] = (shape[1], shape[2])
        return self._grids[height, width]

    def start_sequence(self) -> None:
        if self.window is not None and hasattr(self.user, "reset"):
            self.user.reset()

    def preprocess(self, frames: np.ndarray) -> np.ndarray:
        return frames

    def forward(self, batch: np.ndarray, size: tuple[int, int]) -> Any:
        if not self.wants_intrinsics:
            return self.user.predict(batch)
        if self.intrinsics is None:
            raise ScopeDepthError(f"Model {self.name}: predict takes intrinsics, and no camera is known.")
        return self.user.predict(batch, intrinsics=self.intrinsics.copy())

    def to_host(self, out: Any) -> np.ndarray:
        values = as_float32(out)
        if values.ndim != 3:
            raise ScopeDepthError(f"Model {self.name}: predict returned {values.shape}, not (n, v, u).")
        return values

    # Both only if the user's code has brought torch in; importing it for a NumPy model costs seconds.

    def use_threads(self, threads: int) -> None:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)

    def prepare(self, threads: int | None) -> None:
        if "torch" in sys.modules:
            from scopedepth.models.torch_model import run_deterministically

            run_deterministically(compiled=True)
        super().prepare(threads)


class RemoteModel(UserModel):
    """Wraps what stands in for an object of the user's class in another Python."""

    user: elsewhere.Remote

    def __init__(self, spec: specs.Model, device: str, user: elsewhere.Remote) -> None:
        super().__init__(spec, device, user)
        self.own_process = user.elsewhere.process.pid

    def use_threads(self, threads: int) -> None:
        self.user.elsewhere.ask("prepare", repeatable=False, threads=threads)

    def prepare(self, threads: int | None) -> None:
        self.user.elsewhere.ask("prepare", repeatable=True, threads=threads)


def _takes_intrinsics(user: Any) -> bool:
    """Say whether a user's predict has a parameter `intrinsics`."""
    try:
        return "intrinsics" in inspect.signature(user.predict).parameters
    except (TypeError, ValueError):  # compiled code may not say what it takes
        return False


def _window(user: Any, name: str) -> Window | None:
    """Return the window that a user's class asks for; None where it states none."""
    said = getattr(user, "window", None)
    try:
        window = None if said is None else Window.of(said)
    except ValueError as error:
        raise ScopeDepthError(f"Model {name}: its class is not understood: {error}.") from None
    if window is not None and window.memory and not callable(getattr(user, "reset", None)):
        raise ScopeDepthError(
            f"Model {name}: its class asks for windows and has no method reset(), which is called where a sequence "
            'begins. Write one, or "memory": False into window where nothing is remembered from window to window.'
        )
    return window


def load(spec: specs.Model, weights: Path, device: str) -> DepthModel:
    """Import the user's class and make the object, here or in the other Python that the options name.

    Errors of the user's code keep their tracebacks here; of the other Python's the end is told in one line.
    """
    options = read_options(spec, Options)
    name = spec["name"]
    own: Path | None = None
    if (options.code or "").partition(":")[0].endswith(".py"):
        own = weights if options.folder is None else Path(options.folder).expanduser()
    told = {
        "name": name,
        "code": options.code,
        "folder": None if own is None else str(own),
        "packages": options.packages,
        "weights": str(weights) if weights.is_dir() else None,
        "fetched": own is not weights and _is_fetched(weights),
        "device": device,
        "options": options.options,
        "pip": "pip install",
    }
    model = _here(spec, told) if options.python is None else _elsewhere(spec, told, options.python)
    if own is not None and own is not weights:
        model.own_code = digest_tree(own)
    return model


def _here(spec: specs.Model, told: dict[str, Any]) -> UserModel:
    device = told["device"]
    if device == "auto" and not gpu_at_hand():
        device = "cpu"
    if device != "cpu":
        # Seconds for a class that is NumPy alone, but no other library knows of all of torch's devices.
        from scopedepth.models.torch_model import resolve_device

        device = resolve_device(device, spec["name"])
    try:
        return UserModel(spec, device, user_class.make({**told, "device": device}, [ROOT.parent]))
    except user_class.Refused as error:
        raise ScopeDepthError(str(error)) from error


def _elsewhere(spec: specs.Model, told: dict[str, Any], python: str) -> UserModel:
    interpreter = interpreter_at(python)
    if interpreter is None:
        raise ScopeDepthError(
            f"Model {spec['name']}: there is no Python at {python} (options.python). Make its environment, or correct "
            "the path."
        )
    environment = installed_in(interpreter)
    user, device = elsewhere.make(interpreter, told)
    model = RemoteModel(spec, device, user)
    model.environment = environment
    return model


def _is_fetched(weights: Path) -> bool:
    """Say whether weights were downloaded; those on the user's disk are links, and their manifest says what is read."""
    manifest = manifest_of(weights)
    return manifest.is_file() and "reads" not in read_manifest(manifest)
