"""Video: the same as `star predict --track`."""

import json

import numpy as np
import pytest

FRAMES = 6


@pytest.fixture(scope="module")
def frames(photo):
    """The portrait, moved by two pixels from frame to frame."""
    return [np.roll(photo, 2 * i, axis=1) for i in range(FRAMES)]


@pytest.mark.parametrize(("settings", "flags"), [({}, ["--smooth"]), ({"smooth": False}, [])])
def test_the_figures_are_those_of_star_predict(tmp_path, star, landmarker, frames, settings, flags):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for i, frame in enumerate(frames):
        image.fromarray(frame).save(tmp_path / f"f{i}.png")
    out = tmp_path / "out"
    run = star(
        "predict", tmp_path, "--track", *flags, "--format", "jsonl", "--overlay", "none", "--out", out
    )
    assert run.returncode == 0, run.stderr
    lines = (out / "predictions.jsonl").read_text().splitlines()
    assert len(lines) == FRAMES
    answers = landmarker.track(frames, **settings)
    for line, faces in zip(lines, answers):
        (expected,), (face,) = json.loads(line)["faces"], faces
        points = [[p["x"], p["y"]] for p in expected["points"]]
        np.testing.assert_allclose(face.points, points, atol=1e-3, rtol=0)
        assert face.track == expected["track"] == 1
        assert (face.box is None) == ("detected" not in expected)


def test_smoothing_smooths(landmarker, frames):
    def x(smooth):
        return np.array([faces[0].points[30, 0] for faces in landmarker.track(frames, smooth=smooth)])

    raw, smooth = x(False), x(True)
    assert raw[0] == smooth[0]
    assert (smooth[1:] < raw[1:]).all()  # behind a point that moves to the right


def test_a_tracker_forgets_when_the_video_changes(landmarker, photo):
    tracker = landmarker.tracker(fps=30)
    assert [face.track for face in tracker.next(photo)] == [1]
    assert [face.track for face in tracker.next(photo)] == [1]
    tracker.reset()
    assert [face.track for face in tracker.next(photo)] == [2]
    assert [face.track for face in tracker.next(photo[:500])] == [3]


@pytest.mark.parametrize(
    "settings",
    [{"fps": 0}, {"least_score": 2}, {"min_cutoff": 0}, {"beta": -1}, {"smooth": False, "beta": 1.0}],
)
def test_settings_without_a_meaning_are_refused(landmarker, settings):
    with pytest.raises(ValueError, match="give|smooth=False"):
        landmarker.tracker(**settings)
