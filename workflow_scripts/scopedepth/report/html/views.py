"""Panels that follow the page's one choice of dataset, protocol and metric.

Those of the headline stand in the page, for every dataset: they are read without a script, and printed. All others are
packed by dataset, and the page's script unpacks what is chosen: a wide study has thousands of them.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from markupsafe import Markup, escape

from scopedepth.report.results import Results

AXES = ("dataset", "protocol", "metric")


@dataclass
class Views:
    """Collects the packs of a page while its sections are made."""

    results: Results
    packs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def panels(self, name: str, by: Sequence[str], make: Callable[..., str | None]) -> Markup:
        """Return the headline's panels of a section, and pack the others.

        by: the axes that the section follows. make: called with a value for each of them by its name, returns the
        panel's HTML or None where there is none.
        """
        results = self.results
        values = {
            "dataset": results.dataset_names, "protocol": results.protocol_names, "metric": results.metric_names,
        }  # fmt: skip
        headline = {"protocol": results.protocol, "metric": results.metric}
        shown = []
        for chosen in product(*(values[axis] for axis in by)):
            where = dict(zip(by, chosen, strict=True))
            html = make(**where)
            if html is None:
                continue
            key = "|".join([name, *(where.get(axis, "") for axis in AXES)])
            if all(where.get(axis, first) == first for axis, first in headline.items()):
                shown.append(f'<div class="panel" data-key="{escape(key)}">{html}</div>')
            else:
                self.packs.setdefault(where.get("dataset", ""), {})[key] = html
        return Markup('<div data-follows="{}" data-by="{}">{}</div>').format(
            name, " ".join(by), Markup("").join(map(Markup, shown))
        )

    def packed(self) -> list[tuple[str, Markup]]:
        """Return (dataset, its pack): JSON, deflated, in base64."""
        return [
            (dataset, Markup(base64.b64encode(zlib.compress(json.dumps(pack).encode(), 9)).decode("ascii")))
            for dataset, pack in self.packs.items()
        ]
