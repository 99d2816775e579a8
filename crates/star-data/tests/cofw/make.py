"""Makes two small files of COFW's form: MATLAB 7.3, which is HDF5 (old superblock) behind a block of 512 bytes.

    pip install h5py numpy && python make.py

Three training and two test faces, grey and colour in turn. Every value is a formula that tests/cofw.rs repeats.
"""

from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
HEAD = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created by: h5py HDF5 schema 1.00 ."


def image(split, i):
    """height x width (x 3): face i of split 0 or 1; i odd is colour."""
    height, width = 20 + i, 26 - 2 * i
    y, x, c = np.mgrid[0:height, 0:width, 0 : 3 if i % 2 else 1]
    pixels = ((5 * x + 9 * y + 60 * c + 31 * i + 100 * split) % 256).astype(np.uint8)
    return pixels if i % 2 else pixels[..., 0]


def annotation(split, i):
    k = np.arange(29)
    x = 2 + (k * 7 + i) % 19 + 0.25 * split
    y = 3 + (k * 5 + 2 * i) % 16 + 0.5
    return np.concatenate([x, y, (k + i) % 3 == 0]).astype(np.float64)


def variable(group, name, data, kind, **options):
    # What MATLAB calls a x b is b x a in the file.
    dataset = group.create_dataset(name, data=data.T, **options)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    return dataset


def main():
    for split, (name, suffix, faces) in enumerate([("train", "Tr", 3), ("test", "T", 2)]):
        path = HERE / f"COFW_{name}_color.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            refs = file.create_group("#refs#")
            cells = file.create_dataset(f"Is{suffix}", (1, faces), dtype=h5py.ref_dtype)
            cells.attrs["MATLAB_class"] = np.bytes_("cell")
            for i in range(faces):
                packed = {"chunks": True, "compression": "gzip"} if i < 2 else {}
                cells[0, i] = variable(refs, chr(ord("a") + i), image(split, i), "uint8", **packed).ref
            table = np.stack([annotation(split, i) for i in range(faces)])
            variable(file, f"phis{suffix}", table, "double", chunks=True, compression="gzip")
            boxes = np.tile([1.0, 2.0, 20.0, 18.0], (faces, 1))
            variable(file, f"bboxes{suffix}", boxes, "double")
        with open(path, "r+b") as file:
            file.write(HEAD.ljust(124) + b"\x00\x02IM")


main()
