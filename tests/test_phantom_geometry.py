"""The phantom's depth against closed forms, against a finer march, and against itself from another place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scopedepth.phantom import organs
from scopedepth.phantom.camera import Camera, endoscope
from scopedepth.phantom.path import rotation
from scopedepth.phantom.scene import Scene, build_lumen, render_depth, render_frame
from scopedepth.phantom.video import mono, stereo

RADIUS = 14.0


def tube(bend: float, length: float = 120.0) -> Scene:
    """A smooth tube of constant bend with half spheres at its ends."""
    look = organs.colon(1).mucosa
    lumen = build_lumen(
        lambda s: np.stack([np.full_like(s, bend), np.zeros_like(s)], axis=-1),
        lambda s, angle: RADIUS + 0.0 * s + 0.0 * angle,
        length,
        RADIUS,
        0.2,
    )
    return Scene("tube", lumen, look, RADIUS)


def placed(x: float, y: float, z: float, tilt: float, turn: float) -> NDArray[np.float64]:
    pose = np.eye(4)
    pose[:3, :3] = rotation(1, tilt) @ rotation(0, turn) @ rotation(2, 0.4)
    pose[:3, 3] = x, y, z
    return pose


def points(depth: NDArray[np.float64], camera: Camera, pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) the points of the wall that the visible pixels show."""
    rays = np.concatenate([camera.rays(), np.ones((*depth.shape, 1))], axis=-1)
    seen = camera.visible()
    return (rays * depth[..., None])[seen] @ pose[:3, :3].T + pose[:3, 3]


def test_straight_tube_has_the_depth_of_a_cylinder_with_domes() -> None:
    length = 120.0
    camera = endoscope(96, 80, 110.0)
    pose = placed(5.0, -4.0, 31.0, 0.25, -0.15)
    depth = render_depth(tube(0.0, length), pose, camera)
    rays = np.concatenate([camera.rays(), np.ones((80, 96, 1))], axis=-1) @ pose[:3, :3].T
    start = pose[:3, 3]

    def roots(d: NDArray[np.float64], o: NDArray[np.float64]) -> NDArray[np.float64]:
        """The positive root t of |o + t d| = RADIUS."""
        a, b, c = (d * d).sum(-1), (d * o).sum(-1), (o * o).sum() - RADIUS**2
        return (-b + np.sqrt(np.maximum(b * b - a * c, 0.0))) / a

    expected = roots(rays[..., :2], start[:2])
    beyond = start[2] + expected * rays[..., 2] > length
    expected[beyond] = roots(rays, start - [0.0, 0.0, length])[beyond]
    seen = camera.visible()
    assert beyond[seen].any()
    assert not beyond[seen].all()
    # mm. The march stops within 2e-6 of the wall across it; along a ray that grazes it that is several times as far.
    assert np.abs(depth - expected)[seen].max() < 1e-5
    assert (depth[~seen] == 0).all()


def test_evenly_bent_tube_is_a_torus() -> None:
    bend = 0.6 / RADIUS
    camera = endoscope(64, 64)
    pose = placed(2.0, 1.0, 10.0, 0.3, 0.1)
    x, y, z = points(render_depth(tube(bend, 60.0), pose, camera), camera, pose).T
    on_tube = (np.arctan2(z, 1 / bend - x) > 0.0) & (np.arctan2(z, 1 / bend - x) < 60.0 * bend)
    to_axis = np.hypot(np.hypot(x - 1 / bend, z) - 1 / bend, y)
    assert on_tube.mean() > 0.9
    # the centreline is a chain of quarter millimetres
    assert np.abs(to_axis - RADIUS)[on_tube].max() < 2e-3


@pytest.mark.parametrize("organ", organs.ORGANS)
def test_finer_march_finds_the_same_wall(organ: str) -> None:
    video = next(v for v in mono(2, 120, 120, 4) if v.name == organ)
    usual = video.frame(1).depth
    finer = render_frame(video.scene, video.poses[1], video.camera, exposure=1.0, fineness=8.0).depth
    seen = finer > 0
    off = np.abs(usual - finer)[seen] / finer[seen]
    assert (off > 0.01).mean() < 3e-3  # a few pixels where a fold's edge is grazed
    assert np.median(off) < 1e-6


def test_depth_of_neighbouring_frames_agrees() -> None:
    """A point seen in one frame has the depth in the next that its pose predicts: smooth video, one world."""
    for video in mono(40, 120, 120, 0):
        first, second = (render_depth(video.scene, video.poses[k], video.camera) for k in (20, 21))
        move = np.linalg.inv(video.poses[21])
        world = points(first, video.camera, video.poses[20])
        x, y, z = (world @ move[:3, :3].T + move[:3, 3]).T
        u = np.rint(video.camera.fx * x / z + video.camera.cx).astype(int)
        v = np.rint(video.camera.fy * y / z + video.camera.cy).astype(int)
        inside = (u >= 0) & (v >= 0) & (u < 120) & (v < 120)
        found = second[v[inside], u[inside]]
        hit = found > 0
        assert hit.mean() > 0.8
        assert np.median(np.abs(found - z[inside])[hit] / found[hit]) < 0.01


def test_right_camera_of_a_stereo_pair_is_where_the_calibration_says() -> None:
    for video in stereo(1, 144, 180, 0):
        assert video.right is not None
        assert video.left_to_right is not None
        depth = render_depth(video.scene, video.poses[0], video.camera)
        in_left = points(depth, video.camera, np.eye(4))
        turn, _ = cv2.Rodrigues(video.left_to_right[:3, :3])
        pixel, _ = cv2.projectPoints(
            in_left, turn, video.left_to_right[:3, 3], video.right.matrix, np.array(video.right.distortion)
        )
        in_right = in_left @ video.left_to_right[:3, :3].T + video.left_to_right[:3, 3]
        u, v = np.rint(pixel.reshape(-1, 2)).astype(int).T
        inside = (u >= 0) & (v >= 0) & (u < 180) & (v < 144)
        pose = video.poses[0] @ np.linalg.inv(video.left_to_right)
        found = render_depth(video.scene, pose, video.right)[v[inside], u[inside]]
        off = np.abs(found - in_right[inside, 2]) / found
        assert inside.mean() > 0.8
        assert np.median(off) < 0.01


def test_lens_is_opencvs() -> None:
    camera = stereo(1, 288, 360, 0)[0].camera
    y, x = np.mgrid[:288:7, :360:7].astype(np.float64)
    pixels = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    rays = camera.rays()[::7, ::7].reshape(-1, 1, 2)
    back, _ = cv2.projectPoints(
        np.concatenate([rays, np.ones((len(rays), 1, 1))], axis=-1),
        np.zeros(3),
        np.zeros(3),
        camera.matrix,
        np.array(camera.distortion),
    )
    assert np.abs(back - pixels).max() < 1e-6
