"""What the tests share: the portrait, a landmarker, and the program of the wheel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import star_landmarks

ROOT = Path(__file__).parents[3]
PHOTO = ROOT / "docs" / "astronaut.jpg"


@pytest.fixture(scope="session")
def photo():
    return star_landmarks.read_image(PHOTO)


@pytest.fixture(scope="session")
def landmarker():
    return star_landmarks.Landmarker()


@pytest.fixture(scope="session")
def star():
    """Runs `star` as the wheel brings it; the path of another program in STAR_PROGRAM_FILE is held against the package instead."""
    other = os.environ.get("STAR_PROGRAM_FILE")
    program = [other] if other else [sys.executable, "-m", "star_landmarks"]

    def run(*args, cwd=None):
        return subprocess.run(
            [*program, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=600
        )

    return run
