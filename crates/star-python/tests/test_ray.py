"""The Ray example: its answers are those of one process."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import PHOTO, ROOT

from star_landmarks import Landmarker

EXAMPLES = ROOT / "examples"


def rows_of(out, format):
    if format == "json":
        lines = [line for file in sorted(out.iterdir()) for line in file.read_text().splitlines()]
        return [json.loads(line) for line in lines]
    parquet = pytest.importorskip("pyarrow.parquet")
    return parquet.read_table(out).to_pylist()


@pytest.mark.parametrize("format", ["parquet", "json"])
def test_a_folder_with_ray(tmp_path, format):
    pytest.importorskip("ray.data", reason="Ray is not installed (pip install 'ray[data]')")
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    with image.open(PHOTO) as photo:
        photo.load()
    for i in range(4):
        photo.crop((10 * i, 0, 400 + 10 * i, 300)).save(folder / f"{i}.png")
    photo.crop((0, 300, 100, 400)).save(folder / "more" / "none.png")
    (folder / "broken.jpg").write_text("no image")
    (folder / "notes.txt").write_text("no image either")

    out = tmp_path / "out"
    script = [sys.executable, str(EXAMPLES / "ray_folder.py"), str(folder), str(out)]
    run = subprocess.run([*script, "--format", format], capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-3000:]
    rows = {(row["path"], row.get("face")): row for row in rows_of(out, format)}
    assert len(rows) == 6
    assert "broken.jpg" in rows[(str(folder / "broken.jpg"), None)]["error"]
    assert not rows[(str(folder / "more" / "none.png"), None)].get("error")
    landmarker = Landmarker()
    for i in range(4):
        path = str(folder / f"{i}.png")
        (face,) = landmarker.predict(path)
        row = rows[(path, 0)]
        np.testing.assert_allclose(np.reshape(row["points"], (-1, 2)), face.points, atol=1e-3)
        np.testing.assert_allclose(
            np.reshape(row["covariance"], (-1, 2, 2)), face.covariance, rtol=1e-3, atol=1e-3
        )
        assert row["score"] == pytest.approx(face.score, abs=1e-5)
    again = subprocess.run([*script, "--format", format], capture_output=True, text=True, timeout=600)
    assert again.returncode == 2 and "is not empty" in again.stderr
