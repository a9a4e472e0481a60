"""The embedded dataset: endoscopic videos rendered here, with exact depth.

    render({"preset": "mono", "frames": 40, "size": [320, 320], "seed": 0}, Path("raw"), workers=2)

`source` has the fields preset, frames (for each sequence), size ([height, width]) and seed, and may have organs (of
each kind, of this and the following seeds) and scope (plain or shifted, see `scope`). The same source
gives the same bytes whatever the number of workers. All lengths are millimetres; depth is along the optical
axis of the pixel's own camera, exact (to about a micrometre) for the ray through the pixel's centre; pixel
(0, 0) has its centre at (0, 0).

Preset `mono`: sequences `colon`, `jejunum`, `stomach`, a pinhole endoscope with a circular border.

    {sequence}/rgb/NNNN.png      8-bit RGB, black outside the border
    {sequence}/depth/NNNN.png    16-bit grey, depth = number * `files.DEPTH_SCALE` mm; 0 is no depth (outside the
    border) {sequence}/intrinsics.txt    3x3 camera matrix, pixels
    {sequence}/poses.txt         camera to world, a line a frame: the rows of a 3x4 matrix, mm

Preset `stereo`: sequences `cavity`, `passage`, a raw pair of cameras with lens distortion, not rectified.

    {sequence}/left/NNNN.png, right/NNNN.png     8-bit RGB
    {sequence}/exact_depth/NNNN.png              16-bit grey as above: depth of the raw left picture's pixels
    {sequence}/calib.left.intrinsic.txt, calib.right.intrinsic.txt      3x3 camera matrix, pixels
    {sequence}/calib.left.distortion.txt, calib.right.distortion.txt    k1 k2 p1 p2 k3, OpenCV's convention
    {sequence}/calib.l2r.4x4     4x4, takes a point (mm) in the left camera's axes to the right camera's

For exact depth through a rectified camera, render it: `scene.render_depth` with `video.videos(source)`, the
left pose times the inverse of the rectifying rotation, and a `camera.Camera` with the rectified intrinsics.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


def render(source: specs.PhantomSource, out: Path, workers: int) -> None:
    """Write the videos of `source` below `out` (see the module's text for the layout).

    Args:
        source: preset, frames, size ([height, width]), seed.
        out: folder; made if missing, files in it are overwritten.
        workers: threads.
    """
    from scopedepth.phantom.files import (
        write_videos,  # compiled code and OpenCV load only when something is rendered
    )
    from scopedepth.phantom.video import videos

    write_videos(videos(source), out, workers)
