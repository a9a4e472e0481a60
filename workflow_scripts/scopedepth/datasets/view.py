"""Make view: the store of a view's unit, which holds no pixel, its manifest and its page.

another unit's store  ->  the view's store: a file that says what is done to the frames
                          its manifest: digest, counts
                          its page: what the report shows of it
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scopedepth.datasets.describe import describe_unit
from scopedepth.errors import ScopeDepthError
from scopedepth.job.identity import code_digest
from scopedepth.job.manifest import manifest_of, page_of, read_manifest, write_json, write_manifest
from scopedepth.job.progress import progress
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.views import VIEW_FILE, chosen_sequences, modules_of, plain_steps, steps_for
from scopedepth.vocabulary.flags import FRAME_NO_DEPTH, FRAME_OK, FRAME_UNREADABLE

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

STEPS = Path(__file__).parents[1] / "views"


def make_view(spec: specs.Dataset, base: Path, store: Path, manifest: Path) -> None:
    """Write the store of one unit of a view, and its manifest.

    `spec`: the view's `name`, its `lineage`, its `steps` (see `views.steps_for`), and whether the unit is the `whole`
    dataset. `base`: the store that holds the pixels, its manifest beside it; `store` comes to lie beside it too.
    Raises `ScopeDepthError` for a crop that leaves the frame and for a pattern that names no sequence.
    """
    stored, known = DatasetStore(base), read_manifest(manifest_of(base))
    names = chosen_sequences(spec["steps"], list(stored.sequences), spec["whole"])
    steps = {
        name: steps_for(spec["steps"], name, (stored.sequences[name].height, stored.sequences[name].width))
        for name in names
    }
    view: dict[str, Any] = {
        "view_of": base.stem,
        "digest": known["digest"],
        "lineage": list(spec["lineage"]),
        "code": {
            kind: code_digest(STEPS / f"{kind}.py", modules)
            for kind, modules in modules_of(spec["steps"]).items()
        },
        "sequences": {name: {"steps": plain_steps(steps[name]), "lost_depth": []} for name in names},
    }
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    write_json(store / VIEW_FILE, view)
    frames = sum(stored.sequences[name].n_frames for name in names)
    with progress(f"view {store.stem}", frames) as advance:
        for name, sequence in DatasetStore(store).sequences.items():
            view["sequences"][name]["lost_depth"] = lost_depth(sequence)
            advance(sequence.n_frames)
    write_json(store / VIEW_FILE, view)
    for sequence in DatasetStore(store).sequences.values():
        _refuse_without_depth(spec["name"], sequence)
    write_manifest(
        manifest,
        store,
        unit=store.stem,
        dataset=spec["name"],
        view_of=base.stem,
        base_digest=known["digest"],
        # Which frames of its sequences the store holds, for who asks whether they are a video.
        base_chosen={key: known.get("spec", {}).get(key) for key in ("frames", "part")},
        spec=dict(spec),
        sequences={
            name: count_frames(sequence, known["sequences"][name])
            for name, sequence in DatasetStore(store).sequences.items()
        },
        frame_lists=known.get("frame_lists", {}),
    )
    write_json(page_of(manifest), describe_unit(store))


def _refuse_without_depth(view: str, sequence: DatasetSequence) -> None:
    """Refuse a step that follows from depth where a frame that can be read has none."""
    places = np.flatnonzero(sequence.status() == FRAME_NO_DEPTH)
    for step in sequence.steps:
        if step.needs_depth and len(places):
            first = sequence.frame_ids()[int(places[0])]
            raise ScopeDepthError(
                f"{view}: {step.words(sequence.height, sequence.width)}, follows from depth, and of sequence "
                f"{sequence.name} {len(places)} frames have none (the first: {first}). Leave them out, or choose "
                "another kind."
            )


def lost_depth(sequence: DatasetSequence) -> list[int]:
    """Return the frames that have a depth in the store and none in the view."""
    if not sequence.steps:
        return []
    had_depth = sequence.status() == FRAME_OK
    lost = []
    for start in range(0, sequence.n_frames, sequence.shard_frames):
        depth = sequence.depth(start, start + sequence.shard_frames)
        none = ~np.isfinite(depth).any(axis=(1, 2)) & had_depth[start : start + len(depth)]
        lost += [start + int(index) for index in np.flatnonzero(none)]
    return lost


def count_frames(sequence: DatasetSequence, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts of a view's sequence; `known` are those of the stored one."""
    status = sequence.status()
    return {
        **known,
        "frames": len(status),
        "unreadable": int((status == FRAME_UNREADABLE).sum()),
        "no_depth": int((status == FRAME_NO_DEPTH).sum()),
        "width": sequence.width,
        "height": sequence.height,
        "notes": list(sequence.attrs["notes"]),
    }
