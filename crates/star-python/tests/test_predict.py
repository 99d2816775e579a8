"""Images in every form, and the same figures as `star predict`."""

import json
import pickle
import sys
import threading

import numpy as np
import pytest
from conftest import PHOTO

import star_landmarks
from star_landmarks import Landmarker

WITHIN = 1e-3
"""Pixels."""


def arrays(face):
    """A face of `star predict`'s JSON as arrays."""
    points = np.array([[p["x"], p["y"]] for p in face["points"]])
    covariance = np.array([[[c["xx"], c["xy"]], [c["xy"], c["yy"]]] for c in face["covariance"]])
    return points, covariance


def assert_same(face, expected):
    points, covariance = arrays(expected)
    np.testing.assert_allclose(face.points, points, atol=WITHIN, rtol=0)
    np.testing.assert_allclose(face.covariance, covariance, atol=WITHIN, rtol=1e-6)
    np.testing.assert_allclose(face.scores, expected["scores"], atol=1e-6)
    assert face.score == pytest.approx(expected["score"], abs=1e-6)
    np.testing.assert_allclose(face.crop, expected["crop"], atol=WITHIN, rtol=0)


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ({}, []),
        ({"passes": 2}, ["--passes", "2"]),
        ({"margin": 1.5, "passes": 3}, ["--margin", "1.5", "--passes", "3"]),
        ({"raw_covariance": True}, ["--raw-covariance"]),
    ],
)
def test_the_figures_are_those_of_star_predict(tmp_path, star, settings, flags):
    run = star("predict", PHOTO, "--overlay", "none", "--out", tmp_path, *flags)
    assert run.returncode == 0, run.stderr
    document = json.loads((tmp_path / "astronaut.json").read_text())
    landmarker = Landmarker(**settings)
    faces = landmarker.predict(PHOTO)
    assert landmarker.layout.name == document["layout"]
    assert landmarker.provenance == document["weights"]
    assert landmarker.calibrated == document["calibrated"]
    assert len(faces) == len(document["faces"]) == 1
    assert_same(faces[0], document["faces"][0])
    detected = document["faces"][0]["detected"]
    assert faces[0].box == pytest.approx([detected[k] for k in "xywh"])
    assert faces[0].detector_score == pytest.approx(detected["score"])


def test_given_boxes_are_those_of_star_predict(tmp_path, star, landmarker):
    boxes = [[180, 85, 90, 92], [170, 80, 110, 100]]
    flags = [f"--box={','.join(map(str, b))}" for b in boxes]
    run = star("predict", PHOTO, "--overlay", "none", "--out", tmp_path, *flags)
    assert run.returncode == 0, run.stderr
    expected = json.loads((tmp_path / "astronaut.json").read_text())["faces"]
    faces = landmarker.predict(PHOTO, boxes)
    assert len(faces) == 2
    for face, other, box in zip(faces, expected, boxes):
        assert_same(face, other)
        assert face.box == pytest.approx(box)
        assert face.detector_score is None
    # One box needs no list around it, and none are no faces.
    alone = landmarker.predict(PHOTO, boxes[0])
    np.testing.assert_allclose(alone[0].points, faces[0].points, atol=1e-2)
    assert landmarker.predict(PHOTO, []) == []


def test_every_form_of_an_image_is_the_same_image(landmarker, photo):
    expected = landmarker.predict(PHOTO)[0].points

    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return photo

    turned = np.asfortranarray(photo)
    for image in [str(PHOTO), photo, turned, photo[::1], Wrapped()]:
        np.testing.assert_array_equal(landmarker.predict(image)[0].points, expected)


def test_an_image_of_pillow(landmarker, photo):
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    # Of the same pixels: its JPEG decoder gives a grey level more or less here and there.
    image = pillow.fromarray(photo)
    expected = landmarker.predict(photo)[0].points
    np.testing.assert_array_equal(landmarker.predict(image)[0].points, expected)
    assert len(landmarker.predict(pillow.open(PHOTO))) == 1
    with pytest.raises(ValueError, match=r"mode L; give RGB: image.convert\('RGB'\)"):
        landmarker.predict(image.convert("L"))


def test_a_face_has_shapes_and_a_layout(landmarker, photo):
    (face,) = landmarker.predict(photo)
    assert face.points.shape == (68, 2) and face.points.dtype == np.float64
    assert face.covariance.shape == (68, 2, 2)
    assert face.scores.shape == (68,)
    assert face.scores.mean() == pytest.approx(face.score)
    assert (np.linalg.eigvalsh(face.covariance) > 0).all()
    left, top, width, height = face.crop
    assert width == height
    inside = (face.points > [left, top]) & (face.points < [left + width, top + height])
    assert inside.mean() > 0.9
    # It is the caller's own.
    face.points[0] = 0
    assert landmarker.predict(photo)[0].points[0].any()

    layout = face.layout
    assert layout is landmarker.layout
    assert (layout.name, layout.points, len(layout.mirror)) == ("ibug68", 68, 68)
    assert layout.edge("face_contour").points == tuple(range(17))
    with pytest.raises(KeyError, match="face_contour"):
        layout.edge("tail")
    assert (0, 16) in layout.mirror_pairs and len(layout.mirror_pairs) == 29
    norm = layout.norms[layout.default_norm]
    eyes = face.points[[36, 45]]
    assert norm.distance(face.points) == pytest.approx(np.hypot(*(eyes[0] - eyes[1])))


def test_a_batch_gives_what_its_images_give(landmarker, photo):
    empty = np.zeros((64, 80, 3), np.uint8)
    alone = landmarker.predict(photo)[0].points
    # More than go through the network together.
    answers = landmarker.predict([photo, empty, PHOTO] * 6)
    assert [len(faces) for faces in answers] == [1, 0, 1] * 6
    for faces in answers:
        for face in faces:
            # Products of another size add up in another order.
            np.testing.assert_allclose(face.points, alone, atol=1e-2)
    assert landmarker.predict([]) == []

    boxes = [[[180, 85, 90, 92]], [], [[180, 85, 90, 92], [170, 80, 110, 100]]]
    answers = landmarker.predict([photo, empty, photo], boxes)
    assert [len(faces) for faces in answers] == [1, 0, 2]
    with pytest.raises(ValueError, match="boxes of 1 images for 2"):
        landmarker.predict([photo, photo], [[[1, 1, 9, 9]]])


def test_most_faces(photo):
    two = np.concatenate([photo, photo], axis=1)
    assert len(Landmarker().predict(two)) == 2
    assert len(Landmarker(max_faces=1).predict(two)) == 1


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        ("nowhere.jpg", FileNotFoundError, "nowhere.jpg: No such file"),
        (__file__, ValueError, "test_predict.py: "),
        (np.zeros((9, 9, 3)), ValueError, "an image of float64; give uint8"),
        (np.zeros((9, 9), np.uint8), ValueError, r"shape \(9, 9\); give \[height, width, 3\]"),
        (np.zeros((2, 9, 9, 3), np.uint8), ValueError, "several images as a list"),
        (np.zeros((0, 9, 3), np.uint8), ValueError, "no pixels"),
    ],
)
def test_what_is_no_image_is_named(landmarker, image, error, words):
    with pytest.raises(error, match=words):
        landmarker.predict(image)


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ([[600, 10, 50, 50]], "the box 600,10,50,50 lies outside the image, which is 512 x 512 pixels"),
        ([[10, 10, 0, 0]], "has no area to crop"),
        ([[10, 10, np.nan, 5]], "has no area to crop"),
        ([[10, 10, 5]], r"boxes of shape \(1, 3\); give \[faces, 4\]"),
    ],
)
def test_what_is_no_box_is_named(landmarker, photo, boxes, words):
    with pytest.raises(ValueError, match=words):
        landmarker.predict(photo, boxes)


def test_weights_of_ones_own(tmp_path, star):
    weights = PHOTO.parents[1] / "models" / "ibug68-small.safetensors"
    inside = Landmarker().predict(PHOTO)[0].points
    np.testing.assert_array_equal(Landmarker(weights).predict(PHOTO)[0].points, inside)
    with pytest.raises(FileNotFoundError, match="none.safetensors: No such file"):
        Landmarker(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError) as raised:
        Landmarker(weights=cut)
    # The words of the program.
    said = star("predict", PHOTO, "--weights", cut, "--out", tmp_path / "out").stderr
    assert said.strip() == f"error: {raised.value}"


def test_landmarks_of_something_else_need_boxes(tmp_path, photo):
    shipped = (PHOTO.parents[1] / "models" / "ibug68-small.safetensors").read_bytes()
    # The same weights under another name of their layout, of as many letters.
    paws = tmp_path / "paws.safetensors"
    paws.write_bytes(shipped.replace(b"ibug68", b"paws68"))
    landmarker = Landmarker(paws)
    assert landmarker.layout.name == "paws68"
    with pytest.raises(ValueError, match="layout `paws68`, and only faces are found here"):
        landmarker.predict(photo)
    with pytest.raises(ValueError, match="find_faces=True"):
        landmarker.tracker()
    assert len(landmarker.predict(photo, [180, 85, 90, 92])) == 1
    assert len(Landmarker(paws, find_faces=True).predict(photo)) == 1


@pytest.mark.parametrize(
    "settings", [{"passes": 0}, {"passes": 6}, {"margin": 0}, {"margin": np.inf}, {"max_faces": 0}]
)
def test_settings_without_a_meaning_are_refused(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"{name}="):
        Landmarker(**settings)


def test_a_landmarker_and_a_face_can_be_sent_elsewhere(landmarker, photo):
    copy = pickle.loads(pickle.dumps(Landmarker(passes=2, max_faces=1)))
    assert repr(copy) == "Landmarker(passes=2, max_faces=1)"
    face = landmarker.predict(photo)[0]
    again = pickle.loads(pickle.dumps(face))
    np.testing.assert_array_equal(again.points, face.points)
    assert again.layout == face.layout


def test_other_threads_run_while_it_computes(landmarker, photo):
    """The interpreter changes threads by itself only after a minute here, so that the other one runs only if it is let go."""
    begin, ran = threading.Event(), threading.Event()

    def other():
        begin.wait()
        ran.set()

    thread = threading.Thread(target=other)
    interval = sys.getswitchinterval()
    thread.start()
    try:
        sys.setswitchinterval(60)
        begin.set()
        landmarker.predict([photo] * 8)
        seen = ran.is_set()
    finally:
        sys.setswitchinterval(interval)
    thread.join()
    assert seen


def test_threads_may_share_one(landmarker, photo):
    expected = landmarker.predict(photo)[0].points
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(landmarker.predict(photo)[0].points))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for points in answers:
        np.testing.assert_array_equal(points, expected)


def test_what_is_exported_is_there():
    for name in star_landmarks.__all__:
        assert getattr(star_landmarks, name).__doc__ or name == "Image"


def test_a_photo_on_its_side(landmarker, photo):
    (upright,) = landmarker.predict(photo)
    (face,) = landmarker.predict(np.rot90(photo, -1))
    assert (upright.turned, face.turned) == (0, 90)
    x, y = upright.points.T
    expected = np.stack([photo.shape[0] - 1 - y, x], axis=1)
    np.testing.assert_allclose(face.points, expected, atol=WITHIN, rtol=0)
    assert Landmarker(upright_only=True).predict(np.rot90(photo, -1)) == []
