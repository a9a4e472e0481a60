"""Fits and scores stay what they were, to the last bit: see golden.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import golden


def test_numbers_stay_what_they_were(tmp_path: Path) -> None:
    kept = json.loads(golden.GOLDEN.read_text(encoding="utf-8"))
    found = golden.computed(tmp_path)
    assert found.keys() == kept.keys()
    mine = golden.processor()
    known = {key: digests[mine] for key, (digests, _) in kept.items() if mine in digests}
    assert {key: (found[key], digest) for key, digest in known.items() if found[key][0] != digest} == {}
    for key, (_, means) in kept.items():
        assert found[key][1] == pytest.approx(means, rel=1e-7), key
