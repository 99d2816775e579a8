"""Does this trainer reach what PyTorch reaches? Trains both by one recipe, on the same faces, scores all on the same test faces.

    python benches/parity/run.py --star target/release/star --train TRAIN.tsv --test TEST.tsv --images DIR --out runs/parity

The training annotation file is divided once, by image, into faces to train on and a tenth to select on; every run gets these two files.
Runs of the two programs alternate. Started again with the same --out it goes on where it was stopped, in the middle of a run, too.
"""

import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HELD_OUT = 0.1
ROUNDS = 10_000
PROGRAMS = ["star", "pytorch"]


def replace(path, text):
    """Whole or not at all."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def end_with_parent():
    """A run does not go on alone when this script is killed: it would be in the way of the next."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def call(command, log):
    with open(log, "a", encoding="utf-8") as file:
        done = subprocess.run(
            [str(part) for part in command], stdout=file, stderr=subprocess.STDOUT, preexec_fn=end_with_parent
        )
    if done.returncode:
        sys.exit(f"{command[0]} failed with {done.returncode}; {log} has what it said")


def divide(args):
    """train.tsv and selection.tsv: images by the hash of their name, so that nothing depends on a generator or on an order."""
    train, selection = args.out / "train.tsv", args.out / "selection.tsv"
    header, *faces = args.train.read_text(encoding="utf-8").splitlines()
    if not faces or not header.startswith("image_path"):
        sys.exit(f"{args.train} is not an annotation file with a header; `star prepare` makes one")
    images = sorted({face.split("\t")[0] for face in faces}, key=lambda name: hashlib.sha256(name.encode()).digest())
    held_out = set(images[: round(len(images) * HELD_OUT)])
    for path, wanted in ((train, False), (selection, True)):
        chosen = [face for face in faces if (face.split("\t")[0] in held_out) == wanted]
        replace(path, "\n".join([header, *chosen]) + "\n")
    return train, selection


def settings(args, recipe, train, selection, seed):
    trained = tomllib.loads(recipe.read_text(encoding="utf-8"))["train"]
    epochs = args.epochs or trained["epochs"]
    milestones = [max(round(m * epochs / trained["epochs"]), 1) for m in trained["milestones"]]
    return {
        "seed": seed,
        "data.train": train,
        "data.test": selection,
        "data.images": args.images,
        "train.selection": "test",
        "train.epochs": epochs,
        "train.milestones": milestones,
        "train.workers": args.threads,
    }


def train_star(args, out, chosen):
    log = out.with_suffix(".log")
    if (out / "config.toml").exists():
        call([args.star, "train", "--resume", out], log)
    else:
        sets = [part for key, value in chosen.items() for part in ("--set", f"{key}={value}")]
        call([args.star, "train", "--config", args.config, *sets, "--out", out], log)


def train_pytorch(args, out, config, seed):
    command = [sys.executable, HERE / "train_peer.py", config, "--seed", seed, "--out", out]
    call([*command, "--threads", args.threads, "--workers", args.threads], out.with_suffix(".log"))


def minutes(folder):
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line).get("seconds") or 0 for line in lines) / 60


def score(args, out, program, size, layout):
    """Error of each test face, as a fraction."""
    figures = out / "test.json"
    if not figures.exists():
        weights, log = out / "weights/best.safetensors", out.with_suffix(".log")
        if program == "pytorch":
            weights = out / "imported.safetensors"
            command = [args.star, "model", "import", out / "best.safetensors", "--layout", layout]
            call([*command, "--input-size", size, "--out", weights], log)
        command = [args.star, "eval", "--weights", weights, "--annotations", args.test, "--images", args.images]
        unfinished = out / "test.tmp.json"
        call([*command, "--json", unfinished], log)
        os.replace(unfinished, figures)
    return per_face(json.loads(figures.read_text(encoding="utf-8")))


def per_face(figures):
    faces = figures["per_face"]
    if figures.get("excluded") or any(face["nme"] is None for face in faces):
        sys.exit("some test faces have no error; docs/evaluation.md says which and why, the log names them")
    return np.array([face["nme"] for face in faces])


def bootstrap(ours, theirs):
    """95 % interval of mean(ours) - mean(theirs), [seeds, faces] each: faces are drawn for both at once, seeds for each by itself."""
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(ROUNDS):
        faces = rng.integers(0, ours.shape[1], ours.shape[1])
        means = [e[rng.integers(0, len(e), len(e))].mean(0)[faces].mean() for e in (ours, theirs)]
        differences.append(means[0] - means[1])
    return np.percentile(differences, [2.5, 97.5])


def table(errors, times):
    print("| seed | star, NME % | PyTorch, NME % | star, minutes | PyTorch, minutes |\n|---|---|---|---|---|")
    for seed in sorted({seed for _, seed in errors}):
        cells = [f"{100 * errors[p, seed].mean():.3f}" for p in PROGRAMS]
        cells += [f"{times[p, seed]:.1f}" for p in PROGRAMS]
        print(f"| {seed} | {' | '.join(cells)} |")
    ours, theirs = (np.stack([e for (p, _), e in sorted(errors.items()) if p == name]) for name in PROGRAMS)
    low, high = 100 * bootstrap(ours, theirs)
    print(f"\nmean: star {100 * ours.mean():.3f} %, PyTorch {100 * theirs.mean():.3f} %, {ours.shape[1]} faces")
    print(f"star - PyTorch: {100 * (ours.mean() - theirs.mean()):+.3f} points of NME, 95 % interval {low:+.3f} to {high:+.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--star", type=Path, default=ROOT / "target/release/star", help="the program, built in release")
    parser.add_argument("--config", type=Path, default=ROOT / "configs/300w-small.toml")
    for name, what in (("train", "annotation file"), ("test", "annotation file"), ("images", "folder")):
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    parser.add_argument("--out", type=Path, default=ROOT / "runs/parity")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's; milestones are scaled along")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    for name in ("star", "config", "train", "test", "images", "out"):
        setattr(args, name, getattr(args, name).resolve())
    # Both programs compute on as many threads.
    os.environ |= {name: str(args.threads) for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS")}
    args.out.mkdir(parents=True, exist_ok=True)
    lock = open(args.out / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"{args.out} is in use by another run of this script")
    train, selection = divide(args)

    # A folder holds one comparison.
    asked = {k: str(v) for k, v in settings(args, args.config, train, selection, 0).items() if k != "train.workers"}
    kept = args.out / "settings.json"
    if kept.exists() and json.loads(kept.read_text(encoding="utf-8")) != asked:
        sys.exit(f"{kept} says that {args.out} was begun with other settings; give another --out")
    replace(kept, json.dumps(asked, indent=1))

    errors, times = {}, {}
    for seed in range(args.seeds):
        chosen = settings(args, args.config, train, selection, seed)
        for program in PROGRAMS:
            out = args.out / f"{program}-{seed}"
            done = args.out / f"{program}-{seed}.done"
            if not done.exists():
                print(f"{program}, seed {seed}: training", flush=True)
                if program == "star":
                    train_star(args, out, chosen)
                else:
                    train_pytorch(args, out, args.out / f"star-{seed}/config.toml", seed)
                replace(done, "")
            recipe = tomllib.loads((args.out / f"star-{seed}/config.toml").read_text(encoding="utf-8"))
            errors[program, seed] = score(args, out, program, recipe["model"]["input_size"], recipe["layout"])
            times[program, seed] = minutes(out)
            nme = 100 * errors[program, seed].mean()
            print(f"{program}, seed {seed}: {times[program, seed]:.1f} minutes, NME {nme:.3f} %", flush=True)
    table(errors, times)


if __name__ == "__main__":
    main()
