"""The documentation's template loader is short and works as printed."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import dataset_trees as trees
from scopedepth.datasets import choose


def test_the_template_loader(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (root / "docs/datasets.md").read_text(encoding="utf-8")
    found = re.search(r'```python\n("""Loader `mine`.*?)```', page, re.DOTALL)
    assert found is not None
    code = found[1]
    assert len(code.splitlines()) < 60
    module = types.ModuleType("scopedepth.datasets.loaders.mine")
    exec(compile(code, "mine.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "scopedepth.datasets.loaders.mine", module)

    stored = np.round(trees.depth_mm(48, 64, 20, 90) / 0.05).astype(np.uint16)
    stored[0] = 65535
    for number in (123, 124):
        trees.write_image(tmp_path / f"scene_07/left/{number:06d}.jpg", trees.picture(48, 64))
    trees.write_image(tmp_path / "scene_07/z/000123.png", stored)
    spec = {**trees.spec_of("scanner", "folder", tmp_path), "loader": "mine"}
    sequence = choose(spec, tmp_path)[0].sequence
    depth = sequence.read(0).depth
    assert depth is not None
    decoded = sequence.encoding.decode(depth)
    assert np.isnan(decoded[0]).all()
    assert np.allclose(decoded[1:], stored[1:] * 0.05)
    assert sequence.notes == ["1 of 2 frames have no depth"]
