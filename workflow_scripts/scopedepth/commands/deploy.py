"""``scopedepth deploy MODEL``: a model as one ONNX file, frames to prediction, held against our own prediction."""

from __future__ import annotations

import argparse
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from scopedepth.commands import configuration
from scopedepth.config.load import Study, select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.job.leaves import check_weights
from scopedepth.job.manifest import digest_file, manifest_of, read_manifest, write_json
from scopedepth.job.shipped import runs_by
from scopedepth.study.layout import Job, weights_job
from scopedepth.version import own_version
from scopedepth.vocabulary.outputs import DISPARITY_KINDS, OUTPUT_MEANINGS

# What of a model's entry stays true of the same network in another file.
STAYS = ("parameters", "licence", "citation", "homepage")
PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("model", help="a model of the study, its weights fetched")
    parser.add_argument(
        "--onnx",
        type=Path,
        metavar="OUT",
        help="the file to write (deployed/MODEL/MODEL.onnx), in a folder of its own",
    )
    parser.add_argument(
        "--size",
        metavar="HEIGHTxWIDTH",
        help="export for frames of this size alone, where a model cannot do any size",
    )
    parser.add_argument(
        "--count", type=int, default=12, help="frames of the study's datasets to try it on (12); 0 for all"
    )
    configuration.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Export, prove and describe; what was not proven does not stay."""
    from scopedepth.deploy.network import refuse_what_has_no_graph

    study = select_study(configuration.config_of(options), options.study)
    name, frame = options.model, _size(options.size)
    if name not in study.models:
        raise ScopeDepthError(
            f"The study {study.name} has no model {name!r}. It has: {', '.join(study.models)}."
        )
    spec = study.models[name]
    refuse_what_has_no_graph(spec)
    out: Path = options.onnx or Path("deployed") / name / f"{name}.onnx"
    if out.suffix != ".onnx":
        raise ScopeDepthError(f"--onnx {out}: the file's name must end in .onnx.")
    if "abs_rel" not in _protocol(study)["metrics"]:
        raise ScopeDepthError(
            f"The protocol {_protocol(study)['name']} has no abs_rel, on which the proof rests."
        )
    for path in (out, manifest_of(out.with_suffix(""))):
        if path.exists():
            raise ScopeDepthError(f"{path} is there already. Name another file, or remove it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is proven, so that nothing takes it for that.
    beside = out.with_name(out.name + ".partial")
    try:
        found = _export_and_prove(study, spec, frame, beside, options.count)
        beside.rename(out)
        write_json(manifest_of(out.with_suffix("")), {"file": out.name, "sha256": digest_file(out), **found})
    finally:
        beside.unlink(missing_ok=True)
    print(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, proven. {manifest_of(out.with_suffix(''))} says how to read it."
    )
    print("As a model of its own:\n")
    print(entry(spec, out, found["greatest_depth"]))
    return 0


def _export_and_prove(study: Study, spec: Any, frame: Any, beside: Path, count: int) -> dict[str, Any]:
    """Write the graph to `beside`, try it, and return its manifest; one that is off is a `ScopeDepthError`."""
    from scopedepth.deploy.network import export, refuse_what_cannot_be_exported
    from scopedepth.deploy.prove import prove, samples, written
    from scopedepth.models import load_model

    name, job = spec["name"], weights_job(spec)
    assert job is not None
    weights = job.path("files")
    stores = [Job("prepare", (unit,)).path("store") for unit in study.shown_units]
    for needed in (weights, *stores):
        if not needed.exists():
            raise ScopeDepthError(
                f"{needed} is not there: the proof needs the model's weights and the study's prepared datasets. Run: "
                f"{runs_by()} {needed} --config study={study.name}"
            )
    check_weights(weights)
    frames = samples(stores, count)
    if frame is not None:
        frames = [one for one in frames if one.rgb.shape[:2] == frame]
    if not frames:
        raise ScopeDepthError(
            f"The study {study.name} has no frames{f' of {frame[0]}x{frame[1]}' if frame else ''} to try it on."
        )
    model = load_model(spec, weights, "cpu")
    model.prepare(None)
    refuse_what_cannot_be_exported(model)
    made = export(model, frame)
    beside.write_bytes(made.SerializeToString())
    protocol, found = _protocol(study), []
    for tried in prove(model, beside, frames, protocol, frame is not None):
        found.append(tried)
        print(
            f"{tried.height}x{tried.width}, {tried.batch} at once, {tried.frames} frames: output differs by at most "
            f"{max(tried.output, tried.own_grid):.1e} of its range, AbsRel of a frame by {tried.abs_rel:.1e} "
            f"({tried.scored} scored under {protocol['name']})",
            flush=True,
        )
    if not all(one.holds for one in found):
        raise ScopeDepthError(
            f"Model {name}: the exported file says something else than the model (1e-3 of the range and 1e-4 of AbsRel "
            "are allowed). Nothing was written. Try one size: --size HEIGHTxWIDTH."
        )
    if not any(one.scored for one in found):
        raise ScopeDepthError(f"Model {name}: none of the frames has an AbsRel under {protocol['name']}.")
    return described(spec, model, frame, weights) | {
        "proof": written(found, protocol["name"], study.spec["datasets"])
    }


def _protocol(study: Study) -> Any:
    return study.protocols[study.spec["headline"]["protocol"]]


def _size(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    match = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", given)
    if match is None:
        raise ScopeDepthError(f"--size {given} is no HEIGHTxWIDTH, such as 1080x1350.")
    return int(match[1]), int(match[2])


def described(spec: Any, model: Any, frame: tuple[int, int] | None, weights: Path) -> dict[str, Any]:
    """Return the manifest of a deployed file: what goes in and comes out, and what it was made from."""
    from scopedepth.deploy.steps import FRAMES, OWN_GRID, PREDICTION

    kind, unit = spec["output"]["kind"], spec["output"]["unit"]
    larger = "nearer" if kind in DISPARITY_KINDS else "farther"
    size = ["height", "width"] if frame is None else list(frame)
    # Where weights lie is the maker's own affair.
    told = {**spec, "weights": {key: value for key, value in spec["weights"].items() if key != "path"}}
    return {
        "model": spec["name"],
        "title": spec.get("title") or spec["name"],
        "input": {
            "name": FRAMES, "type": "uint8", "shape": ["batch", *size, 3],
            "meaning": "frames, RGB, rectified as the model was evaluated; resizing and normalisation are in the file",
        },
        "outputs": {
            PREDICTION: {"type": "float32", "shape": ["batch", *size], "grid": "the frame's pixels"},
            OWN_GRID: {"type": "float32", "shape": ["batch", "v", "u"],
                       "grid": "the network's, over the same field of view; protocols score this one"},
        },
        "kind": kind,
        "unit": unit,
        "meaning": f"{OUTPUT_MEANINGS[kind].format(unit=unit)}: larger is {larger}",
        "greatest_depth": model.greatest_depth,
        "sizes": "any" if frame is None else "one",
        "weights_digest": read_manifest(manifest_of(weights))["digest"],
        "spec": told,
        "licence": spec.get("licence", "unknown"),
        "scopedepth": own_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }  # fmt: skip


def entry(spec: Any, out: Path, greatest_depth: float | None) -> str:
    """Return the configuration that makes the deployed file a model of its own, which has seen what its origin has."""
    from scopedepth.deploy.steps import OWN_GRID

    stays = {key: spec[key] for key in STAYS if spec.get(key)}
    output = {key: value for key, value in spec["output"].items() if value is not None}
    options: dict[str, Any] = {"input": "frames", "output": OWN_GRID}
    if greatest_depth is not None:
        options["greatest_depth"] = greatest_depth
    title = f"{spec.get('title') or spec['name']} (ONNX)"
    made = {
        f"{spec['name']}_onnx": {
            "title": title, "family": "onnx", "weights": {"kind": "path", "path": out.as_posix()},
            "output": output, "from": spec["name"], **stays, "options": options,
        }
    }  # fmt: skip
    return yaml.safe_dump({"models": made}, sort_keys=False, allow_unicode=True, width=100).rstrip()
