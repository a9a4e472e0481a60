"""The scores of one dataset under one protocol, every model on the same frames, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scopedepth.errors import ScopeDepthError
from scopedepth.statistics.drift import SCALE_DRIFT, drift_series
from scopedepth.tables.frames import SCORES
from scopedepth.tables.io import read_table

# A frame with one of these has no measured depth to compare with, so long as no model has a number.
DATA_STATUSES = ("unreadable_frame", "no_depth", "outside_range", "no_valid_pixels", "too_few_pixels")
NOT_APPLICABLE = "not_applicable"

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Panel:
    """All models on the frames of one dataset under one protocol.

    `frames` and every array's last axis run over the frames sorted by sequence name and frame index;
    sequence `s` is ``slice(starts[s], starts[s + 1])``.
    """

    dataset: str
    protocol: str
    models: tuple[str, ...]
    sequences: tuple[str, ...]
    starts: np.ndarray
    frames: np.ndarray  # (frame,) index in its sequence
    statuses: tuple[str, ...]
    status: np.ndarray  # (model, frame) index into `statuses`
    values: Mapping[str, np.ndarray]  # metric -> (model, frame) float64, NaN where there is no number

    @property
    def n_frames(self) -> int:
        return int(self.starts[-1])

    def is_status(self, names: Iterable[str]) -> np.ndarray:
        """Return where (model, frame) the status is one of `names`."""
        codes = [index for index, name in enumerate(self.statuses) if name in set(names)]
        return np.isin(self.status, codes)

    def has(self, metric: str, permitted: np.ndarray) -> np.ndarray:
        """Return where (model, frame) there is a number of `metric`, among the models where `permitted`."""
        return ~np.isnan(self.values[metric]) & permitted[:, None]

    def due(self, metric: str, permitted: np.ndarray) -> np.ndarray:
        """Return where (model, frame) a number of `metric` is due, among the models where `permitted`.

        A frame on which some model has a number is due from all of them. One on which none has is due from
        nobody where the data are to blame: no measured depth, or depth that does not permit the metric (a
        status of ok, and still no number: no edges, no boundary metric). Otherwise the model failed on it.
        """
        has = self.has(metric, permitted)
        by_data = (self.is_status(["ok"]) & ~has & permitted[:, None]).any(axis=0)
        blameless = self.is_status([*DATA_STATUSES, NOT_APPLICABLE]) | by_data
        due: np.ndarray = (~blameless | has.any(axis=0)) & permitted[:, None]
        return due


def group_paths(paths: Sequence[Path], schema: pa.Schema = SCORES) -> dict[Key, list[Path]]:
    """Return the score tables, or others of `schema`, by (dataset, model, protocol), from the keys inside them."""
    groups: dict[Key, list[Path]] = {}
    for path in paths:
        table = read_table(path, ["dataset", "model", "protocol"], schema)
        keys = [_only(table, name, path) for name in ("dataset", "model", "protocol")]
        groups.setdefault((keys[0], keys[1], keys[2]), []).append(path)
    return {key: sorted(groups[key]) for key in sorted(groups)}


def _only(table: pa.Table, name: str, path: Path) -> str:
    values = pc.unique(table[name]).to_pylist()
    values = [value for value in values if value is not None]
    if len(values) != 1:
        raise ScopeDepthError(
            f"The table {path} holds {len(values)} values of '{name}', not one. Delete it and run again."
        )
    return str(values[0])


def read_sorted(paths: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    """Return the tables of one dataset, model and protocol as one, sorted by sequence and frame."""
    parts = [read_table(path, ["sequence", "frame", *columns], SCORES) for path in paths]
    table = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    order = np.lexsort((table["frame"].to_numpy(), sequence_names(table)))
    return table.take(pa.array(order))


def sequence_names(table: pa.Table) -> np.ndarray:
    """Return the column `sequence` as an array of strings, (frame,)."""
    return np.asarray(table["sequence"].cast(pa.string()).to_pylist(), dtype=str)


def read_panel(
    dataset: str,
    protocol: str,
    models: Sequence[str],
    groups: Mapping[Key, list[Path]],
    metrics: Sequence[str],
) -> Panel:
    """Return the panel of `dataset` under `protocol`. Missing or unlike tables are a `ScopeDepthError`."""
    statuses: dict[str, int] = {}
    status: np.ndarray | None = None
    values: dict[str, np.ndarray] = {}
    names = frames = np.empty(0)
    for row, model in enumerate(models):
        paths = groups.get((dataset, model, protocol))
        if not paths:
            raise ScopeDepthError(
                f"There are no scores of {model} on {dataset} under {protocol}. Run the workflow again."
            )
        table = read_sorted(paths, ["status", *metrics])
        indices = table["frame"].to_numpy()
        if status is None:
            names, frames = sequence_names(table), indices
            status = np.empty((len(models), len(frames)), np.int32)
            values = {metric: np.empty((len(models), len(frames))) for metric in metrics}
        elif not (
            np.array_equal(names, sequence_names(table)) and np.array_equal(frames, table["frame"].to_numpy())
        ):
            raise ScopeDepthError(
                f"The scores of {model} on {dataset} under {protocol} do not have the frames of {models[0]}: "
                f"{table.num_rows} against {len(frames)} rows. Run the workflow again."
            )
        status[row] = _codes(table["status"], statuses)
        for metric in metrics:
            values[metric][row] = table[metric].to_numpy()
    assert status is not None
    sequences, counts = np.unique(names, return_counts=True)
    return Panel(
        dataset=dataset,
        protocol=protocol,
        models=tuple(models),
        sequences=tuple(str(name) for name in sequences),
        starts=np.concatenate([[0], np.cumsum(counts)]),
        frames=frames,
        statuses=tuple(statuses),
        status=status,
        values=values,
    )


def _codes(column: pa.ChunkedArray, known: dict[str, int]) -> np.ndarray:
    """Return the column's strings as indices into `known`, which grows by those that are new."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    new = [known.setdefault(str(name), len(known)) for name in encoded.dictionary.to_pylist()]
    return np.asarray(new, np.int32)[encoded.indices.to_numpy()]


def with_drift(panel: Panel, logs: np.ndarray) -> Panel:
    """Return `panel` with the scale drift that `logs` (model, frame) have, see `drift.log_scales`."""
    drift = np.stack([drift_series(of_model, panel.starts) for of_model in logs])
    return replace(panel, values={**panel.values, SCALE_DRIFT.name: drift})
