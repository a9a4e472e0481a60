"""What models ask of a study's data, read from their own code before anything runs; what the data lack is refused.

A class in a file is read and not imported. What only its package or its base class knows is found out in the job.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scopedepth.config.resolve import stored_name
from scopedepth.errors import ScopeDepthError
from scopedepth.job.run import read_record
from scopedepth.study.layout import Job
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan, at
from scopedepth.vocabulary.video import why_no_video


def refuse_unfit(plan: Plan, made_from: MadeFrom) -> None:
    """Raise a `ScopeDepthError` for the first model of a study that a dataset of it cannot serve.

    That is a model of windows where frames are no video, and one that asks for intrinsics where a dataset that is
    prepared, and would not be prepared again, has a sequence without.
    """
    study = plan.study
    asked = {name: own for name, spec in study.models.items() if (own := own_class(spec)) is not None}
    videos = [name for name, own in asked.items() if _asks_for_windows(own)]
    cameras = [name for name, own in asked.items() if _asks_for_intrinsics(own)]
    for unit in study.units.values() if videos else ():
        frames = study.dataset(stored_name(study.dataset(unit.dataset)))["frames"]
        why = why_no_video(frames, unit.frames)
        if why is not None:
            raise ScopeDepthError(
                f"models.{videos[0]} asks for windows of a video, and the dataset {unit.dataset} is none: {why}."
            )
    if not cameras:
        return
    runs = made_from.runs()
    for name in study.units:
        prepare = Job("prepare", (name,))
        if prepare in runs:
            continue
        for sequence in read_record(prepare.path("page", made_from.results)).get("sequences", ()):
            if sequence["intrinsics"] is None:
                raise ScopeDepthError(
                    f"models.{cameras[0]} asks for the camera's intrinsics, and sequence {sequence['name']} of {name} "
                    "has none. Give them (options.intrinsics, or a file intrinsics.txt), or leave the model or the "
                    "dataset out."
                )


def own_class(model: Mapping[str, Any]) -> ast.ClassDef | None:
    """Return the class of a model's own code in a file, unread where it cannot be: the job says why."""
    options, weights = model["options"], model["weights"]
    if model["family"] != "python":
        return None
    place, _, name = str(options.get("code", "")).partition(":")
    folder = options.get("folder") or (weights["path"] if weights["kind"] == "path" else None)
    if folder is None or not place.endswith(".py"):
        return None
    try:
        tree = ast.parse((at(folder) / Path(place)).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return found[-1] if found else None


def _asks_for_windows(own: ast.ClassDef) -> bool:
    for node in own.body:
        names = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(one, ast.Name) and one.id == "window" for one in names):
            value = getattr(node, "value", None)
            return value is not None and not (isinstance(value, ast.Constant) and value.value is None)
    return False


def _asks_for_intrinsics(own: ast.ClassDef) -> bool:
    for node in own.body:
        if isinstance(node, ast.FunctionDef) and node.name == "predict":
            given = node.args
            return any(
                one.arg == "intrinsics" for one in [*given.posonlyargs, *given.args, *given.kwonlyargs]
            )
    return False
