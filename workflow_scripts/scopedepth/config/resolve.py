"""What an entry is once a view is followed to the dataset whose files it shows, and a fine-tuned model to its base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scopedepth.config.base import plain_spec
from scopedepth.config.datasets import DatasetSpec, ViewSpec
from scopedepth.config.finetuning import RecipeSpec, TunedSpec, resolved_tuned
from scopedepth.config.models import ModelSpec
from scopedepth.errors import ScopeDepthError
from scopedepth.views import chosen_sequences, steps_for
from scopedepth.vocabulary.corruptions import CORRUPTIONS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Of a view, what is not said is said by the dataset that it is made from.
INHERITED = ("licence", "citation", "homepage")


def stored_name(spec: specs.Dataset) -> str:
    """Return the name of the dataset whose files and store a dataset's frames are read from: its own but of a view."""
    return str(spec["lineage"][-1]) if "lineage" in spec else str(spec["name"])


def resolved_dataset(
    name: str, datasets: Mapping[str, DatasetSpec | ViewSpec], above: tuple[str, ...] = ()
) -> specs.Dataset:
    """Return a dataset's plain spec with all defaults.

    A view's is that of the dataset it is made from, with its own name and words, and beside them `view_of`, `lineage`
    (its name, that of the dataset it is made from, and so on to the one that is stored) and `steps`, the changes of all
    views on the way (see `views.steps_for`). What a view asks for and cannot be is a `ScopeDepthError`.
    """
    spec = datasets[name]
    if isinstance(spec, DatasetSpec):
        return plain_spec(name, spec)
    if spec.view_of not in datasets:
        raise ScopeDepthError(
            f"datasets.{name}.view_of: {spec.view_of!r} is not known. It is to be one of: {', '.join(datasets)}."
        )
    if spec.view_of in (name, *above):
        raise ScopeDepthError(f"datasets.{name}.view_of: {spec.view_of} is made from {name} itself.")
    base: Any = resolved_dataset(spec.view_of, datasets, (name, *above))
    own = spec.model_dump(mode="json")
    change: Any = {
        "view": name,
        "sequences": own["sequences"],
        "steps": [
            *([{"crop": own["crop"]}] if own["crop"] else []),
            *_corruption(name, own["corrupt"], base),
        ],
    }
    # Which sequences a dataset has that is not split is known when its store is there.
    sequences = base["sequences"]
    if base["split"] == "sequence":
        sequences = chosen_sequences([change], sequences)
    view: Any = {
        **base,
        **{word: own[word] or base[word] for word in INHERITED},
        "name": name,
        "title": own["title"] or f"{base['title'] or spec.view_of}, a view",
        "view_of": spec.view_of,
        "lineage": [name, *base.get("lineage", [spec.view_of])],
        "steps": [*base.get("steps", []), change],
        "sequences": sequences,
        "published": {
            sequence: {**size, "size": _size_after(change, sequence, size["size"])}
            for sequence, size in base["published"].items()
        },
    }
    return view


def _corruption(
    view: str, stated: Mapping[str, Any] | None, base: Mapping[str, Any]
) -> list[dict[str, dict[str, Any]]]:
    """Return the step of a view's corruption, none where it has none, with the file that makes it."""
    if stated is None:
        return []
    kind = CORRUPTIONS[stated["kind"]]
    if kind.needs_depth and base["depth"]["kind"] == "none":
        raise ScopeDepthError(
            f"datasets.{view}.corrupt: {kind.name} follows from depth, and {base['name']} has none. Choose another."
        )
    return [{"corrupt": {**stated, "file": kind.file}}]


def _size_after(change: specs.Change, sequence: str, size: list[int]) -> list[int]:
    """Return height and width of published frames after a view's change."""
    height, width = size
    for step in steps_for([change], sequence, (height, width)):
        height, width = step.size(height, width)
    return [height, width]


def resolved_model(
    name: str, models: Mapping[str, ModelSpec | TunedSpec], recipes: Mapping[str, RecipeSpec]
) -> specs.Model:
    """Return a model's plain spec with all defaults; what a fine-tuned one does not say is as of its base.

    Models and recipes that are named were checked before (`config.load`).
    """
    spec = models[name]
    if isinstance(spec, ModelSpec):
        return plain_spec(name, spec)
    return resolved_tuned(name, spec, resolved_model(spec.made_from, models, recipes), recipes[spec.recipe])
