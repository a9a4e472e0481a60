"""The settings that a measurement goes through: precision, network input, frame size, batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

Size = tuple[int, int]


@dataclass(frozen=True)
class Setting:
    """One setting. `input_size` is None for the size that the model takes by itself."""

    precision: str
    input_size: Size | None
    frame_size: Size
    batch: int

    @property
    def load(self) -> tuple[str, Size | None]:
        """What asks for loading the model anew."""
        return self.precision, self.input_size


def settings_of(spec: specs.Model, settings: specs.Timing) -> Iterator[Setting]:
    """Yield what to time of the model `spec`, in an order that loads each variant once.

    Baselines have one precision. A model's own input size comes first; `input_sizes` are for families whose
    input can be chosen, and make no difference to the others.
    """
    own = spec["precision"]
    precisions = [own] if spec["family"] == "baseline" else settings["precisions"] or [own]
    sizes = [None, *(tuple(size) for size in settings.get("input_sizes") or [] if takes_any_size(spec))]
    for precision in precisions:
        for input_size in sizes:
            for frame_size in settings["frame_sizes"]:
                for batch in settings["batches"]:
                    yield Setting(precision, input_size, tuple(frame_size), batch)  # type: ignore[arg-type] # pairs


def takes_any_size(spec: specs.Model) -> bool:
    """Whether the family lets its network's input size be chosen."""
    return spec["family"] in ("transformers", "onnx", "sc_sfmlearner")


def variant(spec: specs.Model, setting: Setting) -> Any:
    """Return the model's spec in the precision and with the input size of `setting`.

    A processor that keeps the frame's proportions or rounds to a multiple makes its own size of the one asked for.
    """
    changed = {**spec, "precision": setting.precision}
    if setting.input_size is None:
        return changed
    height, width = setting.input_size
    options = dict(spec["options"])
    if spec["family"] == "transformers":
        options["processor"] = {**options.get("processor", {}), "size": {"height": height, "width": width}}
    else:
        options |= {"height": height, "width": width}
    return {**changed, "options": options}
