"""A finished study as an RO-Crate: whole, described to the last file, and refused where the study is not finished."""

from __future__ import annotations

import hashlib
import json
import socket
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from partial import partial
from project import Project
from scopedepth.export.crate import Crate, Member, Part, terms_of_parts, write_crate
from scopedepth.export.croissant import croissant
from scopedepth.tables.io import write_table
from scopedepth.tables.study import FRAMES, RANKS
from scopedepth.tables.timing import TIMING

CRATE = Crate(
    title="A study",
    description="Of something.",
    began="2026-01-01T00:00:00+00:00",
    ended="2026-01-01T01:00:00+00:00",
    version="1",
    engine="9",
    members=[Member("dataset", "one", partial(title="One", licence="CC0", citation="@misc{one, }"))],
    inputs=["config.yaml"],
    results=["results/a b#1.json"],
)
PARTS = [
    Part("results/a b#1.json", b"{}"),
    Part("config.yaml", b"study: a\n"),
    Part("rules/a.smk", b"# a\n"),
    Part("Snakefile", b"# all\n"),
]


def described(crate: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the entities of a crate by their id, and its files by name; every file is checked against its entity."""
    with zipfile.ZipFile(crate) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        files = {name: archive.read(name) for name in names}
    graph = json.loads(files["ro-crate-metadata.json"])["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert len(entities) == len(graph), "an id stands for one thing"
    parts = {part["@id"] for part in entities["./"]["hasPart"]}
    assert {unquote(part) for part in parts} == files.keys() - {"ro-crate-metadata.json"}
    for part in parts:
        entity, content = entities[part], files[unquote(part)]
        assert "File" in entity["@type"]
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
    for entity in graph:
        for reference in references(entity):
            local = not reference.startswith(("https://", "http://"))
            assert not local or reference in entities, f"{entity['@id']} points to {reference}"
    return entities, files


def references(value: Any, top: bool = True) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in references(item, False)]
    if not isinstance(value, dict):
        return []
    if not top and set(value) == {"@id"}:
        return [value["@id"]]
    return [found for item in value.values() for found in references(item, False)]


def test_a_crate_describes_every_file_and_says_what_ran(tmp_path: Path) -> None:
    assert write_crate(tmp_path / "a.zip", CRATE, PARTS) == 5
    entities, _ = described(tmp_path / "a.zip")
    descriptor = entities["ro-crate-metadata.json"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.3"}
    profiles = [entities[profile["@id"]] for profile in entities["./"]["conformsTo"]]
    assert {(one["name"], one["version"]) for one in profiles} == {
        ("Process Run Crate", "0.6"),
        ("Workflow Run Crate", "0.6"),
        ("Workflow RO-Crate", "1.1"),
    }
    root = entities["./"]
    workflow = entities[root["mainEntity"]["@id"]]
    assert {"SoftwareSourceCode", "ComputationalWorkflow"} < set(workflow["@type"])
    assert entities[workflow["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    action = entities[root["mentions"]["@id"]]
    assert action["@type"] == "CreateAction"
    assert action["instrument"]["@id"] == "Snakefile"
    assert [item["@id"] for item in action["object"]] == ["config.yaml", "#dataset-one"]
    assert [item["@id"] for item in action["result"]] == ["results/a%20b%231.json"]
    assert entities["#dataset-one"]["license"] == "CC0"
    assert "One: CC0" in entities[root["license"]["@id"]]["description"]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    write_crate(tmp_path / "a.zip", CRATE, PARTS)
    write_crate(tmp_path / "b.zip", CRATE, list(reversed(PARTS)))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_crate_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_crate(tmp_path / "a.zip", CRATE, [*PARTS, Part("z", tmp_path / "missing")])
    assert list(tmp_path.iterdir()) == []


def test_croissant_says_what_the_tables_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns, types, descriptions, units and digests; nothing of where the tables or the data lie."""
    home = tmp_path / "home" / "mallory"
    home.mkdir(parents=True)
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "mallory")
    monkeypatch.setattr("socket.gethostname", lambda: "secret-host")
    schemas = {"frames": FRAMES, "timing": TIMING, "ranks": RANKS}
    paths = {name: Path("results") / f"{name}.parquet" for name in schemas}
    for name, schema in schemas.items():
        write_table(paths[name], schema, [schema.empty_table()])
    spec = partial(title="One", licence="CC0", source={"kind": "path", "path": str(home)})
    terms = terms_of_parts([Member("dataset", "one", spec)])
    content = croissant("s", "S", "D", "2026-01-02T03:04:05+00:00", "1", terms, paths, url="https://x.org/s")
    for secret in ("mallory", "secret-host", "/home", str(tmp_path)):
        assert secret not in content.decode()
    told = json.loads(content)
    assert (told["conformsTo"], told["datePublished"]) == ("http://mlcommons.org/croissant/1.1", "2026-01-02")
    assert "creator" not in told, "nobody is invented"
    for one in told["distribution"]:
        assert one["sha256"] == hashlib.sha256(Path(one["contentUrl"]).read_bytes()).hexdigest()
    for records in told["recordSet"]:
        schema = schemas[records["name"]]
        fields = records["field"]
        assert [field["name"] for field in fields] == schema.names
        for field, column in zip(fields, schema, strict=True):
            assert field["description"] == column.metadata[b"description"].decode()
            assert field["@id"] == f"{records['name']}/{column.name}"
    found = {field["@id"]: field for records in told["recordSet"] for field in records["field"]}
    kinds = {name: (field["dataType"], field.get("unitText")) for name, field in found.items()}
    assert kinds["frames/rmse"] == ("sc:Float", "mm")
    assert kinds["frames/abs_rel"] == ("sc:Float", None)
    assert kinds["frames/frame"] == ("sc:Integer", None)
    assert kinds["timing/forward_p90_early_stopping"] == ("sc:Float", "ms")
    assert kinds["timing/load_ms"] == ("sc:Float", "ms")
    assert kinds["timing/memory_mib"] == ("sc:Float", "MiB")
    assert kinds["ranks/model"] == ("sc:Text", None)
    assert (found["ranks/tied_with"]["isArray"], found["ranks/tied_with"]["arrayShape"]) == (True, "-1")
    # A unit in a column's description is one that is stated.
    for name, field in found.items():
        for unit in ("ms", "J"):
            if field["description"].endswith((f", {unit}", f", {unit} a call")):
                assert field["unitText"] == unit, name


@pytest.mark.workflow
def test_a_finished_study_is_exported_whole(finished: Project, tmp_path: Path) -> None:
    out = tmp_path / "small.zip"
    arguments = ("--author", "A. Person", "--licence", "https://creativecommons.org/licenses/by/4.0/")
    done = finished.command("export", "small", "--out", str(out), *arguments)
    assert done.returncode == 0, done.stderr
    entities, files = described(out)
    results = finished.folder / "results"
    of_the_study = [
        path for path in results.rglob("*") if path.is_file() and path.suffix not in (".log", ".done")
    ]
    for path in of_the_study:
        name = path.relative_to(finished.folder).as_posix()
        in_store = ".zarr/" in name or name.startswith(
            ("results/raw/one/", "results/raw/two/", "results/.leaves/")
        )
        assert (name in files) == (not in_store and path.name != ".snakemake_timestamp"), name
    assert files["config.yaml"] == (finished.folder / "config.yaml").read_bytes()
    resolved = json.loads(files["study.json"])
    assert resolved["models"]["constant"]["precision"] == "fp32", "defaults are filled in"
    assert files["rules/report.smk"] == (finished.folder / "rules" / "report.smk").read_bytes()
    assert "workflow_scripts/scopedepth/report/html/templates/page.html.j2" in files
    assert entities["./"]["license"] == {"@id": "https://creativecommons.org/licenses/by/4.0/"}
    assert entities["./"]["author"] == {"@id": "#author-1"}
    made = {item["@id"] for item in entities["#run"]["result"]}
    assert "results/studies/small/report.html" in made
    tables = json.loads(files["croissant.json"])
    assert {one["contentUrl"] for one in tables["distribution"]} == {
        name for name in files if name.startswith("results/studies/small/") and name.endswith(".parquet")
    }
    assert tables["license"] == "https://creativecommons.org/licenses/by/4.0/"
    for secret in (str(finished.folder), str(Path.home()), socket.gethostname() + '"'):
        assert secret not in files["croissant.json"].decode()
    # With the predictions, and twice the same bytes.
    for name in ("with.zip", "again.zip"):
        finished.command("export", "small", "--predictions", "--out", str(tmp_path / name))
    _, more = described(tmp_path / "with.zip")
    stores = {name for name in more.keys() - files.keys() if name.startswith("results/predictions/")}
    assert any(name.startswith("results/predictions/one/brightness.zarr/") for name in stores)
    assert more.keys() - files.keys() == stores
    assert (tmp_path / "with.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


@pytest.mark.workflow
def test_an_unfinished_study_is_refused_with_what_to_run(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    table = project.folder / "results/scores/two/constant/median_depth.parquet"
    kept = table.read_bytes()
    table.unlink()
    missing = project.command("export", "small")
    assert missing.returncode == 1
    assert "not finished: 1 of" in missing.stderr
    assert "results/scores/two/constant/median_depth.parquet" in missing.stderr
    assert "snakemake --cores all --config study=small" in missing.stderr
    table.write_bytes(kept)
    config = project.read_config()
    config["models"]["constant"]["precision"] = "bf16"
    project.write_config(config)
    stale = project.command("export", "small")
    assert stale.returncode == 1
    assert "out of date: results/predictions/one/constant.json" in stale.stderr
    unknown = project.command("export", "smal")
    assert "Did you mean 'small'?" in unknown.stderr
    assert not list(project.folder.glob("*.zip*"))
