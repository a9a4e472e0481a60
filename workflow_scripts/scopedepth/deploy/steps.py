"""What stands before and after a network in the deployed graph, in ONNX's own text form.

The graph takes frames, uint8 (n, h, w, 3) RGB, of sizes that are known when it runs. Where a model resizes as Pillow or
scikit-image do, ONNX's operator Resize does not: the weights of both axes are computed in the graph, in double
precision, and frames are multiplied with them. Pillow rounds its weights to 22 bits and to grey levels after each pass;
so does the graph.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scopedepth.models.resampling import BICUBIC, BILINEAR, LANCZOS

OPSET = 20
DOMAIN = "scopedepth"
# Names of the graph's input and outputs; between the parts.
FRAMES, PREDICTION, OWN_GRID = "frames", "prediction", "own_grid"
PIXELS, NETWORK_OUT = "pixels", "network_out"
HEAD = f'<ir_version: 10, opset_import: ["" : {OPSET}, "{DOMAIN}" : 1]>'

# Pillow's filters: support, and lines from the distance `t` (double) to the value `f`.
_FILTERS = {
    BILINEAR: (1, ["a = Abs(t)", "b = Sub(one, a)", "f = Max(b, zero)"]),
    BICUBIC: (
        2,
        # a = -1/2: (3/2 x - 5/2) x^2 + 1 within 1, ((-1/2 x + 5/2) x - 4) x + 2 within 2.
        [
            "a = Abs(t)", "a2 = Mul(a, a)",
            "p0 = Mul(a, three_halves)", "p1 = Sub(p0, five_halves)", "p2 = Mul(p1, a2)", "inner = Add(p2, one)",
            "q0 = Mul(a, minus_half)", "q1 = Add(q0, five_halves)", "q2 = Mul(q1, a)", "q3 = Sub(q2, four)",
            "q4 = Mul(q3, a)", "outer = Add(q4, two)",
            "in1 = Less(a, one)", "in2 = Less(a, two)",
            "far = Where(in2, outer, zero)", "f = Where(in1, inner, far)",
        ],
    ),
    LANCZOS: (
        3,
        [
            "a = Abs(t)", "at0 = Less(a, tiny)", "safe = Where(at0, one, t)",
            "x = Mul(safe, pi)", "x3 = Div(x, three)", "s = Sin(x)", "s3 = Sin(x3)",
            "n = Mul(s, s3)", "d = Mul(x, x3)", "value = Div(n, d)", "whole = Where(at0, one, value)",
            "in3 = Less(a, three)", "f = Where(in3, whole, zero)",
        ],
    ),
}  # fmt: skip
_NUMBERS = {
    "zero": 0.0, "half": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "minus_half": -0.5,
    "three_halves": 1.5, "five_halves": 2.5, "pi": 3.141592653589793, "tiny": 1e-12, "bits": 4194304.0,
    "white": 255.0,
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """The size to which frames are resized: lines that make `size`, int64 (2,), of `hw`, or the size itself."""

    lines: Sequence[str] = ()
    fixed: tuple[int, int] | None = None


def numbers(lines: Sequence[str]) -> list[str]:
    """Return lines that define the constants of `_NUMBERS` that `lines` name."""
    words = set(re.findall(r"\w+", " ".join(lines)))
    return [
        f"{name} = Constant<value = double {{{value!r}}}>()"
        for name, value in _NUMBERS.items()
        if name in words
    ]


def function(name: str, takes: Sequence[str], gives: str, lines: Sequence[str]) -> str:
    """Return a function of the graph's own domain."""
    body = "\n".join(f"  {line}" for line in [*numbers(lines), *lines])
    head = f'<domain: "{DOMAIN}", opset_import: ["" : {OPSET}, "{DOMAIN}" : 1]>'
    return f"{head}\n{name} ({', '.join(takes)}) => ({gives}) {{\n{body}\n}}"


def _positions() -> list[str]:
    """Lines that make `centre` (after, 1) and `j` (1, before) in double precision, of `before` and `after`."""
    return [
        "before_f = Cast<to = 11>(before)", "after_f = Cast<to = 11>(after)", "scale = Div(before_f, after_f)",
        "i0 = Constant<value = int64 {0}>()", "i1 = Constant<value = int64 {1}>()",
        "ri = Range(i0, after, i1)", "rj = Range(i0, before, i1)",
        "rif = Cast<to = 11>(ri)", "rjf = Cast<to = 11>(rj)",
        "last = Constant<value = int64[1] {1}>()", "first = Constant<value = int64[1] {0}>()",
        "i = Unsqueeze(rif, last)", "j = Unsqueeze(rjf, first)",
        "ih = Add(i, half)", "centre = Mul(ih, scale)",
    ]  # fmt: skip


def pillow_weights(resample: int) -> str:
    """Return the function (before, after) -> double (after, before): Pillow's weights of one axis, in 2^-22."""
    support, values = _FILTERS[resample]
    lines = [
        *_positions(),
        f"support = Constant<value = double {{{float(support)!r}}}>()",
        "wide = Max(scale, one)", "reach = Mul(support, wide)",
        # The first and last source pixel: cut towards zero, as C does.
        "l0 = Sub(centre, reach)", "l1 = Add(l0, half)", "l2 = Floor(l1)", "low = Max(l2, zero)",
        "h0 = Add(centre, reach)", "h1 = Add(h0, half)", "high = Floor(h1)",
        "from_low = GreaterOrEqual(j, low)", "to_high = Less(j, high)", "taken = And(from_low, to_high)",
        "d0 = Sub(j, centre)", "d1 = Add(d0, half)", "t = Div(d1, wide)",
        *values,
        "w = Where(taken, f, zero)",
        "axes = Constant<value = int64[1] {1}>()", "sum = ReduceSum(w, axes)", "share = Div(w, sum)",
        "size0 = Abs(share)", "size1 = Mul(size0, bits)", "size2 = Add(size1, half)", "size3 = Floor(size2)",
        "sign = Sign(share)", "weights = Mul(size3, sign)",
    ]  # fmt: skip
    return function("weights_of", ["before", "after"], "weights", lines)


def skimage_weights() -> str:
    """Return the function (before, after) -> double (after, before): scikit-image's weights, see models/resize.py.

    A Gaussian of sigma (scale - 1) / 2 where a side shrinks, cut at 4 sigma, and linear interpolation, both with the
    border mirrored at the outer pixels' centres.
    """
    lines = [
        *_positions(),
        "last_j = Sub(before_f, one)", "twice_last = Mul(last_j, two)",
        # Interpolation.
        "p0 = Sub(centre, half)", "p1 = Abs(p0)", "p2 = Sub(twice_last, p1)", "p = Min(p1, p2)",
        "d0 = Sub(p, j)", "d1 = Abs(d0)", "d2 = Sub(one, d1)", "linear = Max(d2, zero)",
        # The Gaussian: exp(-d^2 / (2 sigma^2)) for |d| <= floor(4 sigma + 1/2), of each source pixel to each.
        "s0 = Sub(scale, one)", "s1 = Div(s0, two)", "sigma = Max(s1, tiny)",
        "r0 = Mul(sigma, four)", "r1 = Add(r0, half)", "reach = Floor(r1)",
        "k = Transpose<perm = [1, 0]>(j)",
        "to_it = Sub(k, j)", "left = Add(k, j)", "right = Sub(twice_last, left)",
        f"direct = {DOMAIN}.bell(to_it, sigma, reach)",
        f"m_left = {DOMAIN}.bell(left, sigma, reach)", f"m_right = {DOMAIN}.bell(right, sigma, reach)",
        # The outer pixels are their own mirror images.
        "at_first = Equal(j, zero)", "at_last = Equal(j, last_j)",
        "more_left = Where(at_first, zero, m_left)", "more_right = Where(at_last, zero, m_right)",
        "g0 = Add(direct, more_left)", "g1 = Add(g0, more_right)",
        "axes = Constant<value = int64[1] {1}>()", "sum = ReduceSum(g1, axes)", "smooth = Div(g1, sum)",
        "weights = MatMul(linear, smooth)",
    ]  # fmt: skip
    bell = [
        "a = Abs(d)", "inside = LessOrEqual(a, reach)",
        "q = Div(d, sigma)", "q2 = Mul(q, q)", "q3 = Mul(q2, minus_half)", "e = Exp(q3)",
        "g = Where(inside, e, zero)",
    ]  # fmt: skip
    own = function("bell", ["d", "sigma", "reach"], "g", bell)
    return own + "\n" + function("weights_of", ["before", "after"], "weights", lines)


def _pass(name: str, product: str) -> str:
    """Return one pass of Pillow: whole grey levels in, whole grey levels out, in doubles, which hold the sums."""
    lines = [f"s = MatMul({product})", "d = Div(s, bits)", "r = Add(d, half)", "w = Floor(r)",
             "c = Max(w, zero)", "y = Min(c, white)"]  # fmt: skip
    return function(name, ["x", "w_of"], "y", lines)


def _pillow(resample: int) -> tuple[list[str], list[str]]:
    """Return lines that resize `x`, double (n, 3, h, w), to `resized`, and the functions that they call."""
    first = (f"first_v = {DOMAIN}.down(x, rows)", f"resized_v = {DOMAIN}.along(first_v, columns)")
    second = (f"first_u = {DOMAIN}.along(x, columns)", f"resized_u = {DOMAIN}.down(first_u, rows)")
    shape = "(double[n, c, nv, nu] resized_{0})"
    lines = [
        f"rows = {DOMAIN}.weights_of(h, v)", f"columns_t = {DOMAIN}.weights_of(w, u)",
        "columns = Transpose<perm = [1, 0]>(columns_t)",
        # Pillow's order of the two passes, see resize_with_torch.
        "less_v = Sub(h, v)", "less_u = Sub(w, u)", "two_u = Add(less_u, less_u)",
        "shrinks = Greater(less_v, zero_i)", "more = Less(two_u, less_v)", "rows_first = And(shrinks, more)",
        "resized = If (rows_first) <"
        f"then_branch = rows_then_columns () => {shape.format('v')} {{ {' '.join(first)} }}, "
        f"else_branch = columns_then_rows () => {shape.format('u')} {{ {' '.join(second)} }}>",
    ]  # fmt: skip
    functions = [pillow_weights(resample), _pass("down", "w_of, x"), _pass("along", "x, w_of")]
    return lines, functions


@dataclass(frozen=True)
class Before:
    """How frames become a network's input.

    how: pillow (whole grey levels), skimage, or the mode of ONNX's Resize (`linear`, `cubic`), `corners` for it with
    corners aligned. scale, mean, std: (x * scale - mean) / std. reflect, zeros: rows and columns (top, bottom, left,
    right) that are added before resizing and at the end, which only frames of one size can have.
    """

    size: Size
    how: str
    resample: int = BICUBIC
    corners: bool = False
    scale: float = 1 / 255
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    reflect: tuple[int, int, int, int] = (0, 0, 0, 0)
    zeros: tuple[int, int, int, int] = (0, 0, 0, 0)


def before_text(before: Before, frame: tuple[int, int] | None) -> str:
    """Return the graph from frames to the network's input; `frame`: the one size of frames, where it is one."""
    sides = "h, w" if frame is None else f"{frame[0]}, {frame[1]}"
    lines = [
        "shape = Shape(frames)", "from1 = Constant<value = int64[1] {1}>()", "to3 = Constant<value = int64[1] {3}>()",
        "hw = Slice(shape, from1, to3)", "zero_i = Constant<value = int64 {0}>()",
        "one_i = Constant<value = int64 {1}>()",
        "h = Gather(hw, zero_i)", "w = Gather(hw, one_i)",
    ]  # fmt: skip
    functions: list[str] = []
    if before.size.fixed is not None:
        lines.append("size = Constant<value = int64[2] {%d, %d}>()" % before.size.fixed)  # noqa: UP031
    else:
        lines += [*numbers(before.size.lines), *before.size.lines]
    lines += ["v = Gather(size, zero_i)", "u = Gather(size, one_i)"]
    doubles = before.how in ("pillow", "skimage")
    lines += [
        f"typed = Cast<to = {11 if doubles else 1}>(frames)",
        "x = Transpose<perm = [0, 3, 1, 2]>(typed)",
    ]
    if before.how == "pillow":
        own, functions = _pillow(before.resample)
        lines += [*own, "values = Cast<to = 1>(resized)"]
    elif before.how == "skimage":
        functions = [skimage_weights()]
        lines += [
            f"rows = {DOMAIN}.weights_of(h, v)", f"columns_t = {DOMAIN}.weights_of(w, u)",
            "columns = Transpose<perm = [1, 0]>(columns_t)", "down = MatMul(rows, x)",
            "resized = MatMul(down, columns)", "values = Cast<to = 1>(resized)",
        ]  # fmt: skip
    else:
        padded = "x"
        if any(before.reflect):
            lines += [_pads("reflect_by", before.reflect), 'wide = Pad<mode = "reflect">(x, reflect_by)']
            padded = "wide"
        where = "align_corners" if before.corners else "half_pixel"
        lines += [
            f"nc = Shape<start = 0, end = 2>({padded})", "whole = Concat<axis = 0>(nc, size)",
            f'values = Resize<mode = "{before.how}", coordinate_transformation_mode = "{where}">'
            f"({padded}, , , whole)",
        ]  # fmt: skip
    lines += [f"scale_by = Constant<value = float {{{before.scale!r}}}>()", "scaled = Mul(values, scale_by)"]
    last = "scaled"
    if before.mean is not None and before.std is not None:
        lines += [
            f"mean = Constant<value = float[1, 3, 1, 1] {{{', '.join(map(repr, map(float, before.mean)))}}}>()",
            f"std = Constant<value = float[1, 3, 1, 1] {{{', '.join(map(repr, map(float, before.std)))}}}>()",
            "less = Sub(scaled, mean)", "normal = Div(less, std)",
        ]  # fmt: skip
        last = "normal"
    if any(before.zeros):
        lines += [_pads("zeros_by", before.zeros), f"bordered = Pad({last}, zeros_by)"]
        last = "bordered"
    lines.append(f"{PIXELS} = Identity({last})")
    body = "\n".join(f"  {line}" for line in lines)
    graph = f"before (uint8[n, {sides}, 3] {FRAMES}) => (float[n, 3, pv, pu] {PIXELS}) {{\n{body}\n}}"
    return "\n".join([HEAD, graph, *functions])


def _pads(name: str, sides: tuple[int, int, int, int]) -> str:
    top, bottom, left, right = sides
    return f"{name} = Constant<value = int64[8] {{0, 0, {top}, {left}, 0, 0, {bottom}, {right}}}>()"


def after_text(frame: tuple[int, int] | None) -> str:
    """Return the graph from the network's output, float (n, v, u), and the frames to both outputs.

    The output on the frame's grid is the network's own kind of number, interpolated between pixels' centres.
    """
    sides = "h, w" if frame is None else f"{frame[0]}, {frame[1]}"
    lines = [
        f"hw = Shape<start = 1, end = 3>({FRAMES})", f"n = Shape<start = 0, end = 1>({FRAMES})",
        "one = Constant<value = int64[1] {1}>()", "whole = Concat<axis = 0>(n, one, hw)",
        f"maps = Unsqueeze({NETWORK_OUT}, one)",
        'resized = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(maps, , , whole)',
        f"{PREDICTION} = Squeeze(resized, one)", f"{OWN_GRID} = Identity({NETWORK_OUT})",
    ]  # fmt: skip
    body = "\n".join(f"  {line}" for line in lines)
    takes = f"float[n, pv, pu] {NETWORK_OUT}, uint8[n, {sides}, 3] {FRAMES}"
    gives = f"float[n, {sides}] {PREDICTION}, float[n, pv, pu] {OWN_GRID}"
    return f"{HEAD}\nafter ({takes}) => ({gives}) {{\n{body}\n}}"
