"""How a model looks: one colour and one shape, the same in every chart of the report."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from scopedepth.report.html.parts.svg import shape
from scopedepth.report.results import Results

COLOURS = 10  # classes s0 … s9 of the style sheet


@dataclass(frozen=True)
class Look:
    """The style-sheet classes (colour, and m0, m1, … for the model itself) and the number of the shape of a model."""

    css: str
    shape: int

    @property
    def key(self) -> str:
        """The class that is the model's own, by which the page hides it in charts."""
        return self.css.split()[1]

    @property
    def baseline(self) -> bool:
        """Whether it is the look of a trivial baseline."""
        return self.css.startswith("base")

    @property
    def icon(self) -> Markup:
        """The mark as a tiny picture beside a model's name."""
        return Markup(
            f'<svg class="icon" viewBox="-1.4 -1.4 2.8 2.8" aria-hidden="true">'
            f'<path d="{shape(self.shape)}" class="mark {self.css}"/></svg>'
        )


def looks(results: Results) -> dict[str, Look]:
    """Return the look of every model of the study: networks in colours, trivial baselines in grey."""
    found: dict[str, Look] = {}
    for index, model in enumerate(results.networks):
        again = " again" if index >= COLOURS else ""
        found[model] = Look(f"s{index % COLOURS} m{len(found)}{again}", index)
    for index, model in enumerate(name for name in results.model_names if results.is_baseline(name)):
        found[model] = Look(f"base m{len(found)}", index + 4)
    return found
