"""Letters beside a ranking: two models share a letter exactly where they are not told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from string import ascii_lowercase


def letters(order: Sequence[str], tied: Mapping[str, Set[str]]) -> dict[str, str]:
    """Return the compact letter display of a ranking: the letters of each model, ``a`` for the first.

    order: models, best first. tied: with which others each is not told apart; both ways. Insert and absorb: Piepho,
    "An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons", 2004. Behind z come aa, ab, …,
    set apart by full stops.
    """
    groups: list[frozenset[str]] = [frozenset(order)] if order else []
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            if other in tied.get(one, ()) or one in tied.get(other, ()):
                continue
            split = [group for group in groups if one in group and other in group]
            made = [group - {gone} for group in split for gone in (one, other)]
            kept = [group for group in groups if group not in split]
            groups = list(dict.fromkeys([*kept, *made]))
            groups = [group for group in groups if not any(group < larger for larger in groups)]
    place_of = {model: place for place, model in enumerate(order)}
    groups.sort(key=lambda group: sorted(place_of[model] for model in group))
    names = [*ascii_lowercase, *(a + b for a in ascii_lowercase for b in ascii_lowercase)]
    between = "." if len(groups) > len(ascii_lowercase) else ""
    return {
        model: between.join(name for name, group in zip(names, groups, strict=False) if model in group)
        for model in order
    }
