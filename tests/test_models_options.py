"""Options of models are checked by type and range when the configuration is read, in one line that names them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scopedepth.config.models import FAMILIES, ModelSpec
from scopedepth.config.options import options_of
from scopedepth.job import extensions

NEEDS: dict[str, dict[str, Any]] = {"python": {"code": "mine.py:Mine"}}


def entry(family: str, **options: Any) -> dict[str, Any]:
    weights = {"kind": "none"} if family == "baseline" else {"kind": "path", "path": "w"}
    given = {**NEEDS.get(family, {}), **options}
    return {"family": family, "weights": weights, "output": {"kind": "depth"}, "options": given}


REFUSED = [
    ("baseline", {"kind": "noise"}, "options.kind: Input should be 'constant' or 'brightness'"),
    ("baseline", {"exponent": float("nan")}, "options.exponent: "),
    ("monodepth2", {"height": "x"}, "options.height: Input should be a valid integer"),
    ("monodepth2", {"height": "64"}, "options.height: "),
    ("monodepth2", {"height": 250}, "options.height: Input should be a multiple of 32"),
    ("monodepth2", {"width": 32}, "options.width: Input should be greater than or equal to 64"),
    ("monodepth2", {"min_depth": 0}, "options.min_depth: Input should be greater than 0"),
    ("monodepth2", {"min_depth": 5, "max_depth": 5}, "min_depth must be less than max_depth"),
    ("monodepth2", {"resample": [1, 2]}, "options.resample: Input should be 'lanczos'"),
    ("monodepth2", {"centred": "yes"}, "options.centred: Input should be a valid boolean"),
    ("monodepth2", {"centred": 1}, "options.centred: "),
    ("monodepth2", {"checkpoint": {}}, "options.checkpoint: "),
    ("monodepth2", {"checkpoint": "x" * 300}, "options.checkpoint: a file's name has at most 255 bytes"),
    ("onnx", {"file": "a/" + "x" * 300}, "options.file: a file's name has at most 255 bytes"),
    ("monodepth2", {"checkpoint": "../x"}, "options.checkpoint: a place below the folder of weights"),
    (
        "sc_sfmlearner",
        {"checkpoint": {"*": "/x"}},
        "options.checkpoint.*: a place below the folder of weights",
    ),
    ("monodepth2", {"saturate": -1}, "options.saturate: "),
    ("sc_sfmlearner", {"height": 250}, "options.height: Input should be a multiple of 32"),
    ("sc_sfmlearner", {"beta": 0.0}, "options.beta: "),
    ("sc_sfmlearner", {"resample": "scikit"}, "'bicubic' or 'skimage'"),
    ("onnx", {"std": None}, "std is null and mean is not"),
    ("onnx", {"std": [1, 0, 1]}, "options.std: Input should be greater than 0"),
    ("onnx", {"mean": [1, 2]}, "options.mean: List should have at least 3 items"),
    ("onnx", {"output": -1}, "options.output: "),
    ("onnx", {"multiple": 0}, "options.multiple: "),
    ("onnx", {"channels": "hsv"}, "options.channels: "),
    ("onnx", {"scale": float("inf")}, "options.scale: "),
    ("python", {"code": "mine"}, """code must be "file.py:Class" or "package.module:Class", not 'mine'"""),
    (
        "python",
        {"code": "mine.py"},
        """code must be "file.py:Class" or "package.module:Class", not 'mine.py'""",
    ),
    ("python", {"code": None}, 'code must be "file.py:Class" or "package.module:Class", not None'),
    ("python", {"code": 3}, "options.code: "),
    ("python", {"options": [1]}, "options.options: "),
    (
        "transformers",
        {"preprocessing": "author"},
        "options.preprocessing: Input should be 'hub' or 'authors'",
    ),
    ("transformers", {"flip": "no"}, "options.flip: "),
    ("transformers", {"processor": {"pad": True}}, "options.processor.pad: Extra inputs"),
    ("transformers", {"processor": {"size": {"height": 3}}}, "options.processor.size"),
    ("transformers", {"processor": {"resample": 1}}, "options.processor.resample: "),
    ("transformers", {"processor": 3}, "options.processor: "),
    (
        "transformers",
        {"preprocessing": "authors", "processor": {"do_pad": False}},
        "preprocessing: authors takes none of them",
    ),
]


@pytest.mark.parametrize(("family", "options", "said"), REFUSED)
def test_refused(family: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate(entry(family, **options))
    (problem,) = caught.value.errors()
    assert said in problem["msg"]
    assert "\n" not in problem["msg"]


TAKEN = [
    ("monodepth2", {"height": 192, "width": 640, "factor": 3, "centred": False}),
    ("monodepth2", {"checkpoint": {"rectified*": "stereo/test{number}", "*": "stereo/test1"}}),
    ("sc_sfmlearner", {"checkpoint": "best.pth.tar", "resample": "skimage"}),
    ("onnx", {"mean": None, "std": None, "output": "depth", "resample": "opencv"}),
    ("onnx", {"mean": None}),
    (
        "transformers",
        {"processor": {"size": 384, "do_pad": False, "image_mean": 0.5}, "preprocessing": "hub"},
    ),
    ("transformers", {"preprocessing": "authors", "flip": False, "processor": {}}),
    ("python", {"options": {"anything": [1, {"at": "all"}]}}),
]


@pytest.mark.parametrize(("family", "options"), TAKEN)
def test_taken_as_they_are(family: str, options: dict[str, Any]) -> None:
    assert ModelSpec.model_validate(entry(family, **options)).options == {**NEEDS.get(family, {}), **options}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_value_is_a_traceback(family: str) -> None:
    """Whatever YAML can hold, for each option: taken, or refused as an error of the configuration."""
    said = []
    odd: list[Any] = [
        None,
        True,
        -1,
        0,
        10**30,
        1.5,
        float("nan"),
        "",
        "x",
        [],
        [1, 2],
        [[]],
        {},
        {"a": {"b": [None]}},
    ]
    for name in options_of(extensions.FAMILIES, family).__dataclass_fields__:
        for value in odd:
            try:
                ModelSpec.model_validate(entry(family, **{name: value}))
            except ValidationError as error:
                said += [problem["msg"] for problem in error.errors()]
    assert len(said) > len(odd) / 2
    assert not any("\n" in text for text in said)
