"""A finished study as one RO-Crate: a zip file whose ro-crate-metadata.json says what each file in it is.

The crate follows the profile Workflow Run Crate 0.5 (https://w3id.org/ro/wfrun/workflow/0.5), and so Workflow RO-Crate
1.0 and RO-Crate 1.1: the workflow is its main entity, the run an action from configuration, datasets and models to
results. The metadata are one JSON-LD file, written here without a library; every file stands in it with its size and
digest. The same files give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

METADATA = "ro-crate-metadata.json"
WORKFLOW = "Snakefile"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
# RO-Crate 1.1 has no word for a digest.
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
FORMATS = {
    ".bib": "application/x-bibtex",
    ".cff": "application/yaml",
    ".css": "text/css",
    ".html": "text/html",
    ".j2": "text/plain",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".rst": "text/x-rst",
    ".smk": "text/plain",
    ".tex": "application/x-tex",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}
# Compressed already; files without an ending are the shards of stores.
STORED = frozenset({".parquet", ".png", ".pdf", ""})
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can say

Entity = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One file of a crate: its name there, and where its bytes are or what they are."""

    name: str
    content: Path | bytes
    description: str = ""


@dataclass(frozen=True)
class Member:
    """A dataset or a model of the study: no file of the crate, but what its files came from."""

    kind: str
    name: str
    spec: Mapping[str, Any]
    digest: str | None = None


@dataclass(frozen=True)
class Crate:
    """What a crate says besides its files. `began` and `ended` are times in ISO 8601, of the first and last job."""

    title: str
    description: str
    began: str
    ended: str
    version: str
    engine: str
    members: Sequence[Member]
    inputs: Sequence[str]
    results: Sequence[str]
    commit: str | None = None
    authors: Sequence[str] = field(default=())
    licence: str | None = None


def write_crate(out: Path, crate: Crate, parts: Iterable[Part]) -> int:
    """Write the crate to `out`, which appears when it is whole; returns the number of files in it."""
    files: list[Entity] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(out.name + ".partial")
    try:
        with zipfile.ZipFile(beside, "w", allowZip64=True) as archive:
            for part in sorted(parts, key=lambda part: part.name):
                files.append(_file(part, *_add(archive, part.name, part.content)))
            text = json.dumps(metadata(crate, files), indent=1, ensure_ascii=False) + "\n"
            _add(archive, METADATA, text.encode())
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return len(files) + 1


def _add(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> tuple[int, str]:
    """Add one file; returns its size and its digest."""
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if PurePosixPath(name).suffix in STORED else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # the same bytes on every system
    digest, size = hashlib.sha256(), 0
    with archive.open(entry, "w", force_zip64=True) as target:
        for piece in _pieces(content):
            digest.update(piece)
            size += len(piece)
            target.write(piece)
    return size, digest.hexdigest()


def _pieces(content: Path | bytes) -> Iterable[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    file: IO[bytes]
    with content.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _file(part: Part, size: int, digest: str) -> Entity:
    suffix = PurePosixPath(part.name).suffix
    entity: Entity = {
        "@id": _identifier(part.name),
        "@type": "File",
        "name": part.name,
        "contentSize": str(size),
        "sha256": digest,
        "encodingFormat": FORMATS.get(suffix, "application/octet-stream"),
    }
    if part.description:
        entity["description"] = part.description
    return entity


def _identifier(name: str) -> str:
    """Return a file's relative URI: a sequence's name may hold what a URI may not."""
    from urllib.parse import quote

    return quote(name, safe="/@!$&'()*+,;=:~")


def metadata(crate: Crate, files: Sequence[Entity]) -> Entity:
    """Return the content of ro-crate-metadata.json."""
    workflow = next(file for file in files if file["@id"] == WORKFLOW)
    developers = "#scopedepth-developers"
    workflow |= {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "ScopeDepth",
        "description": "Monocular depth models on endoscopic video: one prediction, every published protocol.",
        "programmingLanguage": {"@id": LANGUAGE},
        "license": {"@id": "https://spdx.org/licenses/MIT"},
        "creator": {"@id": developers},
        "version": crate.version + (f" (commit {crate.commit})" if crate.commit else ""),
        "hasPart": [
            {"@id": file["@id"]} for file in files if file["@id"].startswith(("rules/", "workflow_scripts/"))
        ],
    }
    people = [
        {"@id": f"#author-{number}", "@type": "Person", "name": name}
        for number, name in enumerate(crate.authors, 1)
    ]
    terms = _terms(crate)
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": crate.title,
        "description": crate.description,
        "datePublished": crate.ended,
        "license": {"@id": terms["@id"]},
        "conformsTo": [{"@id": profile} for profile in PROFILES],
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": "#run"},
        "hasPart": [{"@id": file["@id"]} for file in files],
    }
    if people:
        root["author"] = _one_or_more([{"@id": person["@id"]} for person in people])
    for file in files:
        if file["@id"] == "README.md":
            file["about"] = {"@id": "./"}
    members = [entity for member in crate.members for entity in _member(member)]
    named = {file["name"]: file["@id"] for file in files} | {WORKFLOW: WORKFLOW}
    sources = [f"#{member.kind}-{member.name}" for member in crate.members]
    action: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run of {crate.title}",
        "description": "All jobs of the study; a file .run.json beside each result tells of its own job.",
        "instrument": {"@id": WORKFLOW},
        "object": [{"@id": name} for name in [*(named[name] for name in crate.inputs), *sources]],
        "result": [{"@id": named[name]} for name in crate.results],
        "startTime": crate.began,
        "endTime": crate.ended,
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    if people:
        action["agent"] = {"@id": people[0]["@id"]}
    return {
        "@context": CONTEXT,
        "@graph": [
            {
                "@id": METADATA,
                "@type": "CreativeWork",
                "about": {"@id": "./"},
                "conformsTo": [
                    {"@id": "https://w3id.org/ro/crate/1.1"},
                    {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
                ],
            },
            root,
            *files,
            action,
            *members,
            *people,
            terms,
            {
                "@id": "https://spdx.org/licenses/MIT",
                "@type": "CreativeWork",
                "name": "MIT License",
                "identifier": "https://spdx.org/licenses/MIT",
            },
            {"@id": developers, "@type": "Organization", "name": "The ScopeDepth developers"},
            {
                "@id": LANGUAGE,
                "@type": "ComputerLanguage",
                "name": "Snakemake",
                "version": crate.engine,
                "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
                "url": {"@id": "https://snakemake.readthedocs.io"},
            },
            *(
                {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
                for profile, (name, version) in PROFILES.items()
            ),
        ],
    }


def _one_or_more(values: list[Entity]) -> Entity | list[Entity]:
    """Return a list of one as its one value, as RO-Crate asks."""
    return values[0] if len(values) == 1 else values


def _terms(crate: Crate) -> Entity:
    """Return the crate's licence: the one that is given, or the terms of what the results came from."""
    parts = [
        f"{member.spec.get('title') or member.name}: {member.spec['licence']}" for member in crate.members
    ]
    inherited = (
        "The workflow's code is under the MIT licence. Numbers and pictures were made from these datasets and models, "
        "whose terms hold: " + "; ".join(parts) + "."
    )
    if crate.licence and crate.licence.startswith(("https://", "http://")):
        return {
            "@id": crate.licence,
            "@type": "CreativeWork",
            "name": crate.licence,
            "description": inherited,
        }
    return {
        "@id": "#terms",
        "@type": "CreativeWork",
        "name": crate.licence or "Terms of the parts",
        "description": inherited,
    }


def _member(member: Member) -> Iterable[Entity]:
    """Yield a dataset or a model, with its licence and citation."""
    spec, identifier = member.spec, f"#{member.kind}-{member.name}"
    entity: Entity = {
        "@id": identifier,
        # Not "Dataset": that would promise its files.
        "@type": "CreativeWork",
        "name": spec.get("title") or member.name,
        "identifier": member.name,
        "description": f"A {member.kind} of the study; not part of this crate.",
        "license": spec["licence"],
    }
    if member.digest:
        entity["sha256"] = member.digest.removeprefix("sha256:")
    if spec.get("homepage"):
        entity["url"] = spec["homepage"]
    if spec.get("citation"):
        citation = f"{identifier}-citation"
        entity["citation"] = {"@id": citation}
        yield {"@id": citation, "@type": "CreativeWork", "name": spec["citation"]}
    yield entity
