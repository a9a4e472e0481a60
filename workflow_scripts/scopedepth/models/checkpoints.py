"""Reading tensors from files that others wrote: nothing in them is run, and what does not fit is said clearly."""

from __future__ import annotations

import argparse
import fnmatch
import pathlib
import pickle
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scopedepth.errors import ScopeDepthError

# Plain data that training scripts keep beside tensors: options, paths, NumPy's numbers. Making one runs no code of
# the file's choice.
PLAIN: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.ndarray,
    *{type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "?"},
]
# What NumPy calls to make a number and an array, under the names of its versions 1 and 2.
for _made in (np.float64(0), np.empty(0)):
    _maker: Any = _made.__reduce__()[0]
    PLAIN += [(_maker, f"{module}.multiarray.{_maker.__name__}") for module in ("numpy.core", "numpy._core")]
# Always a path that this system can make, whichever the file was written on.
PLAIN += [
    (pathlib.PurePosixPath, f"{module}.{name}")
    for module in ("pathlib", "pathlib._local")
    for name in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
]
# Under which training scripts keep a network's tensors.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "params", "weights")


def read_checkpoint(path: Path, name: str) -> dict[str, Any]:
    """Return the content of a checkpoint: safetensors, or torch's format with nothing but plain data in it.

    A mapping that holds the tensors under another key is opened, and said. Raises `ScopeDepthError` for a missing or
    damaged file, and for a pickle that would run code.
    """
    if not path.is_file():
        raise ScopeDepthError(
            f"Model {name}: there is no file {path}. Fetch the weights, or name another one."
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with torch.serialization.safe_globals(PLAIN):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ScopeDepthError(
            f"Model {name}: {path} is refused: it is damaged, or holds {_what_would_run(path)} and would run code when "
            f"opened. If you trust it: {_converting(path, 'state_dict')}"
        ) from error
    except Exception as error:  # the readers of either format fail in many ways on bytes that are none of it
        raise ScopeDepthError(
            f"Model {name}: {path} is damaged ({_first_line(error)}). Fetch it again."
        ) from error
    if not isinstance(content, Mapping):
        raise ScopeDepthError(
            f"Model {name}: {path} holds a {type(content).__name__}, not named tensors. If it is a whole network: "
            f"{_converting(path)}"
        )
    return _unwrapped(content, name, path)


def _unwrapped(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Return the mapping that holds the tensors: `content`, or the one mapping of tensors in it, or in one of those."""
    if _holds_tensors(content):
        return dict(content)
    mappings = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    inner = {key: value for key, value in mappings.items() if _holds_tensors(value)} or {
        key: value for key, value in mappings.items() if any(map(_holds_tensors, value.values()))
    }
    usual = [key for key in WRAPPERS if key in inner] or list(inner)
    if not usual:
        raise ScopeDepthError(f"Model {name}: {path} holds no named tensors, only {listed(content)}.")
    if len(usual) > 1:
        raise ScopeDepthError(
            f"Model {name}: {path} holds tensors under {listed(usual)}. Save those of the depth network alone: "
            f"{_converting(path, usual[0])}"
        )
    if usual[0] != "state_dict":
        _say(f"Model {name}: {path.name}: took the tensors under {usual[0]!r}, of {listed(content)}")
    return _unwrapped(inner[usual[0]], name, path)


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(one, torch.Tensor) for one in value.values())


def under_prefix(tensors: Mapping[str, Any], markers: Sequence[str], name: str, path: Path) -> dict[str, Any]:
    """Return `tensors` with what stands before the network's own names taken off, as in module.encoder.conv1.weight.

    `markers`: names that the network has for certain; the prefix is what stands before all of them. What lies outside
    of it belongs to other networks and is left. Said on stderr. Tensors without a prefix come back as they are, and so
    do those without the markers, which `load_strictly` refuses. Two networks under two prefixes are a
    `ScopeDepthError`.
    """
    if all(marker in tensors for marker in markers):
        return dict(tensors)
    prefixes = [key.removesuffix(markers[0]) for key in tensors if key.endswith(f".{markers[0]}")]
    fitting = [prefix for prefix in prefixes if all(prefix + marker in tensors for marker in markers)]
    if not fitting:
        return dict(tensors)
    if len(fitting) > 1:
        raise ScopeDepthError(
            f"Model {name}: {path} holds several networks that fit, under {listed(fitting)}. Save the one that is "
            f"meant: {_converting(path, 'state_dict', fitting[0])}"
        )
    prefix = fitting[0]
    kept = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    left = [key for key in tensors if not key.startswith(prefix)]
    also = f"; left {listed(left)}" if left else ""
    _say(f"Model {name}: {path.name}: took the {len(kept)} tensors named {prefix}*{also}")
    return kept


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def listed(keys: Iterable[Any], most: int = 4) -> str:
    """Return the first of `keys` as words, and how many more there are."""
    names = [str(key)[:60] for key in keys]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nothing"


def _what_would_run(path: Path) -> str:
    """Return the names that a pickle would call or make, without opening it."""
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # torch reads only its own newer format here
        return "more than tensors"
    return listed(sorted(found)) if found else "more than tensors"


def _converting(path: Path, key: str | None = None, prefix: str = "") -> str:
    """Return the line of Python that writes plain tensors from a file that is trusted."""
    taken = "t.state_dict()"
    if key is not None:
        taken = "t.get('state_dict', t)" if key == "state_dict" else f"t[{key!r}]"
    if prefix:
        taken = f"{{k[{len(prefix)}:]: v for k, v in {taken}.items() if k.startswith({prefix!r})}}"
    return f"t = torch.load({path.name!r}, 'cpu', weights_only=False); torch.save({taken}, {path.name!r})"


def load_strictly(
    network: torch.nn.Module, tensors: Mapping[str, Any], name: str, path: Path, ignored: Iterable[str] = ()
) -> None:
    """Load `tensors` into `network`: every name must be there with its shape, and no other tensor but the `ignored`.

    `ignored`: names, or beginnings of names that end in a dot. What is no tensor (a number, an option, the state of
    an optimiser) cannot belong to a network and is left, which is said.
    """
    drop = tuple(ignored)
    given = {key: value for key, value in tensors.items() if not _is_ignored(key, drop)}
    others = [key for key, value in given.items() if not isinstance(value, torch.Tensor)]
    wanted = network.state_dict()
    left = [key for key in others if key not in wanted]
    if left:
        _say(f"Model {name}: {path.name}: left {listed(left)}, which are no tensors")
    given = {key: value for key, value in given.items() if key not in left}
    # Older checkpoints lack this counter, which inference does not use.
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    unknown = [key for key in given if key not in wanted]
    odd = [key for key, value in wanted.items() if key in given and not _fits(given[key], value)]
    for keys, what in (
        (missing, "lacks"),
        (unknown, "has the unknown"),
        (odd, "has another shape or kind of number of"),
    ):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise ScopeDepthError(
                f"Model {name}: {path} is another model's: it {what} {keys[0]}{more}; it holds {listed(tensors, 3)}. "
                "Check family and checkpoint."
            )
    network.load_state_dict(given, strict=False)


def _fits(given: Any, wanted: torch.Tensor) -> bool:
    """Whether a tensor may stand for another one: of its shape, and no integers or complex numbers for fractions."""
    if getattr(given, "shape", None) != wanted.shape:
        return False
    return given.is_floating_point() or not wanted.is_floating_point()


def _is_ignored(key: str, ignored: tuple[str, ...]) -> bool:
    return any(key == entry or (entry.endswith(".") and key.startswith(entry)) for entry in ignored)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__


def place_for_sequence(places: str | Mapping[str, str], sequence: str, name: str) -> str:
    """Return where a sequence's checkpoint lies.

    `places`: a place, or {pattern of sequences' names: place}, of which the first that fits is taken. In a place,
    {sequence} stands for the sequence's name and {number} for the last number in it ("rectified06": 6).
    """
    if isinstance(places, str):
        place = places
    else:
        fitting = [place for pattern, place in places.items() if fnmatch.fnmatchcase(sequence, pattern)]
        if not fitting:
            raise ScopeDepthError(
                f"Model {name}: no checkpoint for sequence {sequence!r}; options.checkpoint has {', '.join(places)}."
            )
        place = fitting[0]
    numbers = re.findall(r"\d+", sequence)
    if "{number}" in place and not numbers:
        raise ScopeDepthError(
            f"Model {name}: the checkpoint {place!r} wants a number, and sequence {sequence!r} has none in its name. "
            "Give options.checkpoint by patterns of names."
        )
    return place.replace("{sequence}", sequence).replace("{number}", str(int(numbers[-1])) if numbers else "")


def first_place(weights: Path, places: str | Mapping[str, str], file: str, name: str) -> str:
    """Return the first place below `weights` that fits `places` and, with `file` behind it, exists.

    All checkpoints of a model are of one architecture, so any serves until the sequence is known.
    """
    wanted = [places] if isinstance(places, str) else list(places.values())
    for place in wanted:
        wild = place.replace("{sequence}", "*").replace("{number}", "*")
        pattern = str(Path(wild, file))
        # The folder itself is no file that could be meant.
        for found in sorted(weights.glob(pattern)) if pattern != "." else []:
            relative = found.relative_to(weights)
            return (relative.parent if file else relative).as_posix()
    shown = " or ".join(str(Path(place, file)) for place in wanted)
    raise ScopeDepthError(f"Model {name}: {weights} holds nothing like {shown}. Correct options.checkpoint.")
