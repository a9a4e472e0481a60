"""A finished study as one RO-Crate: a zip file whose ro-crate-metadata.json says what each file in it is.

The crate follows the profile Workflow Run Crate 0.6 (https://w3id.org/ro/wfrun/workflow/0.6), and so Workflow RO-Crate
1.1 and RO-Crate 1.3: the workflow is its main entity, the run an action from configuration, datasets and models to
results. Every file stands in it with its size and digest. The same files give the same bytes.

By hand, and not by the library rocrate (0.16.0), which reads these crates: it would write the descriptor, the language
and one of the three profiles, some 15 lines, for two more dependencies (arcp and itself). It computes no digests, and
gives a zip file's entries the time of writing, so the same files would not give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

METADATA = "ro-crate-metadata.json"
WORKFLOW = "Snakefile"
RO_CRATE = "https://w3id.org/ro/crate/1.3"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.6": ("Process Run Crate", "0.6"),
    "https://w3id.org/ro/wfrun/workflow/0.6": ("Workflow Run Crate", "0.6"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.1": ("Workflow RO-Crate", "1.1"),
}
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
MIT = "https://spdx.org/licenses/MIT"
DEVELOPERS = "#scopedepth-developers"
FORMATS = {
    ".bib": "application/x-bibtex", ".css": "text/css", ".html": "text/html", ".js": "text/javascript",
    ".json": "application/json", ".md": "text/markdown", ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf", ".png": "image/png", ".py": "text/x-python", ".tex": "application/x-tex",
    ".toml": "application/toml", ".txt": "text/plain", ".yaml": "application/yaml", ".cff": "application/yaml",
}  # fmt: skip
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
    spec: specs.Dataset | specs.Model
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
    authors: Sequence[str] = ()
    licence: str | None = None


def write_crate(out: Path, crate: Crate, parts: Iterable[Part]) -> int:
    """Write the crate to `out`, which appears when it is whole; returns the number of files in it."""
    beside = out.with_name(out.name + ".partial")
    try:
        with zipfile.ZipFile(beside, "w", allowZip64=True) as archive:
            files = [_add(archive, part) for part in sorted(parts, key=lambda part: part.name)]
            text = json.dumps(metadata(crate, files), indent=1, ensure_ascii=False) + "\n"
            _add(archive, Part(METADATA, text.encode()))
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return len(files) + 1


def _add(archive: zipfile.ZipFile, part: Part) -> Entity:
    """Add one file; return what the metadata say of it."""
    suffix = PurePosixPath(part.name).suffix
    entry = zipfile.ZipInfo(part.name, EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if suffix in STORED else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # the same bytes on every system
    digest, size = hashlib.sha256(), 0
    with archive.open(entry, "w", force_zip64=True) as target:
        for piece in _pieces(part.content):
            digest.update(piece)
            size += len(piece)
            target.write(piece)
    entity = {
        "@id": quote(part.name, safe="/@!$&'()*+,;=:~"),  # a sequence's name may hold what a URI may not
        "@type": "File",
        "name": part.name,
        "contentSize": str(size),
        "sha256": digest.hexdigest(),
        "encodingFormat": FORMATS.get(
            suffix, "application/octet-stream" if suffix in STORED else "text/plain"
        ),
    }
    return entity | ({"description": part.description} if part.description else {})


def _pieces(content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def metadata(crate: Crate, files: Sequence[Entity]) -> Entity:
    """Return the content of ro-crate-metadata.json."""
    names = {file["name"]: file["@id"] for file in files}
    people = [_thing(f"#author-{number}", "Person", name) for number, name in enumerate(crate.authors, 1)]
    terms = _terms(crate)
    root = _thing("./", "Dataset", crate.title) | {
        "description": crate.description,
        "datePublished": crate.ended,
        "license": _to(terms["@id"]),
        "conformsTo": [_to(profile) for profile in PROFILES],
        "mainEntity": _to(WORKFLOW),
        "mentions": _to("#run"),
        "hasPart": [_to(file["@id"]) for file in files],
    }
    action = _thing("#run", "CreateAction", f"Run of {crate.title}") | {
        "description": "All jobs of the study; a file .run.json beside each result tells of its own job.",
        "instrument": _to(WORKFLOW),
        "object": [_to(names[name]) for name in crate.inputs]
        + [_to(f"#{member.kind}-{member.name}") for member in crate.members],
        "result": [_to(names[name]) for name in crate.results],
        "startTime": crate.began,
        "endTime": crate.ended,
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    if people:
        authors = [_to(person["@id"]) for person in people]
        root["author"] = authors[0] if len(authors) == 1 else authors  # a list of one as its one value
        action["agent"] = authors[0]
    for file in files:
        if file["name"] == "README.md":
            file["about"] = _to("./")
        if file["name"] == WORKFLOW:
            file |= {
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "name": "ScopeDepth",
                "description": "Monocular depth models on endoscopic video: one prediction, every published protocol.",
                "programmingLanguage": _to(LANGUAGE),
                "license": _to(MIT),
                "creator": _to(DEVELOPERS),
                "version": crate.version + (f" (commit {crate.commit})" if crate.commit else ""),
                "hasPart": [_to(i) for i in names.values() if i.startswith(("rules/", "workflow_scripts/"))],
            }
    descriptor = {"@id": METADATA, "@type": "CreativeWork", "about": _to("./"), "conformsTo": _to(RO_CRATE)}
    language = _thing(LANGUAGE, "ComputerLanguage", "Snakemake") | {
        "version": crate.engine,
        "identifier": _to("https://doi.org/10.1093/bioinformatics/bts480"),
        "url": _to("https://snakemake.readthedocs.io"),
    }
    graph = [descriptor, root, *files, action, *people, terms, language]
    graph += [entity for member in crate.members for entity in _member(member)]
    graph += [
        _thing(MIT, "CreativeWork", "MIT License"),
        _thing(DEVELOPERS, "Organization", "The ScopeDepth developers"),
    ]
    graph += [
        _thing(profile, ["CreativeWork", "Profile"], name) | {"version": version}
        for profile, (name, version) in PROFILES.items()
    ]
    return {"@context": f"{RO_CRATE}/context", "@graph": graph}


def _to(identifier: str) -> Entity:
    return {"@id": identifier}


def _thing(identifier: str, kind: str | list[str], name: str) -> Entity:
    return {"@id": identifier, "@type": kind, "name": name}


def _terms(crate: Crate) -> Entity:
    """Return the crate's licence: the one that is given, or the terms of what the results came from."""
    is_address = (crate.licence or "").startswith(("https://", "http://"))
    entity = _thing(
        str(crate.licence) if is_address else "#terms", "CreativeWork", crate.licence or "Terms of the parts"
    )
    return entity | {
        "description": "The workflow's code is under the MIT licence. " + terms_of_parts(crate.members)
    }


def terms_of_parts(members: Iterable[Member]) -> str:
    """Return a sentence on the licences of a study's datasets and models."""
    parts = [f"{one.spec.get('title') or one.name}: {one.spec['licence']}" for one in members]
    made_from = "Numbers and pictures were made from these datasets and models, whose terms hold"
    return f"{made_from}: {'; '.join(parts)}."


def _member(member: Member) -> Iterator[Entity]:
    """Yield a dataset or a model, with its licence and citation."""
    spec, identifier = member.spec, f"#{member.kind}-{member.name}"
    # Not "Dataset": that would promise its files.
    entity = _thing(identifier, "CreativeWork", spec.get("title") or member.name) | {
        "identifier": member.name,
        "description": f"A {member.kind} of the study; not part of this crate.",
        "license": spec["licence"],
    }
    if member.digest:
        entity["sha256"] = member.digest.removeprefix("sha256:")
    if spec.get("homepage"):
        entity["url"] = spec["homepage"]
    if spec.get("citation"):
        entity["citation"] = _to(f"{identifier}-citation")
        yield _thing(f"{identifier}-citation", "CreativeWork", spec["citation"])
    yield entity
