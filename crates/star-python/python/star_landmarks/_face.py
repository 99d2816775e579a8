"""What comes out: faces, and the layout that says what their points are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._native import _Found, _Layout

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class Edge:
    """A curve through some of the points."""

    name: str
    points: tuple[int, ...]
    """Indices, in the order in which the curve meets them."""
    closed: bool
    """Whether the last point is joined to the first."""


@dataclass(frozen=True)
class Norm:
    """What an error is divided by: the distance between the means of two groups of points."""

    left: tuple[int, ...]
    right: tuple[int, ...]

    def distance(self, points: NDArray[np.float64]) -> float:
        """The distance for a face's points [N, 2], in their unit."""
        apart = points[list(self.left)].mean(axis=0) - points[list(self.right)].mean(axis=0)
        return float(np.hypot(*apart))


@dataclass(frozen=True)
class Layout:
    """Which landmarks a face has."""

    name: str
    points: int
    """How many."""
    edges: tuple[Edge, ...]
    mirror: tuple[int, ...]
    """For each point the one that takes its place in a mirrored image."""
    norms: dict[str, Norm]
    default_norm: str

    @property
    def mirror_pairs(self) -> list[tuple[int, int]]:
        """The pairs that change places in a mirrored image; points that stay are in none."""
        return [(a, b) for a, b in enumerate(self.mirror) if a < b]

    def edge(self, name: str) -> Edge:
        """An edge by its name; KeyError names those there are."""
        for edge in self.edges:
            if edge.name == name:
                return edge
        raise KeyError(f"no edge {name!r}; there are {', '.join(e.name for e in self.edges)}")

    @classmethod
    def _of_native(cls, layout: _Layout) -> Layout:
        return cls(
            name=layout["name"],
            points=layout["points"],
            edges=tuple(
                Edge(name=name, points=tuple(points), closed=closed)
                for name, closed, points in layout["edges"]
            ),
            mirror=tuple(layout["mirror"]),
            norms={
                name: Norm(left=tuple(left), right=tuple(right))
                for name, (left, right) in layout["norms"].items()
            },
            default_norm=layout["default_norm"],
        )


@dataclass(frozen=True, eq=False)
class Face:
    """A face of an image. Pixels are those of the image, x to the right and y down; the middle of the first one is (0, 0)."""

    points: NDArray[np.float64]
    """[N, 2]: x and y in pixels, in the order of the layout."""
    covariance: NDArray[np.float64]
    """[N, 2, 2]: where each point may be, in pixels squared: a standard deviation is about one of the errors, if the landmarker is `calibrated`."""
    scores: NDArray[np.float64]
    """[N]: how far each point's heatmap agrees with itself, 0 to 1."""
    score: float
    """The mean of `scores`; below a half it is mostly no face."""
    box: Optional[Box]
    """The detector's box, or the one that was given; None where a tracker did without."""
    detector_score: Optional[float]
    """How sure the detector is (larger is surer); None where it was not asked."""
    turned: int
    """0, or by how many degrees clockwise the face is turned in its image: 90, 180 or 270."""
    crop: Box
    """The square that the network saw, in its last pass."""
    track: Optional[int]
    """In a video the same number for the same face."""
    layout: Layout

    def __repr__(self) -> str:
        track = "" if self.track is None else f", track={self.track}"
        return f"Face(score={self.score:.2f}, points={self.layout.points} of {self.layout.name}{track})"

    @classmethod
    def _of_native(cls, found: _Found, layout: Layout, given: Optional[Box] = None) -> Face:
        detected = found["detected"]
        return cls(
            points=_numbers(found["points"]).reshape(-1, 2),
            covariance=_numbers(found["covariance"]).reshape(-1, 2, 2),
            scores=_numbers(found["scores"]),
            score=found["score"],
            box=given if detected is None else _box(detected),
            detector_score=found["detector_score"],
            turned=found["turned"],
            crop=_box(found["crop"]),
            track=found["track"],
            layout=layout,
        )


def _numbers(data: bytes) -> NDArray[np.float64]:
    return np.frombuffer(data, np.float64).copy()


def _box(numbers: list[float]) -> Box:
    x, y, w, h = numbers
    return x, y, w, h
