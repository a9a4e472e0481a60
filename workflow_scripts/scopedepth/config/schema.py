"""Writes what the configuration may say for others to read: ``python -m scopedepth.config.schema``.

For editors a JSON schema; for the library, whose jobs import no pydantic, the types of the plain specs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from scopedepth.config.base import Spec
from scopedepth.config.datasets import CORRUPTION_KINDS, LOADERS, DatasetSpec
from scopedepth.config.finetuning import Folds, Holdout, RecipeSpec, TrainOn
from scopedepth.config.load import DATASET_WORDS, MODEL_WORDS, PROTOCOL_WORDS, STUDY_WORDS
from scopedepth.config.models import FAMILIES, ModelSpec
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.config.studies import Configuration, Execution, Robustness, StudySpec
from scopedepth.config.studies import Timing as TimingSpec
from scopedepth.vocabulary import alignments

PATH = Path(__file__).parents[3] / "schemas" / "config.schema.json"
TYPES = Path(__file__).parents[1] / "vocabulary" / "specs.py"

HEAD = '''"""Types of the plain specs that travel to jobs as JSON: written by ``python -m scopedepth.config.schema``.

All defaults are filled in. NotRequired are words, which reach the report and no job, and what some entries lack.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict
'''
# A view's change (see `views`).
CHANGE = """class Change(TypedDict):
    view: str
    sequences: list[str] | None
    steps: list[dict[str, Any]]"""
# The weights of a model that is made here (see `finetuning.resolved_tuned`).
TUNED_WEIGHTS = """class TunedWeights(TypedDict):
    kind: Literal["finetuned"]
    base: str
    recipe: Recipe
    train: list[TrainOn]
    holdout: Holdout | None
    folds: Folds | None
    seed: int"""
# What a plain spec has beside the fields of its model (see `load.plain_spec`, `load.select_study` and `resolve`), and
# what some jobs' specs have (see `study.plan`).
ADDED = {
    DatasetSpec: {
        "name": "str",
        "view_of": "NotRequired[str]",
        "lineage": "NotRequired[list[str]]",
        "steps": "NotRequired[list[Change]]",
        "reads": "NotRequired[list[str] | None]",
        "part": "NotRequired[list[int | None]]",
        "whole": "NotRequired[bool]",
    },
    ModelSpec: {"name": "str", "weights": "Weights | TunedWeights", "reads": "NotRequired[list[str] | None]"},
    ProtocolSpec: {"name": "str"},
    TimingSpec: {"name": "str"},
    RecipeSpec: {"name": "str"},
    Robustness: {"datasets": "list[str]", "baseline": "str", "views": "dict[str, dict[str, Any]]"},
    StudySpec: {"name": "str", "timing": "Timing | None", "lineage": "dict[str, Any]"},
}
WORDS = {
    DatasetSpec: DATASET_WORDS,
    ModelSpec: MODEL_WORDS,
    ProtocolSpec: PROTOCOL_WORDS,
    StudySpec: STUDY_WORDS,
}
# Names that a new file adds to.
OPEN = (LOADERS, FAMILIES, alignments.NAMES, CORRUPTION_KINDS)
WIDTH = 110


def schema_text() -> str:
    """Return the schema as the text of its file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Configuration.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def types_text() -> str:
    """Return the types of plain specs as the text of their file."""
    written: dict[str, str] = {"Change": CHANGE}
    for part in (RecipeSpec, TrainOn, Holdout, Folds):
        _write(part, written)
    written["TunedWeights"] = TUNED_WEIGHTS
    for model in (DatasetSpec, ModelSpec, ProtocolSpec, TimingSpec, StudySpec, Execution):
        _write(model, written)
    return HEAD + "".join(f"\n\n{text}\n" for text in written.values())


def _write(model: type[Spec], written: dict[str, str]) -> None:
    """Add a model, after those that it consists of, and unions of several of them, to what is written."""
    unset = {name for name, field in model.model_fields.items() if not field.is_required()}
    unset -= model.model_construct().model_dump(warnings=False).keys()
    fields = {}
    for name, field in model.model_fields.items():
        parts = [
            part for part in _plain(field.annotation) if isinstance(part, type) and issubclass(part, Spec)
        ]
        for part in parts:
            _write(part, written)
        text = _spelled(field.annotation)
        if len(parts) > 1 and all(part in get_args(field.annotation) for part in parts):
            written[name.title()] = f"{name.title()} = {text}"
            text = name.title()
        free = name in unset or name in WORDS.get(model, ())
        fields[name] = f"NotRequired[{text}]" if free else text
    lines = [_line(name, text) for name, text in {**fields, **ADDED.get(model, {})}.items()]
    written.setdefault(_called(model), "\n".join([f"class {_called(model)}(TypedDict):", *lines]))


def _line(name: str, text: str) -> str:
    line = f"    {name}: {text}"
    if len(line) <= WIDTH:
        return line
    before, _, inner = line.partition("[")
    return f"{before}[\n        {inner.removesuffix(']')}\n    ]"


def _called(model: type[Spec]) -> str:
    return model.__name__.removesuffix("Spec")


def _plain(kind: Any) -> Iterator[Any]:
    """Yield the types of which a field's type is put together."""
    if get_origin(kind) is Literal or not get_args(kind):
        yield kind
        return
    for part in get_args(kind)[:1] if get_origin(kind) is Annotated else get_args(kind):
        yield from _plain(part)


def _spelled(kind: Any) -> str:
    """Return a field's type as the plain spec has it, which JSON can hold."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _spelled(parts[0])
    if origin is Literal:
        return "str" if any(set(names) <= set(parts) for names in OPEN) else f"Literal[{_quoted(parts)}]"
    if origin is tuple:
        return f"list[{' | '.join(dict.fromkeys(map(_spelled, parts)))}]"
    if origin in (list, dict):
        return f"{origin.__name__}[{', '.join(map(_spelled, parts))}]"
    if parts:
        return " | ".join(map(_spelled, parts))
    if kind in (Any, NoneType):
        return "Any" if kind is Any else "None"
    return _called(kind) if issubclass(kind, Spec) else kind.__name__


def _quoted(words: tuple[Any, ...]) -> str:
    return ", ".join(json.dumps(word) for word in words)


if __name__ == "__main__":
    for path, text in ((PATH, schema_text()), (TYPES, types_text())):
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
