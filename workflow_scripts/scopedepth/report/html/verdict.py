"""The verdict's headline, made from the statistics and never stronger than they are.

A model is "the most accurate" only where its difference from every other model is significant after Holm's
correction; otherwise it "has the lowest error" and the sentence says than whose it is not clearly lower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from scopedepth.report.results import Results
from scopedepth.report.words import FEW, higher_is_better, listed, metric_label, small
from scopedepth.vocabulary.intervals import NEW_SEQUENCES


@dataclass(frozen=True)
class Leader:
    """Who stands first on a dataset, and from whom it cannot be told apart (networks and baselines alike)."""

    model: str
    tied: tuple[str, ...]
    rivals: int

    @property
    def alone(self) -> bool:
        """Whether it is significantly better than every other ranked model."""
        return self.rivals > 0 and not self.tied


def leader(results: Results, dataset: str, protocol: str | None = None) -> Leader | None:
    """Return the first of a ranking, or None where there is no ranking."""
    ranked = results.ranked(dataset, protocol)
    if not ranked:
        return None
    first = ranked[0]
    row = results.rank(dataset, first, protocol)
    assert row is not None
    tested = results.tested.get((dataset, protocol or results.protocol), set())
    tied = tuple(
        name
        for name in ranked[1:]
        # An equal rank is a tie, and a pair without a test is no proof of a difference.
        if name in (row["tied_with"] or ())
        or _place(results, dataset, name, protocol) == row["rank_by_value"]
        or frozenset((first, name)) not in tested
    )
    return Leader(first, tied, len(ranked) - 1)


def _place(results: Results, dataset: str, model: str, protocol: str | None) -> int | None:
    row = results.rank(dataset, model, protocol)
    return row["rank_by_value"] if row else None


def said(items: Iterable[str], last: str = "and") -> Markup:
    """Return ``a, b and c`` fit to stand in the page; what is not markup is escaped."""
    return Markup(listed([str(escape(item)) for item in items], last))


def titles(results: Results, models: Iterable[str], last: str = "and") -> Markup:
    """Return models' titles as a list in words; of many their number."""
    models = list(models)
    if len(models) > FEW:
        return Markup(f"{small(len(models))} models")
    return said([results.model_title(name) for name in models], last)


def bold(text: str) -> Markup:
    return Markup("<b>{}</b>").format(text)


def headline(results: Results) -> Markup:
    """Return the one sentence at the top of the page."""
    leaders = {name: leader(results, name) for name in results.dataset_names}
    found = {name: first for name, first in leaders.items() if first}
    if not found:
        return Markup("No model has a complete score, so there is no ranking.")
    firsts = {first.model for first in found.values()}
    if len(firsts) > 1:
        return _differing(results, found)
    model = bold(results.model_title(firsts.pop()))
    place = _place_words(results, list(found), len(leaders))
    if all(first.rivals == 0 for first in found.values()):
        return Markup("{} is the only model with a complete score {}.").format(model, place)
    if all(first.alone for first in found.values()):
        return Markup("{} is the most accurate model {}{}.").format(
            model, place, _tested_only(results, list(found))
        )
    upwards = higher_is_better(results.metric)
    extreme = f"the {'highest' if upwards else 'lowest'} {metric_label(results.metric)}"
    rivals = _rivals(results, found)
    compared = "higher" if upwards else "lower"
    return Markup("{} has {} {}, though not clearly {} than {}.").format(
        model, extreme, place, compared, rivals
    )


def _tested_only(results: Results, datasets: list[str]) -> str:
    """Return a limit to the sequences tested where the intervals do not cover others."""
    rows = [
        row for name in datasets for model in results.ranked(name)[:1] if (row := results.score(name, model))
    ]
    return "" if all(row["ci_scope"] == NEW_SEQUENCES for row in rows) else ", for the sequences tested"


def _differing(results: Results, found: Mapping[str, Leader]) -> Markup:
    """Return who stands first where, in bold only where the data tell it from every other model."""
    if len(found) > FEW:
        return _counted(results, found)
    places = []
    for dataset, first in found.items():
        title, where = results.model_title(first.model), results.dataset_title(dataset)
        if first.tied:
            others = f"{small(len(first.tied))} other{'s' if len(first.tied) > 1 else ''}"
            places.append(Markup("{} on {}, tied with {}").format(title, where, others))
        else:
            places.append(Markup("{} on {}").format(bold(title), where))
    opening = "first on every" if not all(first.tied for first in found.values()) else "clearly first on any"
    return Markup("No model is {} dataset: {}.").format(opening, Markup("; ").join(places))


def _counted(results: Results, found: Mapping[str, Leader]) -> Markup:
    """Return who stands first on how many datasets, and on how many of them clearly."""
    parts = []
    for model, n in Counter(first.model for first in found.values()).most_common(FEW):
        alone = sum(first.alone for first in found.values() if first.model == model)
        title = bold(results.model_title(model)) if alone else Markup("{}").format(results.model_title(model))
        clearly = "all of them clearly" if alone == n else f"clearly on {small(alone) if alone else 'none'}"
        parts.append(Markup("{} on {} of {}, {}").format(title, small(n), small(len(found)), clearly))
    return Markup("No model is first on every dataset: {}.").format(Markup("; ").join(parts))


def _place_words(results: Results, ranked: list[str], datasets: int) -> Markup:
    """Return where a leader leads: never "every dataset" where some could not be ranked."""
    if datasets == 1 or len(ranked) == 1:
        only = "" if datasets == 1 else ", the only dataset that could be ranked"
        return Markup("on {}{}").format(results.dataset_title(ranked[0]), only)
    return Markup("on every dataset" if len(ranked) == datasets else "on every dataset that could be ranked")


def _rivals(results: Results, found: Mapping[str, Leader]) -> Markup:
    """Return whose error the leader's is not clearly below, networks before baselines."""
    tied = list(dict.fromkeys(name for first in found.values() for name in first.tied))
    tied = [name for name in tied if not results.is_baseline(name)] or tied
    if len(tied) > 3:
        return Markup("those of {} other models").format(small(len(tied)))
    return Markup("that of {}").format(titles(results, tied, "or"))
