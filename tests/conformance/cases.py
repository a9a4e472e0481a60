"""Which arrays each published protocol is tried on, by the layout of the data that its source evaluates."""

from __future__ import annotations

from dataclasses import replace

from conformance.arrays import Case

FEW = ("one pixel", "three pixels", "nine pixels", "no pixel")
COMMON = ("ordinary", "even", "odd", "ends", "outlier", "mostly missing", "constant", *FEW)
WITH_SIGN = ("zeros", "negatives", "mostly negative")
COARSE, FINE, NETWORK = (19, 31), (61, 90), (256, 320)


def cases(base: Case, *recipes: str) -> list[Case]:
    return [replace(base, recipe=recipe) for recipe in recipes]


def with_grids(base: Case, *recipes: str) -> list[Case]:
    return [replace(case, grid=grid) for grid in (COARSE, FINE) for case in cases(base, *recipes)]


def everything(base: Case) -> list[Case]:
    """All recipes on the depth's grid, and some of them on other grids."""
    return [*cases(base, *COMMON, *WITH_SIGN), *with_grids(base, "ordinary", "zeros", "negatives")]


SCARED = Case("ordinary", ends=(0.001, 150.0))
HAMLYN_VIEW = Case(
    "ordinary",
    dataset="hamlyn_rectified_endodac",
    sequence="rectified14",
    ends=(0.001, 150.0),
    size=(288, 410),
    grid=NETWORK,
)
HAMLYN = Case("ordinary", dataset="hamlyn", sequence="rectified01", ends=(0.001, 150.0))
C3VD_VIEW = Case("ordinary", dataset="c3vd_endodac", ends=(0.001, 100.0), size=(720, 950), span=(2, 120))
SERV_CT = Case("ordinary", dataset="serv_ct", ends=(0.001, 200.0), span=(4, 260))
SIMCOL = Case(
    "ordinary", dataset="simcol3d", ends=(200.0,), span=(0.5, 200), step=20.0 * 10.0 / 65280.0, holes=0
)
VIDEO = Case("ordinary", dataset="hamlyn", kind="depth", ends=(0.001, 150.0), frames=3)
VIDEO_OF_DISPARITY = replace(VIDEO, kind="scaled_disparity")
METRES = (1.0, 10000.0)
NYU = Case("ordinary", dataset="nyu", ends=METRES, span=(0.5, 200))
STREAM = Case("ordinary", kind="metric_depth", unit="mm", dataset="c3vd", ends=(100.0,), span=(0.5, 99))

CROPPED = [*cases(HAMLYN_VIEW, "ordinary", "negatives", "ends"), *cases(C3VD_VIEW, "ordinary", "ends")]

CASES: dict[str, list[Case]] = {
    "monodepth2": everything(replace(SCARED, dataset="kitti", ends=METRES, span=(0.5, 200))),
    "af_sfmlearner": everything(SCARED),
    "endodac": [*everything(SCARED), *cases(HAMLYN, "ordinary", "negatives", "ends"), *CROPPED],
    "endodac_disparity": [
        *everything(replace(SCARED, kind="disparity")),
        *cases(replace(SCARED, kind="scaled_disparity"), "ordinary", "negatives"),
    ],
    "endoomni": [
        *everything(replace(HAMLYN, ends=(1.0, 150.0), span=(0.5, 190))),
        *cases(replace(HAMLYN, kind="disparity", ends=(1.0, 150.0)), "ordinary", "negatives"),
    ],
    "endodav_scale": [*cases(VIDEO, *COMMON, *WITH_SIGN), *cases(VIDEO_OF_DISPARITY, *WITH_SIGN)],
    "endodav_scale_shift": [*cases(VIDEO, *COMMON, *WITH_SIGN), *cases(VIDEO_OF_DISPARITY, *WITH_SIGN)],
    "endo_gede": [
        *everything(SCARED),
        *cases(SERV_CT, "ordinary", "negatives", "ends"),
        *cases(SIMCOL, "ordinary", "negatives", "ends"),
        *CROPPED,
    ],
    "marigold_depth": cases(replace(NYU, kind="depth"), *COMMON, *WITH_SIGN),
    "marigold_disparity": cases(replace(NYU, kind="disparity"), *COMMON, *WITH_SIGN),
    "midas": cases(
        replace(NYU, kind="disparity"), *(name for name in COMMON if name not in ("constant", "one pixel")), *WITH_SIGN
    ),
    "moge_affine_disparity": cases(replace(NYU, kind="disparity", ends=()), *COMMON, *WITH_SIGN, "near"),
    "video_depth_anything": [
        *cases(replace(NYU, kind="disparity", frames=3), *COMMON, *WITH_SIGN),
        *with_grids(replace(NYU, kind="disparity", frames=3), "ordinary", "negatives"),
    ],
    "simcol_challenge": cases(
        replace(SIMCOL, kind="metric_depth", unit="mm", frames=3), "ordinary", "ends", "zeros", "negatives",
        "outlier", "constant",
    ),
    "endoslam_minmax": cases(
        replace(SCARED, dataset="endoslam_unity", kind="depth", span=(1, 255), step=1.0, holes=0), "ordinary", "zeros",
        "outlier", "negatives",
    ),
    "endosfmlearner": [
        *cases(replace(NYU, kind="depth"), *COMMON, *WITH_SIGN),
        *with_grids(replace(NYU, kind="depth"), "ordinary", "zeros"),
    ],
    "endomust": [*everything(replace(SCARED, ends=(0.001, 256.0), span=(4, 300))), *cases(HAMLYN, "ordinary")],
    "dares": everything(SCARED),
    "endostreamdepth": cases(STREAM, *(name for name in COMMON if name != "outlier")),
    "depth_anything_metric": cases(
        replace(NYU, kind="metric_depth", unit="mm", span=(0.5, 200)), *COMMON
    )
    + with_grids(replace(NYU, kind="metric_depth", unit="mm"), "ordinary"),
}  # fmt: skip
"""By protocol. A source that evaluates several data sets has cases of each layout."""

KNOWN: dict[str, dict[str, list[Case]]] = {
    "endostreamdepth": {
        "predictions of zero": cases(STREAM, "zeros"),
        "predictions of micrometres": cases(STREAM, "outlier"),
    },
    "midas": {"a constant output, one pixel": cases(replace(NYU, kind="disparity"), "constant", "one pixel")},
    "simcol_challenge": {
        "predictions in float16": cases(
            replace(SIMCOL, kind="metric_depth", unit="mm", frames=3), "half precision"
        ),
        "depths of zero": cases(
            replace(SIMCOL, kind="metric_depth", unit="mm", frames=3, holes=0.02), "missing"
        ),
    },
    "endoslam_minmax": {
        "depths of zero": cases(
            replace(SCARED, dataset="endoslam_unity", kind="depth", span=(1, 255), step=1.0, holes=0.02),
            "missing",
        )
    },
}
"""By protocol and by what it does otherwise than its source: arrays on which the two are known to differ."""

SIMCOL_SAMPLE = replace(SIMCOL, recipe="sample", size=(475, 475))
C3VD_SAMPLE = replace(C3VD_VIEW, recipe="sample", step=100.0 / 65535.0)

SAMPLES: dict[str, list[Case]] = {
    "endodac": [C3VD_SAMPLE],
    "endo_gede": [C3VD_SAMPLE, SIMCOL_SAMPLE],
    "simcol_challenge": [replace(SIMCOL_SAMPLE, kind="metric_depth", unit="mm", frames=4)],
    "marigold_depth": [replace(SIMCOL_SAMPLE, kind="depth")],
    "marigold_disparity": [replace(SIMCOL_SAMPLE, kind="disparity")],
    "moge_affine_disparity": [replace(SIMCOL_SAMPLE, kind="disparity")],
    "video_depth_anything": [replace(SIMCOL_SAMPLE, kind="disparity", frames=4)],
}
"""By protocol: depths of public samples, where they lie beside the repository, under made outputs."""


def all_cases(name: str) -> list[Case]:
    """Return a protocol's cases, those on which it is known to differ and those of samples included."""
    known = [case for cases in KNOWN.get(name, {}).values() for case in cases]
    return CASES[name] + known + SAMPLES.get(name, [])
