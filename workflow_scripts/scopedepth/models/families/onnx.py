"""Any network exported to ONNX: images (n, 3, h, w) -> one number a pixel, (n, h, w) or (n, 1, h, w).

Options
    file            the .onnx file within the weights; null: the only one
    input           images, prepared here as the options below say; or frames, uint8 (n, h, w, 3) RGB as they are, of a
                    file that prepares them itself (scopedepth deploy): none of height to resample is set then
    greatest_depth  of a metric_disparity: the depth, in its unit, at which its authors cut; null: nowhere
    height, width   the network's input; null: as the file says, else the frame's own
    multiple        where the frame's own size is taken, to the nearest multiple of this (1)
    mean, std       per channel, of values in [0, 1] (ImageNet's); null: none
    scale           what grey levels are multiplied with first (1/255)
    channels        rgb or bgr
    resample        bicubic, bilinear or lanczos, to whole grey levels as Pillow does it; opencv: OpenCV's cubic
                    filter on floats, as MiDaS's authors do
    output          name or number of the output that is depth (0)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options
from scopedepth.models.base import DepthModel
from scopedepth.models.resampling import resample_number

if TYPE_CHECKING:
    from scopedepth.config.options import Count, File, Pillow, Pixels, Positive, Three, ThreePositive
    from scopedepth.vocabulary import specs

OPENCV = "opencv"
DTYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
FRAMES = "tensor(uint8)"
# Options on how frames become images.
PREPARING = ("height", "width", "multiple", "mean", "std", "scale", "channels", "resample")


@dataclass(frozen=True)
class Options:
    """As above."""

    file: File | None = None
    input: Literal["images", "frames"] = "images"
    greatest_depth: Positive | None = None
    height: Pixels | None = None
    width: Pixels | None = None
    multiple: Pixels = 1
    mean: Three | None = field(default_factory=lambda: [0.485, 0.456, 0.406])
    std: ThreePositive | None = field(default_factory=lambda: [0.229, 0.224, 0.225])
    scale: Positive = 1 / 255
    channels: Literal["rgb", "bgr"] = "rgb"
    resample: Literal[Pillow, "opencv"] = "bicubic"
    output: Count | str = 0

    def __post_init__(self) -> None:
        if self.std is None and self.mean is not None:
            raise ValueError("std is null and mean is not; give both, or mean: null and std: null for none")
        if self.input == "frames":
            plain = Options()
            prepared = [name for name in PREPARING if getattr(self, name) != getattr(plain, name)]
            if prepared:
                raise ValueError(f"a file that takes frames prepares them itself; leave {prepared[0]} out")


class Onnx(DepthModel):
    """A session of onnxruntime. Resizing runs on the processor: the runtime has no tensors of ours on the GPU."""

    def __init__(self, spec: specs.Model, path: Path, device: str, options: Options) -> None:
        super().__init__(spec, parameters=spec.get("parameters") or 0)
        if self.precision != "fp32":
            raise ScopeDepthError(f"Model {self.name}: an exported network has its own precision; use fp32.")
        self.path, self.options = path, options
        how = options.resample
        self.resample = None if how == OPENCV else resample_number(how, self.name, OPENCV)
        self.device = choose_device(device, self.name)
        self.threads = 0  # the runtime's own choice
        self.session = self._open()
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs) or "nothing"
            raise ScopeDepthError(
                f"Model {self.name}: {path.name} takes {names}, and is given images alone. Export it with one input."
            )
        first = inputs[0]
        shape = list(first.shape)
        self.takes_frames = options.input == "frames"
        self.greatest_depth = options.greatest_depth if self.output_kind == "metric_disparity" else None
        if self.takes_frames != (first.type == FRAMES):
            raise ScopeDepthError(
                f"Model {self.name}: {path.name} takes {first.type}. Set options.input to "
                f"{'images' if self.takes_frames else 'frames'}."
            )
        if self.takes_frames and len(shape) == 4:
            shape = [shape[0], shape[3], *shape[1:3]]
        if len(shape) != 4 or (shape[1] not in (3, None) and not isinstance(shape[1], str)):
            raise ScopeDepthError(
                f"Model {self.name}: {path.name} takes {first.shape}, not images (n, 3, h, w)."
            )
        self.input_name = first.name
        if first.type not in DTYPES and not self.takes_frames:
            raise ScopeDepthError(
                f"Model {self.name}: {path.name} takes {first.type}, and is given {' or '.join(DTYPES)}. Export it "
                "with images as floats."
            )
        self.dtype = DTYPES.get(first.type, np.uint8)
        fixed = [side if isinstance(side, int) and side > 0 else None for side in shape]
        self.fixed_batch, self.fixed_size = fixed[0], (fixed[2], fixed[3])
        for side, given, has in zip(
            ("height", "width"), (options.height, options.width), self.fixed_size, strict=True
        ):
            if given and has and given != has:
                raise ScopeDepthError(
                    f"Model {self.name}: options.{side} is {given}, and {path.name} was exported for {has}. "
                    "Leave it out."
                )
        outputs = [output.name for output in self.session.get_outputs()]
        wanted = options.output
        if wanted not in outputs and not (isinstance(wanted, int) and wanted < len(outputs)):
            raise ScopeDepthError(
                f"Model {self.name}: no output {wanted!r}; {path.name} has {', '.join(outputs)}."
            )
        self.output_name = outputs[wanted] if isinstance(wanted, int) else wanted
        self._grids: dict[tuple[int, int], tuple[int, int]] = {}

    def _open(self) -> Any:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self.threads
        settings.use_deterministic_compute = True
        # Otherwise its threads go on looking for work for a tenth of a second, on the cores of whoever comes next.
        settings.add_session_config_entry("session.force_spinning_stop", "1")
        settings.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        if self.device != "cpu":
            number = int(self.device.partition(":")[2] or 0)
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": number}))  # type: ignore[arg-type]
        try:
            return onnxruntime.InferenceSession(self.path, settings, providers=providers)
        except Exception as error:  # the runtime's errors have no common class
            first = str(error).strip().splitlines()[0]
            raise ScopeDepthError(
                f"Model {self.name}: {self.path} does not load with onnxruntime {onnxruntime.__version__} ({first})."
            ) from error

    def use_threads(self, threads: int) -> None:
        if threads != self.threads:
            self.threads = threads
            self.free_memory()

    def free_memory(self) -> None:
        """Open the session anew: an open one keeps all memory that a call has ever needed."""
        self.session = None  # before the next one is opened: both may not fit
        self.session = self._open()

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        multiple = self.options.multiple
        own = [max(multiple, round(side / multiple) * multiple) for side in (height, width)]
        v = self.options.height or self.fixed_size[0] or own[0]
        u = self.options.width or self.fixed_size[1] or own[1]
        return v, u

    def grid(self, height: int, width: int) -> tuple[int, int]:
        if (height, width) not in self._grids:
            shape = self.predict(np.zeros((1, height, width, 3), np.uint8)).shape
            self._grids[height, width] = (shape[1], shape[2])
        return self._grids[height, width]

    def preprocess(self, frames: np.ndarray) -> np.ndarray:
        v, u = self.input_size(*frames.shape[1:3])
        if self.takes_frames:
            if frames.shape[1:3] != (v, u):
                raise ScopeDepthError(
                    f"Model {self.name}: {self.path.name} was exported for frames of {u}x{v} (width x height), and "
                    f"these are {frames.shape[2]}x{frames.shape[1]}."
                )
            return np.ascontiguousarray(frames)
        scale = np.float32(self.options.scale)
        if frames.shape[1:3] == (v, u):
            values = frames.astype(np.float32) * scale
        elif self.resample is None:
            import cv2

            floats = frames * np.float64(self.options.scale)
            resized = [cv2.resize(one, (u, v), interpolation=cv2.INTER_CUBIC) for one in floats]
            values = np.stack(resized).astype(np.float32)
        else:
            from PIL import Image

            resized = [np.asarray(Image.fromarray(one).resize((u, v), self.resample)) for one in frames]
            values = np.stack(resized).astype(np.float32) * scale
        if self.options.mean is not None:
            mean, std = np.asarray([self.options.mean, self.options.std], np.float32)
            values = (values - mean) / std
        if self.options.channels == "bgr":
            values = values[..., ::-1]
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=self.dtype)

    def forward(self, batch: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        step = self.fixed_batch or len(batch)
        out = []
        for first in range(0, len(batch), step):
            piece = batch[first : first + step]
            short = step - len(piece)
            if short:  # an export for a fixed number of images
                piece = np.concatenate([piece, np.repeat(piece[-1:], short, axis=0)])
            values = self.session.run([self.output_name], {self.input_name: piece})[0]
            maps = np.asarray(values, np.float32)
            if maps.ndim < 3 or len(maps) != step:
                raise ScopeDepthError(
                    f"Model {self.name}: output {self.output_name} is {maps.shape} for {step} images, not a map each."
                )
            out.append(maps[: step - short])
        joined = np.concatenate(out)
        if joined.ndim == 4 and joined.shape[1] == 1:
            joined = joined[:, 0]
        if joined.ndim != 3:
            raise ScopeDepthError(
                f"Model {self.name}: output {self.output_name} is {joined.shape}, not one number a pixel."
            )
        return joined

    def is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError) or "Failed to allocate memory" in str(error)


def choose_device(device: str, name: str) -> str:
    """Return cpu or cuda:N; `auto` is a GPU where this onnxruntime can use one."""
    import onnxruntime

    has_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "auto":
        return "cuda:0" if has_gpu else "cpu"
    if device != "cpu" and not has_gpu:
        raise ScopeDepthError(
            f"Model {name}: this onnxruntime runs on the processor only. Use `auto`, or install onnxruntime-gpu."
        )
    return device if device == "cpu" or ":" in device else f"{device}:0"


def load(spec: specs.Model, weights: Path, device: str) -> DepthModel:
    """Open the exported network in `weights`."""
    options = read_options(spec, Options)
    name, file = spec["name"], options.file
    found = sorted(weights.glob("*.onnx"))
    if file is None and len(found) != 1:
        raise ScopeDepthError(
            f"Model {name}: {weights} holds {len(found)} .onnx files. Name one in options.file."
        )
    path = found[0] if file is None else weights / file
    if not path.is_file():
        raise ScopeDepthError(
            f"Model {name}: there is no file {path}. Fetch the weights, or correct options.file."
        )
    return Onnx(spec, path, device, options)
