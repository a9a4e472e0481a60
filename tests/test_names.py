"""The tables of models, metrics and protocols: a row for each name that a study's tables use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scopedepth.config.files import read_config
from scopedepth.config.load import select_study
from scopedepth.report.names import write_names
from scopedepth.tables.io import read_table
from scopedepth.tables.study import FRAMES, NAME_TABLES


def test_each_model_metric_and_protocol_of_a_study_has_a_row(root: Path, tmp_path: Path) -> None:
    study = select_study(read_config(root / "config.yaml"), "paper")
    out = {name: tmp_path / f"{name}.parquet" for name in NAME_TABLES}
    write_names(study.spec, study.models, study.protocols, out)
    tables = {name: read_table(path) for name, path in out.items()}
    for name, schema in NAME_TABLES.items():
        assert tables[name].schema.names == schema.names
        assert tables[name].schema.metadata == schema.metadata
    rows: dict[str, list[dict[str, Any]]] = {name: table.to_pylist() for name, table in tables.items()}
    assert [row["model"] for row in rows["models"]] == sorted(study.models)
    assert all(row["title"] for row in rows["models"])
    seen = {row["model"]: row["trained_on"] for row in rows["models"]}
    assert seen["endo_sfmlearner"] == ["endoslam_unity"]
    assert seen["zoedepth_nyu_kitti"] == ["unknown"]
    metrics = {row["metric"]: row for row in rows["metrics"]}
    computed = {name for spec in study.protocols.values() for name in spec["metrics"]}
    assert computed <= metrics.keys() & set(FRAMES.names)
    assert (metrics["abs_rel"]["direction"], metrics["delta1"]["direction"]) == ("lower", "higher")
    assert (metrics["rmse"]["unit"], metrics["abs_rel"]["unit"]) == ("mm", "1")
    assert [row["protocol"] for row in rows["protocols"]] == sorted(study.protocols)
    for row in rows["protocols"]:
        spec = study.protocols[row["protocol"]]
        assert json.loads(row["spec"]) == json.loads(json.dumps(spec))
        assert (row["protocol_version"], row["scope"]) == (spec["version"], spec["alignment"]["scope"])
        assert (row["least_depth"], row["greatest_depth"]) == (
            spec["depth_range"]["min"],
            spec["depth_range"]["max"],
        )
