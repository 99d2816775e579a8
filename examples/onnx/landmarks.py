"""Landmarks of a face with an exported network, and nothing of this project: crop, network, back to the image.

    python examples/onnx/landmarks.py network.onnx photo.jpg 160 60 150 190     # x y width height of the face's box

Prints one line a point: x and y in pixels of the image (pixel centres at integers), and the standard deviations along the long and the
short axis of its covariance. `--crop crop.ppm` writes the crop instead, for landmarks.cpp, and prints its centre and width in the image.
Needs onnxruntime, numpy and Pillow. docs/onnx.md goes through it.
"""

import argparse
import json

import numpy as np
import onnxruntime


def open_network(path: str) -> tuple[onnxruntime.InferenceSession, dict]:
    """The network, and what its file says of itself."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session, session.get_modelmeta().custom_metadata_map


def crop_matrix(box: tuple[float, float, float, float], rule: dict, size: int) -> tuple[float, np.ndarray]:
    """Image pixels to crop pixels, p -> k p + t: the crop is centred on the box, and `margin` times its side wide."""
    x, y, w, h = box
    side = {"longest": max(w, h), "shortest": min(w, h), "mean": (w * h) ** 0.5}[rule["side"]] * rule["margin"]
    k = size / side
    centre = np.array([x + w / 2, y + h / 2])
    return k, (size - 1) / 2 - k * centre


def crop(image: np.ndarray, k: float, t: np.ndarray, size: int) -> np.ndarray:
    """The crop by exact bilinear sampling, black outside: u8 [H, W, 3] -> u8 [size, size, 3]."""
    height, width = image.shape[:2]
    # A pixel of black around it, in which everything outside ends.
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0))).astype(np.float32)
    places = np.arange(size)
    x = np.clip((places - t[0]) / k, -1, width) + 1
    y = np.clip((places - t[1]) / k, -1, height) + 1
    left, top = np.minimum(x.astype(int), width), np.minimum(y.astype(int), height)
    fx, fy = np.float32(x - left)[None, :, None], np.float32(y - top)[:, None, None]
    columns = padded[:, left] + fx * (padded[:, left + 1] - padded[:, left])
    return np.rint(columns[top] + fy * (columns[top + 1] - columns[top])).astype(np.uint8)


def network_input(crop: np.ndarray) -> np.ndarray:
    """RGB u8 [size, size, 3] -> BGR f32 [3, size, size], each (value - 127.5) / 127.5."""
    return ((crop[:, :, ::-1].astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)


def landmarks(session, meta: dict, image: np.ndarray, box) -> tuple[np.ndarray, np.ndarray]:
    """RGB u8 [H, W, 3] and a box -> points [N, 2] in image pixels, covariances [N, 2, 2] in image pixels squared."""
    size = int(meta["star.input_size"])
    k, t = crop_matrix(box, json.loads(meta["star.crop"]), size)
    batch = network_input(crop(image, k, t, size))[None]
    points, covariance = session.run(["landmarks", "covariance"], {"image": np.ascontiguousarray(batch)})
    # -1 and 1 are the outer borders of the crop; pixel centres are at integers.
    in_crop = ((points[0].astype(np.float64) + 1) * size - 1) / 2
    covariance = covariance[0].astype(np.float64) * (size / 2 / k) ** 2
    if "star.covariance" in meta:  # calibrated: a factor for each point
        covariance *= np.array(json.loads(meta["star.covariance"])["scales"])[:, None, None]
    return (in_crop - t) / k, covariance


def main() -> None:
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("photo")
    parser.add_argument("box", type=float, nargs=4, metavar=("X", "Y", "WIDTH", "HEIGHT"))
    parser.add_argument("--crop", metavar="PPM", help="write the crop to this file and find no points")
    args = parser.parse_args()
    session, meta = open_network(args.network)
    image = np.asarray(Image.open(args.photo).convert("RGB"))
    if args.crop:
        size = int(meta["star.input_size"])
        k, t = crop_matrix(args.box, json.loads(meta["star.crop"]), size)
        Image.fromarray(crop(image, k, t, size)).save(args.crop, format="PPM")
        x, y = ((size - 1) / 2 - t) / k
        print(x, y, size / k)
        return
    points, covariances = landmarks(session, meta, image, args.box)
    for (x, y), covariance in zip(points, covariances):
        short, long = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), 0))
        print(f"{x:.2f} {y:.2f} {long:.2f} {short:.2f}")


if __name__ == "__main__":
    main()
