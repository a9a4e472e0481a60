"""What notebooks and training loops import: the score of two arrays, and a finished study's tables and frames.

import scopedepth

scored = scopedepth.score(prediction, depth, protocol="endodac", kind="disparity")
study = scopedepth.open("results", "demo")
study.summary
study.frame("phantom", "colon", 12).plot()
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.config.base import plain_spec
from scopedepth.config.files import DEFAULT, default_files, read_all
from scopedepth.config.load import check
from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.maps import Places, Scored, ScoredFrames
from scopedepth.evaluation.single import evaluate_frame
from scopedepth.job.run import read_record
from scopedepth.job.shipped import runs_by, shipped
from scopedepth.stores.prediction import PredictionStore
from scopedepth.study.layout import RESULTS, Job, tables_of
from scopedepth.vocabulary.units import dataset_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Score:
    """One frame's metrics by name (None: could not be computed), the fit behind them, and the status.

    scale, offset: in the alignment's space, NaN where nothing was fitted. n_pixels: those that took part. status: ok,
    or why there is no number (`scopedepth.vocabulary.status`).
    """

    metrics: dict[str, float | None]
    scale: float
    offset: float
    n_pixels: int
    status: str


def score(
    prediction: NDArray[np.floating],
    depth: NDArray[np.floating],
    protocol: str | Mapping[str, Any] = "median_depth",
    *,
    kind: str = "disparity",
    unit: str | None = None,
    depth_unit: str = "mm",
    flags: NDArray[np.uint8] | None = None,
    rgb: NDArray[np.uint8] | None = None,
    dataset: str = "",
    config: str | Path | None = None,
) -> Score:
    """Score one prediction as the workflow does, without a study.

    prediction: (v, u), of any grid over the same field of view, an output of `kind` (`scopedepth.vocabulary.outputs`)
    and, of a metric one, `unit` (mm, cm, m). depth: (h, w), NaN where missing, in mm, or on no known scale with
    depth_unit="relative". Both are compared in the precision of `depth`; a study compares float32. flags: uint8 (h, w),
    the bits of `scopedepth.vocabulary.flags`; rgb: uint8 (h, w, 3); both for protocols that look at them. protocol: the
    name of one in the configuration `config`, or its fields. dataset: its name, where the protocol has a range of its
    own for it. A scope of more than a frame has this one frame.

    Unknown names and kinds are a `ScopeDepthError`.
    """
    spec = _protocols(config)[protocol] if isinstance(protocol, str) else _checked(protocol)
    prediction, depth = np.asarray(prediction), np.asarray(depth)
    for name, array in (("prediction", prediction), ("depth", depth)):
        if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating) or not array.size:
            raise ScopeDepthError(
                f"{name} is {array.dtype} of the shape {array.shape}. Give floating-point numbers (height, width)."
            )
    metrics, fit, status = evaluate_frame(
        spec,
        prediction,
        depth,
        output_kind=kind,
        output_unit=unit,
        units=depth_unit,
        flags=flags,
        rgb=rgb,
        dataset=dataset,
    )
    return Score(metrics, fit.scale, fit.shift, fit.n_pixels, status)


class _Named(dict[str, Any]):
    """Specs by name; a name that is not there is a `ScopeDepthError` that lists those that are."""

    def __missing__(self, name: str) -> Any:
        raise ScopeDepthError(f"There is no {name!r}. There are: {', '.join(sorted(self))}.")


def _protocols(config: str | Path | None) -> _Named:
    """Return the protocols of a configuration; None: of this folder's, else of the one that comes with the workflow."""
    files = [Path(config)] if config is not None else default_files()
    if not files[0].is_file() and config is None:
        files = [path for path in [shipped(DEFAULT.name)] if path is not None] or files
    for file in files:
        if not file.is_file():
            raise ScopeDepthError(
                f"{file}: there is no such configuration. Give config=, or a protocol's fields."
            )
    return _read_protocols(
        tuple(file.resolve() for file in files), tuple(file.stat().st_mtime_ns for file in files)
    )


@cache
def _read_protocols(files: tuple[Path, ...], _modified: tuple[int, ...]) -> _Named:
    checked = check(read_all(files))
    return _Named({name: plain_spec(name, spec) for name, spec in checked.protocols.items()})


def _checked(fields: Mapping[str, Any]) -> Any:
    from pydantic import ValidationError

    from scopedepth.config.protocols import ProtocolSpec

    given = {"title": "given", **{key: value for key, value in fields.items() if key != "name"}}
    try:
        return plain_spec("given", ProtocolSpec.model_validate(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ScopeDepthError(f"protocol: {where}: {first['msg']}.") from None


def open(results: str | Path = RESULTS, study: str = "demo") -> Study:
    """Open a finished study of a results folder. One that is not there is a `ScopeDepthError`."""
    return Study(Path(results), study)


class Study:
    """A finished study: its tables, each an attribute (`summary`, `frames`, `ranks`, ...), and its frames."""

    def __init__(self, results: Path, name: str) -> None:
        self.results, self.name = results, name
        record = Job("summarise", (name,)).path("record", results)
        try:
            said = json.loads(read_record(record)["made_from"])["spec"]
        except (KeyError, TypeError, ValueError, RecursionError):
            raise ScopeDepthError(
                f"{record.parent} holds no finished study. Run: {runs_by()} --config study={name}"
            ) from None
        self.datasets, self.models, self.protocols = (
            _Named(said[kind]) for kind in ("datasets", "models", "protocols")
        )
        self._tables = {table: results / path.relative_to(RESULTS) for table, path in tables_of(name).items()}
        self._scored: dict[str, ScoredFrames] = {}

    def table(self, name: str) -> pd.DataFrame:
        """Return one of the study's tables."""
        import pandas as pd

        if name not in self._tables:
            raise ScopeDepthError(f"There is no table {name!r}. There are: {', '.join(self._tables)}.")
        return pd.read_parquet(self._tables[name])

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name.startswith("_") or name not in self._tables:
            raise AttributeError(f"{name} is no table of a study. There are: {', '.join(self._tables)}.")
        return self.table(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._tables]

    def frame(self, dataset: str, sequence: str, index: int) -> Frame:
        """Return the frame at a place of a sequence, counted from 0. What is not there is a `ScopeDepthError`."""
        self.datasets[dataset]
        frames = self._frames(next(iter(self.protocols)))
        found = frames.place(dataset, sequence, index)
        if found is None:
            if not any(dataset_of(unit) == dataset for unit in frames.places.stores):
                store = Job("prepare", (dataset,)).path("store", self.results)
                raise ScopeDepthError(
                    f"{store} is not there, or lacks a model's predictions: a crate has tables without frames. "
                    f"Run: {runs_by()} --config study={self.name}"
                )
            known = {name for unit in frames.places.stores if dataset_of(unit) == dataset
                     for name in frames.dataset(unit).sequences}  # fmt: skip
            raise ScopeDepthError(
                f"{dataset} has no frame {index} of a sequence {sequence!r}. Its sequences: {', '.join(sorted(known))}."
            )
        return Frame(self, *found, sequence)

    def _frames(self, protocol: str) -> ScoredFrames:
        if protocol not in self._scored:
            self._scored[protocol] = ScoredFrames(self._places, protocol, self.protocols[protocol])
        return self._scored[protocol]

    @cached_property
    def _places(self) -> Places:
        """The stores of all units that each of the study's models has predicted."""
        stores: dict[str, Path] = {}
        predictions: dict[tuple[str, str], Path] = {}
        for unit in self._units():
            own = {
                (unit, model): Job("predict", (unit, model)).path("store", self.results)
                for model in self.models
            }
            if all(path.is_dir() for path in own.values()):
                stores[unit] = Job("prepare", (unit,)).path("store", self.results)
                predictions |= own
        return Places(stores, predictions, self._tables["frames"])

    def _units(self) -> list[str]:
        folder = Job("prepare", ("x",)).path("store", self.results)
        names = [path.stem for path in sorted(folder.parent.glob("*" + folder.suffix))]
        return [name for name in names if dataset_of(name) in self.datasets]


class Frame:
    """One frame of a study's dataset: image, reference depth, and what models say of it."""

    def __init__(self, study: Study, unit: str, place: int, sequence: str) -> None:
        self._study, self._unit, self._place, self._sequence = study, unit, place, sequence
        frames = study._frames(next(iter(study.protocols)))
        self._reference = frames.reference(unit, sequence, place)
        self.units: str = frames.dataset(unit).sequences[sequence].units

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """The image, uint8 (h, w, 3)."""
        return self._reference.rgb

    @property
    def flags(self) -> NDArray[np.uint8]:
        """The pixels' flags, uint8 (h, w), the bits of `scopedepth.vocabulary.flags`."""
        return self._reference.flags

    @property
    def depth_mm(self) -> NDArray[np.float32]:
        """The reference depth, mm, float32 (h, w), NaN where there is none; without a known unit, an error."""
        if self.units != "mm":
            raise ScopeDepthError(f"The depth of {self._unit} has no known unit. Use .depth: it is relative.")
        return self._reference.depth

    @property
    def depth(self) -> NDArray[np.float32]:
        """The reference depth in `units` ("mm", or "relative"), float32 (h, w), NaN where there is none."""
        return self._reference.depth

    def prediction(self, model: str) -> NDArray[np.float32]:
        """Return what a model said, float32 on its own grid (v, u), of its own kind and unit."""
        self._study.models[model]
        store = PredictionStore(self._study._places.predictions[self._unit, model])
        return store.sequences[self._sequence].prediction(self._place, self._place + 1)[0]

    def scored(self, model: str, protocol: str) -> Scored:
        """Return a model's prediction as a protocol scored it: aligned depth, pixels that counted, their errors."""
        self._study.models[model]
        found = self._study._frames(protocol).scored(self._unit, model, self._sequence, self._place)
        if isinstance(found, str):
            raise ScopeDepthError(f"{protocol} gives {model} no number on this frame: {found}.")
        return found

    def aligned(self, model: str, protocol: str) -> NDArray[np.float64]:
        """Return a model's prediction in the units of the reference, aligned as a protocol does, (h, w)."""
        return self.scored(model, protocol).depth

    def plot(self, models: list[str] | None = None, protocol: str | None = None) -> Figure:
        """Draw the image, the reference and models' aligned depths beside each other, on one scale."""
        import matplotlib.pyplot as plt

        names = list(self._study.models) if models is None else models
        name = next(iter(self._study.protocols)) if protocol is None else protocol
        figure, axes = plt.subplots(
            1, 2 + len(names), figsize=(3 * (2 + len(names)), 3), layout="constrained"
        )
        axes[0].imshow(self.rgb)
        axes[0].set_title("image")
        known = self.depth[np.isfinite(self.depth)]
        ends = {"vmin": known.min(), "vmax": known.max()} if known.size else {}
        shown = axes[1].imshow(self.depth, cmap="viridis", **ends)
        axes[1].set_title("reference")
        for axis, model in zip(axes[2:], names, strict=True):
            try:
                axis.imshow(self.aligned(model, name), cmap="viridis", **ends)
            except ScopeDepthError as error:
                axis.text(0.5, 0.5, str(error), ha="center", va="center", wrap=True, transform=axis.transAxes)
            axis.set_title(model)
        for axis in axes:
            axis.set_axis_off()
        figure.colorbar(shown, ax=axes, label=f"depth, {self.units}")
        return figure
