"""Options of loaders are checked by type and range when the configuration is read, in one line that names them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import ValidationError

from project import ROOT
from scopedepth.config.datasets import LOADERS, DatasetSpec
from scopedepth.config.options import options_of
from scopedepth.job import extensions

sys.path.insert(0, str(ROOT / "benchmarks"))

import fuzz


def entry(loader: str, **options: Any) -> dict[str, Any]:
    return {"loader": loader, "source": {"kind": "path", "path": "x"}, "options": options}


REFUSED = [
    ("folder", {"intrinsics": [0, 0, 0, 0]}, "options.intrinsics: focal lengths are above 0"),
    ("folder", {"intrinsics": [100, -100, 16, 12]}, "options.intrinsics: focal lengths are above 0"),
    ("folder", {"intrinsics": [100, 100, 16]}, "options.intrinsics: "),
    ("folder", {"intrinsics": [100, 100, float("nan"), 12]}, "options.intrinsics: "),
    ("folder", {"intrinsics": [[100, 0, 16], [0, 100, 12], [0, 0, 0]]}, "the rows of a camera"),
    ("folder", {"intrinsics": [[100, 0, 0], [0, 100, 0], [16, 12, 1]]}, "the rows of a camera"),
    ("folder", {"intrinsics": [[0, 0, 16], [0, 0, 12], [0, 0, 1]]}, "focal lengths are above 0"),
    ("folder", {"intrinsics": "K.txt"}, "options.intrinsics: "),
    ("folder", {"distortion": [0.1]}, "a lens has 4, 5, 8, 12 or 14 coefficients, not 1"),
    ("folder", {"distortion": 0.1}, "options.distortion: "),
    ("folder", {"bits": 7}, "options.bits: "),
    ("folder", {"bits": "12"}, "options.bits: "),
    ("folder", {"bits": True}, "options.bits: "),
    ("folder", {"images": ""}, "options.images: a name below the data's folder"),
    ("folder", {"images": "/data/rgb"}, "options.images: a name below the data's folder"),
    ("folder", {"depths": "../depth"}, "options.depths: a name below the data's folder"),
    ("folder", {"depths": ["depth"]}, "options.depths: "),
    ("folder", {"images": "**"}, "images and depths are a folder's name or a pattern of files"),
    ("folder", {"depths": "x" * 300}, "options.depths: a file's name has at most 255 bytes"),
    ("folder", {"masks": [{"files": "m", "marks": "smoke"}]}, "options.masks"),
    ("folder", {"masks": [{"marks": "tool"}]}, "options.masks"),
    (
        "video",
        {"masks": [{"files": "m", "marks": "tool", "above": 1, "full": 255}]},
        "full belongs to one mask that marks",
    ),
    (
        "folder",
        {"masks": [{"files": "m", "marks": "doubtful", "full": 255}]},
        "full belongs to one mask that marks",
    ),
    (
        "folder",
        {"masks": [{"files": m, "marks": "doubtful", "above": 1, "full": 2} for m in "mn"]},
        "full belongs to one",
    ),
    ("folder", {"masks": [{"files": "m", "marks": "doubtful", "above": 1, "full": 0}]}, "options.masks"),
    ("folder", {"masks": [{"files": "../m", "marks": "tool"}]}, "a name below the data's folder"),
    ("folder", {"poses": {"file": "notes.txt", "unit": "m"}}, "poses.file is named poses.txt"),
    ("folder", {"poses": {"file": "poses.txt"}}, "options.poses"),
    ("stereo", {"left": "é" * 200, "right": "r/*"}, "options.left: a file's name has at most 255 bytes"),
    ("folder", {"image": "rgb"}, "no option 'image'; did you mean 'images'?"),
    ("hamlyn_rectified", {"complete": "yes"}, "options.complete: "),
    ("hamlyn_rectified", {"depths": None}, "options.depths: "),
    ("scared", {"frames": "vidoe"}, "options.frames: Input should be 'keyframes', 'video' or 'extracted'"),
    ("scared", {"rectify": 1}, "options.rectify: "),
    ("scared", {"alpha": 1.5}, "options.alpha: "),
    ("serv_ct", {"reference": "ct"}, "options.reference: Input should be 'CT' or 'RGB'"),
    ("stereo", {"left": "l/*"}, "left and right are given together"),
    ("stereo", {"left": "l/*", "right": None}, "left and right are given together"),
    ("stereo", {"alpha": "all"}, "options.alpha: "),
    ("stereo", {"calibration": "/etc/passwd"}, "options.calibration: "),
    ("c3vd", {"rectify": True}, "no option 'rectify'; loader c3vd has none"),
]


@pytest.mark.parametrize(("loader", "options", "said"), REFUSED)
def test_refused(loader: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DatasetSpec.model_validate(entry(loader, **options))
    (problem,) = caught.value.errors()
    assert said in problem["msg"]
    assert "\n" not in problem["msg"]


TAKEN = [
    ("folder", {"intrinsics": [100, 100.5, 16, 12], "distortion": [0.1, 0, 0, 0, 0], "bits": 12}),
    ("folder", {"intrinsics": [[100, 0, 16], [0, 100, 12], [0, 0, 1]], "images": "color", "depths": "a/b"}),
    ("hamlyn_rectified", {"depths": "depth01_fs", "complete": True}),
    ("scared", {"frames": "video", "rectify": True, "alpha": 1}),
    ("serv_ct", {"reference": "RGB"}),
    (
        "stereo",
        {"left": "l/*.png", "right": "r/*.png", "calibration": "calib/a.yaml", "alpha": 0, "bits": 10},
    ),
]


@pytest.mark.parametrize(("loader", "options"), TAKEN)
def test_taken_as_they_are(loader: str, options: dict[str, Any]) -> None:
    assert DatasetSpec.model_validate(entry(loader, **options)).options == options


def test_the_options_checked_are_those_that_the_loaders_read() -> None:
    assert len(LOADERS) >= 9
    for loader in LOADERS:
        module = importlib.import_module(f"scopedepth.datasets.loaders.{loader}")
        own = getattr(module, "Options", extensions.NoOptions)
        assert asdict(options_of(extensions.LOADERS, loader)()) == asdict(own()), loader


@pytest.fixture(scope="module")
def case_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Callable[[], None]]:
    return fuzz.option_cases(0, tmp_path_factory.mktemp("seeds"))


def test_values_of_options_work_or_are_refused(case_of: Callable[[int], Callable[[], None]]) -> None:
    ends = [fuzz.outcome(case_of(number)) for number in range(300)]
    assert set(ends) == {"well", "error"}
    assert ends.count("well") > 10
