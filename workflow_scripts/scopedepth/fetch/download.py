"""One file over HTTP: resumed where the connection broke, checked, and never under its final name before that.

Of the libraries at hand, pooch fetches into a temporary file that it drops when the connection breaks (1.9.0,
HTTPDownloader), so a 10 GB archive would start again from nothing; it is used for DOIs only. The Hub's own client
resumes. Here: HTTP range requests (RFC 9110, section 14), tied to the file's validator so that two versions of a file
are never joined.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from scopedepth.errors import DISK_FULL, ScopeDepthError
from scopedepth.manifest import write_json
from scopedepth.progress import progress

# What is received is written in pieces of this size; a broken connection loses less than one.
PIECE = 1 << 16
# Tries without any new byte before giving up, and the pause before try n: PAUSE * 2**n seconds, at most LONGEST_PAUSE.
TRIES = 5
PAUSE = 1.0
LONGEST_PAUSE = 60.0
TIMEOUT = (20, 60)
# The server is busy or ill for the moment; everything else of 400 and above is final.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Broken(Exception):
    """The connection broke or the server asked to come back. `wait`: seconds it asked for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass
class _Part:
    """The unfinished file beside its final name, with what is known of the version that it belongs to."""

    path: Path

    @property
    def facts_path(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def facts(self) -> dict[str, Any]:
        try:
            facts = json.loads(self.facts_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.facts_path.unlink(missing_ok=True)


def download(url: str, target: Path, known: str | None = None) -> str:
    """Fetch `url` to `target` and return the file's ``sha256:...``.

    `known`: the digest that it must have (``sha256:...`` or ``md5:...``), None where none is published. What was
    received before a failure stays in ``target.part`` for the next try; `target` itself exists only when complete.

    Raises `ScopeDepthError` for an address that does not exist or is refused, a server that stays away, a wrong
    digest and a full disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target.with_name(target.name + ".part"))
    fruitless, session = 0, requests.Session()
    while True:
        before = part.size
        try:
            _receive(session, url, part, target.name)
            break
        except _Broken as broken:
            fruitless = 0 if part.size > before else fruitless + 1
            if fruitless >= TRIES:
                raise ScopeDepthError(
                    f"{url} could not be fetched ({broken}; tried {TRIES} times). {part.size} bytes are kept in "
                    f"{part.path}: run again to go on from there."
                ) from broken
            time.sleep(min(broken.wait if broken.wait is not None else PAUSE * 2**fruitless, LONGEST_PAUSE))
        except OSError as error:
            raise disk_error(error, target) from error
    digest = check_digest(part.path, known, url)
    if digest is None:
        part.drop()
        raise ScopeDepthError(
            f"{url} has not the digest {known}. The file was replaced at its source or changed on the way; it was "
            "deleted. Run again, or correct the digest in the configuration."
        )
    os.replace(part.path, target)
    part.drop()
    return digest


def _receive(session: requests.Session, url: str, part: _Part, label: str) -> None:
    """Append what is missing of `url` to `part`."""
    have, facts = part.size, part.facts()
    validator = facts.get("validator")
    headers = {"Accept-Encoding": "identity", "User-Agent": "scopedepth"}
    if have and facts.get("url") == url and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    else:
        have = 0
    try:
        with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing is left to send, or the file has become shorter
                if have == facts.get("size"):
                    return
                part.drop()
                raise _Broken("the file changed at its source")
            _check_status(answer, url)
            resumed = answer.status_code == 206 and _starts_at(answer) == have
            if answer.status_code == 206 and not resumed:
                part.drop()
                raise _Broken("the server sent another range than was asked for")
            have = have if resumed else 0
            size = _whole_size(answer, have)
            _check_space(part.path, size, have)
            write_json(part.facts_path, {"url": url, "size": size, "validator": _validator(answer)})
            with part.path.open("ab" if resumed else "wb") as file:
                for piece in _pieces(answer, label, size, have):
                    file.write(piece)
            if size is not None and part.size != size:
                raise _Broken(f"{part.size} of {size} bytes came")
    except requests.exceptions.MissingSchema as error:
        raise ScopeDepthError(f"{url} is no address; it starts with https://.") from error
    except requests.exceptions.RequestException as error:
        raise _Broken(f"{type(error).__name__}: {error}") from error


def _pieces(answer: requests.Response, label: str, size: int | None, have: int) -> Iterator[bytes]:
    mebi = 1 << 20
    with progress(f"fetch {label}", -(-(size or 0) // mebi), "MiB") as advance:
        shown = have // mebi
        advance(shown)
        received = have
        for piece in answer.iter_content(PIECE):
            yield piece
            received += len(piece)
            advance(received // mebi - shown)
            shown = received // mebi
        if size is not None:
            advance(-(-size // mebi) - shown if received == size else 0)


def _check_status(answer: requests.Response, url: str) -> None:
    code = answer.status_code
    if code < 400:
        return
    if code in PASSING:
        after = answer.headers.get("Retry-After", "")
        raise _Broken(f"the server answers {code} {answer.reason}", float(after) if after.isdigit() else None)
    remedy = {
        401: "It wants a login: fetch it by hand and use source kind path.",
        403: "It refuses programs or wants a login: fetch it in a browser and use source kind path.",
        404: "The address has changed: look for the new one at the dataset's homepage.",
        410: "It was taken away: look for a new address at the dataset's homepage.",
    }.get(code, "Try it in a browser.")
    raise ScopeDepthError(f"{url}: the server answers {code} {answer.reason}. {remedy}")


def _validator(answer: requests.Response) -> str | None:
    """Return what ties a range to one version of the file: a strong ETag or the date of change."""
    tag = answer.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return answer.headers.get("Last-Modified")


def _starts_at(answer: requests.Response) -> int:
    text = answer.headers.get("Content-Range", "")  # bytes 100-199/1000
    start = text.removeprefix("bytes ").split("-")[0]
    return int(start) if start.isdigit() else -1


def _whole_size(answer: requests.Response, have: int) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return have + int(length) if length.isdigit() else None


def _check_space(path: Path, size: int | None, have: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if size is not None and size - have > free:
        raise ScopeDepthError(
            f"No space for {path.name.removesuffix('.part')}: {(size - have) / 1e9:.2f} GB are needed, "
            f"{free / 1e9:.2f} GB are free on the disk of {path.parent}. Make room and run again."
        )


def disk_error(error: OSError, path: Path) -> ScopeDepthError:
    """Return the error to show for a file that could not be written; other errors are raised as they are."""
    if error.errno in DISK_FULL:
        return ScopeDepthError(f"No space left on the disk while writing {path}. Make room and run again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ScopeDepthError(
            f"{path} cannot be written ({error.strerror}). Change the folder's permissions."
        )
    raise error


def check_digest(path: Path, known: str | None, name: str) -> str | None:
    """Return a file's ``sha256:...``, or None where it has not the digest `known`."""
    algorithm, _, value = (known or "sha256:").rpartition(":")
    algorithm = algorithm or "sha256"
    if algorithm not in ("sha256", "md5"):
        raise ScopeDepthError(f"{name}: the digest {known} is neither sha256:... nor md5:....")
    sha256, other = hashlib.sha256(), hashlib.new(algorithm)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            sha256.update(piece)
            if algorithm != "sha256":
                other.update(piece)
    found = sha256.hexdigest() if algorithm == "sha256" else other.hexdigest()
    if value and found != value.lower():
        return None
    return f"sha256:{sha256.hexdigest()}"
