"""A model as one ONNX file: its steps before the network one by one, the command, the file as a model of a study."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from project import CONFIG, Project
from scopedepth.cli import main
from scopedepth.config.load import ConfigError, check, select_study
from scopedepth.deploy import network, steps
from scopedepth.deploy.steps import Before, Size, before_text
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.weights import fetch_weights
from scopedepth.models import load_model
from scopedepth.models.authors import AuthorsProcessor
from scopedepth.models.processors import DEFAULTS, HALF, Processor
from scopedepth.models.resampling import BICUBIC, BILINEAR, LANCZOS
from scopedepth.models.resize import resize_with_opencv, resize_with_pillow, resize_with_skimage
from test_models_families import write_monodepth2
from tiny_models import spec

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def session(text: str) -> Any:
    import onnx.parser

    made = onnx.parser.parse_model(text)
    onnx.checker.check_model(made)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    return onnxruntime.InferenceSession(made.SerializeToString(), settings)


def given(before: Before, frames: np.ndarray) -> np.ndarray:
    return session(before_text(before, None)).run(None, {"frames": frames})[0]


# Smaller, larger, as it was, one side each, and where Pillow resizes rows first.
SIZES = [((90, 130), (64, 96)), ((90, 61), (180, 122)), ((50, 60), (50, 60)), ((500, 100), (70, 140))]


@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_frames_are_resized_in_the_graph_as_they_are_here(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (2, *size, 3)).astype(np.uint8)
    frames[:, ::2] = np.where(frames[:, ::2] > 127, 255, 0)  # where filters overshoot
    ours = torch.from_numpy(frames).permute(0, 3, 1, 2)
    to = Size(fixed=wanted)
    for resample in (LANCZOS, BILINEAR, BICUBIC):
        np.testing.assert_array_equal(
            given(Before(to, "pillow", resample, scale=1.0), frames),
            resize_with_pillow(ours, wanted, resample).numpy(),
        )
    smooth = resize_with_skimage(ours.float(), wanted).numpy()
    # Single precision here, double in the graph.
    np.testing.assert_allclose(given(Before(to, "skimage", scale=1.0), frames), smooth, atol=1e-4)
    cubic = resize_with_opencv(ours.float() / 255, wanted).numpy()
    # Positions in single precision there.
    np.testing.assert_allclose(given(Before(to, "cubic"), frames), cubic, atol=1e-4)


def hub(kind: str, **settings: Any) -> Processor:
    return Processor(kind, {**DEFAULTS[kind], **settings})


@pytest.mark.parametrize(
    "processor",
    [
        hub("DPT", size={"height": 70, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14),
        hub("DPT", size={"height": 64, "width": 96}),
        hub("DPT", do_resize=False),
        hub("GLPN"),
        hub("Tipsv2Dpt", size={"height": 56, "width": 70}),
        AuthorsProcessor(70, 14, True, True, HALF, HALF),
        AuthorsProcessor(64, 32, True, False, HALF, HALF),
        AuthorsProcessor(64, 32, False, False, HALF, HALF),
    ],
)
def test_sizes_of_the_networks_input_are_found_in_the_graph(processor: Processor | AuthorsProcessor) -> None:
    before = network._transformers(SimpleNamespace(processor=processor, name="m"), None)
    run = session(before_text(before, None))
    for height, width in [(64, 64), (90, 130), (131, 77), (35, 49), (99, 33), (63, 65), (40, 200), (77, 105)]:
        found = run.run(None, {"frames": np.zeros((1, height, width, 3), np.uint8)})[0].shape[2:]
        assert found == processor.input_size(height, width), (height, width)


def test_sc_sfmlearners_sizes() -> None:
    from scopedepth.models.families.sc_sfmlearner import Options, ScSfmLearner

    for options in (Options(), Options(width=96)):
        model: Any = SimpleNamespace(options=options, resample=None)
        run = session(before_text(network._sc_sfmlearner(model, None), None))
        for height, width in [(30, 80), (100, 112), (144, 90)]:
            found = run.run(None, {"frames": np.zeros((1, height, width, 3), np.uint8)})[0].shape[2:]
            assert found == ScSfmLearner.grid(model, height, width)


def test_what_is_added_around_a_frame_wants_frames_of_one_size() -> None:
    zoe = hub("ZoeDepth", size={"height": 64, "width": 96}, ensure_multiple_of=1 / 32)
    padded = hub("DPT", size={"height": 50, "width": 50}, do_pad=True, size_divisor=32, ensure_multiple_of=10)
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 90, 3)).astype(np.uint8)
    for processor in (zoe, padded):
        model = SimpleNamespace(processor=processor, name="m")
        with pytest.raises(ScopeDepthError, match="--size HEIGHTxWIDTH"):
            network._transformers(model, None)
        found = given(network._transformers(model, (60, 90)), frames)
        expected = processor(torch.from_numpy(frames).permute(0, 3, 1, 2)).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4)  # positions in single precision


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (spec("baseline"), "a baseline has no network"),
        (spec("onnx"), "an ONNX file already"),
        (spec("python"), "code of your own"),
        (spec("monodepth2", precision="bf16"), "runs in bf16"),
        (spec("monodepth2", checkpoint="a/{number}"), "weights for each sequence"),
        (spec("sc_sfmlearner", checkpoint={"a*": "b"}), "weights for each sequence"),
    ],
)
def test_what_has_no_graph_is_refused(made: Any, match: str) -> None:
    with pytest.raises(ScopeDepthError, match=match):
        network.refuse_what_has_no_graph(made)


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(spec("monodepth2"), write_monodepth2(tmp_path / "w"), "cpu")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ScopeDepthError, match=r"pip install 'onnx==1\.23\.2' 'onnxscript==0\.7\.2'"):
        network.export(model, None)


class OneLayer(torch.nn.Module):
    """As quick to export as a network can be; benchmarks/deploy.py exports the real classes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.layer(images))


@pytest.fixture
def studied(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished study's folder, with a network of monodepth2 beside its models, weights fetched."""
    monkeypatch.setattr(
        "scopedepth.models.families.monodepth2.read_network", lambda *_: (OneLayer(), (64, 64))
    )
    folder = tmp_path / "study"
    (folder / "results").mkdir(parents=True)
    for name in ("datasets", "raw"):
        (folder / "results" / name).symlink_to(finished.folder / "results" / name)
    monkeypatch.chdir(folder)
    write_monodepth2(Path("networks/narrow"), height=64, width=64)
    config = copy.deepcopy(CONFIG)
    config["models"]["narrow"] = {
        "family": "monodepth2",
        "weights": {"kind": "path", "path": "networks/narrow"},
        "output": {"kind": "metric_disparity", "unit": "mm"},
        "options": {"factor": 50, "saturate": 300.0, "centred": True},
        "licence": "CC0",
    }
    config["studies"]["small"]["models"].append("narrow")
    Path("config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    model = select_study(config).models["narrow"]
    Path("results/weights").mkdir()
    fetch_weights(model, Path("results/weights/narrow"), Path("results/weights/narrow.json"))
    return folder


def test_a_deployed_model_is_proven_and_is_a_model_of_its_own(
    studied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    assert main(["deploy", "narrow", "--onnx", "out/narrow.onnx"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(" at once, ") == 6, "three sizes, two batches"
    told = json.loads(Path("out/narrow.json").read_text(encoding="utf-8"))
    assert (told["kind"], told["unit"], told["greatest_depth"]) == ("metric_disparity", "mm", 300.0)
    assert told["licence"] == "CC0"
    assert told["weights_digest"] == json.loads(Path("results/weights/narrow.json").read_text())["digest"]
    assert {(one["height"], one["width"], one["batch"]) for one in told["proof"]["tried"]} == {
        (24, 32, 1), (24, 32, 3), (17, 32, 1), (17, 32, 3), (24, 19, 1), (24, 19, 3),
    }  # fmt: skip
    assert str(studied) not in json.dumps(told)

    # What it prints is an entry that runs.
    config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
    config["models"] |= yaml.safe_load(printed[printed.index("models:") :])["models"]
    config["studies"]["small"]["models"].append("narrow_onnx")
    study = select_study(config)
    deployed, own = (study.models[name] for name in ("narrow_onnx", "narrow"))
    frames = np.random.default_rng(1).integers(0, 256, (4, 50, 70, 3)).astype(np.uint8)
    fetch_weights(deployed, Path("results/weights/deployed"), Path("results/weights/deployed.json"))
    theirs = load_model(deployed, Path("results/weights/deployed"), "cpu")
    ours = load_model(own, Path("results/weights/narrow"), "cpu")
    assert theirs.greatest_depth == ours.greatest_depth == 300
    expected = ours.predict(frames)
    np.testing.assert_allclose(theirs.predict(frames), expected, atol=1e-3 * float(np.ptp(expected)))

    # Not again over it.
    assert main(["deploy", "narrow", "--onnx", "out/narrow.onnx"]) == 1
    assert "is there already" in capsys.readouterr().err

    # And a file that says something else is not left there.
    brighter = onnx.load("out/narrow.onnx")
    (scale,) = [node for node in brighter.graph.node if node.output[0] == "before/scale_by"]
    scale.attribute[0].t.CopyFrom(onnx.helper.make_tensor("", 1, [], [1 / 250]))
    monkeypatch.setattr(network, "export", lambda model, frame: brighter)
    assert main(["deploy", "narrow", "--onnx", "off/narrow.onnx"]) == 1
    assert "says something else than the model" in capsys.readouterr().err
    assert list(Path("off").iterdir()) == []


def test_the_command_says_what_it_cannot_do(studied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (["constant"], "a baseline has no network"),
        (["narow"], "has no model 'narow'"),
        (["narrow", "--onnx", "narrow.pb"], "must end in .onnx"),
        (["narrow", "--size", "24"], "is no HEIGHTxWIDTH"),
        (["narrow", "--size", "23x32"], "has no frames of 23x32"),
    ):
        assert main(["deploy", *arguments]) == 1
        assert said in capsys.readouterr().err
    Path("results/weights/narrow").rename("results/weights/gone")
    assert main(["deploy", "narrow"]) == 1
    assert "results/weights/narrow is not there" in capsys.readouterr().err


def write_identity(path: Path, kind: str, shape: str) -> None:
    """Write a file that gives back its input's red."""
    import onnx.parser

    red = "red = Slice(typed, zero, one, at)"
    text = f"""{steps.HEAD}
        g ({kind}[{shape}] frames) => (float[n, a, b] red2) {{
          typed = Cast<to = 1>(frames)
          zero = Constant<value = int64[1] {{0}}>() one = Constant<value = int64[1] {{1}}>()
          at = Constant<value = int64[1] {{3}}>() {red} red2 = Squeeze(red, at) }}"""
    onnx.save(onnx.parser.parse_model(text), path)


def test_the_family_hands_frames_over_as_they_are(tmp_path: Path) -> None:
    write_identity(tmp_path / "any.onnx", "uint8", "n, h, w, 3")
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    model = load_model(spec("onnx", input="frames"), tmp_path, "cpu")
    np.testing.assert_array_equal(model.predict(frames), frames[..., 0])
    assert model.grid(5, 7) == (5, 7)
    with pytest.raises(ScopeDepthError, match=r"options\.input to frames"):
        load_model(spec("onnx"), tmp_path, "cpu")
    write_identity(tmp_path / "any.onnx", "uint8", "n, 5, 6, 3")
    fixed = load_model(spec("onnx", input="frames"), tmp_path, "cpu")
    with pytest.raises(
        ScopeDepthError, match=r"exported for frames of 6x5 \(width x height\), and these are 7x5"
    ):
        fixed.predict(frames)
    write_identity(tmp_path / "any.onnx", "float", "n, 3, h, w")
    with pytest.raises(ScopeDepthError, match=r"options\.input to images"):
        load_model(spec("onnx", input="frames"), tmp_path, "cpu")


@pytest.mark.parametrize("options", [{"scale": 1.0}, {"mean": None, "std": None}, {"height": 64}])
def test_frames_are_not_prepared_a_second_time(options: dict[str, Any]) -> None:
    config = copy.deepcopy(CONFIG)
    config["models"]["m"] = {
        "family": "onnx",
        "weights": {"kind": "path", "path": "x.onnx"},
        "output": {"kind": "depth"},
        "options": {"input": "frames", **options},
    }
    with pytest.raises(ConfigError, match="prepares them itself"):
        check(config)
