"""Trains the PyTorch peer by a recipe of this program: the same network, losses, faces, augmentation, schedule, moving average and selection.

    python train_peer.py RUN/config.toml --seed 0 --out FOLDER

The recipe is a `config.toml` as a run of this program leaves it, every default filled in, with `train.selection = "test"`: `data.test` are
then the faces that select. It leaves `best.safetensors` (published names, for `star model import`) and `metrics.jsonl`.

A checkpoint is written after each epoch; started again, it goes on from there. Nothing random is carried from epoch to epoch: the order and
each sample follow from the seed, the epoch and the face.
"""

import argparse
import copy
import json
import os
import sys
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "loader")]

import cv2  # noqa: E402
import loader  # noqa: E402
import losses  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from network import StarNet  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

# Where the recipe's word for a texture is not the loader's.
RECIPE_NAMES = {"occlude": "occlusion"}

# What the loader and the losses of the peers have built in: a recipe that says otherwise would not be followed.
FIXED = {
    ("augment", "enabled"): True,
    ("augment", "probability"): 1.0,
    ("augment", "flip"): 0.5,
    ("augment", "rotation_degrees"): 18.0,
    ("augment", "scale"): 0.1,
    ("augment", "shift"): 0.05,
    **{("augment", RECIPE_NAMES.get(texture.__name__, texture.__name__)): rate for rate, texture in loader.TEXTURES},
    ("loss", "landmarks"): "star",
    ("loss", "point_weight"): 10.0,
    ("loss", "edge_weight"): 10.0,
    ("loss", "star", "version"): "v2",
    ("loss", "star", "distance"): "smoothl1",
    ("loss", "star", "weight"): 1.0,
    ("train", "selection"): "test",
    ("train", "eval_every"): 1,
    ("train", "schedule"): "milestones",
    ("train", "warmup_epochs"): 0.0,
}


def read_recipe(path):
    recipe = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    for keys, value in FIXED.items():
        said = recipe
        for key in keys:
            said = said.get(key) if isinstance(said, dict) else None
        if said != value:
            sys.exit(f"{path}: {'.'.join(keys)} is {said!r}; the PyTorch peer only knows {value!r}")
    return recipe


def layout_file(recipe):
    name = recipe["layout"]
    return Path(name) if name.endswith(".toml") else ROOT / f"configs/layouts/{name}.toml"


def replace(path, write):
    """Whole or not at all."""
    unfinished = path.with_name(path.name + ".tmp")
    write(unfinished)
    with open(unfinished, "rb") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)


class Epoch(torch.utils.data.Dataset):
    """The faces of one epoch, for worker processes."""

    def __init__(self, faces, epoch):
        self.faces, self.epoch = faces, epoch

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, index):
        return self.faces.item(index, self.epoch)


def batches(faces, order, epoch, size, workers):
    """Batches of dictionaries; the last may be smaller."""
    parts = [order[i : i + size].tolist() for i in range(0, len(order), size)]

    def ready(_):
        cv2.setNumThreads(1)
        torch.set_num_threads(1)

    return torch.utils.data.DataLoader(
        Epoch(faces, epoch), batch_sampler=parts, num_workers=workers, worker_init_fn=ready
    )


def device_of(net):
    return next(net.parameters()).device


def build(recipe, layout):
    model = recipe["model"]
    edges = [indices.tolist() for indices, _ in layout.edges]
    return StarNet(
        layout.points, edges, model["stacks"], model["channels"], model["stem"], model["coord"], model["aam"]
    )


@torch.no_grad()
def average(ema, net, decay):
    """Parameters and float buffers, as published (docs/REFERENCE.md, T3)."""
    live = net.state_dict()
    for name, value in ema.state_dict().items():
        if value.is_floating_point():
            value.mul_(decay).add_(live[name], alpha=1 - decay)
        else:
            value.copy_(live[name])


@torch.no_grad()
def nme(net, faces, norm, batch_size, workers):
    """Mean error in original pixels over the norm's distance, as a fraction."""
    net.eval()
    errors, at = [], 0
    for batch in batches(faces, np.arange(len(faces)), 0, batch_size, workers):
        landmarks = net(batch["data"].to(device_of(net)))[-1].landmarks
        points = ((landmarks.double().cpu().numpy() + 1) * faces.size - 1) / 2
        for crop, matrix in zip(points, batch["matrix"].double().numpy()):
            back = np.linalg.inv(matrix)
            ours = crop @ back[:2, :2].T + back[:2, 2]
            truth = faces.rows[at].landmarks.astype(np.float64)
            left, right = (truth[norm[side]].mean(0) for side in ("left", "right"))
            errors.append(np.linalg.norm(ours - truth, axis=1).mean() / np.linalg.norm(left - right))
            at += 1
    return float(np.mean(errors))


def train_epoch(net, ema, adam, criterion, faces, recipe, seed, epoch, workers):
    """(mean loss over faces, steps left out)"""
    settings = recipe["train"]
    passed = sum(epoch > milestone for milestone in settings["milestones"])
    for group in adam.param_groups:
        group["lr"] = settings["learning_rate"] * settings["gamma"] ** passed
    order = np.random.default_rng([seed, epoch, 2**31]).permutation(len(faces))
    total, seen, skipped = 0.0, 0, 0
    net.train()
    for batch in batches(faces, order, epoch, settings["batch_size"], workers):
        adam.zero_grad(set_to_none=True)
        here = [batch[name].to(device_of(net)) for name in ("data", "landmarks", "pointmap", "edgemap")]
        loss = criterion(net(here[0]), *here[1:])
        loss.backward()
        count = len(batch["data"])
        # PyTorch's gradient of eigenvectors is not a number where both eigenvalues are equal; ours is guarded there.
        if bool(torch.stack([p.grad.isfinite().all() for p in net.parameters() if p.grad is not None]).all()):
            adam.step()
        else:
            skipped += 1
        average(ema, net, 0.5 ** (count / settings["ema_half_life"]))
        total, seen = total + loss.item() * count, seen + count
    return total / seen, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda; on cuda with TF32, as our cuda backend")
    parser.add_argument("--workers", type=int, default=2, help="processes that make samples")
    args = parser.parse_args()
    recipe = read_recipe(args.recipe)
    layout_path = layout_file(recipe)
    layout = loader.Layout.read(layout_path)
    table = tomllib.loads(layout_path.read_text(encoding="utf-8"))
    norm = table["norms"][recipe.get("eval", {}).get("norm") or table["default_norm"]]
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    settings, data = recipe["train"], recipe["data"]
    size = recipe["model"]["input_size"]
    faces = loader.Faces(loader.read_list(data["train"]), data["images"], layout, size, True, args.seed)
    selection = loader.Faces(loader.read_list(data["test"]), data["images"], layout, size, False)
    net = build(recipe, layout).to(args.device)
    ema = copy.deepcopy(net)
    adam = torch.optim.Adam(net.parameters(), lr=settings["learning_rate"])
    criterion = losses.StepLoss()
    args.out.mkdir(parents=True, exist_ok=True)
    history, best = [], None

    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=args.device)
        net.load_state_dict(state["net"])
        ema.load_state_dict(state["ema"])
        adam.load_state_dict(state["adam"])
        history, best = state["history"], state["best"]

    for epoch in range(len(history) + 1, settings["epochs"] + 1):
        began = time.perf_counter()
        loss, skipped = train_epoch(net, ema, adam, criterion, faces, recipe, args.seed, epoch, args.workers)
        trained = time.perf_counter() - began
        scores = {
            which: nme(model, selection, norm, settings["batch_size"], args.workers)
            for which, model in (("raw", net), ("ema", ema))
        }
        record = {
            "epoch": epoch,
            "loss": loss,
            "skipped_steps": skipped,
            "nme": scores["raw"],
            "nme_ema": scores["ema"],
            "train_seconds": trained,
            "seconds": time.perf_counter() - began,
        }
        history.append(record)
        which = min(scores, key=scores.get)
        if np.isfinite(scores[which]) and (best is None or scores[which] < best["nme"]):
            weights = {"raw": net, "ema": ema}[which].state_dict()
            weights = {name: value.cpu().clone().contiguous() for name, value in weights.items()}
            best = {"nme": scores[which], "which": which, "epoch": epoch, "weights": weights}
        state = {"net": net.state_dict(), "ema": ema.state_dict(), "adam": adam.state_dict()}
        state |= {"history": history, "best": best}
        replace(checkpoint, lambda path: torch.save(state, path))
        print(json.dumps(record), flush=True)

    lines = "".join(json.dumps(record) + "\n" for record in history)
    replace(args.out / "metrics.jsonl", lambda path: path.write_text(lines, encoding="utf-8"))
    if best is None:
        sys.exit("no epoch gave weights whose error is a number")
    print(f"best: {best['which']} weights of epoch {best['epoch']}, NME {100 * best['nme']:.3f} %", flush=True)
    replace(args.out / "best.safetensors", lambda path: save_file(best["weights"], path))


if __name__ == "__main__":
    main()
