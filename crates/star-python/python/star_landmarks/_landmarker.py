"""Images in, faces out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional, Union, overload

import numpy as np
from numpy.typing import ArrayLike

from . import _native
from ._face import Box, Face, Layout
from ._images import Image, to_native
from ._tracker import LEAST_SCORE, Tracker

_TOGETHER = 16
"""Images that are in memory and go through the network together, as with `star predict`."""


class Landmarker:
    """Finds faces and their landmarks.

    weights: a weights file, such as `weights/best.safetensors` of a run; None for the small network inside (68 points, research only).
    passes: how often the network looks at each face, 1 to 5; each time after the first at a crop around its own points.
    margin: width of its view over the longer side of the landmarks' box; None for what the weights were trained with.
    max_faces: most faces of an image, the most prominent; None for all.
    find_faces: the landmarks are of faces, although their layout is not a built-in one.
    upright_only: images are not looked at turned by quarters, where no upright face is sure.
    raw_covariance: covariances as the heatmaps have them, although the weights say how to make them the size of the errors.

    Threads may share one; their calls wait for each other. It can be pickled: what arrives reads the weights again.

    Raises OSError and ValueError for weights that cannot be read, with the words of `star`.
    """

    def __init__(
        self,
        weights: Optional[Union[str, os.PathLike[str]]] = None,
        *,
        passes: int = 1,
        margin: Optional[float] = None,
        max_faces: Optional[int] = None,
        find_faces: bool = False,
        raw_covariance: bool = False,
        upright_only: bool = False,
    ) -> None:
        if not 1 <= passes <= 5:
            raise ValueError(f"passes={passes}: give a number from 1 to 5")
        if margin is not None and not (np.isfinite(margin) and margin > 0):
            raise ValueError(f"margin={margin}: give a number above 0")
        if max_faces is not None and max_faces < 1:
            raise ValueError(f"max_faces={max_faces}: give a number from 1 on, or None for all")
        self._settings = {
            "weights": weights,
            "passes": passes,
            "margin": margin,
            "max_faces": max_faces,
            "find_faces": find_faces,
            "raw_covariance": raw_covariance,
            "upright_only": upright_only,
        }
        self._native = _native.Landmarker(
            weights, passes, margin, max_faces, find_faces, raw_covariance, upright_only
        )
        self._layout = Layout._of_native(self._native.layout())

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self._settings.items() if v not in (None, False))
        return f"Landmarker({given})"

    def __getstate__(self) -> dict[str, Any]:
        return self._settings

    def __setstate__(self, settings: dict[str, Any]) -> None:
        self.__init__(**settings)  # type: ignore[misc]

    @property
    def layout(self) -> Layout:
        """What the points are: edges, mirror pairs, norms."""
        return self._layout

    @property
    def margin(self) -> float:
        """Width of the network's view over the longer side of the landmarks' box."""
        return self._native.margin()

    @property
    def calibrated(self) -> bool:
        """Whether a standard deviation of a covariance is one of the errors; it is the heatmap's own where this is False."""
        return self._native.calibrated()

    @property
    def provenance(self) -> str:
        """Which weights of which run these are, in the weights file's words."""
        return self._native.provenance()

    @overload
    def predict(self, image: Image, boxes: Optional[ArrayLike] = None) -> list[Face]: ...
    @overload
    def predict(
        self, image: Union[list[Any], tuple[Any, ...]], boxes: Optional[Sequence[ArrayLike]] = None
    ) -> list[list[Face]]: ...
    def predict(self, image: Any, boxes: Any = None) -> Any:
        """The faces of an image, the most prominent first; of a list of images a list of them for each.

        image: a path, a uint8 RGB array [height, width, 3], or what has `__array__`, such as an image of Pillow; or a list of such.
        boxes: where the faces are, instead of looking for them: [faces, 4] of left, top, width and height in pixels, around the
        landmarks. One face a box, in their order. Of a list of images a list of such.

        No face is an answer, not an error. Raises ValueError for an image or a box that cannot be used, OSError for a file that
        cannot be read.
        """
        if not isinstance(image, (list, tuple)):
            return self._predict([image], None if boxes is None else [boxes])[0]
        if boxes is not None and len(boxes) != len(image):
            raise ValueError(f"boxes of {len(boxes)} images for {len(image)}; give a list for each image")
        return self._predict(image, boxes)

    def _predict(self, images: Sequence[Image], boxes: Optional[Sequence[ArrayLike]]) -> list[list[Face]]:
        answers: list[list[Face]] = []
        # So many at a time: memory does not grow with their number, and Ctrl-C is heard between.
        for start in range(0, len(images), _TOGETHER):
            chunk = slice(start, start + _TOGETHER)
            pixels = [to_native(image) for image in images[chunk]]
            given = None if boxes is None else [_boxes(b) for b in boxes[chunk]]
            found = self._native.predict(pixels, given)
            for i, faces in enumerate(found):
                own: Sequence[Optional[Box]] = [None] * len(faces) if given is None else given[i]
                answers.append([Face._of_native(f, self._layout, b) for f, b in zip(faces, own)])
        return answers

    def tracker(
        self,
        *,
        fps: float = 25.0,
        smooth: bool = True,
        least_score: float = LEAST_SCORE,
        min_cutoff: Optional[float] = None,
        beta: Optional[float] = None,
    ) -> Tracker:
        """Follows the faces of one video: `Tracker` says how."""
        return Tracker(self, fps=fps, smooth=smooth, least_score=least_score, min_cutoff=min_cutoff, beta=beta)

    def track(self, frames: Iterable[Image], **settings: Any) -> Iterator[list[Face]]:
        """The faces of each frame as it comes, with their numbers in `track`; `settings` are those of `tracker`."""
        tracker = self.tracker(**settings)
        return (tracker.next(frame) for frame in frames)


def _boxes(given: ArrayLike) -> list[Box]:
    """Boxes as numbers; for one face a plain box will do."""
    array = np.asarray(given, dtype=np.float64)
    if array.shape == (4,):
        array = array[None]
    if array.size == 0:
        return []
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes of shape {array.shape}; give [faces, 4]: left, top, width and height in pixels")
    return [(float(x), float(y), float(w), float(h)) for x, y, w, h in array]
