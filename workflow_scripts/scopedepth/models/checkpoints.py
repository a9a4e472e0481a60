"""Reading tensors from files that others wrote: nothing in them is run, and what does not fit is said clearly."""

from __future__ import annotations

import fnmatch
import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from scopedepth.errors import ScopeDepthError


def read_checkpoint(path: Path, name: str) -> dict[str, Any]:
    """Return the content of a checkpoint: safetensors, or torch's format with nothing but plain data in it.

    Raises `ScopeDepthError` for a missing or damaged file, and for a pickle that would run code.
    """
    if not path.is_file():
        raise ScopeDepthError(
            f"Model {name}: there is no file {path}. Fetch the weights, or name another one."
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ScopeDepthError(
            f"Model {name}: {path} is refused: it is damaged, or holds more than tensors and would run code "
            "when opened. Save its state_dict alone, or as safetensors."
        ) from error
    except Exception as error:  # the readers of either format fail in many ways on bytes that are none of it
        raise ScopeDepthError(
            f"Model {name}: {path} is damaged ({_first_line(error)}). Fetch it again."
        ) from error
    if not isinstance(content, Mapping):
        raise ScopeDepthError(f"Model {name}: {path} holds a {type(content).__name__}, not named tensors.")
    return dict(content)


def load_strictly(
    network: torch.nn.Module, tensors: Mapping[str, Any], name: str, path: Path, ignored: Iterable[str] = ()
) -> None:
    """Load `tensors` into `network`: every name must be there with its shape, and no other but the `ignored`.

    `ignored`: names, or beginnings of names that end in a dot.
    """
    drop = tuple(ignored)
    given = {key: value for key, value in tensors.items() if not _is_ignored(key, drop)}
    wanted = network.state_dict()
    # Older checkpoints lack this counter, which inference does not use.
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    unknown = [key for key in given if key not in wanted]
    odd = [
        key
        for key, value in wanted.items()
        if key in given and getattr(given[key], "shape", None) != value.shape
    ]
    for keys, what in ((missing, "lacks"), (unknown, "has the unknown"), (odd, "has another shape of")):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise ScopeDepthError(
                f"Model {name}: {path} is another model's: it {what} {keys[0]}{more}. Check family and checkpoint."
            )
    network.load_state_dict(given, strict=False)


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
        for found in sorted(weights.glob(str(Path(wild, file)))):
            relative = found.relative_to(weights)
            return (relative.parent if file else relative).as_posix()
    shown = " or ".join(str(Path(place, file)) for place in wanted)
    raise ScopeDepthError(f"Model {name}: {weights} holds nothing like {shown}. Correct options.checkpoint.")
