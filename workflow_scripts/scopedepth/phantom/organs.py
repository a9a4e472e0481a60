"""Organs from a seed: shapes and looks drawn within the limits of each kind.

Sizes follow anatomy loosely (radius of a colon filled with gas about 20 to 25 mm, of a small intestine 11 to
14 mm, of a stomach 35 to 45 mm). They are made to be unlike each other in depth, texture and shape, not to be
measured. `scale` enlarges an organ beyond its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from scopedepth.phantom.scene import Scene, build_lumen
from scopedepth.phantom.shading import Mucosa

Array = NDArray[np.float64]
Wave = Callable[[Array], Array]


@dataclass(frozen=True)
class Crescent:
    """A fold across a part of the circumference; lengths mm, `half` its half angle, `bow` how far it bows."""

    s: float
    angle: float
    height: float
    width: float
    half: float
    bow: float


@dataclass(frozen=True)
class Ring:
    """A thin fold round some or all of the circumference, which wanders along s (mm) and is uneven."""

    s: float
    angle: float
    height: float
    width: float
    half: float
    wander: Wave
    uneven: Wave


@dataclass(frozen=True)
class Ruga:
    """A thick fold along the organ, with how it winds and how its strength varies."""

    angle: float
    wind: Wave
    strength: Wave
    height: float
    width: float


def colon(seed: int, scale: float = 1.0) -> Scene:
    """A wide tube with three bands along it and crescent folds between them; now and then a polyp."""
    random = _random(seed, 1)
    size = scale * random.uniform(19.0, 25.0)
    length = 9.0 * size
    bulge, shift = _wave(random, 3, 3.0 * size, 7.0 * size), _wave(random, 2, 6.0 * size, 12.0 * size)
    band = random.uniform(0, 2 * np.pi)
    folds = []
    s = 0.3 * size
    while s < length:
        for third in range(3):
            if random.random() < 0.8:
                folds.append(
                    Crescent(
                        s=s + random.uniform(-0.22, 0.22) * size,
                        angle=band + (third + 0.5) * 2 * np.pi / 3 + random.normal(0, 0.12),
                        height=size * random.uniform(0.16, 0.42),
                        width=size * random.uniform(0.09, 0.15),
                        half=random.uniform(0.95, 1.5),
                        bow=size * random.uniform(-0.2, 0.2),
                    )
                )
        s += size * random.uniform(0.65, 1.15)
    polyps = [
        (random.uniform(2.5, 7.0) * size, random.uniform(0, 2 * np.pi), size * random.uniform(0.12, 0.22))
        for _ in range(random.integers(0, 4))
    ]

    def radius(s: Array, angle: Array) -> Array:
        fade = _fade(s, length, size)
        turn = angle + 0.5 * shift(s)
        grid = size * (
            1 + 0.07 * bulge(s) + fade * (0.05 * np.cos(2 * turn + band) + 0.03 * np.cos(3 * (turn - band)))
        )
        for third in range(3):
            gap = _wrap(turn - band - third * 2 * np.pi / 3)
            grid = grid - fade * 0.045 * size * np.exp(-((gap / 0.16) ** 2))
        for fold in folds:
            bow = fold.bow * np.pi**2
            rows = _near(s, fold.s + min(bow, 0.0), fold.s + max(bow, 0.0), fold.width)
            gap = _wrap(turn[rows] - fold.angle)
            rise = np.where(np.abs(gap) < fold.half, np.cos(np.pi / 2 * gap / fold.half) ** 2, 0.0) ** 0.7
            ridge = _crest((s[rows] - fold.s - fold.bow * gap**2) / fold.width)
            grid[rows] -= fade[rows] * fold.height * rise * ridge
        for place, at, wide in polyps:
            rows = _near(s, place, place, wide)
            far = np.hypot((s[rows] - place) / wide, size * _wrap(angle - at) / wide)
            grid[rows] -= 0.85 * wide * np.exp(-(far**4))
        return grid

    bend = _bend(random, size, 0.5, length)
    look = Mucosa(
        tissue=_tint(random, (0.76, 0.275, 0.17)),
        blood=_tint(random, (0.50, 0.095, 0.055)),
        patch=random.uniform(0.16, 0.3),
        patch_size=random.uniform(11.0, 18.0),
        grain=random.uniform(0.07, 0.12),
        grain_size=random.uniform(1.6, 2.4),
        vessel=random.uniform(0.55, 0.85),
        vessel_size=random.uniform(9.0, 13.0),
        vessel_width=random.uniform(0.3, 0.48),
        bump=random.uniform(0.08, 0.13),
        bump_size=random.uniform(2.6, 3.6),
        gloss=random.uniform(0.35, 0.6),
        sharpness=random.uniform(180.0, 380.0),
        bounce=random.uniform(0.16, 0.26),
        seed=int(random.integers(1 << 20)),
    )
    return Scene("colon", build_lumen(bend, radius, length, size, 0.2), look, size)


def jejunum(seed: int, scale: float = 1.0) -> Scene:
    """A narrow tube set densely with thin rings and parts of rings that wander and fork."""
    random = _random(seed, 2)
    size = scale * random.uniform(11.0, 14.0)
    length = 10.0 * size
    bulge, shift = _wave(random, 3, 2.5 * size, 6.0 * size), _wave(random, 2, 5.0 * size, 9.0 * size)
    folds = []
    s = -0.6 * size
    while s < length + 0.6 * size:
        for _ in range(2 if random.random() < 0.75 else 1):
            folds.append(
                Ring(
                    s=s + random.uniform(-0.09, 0.09) * size,
                    angle=random.uniform(0, 2 * np.pi),
                    height=size * random.uniform(0.13, 0.27),
                    width=size * random.uniform(0.06, 0.085),
                    half=random.uniform(1.3, 3.6),
                    wander=_ring_wave(random, 0.07 * size),
                    uneven=_ring_wave(random, 0.28),
                )
            )
        s += size * random.uniform(0.3, 0.46)

    def radius(s: Array, angle: Array) -> Array:
        fade = _fade(s, length, size)
        grid = size * (1 + 0.1 * bulge(s) + fade * 0.07 * np.cos(2 * angle + 3 * shift(s)) + 0.0 * angle)
        deepest = np.zeros_like(grid)
        for fold in folds:
            gap = _wrap(angle - fold.angle)
            rise = (
                1 / (1 + np.exp((np.abs(gap) - fold.half) / 0.22)) if fold.half < 2.8 else np.ones_like(gap)
            )
            rise = rise * np.clip(1 + fold.uneven(angle), 0.3, 1.5)
            centre = fold.s + fold.wander(angle)
            rows = _near(s, centre.min(), centre.max(), fold.width)
            ring = fade[rows] * fold.height * rise * _crest((s[rows] - centre) / fold.width)
            # folds that meet join like a smooth maximum, not a sum, which would close the tube
            deepest[rows] = np.sqrt(np.hypot(deepest[rows] ** 2, ring**2))
        return grid - deepest

    bend = _bend(random, size, 0.45, length)
    look = Mucosa(
        tissue=_tint(random, (0.78, 0.325, 0.185)),
        blood=_tint(random, (0.55, 0.13, 0.07)),
        patch=random.uniform(0.12, 0.22),
        patch_size=random.uniform(6.0, 10.0),
        grain=random.uniform(0.14, 0.22),
        grain_size=random.uniform(0.8, 1.1),
        vessel=random.uniform(0.1, 0.3),
        vessel_size=random.uniform(5.0, 8.0),
        vessel_width=random.uniform(0.2, 0.32),
        bump=random.uniform(0.14, 0.22),
        bump_size=random.uniform(1.1, 1.6),
        gloss=random.uniform(0.16, 0.3),
        sharpness=random.uniform(120.0, 220.0),
        bounce=random.uniform(0.18, 0.28),
        seed=int(random.integers(1 << 20)),
    )
    return Scene("jejunum", build_lumen(bend, radius, length, size, 0.09), look, size)


def stomach(seed: int, scale: float = 1.0) -> Scene:
    """A large cavity that narrows towards its outlet, with thick winding folds along it."""
    random = _random(seed, 3)
    size = scale * random.uniform(33.0, 42.0)
    length = 3.6 * size
    exit_size = size * random.uniform(0.42, 0.6)
    outlet = exit_size * random.uniform(0.16, 0.24)
    lump = [_wave(random, 3, 1.2 * size, 3.0 * size) for _ in range(3)]
    twist = _wave(random, 2, 4.0 * size, 7.0 * size)
    count = int(random.integers(10, 15))
    folds = [
        Ruga(
            angle=2 * np.pi * (k + random.uniform(-0.3, 0.3)) / count,
            wind=_wave(random, 4, 0.5 * size, 2.2 * size),
            strength=_wave(random, 3, 0.7 * size, 2.5 * size),
            height=size * random.uniform(0.07, 0.15),
            width=size * random.uniform(0.075, 0.115),
        )
        for k in range(count)
    ]

    def radius(s: Array, angle: Array) -> Array:
        fade = _fade(s, length, exit_size)
        narrow = _step((s / length - 0.35) / 0.65)
        grid = size + (exit_size - size) * narrow
        for k in range(3):
            grid = grid + fade * 0.05 * size * lump[k](s) * np.cos((k + 1) * angle + 2 * k)
        for fold in folds:
            gap = _wrap(angle - fold.angle - 0.3 * twist(s) - 0.22 * fold.wind(s))
            rise = np.clip(0.75 + 0.6 * fold.strength(s), 0.12, 1.3) * (1 - 0.75 * narrow)
            grid = grid - fade * fold.height * rise * _crest(gap * size / fold.width)
        # the outlet: a ring of muscle round a pit in the far dome
        pole = (length + exit_size * np.pi / 2 - s) / outlet
        return grid + outlet * (
            2.2 * np.exp(-(np.maximum(pole, 0.0) ** 4)) - 0.5 * np.exp(-((pole - 2.0) ** 2) / 0.5)
        )

    bend = _bend(random, size, 0.45, length)
    look = Mucosa(
        tissue=_tint(random, (0.74, 0.25, 0.175)),
        blood=_tint(random, (0.48, 0.09, 0.07)),
        patch=random.uniform(0.15, 0.28),
        patch_size=random.uniform(14.0, 24.0),
        grain=random.uniform(0.1, 0.16),
        grain_size=random.uniform(2.6, 3.6),
        vessel=random.uniform(0.15, 0.45),
        vessel_size=random.uniform(12.0, 18.0),
        vessel_width=random.uniform(0.5, 0.8),
        bump=random.uniform(0.09, 0.14),
        bump_size=random.uniform(3.4, 5.0),
        gloss=random.uniform(0.4, 0.7),
        sharpness=random.uniform(180.0, 380.0),
        bounce=random.uniform(0.16, 0.26),
        seed=int(random.integers(1 << 20)),
    )
    return Scene("stomach", build_lumen(bend, radius, length, exit_size, 0.25), look, size)


ORGANS: dict[str, Callable[..., Scene]] = {"colon": colon, "jejunum": jejunum, "stomach": stomach}


def _random(seed: int, kind: int) -> Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, kind])))


def _tint(random: Generator, colour: tuple[float, float, float]) -> tuple[float, float, float]:
    light = random.uniform(0.92, 1.08)
    red, green, blue = (float(c * light * random.uniform(0.94, 1.06)) for c in colour)
    return red, green, blue


def _wave(random: Generator, terms: int, shortest: float, longest: float) -> Wave:
    """A smooth random function of s, about -1 to 1."""
    length = np.exp(random.uniform(np.log(shortest), np.log(longest), terms))
    phase = random.uniform(0, 2 * np.pi, terms)

    def wave(s: Array) -> Array:
        waves = np.sin(2 * np.pi * s[..., None] / length + phase)
        return np.asarray(waves.sum(axis=-1) / np.sqrt(terms))

    return wave


def _ring_wave(random: Generator, size: float) -> Wave:
    """A smooth random function of the angle with its period, of about `size`."""
    weight = random.normal(0, 1, 5) / np.sqrt(np.arange(1, 6))
    phase = random.uniform(0, 2 * np.pi, 5)

    def wave(angle: Array) -> Array:
        return np.asarray(size * (np.sin(np.arange(1, 6) * angle[..., None] + phase) * weight).sum(axis=-1))

    return wave


def _bend(random: Generator, size: float, most: float, length: float) -> Wave:
    """A curvature that stays below `most` / size and turns one way and the other."""
    waves = [_wave(random, 2, 4.0 * size, 8.0 * size) for _ in range(2)]

    def bend(s: Array) -> Array:
        both = np.stack([waves[0](s), waves[1](s)], axis=-1)
        return most / size * both / np.sqrt(1 + (both**2).sum(axis=-1, keepdims=True))

    return bend


def _wrap(angle: Array) -> Array:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _step(x: Array) -> Array:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def _fade(s: Array, length: float, dome: float) -> Array:
    """1 on the tube, falling to 0 at the poles of the domes, where the angle has no meaning."""
    beyond = np.maximum(np.maximum(-s, s - length), 0.0) / (dome * np.pi / 2)
    return 1 - _step((beyond - 0.1) / 0.75)


def _crest(x: Array) -> Array:
    """A ridge with a round crest, steep sides and a wide foot."""
    return 0.8 * np.exp(-(np.abs(x) ** 2.4)) + 0.2 * np.exp(-((x / 2.4) ** 2))


def _near(s: Array, first: float, last: float, width: float) -> slice:
    """The rows where a ridge `width` wide that stays between first and last is worth computing."""
    low, high = np.searchsorted(s[:, 0], [first - 5 * width, last + 5 * width])
    return slice(int(low), int(high))
