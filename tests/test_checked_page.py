"""A look at a dataset as a page: what it counts, against images and depths whose numbers are known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

import dataset_trees as trees
from project import CONFIG
from scopedepth.cli import main
from scopedepth.config.base import plain_spec
from scopedepth.config.load import check
from scopedepth.datasets import choose
from scopedepth.datasets.check import check_sequence, duplicates
from scopedepth.datasets.place import point_to
from scopedepth.evaluation.lost import kept_by

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

HEIGHT, WIDTH = 40, 60


def frame(red: int = 150) -> np.ndarray:
    """Return an image of even tissue."""
    image = np.full((HEIGHT, WIDTH, 3), (150, 90, 80), np.uint8)
    image[:, :, 0] = red
    return image


def tree(root: Path) -> None:
    """Write two sequences of a known look."""
    over = frame()
    over[:10, :, 0] = 255  # a quarter of the picture: red is clipped, the colour stays
    over[20:22, 10:20] = 255  # a highlight
    depth = np.full((HEIGHT, WIDTH), 5000, np.uint16)
    depth[:, : WIDTH // 2] = 40000
    depth[:4] = 0
    for name, images in (("a", [over, over]), ("b", [frame(160), over])):
        for number, image in enumerate(images):
            trees.write_image(root / name / f"rgb/{number}.png", image)
            trees.write_image(root / name / f"depth/{number}.png", depth)


def spec(root: Path, **fields: Any) -> specs.Dataset:
    return trees.spec_of("mine", "folder", root, depth={"unit": "mm", "scale": 0.01}, **fields)


def test_exposure_by_pixel(tmp_path: Path) -> None:
    tree(tmp_path)
    first, _ = (check_sequence(one, False) for one in choose(spec(tmp_path), tmp_path))
    assert first.facts["over_exposed"] == pytest.approx(10 / HEIGHT)
    assert first.facts["under_exposed"] == 0
    # The highlight and a pixel around it.
    assert first.facts["flag_shares"]["specular"] == pytest.approx(4 * 12 / (HEIGHT * WIDTH), abs=1e-4)
    assert "25.0% of the picture is over-exposed" in first.facts["findings"][0]
    assert any("over-exposed" in line for line in first.lines)


def test_images_that_are_there_twice(tmp_path: Path) -> None:
    tree(tmp_path)
    assert list(duplicates(choose(spec(tmp_path), tmp_path))) == ["the same image 3 times: a 0, a 1, b 1"]
    # Another image of the same size of file.
    same_size = bytearray((tmp_path / "a/rgb/1.png").read_bytes())
    same_size[-1] ^= 1
    (tmp_path / "b/rgb/1.png").write_bytes(same_size)
    assert list(duplicates(choose(spec(tmp_path), tmp_path))) == ["the same image 2 times: a 0, a 1"]


def test_what_a_protocol_keeps() -> None:
    protocol = {
        "title": "",
        "alignment": {"method": "median", "space": "depth"},
        "depth_range": {"min": 1, "max": 150},
        "masks": {"exclude": ["specular"]},
        "metrics": ["abs_rel"],
    }
    content = (
        yaml.safe_load(Path(CONFIG).read_text(encoding="utf-8")) if isinstance(CONFIG, Path) else dict(CONFIG)
    )
    content["protocols"] = {**content["protocols"], "mine": protocol}
    checked = plain_spec("mine", check(content).protocols["mine"])
    depth = np.full((HEIGHT, WIDTH), 50, np.float32)
    depth[:, : WIDTH // 2] = 400
    depth[:4] = np.nan
    flags = np.zeros((HEIGHT, WIDTH), np.uint8)
    flags[-2:] = 4
    kept = kept_by(checked, "mine", "a", "mm", [(frame(), depth, flags)] * 3)
    assert kept is not None
    assert kept.with_depth == 3 * (HEIGHT - 4) * WIDTH
    assert kept.counting == 3 * (HEIGHT - 6) * WIDTH // 2
    assert (kept.low, kept.high, kept.frames, kept.too_few) == (1, 150, 3, 0)
    far = kept_by(checked, "mine", "a", "mm", [(frame(), np.full_like(depth, 400), flags)])
    assert far is not None
    assert (far.counting, far.too_few) == (0, 1)
    assert kept_by(checked, "mine", "a", "mm", []) is None
    # Depth without a unit has no range.
    relative = kept_by(checked, "mine", "a", "relative", [(frame(), depth, flags)])
    assert relative is not None
    assert (relative.counting, relative.low, relative.high) == ((HEIGHT - 6) * WIDTH, None, None)


def test_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(tmp_path / "data")
    os.rename(tmp_path / "data/b", tmp_path / "data/<script>b")
    content = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text(encoding="utf-8"))
    content["datasets"]["phantom"] = {
        "title": "<b>Mine</b>",
        "loader": "folder",
        "source": {"kind": "path", "path": "data"},
        "depth": {"unit": "mm", "scale": 0.01},
        "published": {"all": {"frames": 5, "size": [HEIGHT, WIDTH]}},
    }
    work = tmp_path / "work"
    work.mkdir()
    (work / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.chdir(work)
    raw = work / "results/raw/phantom"
    raw.mkdir(parents=True)
    point_to(raw, tmp_path / "data", None)
    before = sorted(path.as_posix() for path in work.rglob("*"))
    assert main(["check-dataset", "phantom"]) == 0
    assert sorted(path.as_posix() for path in work.rglob("*")) == before, "nothing is dropped"
    assert main(["check-dataset", "phantom", "--page", str(tmp_path / "out/page.html")]) == 0
    assert sorted(path.as_posix() for path in work.rglob("*")) == before, "nothing is dropped"
    assert "page: " in capsys.readouterr().out
    page = (tmp_path / "out/page.html").read_text(encoding="utf-8")
    assert "all: 4 frames were found, and 5 are published" in page
    assert "the same image 3 times" in page
    assert "of the picture is over-exposed" in page
    assert "&lt;b&gt;Mine&lt;/b&gt;" in page
    assert "<script>b" not in page
    assert "median_depth" in page
    assert page.count("data:image/jpeg") == 12
    # The report's script runs on it, too, and looks for this.
    assert '<script type="application/json" id="data">{"protocols": {}}</script>' in page
    assert "http://" not in page.replace("http://www.w3.org", "")
