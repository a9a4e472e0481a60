"""Which choices of frames leave a video: what models of windows need, which see motion between neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# With start, stop and step alone it begins later, ends earlier, or its camera is slower.
GAPS = ("list", "exclude")
# What `frames.unlisted` says where models see the frames between the listed ones, too.
PREDICTED = "predicted"


def why_no_video(frames: Mapping[str, Any], part: Any) -> str | None:
    """Return why a unit's frames are no video as it was taken, or None.

    `frames`: the dataset's choice of frames; `part`: the range of a sequence that is cut into several units, or None.
    A list leaves gaps that a window would take for motion; a cut sequence's parts are predicted apart, so that windows
    would begin anew at each of them.
    """
    if part is not None:
        return "its sequences are cut into parts that are predicted apart (cut); leave the cut out"
    for name in GAPS:
        if frames.get(name) is not None and frames.get("unlisted") != PREDICTED:
            return (
                f"a list chooses its frames one by one (frames.{name}); set frames.unlisted to {PREDICTED}, so that "
                "models see the frames between, which are not scored"
            )
    return None
