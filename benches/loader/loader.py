"""A plain Python loader for the same faces: OpenCV, SciPy and NumPy, as docs/REFERENCE.md describes the published dataset.

It is written to be clear and not to waste time: arrays are float32, and OpenCV does all that touches pixels. Target maps are drawn
as described there: each point on a map of the crop's full size, each edge on a canvas four times as large, then reduced.

    python loader.py check                               against the golden vectors of crates/star-data/tests/golden
    python loader.py bench TSV --images DIR --layout FILE.toml --seconds 10
"""

import argparse
import json
import struct
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import splev, splprep

ROOT = Path(__file__).resolve().parents[2]
MAP_FACTOR = 4
OVERSAMPLE = 4
SIGMA = 1.5
RADIUS = 3 * SIGMA
BATCH = 128


@dataclass
class Layout:
    points: int
    mirror: np.ndarray
    edges: list
    flip_offset: float

    @classmethod
    def read(cls, path):
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        mirror = np.arange(table["points"])
        for a, b in table["mirror"]:
            mirror[a], mirror[b] = b, a
        edges = [(np.array(e["points"]), e["closed"]) for e in table["edges"]]
        return cls(table["points"], mirror, edges, table["flip_offset"])


@dataclass
class Row:
    path: str
    landmarks: np.ndarray
    scale: float
    center: np.ndarray


def read_list(path):
    rows = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        columns = line.split("\t")
        try:
            scale = float(columns[3])
        except ValueError:
            continue  # The header.
        landmarks = np.array(columns[2].split(","), dtype=np.float32).reshape(-1, 2)
        center = np.array([float(columns[4]), float(columns[5])])
        name = columns[0].replace("\\", "/").removeprefix("./rawImages/")
        rows.append(Row(name, landmarks, scale, center))
    return rows


# Geometry: 3 x 3 matrices, original pixels to crop pixels.


def crop_matrix(scale, center, size):
    k = size / (200.0 * scale)
    c = (size - 1) / 2
    return np.array([[k, 0, c - k * center[0]], [0, k, c - k * center[1]], [0, 0, 1]])


def random_geometry(rng, size):
    angle = np.deg2rad(rng.normal(0, 18))
    scale = max(rng.normal(1, 0.1), 0.01)
    shift = rng.normal(0, 0.05, 2) * (size - 1)
    c = (size - 1) / 2
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    x = c - cos * c + sin * c + shift[0]
    y = c - sin * c - cos * c + shift[1]
    return np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1]])


# Textures, on the uint8 crop.


def occlude(image, rng):
    h, w = image.shape[:2]
    fraction_h = 0.2 + 0.6 * rng.random()
    fraction_w = fraction_h - 0.2 + 0.4 * rng.random()
    cx, cy = int((h - 1) * rng.random()), int((w - 1) * rng.random())
    dh, dw = int(h / 2 * fraction_h) // 2, int(w / 2 * fraction_w) // 2
    image[max(cy - dh, 0) : cy + dh + 1, max(cx - dw, 0) : cx + dw + 1] = 0
    return image


def blur(image, rng):
    k = int(image.shape[0] * 0.05 * rng.random())
    return cv2.blur(image, (k, k)) if k > 1 else image


def gamma(image, rng):
    which, amount = rng.random(2)
    power = 0.25 + 0.75 * amount if which < 0.5 else 1 + 3 * amount
    table = ((np.arange(256) / 255) ** power * 255).astype(np.uint8)
    return cv2.LUT(image, table)


def noise(image, rng):
    strength = 0.5 * rng.random()
    grain = rng.integers(0, 256, image.shape, dtype=np.uint8)
    return ((1 - strength) * image + strength * grain).astype(np.uint8)


def gray(image, _):
    # The published weights of red and blue are swapped.
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2BGR)


TEXTURES = [(0.4, occlude), (0.3, blur), (0.2, gamma), (0.2, noise), (0.2, gray)]


# Target maps.


def gauss_patch():
    side = int(2 * RADIUS + 1)
    offset = np.arange(side) - side // 2
    line = np.exp(-(offset**2) / (2 * SIGMA**2))
    return np.outer(line, line).astype(np.float32)


PATCH = gauss_patch()


def point_map(point, size):
    x, y = np.clip(point, 0, size - 1)
    left, top = int(x - RADIUS), int(y - RADIUS)
    right, bottom = min(int(x + RADIUS + 1), size), min(int(y + RADIUS + 1), size)
    x0, y0 = max(left, 0), max(top, 0)
    full = np.zeros((size, size), np.float32)
    full[y0:bottom, x0:right] = PATCH[y0 - top : bottom - top, x0 - left : right - left]
    return cv2.resize(full, (size // MAP_FACTOR,) * 2, interpolation=cv2.INTER_LINEAR)


def point_maps(points, size):
    return np.stack([point_map(point, size) for point in points])


def curve(points, closed):
    knots = np.vstack([points, points[:1]]) if closed else points
    if len(knots) <= 3 or (np.diff(knots, axis=0) == 0).all(axis=1).any():
        return points
    spline, u = splprep(knots.T.astype(np.float64), s=0, k=3, per=closed)
    at = np.linspace(u[:-1], u[1:], 5, endpoint=False).T.ravel()
    if not closed:
        at = np.append(at, u[-1])
    return np.stack(splev(at, spline), axis=1)


def edge_map(points, closed, size):
    line = np.clip(curve(points, closed), 0, size - 1)
    line = (line * OVERSAMPLE + 0.5).astype(np.int32)
    canvas = np.zeros((size * OVERSAMPLE,) * 2, np.float32)
    cv2.polylines(canvas, [line], closed, 1.0, thickness=4)
    full = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.resize(full, (size // MAP_FACTOR,) * 2, interpolation=cv2.INTER_LINEAR)


def edge_maps(points, edges, size):
    return np.stack([edge_map(points[indices], closed, size) for indices, closed in edges])


class Faces:
    """Item i: input [3, S, S], landmarks [n, 2] in [-1, 1], point maps [n, S/4, S/4], edge maps [e, S/4, S/4], matrix [3, 3]."""

    def __init__(self, rows, images, layout, size=256, augment=True, seed=0):
        self.rows, self.images, self.layout = rows, Path(images), layout
        self.size, self.augment, self.seed = size, augment, seed

    def __len__(self):
        return len(self.rows)

    def item(self, index, epoch=0):
        row, layout, size = self.rows[index], self.layout, self.size
        image = cv2.imread(str(self.images / row.path))
        points, center = row.landmarks.astype(np.float64), row.center
        geometry, textures, rng = np.eye(3), [], None
        if self.augment:
            rng = np.random.default_rng([self.seed, epoch, index])
            if rng.random() < 0.5:
                base = image.shape[1] - layout.flip_offset
                image = cv2.flip(image, 1)
                points = points[layout.mirror] * (-1, 1) + (base, 0)
                center = center * (-1, 1) + (base, 0)
            geometry = random_geometry(rng, size)
            textures = TEXTURES
        matrix = geometry @ crop_matrix(row.scale, center, size)
        points = points @ matrix[:2, :2].T + matrix[:2, 2]
        crop = cv2.warpAffine(image, matrix[:2], (size, size), flags=cv2.INTER_LINEAR)
        for rate, texture in textures:
            if rng.random() < rate:
                crop = texture(crop, rng)
        data = ((crop.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)
        return {
            "data": np.ascontiguousarray(data),
            "landmarks": np.clip((2 * points + 1) / size - 1, -1, 1).astype(np.float32),
            "pointmap": point_maps(points, size),
            "edgemap": edge_maps(points, layout.edges, size),
            "matrix": matrix.astype(np.float32),
        }


def batch_of(samples):
    return {key: np.stack([s[key] for s in samples]) for key in samples[0]}


# The commands.


def bench(args):
    cv2.setNumThreads(1)
    faces = Faces(read_list(args.list), args.images, Layout.read(args.layout), args.input_size)
    rng = np.random.default_rng(0)
    for i in range(8):  # Imports and allocators settle.
        faces.item(i % len(faces))
    count, samples, epoch = 0, [], 0
    start, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < args.seconds:
        epoch += 1
        for index in rng.permutation(len(faces)):
            samples.append(faces.item(index, epoch))
            count += 1
            if len(samples) == BATCH:
                batch_of(samples)
                samples = []
            if time.perf_counter() - start >= args.seconds:
                break
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    figures = {"faces": count, "seconds": seconds, "cpu_seconds": cpu, "faces_per_second": count / seconds}
    print(json.dumps(figures))


def read_safetensors(path):
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    types = {"F32": "<f4", "F64": "<f8", "U8": "u1", "I32": "<i4", "I64": "<i8"}
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in types:
            continue
        begin, end = entry["data_offsets"]
        data = np.frombuffer(raw[8 + length + begin : 8 + length + end], types[entry["dtype"]])
        arrays[name] = data.reshape(entry["shape"])
    return arrays


def check(args):
    """Faces without augmentation against what the published program made of them."""
    golden = ROOT / "crates/star-data/tests/golden"
    worst = {}

    def compare(what, ours, theirs, limit):
        difference = float(np.abs(np.asarray(ours, np.float64) - theirs).max())
        worst[what] = max(worst.get(what, (0, limit))[0], difference), limit

    layout = Layout.read(ROOT / "configs/layouts/wflw98.toml")
    arrays = read_safetensors(golden / "dataset_small.safetensors")
    folder = golden / "dataset_small"
    rows = read_list(folder / "test.tsv")
    faces = Faces(rows, folder, layout, size=64, augment=False)
    for i in range(len(faces)):
        item = faces.item(i)
        limits = {"data": 2.5 / 127.5, "landmarks": 1e-5, "pointmap": 1e-5, "edgemap": 1e-5, "matrix": 1e-3}
        for key, limit in limits.items():
            stored = arrays.get(f"sample{i}/{key}")
            if stored is not None and stored.shape == item[key].shape:
                compare(key, item[key], stored, limit)
    arrays = read_safetensors(golden / "pointmap.safetensors")
    compare("pointmap 256", point_maps(arrays["s256/points"], 256), arrays["s256/pointmap"], 1e-6)
    for name in ["wflw", "300w", "cofw"]:
        layout = Layout.read(ROOT / f"configs/layouts/{dict(wflw='wflw98', cofw='cofw29').get(name, 'ibug68')}.toml")
        arrays = read_safetensors(golden / f"edgemap_{name}.safetensors")
        for key in arrays:
            case, _, field = key.rpartition("/")
            if field.endswith("_x64_u8") and f"{case}/landmarks" in arrays and arrays[key].ndim == 3:
                size = arrays[key].shape[-1] * MAP_FACTOR
                maps = edge_maps(arrays[f"{case}/landmarks"].astype(np.float64), layout.edges, size)
                if maps.shape == arrays[key].shape:
                    compare(f"edgemap {name}", maps, arrays[key] / 64, 1e-6)
    failed = False
    for what, (difference, limit) in worst.items():
        good = difference <= limit
        failed |= not good
        print(f"{'ok  ' if good else 'FAIL'} {what:<16} greatest difference {difference:.2g} (allowed {limit:.2g})")
    sys.exit(failed or not worst)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("check").set_defaults(run=check)
    run = commands.add_parser("bench")
    run.set_defaults(run=bench)
    run.add_argument("list")
    run.add_argument("--images", required=True)
    run.add_argument("--layout", required=True, help="a layout's TOML file")
    run.add_argument("--seconds", type=float, default=10)
    run.add_argument("--input-size", type=int, default=256)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
