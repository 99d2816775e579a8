"""Landmarks of all images of a folder, shared out over the processes of a Ray cluster, to Parquet or JSON Lines.

    pip install . "ray[data]"
    python examples/ray_folder.py photos/ landmarks/ --workers 2
    python examples/ray_folder.py photos/ landmarks/ --format json --address auto      # a cluster that runs

A row a face: path, face (from 0), score, box, points and covariance, flat as in memory; a row without a face for an image that has none,
and one with its error for an image that cannot be read, so that every image is accounted for. docs/python.md says how to choose the numbers.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pyarrow as pa
import ray

from star_landmarks import Face, Landmarker

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("face", pa.int32()),  # null where there is none
        ("score", pa.float64()),
        ("box", pa.list_(pa.float64())),  # left, top, width, height; pixels
        ("points", pa.list_(pa.float64())),  # x0, y0, x1, ..; pixels
        ("covariance", pa.list_(pa.float64())),  # xx0, xy0, yx0, yy0, xx1, ..; pixels squared
        ("error", pa.string()),
    ]
)


class Annotate:
    """One a worker: the network is read once, then batches of paths come."""

    def __init__(self, settings: dict[str, Any], threads: int) -> None:
        # Before the first prediction: otherwise each worker takes all cores of its machine, and they stand in each other's way.
        os.environ["RAYON_NUM_THREADS"] = str(threads)
        self.landmarker = Landmarker(**settings)

    def __call__(self, batch: dict[str, np.ndarray]) -> pa.Table:
        rows = [row for path in batch["path"] for row in self.rows(str(path))]
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def rows(self, path: str) -> list[dict[str, Any]]:
        try:
            faces = self.landmarker.predict(path)
        except (OSError, ValueError) as error:  # of this image; the others go on
            return [{"path": path, "error": str(error)}]
        return [row(path, i, face) for i, face in enumerate(faces)] or [{"path": path}]


def row(path: str, number: int, face: Face) -> dict[str, Any]:
    return {
        "path": path,
        "face": number,
        "score": face.score,
        "box": face.box,
        "points": face.points.ravel(),
        "covariance": face.covariance.ravel(),
    }


def images(folder: Path) -> list[str]:
    found = sorted(str(p) for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not found:
        raise SystemExit(f"{folder}: no images in this folder or below it (looked for {', '.join(sorted(ENDINGS))})")
    return found


def annotate(
    folder: Path,
    out: Path,
    *,
    settings: Optional[dict[str, Any]] = None,
    workers: int = 2,
    threads: int = 1,
    batch: int = 16,
    format: str = "parquet",
) -> None:
    """Writes the landmarks of all images of `folder` into files in `out`; the cluster is the one that `ray.init` joined."""
    # As many blocks as keep every worker busy to the end, also where some images take longer.
    paths = images(folder)
    blocks = min(len(paths), 4 * workers)
    data = ray.data.from_items([{"path": path} for path in paths], override_num_blocks=blocks)
    data = data.map_batches(
        Annotate,
        fn_constructor_args=(settings or {}, threads),
        batch_size=batch,
        concurrency=workers,
        num_cpus=threads,
    )
    write = data.write_parquet if format == "parquet" else data.write_json
    write(str(out.absolute()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="images, in it and below it; every machine must see it under this path")
    parser.add_argument("out", type=Path, help="folder for the results; must not hold any yet")
    parser.add_argument("--weights", type=Path, help="a weights file (.safetensors), where every machine sees it [default: the network inside]")
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="landmarkers at work [default: 2]")
    parser.add_argument("--threads", type=int, default=1, help="cores of each [default: 1]")
    parser.add_argument("--format", choices=["parquet", "json"], default="parquet")
    parser.add_argument("--address", help="of a running cluster, such as auto [default: one on this machine]")
    args = parser.parse_args()
    # Files of two runs beside each other would be taken for one.
    if args.out.exists() and any(args.out.iterdir()):
        parser.error(f"{args.out} is not empty; name a new folder")
    if args.address:
        ray.init(address=args.address)
    else:
        ray.init(num_cpus=args.workers * args.threads)
    weights = args.weights and str(args.weights.absolute())
    annotate(
        args.folder.absolute(),
        args.out,
        settings={"weights": weights, "passes": args.passes},
        workers=args.workers,
        threads=args.threads,
        format=args.format,
    )
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
