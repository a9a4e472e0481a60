"""Where the numbers come from: run records, versions, devices, weights. Warns where they differ within a study."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scopedepth.job.manifest import manifest_of
from scopedepth.job.run import read_record
from scopedepth.report.html.parts.table import Cell, Column, Table, code, value_cell
from scopedepth.report.results import Results
from scopedepth.report.words import number
from scopedepth.study.layout import Job, job_at

# What was not written down.
UNKNOWN = "not recorded"


def record_name(path: Path) -> str:
    """Return what a record is about: the name of the job that wrote it, or the record's own."""
    parts = path.parts
    jobs = (job_at("/".join(parts[start:])) for start in range(len(parts)))
    return next((job.name for job in jobs if job is not None), path.name)


def records(results: Results) -> list[tuple[str, dict[str, Any]]]:
    """Return the run records that could be read, by name and in order."""
    found = [(record_name(Path(path)), read_record(Path(path))) for path in results.records]
    return sorted((name, record) for name, record in found if record)


def prediction_facts(results: Results) -> list[tuple[str, dict[str, Any]]]:
    """Return what each prediction store says of its making: device, precision, versions, commit of the weights."""
    found = []
    for (unit, model), path in sorted(results.predictions.items()):
        attributes = read_json(path / "zarr.json").get("attributes")
        if isinstance(attributes, dict):
            found.append((Job("predict", (unit, model)).name, attributes))
    return found


def warnings(results: Results) -> list[str]:
    """Return a sentence for every library, device and timing machine that differs within the study."""
    made = prediction_facts(results)
    versions: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    devices: dict[str, set[str]] = defaultdict(set)
    for name, facts in [*records(results), *made]:
        for library, version in (facts.get("versions") or {}).items():
            versions[str(library)][str(version)].add(name)
    for name, facts in made:
        if facts.get("device"):
            devices[str(facts["device"])].add(name)
    said = [
        f"{library} differs between jobs: {_where(places)}. Numbers may differ in their last digits for that alone."
        for library, places in sorted(versions.items())
        if len(places) > 1
    ]
    if len(devices) > 1:
        said.append(f"Predictions were made on different devices: {_where(devices)}.")
    timed = sorted({str(row["hardware"]) for row in results.timing if row["hardware"]})
    if len(timed) > 1:
        said.append(
            f"Models were timed on different hardware ({'; '.join(timed)}): these times do not compare."
        )
    return said


def _where(places: Mapping[str, set[str]]) -> str:
    return "; ".join(f"{value} in {_some(sorted(names))}" for value, names in sorted(places.items()))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def records_table(found: list[tuple[str, dict[str, Any]]]) -> Table | None:
    """Return one row a job, from `records`."""
    if not found:
        return None
    columns = [
        Column("Job"), Column("Began"), Column("Seconds", number=True), Column("Host"), Column("Device"),
        Column("Peak memory, MiB", number=True), Column("Python"), Column("Libraries"),
    ]  # fmt: skip
    rows = []
    for job, record in found:
        versions = record.get("versions") or {}
        rows.append([
            Cell(code(job), job, job),
            Cell(str(record.get("began", UNKNOWN))),
            value_cell(number(record.get("seconds"), 1), record.get("seconds"), why=UNKNOWN),
            Cell(str(record.get("host", UNKNOWN))),
            Cell(str(record.get("device", UNKNOWN))),
            value_cell(
                number(record.get("peak_memory_mib"), 0), record.get("peak_memory_mib"), why=UNKNOWN
            ),
            Cell(str(record.get("python", UNKNOWN))),
            Cell(", ".join(f"{name} {version}" for name, version in sorted(versions.items())) or UNKNOWN, css="words"),
        ])  # fmt: skip
    return Table("Jobs behind this report", columns, rows)


def stores_table(results: Results) -> Table:
    """Return the digests of all stores: what exactly was scored, and what it was made with."""
    columns = [
        Column("Store"),
        Column("Digest of the content", tip="whole when copied"),
        Column("Digest of the weights", tip="whole when copied"),
        Column("Device"),
        Column("Precision"),
        Column("State"),
    ]
    made = dict(prediction_facts(results))
    paths = {Job("prepare", (unit,)).name: path for unit, path in sorted(results.stores.items())}
    paths |= {Job("predict", key).name: path for key, path in sorted(results.predictions.items())}
    rows = []
    for name, path in paths.items():
        manifest, facts = read_json(manifest_of(path)), made.get(name, {})
        rows.append([
            Cell(code(name), name, name),
            digest_cell(manifest.get("digest")),
            digest_cell(manifest.get("weights_digest")),
            Cell(str(facts.get("device") or UNKNOWN)),
            Cell(str(facts.get("precision") or UNKNOWN)),
            Cell("there" if path.exists() else "missing", css="" if path.exists() else "bad"),
        ])  # fmt: skip
    return Table("Stores", columns, rows)


def digest_cell(digest: object) -> Cell:
    """Return the beginning of a digest; the whole of it is copied."""
    if not isinstance(digest, str) or not digest:
        return Cell(UNKNOWN)
    short = digest.removeprefix("sha256:")[:12]
    return Cell(Markup('<code title="{}">{}</code>').format(digest, short), digest, digest)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
