"""A class of your own, by `options: {code: "file.py:Class"}`; the file lies in the weights' folder.

The folder is part of a prediction's identity like any weights, so an edit of the file is noticed. The class:

    class MyModel:
        def __init__(self, weights: pathlib.Path, device: str, options: dict) -> None: ...
        def predict(self, frames):            # uint8 NumPy (n, h, w, 3) -> (n, v, u), NumPy or torch
            ...
        # optional
        def grid(self, height, width): ...    # -> (v, u); without it, one frame is predicted to find out
        def for_sequence(self, name): ...     # -> an object like this one, with other weights
        parameters: int

Nothing else is asked of it. `device` is where to compute, `cpu` or `cuda:N`: `auto` is settled before the class is
made. Options are `options.options`.
"""

from __future__ import annotations

import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options
from scopedepth.job.identity import ROOT
from scopedepth.models.base import DepthModel

if TYPE_CHECKING:
    from scopedepth.config.options import File


@dataclass(frozen=True)
class Options:
    """The user's file and class in it, and what is handed to that."""

    code: File | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        file, _, name = (self.code or "").partition(":")
        if not file.endswith(".py") or not name.isidentifier():
            raise ValueError(f'code must be "file.py:Class", not {self.code!r:.60}')

    @staticmethod
    def check_model(weights: str, output: str) -> None:
        """Refuse code that nobody has looked at."""
        if weights != "path":
            raise ValueError(
                "code that was downloaded is not run; look at it, and give its folder as weights: {kind: path}"
            )


class UserModel(DepthModel):
    """Wraps an object of the user's class."""

    def __init__(self, spec: Mapping[str, Any], device: str, user: Any) -> None:
        parameters = getattr(user, "parameters", None)
        known = parameters if isinstance(parameters, int) else spec.get("parameters") or 0
        super().__init__(spec, device, known)
        self.spec = spec
        self.user = user
        self._grids: dict[tuple[int, int], tuple[int, int]] = {}

    def for_sequence(self, name: str) -> DepthModel:
        other = self.user.for_sequence(name) if hasattr(self.user, "for_sequence") else self.user
        return self if other is self.user else UserModel(self.spec, self.device, other)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        if hasattr(self.user, "grid"):
            v, u = self.user.grid(height, width)
            return int(v), int(u)
        if (height, width) not in self._grids:
            shape = self.predict(np.zeros((1, height, width, 3), np.uint8)).shape
            self._grids[height, width] = (shape[1], shape[2])
        return self._grids[height, width]

    def preprocess(self, frames: np.ndarray) -> np.ndarray:
        return frames

    def forward(self, batch: np.ndarray, size: tuple[int, int]) -> Any:
        return self.user.predict(batch)

    def to_host(self, out: Any) -> np.ndarray:
        host = out.detach().float().cpu().numpy() if hasattr(out, "detach") else out
        values = np.asarray(host, dtype=np.float32)
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

            run_deterministically()
        super().prepare(threads)


def load(spec: Mapping[str, Any], weights: Path, device: str) -> DepthModel:
    """Import the user's file and make the object. Errors of the user's code keep their tracebacks."""
    options = read_options(spec, Options)
    name = spec["name"]
    file, _, class_name = (options.code or "").partition(":")
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise ScopeDepthError(
            f"Model {name}: options.code names {file}, which lies outside its weights' folder, so that a change of "
            "it would not be noticed. Give the folder as weights.path, and the file's name in it here."
        )
    path = weights / file
    if not path.is_file():
        raise ScopeDepthError(
            f"Model {name}: there is no {file} in {weights}. Give its folder: weights: {{kind: path, path: FOLDER}}."
        )
    found = importlib.util.spec_from_file_location(f"scopedepth_user_{name}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    with watched_imports(name, weights):
        # So that the file can import its neighbours: those that lie in the folder that is watched.
        sys.path.insert(0, str(path.parent.absolute()))
        found.loader.exec_module(module)
    if not hasattr(module, class_name):
        raise ScopeDepthError(f"Model {name}: {path} has no class {class_name}.")
    if device != "cpu":
        # Seconds for a class that is NumPy alone, but no other library knows of all of torch's devices.
        from scopedepth.models.torch_model import resolve_device

        device = resolve_device(device, name)
    with watched_imports(name, weights):
        user = getattr(module, class_name)(weights, device, dict(options.options))
    if not callable(getattr(user, "predict", None)):
        raise ScopeDepthError(f"Model {name}: {class_name} in {path} has no method predict(frames).")
    return UserModel(spec, device, user)


@contextmanager
def watched_imports(name: str, weights: Path) -> Iterator[None]:
    """Import a user's code without writing bytecode beside it, and only what a result's identity can know.

    That is what lies in the weights' folder, which is watched, and what is installed. A module from elsewhere (a folder
    of PYTHONPATH, a checkout that is worked on) is a `ScopeDepthError`: its changes would go unseen.
    """
    before, writes = set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
    places = [*map(Path, sysconfig.get_paths().values()), Path(site.getusersitepackages())]
    known = [weights.absolute(), ROOT.parent, *places]
    known += [place.resolve() for place in (*known, *weights.iterdir())]
    for module in sorted(set(sys.modules) - before):
        # A package answers for what is in it: some of torch's modules name no real file.
        top = sys.modules.get(module.partition(".")[0])
        file = getattr(top, "__file__", None) or getattr(sys.modules[module], "__file__", None)
        if file and not any(Path(file).absolute().is_relative_to(place) for place in known):
            raise ScopeDepthError(
                f"Model {name}: its code imports {module} from {file}, which is neither in its weights' folder nor "
                "installed, so that a change of it would not be noticed. Put it into the folder, or install it."
            )
