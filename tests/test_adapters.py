"""model_classes/: each adapter beside a stand-in of its package or repository, which has the published one's interface.

What the published code itself says with random weights of the published layouts is in docs/models.md.
"""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from project import ROOT
from scopedepth.commands.export import code_parts
from scopedepth.errors import ScopeDepthError
from scopedepth.models import load_model
from scopedepth.models.base import DepthModel
from scopedepth.study import asked
from tiny_models import scene, spec

torch = pytest.importorskip("torch")

ENTRIES = {
    name: entry
    for name, entry in yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["models"].items()
    if entry.get("family") == "python"
}
FRAMES = scene(3, 20, 24)
CAMERA = np.array([[30.0, 0, 11.5], [0, 32, 9.5], [0, 0, 1]])
RED = FRAMES[..., 0].astype(np.float64)
HALVED = FRAMES[:, ::2, ::2].astype(np.float64)

SCALED = """
import torch
class Scaled(torch.nn.Module):
    def __init__(self, *_, **__):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1.0))
"""
DEPTH_ANYTHING_3 = {
    "cfg.py": f"""{SCALED}
class Network(Scaled):
    def forward(self, images, export_feat_layers):
        assert images.shape[:2] == (1, 1)
        return {{"depth": self.scale * images[:, :, 0] + torch.rand(1)}}
load_config = {{"da3mono-large": "its file"}}.get
def create_object(config):
    return Network()
""",
    "registry.py": "MODEL_REGISTRY = {'da3mono-large': 'da3mono-large'}",
    "utils/io/input_processor.py": """
import torch
class InputProcessor:
    def __call__(self, images, intrinsics, process_res, num_workers):
        assert process_res == 504
        (image,) = images
        scaled = None if intrinsics is None else torch.from_numpy(intrinsics) / 2
        return torch.from_numpy(image[::2, ::2].copy()).permute(2, 0, 1)[None], None, scaled
""",
}
VIDEO = {
    "video_depth_anything/video_depth.py": f"""{SCALED}
INFER_LEN, OVERLAP, KEYFRAMES, INTERP_LEN = 32, 10, [0, 12, 24, 25, 26, 27, 28, 29, 30, 31], 8
SEEN = []
class VideoDepthAnything(Scaled):
    def __init__(self, encoder, features, out_channels, metric):
        assert (encoder, features) == ("vits", 64)
        super().__init__()
    def forward(self, x):
        SEEN.append(x[0, :, 0].mean((1, 2)))
        return self.scale * (x[:, :, 0] * len(SEEN) + len(SEEN))
""",
    "video_depth_anything/util/transform.py": """
import numpy as np
class Resize:
    def __init__(self, width, height, resize_target, keep, multiple, method, filter): ...
    def __call__(self, sample): return sample
class NormalizeImage(Resize):
    def __init__(self, mean, std): ...
class PrepareForNet:
    def __call__(self, sample): return {"image": np.ascontiguousarray(sample["image"].transpose(2, 0, 1))}
""",
    "utils/util.py": """
import numpy as np
def compute_scale_and_shift(prediction, target, mask):
    return np.polyfit(prediction[mask], target[mask], 1)
def get_interpolate_frames(before, after):
    weights = np.linspace(0, 1, len(before))
    return [(1 - weight) * one + weight * other for weight, one, other in zip(weights, before, after)]
""",
}
ENDODAC = {
    "models/endodac/__init__.py": f"""{SCALED}
class endodac(Scaled):
    def forward(self, images):
        return {{("disp", 0): self.scale * images[:, :1]}}
"""
}
LITE_MONO = {
    "networks/__init__.py": f"""{SCALED}
class LiteMono(Scaled):
    num_ch_enc = [1]
    def forward(self, images): return self.scale * images
class DepthDecoder(Scaled):
    def forward(self, features): return {{("disp", 0): self.scale * features[:, :1]}}
"""
}
ENDOOMNI = {
    "models/depth_anything/dpt.py": f"""{SCALED}
import os
assert os.path.basename(os.getcwd()) != "repository"
class DepthAnything(Scaled):
    def __init__(self, encoder):
        assert (encoder, os.path.basename(os.getcwd())) == ("vitb", "repository")
        super().__init__()
    def forward(self, images): return self.scale * images[:, 0]
"""
}
TORCHVISION = {
    "functional.py": """
import torch
def normalize(images, mean, std): return (images - mean[0]) / std[0]
def resize(images, size, antialias):
    return torch.nn.functional.interpolate(images, size, mode="nearest-exact")
"""
}
UNIDEPTH = {
    "models.py": f"""{SCALED}
class UniDepthV2(Scaled):
    def __init__(self, config):
        assert config == {{"layout": "v2"}}
        super().__init__()
    def infer(self, image, camera):
        assert self.interpolation_mode == "bilinear"
        depth = self.scale * image.float()[:, :1]
        if camera is not None:
            depth = depth * camera[0, 0]
            camera /= 2
        return {{"depth": depth}}
"""
}
PIPELINE = """
import numpy as np, torch
from types import SimpleNamespace
class Pipeline:
    unet = vae = text_encoder = torch.nn.Linear(1, 1)
    @classmethod
    def from_pretrained(cls, folder, local_files_only):
        assert local_files_only
        return cls()
    def to(self, device): return self
    def set_progress_bar_config(self, disable): ...
"""
DIFFUSERS = {
    "__init__.py": f"""{PIPELINE}
class MarigoldDepthPipeline(Pipeline):
    def __call__(self, image, generator, num_inference_steps, processing_resolution, ensemble_size):
        assert (num_inference_steps, processing_resolution, ensemble_size) == (4, None, 1)
        noise = torch.rand(1, generator=generator).numpy()
        return SimpleNamespace(prediction=(image[None, :, :, :1] + noise))
"""
}
LOTUS = {
    "pipeline.py": f"""{PIPELINE}
class LotusDPipeline(Pipeline):
    def __call__(self, rgb_in, prompt, num_inference_steps, output_type, task_emb, timesteps, processing_res):
        assert (timesteps, output_type, processing_res) == ([999], "np", None)
        assert torch.allclose(task_emb, torch.tensor([[0.8415, 0.0, 0.5403, 1.0]]), atol=1e-4)
        return SimpleNamespace(images=(rgb_in + torch.rand(1)).permute(0, 2, 3, 1).numpy())
class LotusGPipeline(LotusDPipeline): ...
"""
}

Make = Callable[..., DepthModel]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Load config.yaml's entry in this process, beside a stand-in below its adapter's folder."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(sys.modules)

    def load(name: str, place: str, files: dict[str, str], **other: Any) -> DepthModel:
        options = {
            key: value for key, value in ENTRIES[name]["options"].items() if key not in ("python", "packages")
        }
        folder = tmp_path / "code"
        if not folder.exists():
            shutil.copytree(ROOT / options["folder"], folder)
        for file, content in files.items():
            path = folder / place / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            top = (Path(place) / file).parts[1 if place.startswith("repository") else 0].removesuffix(".py")
            for one in [one for one in sys.modules if one.partition(".")[0] == top]:
                monkeypatch.delitem(sys.modules, one)
        output = ENTRIES[name]["output"]
        told = spec(
            "python", output["kind"], output.get("unit"), **{**options, "folder": str(folder), **other}
        )
        weights = tmp_path / "w"
        weights.mkdir(exist_ok=True)
        return load_model(told, weights, "cpu")

    yield load
    for name in [name for name in sys.modules if name not in before]:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if str(tmp_path) in file or str(tmp_path) in str(getattr(sys.modules[name], "__path__", "")):
            del sys.modules[name]


def tensors(tmp_path: Path, file: str, **values: Any) -> None:
    """Write weights as torch or safetensors, for the scale of a stand-in."""
    from safetensors.torch import save_file

    (tmp_path / "w").mkdir(exist_ok=True)
    if file.endswith(".safetensors"):
        save_file(values, tmp_path / "w" / file)
    else:
        torch.save(values, tmp_path / "w" / file)


def both_ways(model: DepthModel) -> np.ndarray:
    """Return the prediction of all frames, which is that of each frame alone, and again the same."""
    said = model.predict(FRAMES)
    np.testing.assert_array_equal(np.concatenate([model.predict(FRAMES[n : n + 1]) for n in range(3)]), said)
    return said


def test_each_entry_has_its_adapter_and_says_how_it_is_installed() -> None:
    for name, entry in ENTRIES.items():
        options = entry["options"]
        file, _, wanted = options["code"].partition(":")
        tree = ast.parse((ROOT / options["folder"] / file).read_text(encoding="utf-8"))
        assert wanted in [one.name for one in tree.body if isinstance(one, ast.ClassDef)], name
        head = ast.get_docstring(tree) or ""
        for package in options.get("packages", []):
            known = package in head or package.startswith(("unidepth", "onnxruntime"))
            assert known, f"{name}: {package} is not in the head of {file}"
        if "python" in options:
            assert f"-m venv {options['python'].removesuffix('/bin/python')}\n" in head, name


def test_depth_anything_3(tmp_path: Path, make: Make) -> None:
    tensors(tmp_path, "model.safetensors", **{"model.scale": torch.tensor(2.0)})
    (tmp_path / "w/config.json").write_text(json.dumps({"model_name": "da3mono-large"}))
    model = make("depth_anything_3_mono_large", "depth_anything_3", DEPTH_ANYTHING_3)
    assert model.parameters == 1
    torch.manual_seed(0)
    noise = torch.rand(1).item()
    said = both_ways(model)
    np.testing.assert_allclose(said, 2 * HALVED[..., 0] + noise, rtol=1e-6)
    metric = make("depth_anything_3_metric_large", "depth_anything_3", {}).with_camera(CAMERA)
    np.testing.assert_allclose(both_ways(metric), said * (15.5 / 300), rtol=1e-6)


def test_video_depth_anything_in_windows(tmp_path: Path, make: Make) -> None:
    """A network whose every window has another scale and shift: what comes out has the first one's."""
    tensors(tmp_path, "video_depth_anything_vits.pth", scale=torch.tensor(1.0))
    model = make("video_depth_anything_small", "repository", VIDEO)
    brightness = np.arange(60) + 100
    frames = np.broadcast_to(brightness[:, None, None, None], (60, 4, 6, 3)).astype(np.uint8)
    assert model.window is not None
    said = np.zeros((60, 4, 6))
    for _ in range(2):  # the second time as if the first had not been
        sys.modules["video_depth_anything.video_depth"].SEEN.clear()
        model.start_sequence()
        for piece in model.window.pieces(60):
            answer = model.predict(frames[piece.first : piece.stop])
            said[piece.kept : piece.end] = answer[piece.kept - piece.first : piece.end - piece.first]
        np.testing.assert_allclose(said[:, 0, 0], brightness / 255 + 1, rtol=1e-5)
    seen = np.round(255 * np.stack(sys.modules["video_depth_anything.video_depth"].SEEN)) - 100
    assert seen[1].tolist() == [0, 12, *range(24, 54)]
    # The last window's frames 0 and 12 are those of the second window's input, and it is filled with the last frame.
    assert seen[2].tolist() == [0, 34, *range(46, 60), *[59] * 16]


def test_endodac_and_lite_mono(tmp_path: Path, make: Make) -> None:
    whole = {"scale": torch.tensor(0.5), "height": 20, "width": 24, "use_stereo": False}
    tensors(tmp_path, "depth_model.pth", **whole)
    said = both_ways(make("endodac", "repository", ENDODAC))
    np.testing.assert_allclose(said, 1 / 150 + (10 - 1 / 150) * FRAMES[..., 0] / 510, rtol=1e-5)
    tensors(tmp_path, "depth_model.pth", height=20, width=24)
    with pytest.raises(KeyError, match="scale"):
        make("endodac", "repository", {})
    tensors(tmp_path, "endodac-f.pth", scale=torch.tensor(0.5))
    frames = np.full((2, 6, 8, 3), [250, 20, 200], np.uint8)
    for colours, seen in (("bgr", 200), ("rgb", 250)):
        model = make("endosynth_endodac", "repository", {}, options={"colours": colours})
        assert model.grid(6, 8) == (420, 742)
        inverse = 1 / 0.3 + (1000 - 1 / 0.3) * 0.5 * (seen / 255 - 0.485) / 0.229
        np.testing.assert_allclose(model.predict(frames), inverse, rtol=1e-5)
    shutil.rmtree(tmp_path / "code")
    tensors(tmp_path, "encoder.pth", **whole)
    tensors(tmp_path, "depth.pth", scale=torch.tensor(0.5))
    model = make("lite_mono", "repository", LITE_MONO)
    assert (model.parameters, model.grid(48, 48)) == (2, (20, 24))
    np.testing.assert_allclose(both_ways(model), 0.01 + 9.99 * FRAMES[..., 0] / 1020, rtol=1e-5)


def test_endoomni(tmp_path: Path, make: Make) -> None:
    tensors(tmp_path, "endoomni.pth", model={"scale": torch.tensor(3.0)})
    make_files = {f"repository/{file}": content for file, content in ENDOOMNI.items()}
    vision = {f"torchvision/transforms/{file}": content for file, content in TORCHVISION.items()}
    vision |= {"torchvision/__init__.py": "", "torchvision/transforms/__init__.py": ""}
    model = make("endoomni", "", {**make_files, **vision}, options={"side": 10})
    nearest = FRAMES[:, 1::2][:, :, (np.arange(10) * 2.4 + 1.2).astype(int), 0]
    np.testing.assert_allclose(both_ways(model), 3 * (nearest / 255 - 0.5) / 0.5, rtol=1e-5, atol=1e-6)


def published_surgical(sizes: dict[str, Any], base: str) -> dict[str, Any]:
    """Random weights under the names that the published files have."""
    wide, neck, fused = 16, sizes["neck"]["neck_hidden_sizes"], sizes["neck"]["fusion_hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int, bias: int | None = None) -> None:
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = (bias or shape[0],)

    midas = base == "midas"
    body, head = ("pretrained.model", "") if midas else ("pretrained", "depth_head.")
    patch = 16 if midas else 14
    shapes[f"{body}.cls_token"] = (1, 1, wide)
    layer(f"{body}.patch_embed.proj", wide, 3, patch, patch)
    for block in (f"{body}.blocks.{n}" for n in range(sizes["backbone"]["num_hidden_layers"])):
        layer(f"{block}.norm1", wide)
        layer(f"{block}.norm2", wide)
        layer(f"{block}.attn.proj", wide, wide)
        layer(f"{block}.mlp.fc1", 4 * wide, wide)
        layer(f"{block}.mlp.fc2", wide, 4 * wide)
        shapes[f"{block}.attn.qkv.weight"] = (3 * wide, wide)
        if midas:
            shapes |= {f"{block}.attn.{one}_bias": (wide,) for one in "qv"}
            shapes |= {f"{block}.gamma_{one}": (wide,) for one in "12"}
            shapes[f"{block}.attn.relative_position_bias_table"] = (63 * 63 + 3, 2)
        else:
            shapes[f"{block}.attn.qkv.bias"] = (3 * wide,)
            shapes |= {f"{block}.ls{one}.gamma": (wide,) for one in "12"}
    for n, channels in enumerate(neck):
        place = f"pretrained.act_postprocess{n + 1}.3" if midas else f"depth_head.projects.{n}"
        resize = f"pretrained.act_postprocess{n + 1}.4" if midas else f"depth_head.resize_layers.{n}"
        layer(place, channels, wide, 1, 1)
        if n != 2:
            size = (4, 2, 0, 3)[n]
            layer(resize, channels, channels, size, size)
        if midas:
            layer(f"pretrained.act_postprocess{n + 1}.0.project.0", wide, 2 * wide)
        shapes[f"{head}scratch.layer{n + 1}_rn.weight"] = (fused, channels, 3, 3)
        for unit in "12":
            for conv in "12":
                layer(f"{head}scratch.refinenet{n + 1}.resConfUnit{unit}.conv{conv}", fused, fused, 3, 3)
        layer(f"{head}scratch.refinenet{n + 1}.out_conv", fused, fused, 1, 1)
    outs = ("scratch.output_conv." + one for one in "024")
    if midas:
        layer("pretrained.model.fc_norm", wide)
        layer("pretrained.model.head", 5, wide)
        shapes["pretrained.model.blocks.0.attn.relative_position_index"] = (2, 2)
    else:
        shapes["pretrained.mask_token"] = (1, wide)
        shapes["pretrained.pos_embed"] = (1, 37 * 37 + 1, wide)
        layer("pretrained.norm", wide)
        outs = ("depth_head.scratch." + one for one in ("output_conv1", "output_conv2.0", "output_conv2.2"))
    for name, shape in zip(
        outs, ((fused // 2, fused, 3, 3), (32, fused // 2, 3, 3), (1, 32, 1, 1)), strict=True
    ):
        layer(name, *shape)
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(shape, generator=generator) - 0.4 for name, shape in shapes.items()}


@pytest.mark.parametrize(("base", "side"), [("depthanything", 378), ("midas", 384)])
def test_surgical_vision_takes_each_published_tensor(
    tmp_path: Path, make: Make, base: str, side: int
) -> None:
    pytest.importorskip("transformers")
    backbone = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
    if base == "midas":
        backbone["intermediate_size"] = 64
    sizes = {"backbone": backbone, "neck": {"neck_hidden_sizes": [4, 6, 8, 10], "fusion_hidden_size": 4}}
    options = {"base": base, "sizes": sizes}
    published = published_surgical(sizes, base)
    tensors(tmp_path, "published.pt", **published)
    model = make("surgical_depth_anything_large", "", {}, options=options)
    unused = ("model.head.", "fc_norm", "position_index")
    taken = {name: one for name, one in published.items() if not any(part in name for part in unused)}
    assert model.parameters == sum(one.numel() for one in taken.values())
    said = model.predict(FRAMES[:1])
    assert (said.shape, model.grid(20, 24)) == ((1, side, side), (side, side))
    assert said.std() > 0
    (name,) = [one for one in taken if one.endswith("scratch.refinenet2.resConfUnit1.conv2.bias")]
    del published[name]
    tensors(tmp_path, "published.pt", **published)
    with pytest.raises(ValueError, match=r"missing_keys.*residual_layer1\.convolution2\.bias"):
        make("surgical_depth_anything_large", "", {}, options=options)


@pytest.mark.parametrize(
    ("name", "grid", "layers"),
    [
        ("endosynth_depth_anything_base", (420, 742), [2, 3, 4, 5]),
        ("endosynth_depth_anything_v2_base", (420, 742), [1, 2, 3, 5]),
        ("endosynth_midas_beit_large", (416, 736), [1, 2, 3, 5]),
    ],
)
def test_endosynth_says_metres_of_exchanged_colours(
    tmp_path: Path, make: Make, name: str, grid: tuple[int, int], layers: list[int]
) -> None:
    pytest.importorskip("transformers")
    options = ENTRIES[name]["options"]["options"]
    midas = options["base"] == "midas"
    backbone = {"hidden_size": 16, "num_hidden_layers": 5, "num_attention_heads": 2}
    if midas:
        backbone["intermediate_size"] = 64
    sizes = {"backbone": backbone, "neck": {"neck_hidden_sizes": [4, 6, 8, 10], "fusion_hidden_size": 4}}
    published = published_surgical(sizes, "midas" if midas else "depthanything")
    if not midas:
        published["depth_head.scratch.output_conv2.2.weight"] /= 1e6  # a sigmoid that is not at its end
    tensors(tmp_path, "published.pth", **published)
    model: Any = make(name, "", {}, options={**options, "sizes": sizes})
    config = model.user.network.config.backbone_config
    assert config.out_indices == layers
    said = model.predict(FRAMES[:1])
    assert said.shape[1:] == grid
    assert said.std() > 0
    raw = model.user.said(FRAMES[:1, ..., ::-1].copy(), mode="bicubic").double()
    if options["base"] == "dav1":
        meant = 0.3 * torch.sigmoid(-torch.log(raw + 1e-5))
    elif options["base"] == "dav2":
        assert 0 < raw.min() < raw.max() < 1
        meant = 0.3 * raw
    else:
        meant = (1 / 0.3 + (1000 - 1 / 0.3) * raw) / 70000
    np.testing.assert_allclose(said, meant, rtol=1e-6)
    if options["base"] == "dav1":
        as_given = make(name, "", {}, options={**options, "sizes": sizes, "colours": "rgb"})
        np.testing.assert_array_equal(as_given.predict(FRAMES[:1, ..., ::-1].copy()), said)
    if not midas:
        positions = model.user.network.backbone.embeddings.position_embeddings
        assert positions.shape == (1, 30 * 53 + 1, 16)


def test_unidepth_with_and_without_the_camera(tmp_path: Path, make: Make) -> None:
    tensors(tmp_path, "model.safetensors", scale=torch.tensor(2.0))
    (tmp_path / "w/config.json").write_text('{"layout": "v2"}')
    np.testing.assert_array_equal(both_ways(make("unidepth_v2_small", "unidepth", UNIDEPTH)), 2 * RED)
    told = make("unidepth_v2_small", "unidepth", {}, code="adapter.py:UniDepthV2WithCamera")
    np.testing.assert_array_equal(both_ways(told.with_camera(CAMERA)), 60 * RED)


def test_the_diffusions_answer_for_a_frame_does_not_depend_on_others(tmp_path: Path, make: Make) -> None:
    noise = torch.rand(1, generator=torch.Generator().manual_seed(0)).item()
    model = make("marigold", "diffusers", DIFFUSERS)
    assert model.parameters == 6
    np.testing.assert_allclose(both_ways(model), FRAMES[..., 0] / 255 + noise, rtol=1e-6)
    for name in ("lotus_d", "lotus_g"):
        said = both_ways(make(name, "repository", LOTUS))
        np.testing.assert_allclose(said, FRAMES.mean(axis=-1) / 127.5 - 1 + noise, rtol=1e-5, atol=1e-6)


def test_metric3d(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canonical depth of the red channel: in metres by the focal length at the network's input, padding cut off."""
    import onnxruntime

    given = []

    class Session:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def get_inputs(self) -> Any:
            return [type("Input", (), {"name": "image", "shape": [1, 3, 40, 60]})]

        def run(self, _: None, images: dict[str, np.ndarray]) -> list[np.ndarray]:
            given.append(images["image"][0])
            return [images["image"][:, :1]]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    (tmp_path / "w").mkdir()
    (tmp_path / "w/metric3d.onnx").write_bytes(b"")
    model = make("metric3d_v2_small", "", {}).with_camera(CAMERA)
    assert model.grid(20, 24) == (40, 48)
    said = model.predict(FRAMES)
    np.testing.assert_allclose(said.mean(), 0.06 * RED.mean(), rtol=0.01)
    assert given[0][:, 0, 0].tolist() == [124, 116, 104]
    assert given[0][:, 0, 6:54].std() > 0


def test_a_repository_that_is_not_there_is_one_line_with_the_command(make: Make) -> None:
    for name in ("video_depth_anything_small", "endodac"):
        with pytest.raises(ScopeDepthError, match=r"does not import: git clone https://github\.com/.* \(at "):
            make(name, "", {}, folder=str(ROOT / ENTRIES[name]["options"]["folder"]))


def test_a_crate_has_the_adapters_and_not_the_code_beside_them(tmp_path: Path) -> None:
    own = tmp_path / "model_classes/endodac"
    (own / "repository/models").mkdir(parents=True)
    for file in ("adapter.py", "repository/README.md", "repository/models/net.py"):
        (own / file).write_text("")
    inside = [part.name for part in code_parts(tmp_path) if part.name.startswith("model_classes")]
    assert inside == ["model_classes/endodac/adapter.py"]


def test_planning_knows_who_asks_for_windows_and_cameras() -> None:
    videos = {"video_depth_anything_small", "video_depth_anything_large"}
    cameras = {"depth_anything_3_metric_large", "metric3d_v2_small"}
    for name, entry in ENTRIES.items():
        own = asked.own_class(entry)
        assert own is not None
        assert asked._asks_for_windows(own) == (name in videos), name
        assert asked._asks_for_intrinsics(own) == (name in cameras), name
