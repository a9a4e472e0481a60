"""What the models of a study have seen in training of what they are tested on, as columns of its tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from scopedepth.errors import ScopeDepthError
from scopedepth.lineage.levels import closest, seen, seen_frames
from scopedepth.vocabulary.lineage import FRAMES

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

Row = dict[str, Any]
COLUMN = "seen_in_training"


class Seen:
    """The levels of one dataset: by model, and by model and sequence."""

    def __init__(self, study: specs.Study, dataset: str, sequences: Iterable[str]) -> None:
        """Look them up; a study that may not rank models on frames they have seen, and would, is an error."""
        self._by_sequence = {
            (model, sequence): seen(study["lineage"], model, dataset, sequence)
            for model in study["models"]
            for sequence in sequences
        }
        self.by_model = {
            model: closest(level for (of, _), level in self._by_sequence.items() if of == model)
            for model in study["models"]
        }
        for (model, sequence), level in self._by_sequence.items():
            if level == FRAMES and not study["allow_seen"]:
                raise ScopeDepthError(seen_frames(f"studies.{study['name']}", model, dataset, sequence))

    def of(self, model: str, sequence: str | None = None) -> str:
        """Return the closest level seen of a sequence, or of any."""
        return self.by_model[model] if sequence is None else self._by_sequence[model, sequence]

    def add_to(self, row: Row) -> None:
        """Write the level into a row of a table: of its model, or of each of the two that it compares."""
        for name in ("model", "model_a", "model_b"):
            if name in row:
                row[COLUMN + name.removeprefix("model")] = self.of(row[name], row.get("sequence"))
