"""Where the numbers come from: run records, versions, devices, weights. Warns where they differ within a study."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scopedepth.jobs import read_record
from scopedepth.report.results import Results
from scopedepth.report.table import Cell, Column, Table, code, value_cell
from scopedepth.report.words import NOTHING, number


def record_name(path: Path) -> str:
    """Return what a record is about: its path from the results folder on, without endings."""
    parts = path.parts
    kept = parts[len(parts) - parts[::-1].index("results") :] if "results" in parts else parts[-3:]
    return "/".join(kept).removesuffix(".run.json").removesuffix(".json")


def records(results: Results) -> list[tuple[str, dict[str, Any]]]:
    """Return the run records that could be read, by name and in order."""
    found = [(record_name(Path(path)), read_record(Path(path))) for path in results.records]
    return sorted((name, record) for name, record in found if record)


def warnings(found: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return one sentence for every library and device that differs between the jobs of a stage or the study."""
    versions: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    devices: dict[str, list[str]] = defaultdict(list)
    for name, record in found:
        for library, version in (record.get("versions") or {}).items():
            versions[library][str(version)].append(name)
        if record.get("device") and name.startswith("predictions"):
            devices[str(record["device"])].append(name)
    said = []
    for library, by_version in sorted(versions.items()):
        if len(by_version) > 1:
            listed = "; ".join(
                f"{version} in {_some(names)}" for version, names in sorted(by_version.items())
            )
            said.append(
                f"{library} differs between jobs: {listed}. Numbers may not be comparable to the last digit."
            )
    if len(devices) > 1:
        listed = "; ".join(f"{device} in {_some(names)}" for device, names in sorted(devices.items()))
        said.append(f"Predictions were made on different devices: {listed}.")
    timed = {str(row["hardware"]) for row in results_timing(found)}
    if len(timed) > 1:
        said.append(
            f"Models were timed on different hardware: {'; '.join(sorted(timed))}. Their times do not compare."
        )
    return said


def results_timing(found: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [record for name, record in found if name.startswith("timing") and record.get("hardware")]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def records_table(found: list[tuple[str, dict[str, Any]]]) -> Table | None:
    """Return one row a job."""
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
            Cell(str(record.get("began", NOTHING))),
            value_cell(number(record.get("seconds"), 1), record.get("seconds")),
            Cell(str(record.get("host", NOTHING))),
            Cell(str(record.get("device", NOTHING))),
            value_cell(number(record.get("peak_memory_mib"), 0), record.get("peak_memory_mib")),
            Cell(str(record.get("python", NOTHING))),
            Cell(", ".join(f"{name} {version}" for name, version in sorted(versions.items())) or NOTHING, css="words"),
        ])  # fmt: skip
    return Table("Jobs behind this report", columns, rows)


def stores_table(results: Results) -> Table:
    """Return the digests of all stores: what exactly was scored."""
    columns = [Column("Store"), Column("Digest of the content"), Column("Weights"), Column("State")]
    rows = []
    for unit, path in sorted(results.stores.items()):
        manifest = read_json(path.with_suffix(".json"))
        rows.append(_store_row(f"datasets/{unit}", path, manifest))
    for (unit, model), path in sorted(results.predictions.items()):
        manifest = read_json(path.with_suffix(".json"))
        rows.append(_store_row(f"predictions/{unit}/{model}", path, manifest))
    return Table("Stores", columns, rows)


def _store_row(name: str, path: Path, manifest: dict[str, Any]) -> list[Cell]:
    digest = str(manifest.get("digest") or "")
    weights = str(manifest.get("weights_digest") or "")
    return [
        Cell(code(name), name, name),
        Cell(
            Markup('<code title="{}">{}</code>').format(digest, digest[:23]) if digest else NOTHING,
            digest,
            digest,
        ),
        Cell(
            Markup('<code title="{}">{}</code>').format(weights, weights[:23]) if weights else NOTHING,
            weights,
            weights,
        ),
        Cell("there" if path.exists() else "missing", css="" if path.exists() else "bad"),
    ]


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
