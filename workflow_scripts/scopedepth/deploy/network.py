"""From a loaded model to the parts of its graph: how frames are prepared, and the network by torch's exporter."""

from __future__ import annotations

import builtins
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scopedepth.deploy.steps import (
    FRAMES,
    NETWORK_OUT,
    OPSET,
    OWN_GRID,
    PIXELS,
    PREDICTION,
    Before,
    Size,
    after_text,
    before_text,
)
from scopedepth.errors import ScopeDepthError
from scopedepth.models.base import DepthModel
from scopedepth.models.folds import FoldedModel
from scopedepth.models.resampling import BICUBIC, BILINEAR

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

PIP = "pip install 'onnx==1.23.2' 'onnxscript==0.7.2'"
FAMILIES = ("monodepth2", "sc_sfmlearner", "transformers")
# What protobuf can hold is 2 GiB.
LARGEST = 1.9 * 2**30
# ONNX's names of torch's filters.
RESIZE = {BILINEAR: "linear", BICUBIC: "cubic"}
# Of frames that are neither square nor of the size that a network was trained on.
EXAMPLE = (480, 800)


def refuse_what_has_no_graph(spec: specs.Model) -> None:
    """Raise a `ScopeDepthError` for a model that cannot become one graph, which its entry says already."""
    name, family = spec["name"], spec["family"]
    why = {
        "baseline": "a baseline has no network",
        "onnx": "its network is an ONNX file already",
        "python": "its class is code of your own, which may do anything; export it from that code",
    }.get(family, f"the family {family} has no export here")
    if family not in FAMILIES:
        raise ScopeDepthError(f"Model {name}: {why}. The families {', '.join(FAMILIES)} can be deployed.")
    if spec["precision"] != "fp32":
        raise ScopeDepthError(
            f"Model {name} runs in {spec['precision']}, and the file in fp32. Set precision: fp32."
        )
    place = spec["options"].get("checkpoint")
    if isinstance(place, Mapping) or "{" in str(place or ""):
        raise ScopeDepthError(
            f"Model {name} has weights for each sequence. Name one checkpoint, in an entry of its own."
        )


def refuse_what_cannot_be_exported(model: DepthModel) -> None:
    """Raise a `ScopeDepthError` for a loaded model that cannot become one graph."""
    if isinstance(model, FoldedModel):
        raise ScopeDepthError(
            f"Model {model.name} has a network for each fold. Deploy one that has a single one."
        )
    if model.parameters * 4 > LARGEST:
        raise ScopeDepthError(
            f"Model {model.name} has {model.parameters / 1e6:.0f} million parameters; an ONNX file of one piece "
            "holds 500 million."
        )
    config = getattr(getattr(model, "network", None), "config", None)
    if len(getattr(config, "bin_configurations", None) or [0]) > 1:
        raise ScopeDepthError(
            f"Model {model.name} has a head for rooms and one for streets, and chooses for each frame; a graph of "
            "batches cannot."
        )


def before_of(model: Any, frame: tuple[int, int] | None) -> Before:
    """Return how frames become the model's input; `frame`: the one size of frames, None: any.

    Raises `ScopeDepthError` where that takes one size.
    """
    family = type(model).__module__.rpartition(".")[2]
    if family == "monodepth2":
        return Before(Size(fixed=model.size), "pillow", model.resample)
    if family == "sc_sfmlearner":
        return _sc_sfmlearner(model, frame)
    return _transformers(model, frame)


def _sc_sfmlearner(model: Any, frame: tuple[int, int] | None) -> Before:
    from scopedepth.models.families.sc_sfmlearner import MEAN, STD
    from scopedepth.models.monodepth2_networks import LEAST_SIDE

    given = model.options.height, model.options.width
    if frame is not None or all(given):
        size = Size(fixed=model.grid(*(frame or (0, 0))))
    else:
        chosen = ", ".join(str(side or 0) for side in given)
        size = Size([
            "hwf = Cast<to = 11>(hw)", *_to_multiple("hwf", 32),
            f"least = Constant<value = int64 {{{LEAST_SIDE}}}>()", "nearest = Cast<to = 7>(back)",
            "own = Max(nearest, least)",
            f"given = Constant<value = int64[2] {{{chosen}}}>()", "is_given = Greater(given, zero_i)",
            "size = Where(is_given, given, own)",
        ])  # fmt: skip
    how = "skimage" if model.resample is None else "pillow"
    return Before(size, how, model.resample or 0, mean=MEAN, std=STD)


def _transformers(model: Any, frame: tuple[int, int] | None) -> Before:
    from scopedepth.models.authors import AuthorsProcessor

    processor = model.processor
    if isinstance(processor, AuthorsProcessor):
        size = Size(fixed=processor.input_size(*frame)) if frame else Size(_authors(processor))
        return Before(size, "cubic", mean=processor.mean, std=processor.std)
    has, kind = processor.settings, processor.kind
    normalised: dict[str, Any] = {
        "scale": has["rescale_factor"] if has["do_rescale"] else 1.0,
        "mean": has["image_mean"] if has["do_normalize"] else None,
        "std": has["image_std"] if has["do_normalize"] else None,
    }
    pads = has["do_pad"] and (kind == "ZoeDepth" or has.get("size_divisor"))
    if (pads or kind in ("CHMv2", "ZoeDepth")) and frame is None:
        raise ScopeDepthError(
            f"Model {model.name}: what {kind} adds to a frame and cuts off again follows from the frame's size, which "
            "the graph cannot do for any size. Give the size of your frames: --size HEIGHTxWIDTH."
        )
    # Some classes take one size whatever the frame's is.
    of_one_size = has["do_resize"] and kind != "GLPN" and "ensure_multiple_of" not in has
    target = processor.resized(*(frame or (1, 1))) if frame or of_one_size else None
    size = Size(fixed=target) if target else Size(_hub(processor))
    padding = processor.padding(*frame) if frame else (0, 0, 0, 0)
    if kind in ("ZoeDepth", "DepthPro"):
        zoe = kind == "ZoeDepth"
        return Before(size, RESIZE[has["resample"]], corners=zoe, reflect=padding, **normalised)
    return Before(size, "pillow", has["resample"], zeros=padding, **normalised)


def _to_multiple(name: str, multiple: float) -> list[str]:
    """Lines that make `back`, doubles (2,): the multiples nearest to `name`; halves go to the even one."""
    return [
        f"step = Constant<value = double {{{float(multiple)!r}}}>()",
        f"parts = Div({name}, step)", "nearest_parts = Round(parts)", "back = Mul(nearest_parts, step)",
    ]  # fmt: skip


def _hub(processor: Any) -> list[str]:
    """Lines that do what `Processor.resized` does, of a processor that does not pad and takes several sizes."""
    has = processor.settings
    if not has["do_resize"]:
        return ["size = Identity(hw)"]
    if processor.kind == "GLPN":
        return [
            f"divisor = Constant<value = int64 {{{has['size_divisor']}}}>()",
            "times = Div(hw, divisor)", "size = Mul(times, divisor)",
        ]  # fmt: skip
    target = has["size"]["height"], has["size"]["width"]
    return _fit(target, has["keep_aspect_ratio"], has["ensure_multiple_of"])


def _fit(target: tuple[int, int], keep_aspect_ratio: bool, multiple: float) -> list[str]:
    """Lines that do what `processors.fit` does."""
    chosen = ["away0 = Sub(one, scales)", "away = Abs(away0)", "best = ArgMin<axis = 0>(away)",
              "chosen = Gather(scales, best)"]  # fmt: skip
    return [
        "hwf = Cast<to = 11>(hw)",
        f"target = Constant<value = double[2] {{{float(target[0])!r}, {float(target[1])!r}}}>()",
        "scales = Div(target, hwf)",
        *(chosen if keep_aspect_ratio else ["chosen = Identity(scales)"]),
        "wanted = Mul(chosen, hwf)",
        *_to_multiple("wanted", multiple),
        "size = Cast<to = 7>(back)",
    ]


def _authors(processor: Any) -> list[str]:
    """Lines that do what `AuthorsProcessor.input_size` does."""
    side = float(processor.side)
    if not processor.bound:
        return _fit((processor.side, processor.side), processor.keep_aspect_ratio, processor.multiple)
    return [
        "hwf = Cast<to = 11>(hw)", f"least = Constant<value = double {{{side!r}}}>()",
        "scales = Div(least, hwf)", "chosen = ReduceMax<keepdims = 0>(scales)", "wanted = Mul(chosen, hwf)",
        *_to_multiple("wanted", processor.multiple),
        "above = Ceil(parts)", "more = Mul(above, step)",
        "enough = GreaterOrEqual(back, least)", "picked = Where(enough, back, more)", "size = Cast<to = 7>(picked)",
    ]  # fmt: skip


def export(model: Any, frame: tuple[int, int] | None) -> Any:
    """Return the ONNX model (a ModelProto) of a model of torch: frames to both outputs (see `steps`).

    `frame`: the (h, w) of all frames, None: any. Raises `ScopeDepthError` where packages are missing, and where torch
    cannot export the network.
    """
    try:
        import onnx
        import onnx.compose
        import onnx.parser
        import onnxscript  # noqa: F401 - torch's exporter imports it, and says less when it is missing
    except ImportError as error:
        raise ScopeDepthError(f"Deploying needs {error.name}, which is not here. Install it: {PIP}") from None
    before = before_of(model, frame)
    parts = [onnx.parser.parse_model(before_text(before, frame)), _network(model, frame, before)]
    parts.append(onnx.parser.parse_model(after_text(frame)))
    for part, prefix in zip(parts, ("before", "network", "after"), strict=True):
        part.ir_version = parts[0].ir_version
        kept = {FRAMES, PIXELS, NETWORK_OUT, PREDICTION, OWN_GRID}
        _rename(part.graph, kept, f"{prefix}/")
    graph = onnx.helper.make_graph(
        [node for part in parts for node in part.graph.node],
        "scopedepth",
        parts[0].graph.input,
        parts[2].graph.output,
        [one for part in parts for one in part.graph.initializer],
    )
    functions = [one for part in parts for one in part.functions]
    opsets = {one.domain: one.version for part in parts for one in part.opset_import}
    made = onnx.helper.make_model(
        graph,
        functions=functions,
        opset_imports=[onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()],
        ir_version=parts[0].ir_version,
        producer_name="ScopeDepth",
    )
    onnx.checker.check_model(made)
    return made


def _rename(graph: Any, kept: set[str], prefix: str) -> None:
    """Give all values of a graph and of the graphs in it names of their own, but for those that parts share."""

    def new(name: str) -> str:
        return name if not name or name in kept else prefix + name

    for node in graph.node:
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
        node.name = new(node.name)
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs:
                _rename(inner, kept, prefix)
    for one in [*graph.initializer, *graph.output, *graph.value_info]:
        one.name = new(one.name)


def _network(model: Any, frame: tuple[int, int] | None, before: Before) -> Any:
    """Return the network alone as a ModelProto: its input, of any size where frames are, to its prediction."""
    import torch

    class Network(torch.nn.Module):
        """The network, with what its family makes of its output."""

        def __init__(self) -> None:
            super().__init__()
            self.network = model.network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return model.run(pixels, frame or EXAMPLE).float()

    fixed = before.size.fixed is not None
    size = model.input_size(*(frame or EXAMPLE))
    any_size = torch.export.Dim.DYNAMIC
    sides = {0: any_size} if fixed else {0: any_size, 2: any_size, 3: any_size}
    example = torch.rand(2, 3, *size)
    try:
        with _quietly(), _sizes_stay_symbols(model.network):
            program = torch.export.export(
                Network().eval(),
                (example,),
                dynamic_shapes=(sides,),
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            made = torch.onnx.export(
                program,
                (example,),
                dynamo=True,
                verbose=False,
                optimize=False,
                opset_version=OPSET,
                input_names=[PIXELS],
                output_names=[NETWORK_OUT],
            )
        assert made is not None
        return made.model_proto
    except Exception as error:  # the exporter's errors have no common class
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ScopeDepthError(
            f"Model {model.name}: torch {torch.__version__} does not export this network"
            f"{'' if fixed else ' for frames of any size; give one: --size HEIGHTxWIDTH'} ({first[:200]})."
        ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter's remarks on packages that nobody needs off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _sizes_stay_symbols(network: Any) -> Iterator[None]:
    """Let `int(size)` in transformers' code of Depth Anything keep a symbolic size, which int would make a number."""
    import torch

    module = sys.modules[type(network).__module__]
    if not module.__name__.endswith("depth_anything"):  # others ask what an int is
        yield
        return

    def keep(value: Any, *more: Any) -> Any:
        return value if isinstance(value, torch.SymInt) else builtins.int(value, *more)

    vars(module)["int"] = keep
    try:
        yield
    finally:
        del vars(module)["int"]
