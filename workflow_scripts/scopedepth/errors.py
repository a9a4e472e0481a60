"""The exception that users are meant to read, and the one of a frame that cannot be read."""

from __future__ import annotations

import errno
import re

LONGEST = 2000
# What an address may hold that is nobody's business: user:password before the host, and keys of its query.
PASSWORD = re.compile(r"(?<=://)[^/\s@]+@")
KEY = re.compile(
    r"([?&][\w.-]*(?:token|key|secret|passw(?:or)?d|signature|sig|credential|auth)=)[^&\s'\")]+",
    re.IGNORECASE,
)
# What the system calls a full disk, or a full quota.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# A file that would be larger than the file system, or the process's own limit (ulimit -f), allows.
TOO_LARGE = errno.EFBIG


class ScopeDepthError(Exception):
    """Something that the user can mend: bad input, a wrong field, a missing file.

    The message is one clear sentence or two that name the file, the frame or the field and say what to do.
    Jobs print it alone, without a traceback; every other exception is a bug and keeps its traceback.
    Whatever a file or a library put into it, it is one line, nothing in it commands a terminal, and a password in an
    address is not shown.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(without_secrets(str(message))))


def without_secrets(text: str) -> str:
    """Return `text` with what gives access in its addresses struck out."""
    return KEY.sub(r"\1***", PASSWORD.sub("***@", text))


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice: Python's own, OpenCV's and torch's."""
    said = str(error)
    return isinstance(error, MemoryError) or "Insufficient memory" in said or "can't allocate memory" in said


def one_line(text: str) -> str:
    """Return `text` on one line: breaks become spaces, other characters that do not print are written out."""
    joined = " ".join(part for part in (line.strip() for line in text.splitlines()) if part)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in joined)
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + " ..."


class UnreadableFrame(Exception):
    """One frame's file is missing or does not decode. The frame is counted and given a status; work goes on.

    The message is one line, and nothing in it commands a terminal: names and reasons come from strangers' files.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))
