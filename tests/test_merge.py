"""Crates of one comparison become one study: the tables of the whole, or a refusal that says what does not fit."""

from __future__ import annotations

import copy
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scopedepth
from project import CONFIG, Project
from scopedepth.cli import main
from scopedepth.commands.export import RESOLVED, description, made, members, resolved
from scopedepth.config.load import select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.export.crate import Crate, Part, write_crate
from scopedepth.export.merge import _refuse_gaps, gather, merge
from scopedepth.export.opened import OpenedCrate
from scopedepth.job.manifest import digest_file, record_of, write_json
from scopedepth.job.run import read_record, sealed
from scopedepth.study.layout import STUDY_TABLES, Job
from scopedepth.study.plan import Plan
from timing_fakes import write_calls

CODE = [Part("Snakefile", b"# all\n"), Part("config.yaml", b"study: small\n")]
# Of stores, which crates do not hold, come the errors against depth.
TABLES = [name for name in STUDY_TABLES if name not in ("depth_error", "timing")]


def write(project: Project, out: Path, author: str = "", **chosen: Any) -> Path:
    """Write a crate of a part of the small study from the results of the whole one, as `scopedepth export` does."""
    config = copy.deepcopy(CONFIG)
    config["timings"] = {"quick": {"title": "quick", "frame_sizes": [[320, 320]]}}
    config["studies"]["small"] |= chosen
    study = select_study(config)
    plan = Plan(study, project.folder / "workflow_scripts")
    results = [
        Part(path.as_posix(), project.folder / path)
        for job, paths in made(plan)
        for path in paths
        if job.rule not in ("summarise", "report")
    ]
    parts = [*CODE, Part(RESOLVED, resolved(study)), *results]
    crate = Crate(
        title="small",
        description=description(study),
        began="2026-01-01T00:00:00+00:00",
        ended="2026-01-02T00:00:00+00:00",
        version="0.2.0",
        engine="9",
        members=list(members(study, project.folder / "results")),
        inputs=["config.yaml", RESOLVED],
        results=[part.name for part in results],
        authors=[author] if author else [],
    )
    write_crate(out, crate, parts)
    return out


@pytest.fixture
def split(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The small study in four crates: each model on each dataset."""
    monkeypatch.chdir(finished.folder)
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    crates = [
        write(
            finished, tmp_path / f"{dataset}_{model}.zip", dataset.title(), datasets=[dataset], models=[model]
        )
        for dataset in ("one", "two")
        for model in ("constant", "brightness")
    ]
    monkeypatch.chdir(tmp_path)
    return crates


def changed(crate: Path, out: Path, name: str, change: Callable[[bytes], bytes], told: bool = False) -> Path:
    """Copy a crate with one file changed; `told`: with size and digest in the metadata as of the changed file."""
    import hashlib

    with zipfile.ZipFile(crate) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    files[name] = change(files[name])
    if told:
        metadata = json.loads(files["ro-crate-metadata.json"])
        (entity,) = [one for one in metadata["@graph"] if one["@id"] == name]
        digest = hashlib.sha256(files[name]).hexdigest()
        entity |= {"contentSize": str(len(files[name])), "sha256": digest}
        files["ro-crate-metadata.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(out, "w") as archive:
        for one, content in files.items():
            archive.writestr(one, content)
    return out


def test_a_study_that_was_split_has_the_tables_of_the_whole(split: list[Path], finished: Project) -> None:
    assert main(["merge", *map(str, split), "--out", "both"]) == 0
    whole, made_here = finished.folder / "results/studies/small", Path("both/results/studies/small")
    for name in TABLES:
        assert (made_here / f"{name}.parquet").read_bytes() == (whole / f"{name}.parquet").read_bytes(), name
    page = (made_here / "report.html").read_text(encoding="utf-8")
    assert "Measured in one_constant.zip by One (ScopeDepth 0.2.0, 2026-01-02)" in page
    study = scopedepth.open("both/results", "small")
    assert set(study.summary.model) == {"constant", "brightness"}


def test_the_order_of_the_crates_decides_nothing_but_whose_cell_stands(split: list[Path]) -> None:
    first, last = gather(split, Path("a"))[0], gather(split[::-1], Path("b"))[0]
    assert {cell: crate.path for cell, crate in first.owners.items()} == {
        cell: crate.path for cell, crate in last.owners.items()
    }


def test_cells_that_two_crates_have_are_compared(
    split: list[Path], finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    again = write(finished, split[0].with_name("again.zip"), models=["constant", "brightness"])
    monkeypatch.chdir(split[0].parent)
    said = gather([*split, again], Path("c"))[0].said
    assert "8 tables of scores are in more than one crate, and 8 of them alike." in said

    # Another laboratory's numbers, with records that fit them.
    other = finished.folder.parent / "other"
    shutil.copytree(finished.folder / "results", other / "results")
    shutil.copytree(finished.folder / "workflow_scripts", other / "workflow_scripts")
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = other / "results/scores/one/constant/median_depth.parquet"
    content = pq.read_table(table)
    place = content.column_names.index("rmse")
    moved = content.set_column(place, content.schema.field(place), pc.multiply(content["rmse"], 1.25))
    pq.write_table(moved, table)
    record = {**read_record(record_of(table)), "outputs": {table.name: digest_file(table)}}
    write_json(record_of(table), sealed(record))
    theirs = write(Project(other), Path("theirs.zip").absolute())
    said = gather([*split, theirs], Path("d"))[0].said
    assert "8 tables of scores are in more than one crate, and 7 of them alike." in said
    assert (
        "Two crates differ on constant on one under median_depth: rmse by up to 0.25 of itself. The first crate's "
        "stands here." in said
    )


def refused(crates: list[Path], match: str) -> None:
    with pytest.raises(ScopeDepthError, match=match):
        merge(crates, Path("refused"))


def test_what_lacks_is_named(split: list[Path]) -> None:
    refused(split[:3], r"No crate has brightness on two under \w+, and 1 more cells are missing")
    refused([split[0], split[0]], "named twice")
    assert main(["merge", str(split[0])]) == 1
    assert main(["merge", "no.zip", str(split[0])]) == 1
    assert main(["merge", *map(str, split[:2]), "--name", "../x"]) == 1
    assert not Path("merged").exists()
    assert not Path("merged.partial").exists()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda s: s["study"]["headline"].update(metric="rmse"), "the study's headline is"),
        (lambda s: s["study"]["bootstrap"].update(seed=5), "the study's bootstrap is"),
        (lambda s: s["protocols"]["median_depth"].update(version=2), "median_depth is another one: its version"),
        (lambda s: s["protocols"]["sequence_scale"].update(error_epsilon=1.0), "another one: its error_epsilon"),
        (lambda s: s["models"]["constant"]["output"].update(kind="disparity"), "constant is not what it is in"),
        (lambda s: s["models"]["constant"]["options"].update(kind="brightness"), "its options is"),
        (lambda s: s["datasets"]["one"]["depth"].update(unit="relative"), "its depth has another unit"),
        (lambda s: s["study"]["lineage"]["datasets"]["one"].update(patient="*"), "what is stated of one"),
        (lambda s: s.pop("models"), "names no study"),
    ],
)  # fmt: skip
def test_studies_that_do_not_fit_are_refused(
    split: list[Path], change: Callable[[dict[str, Any]], Any], match: str
) -> None:
    def altered(content: bytes) -> bytes:
        study = json.loads(content)
        change(study)
        return json.dumps(study).encode()

    # Two crates with the same dataset and model, so that entries of one name meet.
    other = changed(split[0], Path("other.zip"), RESOLVED, altered, told=True)
    refused([split[0], other], match)


def test_data_with_another_digest_are_refused(split: list[Path]) -> None:
    name = "results/datasets/one.json"
    other = changed(
        split[1], Path("other.zip"), name, lambda text: text.replace(b"sha256:", b"sha256:0"), told=True
    )
    refused([split[0], other], "its frames have another digest")


def test_words_and_places_may_differ(split: list[Path]) -> None:
    def altered(content: bytes) -> bytes:
        study = json.loads(content)
        study["models"]["constant"] |= {"title": "Another title"}
        study["datasets"]["one"]["source"] = {"kind": "path", "path": "/elsewhere"}
        study["protocols"]["median_depth"]["title"] = "in other words"
        return json.dumps(study).encode()

    other = changed(split[0], Path("other.zip"), RESOLVED, altered, told=True)
    assert gather([*split, other], Path("e"))[0].said


def test_a_crate_that_was_changed_is_found(split: list[Path]) -> None:
    """Each file of the results, changed in the archive alone, or in the metadata as well."""
    table = "results/scores/one/constant/median_depth.parquet"
    record = table.replace(".parquet", ".run.json")
    flipped = lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:]  # noqa: E731
    for name, told, match in (
        (table, False, "is not the file that ro-crate-metadata.json states"),
        (table, True, "is not the file that its job made"),
        (record, False, "is not the file that ro-crate-metadata.json states"),
        (record, True, "is not as its job left it|is damaged"),
        (RESOLVED, False, "is not the file that ro-crate-metadata.json states"),
    ):
        refused([changed(split[0], Path("changed.zip"), name, flipped, told), *split[1:]], match)
    with zipfile.ZipFile(split[0], "a") as archive:
        archive.writestr("results/scores/one/constant/extra.parquet", b"x")
    refused(split, r"extra\.parquet stands in one of")


def without(crate: Path, out: Path, *names: str) -> Path:
    """Copy a crate without files, of which its metadata then say nothing."""
    with zipfile.ZipFile(crate) as archive:
        files = {one: archive.read(one) for one in archive.namelist() if one not in names}
    metadata = json.loads(files["ro-crate-metadata.json"])
    metadata["@graph"] = [one for one in metadata["@graph"] if one["@id"] not in names]
    files["ro-crate-metadata.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(out, "w") as archive:
        for one, content in files.items():
            archive.writestr(one, content)
    return out


def test_results_that_were_taken_out_or_swapped_are_missed(split: list[Path]) -> None:
    """The metadata tell nothing of it; the jobs' records do."""
    for name in (
        "results/scores/one/constant/median_depth.parquet",
        "results/alignments/one/constant/sequence_scale.parquet",
        "results/predictions/one/constant.json",
        "results/datasets/one.page.json",
    ):
        refused([without(split[0], Path("less.zip"), name), *split[1:]], "is missing, which its job made")
    # A whole record, of another job.
    record = "results/scores/one/constant/median_depth.run.json"
    with zipfile.ZipFile(split[0]) as archive:
        other = archive.read(record.replace("median_depth", "sequence_scale"))
    swapped = changed(split[0], Path("swapped.zip"), record, lambda _: other, told=True)
    refused([swapped, *split[1:]], r"median_depth\.parquet is not the file that its job made")


def test_a_unit_without_scores_is_missed(split: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a dataset in parts, the scores of one part with all that tells of them."""
    crate = OpenedCrate(split[0])
    jobs = [
        Job("prepare", ("one@left",)), Job("prepare", ("one@right",)),
        Job("score", ("one@left", "constant", "median_depth")),
    ]  # fmt: skip
    monkeypatch.setattr(crate, "jobs", jobs)
    with pytest.raises(ScopeDepthError, match="constant on one@right under median_depth are missing"):
        _refuse_gaps({("one", "constant", "median_depth"): crate})


def test_names_that_lead_out_of_the_folder_are_no_results(tmp_path: Path) -> None:
    parts = [*CODE, Part("results/scores/../up/x.parquet", b"x"), Part("../../out.txt", b"x")]
    crate = Crate("t", "d", "2026", "2026", "1", "9", [], ["config.yaml"], [])
    write_crate(tmp_path / "a.zip", crate, parts)
    assert OpenedCrate(tmp_path / "a.zip").jobs == []


def laboratory(project: Project, folder: Path, model: str, milliseconds: float, **record: Any) -> Path:
    """A clone with the results of one model, timed on a machine as `record` names it; returns its crate."""
    for name in ("results", "workflow_scripts"):
        shutil.copytree(project.folder / name, folder / name)
    timing = Job("time", ("quick", model))
    table, beside = timing.path("table", folder / "results"), timing.path("record", folder / "results")
    table.parent.mkdir(parents=True)
    made = write_calls(table.parent, [0.0] * 3, [milliseconds] * 3, model=model)
    facts = {**read_record(record_of(made)), "began": "2026-01-01T00:00:00Z", "seconds": 1.0, **record}
    record_of(made).unlink()
    made.rename(table)
    write_json(beside, sealed({**facts, "outputs": {table.name: digest_file(table)}}))
    return write(Project(folder), folder.with_suffix(".zip"), folder.name, models=[model], timing="quick")


def laboratories(
    finished: Project, folder: Path, monkeypatch: pytest.MonkeyPatch, *records: dict[str, Any]
) -> list[Path]:
    monkeypatch.chdir(folder)
    crates = []
    for name, model, record in zip(("north", "south"), ("constant", "brightness"), records, strict=True):
        crates.append(laboratory(finished, folder / name, model, 5.0, **record))
    return crates


AMD = {"host": "vm", "hardware": "AMD EPYC", "device": "cpu", "platform": "Linux-6.1"}


@pytest.mark.parametrize(
    "other",
    [
        {**AMD, "hardware": "Another processor"},
        {**AMD, "host": "ws2"},
        # Two laboratories may call their machines alike.
        {**AMD, "hardware": "AMD EPYC", "platform": "Linux-5.15"},
        {**AMD, "hardware": "NVIDIA H100", "device": "cuda:0"},
        {**AMD, "host": None},
        {**AMD, "hardware": None},
    ],
)
def test_times_of_two_machines_never_share_a_ranking(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    for order in (1, -1):
        folder = tmp_path / str(order)
        folder.mkdir()
        crates = laboratories(finished, folder, monkeypatch, AMD, other)[::order]
        merged, _ = gather(crates, Path("gathered"))
        assert merged.timed == {}
        assert not list(Path("gathered").glob("timing/**/*.parquet")), "not even to be found"
        (said,) = [line for line in merged.said if line.startswith("Speed is left out")]
        assert "north.zip" in said
        assert "south.zip" in said


def test_what_two_laboratories_measured_is_told_and_their_times_are_kept_apart(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has run another model in a clone of its own, and timed it on a machine of its own."""
    crates = laboratories(
        finished, tmp_path, monkeypatch, AMD, {**AMD, "host": "ws2", "hardware": "NVIDIA H100"}
    )
    merge(crates, Path("both"))
    study = scopedepth.open("both/results", "small")
    assert set(study.summary.model) == {"constant", "brightness"}
    assert len(study.timing) == 0
    page = (Path("both") / Job("report", ("small",)).path("html")).read_text(encoding="utf-8")
    for said in (
        "Measured in north.zip by north (ScopeDepth 0.2.0, 2026-01-02)",
        "Measured in south.zip by south (ScopeDepth 0.2.0, 2026-01-02)",
        "Speed is left out, for it was measured on several machines: vm: AMD EPYC (cpu, Linux-6.1) (north.zip); "
        "ws2: NVIDIA H100 (cpu, Linux-6.1) (south.zip).",
    ):
        assert said in page


def test_times_of_one_machine_stay(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crates = laboratories(finished, tmp_path, monkeypatch, AMD, AMD)
    merged, _ = gather(crates, Path("gathered"))
    assert {model: crate.path.stem for model, crate in merged.timed.items()} == {
        "constant": "north",
        "brightness": "south",
    }
    assert (
        "Speed was measured on one machine, as all records say, vm: AMD EPYC (cpu, Linux-6.1) (north.zip, south.zip)."
        in merged.said
    )


def test_flipped_bytes_change_no_number(split: list[Path]) -> None:
    """A byte of a crate, anywhere: it is found, or what is gathered is the same as without it."""
    folder = Path("right")
    gather(split, folder)
    right = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    content, chance = split[0].read_bytes(), random.Random(0)
    found = 0
    for number in range(60):
        at = chance.randrange(len(content))
        damaged = Path("damaged.zip")
        damaged.write_bytes(
            content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
        )
        try:
            gather([damaged, *split[1:]], Path(f"gathered{number}"))
        except ScopeDepthError:
            found += 1
            continue
        gathered = {
            path.relative_to(f"gathered{number}"): path.read_bytes()
            for path in Path(f"gathered{number}").rglob("*")
            if path.is_file()
        }
        assert gathered == right, at
    assert found > 30
