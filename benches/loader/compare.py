"""Ours against a plain Python loader (loader.py), one core each, in turns.

    python benches/loader/compare.py --star target/release/star --wflw TSV DIR --300w TSV DIR
    python benches/loader/compare.py --star target/release/star --300w TSV DIR --memory

Each round runs both loaders, and ours with two workers, one after the other on the same cores, so that other work on the machine
hits all alike. Two rates are shown: by the clock, and by the processor time used, which other work disturbs less.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SETS = {"wflw": "wflw98", "300w": "ibug68"}
MEMORY_LINES = 10_000


def run(command, cores):
    """The JSON that a command prints, run on these cores alone."""
    # One thread a library, as data loaders are run.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed")
    return json.loads(done.stdout)


def star(args, table, images, layout, workers, cores, seconds):
    command = [args.star, "data", "bench", table, "--images", images, "--layout", layout, "--json"]
    # Part of the time goes to the parts of a sample.
    command += ["--workers", workers, "--seconds", seconds / 0.6]
    return run(command, cores)


def python(table, images, layout, cores, seconds):
    layout = ROOT / f"configs/layouts/{layout}.toml"
    command = [sys.executable, HERE / "loader.py", "bench", table, "--images", images]
    return run([*command, "--layout", layout, "--seconds", seconds], cores)


def spread(values, form="{:.0f}"):
    return f"{form} ({form} to {form})".format(statistics.median(values), min(values), max(values))


def compare(args, name, table, images, cores):
    layout = SETS[name]
    one, two = set(cores[:1]), set(cores[:2])
    rates = {key: [] for key in ["ours", "python", "ours cpu", "python cpu", "two", "cores had"]}
    for _ in range(args.rounds):
        ours = star(args, table, images, layout, 1, one, args.seconds)["loader"]
        theirs = python(table, images, layout, one, args.seconds)
        rates["ours"].append(ours["faces_per_second"])
        rates["python"].append(theirs["faces_per_second"])
        rates["python cpu"].append(theirs["faces"] / theirs["cpu_seconds"])
        if ours["cpu_seconds"]:
            rates["ours cpu"].append(ours["faces"] / ours["cpu_seconds"])
        if len(two) == 2:
            both = star(args, table, images, layout, 2, two, args.seconds)["loader"]
            rates["two"].append(both["faces_per_second"])
            rates["cores had"].append((both["cpu_seconds"] or 0) / both["seconds"])
    print(f"{name}, {layout}: {args.rounds} rounds of {args.seconds:g} s; median (least to most)")
    for by in ["", " cpu"]:
        ours, theirs = rates[f"ours{by}"], rates[f"python{by}"]
        if ours:
            ratios = [a / b for a, b in zip(ours, theirs)]
            print(
                f"  faces a second{' of processor time' if by else ' by the clock':<18}"
                f"  ours {spread(ours)}  Python {spread(theirs)}  ratio {spread(ratios, '{:.1f}')}"
            )
    if rates["two"]:
        gains = [b / a for a, b in zip(rates["ours"], rates["two"])]
        print(f"  two workers on two cores against one on one: {spread(rates['two'])}, {spread(gains, '{:.2f}')} times")
        print(f"  of the two cores they got {spread(rates['cores had'], '{:.2f}')}: well below 2 says that other work had the rest")


def memory(args, name, table, images):
    """The most memory that ours holds over a long list."""
    lines = Path(table).read_text(encoding="utf-8").splitlines()
    header, faces = lines[:1], lines[1:]
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "long.tsv"
        repeated = (faces * -(-MEMORY_LINES // len(faces)))[:MEMORY_LINES]
        long.write_text("\n".join(header + repeated) + "\n", encoding="utf-8")
        figures = star(args, long, images, SETS[name], 2, os.sched_getaffinity(0), args.seconds)
    print(
        f"{name}, {figures['faces']} lines, 2 workers, batches of {figures['loader']['batch_size']}, "
        f"{figures['loader']['faces']} faces made: peak memory {figures['peak_memory_mb']:.0f} MB"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--star", default=ROOT / "target/release/star", help="the program, built in release")
    for name in SETS:
        text = "a list made by `star prepare`, and its folder of images"
        parser.add_argument(f"--{name}", nargs=2, metavar=("TSV", "DIR"), dest=name, help=text)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6, help="for each loader in each round")
    parser.add_argument("--memory", action="store_true", help="peak memory over 10,000 lines instead")
    args = parser.parse_args()
    given = {name: getattr(args, name) for name in SETS if getattr(args, name)}
    if not given:
        parser.error("give --wflw or --300w")
    cores = sorted(os.sched_getaffinity(0))
    for name, (table, images) in given.items():
        if args.memory:
            memory(args, name, table, images)
        else:
            compare(args, name, table, images, cores)


if __name__ == "__main__":
    main()
