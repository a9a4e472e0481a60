"""Views: datasets made from another one when its frames are read."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

import dataset_trees as trees
from partial import partial
from project import CONFIG as PROJECT
from project import Project, write_frames
from scopedepth.cli import main
from scopedepth.config.lineage import facts_of
from scopedepth.config.load import ConfigError, check, dataset_spec, select_study
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.place import point_to
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.datasets.view import make_view
from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import digest_tree, read_manifest
from scopedepth.lineage.levels import seen
from scopedepth.stores.dataset import DatasetStore
from scopedepth.study.layout import Job
from scopedepth.study.needs import Needs
from scopedepth.study.plan import Plan
from scopedepth.vocabulary.flags import FRAME_NO_DEPTH, FRAME_OK

SIZE = (40, 60)
CAMERA = "50 0 31 0 52 22 0 0 1"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Write a dataset of two sequences and prepare it; return its store's path."""
    depth = np.round(trees.depth_mm(*SIZE, 20, 90)).astype(np.uint16)
    for sequence in ("left", "right"):
        for number in range(5):
            rgb = trees.picture(*SIZE, seed=number)
            rgb[:, :4] = 0  # a border
            trees.write_image(tmp_path / f"mine/{sequence}/rgb/{number:02d}.png", rgb)
            own = depth + number
            own[::7] = 0
            if number == 3:
                own[5:] = 0  # depth in the upper rows alone
            trees.write_image(tmp_path / f"mine/{sequence}/depth/{number:02d}.png", own)
        (tmp_path / f"mine/{sequence}/intrinsics.txt").write_text(CAMERA)
    (tmp_path / "raw").mkdir()
    point_to(tmp_path / "raw", tmp_path / "mine", None)
    (tmp_path / "datasets").mkdir()
    store = tmp_path / "datasets/mine.zarr"
    prepare_unit(
        trees.spec_of("mine", "folder", tmp_path / "mine"),
        tmp_path / "raw",
        store,
        store.with_suffix(".json"),
        1,
    )
    return store


def crop(x: int, y: int, width: int, height: int, *sequences: str) -> dict[str, Any]:
    return {"sequences": list(sequences or ["*"]), "x": x, "y": y, "width": width, "height": height}


def change(view: str, *crops: dict[str, Any], sequences: list[str] | None = None) -> dict[str, Any]:
    return {"view": view, "sequences": sequences, "steps": [{"crop": list(crops)}] if crops else []}


def view_store(base: Path, *changes: dict[str, Any], whole: bool = True) -> DatasetStore:
    names = [one["view"] for one in changes]
    lineage = [*names[::-1], "mine"]
    spec = partial(name=names[-1], lineage=lineage, steps=list(changes), whole=whole)
    store = base.with_name(f"{names[-1]}.zarr")
    make_view(spec, base, store, store.with_suffix(".json"))
    return DatasetStore(store)


def test_a_view_shows_a_window_of_all_that_a_frame_has(base: Path) -> None:
    seen = view_store(base, change("cut", crop(10, 6, 32, 21)))
    whole = DatasetStore(base)
    assert list(seen.sequences) == ["left", "right"]
    for name, sequence in seen.sequences.items():
        full = whole.sequences[name]
        window = (slice(None), slice(6, 27), slice(10, 42))
        assert (sequence.n_frames, sequence.height, sequence.width) == (5, 21, 32)
        for start, stop in ((0, 5), (1, 3), (4, 9)):
            assert np.array_equal(sequence.rgb(start, stop), full.rgb(start, stop)[window])
            assert np.array_equal(sequence.stored_depth(start, stop), full.stored_depth(start, stop)[window])
            assert np.array_equal(
                sequence.depth(start, stop), full.depth(start, stop)[window], equal_nan=True
            )
            assert np.array_equal(sequence.flags(start, stop), full.flags(start, stop)[window])
        assert sequence.intrinsics is not None
        assert sequence.intrinsics.tolist() == [[50, 0, 21], [0, 52, 16], [0, 0, 1]]
        assert sequence.attrs["intrinsics"] == sequence.intrinsics.tolist()
        assert sequence.frame_ids() == full.frame_ids()
        assert sequence.attrs["notes"][-1] == "a view: x 10 to 42, y 6 to 27 of frames of 60x40"
    assert not any("a view" in note for note in whole.sequences["left"].attrs["notes"])
    assert (seen.attrs["dataset"], seen.lineage, whole.lineage) == ("cut", ["cut", "mine"], ["mine"])


def test_a_view_stores_no_pixel(base: Path) -> None:
    view_store(base, change("cut", crop(10, 6, 32, 21)))
    store = base.with_name("cut.zarr")
    assert [path.name for path in store.rglob("*")] == ["view.json"]
    manifest = read_manifest(store.with_suffix(".json"))
    assert manifest["digest"] == digest_tree(store)
    assert (manifest["view_of"], manifest["base_digest"]) == ("mine", digest_tree(base))
    stored = read_manifest(base.with_suffix(".json"))["spec"]
    assert manifest["base_chosen"] == {"frames": stored["frames"], "part": None}
    assert (manifest["sequences"]["left"]["width"], manifest["sequences"]["left"]["height"]) == (32, 21)
    page = json.loads(store.with_suffix(".page.json").read_text())
    assert (page["dataset"], page["frame_sizes"], page["frames"]) == ("cut", "32x21", 10)


def test_a_frame_may_lose_its_depth_in_a_view(base: Path) -> None:
    """Frame 3 has depth in its upper rows alone."""
    seen = view_store(base, change("cut", crop(0, 8, 60, 30, "left")))
    assert seen.sequences["left"].status().tolist() == [FRAME_OK] * 3 + [FRAME_NO_DEPTH, FRAME_OK]
    assert seen.sequences["left"].status(2, 4).tolist() == [FRAME_OK, FRAME_NO_DEPTH]
    assert seen.sequences["left"].status(4, 5).tolist() == [FRAME_OK]
    assert (seen.sequences["right"].status() == FRAME_OK).all()
    counts = read_manifest(base.with_name("cut.json"))["sequences"]
    assert (counts["left"]["no_depth"], counts["right"]["no_depth"]) == (1, 0)


def test_sequences_of_a_view_and_the_first_crop_that_is_for_one(base: Path) -> None:
    seen = view_store(base, change("cut", crop(1, 2, 30, 20, "l*"), crop(0, 0, 50, 40)))
    sizes = {name: (one.height, one.width) for name, one in seen.sequences.items()}
    assert sizes == {"left": (20, 30), "right": (40, 50)}
    alone = view_store(base, change("one", sequences=["right"]))
    assert {name: (one.height, one.width) for name, one in alone.sequences.items()} == {"right": SIZE}
    part = view_store(base, change("part", crop(1, 2, 30, 20, "nobody")), whole=False)
    assert part.sequences["left"].width == 60


def test_a_view_of_a_view_is_the_one_window_in_the_other(base: Path) -> None:
    inner = change("inner", crop(10, 6, 32, 21), sequences=["right"])
    seen = view_store(base, inner, change("outer", crop(3, 2, 20, 10))).sequences
    assert list(seen) == ["right"]
    full = DatasetStore(base).sequences["right"]
    assert np.array_equal(seen["right"].rgb(0, 5), full.rgb(0, 5)[:, 8:18, 13:33])
    assert seen["right"].intrinsics is not None
    assert seen["right"].intrinsics[:2, 2].tolist() == [18, 14]
    # 32 columns are left by the first.
    with pytest.raises(
        ScopeDepthError, match=r"datasets\.outer\.crop: x 13, y 2, width 20, .* outside frames of 32x21"
    ):
        view_store(base, inner, change("outer", crop(13, 2, 20, 10)))


@pytest.mark.parametrize(
    ("window", "fits"),
    [((0, 0, 60, 40), True), ((1, 0, 60, 40), False), ((0, 1, 60, 40), False), ((59, 39, 1, 1), True)],
)
def test_a_window_lies_within_the_frame(base: Path, window: tuple[int, int, int, int], fits: bool) -> None:
    if fits:
        assert view_store(base, change("cut", crop(*window))).sequences["left"].width == window[2]
        return
    with pytest.raises(ScopeDepthError) as caught:
        view_store(base, change("cut", crop(*window)))
    x, y, width, height = window
    assert str(caught.value).startswith(
        f"datasets.cut.crop: x {x}, y {y}, width {width}, height {height} reach outside frames of 60x40 (sequence left)"
    )
    assert "\n" not in str(caught.value)
    assert not base.with_name("cut.zarr").exists()


def test_patterns_that_fit_no_sequence(base: Path) -> None:
    for changed, field in (
        (change("cut", crop(0, 0, 9, 9, "left", "middle")), "crop"),
        (change("cut", sequences=["l*", "middle"]), "sequences"),
    ):
        with pytest.raises(ScopeDepthError, match=rf"datasets\.cut\.{field}: 'middle' fits no sequence"):
            view_store(base, changed)


def test_a_view_is_read_from_the_pixels_that_it_was_made_for(base: Path) -> None:
    first = view_store(base, change("cut", crop(10, 6, 32, 21)))
    before = read_manifest(base.with_name("cut.json"))["digest"]
    manifest = json.loads(base.with_suffix(".json").read_text())
    base.with_suffix(".json").write_text(json.dumps({**manifest, "digest": "sha256:other"}))
    with pytest.raises(ScopeDepthError, match=r"is a view of .*mine\.zarr, which has been made anew"):
        DatasetStore(first.path)
    view_store(base, change("cut", crop(10, 6, 32, 21)))
    assert read_manifest(base.with_name("cut.json"))["digest"] != before
    (first.path / "view.json").write_text("{}")
    with pytest.raises(ScopeDepthError, match="does not say of what it is a view"):
        DatasetStore(first.path)
    view_store(base, change("cut", crop(10, 6, 32, 21)))
    whole = json.loads((first.path / "view.json").read_text())
    damages: tuple[dict[str, Any], ...] = (
        {"view_of": "../mine"},
        {"view_of": "other"},
        {"lineage": []},
        {"sequences": 3},
        {"sequences": {"nobody": {}}},
        {"sequences": {"left": {"steps": [{"os": {}}]}}},
        {"sequences": {"left": {"steps": [{"crop": {"x": 1}}]}}},
        {"sequences": {"left": {"steps": [{"crop": {"x": "1", "y": 0, "width": 2, "height": 2}}]}}},
        {"sequences": {"left": {"steps": [{"crop": {"x": 50, "y": 0, "width": 20, "height": 2}}]}}},
        {"sequences": {"left": {"lost_depth": ["x"]}}},
    )
    for damage in damages:
        (first.path / "view.json").write_text(json.dumps({**whole, **damage}))
        with pytest.raises(ScopeDepthError, match=r"is not a readable store|There is no store") as caught:
            DatasetStore(first.path)
        assert "\n" not in str(caught.value)
    (first.path / "view.json").write_text("{")
    with pytest.raises(ScopeDepthError, match=r"The view .* is damaged"):
        DatasetStore(first.path)


def test_the_digest_of_a_view_is_one_of_all_that_is_done(base: Path) -> None:
    def digest(*changes: dict[str, Any]) -> str:
        return str(read_manifest(view_store(base, *changes).path.with_suffix(".json"))["digest"])

    same = digest(change("cut", crop(10, 6, 32, 21)))
    assert digest(change("cut", crop(10, 6, 32, 21))) == same
    assert digest(change("cut", crop(10, 6, 32, 22))) != same
    assert digest(change("cut", crop(10, 6, 32, 21), sequences=["left"])) != same


def dimmed(view: str, name: str = "darkness", file: str = "photometric", severity: int = 3) -> dict[str, Any]:
    return {
        "view": view,
        "sequences": None,
        "steps": [
            {"crop": [crop(10, 6, 32, 21)]},
            {"corrupt": {"kind": name, "file": file, "severity": severity, "seed": 0}},
        ],
    }


def test_a_corrupted_view_shares_depth_and_flags_and_stores_no_pixel(base: Path) -> None:
    clean = view_store(base, change("cut", crop(10, 6, 32, 21))).sequences["left"]
    store = view_store(base, dimmed("dark"))
    seen = store.sequences["left"]
    assert [path.name for path in store.path.rglob("*")] == ["view.json"]
    assert np.array_equal(seen.stored_depth(0, 5), clean.stored_depth(0, 5))
    assert np.array_equal(seen.flags(0, 5), clean.flags(0, 5))
    assert seen.status().tolist() == clean.status().tolist()
    assert np.array_equal(seen.scene(0, 5), clean.rgb(0, 5))  # what decides which pixels count
    dark = seen.rgb(0, 5)
    assert dark.mean() < 0.7 * clean.rgb(0, 5).mean()
    for start, stop in ((1, 3), (4, 9)):
        assert np.array_equal(seen.rgb(start, stop), dark[start:stop])
    assert seen.attrs["notes"][-1] == "a view: darkness, severity 3 of 5, seed 0"
    digests = {
        name: read_manifest(view_store(base, one).path.with_suffix(".json"))["digest"]
        for name, one in (("dark", dimmed("dark")), ("more", dimmed("dark", severity=4)))
    }
    assert digests["dark"] != digests["more"]


def test_smoke_needs_the_depth_of_each_frame(base: Path) -> None:
    """Frame 3 has depth in its upper rows alone, which the window leaves out."""
    smoke = dimmed("smoky", "smoke", "medium")
    smoke["steps"] = smoke["steps"][1:]
    smoky, clean = (
        store.sequences["left"].rgb(0, 5) for store in (view_store(base, smoke), DatasetStore(base))
    )
    assert (np.abs(smoky.astype(int) - clean).mean(axis=(1, 2, 3)) > 2).all()
    with pytest.raises(ScopeDepthError) as caught:
        view_store(base, dimmed("smoky", "smoke", "medium"))
    assert str(caught.value) == (
        "smoky: smoke, severity 3 of 5, seed 0, follows from depth, and of sequence left 1 frames have none "
        "(the first: 03). Leave them out, or choose another kind."
    )


# The configuration.

CONFIG: dict[str, Any] = {
    "study": "small",
    "studies": {
        "small": {
            "datasets": ["cut"],
            "models": ["constant"],
            "protocols": ["median_depth"],
            "headline": {"protocol": "median_depth"},
        }
    },
    "datasets": {
        "mine": {
            "title": "Mine",
            "loader": "folder",
            "source": {"kind": "path", "path": "mine"},
            "licence": "CC0",
            "published": {"all": {"frames": 10, "size": list(SIZE)}},
        },
        "cut": {"view_of": "mine", "crop": {"x": 10, "y": 6, "width": 32, "height": 21}},
    },
    "models": {
        "constant": {"family": "baseline", "output": {"kind": "depth"}, "options": {"kind": "constant"}}
    },
    "protocols": {"median_depth": {"title": "medians", "alignment": {"method": "median", "scope": "frame"}}},
}


def configured(**datasets: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["datasets"].update(datasets)
    return config


def split(**fields: Any) -> dict[str, Any]:
    return {
        **CONFIG["datasets"]["mine"],
        "split": "sequence",
        "sequences": ["left", "right"],
        "published": {},
        **fields,
    }


def test_a_view_is_a_dataset_of_its_own_that_names_its_base() -> None:
    study = select_study(CONFIG)
    spec = study.datasets["cut"]
    assert (spec["name"], spec["view_of"], spec["lineage"]) == ("cut", "mine", ["cut", "mine"])
    assert (spec["title"], spec["licence"]) == ("Mine, a view", "CC0")
    assert spec["published"]["all"]["size"] == [21, 32]
    assert (list(study.units), list(study.base_units), study.stored()) == (["cut"], ["mine"], ["mine"])
    own = configured(cut={**CONFIG["datasets"]["cut"], "title": "Window", "licence": "MIT"})
    assert (select_study(own).datasets["cut"]["title"], select_study(own).datasets["cut"]["licence"]) == (
        "Window",
        "MIT",
    )


def test_units_of_a_view_are_those_of_its_base(root: Path) -> None:
    window = {"x": 1, "width": 9, "height": 9}
    config = configured(
        mine=split(cut={"right": [3]}),
        cut={"view_of": "mine", "crop": window},
        outer={"view_of": "cut", "sequences": ["r*"], "crop": window},
    )
    config["studies"]["small"]["datasets"] = ["cut", "outer"]
    config["protocols"]["median_depth"]["alignment"]["scope"] = "sequence"
    study = select_study(config)
    bases = {unit.name: unit.base for unit in study.units.values()}
    assert bases == {
        "cut@left": "mine@left",
        "cut@right~0": "mine@right~0",
        "cut@right~3": "mine@right~3",
        "outer@right~0": "mine@right~0",
        "outer@right~3": "mine@right~3",
    }
    assert study.datasets["outer"]["lineage"] == ["outer", "cut", "mine"]
    plan = Plan(study, root / "workflow_scripts")
    job = SimpleNamespace(unit="outer@right~3", protocol="median_depth", model="constant")
    fit = plan.inputs("align")
    assert fit["units_store"](job) == [f"results/datasets/outer@right~{first}.zarr" for first in (3, 0)]
    assert fit["bases_store"](job) == [f"results/datasets/mine@right~{first}.zarr" for first in (3, 0)]
    store, stored_job = Job("prepare", (job.unit,)), Job("prepare", ("mine@right~3",))
    assert plan.needed_by(store) == [stored_job]
    assert plan.needed_by(stored_job) == [Job("fetch_dataset", ("mine",))]
    assert plan.needed_by(Job("predict", (job.unit, "constant"))) == [store, stored_job]
    view = json.loads(plan.spec(store))
    assert (view["view_of"], view["whole"], [one["view"] for one in view["steps"]]) == (
        "mine@right~3",
        False,
        ["cut", "outer"],
    )
    assert "scopedepth.views.crop" in plan.code(store)
    assert "scopedepth.views.crop" not in plan.code(Job("predict", (job.unit, "constant")))
    stored = json.loads(plan.spec(stored_job))
    assert (stored["name"], stored["part"]) == ("mine", [3, None])
    prepared = plan.inputs("prepare")
    assert prepared["bases_store"](job) == ["results/datasets/mine@right~3.zarr"]
    assert prepared["bases_manifest"](job) == ["results/datasets/mine@right~3.json"]
    assert prepared["raw_files"](job) == []
    assert prepared["raw_files"](SimpleNamespace(unit="mine@right~3")) == ["results/raw/mine"]
    others = plan.code(stored_job)
    assert "scopedepth.views.crop" not in others
    assert '"view.py"' in plan.code(store)
    assert '"view.py"' not in others


def test_what_a_view_and_the_store_behind_it_need() -> None:
    """The store behind a view belongs to no dataset of the study; a view matches no stereo pair."""
    config = configured(mine={**CONFIG["datasets"]["mine"], "loader": "stereo"})
    needs = Needs(select_study(config))
    view, stored = (needs.prepare_mem_mb(SimpleNamespace(unit=unit), 1) for unit in ("cut", "mine"))
    assert stored > view == needs.prepare_mem_mb(SimpleNamespace(unit="cut"), 2) / 2
    assert Needs(needs.study, 64).prepare_threads(SimpleNamespace(unit="cut")) == 2


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"view_of": "mien", "crop": crop(0, 0, 9, 9)}, r"datasets\.cut\.view_of: 'mien' is not known"),
        ({"view_of": "cut", "crop": crop(0, 0, 9, 9)}, r"datasets\.cut\.view_of: cut is made from cut itself"),
        ({"view_of": "mine"}, r"datasets\.cut: a view says what it changes"),
        ({"view_of": "mine", "crop": {"x": 0, "width": 9}}, r"datasets\.cut\.crop\[0\]\.height: this field is needed"),
        ({"view_of": "mine", "crop": crop(-1, 0, 9, 9)}, r"datasets\.cut\.crop\[0\]\.x: -1 is not allowed"),
        ({"view_of": "mine", "crop": crop(0, 0, 0, 9)}, r"datasets\.cut\.crop\[0\]\.width: 0 is not allowed"),
        ({"view_of": "mine", "crops": []}, r"datasets\.cut\.crops: unknown field. Did you mean 'crop'"),
        ({"view_of": "mine", "loader": "folder"}, r"datasets\.cut\.loader: unknown field"),
        ({"view_of": "mine", "crop": crop(30, 0, 31, 9)}, r"outside frames of 60x40 \(sequence all\)"),
    ],
)  # fmt: skip
def test_views_that_cannot_be(view: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check(configured(cut=view))
    assert "\n" not in str(caught.value)


def test_views_of_each_other_and_of_sequences_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match=r"datasets\.other\.view_of: cut is made from other itself"):
        check(
            configured(
                cut={"view_of": "other", "sequences": ["a"]}, other={"view_of": "cut", "sequences": ["a"]}
            )
        )
    with pytest.raises(ConfigError, match=r"datasets\.cut\.sequences: 'middle' fits no sequence"):
        check(configured(mine=split(), cut={"view_of": "mine", "sequences": ["middle"]}))


def test_a_model_that_was_trained_on_a_dataset_has_seen_its_views() -> None:
    config = configured(outer={"view_of": "cut", "sequences": ["left"]}, other=CONFIG["datasets"]["mine"])
    config["studies"]["small"]["allow_seen"] = True
    for trained, level in (("mine", "frames"), ("outer", "frames"), ("other", "dataset")):
        config["models"]["constant"]["trained_on"] = [{"dataset": trained, "sequences": ["left"]}]
        checked = check(config)
        facts = facts_of(checked.datasets, checked.models)
        for name in ("cut", "outer", "mine"):
            assert seen(facts, "constant", name, "left") == level
            assert seen(facts, "constant", name, "right") == "dataset"


def test_check_dataset_shows_a_view(base: Path, tmp_path: Path) -> None:
    spec = dataset_spec("cut", check(CONFIG))
    said = list(check_dataset(spec, tmp_path / "raw", tmp_path / "sheet.png"))
    assert said[0] == "cut: a view of mine"
    assert "left: 5 frames of 32x21" in said
    assert any("a view: x 10 to 42, y 6 to 27 of frames of 60x40" in line for line in said)
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    outside = configured(cut={"view_of": "mine", "crop": {"x": 50, "width": 11, "height": 9}})
    outside["datasets"]["mine"]["published"] = {}
    with pytest.raises(ScopeDepthError, match="outside frames of 60x40"):
        list(check_dataset(dataset_spec("cut", check(outside)), tmp_path / "raw"))


def test_plan_counts_the_store_behind_a_view_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10 frames of 60x40 at 8 bytes a pixel: 0.000192 GB, whether the dataset itself takes part or not."""
    for datasets in (["cut"], ["cut", "mine"], ["mine"]):
        config = configured()
        config["studies"]["small"]["datasets"] = datasets
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        options = [
            "plan",
            "--configfile",
            str(tmp_path / "config.yaml"),
            "--results",
            str(tmp_path / "results"),
        ]
        assert main(options) == 0
        said = capsys.readouterr().out
        assert "Dataset stores still to be made: 0.000192 GB" in said
        assert ("cut is a view of mine: nothing is fetched or stored for it." in said) == ("cut" in datasets)


def test_the_crops_of_the_sources_are_configured(root: Path) -> None:
    config = check(yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8")))
    hamlyn, c3vd = (dataset_spec(f"{name}_endodac", config) for name in ("hamlyn_rectified", "c3vd"))
    assert hamlyn["published"]["rectified14"]["size"] == [288, 410]
    assert hamlyn["published"]["rectified12"]["size"] == [288, 360]
    assert c3vd["steps"][0]["steps"][0]["crop"] == [crop(200, 180, 950, 720)]


# The workflow.


def rows_of(project: Project, dataset: str) -> list[dict[str, Any]]:
    """Return the scores of a dataset's frames without its name."""
    rows = pq.read_table(project.folder / "results/studies/small/frames.parquet").to_pylist()
    return [{k: v for k, v in row.items() if k != "dataset"} for row in rows if row["dataset"] == dataset]


@pytest.mark.workflow
def test_a_view_scores_as_the_same_files_cut_by_hand(tmp_path: Path) -> None:
    """A study of a view alone fetches and prepares its base, and agrees with a dataset of files that were cut."""
    config = copy.deepcopy(PROJECT)
    config["datasets"] = {
        "one": config["datasets"]["one"],
        "cut": {"view_of": "one", "crop": {"x": 3, "y": 5, "width": 20, "height": 14}},
        "files": {**config["datasets"]["one"], "source": {"kind": "path", "path": "data/files"}},
    }
    small = config["studies"]["small"]
    small |= {"datasets": ["cut", "files"], "models": ["brightness"], "protocols": ["median_depth"]}
    project = Project.create(tmp_path / "project", config)
    write_frames(project.folder / "data/one", ("left", "right"))
    for path in sorted((project.folder / "data/one").rglob("*.png")):
        picture: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        to = project.folder / "data/files" / path.relative_to(project.folder / "data/one")
        to.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(to), picture[5:19, 3:23])
    project.snakemake()
    rows = rows_of(project, "cut")
    assert len(rows) == 6
    assert rows == rows_of(project, "files")
    datasets = project.folder / "results/datasets"
    assert [path.name for path in (datasets / "cut.zarr").iterdir() if not path.name.startswith(".")] == [
        "view.json"
    ]
    assert not (project.folder / "results/raw/cut").exists()
    page = (project.folder / "results/studies/small/report.html").read_text(encoding="utf-8")
    assert "A view of" in page
    assert "a view: x 3 to 23, y 5 to 19 of frames of 32x24" in page
    assert project.jobs() == set()
    for arguments in (
        ("explain", "results/scores/cut/brightness/median_depth.parquet"),
        ("explain", "results/datasets/cut.zarr"),
        ("verify",),
    ):
        done = project.command(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    # Another window: the view's own results are made anew, and nothing of its base or of others.
    config["datasets"]["cut"]["crop"]["x"] = 4
    project.write_config(config)
    assert project.jobs() == {
        "prepare(cut)",
        "predict(cut, brightness)",
        "align(cut, brightness)",
        "score(cut, brightness)",
        "summarise(small)",
        "report(small)",
    }
    # A window that leaves the frame ends a job with one line, which the run repeats.
    config["datasets"]["cut"]["crop"]["x"] = 13
    project.write_config(config)
    failed = project.snakemake("results/datasets/cut.zarr", check=False)
    assert failed.returncode != 0
    line = "datasets.cut.crop: x 13, y 5, width 20, height 14 reach outside frames of 32x24 (sequence left)"
    assert f"failed: preparing cut: {line}" in failed.stdout + failed.stderr
