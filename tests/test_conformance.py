"""Published protocols give the numbers of their sources' own code, on arrays that are there to tell them apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance import golden, table
from conformance.cases import CASES, KNOWN, SAMPLES
from conformance.compare import answers, compared, differences, protocols

SPECS = protocols()
COMPARED = [name for name in SPECS if compared(name)]
PUBLISHED = [name for name, spec in SPECS.items() if "@" in spec["source"] or "gist" in spec["source"]]

# Endo-Depth's repository holds no evaluation of depth.
WITHOUT_CODE = {"endo_depth"}


def test_every_published_protocol_was_set_against_its_source() -> None:
    assert set(PUBLISHED) - WITHOUT_CODE == set(COMPARED) == set(CASES)


@pytest.mark.parametrize("name", COMPARED)
def test_numbers_are_those_of_the_source(name: str) -> None:
    source = answers(name)
    found = list(differences(SPECS[name], source, CASES[name]))
    assert found, "nothing was compared"
    far = [difference for difference in found if not difference.relative <= table.AGREES]
    assert not far, "\n".join(
        f"{d.case.name}, frame {d.frame}, {d.metric}: ours {d.ours}, theirs {d.theirs}" for d in far
    )
    told = {difference.metric for difference in found}
    unseen = set(SPECS[name]["metrics"]) - told
    assert not unseen or (name, unseen) == ("midas", {"abs_rel"})
    # The commit that was run is the one that the protocol names.
    assert source["commit"] in SPECS[name]["source"] or name == "midas"


@pytest.mark.parametrize("name", SAMPLES)
def test_numbers_on_samples_are_those_of_the_source(name: str, samples: Path) -> None:
    for difference in differences(SPECS[name], answers(name), SAMPLES[name]):
        assert difference.relative <= table.AGREES, difference


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_said_to_differ_does(name: str) -> None:
    for what, cases in KNOWN[name].items():
        sizes = [difference.relative for difference in differences(SPECS[name], answers(name), cases)]
        assert max(sizes) > table.AGREES, what
        assert SPECS[name]["differs"]


def test_the_table_of_the_page_is_current() -> None:
    kept: dict[str, Any] = json.loads(table.PATH.read_text(encoding="utf-8"))
    assert kept == table.table(), "stale: python -m conformance.table, then python docs/describe_protocols.py"


def test_numbers_do_not_move_without_a_version() -> None:
    kept = golden.kept()
    assert kept.keys() == {golden.key(spec) for spec in SPECS.values()}, "run: python -m conformance.golden"
    for spec in SPECS.values():
        change = golden.moved(kept[golden.key(spec)], golden.numbers(spec))
        assert not change, f"{golden.key(spec)}: {change}. Raise its version in config.yaml."


def test_a_number_that_moved_is_seen() -> None:
    spec = SPECS["median_depth"]
    kept = golden.kept()[golden.key(spec)]
    other: Any = {**spec, "depth_range": {**spec["depth_range"], "inclusive": False}}
    assert golden.moved(kept, golden.numbers(other))
    assert not golden.moved(kept, kept)
