"""Predicting one unit: one model over all frames of a dataset store, into a prediction store and its manifest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scopedepth.errors import ScopeDepthError
from scopedepth.job.identity import code_digest
from scopedepth.job.leaves import check_weights
from scopedepth.job.manifest import digest_tree, manifest_of, read_manifest, write_manifest
from scopedepth.job.run import library_versions
from scopedepth.models import load_model
from scopedepth.models.base import DepthModel
from scopedepth.prediction.engine import Engine, for_frames
from scopedepth.prediction.rounding import MANTISSA_BITS, SPREAD_BITS
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.stores.prediction import PredictionSequence, PredictionStore
from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.vocabulary.flags import PREDICTION_NONFINITE, PREDICTION_STATUSES
from scopedepth.vocabulary.outputs import SHIFTED_KINDS
from scopedepth.vocabulary.video import why_no_video

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# A shard holds about this many bytes of raw prediction: few files, and little to do again when interrupted.
SHARD_BYTES = 32 * 2**20
SHARD_FRAMES = (8, 64)
# Whose version can change a prediction.
NUMBER_MAKERS = ("numpy", "onnxruntime", "torch", "transformers")


def predict_unit(
    spec: specs.Model,
    dataset: Path,
    weights: Path,
    store: Path,
    manifest: Path,
    device: str = "auto",
    batch: int | None = None,
    threads: int | None = None,
) -> None:
    """Predict all frames of the dataset store `dataset` with the model `spec` into the prediction store `store`.

    `weights`: the folder that fetch_weights made, its manifest beside it. `batch`: frames at once; None chooses
    by the frames' size. `threads`: of a processor's forward pass. Goes on with a store that was begun with the
    same code, spec, weights and data. Writes `manifest` last. Raises `ScopeDepthError` for weights, devices or
    frame sizes that do not fit, and where the model fails on every frame.
    """
    check_weights(weights)
    data = DatasetStore(dataset)
    model = load_model(spec, weights, device)
    model.prepare(threads)
    if model.window is not None:
        refuse_no_video(model.name, dataset)
    groups = {name: _group(model, sequence) for name, sequence in data.sequences.items()}
    shards = {name: _shard_frames(group["attrs"]["grid"]) for name, group in groups.items()}
    attrs = _attributes(spec, weights, model)
    fingerprint = {
        **attrs,
        "groups": {name: [group["n_frames"], group["attrs"]] for name, group in groups.items()},
        "shards": shards,
        "dataset_digest": _digest_of(dataset, manifest_of(dataset)),
        "code": code_digest(Path(__file__), [f"scopedepth.models.families.{spec['family']}"]),
    }
    attrs["sequences"] = list(groups)
    with ShardedStore(store, fingerprint, groups, shards, attrs) as out:
        Engine(model, data, batch).run(out)
        out.finish()
        predicted = PredictionStore(store).sequences
        write_manifest(
            manifest,
            store,
            model=spec["name"],
            unit=dataset.name.removesuffix(".zarr"),
            n_frames=out.n_frames,
            frames={name: count_statuses(sequence.status()) for name, sequence in predicted.items()},
            uncovered_pixels={name: count_uncovered(sequence) for name, sequence in predicted.items()},
            weights_digest=attrs["weights_digest"],
            commit=attrs["commit"],
            **({} if model.environment is None else {"environment": model.environment}),
        )


def count_statuses(status: np.ndarray) -> dict[str, int]:
    """Return the number of frames of each status: {"ok": ..., "nonfinite": ..., "failed": ...}."""
    return {name: int(np.count_nonzero(status == value)) for name, value in PREDICTION_STATUSES.items()}


def count_uncovered(sequence: PredictionSequence) -> int:
    """Return at how many pixels of a sequence's frames the model gave no answer, without the frames that failed."""
    found = 0
    for start in range(0, sequence.n_frames, sequence.shard_frames):
        stop = start + sequence.shard_frames
        without = sequence.status(start, stop) == PREDICTION_NONFINITE
        if without.any():
            found += int(np.count_nonzero(~np.isfinite(sequence.prediction(start, stop)[without])))
    return found


def refuse_no_video(model: str, dataset: Path) -> None:
    """Raise a `ScopeDepthError` where the frames of a dataset store are no video for a model that asks for windows."""
    manifest = manifest_of(dataset)
    known = read_manifest(manifest) if manifest.is_file() else {}
    chosen = known.get("base_chosen", known.get("spec", {}))
    why = why_no_video(chosen.get("frames") or {}, chosen.get("part"))
    if why is not None:
        raise ScopeDepthError(
            f"Model {model} asks for windows of a video, and {known['dataset']} is none: {why}."
        )


def _group(model: DepthModel, sequence: DatasetSequence) -> dict[str, Any]:
    """Return the layout of a sequence's group in the prediction store."""
    size = (sequence.height, sequence.width)
    own = for_frames(model.for_sequence(sequence.name), sequence)
    try:
        grid = own.grid(*size)
    except ScopeDepthError:
        raise
    except Exception as error:
        raise ScopeDepthError(
            f"Model {own.name} does not take frames of {size[1]}x{size[0]} (sequence {sequence.name}): {error}"
        ) from error
    prediction = ArraySpec(
        grid,
        "float32",
        ("v", "u"),
        fill=float("nan"),
        attrs={"output_kind": own.output_kind, "units": own.unit or "", **_rounding(own)},
    )
    meanings = {
        "flag_values": list(PREDICTION_STATUSES.values()),
        "flag_meanings": " ".join(PREDICTION_STATUSES),
    }
    status = ArraySpec((), "uint8", attrs=meanings)
    return {
        "n_frames": sequence.n_frames,
        "arrays": {"prediction": prediction, "status": status},
        "attrs": {"sequence": sequence.name, "grid": list(grid), "frame_size": list(size)},
    }


def _shard_frames(grid: tuple[int, int]) -> int:
    """Return how many frames of `grid` one shard holds: a power of two."""
    least, most = SHARD_FRAMES
    frames = max(SHARD_BYTES // (4 * grid[0] * grid[1]), least)
    return min(1 << (frames.bit_length() - 1), most)


def _attributes(spec: specs.Model, weights: Path, model: DepthModel) -> dict[str, Any]:
    """Return the store's attributes: what the numbers mean and what made them."""
    manifest = manifest_of(weights)
    known = read_manifest(manifest) if manifest.exists() else {}
    digest = known.get("digest") or (digest_tree(weights) if weights.is_dir() else None)
    versions = {name: version for name, version in library_versions().items() if name in NUMBER_MAKERS}
    return {
        "model": spec["name"],
        "output_kind": model.output_kind,
        "unit": model.unit,
        "greatest_depth": model.greatest_depth,
        "spec": dict(spec),
        "weights_digest": digest,
        "commit": known.get("commit"),
        "parameters": model.parameters,
        "device": model.device.split(":")[0],
        "precision": model.precision,
        "versions": versions,
        **({} if model.own_code is None else {"own_code": model.own_code}),
        **({} if model.environment is None else {"environment": model.environment}),
        **({} if model.window is None else {"window": asdict(model.window)}),
        **_rounding(model),
    }


def _rounding(model: DepthModel) -> dict[str, int]:
    """Return how a model's output is rounded: to bits of each value, and with a free shift to bits of the spread."""
    return {"mantissa_bits": MANTISSA_BITS} | (
        {"spread_bits": SPREAD_BITS} if model.output_kind in SHIFTED_KINDS else {}
    )


def _digest_of(directory: Path, manifest: Path) -> str:
    """Return the digest of a directory's content: its manifest's, if it has one."""
    return read_manifest(manifest)["digest"] if manifest.exists() else digest_tree(directory)
