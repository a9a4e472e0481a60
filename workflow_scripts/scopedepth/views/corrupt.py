"""Frames as a worse image would show them: a corruption of `scopedepth.corruptions`, made when frames are read.

Depth and flags are shared with the dataset; a corruption that moves pixels moves them along. What lies outside the
endoscope's image circle stays as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import CORRUPTIONS, module_of
from scopedepth.views import Planes, Step
from scopedepth.vocabulary.corruptions import SEVERITIES
from scopedepth.vocabulary.flags import BORDER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scopedepth.vocabulary.corruptions import Corruption


@dataclass(frozen=True)
class Corrupt(Step):
    """A corruption: its kind (`name`) and the file that makes it, severity 1 to 5, seed, and the sequence."""

    kind = "corrupt"

    name: str
    file: str
    severity: int
    seed: int
    sequence: str

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"a corruption of severity {self.severity!r}; there are {SEVERITIES}")

    @classmethod
    def of(cls, stated: Any, sequence: str) -> Corrupt | None:
        """Return the corruption of a sequence, of {kind, file, severity, seed}."""
        return cls(stated["kind"], stated["file"], stated["severity"], stated["seed"], sequence)

    @classmethod
    def patterns(cls, stated: Any) -> Iterable[str]:
        """Return none: a view is corrupted as a whole."""
        return []

    @classmethod
    def modules(cls, stated: Any) -> list[str]:
        """Return the corruption's file."""
        return [module_of(CORRUPTIONS, stated["file"])]

    @cached_property
    def _module(self) -> Any:
        return importlib.import_module(module_of(CORRUPTIONS, self.file))

    @cached_property
    def corruption(self) -> Corruption:
        """What is known of the kind."""
        made: dict[str, Corruption] = {one.name: one for one in self._module.CORRUPTIONS}
        if self.name not in made:
            raise ScopeDepthError(
                f"A view names the corruption {self.name!r}, and {self.file}.py makes none. Make it again."
            )
        return made[self.name]

    @property
    def needs_depth(self) -> bool:
        """Whether the kind follows from depth."""
        return self.corruption.needs_depth

    @property
    def _key(self) -> str:
        """What is drawn for the sequence as a whole is keyed by."""
        return f"{self.seed}\0{self.name}\0{self.sequence}"

    @property
    def level(self) -> float:
        """The kind's strength at this severity."""
        return self.corruption.levels[self.severity - 1]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width, which stay."""
        return height, width

    def camera(self, intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the camera matrix as it is: who uses it does not know of the corruption."""
        return intrinsics

    def rgb(self, frames: NDArray[np.uint8], first: int, planes: Planes) -> NDArray[np.uint8]:
        """Return corrupted images. A frame that needs depth and has none stays as it is: nothing is scored of it."""
        import numpy as np

        from scopedepth.corruptions import Shot

        depth = planes.depth() if self.needs_depth else None
        flags = planes.flags()
        corrupted = frames.copy()
        for place, frame in enumerate(frames):
            known = None
            if self.needs_depth:
                known = np.full(frame.shape[:2], np.nan, np.float32)
                if depth is not None:
                    there = np.isfinite(depth[place]) & (depth[place] > 0)
                    known[there] = depth[place][there]
                if not np.isfinite(known).any():
                    continue
            shot = Shot(
                frame.astype(np.float32) / 255, self.level, known, f"{self._key}\0{first + place}", self._key
            )
            made = getattr(self._module, self.name)(shot)
            corrupted[place] = np.rint(np.clip(made, 0, 1) * np.float32(255)).astype(np.uint8)
            if flags is not None and not self.corruption.moves:
                outside = (flags[place] & BORDER) > 0
                corrupted[place][outside] = frame[outside]
        return corrupted

    def plane(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Return frames (n, h, w, ...) as they are, or as the corruption leaves them.

        Where it moves pixels, each takes its nearest one; what it hides is 0, or NaN of floats.
        """
        import numpy as np

        height, width = frames.shape[1:3]
        if self.corruption.hides:
            frames = frames.copy()
            hidden = self._module.hides(self.name, self.level, self._key, height, width)
            frames[:, hidden] = np.nan if frames.dtype.kind == "f" else 0
        if self.corruption.moves:
            import cv2

            x, y = self._module.moved(self.name, self.level, height, width)
            nearest = cv2.INTER_NEAREST, cv2.BORDER_REPLICATE
            return np.stack([cv2.remap(one, x, y, nearest[0], borderMode=nearest[1]) for one in frames])
        return frames

    def words(self, height: int, width: int) -> str:
        """Say which corruption it is."""
        return f"{self.name.replace('_', ' ')}, severity {self.severity} of 5, seed {self.seed}"


STEP = Corrupt
