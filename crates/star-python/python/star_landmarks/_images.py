"""Images in every form that people have them in, as uint8 RGB arrays."""

from __future__ import annotations

import os
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from . import _native


class _HasArray(Protocol):
    """What NumPy can make an array of: an array itself, or an image of Pillow."""

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[Any]: ...


Image = Union[str, "os.PathLike[str]", _HasArray]
"""A path (JPEG, PNG, BMP, WebP), a uint8 array [height, width, 3] in RGB, or what has `__array__`, such as an image of Pillow."""


def read_image(path: Union[str, os.PathLike[str]]) -> NDArray[np.uint8]:
    """Decodes an image file as `star predict` does: uint8 RGB [height, width, 3], upright (EXIF).

    Raises OSError for a file that cannot be read, ValueError for one that is no image.
    """
    return of_native(_native.read_image(path))


def to_native(image: Image) -> tuple[bytes, int, int]:
    """Bytes, width and height; for paths too."""
    if isinstance(image, (str, os.PathLike)):
        return _native.read_image(image)
    array = np.asarray(image)
    # What is 1 or L, P, RGBA, CMYK in Pillow has a mode; its fix is one call.
    mode = getattr(image, "mode", "RGB")
    if isinstance(mode, str) and mode != "RGB":
        raise ValueError(
            f"an image of mode {mode}; give RGB: image.convert('RGB')"
        )
    if array.dtype != np.uint8:
        raise ValueError(
            f"an image of {array.dtype}; give uint8, 0 to 255 (values from 0 to 1: (image * 255).round().astype('uint8'))"
        )
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(
            f"an image of shape {array.shape}; give [height, width, 3] in RGB, and several images as a list"
        )
    height, width, _ = array.shape
    if height == 0 or width == 0:
        raise ValueError(f"an image of shape {array.shape} has no pixels")
    return array.tobytes(), width, height


def of_native(image: tuple[bytes, int, int]) -> NDArray[np.uint8]:
    """An array of its own, which may be written to."""
    pixels, width, height = image
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3).copy()
