"""A study without a single number says why: in the report and in the terminal's last words, by name and count."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import dataset_trees as trees
from partial import partial
from project import write_frames
from scopedepth.commands.plan import without_depth
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.fetch import fetch_dataset
from scopedepth.report.html.parts.marks import looks
from scopedepth.report.html.remarks import _cautions_of
from scopedepth.report.html.sections.gallery import gallery
from scopedepth.report.ranking import failed_frames, write_ranking
from scopedepth.report.results import Results
from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.study.layout import Job
from scopedepth.tables.io import table_from
from scopedepth.tables.study import STUDY_TABLES
from scopedepth.vocabulary.flags import PREDICTION_FAILED

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

STUDY: Any = {
    "datasets": ["mine"],
    "models": ["net"],
    "protocols": ["p"],
    "headline": {"protocol": "p", "metric": "abs_rel"},
}
MODELS: Any = {"net": {"title": "Net", "family": "python"}}
PROTOCOLS: Any = {"p": {"version": 1}}


def unreadable_kind(data: Path) -> None:
    for path in data.rglob("depth/*.png"):
        path.rename(path.with_suffix(".xyz"))


def other_names(data: Path) -> None:
    for path in data.rglob("depth/*.png"):
        path.rename(path.with_name("abc"[int(path.stem)] + "x.png"))


def far_away(data: Path) -> None:
    for path in data.rglob("depth/*.png"):
        cv2.imwrite(str(path), np.full((24, 32), 2000, np.uint16))


def overexposed(data: Path) -> None:
    for path in data.rglob("rgb/*.png"):
        cv2.imwrite(str(path), np.full((24, 32, 3), 255, np.uint8))


# What was done to the files, the frames' status, and what is said at each place.
CASES = {
    "a kind that is not read": (
        unreadable_kind,
        "no_depth",
        "3 .xyz (read are .png, .npy, .tif, .tiff, .exr, ",
    ),
    "names": (other_names, "no_depth", "3 depth files have no image and are left out, the first one ax.png"),
    "range": (far_away, "outside_range", "depth 1000 to 1000 (mm)"),
    "masks": (overexposed, "no_valid_pixels", "specular 100%"),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_was_passed_over_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    spoil, status, expected = CASES[kind]
    data = tmp_path / "data"
    write_frames(data, ("left",))
    spoil(data)
    spec = trees.spec_of("mine", "folder", data, depth={"unit": "mm", "scale": 0.5})
    raw, store = tmp_path / "raw/mine", tmp_path / "mine.zarr"
    fetch_dataset(spec, raw, tmp_path / "raw/mine.json", 1)
    if status == "no_depth":
        assert (
            f"mine: 6 files: {'3 .xyz, 3 .png' if '.xyz' in expected else '6 .png'}"
            in capsys.readouterr().err
        )
    checked = "\n".join(check_dataset(spec, raw))
    prepare_unit(spec, raw, store, store.with_suffix(".json"), 1)
    said = capsys.readouterr().err
    if status == "no_depth":
        assert expected in checked
        assert expected in said
        assert "mine: none of 3 frames has depth" in said

    tables = {name: tmp_path / f"{name}.parquet" for name in STUDY_TABLES}
    for name, path in tables.items():
        pq.write_table(STUDY_TABLES[name].empty_table(), path)
    keys = {"dataset": "mine", "sequence": "left", "model": "net", "protocol": "p", "status": status}
    frames = [
        {**dict.fromkeys(STUDY_TABLES["frames"].names), **keys, "frame": n, "n_pixels": 0} for n in range(3)
    ]
    summary = {**dict.fromkeys(STUDY_TABLES["summary"].names), **keys, "metric": "abs_rel", "n_failed": 0}
    summary["seen_in_training"] = "none"
    summary = {name: summary[name] for name in STUDY_TABLES["summary"].names}
    for name, rows in (("frames", frames), ("summary", [summary])):
        pq.write_table(
            table_from(
                STUDY_TABLES[name], {key: [row[key] for row in rows] for key in STUDY_TABLES[name].names}
            ),
            tables[name],
        )
    stores, datasets = {"mine": store}, {"mine": copy.deepcopy(spec)}
    out = tmp_path / "ranking.txt"
    write_ranking(STUDY, datasets, MODELS, PROTOCOLS, tables, stores, tmp_path / "report.html", out)
    last = out.read_text(encoding="utf-8")
    assert last.index("! nothing could be scored on mine: ") < last.index("    left: ") < last.index(expected)
    results = Results(STUDY, datasets, MODELS, PROTOCOLS, tables, stores)
    page = " ".join(map(str, _cautions_of(results, "mine")))
    assert page.index("Nothing could be scored on mine: ") < page.index("left: ") < page.index(expected)
    assert "(3 frames)" in page


def without_any(tmp_path: Path, frames: int, with_depth: int) -> tuple[Path, specs.Dataset]:
    """Prepare a dataset of which the first `with_depth` frames have depth."""
    data = tmp_path / "data"
    write_frames(data, ("left",), frames)
    for path in sorted(data.rglob("depth/*.png"))[with_depth:]:
        path.unlink()
    spec = trees.spec_of("mine", "folder", data, depth={"unit": "mm", "scale": 0.5})
    raw, store = tmp_path / "raw/mine", tmp_path / "mine.zarr"
    fetch_dataset(spec, raw, tmp_path / "raw/mine.json", 1)
    prepare_unit(spec, raw, store, store.with_suffix(".json"), 1)
    return store, spec


def write_output(path: Path, kind: str, outputs: np.ndarray, failed: int) -> None:
    """Write a prediction store of one sequence; the frame numbered `failed` has none."""
    arrays = {
        "prediction": ArraySpec(outputs.shape[1:], "float32", ("v", "u"), float("nan")),
        "status": ArraySpec((), "uint8"),
    }
    attrs = {"output_kind": kind, "unit": None, "sequences": ["left"]}
    groups = {"left": {"n_frames": len(outputs), "arrays": arrays}}
    with ShardedStore(path, {}, groups, len(outputs), attrs) as store:
        for name, shard, start, stop in store.missing():
            status = np.zeros(stop - start, np.uint8)
            status[failed] = PREDICTION_FAILED
            store.write_shard(
                name, shard, {"prediction": outputs[start:stop].astype(np.float32), "status": status}
            )
        store.finish()


def test_frames_without_depth_are_shown(tmp_path: Path) -> None:
    store, spec = without_any(tmp_path, 6, 2)
    near = np.linspace(20, 100, 6 * 12 * 16).reshape(6, 12, 16)
    outputs = {"depth_net": ("depth", near), "disparity_net": ("disparity", 7 - near)}
    for name, (kind, output) in outputs.items():
        write_output(tmp_path / f"{name}.zarr", kind, output, failed=5)
    tables = {name: tmp_path / f"{name}.parquet" for name in STUDY_TABLES}
    for name, path in tables.items():
        pq.write_table(STUDY_TABLES[name].empty_table(), path)
    models: Any = {name: {"title": name, "family": "python"} for name in outputs}
    protocols: Any = {"p": {"version": 1, "name": "p"}}
    predictions = {("mine", name): tmp_path / f"{name}.zarr" for name in outputs}
    results = Results(
        STUDY | {"models": list(models)},
        {"mine": spec},
        models,
        protocols,
        tables,
        {"mine": store},
        predictions,
    )
    (part,) = gallery(results, looks(results))
    assert part["frames"] == []
    assert part["bare_count"] == 4
    assert [one["name"] for one in part["bare"]] == ["0002", "0003", "0005"]
    first, _, last = part["bare"]
    pictures = [item["depth"] for item in first["items"]]
    assert pictures[0] is not None
    assert pictures[0] == pictures[1]  # near is bright, whichever way the output runs
    assert [item["missing"] for item in last["items"]] == ["the model failed on the frame"] * 2
    said = " ".join(map(str, _cautions_of(results, "mine")))
    assert "Nothing could be scored on mine" in said


def test_the_last_words_count_frames_without_depth(tmp_path: Path) -> None:
    columns = {
        "dataset": ["mine"] * 6,
        "model": ["net"] * 6,
        "protocol": ["p"] * 6,
        "status": ["ok"] * 2 + ["no_depth"] * 4,
    }
    rows = {
        name: columns.get(name, [0 if name in ("frame", "n_pixels") else None] * 6)
        for name in STUDY_TABLES["frames"].names
    }
    rows["sequence"] = ["left"] * 6
    pq.write_table(table_from(STUDY_TABLES["frames"], rows), tmp_path / "frames.parquet")
    said = list(failed_frames(tmp_path / "frames.parquet", "p", {"mine": partial()}, MODELS))
    assert said == ["! 4 of 6 frames of mine have no reference depth and count in no number"]


def test_the_plan_says_what_has_no_depth(tmp_path: Path) -> None:
    store, spec = without_any(tmp_path, 3, 1)
    unit = SimpleNamespace(dataset="mine")
    study: Any = SimpleNamespace(datasets={"mine": spec}, units={"mine": unit})
    results = tmp_path / "results"
    assert without_depth(results, study, "mine") is None
    manifest = Job("prepare", ("mine",)).path("manifest", results)
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(store.with_suffix(".json").read_bytes())
    assert without_depth(results, study, "mine") == "2 of 3 frames have no reference depth"
    declared = SimpleNamespace(
        datasets={"mine": {**spec, "depth": {**spec["depth"], "kind": "none"}}}, units={"mine": unit}
    )
    assert without_depth(results, declared, "mine") == "no frame has a reference depth (depth.kind: none)"  # type: ignore[arg-type]
