"""Drawings: those of `star predict`."""

import numpy as np
import pytest
from conftest import PHOTO

from star_landmarks import draw, read_image


def test_the_drawing_is_that_of_star_predict(tmp_path, star, landmarker, photo):
    run = star("predict", PHOTO, "--out", tmp_path, "--sigma", "1.5")
    assert run.returncode == 0, run.stderr
    faces = landmarker.predict(PHOTO)
    drawn = draw(photo, faces, sigma=1.5, legend=True)
    np.testing.assert_array_equal(drawn, read_image(tmp_path / "astronaut.png"))
    assert drawn.shape[0] > photo.shape[0]


def test_what_is_asked_for_is_drawn(landmarker, photo):
    faces = landmarker.predict(photo)
    before = photo.copy()
    nothing = dict(points=False, edges=False, ellipses=False)
    np.testing.assert_array_equal(draw(photo, faces, **nothing), photo)
    np.testing.assert_array_equal(draw(photo, []), photo)
    drawings = [
        draw(photo, faces, **{**nothing, part: True})
        for part in ["points", "edges", "ellipses", "numbers"]
    ]
    for i, drawing in enumerate(drawings):
        assert drawing.shape == photo.shape and drawing.dtype == np.uint8
        assert (drawing != photo).any()
        assert all((drawing != other).any() for other in drawings[:i])
    np.testing.assert_array_equal(photo, before)
    with pytest.raises(ValueError, match="sigma=0"):
        draw(photo, faces, sigma=0)
