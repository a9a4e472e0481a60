"""A study without a single number says why: in the report and in the terminal's last words, by name and count."""

from __future__ import annotations

import copy
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import dataset_trees as trees
from project import write_frames
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.fetch import fetch_dataset
from scopedepth.report.html.remarks import _cautions_of
from scopedepth.report.ranking import write_ranking
from scopedepth.report.results import Results
from scopedepth.tables.io import table_from
from scopedepth.tables.study import STUDY_TABLES

STUDY = {
    "datasets": ["mine"],
    "models": ["net"],
    "protocols": ["p"],
    "headline": {"protocol": "p", "metric": "abs_rel"},
}
MODELS = {"net": {"title": "Net", "family": "python"}}
PROTOCOLS = {"p": {"version": 1}}


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
