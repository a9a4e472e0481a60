"""Videos of the phantom: which organs, which cameras, which ways through, for each preset.

A Video holds all that its frames are rendered from, so any frame can be rendered alone, in any order, and
again through another camera (for instance the rectified one of a stereo pair).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.phantom import organs, path
from scopedepth.phantom.camera import Camera, endoscope
from scopedepth.phantom.scene import Frame, Scene, expose, render_frame
from scopedepth.phantom.scope import through

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Exposure is measured every so many frames and blended between: a camera's control is slow, and must not
# flicker.
KEY_FRAMES = 8


@dataclass(frozen=True)
class Video:
    """A sequence to be rendered.

    Attributes:
        name: of the sequence.
        scene: the organ.
        camera: the only camera, or the left one.
        poses: (4, 4) camera to world for each frame, mm.
        exposures: factor on the light for each frame.
        right: the right camera of a stereo pair.
        left_to_right: (4, 4), takes a point in the left camera's axes to the right camera's, mm.
        seed: of the sensor's noise.
        scope: what the light is like, and what is in its way (`scope.through`).
    """

    name: str
    scene: Scene
    camera: Camera
    poses: list[NDArray[np.float64]]
    exposures: list[float]
    seed: int
    right: Camera | None = None
    left_to_right: NDArray[np.float64] | None = None
    scope: str = "plain"

    def frame(self, k: int) -> Frame:
        """Frame k of the (left) camera."""
        return self._render(self.poses[k], self.camera, k, 0)

    def right_frame(self, k: int) -> Frame:
        """Frame k of the right camera; both cameras share one exposure."""
        assert self.right is not None
        assert self.left_to_right is not None
        pose = self.poses[k] @ np.linalg.inv(self.left_to_right)
        return self._render(pose, self.right, k, 1)

    def _render(self, pose: NDArray[np.float64], camera: Camera, k: int, side: int) -> Frame:
        noise = self.seed * 100_000 + 2 * k + side
        frame = render_frame(self.scene, pose, camera, exposure=self.exposures[k], noise_seed=noise)
        return through(self.scope, frame)


def make(name: str, scene: Scene, camera: Camera, poses: list[NDArray[np.float64]], seed: int) -> Video:
    """A video of one camera, with its exposures."""
    count = len(poses)
    keys = np.unique(np.r_[np.arange(0, count, KEY_FRAMES), count - 1])
    levels = [expose(scene, poses[k], camera) for k in keys]
    exposures = np.exp(np.interp(np.arange(count), keys, np.log(levels)))
    return Video(name, scene, camera, poses, [float(e) for e in exposures], seed)


def mono(frames: int, height: int, width: int, seed: int) -> list[Video]:
    """The three sequences of preset `mono`: a colon, a jejunum and a stomach, through an endoscope."""
    camera = endoscope(width, height)
    plans = {
        "colon": {"start": 1.2, "travel": 2.2, "sway": 0.22, "look": 14.0},
        "jejunum": {"start": 1.5, "travel": 1.8, "sway": 0.18, "look": 13.0},
        "stomach": {"start": 0.3, "travel": 0.8, "sway": 0.25, "look": 18.0},
    }
    videos = []
    for kind, (name, plan) in enumerate(plans.items()):
        scene = organs.ORGANS[name](seed)
        poses = path.poses(scene, frames, seed * 10 + kind, roll=15.0, **plan)
        videos.append(make(name, scene, camera, poses, seed * 10 + kind))
    return videos


def stereo(frames: int, height: int, width: int, seed: int) -> list[Video]:
    """The two sequences of preset `stereo`: raw pairs with lens distortion, 5 mm apart and turned by about
    1.6 degrees.

    The organs are wider than those of `mono` and finely textured, so that the nearest wall stays within what
    a matcher searches.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 5])))
    left = _lens(random, width, height)
    right = _lens(random, width, height)
    turn = np.radians(random.normal(0, 1, 3) * [0.25, 0.1, 0.25] + [0.0, 1.6, 0.0])
    left_to_right = np.eye(4)
    left_to_right[:3, :3] = path.rotation(1, turn[1]) @ path.rotation(0, turn[0]) @ path.rotation(2, turn[2])
    left_to_right[:3, 3] = [-5.0, *random.normal(0, 0.06, 2)]
    left_to_right = np.round(left_to_right, 9)
    videos = []
    plans = {
        "cavity": ("stomach", 1.25, {"start": 0.2, "travel": 0.5, "sway": 0.25, "look": 12.0}),
        "passage": ("colon", 1.5, {"start": 1.4, "travel": 0.7, "sway": 0.2, "look": 10.0}),
    }
    for kind, (name, (organ, scale, plan)) in enumerate(plans.items()):
        scene = organs.ORGANS[organ](seed + 500, scale)
        m = scene.mucosa
        scene = replace(
            scene,
            name=name,
            mucosa=m._replace(
                grain=0.38,
                grain_size=2.5,
                vessel=max(m.vessel, 0.6),
                vessel_size=9.0,
                bump=0.22,
                bump_size=3.0,
                gloss=0.5 * m.gloss,
            ),
        )
        poses = path.poses(scene, frames, seed * 10 + 5 + kind, roll=8.0, **plan)
        video = make(name, scene, left, poses, seed * 10 + 5 + kind)
        videos.append(replace(video, right=right, left_to_right=left_to_right))
    return videos


def _lens(random: np.random.Generator, width: int, height: int) -> Camera:
    focal = 0.9 * width * random.uniform(0.985, 1.015)
    k1, p1, p2 = (round(float(d), 9) for d in random.normal([-0.18, 0.0, 0.0], [0.006, 3e-4, 3e-4]))
    return Camera(
        width,
        height,
        round(focal, 6),
        round(focal * random.uniform(0.99, 1.01), 6),
        round(width / 2 + random.normal(0, 4), 6),
        round(height / 2 + random.normal(0, 4), 6),
        (k1, 0.03, p1, p2, 0.0),
    )


def videos(source: specs.PhantomSource) -> list[Video]:
    """The videos of a dataset's `source`: preset (mono, stereo), frames, size (height, width), seed, organs, scope.

    The last two may be missing: one organ of each kind, in plain light.
    """
    height, width = source["size"]
    preset = {"mono": mono, "stereo": stereo}[source["preset"]]
    organs_of_a_kind = source.get("organs", 1)
    found = []
    for seed in range(source["seed"], source["seed"] + organs_of_a_kind):
        for video in preset(source["frames"], height, width, seed):
            name = video.name if organs_of_a_kind == 1 else f"{video.name}_{seed}"
            found.append(replace(video, name=name, scope=source.get("scope", "plain")))
    return found
