"""Facial landmarks: points, a covariance for each, and scores, as NumPy arrays.

    from star_landmarks import Landmarker

    faces = Landmarker().predict("photo.jpg")
"""

from ._drawing import draw
from ._face import Edge, Face, Layout, Norm
from ._images import Image, read_image
from ._landmarker import Landmarker
from ._tracker import Tracker

__all__ = [
    "Edge",
    "Face",
    "Image",
    "Landmarker",
    "Layout",
    "Norm",
    "Tracker",
    "draw",
    "read_image",
]
