"""Tables of one unit, model and protocol: its metrics with the reference redrawn within its stated error."""

from __future__ import annotations

import pyarrow as pa

from scopedepth.tables.frames import FRAME_KEYS
from scopedepth.tables.io import KEY, column
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.reference import REDRAWN

_KEYS = [field for field in FRAME_KEYS if field.name not in ("frame", "frame_id")]

REDRAWS = pa.schema(
    [
        *_KEYS,
        column("n_frames", pa.int64(), "frames of the sequence, or of the part of it in the unit"),
        column("n_looked_at", pa.int64(), "those of them that were looked at and have a number"),
        column(
            "part",
            KEY,
            "observed: the reference as it is; trusted: the same without edges, rims of holes and what is farthest; "
            "local, shared: a draw of the error of single pixels, or of what frames share",
        ),
        column("draw", pa.int32(), "number of the draw, from 0"),
        *(
            column(
                name,
                pa.float64(),
                f"{METRICS[name].label}, mean over the frames that were looked at; null where one lost its number",
            )
            for name in REDRAWN
        ),
    ],
    metadata={
        "description": "one row a sequence, part and draw: what the stated error does to a model's metrics"
    },
)
