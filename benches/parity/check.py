"""Holds the peer against this program before anything long is run.

    python benches/parity/check.py step --star target/release/star --list TRAIN.tsv --images DIR     losses of the first steps
    python benches/parity/check.py counts --list TRAIN.tsv --images DIR                             what augmentation does, counted
    python benches/parity/check.py sheet --star target/release/star --list TRAIN.tsv --images DIR --out FOLDER   two images to look at

`step`: PyTorch's first weights go through `star model import` into `model.init`, and both programs take three steps on the same 16 faces
without augmentation, stored without loss so that JPEG decoders have no say. The losses of the first must agree to 1e-4; the others, after
one and two steps of Adam, are shown.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import train_peer  # Puts the peers' folders on the path.

import cv2
import loader
import losses
import numpy as np
import torch
from safetensors.torch import save_file

CONFIG = train_peer.ROOT / "configs/300w-small.toml"
LAYOUT = train_peer.ROOT / "configs/layouts/ibug68.toml"
SIZE = 128
TOLERANCE = 1e-4


def star(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def lossless(faces, images, folder):
    """The rows again, of copies of their images as PNG."""
    rows = []
    for i, face in enumerate(faces):
        name, *rest = face.split("\t")
        image = cv2.imread(str(images / name))
        if image is None or not cv2.imwrite(str(folder / f"{i}.png"), image):
            sys.exit(f"{images / name}: cannot be read, or copied to {folder}")
        rows.append("\t".join([f"{i}.png", *rest]))
    return rows


def step(args):
    header, *faces = args.list.read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        tsv = folder / "faces.tsv"
        tsv.write_text("\n".join([header, *lossless(faces[:16], args.images, folder)]) + "\n", encoding="utf-8")
        layout = loader.Layout.read(LAYOUT)
        model = {"stacks": 1, "channels": 64, "stem": 16, "coord": True, "aam": True}
        torch.manual_seed(0)
        net = train_peer.build({"model": model}, layout)
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "first.safetensors")
        star(args.star, "model", "import", folder / "first.safetensors", "--layout", "ibug68", "--input-size", SIZE, "--out", folder / "init.safetensors")
        values = {
            "data.train": tsv,
            "data.test": tsv,
            "data.images": folder,
            "train.selection": "test",
            "augment.enabled": "false",
            "model.init": folder / "init.safetensors",
            "train.epochs": 3,
            "train.milestones": [2],
            "train.log_every": 1,
        }
        sets = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
        star(args.star, "train", "--config", CONFIG, *sets, "--out", folder / "run")
        ours = [json.loads(line) for line in (folder / "run/steps.jsonl").read_text().splitlines()]
        faces = loader.Faces(loader.read_list(tsv), folder, layout, SIZE, augment=False)
        batch = {k: torch.from_numpy(v) for k, v in loader.batch_of([faces.item(i) for i in range(16)]).items()}
        adam, criterion = torch.optim.Adam(net.parameters(), lr=2e-3), losses.StepLoss()
        net.train()
        worst = 0.0
        for at, line in enumerate(ours):
            adam.param_groups[0]["lr"] = 2e-3 * (0.2 if at == 2 else 1)
            adam.zero_grad()
            (stack,) = net(batch["data"])
            parts = {
                "star": criterion.star(stack.heatmaps, batch["landmarks"]),
                "points": criterion.awing(stack.points, batch["pointmap"]),
                "edges": criterion.awing(stack.edges, batch["edgemap"]),
            }
            criterion([stack], batch["landmarks"], batch["pointmap"], batch["edgemap"]).backward()
            adam.step()
            # In the order of the terms: STAR, points, edges.
            for (name, theirs), value in zip(parts.items(), line["losses"], strict=True):
                theirs = theirs.item()
                off = abs(value / theirs - 1)
                if at == 0:  # Later ones drift apart by rounding.
                    worst = max(worst, off)
                print(f"step {at + 1} {name:<7} star {value:.7f}  PyTorch {theirs:.7f}  relative difference {off:.1e}")
    sys.exit(worst > TOLERANCE)


def counts(args):
    """Over the faces of the list: the rates and spreads of what was drawn, beside the recipe's."""
    layout = loader.Layout.read(LAYOUT)
    rows = loader.read_list(args.list)
    seen = {texture.__name__: 0 for _, texture in loader.TEXTURES}

    def counted(texture):
        def apply(image, rng):
            seen[texture.__name__] += 1
            return texture(image, rng)

        return apply

    loader.TEXTURES[:] = [(rate, counted(texture)) for rate, texture in loader.TEXTURES]
    wanted = dict(zip(seen, (rate for rate, _ in loader.TEXTURES)))
    faces = loader.Faces(rows, args.images, layout, SIZE)
    flips, angles, scales, shifts = 0, [], [], []
    for i, row in enumerate(rows):
        item = faces.item(i, 1)
        # The matrix knows nothing of the mirror: with it alone a mirrored face's points come out elsewhere.
        k = SIZE / (200 * row.scale)
        linear = item["matrix"][:2, :2].astype(np.float64) / k
        scales.append(np.sqrt(abs(np.linalg.det(linear))))
        angles.append(np.degrees(np.arctan2(linear[1, 0], linear[0, 0])))
        middle = (item["matrix"] @ np.array([*row.center, 1.0]))[:2]
        plain = row.landmarks @ item["matrix"][:2, :2].T + item["matrix"][:2, 2]
        mirrored = np.abs(np.clip((2 * plain + 1) / SIZE - 1, -1, 1) - item["landmarks"]).max() > 1e-3
        flips += mirrored
        if not mirrored:
            shifts.extend((middle - (SIZE - 1) / 2) / (SIZE - 1))
    count = len(rows)
    print(f"{count} faces; in brackets the recipe's")
    print(f"flip {flips / count:.3f} (0.5)")
    for name, n in seen.items():
        print(f"{name} {n / count:.3f} ({wanted[name]})")
    print(f"rotation, degrees: mean {np.mean(angles):.2f} (0), deviation {np.std(angles):.2f} (18)")
    print(f"scale: mean {np.mean(scales):.3f} (1), deviation {np.std(scales):.3f} (0.1)")
    print(f"shift: mean {np.mean(shifts):.4f} (0), deviation {np.std(shifts):.4f} (0.05)")


def sheet(args):
    """star.png and pytorch.png: the same number of augmented faces of both."""
    args.out.mkdir(parents=True, exist_ok=True)
    star(
        args.star, "data", "show", args.list, "--images", args.images, "--layout", "ibug68", "--config", CONFIG,
        "--input-size", SIZE, "--faces", 24, "--out", args.out / "star.png",
    )  # fmt: skip
    layout, rows = loader.Layout.read(LAYOUT), loader.read_list(args.list)
    faces = loader.Faces(rows, args.images, layout, SIZE)
    tiles = []
    for i in np.random.default_rng(0).permutation(len(rows))[:24]:
        item = faces.item(int(i), 1)
        image = (item["data"].transpose(1, 2, 0) * 127.5 + 127.5).astype(np.uint8)
        marked = image.copy()
        for x, y in ((item["landmarks"] + 1) * SIZE - 1) / 2:
            cv2.circle(marked, (round(float(x)), round(float(y))), 1, (0, 255, 0), -1)
        maps = [cv2.cvtColor((item[k].max(0) * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR) for k in ("pointmap", "edgemap")]
        tiles.append(np.hstack([image, marked, *(cv2.resize(m, (SIZE, SIZE)) for m in maps)]))
    rows = [np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)]
    cv2.imwrite(str(args.out / "pytorch.png"), np.vstack(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=["step", "counts", "sheet"])
    parser.add_argument("--star", type=Path, default=train_peer.ROOT / "target/release/star")
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=train_peer.ROOT / "runs/parity-check")
    args = parser.parse_args()
    {"step": step, "counts": counts, "sheet": sheet}[args.check](args)


if __name__ == "__main__":
    main()
