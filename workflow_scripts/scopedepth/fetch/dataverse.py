"""Records of a Dataverse: a list of files with their digests, each file fetched, checked and unpacked on its own.

The Native API of Dataverse (guides.dataverse.org, api/native-api and api/dataaccess):

    GET {server}/api/datasets/:persistentId/versions/{version}?persistentId=doi:{doi}
    GET {server}/api/access/datafile/{id}        mostly answered by a redirect to where the bytes lie

What a file's digest is of, and its name, where Dataverse made a table of it: of what was uploaded, which
`?format=original` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.remote import fetch_all, say_passed_over

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

LATEST = ":latest-published"
DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
# Files that are named in a message.
NAMED = 8


def fetch_dataverse(spec: Mapping[str, Any], partial: Path, workers: int) -> dict[str, Any]:
    """Fetch those files of a record that match `source.files`; say which are passed over, and which version it is."""
    source: specs.DataverseSource = spec["source"]
    record = record_of(source["server"], source["doi"], source["version"])
    version = f"{record.get('versionNumber', '')}.{record.get('versionMinorNumber', '')}"
    available = files_of(record, source["server"], spec["name"])
    chosen = [name for name in available if any(fnmatchcase(name, one) for one in source["files"])]
    if not chosen:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: the record {source['doi']} has no file that matches "
            f"{', '.join(source['files'])}; it has {', '.join(list(available)[:NAMED]) or 'none'}. Correct "
            "source.files."
        )
    say_passed_over(
        f"of {source['doi']} that match none of source.files", [one for one in available if one not in chosen]
    )
    restricted = [name for name in chosen if available[name][2]]
    if restricted:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: {', '.join(restricted[:NAMED])} of {source['doi']} are given on request alone. "
            f"Ask at {source['server']}, or leave them out of source.files."
        )
    files = [(name, *available[name][:2]) for name in chosen]
    # Another version is another record: what was fetched of the one before is not joined with it.
    facts = fetch_all(files, partial, {**source, "version": version}, source["unpack"])
    return {"version": version, "files": facts}


def record_of(server: str, doi: str, version: str | None) -> dict[str, Any]:
    """Return what a server says of a version of a record: its number, its files."""
    import requests

    url = (
        f"{server.rstrip('/')}/api/datasets/:persistentId/versions/{quote(version or LATEST)}"
        f"?persistentId=doi:{quote(doi)}"
    )
    try:
        answer = requests.get(url, timeout=60)
        if answer.status_code in (401, 404):
            raise ScopeDepthError(
                f"{server} has no version {version or 'that is published'} of the record {doi}. Correct source.doi, "
                "source.version or source.server."
            )
        answer.raise_for_status()
        record = answer.json()["data"]
        if not isinstance(record["files"], list):
            raise TypeError("its files are no list")
    except (requests.exceptions.RequestException, ValueError, KeyError, TypeError) as error:
        raise ScopeDepthError(
            f"The files of {doi} could not be listed at {server} ({type(error).__name__}: {error}). Try again, or "
            "correct source.server."
        ) from error
    return dict(record)


def files_of(record: Mapping[str, Any], server: str, dataset: str) -> dict[str, tuple[str, str | None, bool]]:
    """Return name -> (address, published digest, whether it is restricted) of each file, folders in its name."""
    found: dict[str, tuple[str, str | None, bool]] = {}
    try:
        for entry in record["files"]:
            file = entry["dataFile"]
            original = file.get("originalFileName")
            name = str(original or entry.get("label") or file["filename"])
            if entry.get("directoryLabel"):
                name = f"{entry['directoryLabel']}/{name}"
            if name in found:
                raise ScopeDepthError(
                    f"Dataset {dataset}: the record has two files {name}; name them in source.files."
                )
            address = f"{server.rstrip('/')}/api/access/datafile/{int(file['id'])}"
            found[name] = (
                address + ("?format=original" if original else ""),
                _digest_of(file),
                bool(entry.get("restricted")),
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScopeDepthError(
            f"Dataset {dataset}: {server} lists a file in a way that is not understood ({type(error).__name__}: "
            f"{error})."
        ) from error
    return found


def _digest_of(file: Mapping[str, Any]) -> str | None:
    """Return a file's published digest as ``md5:...`` or the like, None where there is none that is known."""
    checksum = file.get("checksum") or {}
    kind = DIGESTS.get(str(checksum.get("type", "")))
    if kind and checksum.get("value"):
        return f"{kind}:{str(checksum['value']).lower()}"
    return f"md5:{str(file['md5']).lower()}" if file.get("md5") else None
