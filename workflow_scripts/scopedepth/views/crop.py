"""A window of the frame. What lies outside of it is seen by no network and counts in no score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scopedepth.views import Outside, Planes, Step, matches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Crop(Step):
    """A window: its left and upper edge, its width and height, in pixels of the frame before it."""

    kind = "crop"

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, stated: Any, sequence: str) -> Crop | None:
        """Return the first window that is for a sequence, of [{"sequences": patterns, x, y, width, height}, ...]."""
        for one in stated:
            if matches(sequence, one["sequences"]):
                return cls(one["x"], one["y"], one["width"], one["height"])
        return None

    @classmethod
    def patterns(cls, stated: Any) -> Iterable[str]:
        """Return the patterns of all windows."""
        return [pattern for one in stated for pattern in one["sequences"]]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the window; raises `Outside` where it leaves the frame."""
        if self.x + self.width > width or self.y + self.height > height:
            raise Outside(
                f"x {self.x}, y {self.y}, width {self.width}, height {self.height} reach outside frames of "
                f"{width}x{height}"
            )
        return self.height, self.width

    def camera(self, intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the camera matrix with its principal point moved by the window's corner."""
        moved = intrinsics.copy()
        moved[0] -= self.x * intrinsics[2]
        moved[1] -= self.y * intrinsics[2]
        return moved

    def rgb(self, frames: NDArray[np.uint8], first: int, planes: Planes) -> NDArray[np.uint8]:
        """Return the window of images."""
        return self.plane(frames)

    def plane(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Return the window of frames (n, h, w, ...): a copy, so that the whole frames are let go of."""
        return frames[:, self.y : self.y + self.height, self.x : self.x + self.width].copy()

    def words(self, height: int, width: int) -> str:
        """Say which window of frames of this size it is."""
        right, bottom = self.x + self.width, self.y + self.height
        return f"x {self.x} to {right}, y {self.y} to {bottom} of frames of {width}x{height}"


STEP = Crop
