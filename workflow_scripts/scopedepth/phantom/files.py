"""Videos of the phantom to files, in the layout told in scopedepth.phantom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.job.progress import progress
from scopedepth.phantom.video import Video

DEPTH_SCALE = 0.01  # mm for one step of a 16-bit depth picture: up to 655 mm


def write_videos(videos: list[Video], out: Path, workers: int) -> None:
    """Render and write all frames; the compiled renderer frees the interpreter, so threads share the work."""
    for video in videos:
        _write_calibration(video, out / video.name)
    jobs = [(video, k) for video in videos for k in range(len(video.poses))]
    with ThreadPoolExecutor(max(1, workers)) as pool, progress("render", len(jobs)) as advance:
        waiting = [pool.submit(_write_frame, video, k, out / video.name) for video, k in jobs]
        for done in as_completed(waiting):
            done.result()
            advance()


def _write_frame(video: Video, k: int, folder: Path) -> None:
    name = f"{k:04d}.png"
    frame = video.frame(k)
    stereo = video.right is not None
    _write_png(folder / ("left" if stereo else "rgb") / name, frame.rgb[..., ::-1])
    stored = np.clip(np.rint(frame.depth / DEPTH_SCALE), 0, 65535).astype(np.uint16)
    _write_png(folder / ("exact_depth" if stereo else "depth") / name, stored)
    if stereo:
        _write_png(folder / "right" / name, video.right_frame(k).rgb[..., ::-1])


def _write_calibration(video: Video, folder: Path) -> None:
    if video.right is None or video.left_to_right is None:
        for part in ("rgb", "depth"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        _write_numbers(folder / "intrinsics.txt", video.camera.matrix)
        _write_numbers(folder / "poses.txt", np.array([pose[:3].ravel() for pose in video.poses]))
        return
    for part in ("left", "right", "exact_depth"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for side, camera in (("left", video.camera), ("right", video.right)):
        _write_numbers(folder / f"calib.{side}.intrinsic.txt", camera.matrix)
        _write_numbers(folder / f"calib.{side}.distortion.txt", np.array([camera.distortion]))
    _write_numbers(folder / "calib.l2r.4x4", video.left_to_right)


def _write_numbers(path: Path, numbers: NDArray[np.float64]) -> None:
    path.write_text("".join(" ".join(f"{n:.9f}" for n in row) + "\n" for row in numbers))


def _write_png(path: Path, picture: NDArray[np.generic]) -> None:
    if not cv2.imwrite(str(path), np.ascontiguousarray(picture), [cv2.IMWRITE_PNG_COMPRESSION, 4]):
        raise ScopeDepthError(f"{path} could not be written. Is the disk full, or the folder read-only?")
