"""Each family through load_model: published formulas, per-sequence weights, and files that do not fit."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from scopedepth.errors import ScopeDepthError
from scopedepth.models import load_model
from scopedepth.models.monodepth2_networks import Decoder, DispResNet, Encoder
from tiny_models import scene, spec

WIDE, NARROW = (8, 8, 16, 16, 32), (4, 4, 8, 8, 16)
FRAMES = scene(3, 90, 130)


def write_monodepth2(folder: Path, seed: int = 0, height: int = 64, width: int = 96) -> Path:
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    encoder = Encoder(WIDE).state_dict()
    extra = {"height": height, "width": width, "use_stereo": True}
    classifier = {"encoder.fc.weight": torch.zeros(10, 32), "encoder.fc.bias": torch.zeros(10)}
    torch.save({**encoder, **classifier, **extra}, folder / "encoder.pth")
    torch.save(Decoder(WIDE, NARROW).state_dict(), folder / "depth.pth")
    return folder


def write_sc(path: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 3, "state_dict": DispResNet(WIDE, NARROW).state_dict()}, path)
    return path.parent


def sigma(networks: Any, frames: np.ndarray, size: tuple[int, int], how: int, centred: bool) -> np.ndarray:
    """The sigmoid's output the slow way: Pillow, one frame at a time."""
    out = []
    for frame in frames:
        image = np.asarray(Image.fromarray(frame).resize(size[::-1], how), np.float32) / 255
        image = (image - 0.45) / 0.225 if centred else image
        with torch.inference_mode():
            out.append(networks(torch.from_numpy(image).permute(2, 0, 1)[None])[0, 0].numpy())
    return np.stack(out)


def test_endo_depth_formula(tmp_path: Path) -> None:
    folder = write_monodepth2(tmp_path / "w")
    endo = spec("monodepth2", "metric_depth", "mm", factor=52.864, saturate=300.0)
    model = load_model(endo, folder, "cpu")
    assert model.grid(90, 130) == (64, 96)
    assert (model.output_kind, model.unit) == ("metric_depth", "mm")
    share = sigma(model.network, FRAMES, (64, 96), 1, centred=False)  # type: ignore[attr-defined]
    expected = np.minimum(52.864 / (0.01 + 9.99 * share), 300)
    found = model.predict(FRAMES)
    assert found.dtype == np.float32
    # A grey level more or less in the resized frame.
    np.testing.assert_allclose(found, expected, rtol=5e-3)
    plain = load_model(spec("monodepth2", "depth"), folder, "cpu").predict(FRAMES)
    np.testing.assert_allclose(np.minimum(plain * 52.864, 300), found, rtol=1e-5)
    inverse = load_model(spec("monodepth2", "scaled_disparity"), folder, "cpu").predict(FRAMES)
    np.testing.assert_allclose(1 / inverse, plain, rtol=1e-5)
    assert 0 < load_model(spec("monodepth2", "disparity"), folder, "cpu").predict(FRAMES).max() < 1


def test_endo_sfmlearner_formula(tmp_path: Path) -> None:
    folder = write_sc(tmp_path / "w" / "dispnet_model_best.pth.tar")
    model = load_model(spec("sc_sfmlearner"), folder, "cpu")
    assert model.grid(320, 320) == (320, 320)
    assert model.grid(90, 130) == (96, 128)
    share = sigma(model.network, FRAMES, (96, 128), 2, centred=True)  # type: ignore[attr-defined]
    np.testing.assert_allclose(model.predict(FRAMES), 1 / (10 * share + 0.01), rtol=5e-3)
    sized = load_model(spec("sc_sfmlearner", height=64, width=96), folder, "cpu")
    assert sized.predict(FRAMES).shape == (3, 64, 96)


@pytest.mark.parametrize("family", ["monodepth2", "sc_sfmlearner"])
def test_each_sequence_has_its_own_weights(tmp_path: Path, family: str) -> None:
    for number in (1, 4):
        if family == "monodepth2":
            write_monodepth2(tmp_path / "stereo" / f"test{number}" / "epoch2", seed=number)
        else:
            write_sc(tmp_path / "stereo" / f"test{number}" / "best.pth.tar", seed=number)
    last = "epoch2" if family == "monodepth2" else "best.pth.tar"
    model = load_model(spec(family, checkpoint=f"stereo/test{{number}}/{last}"), tmp_path, "cpu")
    one, four = model.for_sequence("rectified01"), model.for_sequence("rectified04")
    again = model.for_sequence("rectified01")
    assert np.array_equal(one.predict(FRAMES), again.predict(FRAMES))
    assert not np.allclose(one.predict(FRAMES), four.predict(FRAMES))
    alone = load_model(spec(family, checkpoint=f"stereo/test4/{last}"), tmp_path, "cpu")
    assert np.array_equal(alone.predict(FRAMES), four.predict(FRAMES))
    with pytest.raises(ScopeDepthError, match="test9"):
        model.for_sequence("rectified09")
    with pytest.raises(ScopeDepthError, match="has none in its name"):
        model.for_sequence("colon")
    both = {"rectified*": f"stereo/test{{number}}/{last}", "*": f"stereo/test1/{last}"}
    chosen = load_model(spec(family, checkpoint=both), tmp_path, "cpu")
    assert np.array_equal(chosen.for_sequence("colon4").predict(FRAMES), one.predict(FRAMES))
    assert np.array_equal(chosen.for_sequence("rectified04").predict(FRAMES), four.predict(FRAMES))
    with pytest.raises(ScopeDepthError, match="no checkpoint for sequence 'colon'"):
        load_model(spec(family, checkpoint={"r*": f"stereo/test1/{last}"}), tmp_path, "cpu").for_sequence(
            "colon"
        )
    with pytest.raises(ScopeDepthError, match="nothing like"):
        load_model(spec(family, checkpoint=f"mono/{{sequence}}/{last}"), tmp_path, "cpu")


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch exploded",)


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "bomb":
        path.write_bytes(pickle.dumps({"state_dict": Bomb()}))
    elif how == "zipped bomb":
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb(), protocol=2))
            archive.writestr("archive/version", "3")
        path.write_bytes(inner.getvalue())
    elif how == "missing":
        path.unlink()
    else:
        tensors = torch.load(path, weights_only=True)
        inside = tensors.get("state_dict", tensors)
        key = next(key for key in inside if "layer2.0.conv1" in key)
        if how == "wrong key":
            inside[key + "x"] = inside.pop(key)
        elif how == "wrong shape":
            inside[key] = inside[key][:, :3]
        elif how == "other model":
            tensors = {"net.weight": torch.zeros(3)}
        torch.save(tensors, path)


HOWS = ["truncated", "empty", "bomb", "zipped bomb", "missing", "wrong key", "wrong shape", "other model"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("family", ["monodepth2", "sc_sfmlearner"])
def test_bad_weights_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if family == "monodepth2":
        folder = write_monodepth2(tmp_path / "w")
        damage(folder / "encoder.pth", how)
    else:
        folder = write_sc(tmp_path / "w" / "dispnet_checkpoint.pth.tar")
        damage(folder / "dispnet_checkpoint.pth.tar", how)
    with pytest.raises(ScopeDepthError) as caught:
        load_model(spec(family), folder, "cpu")
    message = str(caught.value)
    assert message.startswith("Model m: ")
    assert "\n" not in message
    assert str(folder) in message
    assert len(message) < 400
    assert not (tmp_path / "exploded").exists()


def test_options_are_checked(tmp_path: Path) -> None:
    folder = write_monodepth2(tmp_path / "w")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"heigth": 3}, r"family monodepth2 has no option heigth \(nearest: height\)"),
        ({"height": 65}, "multiples of 32"),
        ({"resample": "area"}, "no resample 'area'"),
    ]
    for bad, said in refused:
        with pytest.raises(ScopeDepthError, match=said):
            load_model(spec("monodepth2", **bad), folder, "cpu")
    with pytest.raises(ScopeDepthError, match="no family"):
        load_model(spec("nets"), folder, "cpu")
    with pytest.raises(ScopeDepthError, match="no device"):
        load_model(spec("monodepth2"), folder, "cuda:7")
    with pytest.raises(ScopeDepthError, match="fp16 needs a GPU"):
        load_model(spec("monodepth2", precision="fp16"), folder, "cpu")


def test_half_precision_is_near_single(tmp_path: Path) -> None:
    folder = write_monodepth2(tmp_path / "w")
    single = load_model(spec("monodepth2"), folder, "cpu").predict(FRAMES)
    half = load_model(spec("monodepth2", precision="bf16"), folder, "cpu")
    assert half.precision == "bf16"
    np.testing.assert_allclose(half.predict(FRAMES), single, rtol=0.05)
    assert not np.array_equal(half.predict(FRAMES), single)


def export(path: Path, batch: int | str, size: int | str, channels: int = 1) -> None:
    """A network in ONNX that adds up the channels: input [batch, 3, size, size]."""
    import onnx
    from onnx import TensorProto, helper

    wide = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, size, size])
    out = helper.make_tensor_value_info("depth", TensorProto.FLOAT, [batch, channels, size, size])
    kernel = helper.make_tensor("k", TensorProto.FLOAT, [channels, 3, 1, 1], [1.0, 2.0, 3.0] * channels)
    node = helper.make_node("Conv", ["image", "k"], ["depth"])
    graph = helper.make_graph([node], "g", [wide], [out], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def test_onnx(tmp_path: Path) -> None:
    export(tmp_path / "net.onnx", "n", "s")
    raw = spec("onnx", "disparity", mean=None, scale=1.0)
    model: Any = load_model(raw, tmp_path, "cpu")
    assert model.grid(90, 130) == (90, 130)
    expected = FRAMES.astype(np.float32) @ np.array([1, 2, 3], np.float32)
    np.testing.assert_allclose(model.predict(FRAMES), expected, rtol=1e-5)
    other = load_model(spec("onnx", "disparity", mean=None, scale=1.0, channels="bgr"), tmp_path, "cpu")
    np.testing.assert_allclose(
        other.predict(FRAMES), FRAMES.astype(np.float32) @ np.array([3, 2, 1], np.float32), rtol=1e-5
    )
    model.prepare(1)
    np.testing.assert_allclose(model.predict(FRAMES), expected, rtol=1e-5)
    session = model.session
    model.use_threads(1)
    assert model.session is session, "opening it anew takes time"
    model.use_threads(2)
    assert model.session.get_session_options().intra_op_num_threads == 2
    stops = model.session.get_session_options().get_session_config_entry("session.force_spinning_stop")
    assert stops == "1", "idle threads must not take the cores of what runs after a call"
    export(tmp_path / "fixed.onnx", 2, 64)
    with pytest.raises(ScopeDepthError, match="holds 2"):
        load_model(spec("onnx"), tmp_path, "cpu")
    fixed = load_model(spec("onnx", file="fixed.onnx"), tmp_path, "cpu")
    assert fixed.grid(90, 130) == (64, 64)
    found = fixed.predict(FRAMES)
    assert found.shape == (3, 64, 64)
    image = np.asarray(Image.fromarray(FRAMES[2]).resize((64, 64), 3), np.float32) / 255
    image = (image - np.array([0.485, 0.456, 0.406], np.float32)) / np.array(
        [0.229, 0.224, 0.225], np.float32
    )
    np.testing.assert_allclose(found[2], image @ np.array([1, 2, 3], np.float32), rtol=1e-4, atol=1e-5)


def test_onnx_that_is_given_what_it_does_not_take(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    export(tmp_path / "fixed.onnx", "n", 64)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"height": 96}, r"options\.height is 96, and fixed\.onnx was exported for 64"),
        ({"width": 96, "height": 64}, r"options\.width is 96"),
        ({"std": None}, r"options\.std is null and mean is not"),
    ]
    for options, said in refused:
        with pytest.raises(ScopeDepthError, match=said):
            load_model(spec("onnx", **options), tmp_path, "cpu")
    assert load_model(spec("onnx", height=64, width=64), tmp_path, "cpu").grid(90, 130) == (64, 64)
    (tmp_path / "fixed.onnx").unlink()
    takes = {
        # What a deployed file takes.
        TensorProto.UINT8: r"net\.onnx takes tensor\(uint8\)\. Set options\.input to frames",
        TensorProto.DOUBLE: r"net\.onnx takes tensor\(double\).*as floats",
        TensorProto.INT64: r"net\.onnx takes tensor\(int64\).*as floats",
    }
    for kind, said in takes.items():
        image = helper.make_tensor_value_info("image", kind, ["n", 3, "h", "w"])
        out = helper.make_tensor_value_info("depth", kind, ["n", 3, "h", "w"])
        graph = helper.make_graph([helper.make_node("Identity", ["image"], ["depth"])], "g", [image], [out])
        opset = helper.make_opsetid("", 17)
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "net.onnx")
        with pytest.raises(ScopeDepthError, match=said):
            load_model(spec("onnx"), tmp_path, "cpu")


def test_bad_onnx(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    export(tmp_path / "net.onnx", "n", "s", channels=2)
    with pytest.raises(ScopeDepthError, match="not one number a pixel"):
        load_model(spec("onnx"), tmp_path, "cpu").predict(FRAMES)
    with pytest.raises(ScopeDepthError, match="no output 'disp'"):
        load_model(spec("onnx", output="disp"), tmp_path, "cpu")
    one = helper.make_tensor_value_info("more", TensorProto.FLOAT, [1])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    for inputs, node, said in [
        (
            [image, one],
            helper.make_node("Mul", ["image", "more"], ["depth"]),
            "takes image, more, and is given",
        ),
        (
            [image],
            helper.make_node("ReduceMean", ["image"], ["depth"], axes=[0, 1]),
            r"\(1, 1, .*\) for 3 images",
        ),
        ([image], helper.make_node("Concat", ["image"] * 2, ["depth"], axis=0), r"\(6, 3, .*\) for 3 images"),
    ]:
        out = helper.make_empty_tensor_value_info("depth")
        graph = helper.make_graph([node], "g", inputs, [out])
        opset = helper.make_opsetid("", 17)
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "net.onnx")
        with pytest.raises(ScopeDepthError, match=said):
            load_model(spec("onnx"), tmp_path, "cpu").predict(FRAMES)
    (tmp_path / "net.onnx").write_bytes(b"nothing")
    with pytest.raises(ScopeDepthError, match="does not load"):
        load_model(spec("onnx"), tmp_path, "cpu")


USER = """
import numpy as np
from neighbour import ADDED

class Mine:
    parameters = 7

    def __init__(self, weights, device, options):
        self.gain = options["gain"]

    def predict(self, frames):
        return frames[:, ::2, ::2].mean(axis=-1) * self.gain + ADDED
"""


def test_python(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USER)
    (tmp_path / "neighbour.py").write_text("ADDED = 5\n")
    model = load_model(spec("python", code="mine.py:Mine", options={"gain": 2}), tmp_path, "cpu")
    assert model.grid(90, 130) == (45, 65)
    assert model.parameters == 7
    assert model.for_sequence("a") is model
    np.testing.assert_allclose(model.predict(FRAMES), FRAMES[:, ::2, ::2].mean(axis=-1) * 2 + 5, rtol=1e-6)
    for code, said in [
        ("mine.py", "file.py:Class"),
        ("my.py:Mine", "no my.py"),
        ("mine.py:Yours", "no class Yours"),
    ]:
        with pytest.raises(ScopeDepthError, match=said):
            load_model(spec("python", code=code), tmp_path, "cpu")


TOLD = """
class Told:
    def __init__(self, weights, device, options):
        assert isinstance(device, str)
        self.device = device

    def predict(self, frames):
        return frames.mean(axis=-1)
"""


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_class_of_ones_own_is_told_where_to_compute(tmp_path: Path, device: str) -> None:
    """`auto` is what the workflow hands over; neither the class nor the engine knows it."""
    from scopedepth.prediction.engine import Engine

    (tmp_path / "told.py").write_text(TOLD)
    model = load_model(spec("python", code="told.py:Told"), tmp_path, device)
    wanted = "cuda:0" if device == "auto" and torch.cuda.is_available() else "cpu"
    assert model.device == model.user.device == wanted  # type: ignore[attr-defined]
    assert Engine(model, None).frames_at_once(model, 24, 32) >= 1  # type: ignore[arg-type]
    with pytest.raises(ScopeDepthError, match="no device 'gpu'"):
        load_model(spec("python", code="told.py:Told"), tmp_path, "gpu")


@pytest.mark.parametrize("code", ["/abs/net.py:Net", "../net.py:Net"])
def test_code_outside_its_folder_is_refused(tmp_path: Path, code: str) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net.py").write_text("class Net: pass\n")
    with pytest.raises(ScopeDepthError, match="lies outside its weights' folder"):
        load_model(spec("python", code=code), tmp_path / "net", "cpu")


def test_a_class_imports_its_folder_and_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No module from elsewhere, for its changes would go unseen; and no bytecode in the folder."""
    (tmp_path / "net").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "found_by_path.py").write_text("X = 1\n")
    (tmp_path / "net" / "beside_it.py").write_text("import colorsys\nX = 1\n")
    (tmp_path / "net" / "good.py").write_text(
        "import torch.classes\nimport beside_it\n\n\nclass Net:\n    def __init__(self, *given): ...\n"
        "    def predict(self, frames): ...\n"
    )
    (tmp_path / "net" / "bad.py").write_text(
        "class Net:\n    def __init__(self, *given):\n        import found_by_path\n"
        "    def predict(self, frames): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    load_model(spec("python", code="good.py:Net"), tmp_path / "net", "cpu")
    assert not (tmp_path / "net" / "__pycache__").exists()
    with pytest.raises(ScopeDepthError, match=r"imports found_by_path from .*neither in its weights' folder"):
        load_model(spec("python", code="bad.py:Net"), tmp_path / "net", "cpu")


def test_a_network_is_not_given_less_than_it_takes(tmp_path: Path) -> None:
    """The coarsest map of 32 pixels is one pixel, whose border cannot be reflected."""
    folder = write_sc(tmp_path / "dispnet_model_best.pth.tar")
    model = load_model(spec("sc_sfmlearner"), folder, "cpu")
    assert model.grid(24, 32) == (64, 64)
    assert np.isfinite(model.predict(scene(1, 24, 32))).all()
    with pytest.raises(ScopeDepthError, match="at least 64"):
        load_model(spec("monodepth2", height=32), write_monodepth2(tmp_path / "w"), "cpu")


def test_baselines() -> None:
    constant = load_model(spec("baseline"), Path("none"), "auto")
    assert (constant.predict(FRAMES) == 1).all()
    brightness = load_model(spec("baseline", kind="brightness"), Path("none"), "cuda")
    depth = brightness.predict(FRAMES)
    luminance = FRAMES @ np.array([0.2126, 0.7152, 0.0722])
    np.testing.assert_allclose(depth, (luminance / 255) ** -0.5, rtol=1e-5)
    black = brightness.predict(np.zeros((1, 4, 4, 3), np.uint8))
    assert np.isfinite(black).all()
    undone = load_model(spec("baseline", kind="brightness", gamma=2.2), Path("none"), "cpu").predict(FRAMES)
    np.testing.assert_allclose(undone, depth**2.2, rtol=1e-4)
    with pytest.raises(ScopeDepthError, match="no kind 'noise'; there are constant, brightness"):
        load_model(spec("baseline", kind="noise"), Path("none"), "cpu")
    with pytest.raises(ScopeDepthError, match="output kind is `depth`"):
        load_model(spec("baseline", "disparity"), Path("none"), "cpu")


@pytest.mark.parametrize("driver", [False, True], ids=["no GPU", "a driver"])
def test_what_is_numpy_alone_imports_no_torch_where_there_is_no_gpu(
    root: Path, tmp_path: Path, driver: bool
) -> None:
    """A class of one's own is told which device; torch is asked only where a driver says that there may be one."""
    (tmp_path / "own.py").write_text(
        "class Own:\n    def __init__(self, weights, device, options): self.device = device\n"
        "    def predict(self, frames): return frames[..., 0]\n"
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from scopedepth.models import load_model; import scopedepth.prediction.predict\n"
        "from scopedepth.models.families import python\n"
        f"python.gpu_at_hand = lambda: {driver}\n"
        "for family, options in (('baseline', {}), ('python', {'code': 'own.py:Own'})):\n"
        "    spec = {'name': 'm', 'family': family, 'output': {'kind': 'depth', 'unit': None}, 'precision': 'fp32'}\n"
        "    model = load_model({**spec, 'options': options}, Path(sys.argv[1]), 'auto')\n"
        "assert model.device == 'cpu' or 'torch' in sys.modules\n"
        "print(sorted({'torch', 'transformers', 'xarray', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root / "workflow_scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ("['torch']" if driver else "[]")
