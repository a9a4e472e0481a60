"""Several crates of one comparison as one study: rows stand together where data, weights and protocols are the same.

A cell is what one model has on one dataset under one protocol. The first crate that has it gives it; where another
one has it too, the two are compared, and what differs is said. Tables, report and ranking are made anew from the
cells, as the workflow makes them, so that a study that was split and is merged has the tables of the whole one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from scopedepth.config.load import MODEL_WORDS, PROTOCOL_WORDS, without
from scopedepth.errors import ScopeDepthError
from scopedepth.export.opened import OpenedCrate
from scopedepth.job.manifest import write_json
from scopedepth.job.run import digests_of, sealed
from scopedepth.study.layout import NAME_TABLES, RESULTS, STUDY_TABLES, Job, weights_job
from scopedepth.tables.frames import SCORES, read_scores
from scopedepth.vocabulary.units import dataset_of

# What a study must say alike in all crates, for the numbers of one table follow from it.
SETTINGS = ("headline", "metrics", "bootstrap")
# Whose records and pages the report shows, where a crate has them.
SHOWN = ("prepare", "predict", "time")
WITHOUT_STORES = (
    "Merged from crates, which hold no stores: the errors against depth and the pictures stand in the reports that "
    "were merged."
)

Cell = tuple[str, str, str]


@dataclass
class Merged:
    """What was merged: the study's specs, from which crate each cell is, and what is to be said of it."""

    crates: Sequence[OpenedCrate]
    about: dict[str, Any]
    owners: dict[Cell, OpenedCrate]
    timed: dict[str, OpenedCrate]
    said: list[str] = field(default_factory=list)


def merge(paths: Sequence[Path], out: Path, name: str | None = None) -> Merged:
    """Merge crates into a new folder `out`; returns what was merged.

    `name`: the merged study's; the first crate's where none is given. Crates whose studies do not agree on what their
    numbers rest on, and cells that no crate has, are a `ScopeDepthError` that names them.
    """
    merged, scores = gather(paths, out / RESULTS, name)
    _write(merged, scores, out / RESULTS)
    return merged


def gather(paths: Sequence[Path], folder: Path, name: str | None = None) -> tuple[Merged, list[Path]]:
    """Copy what the crates' study consists of below `folder`; returns what it is and its tables of scores."""
    crates = [OpenedCrate(path) for path in paths]
    if len({crate.digest for crate in crates}) < len(crates):
        raise ScopeDepthError("The same crate is named twice.")
    merged = _agreed(crates, name)
    return merged, _copied(crates, merged, folder)


def _agreed(crates: Sequence[OpenedCrate], name: str | None) -> Merged:
    """Return the study that the crates make together."""
    first = crates[0].study["study"]
    for crate in crates[1:]:
        for setting in SETTINGS:
            if crate.study["study"].get(setting) != first.get(setting):
                raise ScopeDepthError(
                    f"{crate.path}: the study's {setting} is {crate.study['study'].get(setting)}, and in "
                    f"{crates[0].path} {first.get(setting)}. Run one of them with the other's."
                )
    protocols = _protocols(crates)
    models, datasets = _union(crates, "models"), _union(crates, "datasets")
    said = [f"Measured in {crate.measured_by}." for crate in crates]
    left_out = sorted({p for crate in crates for p in crate.study["study"]["protocols"]} - protocols.keys())
    if left_out:
        said.append(f"Left out, because not all crates have them: the protocols {', '.join(left_out)}.")
    said.append(WITHOUT_STORES)
    if any(crate.study["study"].get("robustness") for crate in crates):
        said.append("What the rankings withstand (robustness) stands in the reports that were merged.")
    if any(one.get("reference_error") for one in datasets.values()):
        said.append("What the error of a reference leaves open stands in the reports that were merged.")
    if any(crate.study["study"].get("strata") for crate in crates):
        said.append("Where models fail (strata) stands in the reports that were merged.")
    owners = _owners(crates, protocols)
    lacking = [cell for cell in product(datasets, models, protocols) if cell not in owners]
    if lacking:
        dataset, model, protocol = lacking[0]
        raise ScopeDepthError(
            f"No crate has {model} on {dataset} under {protocol}, and {len(lacking) - 1} more cells are missing. "
            "A ranking needs each model on each dataset: run what is missing, or export studies without it."
        )
    _refuse_gaps(owners)
    timed, told = _timed(crates, list(models))
    study = {
        **first,
        "name": name or first["name"],
        "datasets": list(datasets),
        "models": list(models),
        "protocols": list(protocols),
        "lineage": _lineage(crates),
        "robustness": None,
        "strata": False,
        "frame_pages": None,
        "timing": next((c.study["study"]["timing"] for c in crates if c.study["study"]["timing"]), None),
        "allow_seen": any(crate.study["study"].get("allow_seen") for crate in crates),
        "notes": list(dict.fromkeys(note for crate in crates for note in crate.study["study"]["notes"])),
    }
    about = {"study": study, "datasets": datasets, "models": models, "protocols": protocols}
    return Merged(crates, about, owners, timed, [*said, *told])


def _protocols(crates: Sequence[OpenedCrate]) -> dict[str, Any]:
    """Return the protocols that all crates have; two of one name that say unlike things are refused."""
    found = dict(crates[0].study["protocols"])
    for crate in crates[1:]:
        own = crate.study["protocols"]
        for name in found.keys() & own.keys():
            ours, theirs = (without(spec, PROTOCOL_WORDS) for spec in (found[name], own[name]))
            if ours != theirs:
                field = _differing(ours, theirs)
                raise ScopeDepthError(
                    f"{crate.path}: the protocol {name} is another one: its {field} is {theirs.get(field)}, and in "
                    f"{crates[0].path} {ours.get(field)}. Rename one of them, or run one study again."
                )
        found = {name: spec for name, spec in found.items() if name in own}
    headline = crates[0].study["study"]["headline"]["protocol"]
    if headline not in found:
        raise ScopeDepthError(f"The headline's protocol, {headline}, is not in all crates.")
    return found


def _union(crates: Sequence[OpenedCrate], kind: str) -> dict[str, Any]:
    """Return the specs of all crates; entries of one name are the same, as far as numbers depend on them."""
    found: dict[str, tuple[OpenedCrate, dict[str, Any]]] = {}
    for crate in crates:
        # Those that the study names; corrupted views are no datasets of their own.
        for name in crate.study["study"][kind]:
            spec = crate.study[kind][name]
            if name not in found:
                found[name] = crate, spec
                continue
            other, known = found[name]
            differs = _other_model if kind == "models" else _other_data
            problem = differs(name, known, spec, other, crate)
            if problem:
                raise ScopeDepthError(
                    f"{crate.path}: {name} is not what it is in {other.path}: {problem}. Rows of the two do not belong "
                    "into one table; rename one of them in its study, and export that again."
                )
    return {name: spec for name, (_, spec) in found.items()}


def _other_model(name: str, known: Any, spec: Any, one: OpenedCrate, other: OpenedCrate) -> str | None:
    ours, theirs = (without(model, MODEL_WORDS, {"weights"}) for model in (known, spec))
    if ours != theirs:
        field = _differing(ours, theirs)
        return f"its {field} is {theirs.get(field)}, not {ours.get(field)}"
    digests = []
    for model, crate in ((known, one), (spec, other)):
        job = weights_job(model)
        digests.append(None if job is None else crate.json(job.path("manifest").as_posix()).get("digest"))
    return None if digests[0] == digests[1] else "its weights have another digest"


def _differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return the first field in which two specs differ, which do."""
    return next(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))


def _other_data(name: str, known: Any, spec: Any, one: OpenedCrate, other: OpenedCrate) -> str | None:
    if known["depth"]["unit"] != spec["depth"]["unit"]:
        return "its depth has another unit"
    found = [
        {job.values[0]: crate.json(job.path("manifest").as_posix()).get("digest")
         for job in crate.jobs if job.rule == "prepare" and dataset_of(job.values[0]) == name}
        for crate in (one, other)
    ]  # fmt: skip
    if found[0].keys() != found[1].keys():
        return "it is cut into other units"
    differing = [unit for unit in found[0] if found[0][unit] != found[1][unit]]
    return f"its frames have another digest ({differing[0]})" if differing else None


def _owners(crates: Sequence[OpenedCrate], protocols: Iterable[str]) -> dict[Cell, OpenedCrate]:
    """Return the first crate that has each cell."""
    wanted = set(protocols)
    owners: dict[Cell, OpenedCrate] = {}
    for crate in crates:
        for job in crate.jobs:
            if job.rule == "score" and job.values[2] in wanted:
                unit, model, protocol = job.values
                owners.setdefault((dataset_of(unit), model, protocol), crate)
    return owners


def _refuse_gaps(owners: Mapping[Cell, OpenedCrate]) -> None:
    """Refuse a crate that has a cell on some of its units of a dataset and not on others."""
    for (dataset, model, protocol), crate in owners.items():
        jobs = [job for job in crate.jobs if job.rule in ("prepare", "score")]
        wanted = {
            job.values[0] for job in jobs if job.rule == "prepare" and dataset_of(job.values[0]) == dataset
        }
        scored = {
            job.values[0] for job in jobs if job.rule == "score" and job.values[1:] == (model, protocol)
        }
        if wanted - scored:
            raise ScopeDepthError(
                f"{crate.path}: the scores of {model} on {min(wanted - scored)} under {protocol} are missing. "
                "Is it a crate of scopedepth export, and whole?"
            )


def _timed(crates: Sequence[OpenedCrate], models: Sequence[str]) -> tuple[dict[str, OpenedCrate], list[str]]:
    """Return whose timing counts, by model, and what is said of it: times of two machines share no ranking."""
    timed: dict[str, OpenedCrate] = {}
    machines: dict[str, list[str]] = {}
    settings = [crate.study["study"]["timing"] for crate in crates if crate.study["study"]["timing"]]
    if any(one != settings[0] for one in settings):
        return {}, ["Speed is left out, for the crates say differently how it is measured (timing)."]
    for crate in crates:
        names = set()
        for job in crate.jobs:
            if job.rule == "time" and job.values[1] in models:
                record = crate.record(job)
                names.add(_machine(record, crate))
                timed.setdefault(job.values[1], crate)
        for machine in names:
            machines.setdefault(machine, []).append(crate.path.name)
    if len(machines) > 1:
        where = "; ".join(f"{machine} ({', '.join(names)})" for machine, names in sorted(machines.items()))
        return {}, [f"Speed is left out, for it was measured on several machines: {where}."]
    sources = {crate.path.name for crate in timed.values()}
    if len(sources) > 1:
        (machine,) = machines
        said = f"Speed was measured on one machine, as all records say, {machine} ({', '.join(sorted(sources))})."
        return timed, [said, *_untimed(timed, models)]
    return timed, _untimed(timed, models)


def _untimed(timed: Mapping[str, OpenedCrate], models: Sequence[str]) -> list[str]:
    if timed and timed.keys() != set(models):
        return [f"Without a measured speed: {', '.join(sorted(set(models) - timed.keys()))}."]
    return []


def _machine(record: Mapping[str, Any], crate: OpenedCrate) -> str:
    """Return what tells a machine from others, as a record of its timing says it.

    Hosts of two laboratories may have one name, so device and system count as well; a record that does not say what it
    ran on is of a machine of its crate's own.
    """
    host, hardware = record.get("host"), record.get("hardware")
    if not host or not hardware:
        return f"a machine that {crate.path.name} does not name"
    more = [str(record[key]) for key in ("device", "platform") if record.get(key)]
    return f"{host}: {hardware}" + (f" ({', '.join(more)})" if more else "")


def _lineage(crates: Sequence[OpenedCrate]) -> dict[str, Any]:
    """Return whose frames the datasets show and what the models have seen, which all crates say alike."""
    found: dict[str, dict[str, Any]] = {"datasets": {}, "models": {}}
    for crate in crates:
        for kind, facts in crate.study["study"].get("lineage", {}).items():
            for name, said in facts.items():
                known = found[kind].setdefault(name, said)
                if _decides(known) != _decides(said):
                    raise ScopeDepthError(
                        f"{crate.path}: what is stated of {name} (provenance, trained_on) is not what {crates[0].path} "
                        "or a crate after it states. State the same, and export again."
                    )
    return found


def _decides(facts: Any) -> Any:
    """Return facts without where files lie, which is each laboratory's own."""
    return without(facts, {"files", "source"}) if isinstance(facts, Mapping) else facts


def _copied(crates: Sequence[OpenedCrate], merged: Merged, folder: Path) -> list[Path]:
    """Copy what the study consists of, compare what two crates have, and return the tables of scores."""
    scores = []
    compared, differing = 0, []
    for crate in crates:
        for job in crate.jobs:
            if job.rule in SHOWN and (job.rule != "time" or merged.timed.get(job.values[1]) is crate):
                _copy(crate, job, folder)
            if job.rule not in ("align", "score") or job.values[2] not in merged.about["protocols"]:
                continue
            unit, model, protocol = job.values
            if dataset_of(unit) not in merged.about["datasets"]:
                continue
            owner = merged.owners[dataset_of(unit), model, protocol]
            table = job.path("table", folder)
            if owner is crate:
                _copy(crate, job, folder)
                scores += [table] if job.rule == "score" else []
            elif job.rule == "score":
                compared += 1
                difference = _difference(table, crate, job)
                if difference:
                    differing.append(f"{model} on {unit} under {protocol}: {difference}")
    if compared:
        merged.said.append(
            f"{compared} tables of scores are in more than one crate, and {compared - len(differing)} of them alike."
        )
    merged.said += [f"Two crates differ on {one}. The first crate's stands here." for one in differing]
    return scores


def _copy(crate: OpenedCrate, job: Job, folder: Path) -> None:
    """Copy a job's files, which are those that its record speaks of."""
    crate.record(job)
    for output in job.stage.makes:
        inside = job.path(output).as_posix()
        if crate.has(inside) and not (path := job.path(output, folder)).exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(crate.read(inside))


def _difference(kept: Path, crate: OpenedCrate, job: Job) -> str:
    """Return how a table of another crate differs from the one that is kept; empty where it does not."""
    crate.record(job)
    content = crate.read(job.path("table").as_posix())
    if content == kept.read_bytes():
        return ""
    other_path = kept.with_name(kept.name + ".other.partial")
    other_path.write_bytes(content)
    try:
        ours, theirs = read_scores(kept), read_scores(other_path)
    finally:
        other_path.unlink()
    for key in ("sequence", "frame", "frame_id", "status"):
        if ours[key].to_pylist() != theirs[key].to_pylist():
            return f"{key} of frames"
    largest = 0.0, ""
    for name in SCORES.names:
        if str(SCORES.field(name).type) != "double":
            continue
        a, b = (table[name].to_numpy(zero_copy_only=False).astype(float) for table in (ours, theirs))
        if np.any(np.isnan(a) != np.isnan(b)):
            return f"{name} is missing in one of them"
        apart = np.abs(a - b) / np.maximum(np.abs(a), np.finfo(float).tiny)
        largest = max(largest, (float(np.nanmax(apart, initial=0.0)), name))
    return f"{largest[1]} by up to {largest[0]:.2g} of itself" if largest[0] else ""


def _write(merged: Merged, scores: list[Path], folder: Path) -> None:
    """Write the merged study's tables, report and ranking, and a record of what they were made from."""
    from scopedepth.report.html.page import write_report
    from scopedepth.report.names import write_names
    from scopedepth.report.paper.folder import write_paper
    from scopedepth.report.ranking import write_ranking
    from scopedepth.statistics.summarise import summarise_study

    about = merged.about
    study: Any = {**about["study"], "notes": [*about["study"]["notes"], *merged.said]}
    if not merged.timed:
        study["timing"] = None
    tables, shown = Job("summarise", (study["name"],)), Job("report", (study["name"],))
    paths = {
        **{name: tables.path(name, folder) for name in STUDY_TABLES},
        **{name: shown.path(name, folder) for name in NAME_TABLES},
    }
    timing = study["timing"]["name"] if study["timing"] else ""
    timed = [Job("time", (timing, model)).path("table", folder) for model in merged.timed]
    specs = {**about, "study": study}
    summarise_study(**specs, scores=scores, timings=timed, out=paths)
    units = dict.fromkeys(path.relative_to(folder).parts[1] for path in scores)
    stores = {unit: Job("prepare", (unit,)).path("store", folder) for unit in units}
    page, written = shown.path("html", folder), sorted(folder.glob("**/*.run.json"))
    write_names(study, about["models"], about["protocols"], {name: paths[name] for name in NAME_TABLES})
    records = [path for path in written if path.relative_to(folder).parts[0] not in ("alignments", "scores")]
    write_report(**specs, tables=paths, stores=stores, predictions={}, records=records, out=page)
    write_paper(**specs, tables=paths, out=shown.path("paper", folder))
    write_ranking(
        **specs, tables=paths, stores=stores, report=shown.path("html"), out=shown.path("ranking", folder)
    )
    inputs = {crate.path.name: crate.digest for crate in merged.crates}
    made_from = json.dumps({"code": {}, "inputs": inputs, "spec": specs}, sort_keys=True, ensure_ascii=False)
    write_json(
        tables.path("record", folder), sealed({"made_from": made_from, "outputs": digests_of(paths.values())})
    )
