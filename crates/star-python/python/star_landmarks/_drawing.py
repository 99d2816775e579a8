"""Faces drawn over their image, for people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._face import Face
from ._images import Image, of_native, to_native


def draw(
    image: Image,
    faces: Iterable[Face],
    *,
    points: bool = True,
    edges: bool = True,
    ellipses: bool = True,
    numbers: bool = False,
    sigma: float = 1.0,
    legend: bool = False,
) -> NDArray[np.uint8]:
    """A copy of the image, uint8 RGB [height, width, 3], with its faces drawn over it as `star predict` draws them.

    points, edges, ellipses, numbers: what is drawn. An ellipse is the covariance at `sigma` standard deviations, coloured by the ratio of
    its axes from green (as sure in every direction) to red (four times as unsure along as across).
    legend: a strip below the image that explains the ellipses; the result is that much higher then.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma={sigma}: give a number above 0")
    drawn = [
        (
            face.points.tolist(),
            [[c[0][0], c[0][1], c[1][1]] for c in face.covariance.tolist()],
            [(edge.name, edge.closed, edge.points) for edge in face.layout.edges],
        )
        for face in faces
    ]
    parts = [points, edges, ellipses, numbers]
    return of_native(_native.draw(to_native(image), drawn, parts, sigma, legend))
