"""Faces from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

import numpy as np

from . import _native
from ._face import Face
from ._images import Image, to_native

if TYPE_CHECKING:
    from ._landmarker import Landmarker

LEAST_SCORE = 0.5
"""A face of a lower score is looked for again."""


class Tracker:
    """Follows the faces of one video: a face is looked for where it was in the frame before, and the detector is asked only when there is
    none or when a score falls low. `star predict --track` does the same.

    fps: frames in a second, for the smoothing.
    smooth: smooth the points from frame to frame (One-Euro filter); `star predict` does so with --smooth.
    least_score: ask the detector again about a face whose score is below this, 0 to 1.
    min_cutoff: the filter's cutoff for points that do not move, in Hz (1); lower trembles less.
    beta: what each face size per second of speed adds to it, in Hz (10); higher lags less.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        *,
        fps: float = 25.0,
        smooth: bool = True,
        least_score: float = LEAST_SCORE,
        min_cutoff: Optional[float] = None,
        beta: Optional[float] = None,
    ) -> None:
        if not (np.isfinite(fps) and fps > 0):
            raise ValueError(f"fps={fps}: give a number above 0")
        if not 0 <= least_score <= 1:
            raise ValueError(f"least_score={least_score}: give a number from 0 to 1")
        if not smooth and (min_cutoff is not None or beta is not None):
            raise ValueError("min_cutoff and beta are the filter's, and smooth=False asks for none")
        if min_cutoff is not None and not (np.isfinite(min_cutoff) and min_cutoff > 0):
            raise ValueError(f"min_cutoff={min_cutoff}: give a number above 0")
        if beta is not None and not (np.isfinite(beta) and beta >= 0):
            raise ValueError(f"beta={beta}: give a number from 0 on")
        self._native = _native.Tracker(landmarker._native, fps, smooth, least_score, min_cutoff, beta)
        self._layout = landmarker.layout
        self._size: Optional[tuple[int, int]] = None

    def next(self, frame: Image) -> list[Face]:
        """The faces of the next frame, in the order in which they appeared. A frame of another size begins another video."""
        pixels = to_native(frame)
        if self._size not in (None, pixels[1:]):
            self._native.reset()
        self._size = pixels[1:]
        return [Face._of_native(found, self._layout) for found in self._native.next(pixels)]

    def reset(self) -> None:
        """Forgets all faces: another video begins. Their numbers are not used again."""
        self._native.reset()
