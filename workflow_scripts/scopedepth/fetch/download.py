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
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests

from scopedepth.errors import DISK_FULL, ScopeDepthError
from scopedepth.job.manifest import write_json
from scopedepth.job.progress import progress

# What is received is written in pieces of this size; a broken connection loses less than one.
PIECE = 1 << 16
# Tries without any new byte before giving up, and the pause before try n: PAUSE * 2**n seconds, at most LONGEST_PAUSE.
TRIES = 5
PAUSE = 1.0
LONGEST_PAUSE = 60.0
TIMEOUT = (20, 60)
# Without a stated length nobody knows where a file ends: so much is taken, and looked at the disk so often.
MOST_WITHOUT_LENGTH = 200 * 10**9
LOOK_AT_DISK = 64 << 20
# So much stays free on a disk that a file of unknown length is written to.
LEAST_FREE = 1 << 30
# The longest name that a file system takes, less what is put behind it on the way (.part.json).
LONGEST_NAME = 255 - len(".part.json")
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
        except (OSError, ValueError, RecursionError):
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
    check_name(target, url)
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


def check_name(target: Path, url: str) -> None:
    """Raise a `ScopeDepthError` where a name in an address is longer than a file system takes."""
    for part in target.parts:
        if len(os.fsencode(part)) > LONGEST_NAME:
            raise ScopeDepthError(
                f"{url} gives a file a name of {len(os.fsencode(part))} bytes, more than the {LONGEST_NAME} that a "
                "disk takes; give it another one with `to`."
            )


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
            encoded = _is_encoded(answer, label)
            if encoded and resumed:
                part.drop()
                raise _Broken("the server encoded a part of the file")
            # The length of what is decoded here is known to nobody, and a part of it is tied to nothing.
            size = None if encoded else _whole_size(answer, have)
            _check_space(part.path, size, have)
            facts = {"url": url, "size": size, "validator": None if encoded else _validator(answer)}
            write_json(part.facts_path, facts)
            with part.path.open("ab" if resumed else "wb") as file:
                received, looked_at = have, have
                for piece in _pieces(answer, label, size, have, encoded):
                    if received == 0:
                        _check_no_page(piece, part, url, label)
                    file.write(piece)
                    received += len(piece)
                    if size is None and received >= looked_at + LOOK_AT_DISK:
                        looked_at = received
                        _check_endless(part, url, received)
            if size is not None and part.size != size:
                raise _Broken(f"{part.size} of {size} bytes came")
    except (
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidURL,
    ) as error:
        raise ScopeDepthError(f"{url} is no address; it starts with https://.") from error
    except requests.exceptions.RequestException as error:
        raise _Broken(f"{type(error).__name__}: {error}") from error


def _is_encoded(answer: requests.Response, label: str) -> bool:
    """Whether a body is to be decoded, although none but the file itself was asked for.

    Servers that call a .gz file's own bytes an encoding are taken at the file's word, which is its name.
    """
    encoding = answer.headers.get("Content-Encoding", "").strip().lower()
    return encoding not in ("", "identity") and not label.lower().endswith((".gz", ".tgz"))


def _check_no_page(piece: bytes, part: _Part, url: str, label: str) -> None:
    """Refuse a web page in a file's place: a login, a notice of maintenance, a form to fill in."""
    start = piece[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and not label.lower().endswith((".html", ".htm")):
        part.drop()
        raise ScopeDepthError(
            f"{url} gives a web page and not the file: a login, a form or a notice. Open it in a browser; then run "
            "again, or fetch by hand and use source kind path."
        )


def _check_endless(part: _Part, url: str, received: int) -> None:
    """Stop a body of unknown length before it fills the disk."""
    free = shutil.disk_usage(part.path.parent).free
    if received > MOST_WITHOUT_LENGTH or free < LEAST_FREE:
        part.drop()
        raise ScopeDepthError(
            f"{url} goes on without saying how long it is: after {received / 1e9:.2f} GB it was stopped and deleted "
            f"({free / 1e9:.2f} GB are free). Fetch it by hand and use source kind path."
        )


def _pieces(
    answer: requests.Response, label: str, size: int | None, have: int, encoded: bool = False
) -> Iterator[bytes]:
    mebi = 1 << 20
    body = answer.iter_content(PIECE) if encoded else _undecoded(answer)
    with progress(f"fetch {label}", -(-(size or 0) // mebi), "MiB") as advance:
        shown = have // mebi
        advance(shown)
        received = have
        for piece in body:
            yield piece
            received += len(piece)
            advance(received // mebi - shown)
            shown = received // mebi
        if size is not None:
            advance(-(-size // mebi) - shown if received == size else 0)


def _undecoded(answer: requests.Response) -> Iterator[bytes]:
    """Yield a body's bytes as they come over the wire, with requests' names for what breaks."""
    from urllib3.exceptions import HTTPError

    try:
        yield from answer.raw.stream(PIECE, decode_content=False)
    except HTTPError as error:
        raise requests.exceptions.ConnectionError(error) from error


def _check_status(answer: requests.Response, url: str) -> None:
    code = answer.status_code
    if code < 400:
        return
    if code in PASSING:
        after = _seconds(answer.headers.get("Retry-After", ""))
        raise _Broken(f"the server answers {code} {answer.reason}", after)
    remedy = {
        401: "It wants a login: fetch it by hand and use source kind path.",
        403: "It refuses programs or wants a login: fetch it in a browser and use source kind path.",
        404: "The address has changed: look for the new one at the dataset's homepage.",
        410: "It was taken away: look for a new address at the dataset's homepage.",
    }.get(code, "Try it in a browser.")
    raise ScopeDepthError(f"{url}: the server answers {code} {answer.reason}. {remedy}")


def _whole_number(text: str) -> int | None:
    """Return a header's number, None where it is none or has more digits than any size."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text.strip()) else None


def _seconds(after: str) -> float | None:
    """Return how long Retry-After asks to wait: it holds seconds, or a date; None where it holds neither."""
    number = _whole_number(after)
    if number is not None:
        return float(number)
    try:
        date = parsedate_to_datetime(after)
        wait = (date - datetime.now(UTC if date.tzinfo else None)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(wait, 0.0)


def _validator(answer: requests.Response) -> str | None:
    """Return what ties a range to one version of the file: a strong ETag or the date of change."""
    tag = answer.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return answer.headers.get("Last-Modified")


def _starts_at(answer: requests.Response) -> int:
    text = answer.headers.get("Content-Range", "")  # bytes 100-199/1000
    start = _whole_number(text.removeprefix("bytes ").split("-")[0])
    return -1 if start is None else start


def _whole_size(answer: requests.Response, have: int) -> int | None:
    stated = answer.headers.get("Content-Length", "").strip()
    if re.fullmatch(r"[0-9]{19,}", stated):
        return have + 10**18  # no disk has room for it, which is what will be said
    length = _whole_number(stated)
    return None if length is None else have + length


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
    if algorithm not in ("sha256", "md5", "sha1", "sha512"):
        raise ScopeDepthError(
            f"{name}: the digest {known} is none of sha256:..., md5:..., sha1:... and sha512:...."
        )
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
