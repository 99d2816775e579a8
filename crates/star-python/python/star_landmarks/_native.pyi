"""What is compiled. Images are bytes, width and height; numbers are the bytes of 64-bit floats."""

import os
from collections.abc import Sequence
from typing import Optional, TypedDict, Union

_Given = tuple[bytes, int, int]
_Box = Sequence[float]

class _Layout(TypedDict):
    name: str
    points: int
    edges: list[tuple[str, bool, list[int]]]
    mirror: list[int]
    norms: dict[str, tuple[list[int], list[int]]]
    default_norm: str

class _Found(TypedDict):
    points: bytes
    covariance: bytes
    scores: bytes
    score: float
    detected: Optional[list[float]]
    detector_score: Optional[float]
    crop: list[float]
    turned: int
    track: Optional[int]

class Landmarker:
    def __new__(
        cls,
        weights: Optional[Union[str, os.PathLike[str]]],
        passes: int,
        margin: Optional[float],
        max_faces: Optional[int],
        find_faces: bool,
        raw_covariance: bool,
        upright_only: bool,
    ) -> Landmarker: ...
    def layout(self) -> _Layout: ...
    def margin(self) -> float: ...
    def calibrated(self) -> bool: ...
    def provenance(self) -> str: ...
    def predict(
        self, images: Sequence[_Given], boxes: Optional[Sequence[Sequence[_Box]]]
    ) -> list[list[_Found]]: ...

class Tracker:
    def __new__(
        cls,
        landmarker: Landmarker,
        fps: float,
        smooth: bool,
        least_score: float,
        min_cutoff: Optional[float],
        beta: Optional[float],
    ) -> Tracker: ...
    def next(self, frame: _Given) -> list[_Found]: ...
    def reset(self) -> None: ...

def draw(
    photo: _Given,
    faces: Sequence[
        tuple[
            Sequence[Sequence[float]],
            Sequence[Sequence[float]],
            Sequence[tuple[str, bool, Sequence[int]]],
        ]
    ],
    parts: Sequence[bool],
    sigma: float,
    legend: bool,
) -> _Given: ...
def read_image(path: Union[str, os.PathLike[str]]) -> _Given: ...
def run_program(args: Sequence[str], again: Sequence[str]) -> int: ...
