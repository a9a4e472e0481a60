"""Our views and lists give what published protocols' own loaders give: the network's input, and which depth counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from PIL import Image

import dataset_trees as trees
from partial import partial
from scopedepth.config.load import check, dataset_spec
from scopedepth.datasets.place import point_to
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.datasets.view import make_view
from scopedepth.stores.dataset import DatasetStore
from source_loaders import ANSWERS, FED, TREES, answer

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    return json.loads(ANSWERS.read_text(encoding="utf-8"))


def prepared(place: Path, spec: specs.Dataset, data: Path) -> Path:
    (place / "raw").mkdir()
    point_to(place / "raw", data, None)
    prepare_unit(spec, place / "raw", place / "base.zarr", place / "base.json", 1)
    return place / "base.zarr"


def ours(store: Path, low: float, high: float) -> dict[str, dict[str, Any]]:
    """Return what is kept of each frame of a store, resized for the network as monodepth2's descendants do."""
    found = {}
    for name, sequence in DatasetStore(store).sequences.items():
        for index, frame_id in enumerate(sequence.frame_ids()):
            image = Image.fromarray(sequence.rgb(index, index + 1)[0])
            fed = np.asarray(image.resize(FED[::-1], Image.Resampling.LANCZOS))
            found[f"{name} {frame_id}"] = answer(fed, sequence.depth(index, index + 1)[0], low, high)
    return found


def assert_same(found: dict[str, dict[str, Any]], theirs: dict[str, dict[str, Any]]) -> None:
    assert sorted(found) == sorted(theirs)
    for key, one in theirs.items():
        for field in ("fed", "size", "pixels"):
            assert found[key][field] == one[field], (key, field)
        # They work in float32.
        assert found[key]["sums"] == pytest.approx(one["sums"], rel=1e-6)


@pytest.mark.parametrize(("name", "high"), [("hamlyn", 150.0), ("c3vd", 100.0)])
def test_views_show_what_the_sources_networks_see(
    tmp_path: Path, root: Path, answers: dict[str, Any], name: str, high: float
) -> None:
    config = check(yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8")))
    view = dataset_spec("hamlyn_rectified_endodac" if name == "hamlyn" else "c3vd_endodac", config)
    stored = dataset_spec(view["lineage"][-1], config)
    # All at once, and of Hamlyn the frames of which all four files exist.
    stored |= {
        "sequences": None,
        "split": "dataset",
        "options": {"complete": True} if name == "hamlyn" else {},
    }
    TREES[name](tmp_path / "data")
    base = prepared(tmp_path, stored, tmp_path / "data")
    spec = partial(name=view["name"], lineage=view["lineage"], steps=view["steps"], whole=False)
    make_view(spec, base, tmp_path / "view.zarr", tmp_path / "view.json")
    found = ours(tmp_path / "view.zarr", 1e-3, high)
    for source in ("BeileiCui/EndoDAC", "BaymaxShao/Endo-GeDE"):
        assert_same(found, answers[f"{source} {name}"]["frames"])


def test_a_list_of_scared_names_what_af_sfmlearner_reads(tmp_path: Path, answers: dict[str, Any]) -> None:
    theirs = answers["ShuweiShao/AF-SfMLearner scared"]["frames"]
    TREES["scared"](tmp_path / "data")
    frames = {"list": {"lines": list(theirs), "layout": "scared"}}
    spec = trees.spec_of(
        "scared", "scared", tmp_path / "data", options={"frames": "extracted"}, frames=frames
    )
    found = ours(prepared(tmp_path, spec, tmp_path / "data"), 1e-3, 1e9)
    keys = {"dataset3/keyframe4": "dataset_3_keyframe_4", "dataset7/keyframe4": "dataset_7_keyframe_4"}
    place = {line: f"{keys[line.split()[0]]} {int(line.split()[1]) - 1:06d}" for line in theirs}
    assert_same(found, {place[line]: one for line, one in theirs.items()})


def test_a_list_of_simcol_names_what_endo_gede_reads(tmp_path: Path, answers: dict[str, Any]) -> None:
    """All but the image of a sequence's first line, for which its loader takes the second frame's."""
    theirs = answers["BaymaxShao/Endo-GeDE simcol"]["frames"]
    TREES["simcol"](tmp_path / "data")
    frames = {"list": {"lines": list(theirs), "layout": "simcol3d"}}
    spec = trees.spec_of("simcol3d", "simcol3d", tmp_path / "data", frames=frames)
    found = ours(prepared(tmp_path, spec, tmp_path / "data"), 1e-3, 1e9)
    named = {
        "1 5 1": "Frames_S5 0000",
        "1 5 3": "Frames_S5 0002",
        "2 10 2": "Frames_B10 0001",
        "3 1 3": "Frames_O1 0002",
    }
    first = theirs["1 5 1"]
    assert first["fed"] != found["Frames_S5 0000"]["fed"]
    first["fed"] = found["Frames_S5 0000"]["fed"]
    assert_same(found, {named[line]: one for line, one in theirs.items()})
