"""The one exception that users are meant to read."""

from __future__ import annotations


class ScopeDepthError(Exception):
    """Something that the user can mend: bad input, a wrong field, a missing file.

    The message is one clear sentence or two that name the file, the frame or the field and say what to do.
    Jobs print it alone, without a traceback; every other exception is a bug and keeps its traceback.
    """
