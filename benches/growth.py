"""How the time of a face grows with batch, input, stacks and threads: ours, ONNX Runtime's and PyTorch's, as a picture.

    python benches/growth.py --star target/release/star --out docs/growth.svg

Runs `star bench` for each point (benches/peers/README.md says what the peers need) and draws with matplotlib. About ten minutes on two
cores. With --keep FILE the figures are written there as JSON, and points that are in it are not measured again.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

PEERS = ["onnxruntime", "pytorch"]
SMALL, FULL = "configs/300w-small.toml", "configs/wflw.toml"
# Title, recipe, what is on the axis, and the options of `star bench` for each value.
PANELS = [
    ("batch (300w-small)", SMALL, [1, 2, 4, 8, 16, 32, 64], lambda n: ["--batch", str(n)]),
    ("side of the input (wflw)", FULL, [64, 128, 256, 512], lambda n: ["--set", f"model.input_size={n}"]),
    ("stacks (wflw)", FULL, [1, 2, 4, 8], lambda n: ["--set", f"model.stacks={n}"]),
    ("threads (wflw)", FULL, [1, 2], lambda n: ["--threads", str(n)]),
]


def measure(star, recipe, options, peer, rounds, seconds):
    """Milliseconds of a batch, ours and the peer's, medians of rounds in turn."""
    with tempfile.TemporaryDirectory() as out:
        command = [star, "bench", "--config", recipe, "--case", "inference", "--against", peer, "--out", out]
        command += ["--rounds", str(rounds), "--seconds", str(seconds), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [path] = Path(out).iterdir()
        [row] = json.loads(path.read_text())["rows"]
    return row["ours"]["milliseconds"]["median"], row["peer"]["milliseconds"]["median"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--star", default="target/release/star")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()

    kept = json.loads(args.keep.read_text()) if args.keep and args.keep.exists() else {}
    for title, recipe, values, options in PANELS:
        for value in values:
            for peer in PEERS:
                name = f"{title}: {value}, {peer}"
                if name not in kept:
                    kept[name] = measure(args.star, recipe, options(value), peer, args.rounds, args.seconds)
                    if args.keep:
                        args.keep.write_text(json.dumps(kept, indent=1))
                print(name, "ours {:.1f} ms, peer {:.1f} ms".format(*kept[name]), flush=True)

    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same file for the same figures.
    matplotlib.rcParams["svg.hashsalt"] = "growth"
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(14, 3.6), constrained_layout=True)
    for axis, (title, _, values, _) in zip(axes, PANELS):
        faces = [value if title.startswith("batch") else 1 for value in values]
        def curve(peer, which):
            return [kept[f"{title}: {value}, {peer}"][which] / n for value, n in zip(values, faces)]
        ours = [sum(both) / 2 for both in zip(curve(PEERS[0], 0), curve(PEERS[1], 0))]
        for label, times, style in [("ours", ours, "o-"), ("ONNX Runtime", curve(PEERS[0], 1), "s--"), ("PyTorch", curve(PEERS[1], 1), "^:")]:
            axis.plot(values, times, style, label=label)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(values, [str(value) for value in values])
        axis.set_xlabel(title)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("ms a face")
    axes[0].legend()
    figure.savefig(args.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
