"""Holds ONNX files against ONNX Runtime: exported by the program, checked by onnx, computed there and here.

    cargo build --release --workspace --example onnx_outputs
    python benches/peers/check_onnx.py [--star target/release/star] [--outputs target/release/examples/onnx_outputs] [--onnxruntime DIR]

Networks: the golden checkpoint (98 points, 4 stacks, 16 channels), the one that ships, and one of the published size with random weights,
made by network.py and brought in by `star model import`. For each, with one image and with four: landmarks within 1e-4 of ours (1 is half
a crop), covariances within 1e-4 (in the square of that). Half precision: within 0.02 for the network that ships; of the others, whose heatmaps
say little, it is only printed. Then examples/onnx/landmarks.py finds the points of a
photo that `star predict` finds; with `--onnxruntime`, an unpacked release of ONNX Runtime (include, lib), examples/onnx/landmarks.cpp is compiled and
does too. Times are the least of a few turns. Needs Pillow. Ends with status 1 and the names of what differs.
"""

import argparse
import importlib.util
import json
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
import tomllib

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.numpy import load_file

from network import StarNet

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "crates/star-model/tests/golden/small_wflw_s4_c16.pkl"
SHIPPED = ROOT / "models/ibug68-small.safetensors"
TOLERANCE, HALF_TOLERANCE = 1e-4, 0.02
# Of points and deviations in a photo, pixels.
PIXELS = 0.02
PHOTO = ROOT / "docs/astronaut.jpg"


def run(*command) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def published_size(folder: pathlib.Path) -> pathlib.Path:
    """A checkpoint of the published network for WFLW, drawn."""
    layout = tomllib.loads((ROOT / "configs/layouts/wflw98.toml").read_text())
    torch.manual_seed(0)
    net = StarNet(layout["points"], [edge["points"] for edge in layout["edges"]])
    path = folder / "wflw_random.pkl"
    torch.save({"net": net.state_dict()}, path)
    return path


def session_of(path: pathlib.Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def milliseconds(once, turns: int = 5) -> float:
    once()
    least = float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        once()
        least = min(least, time.perf_counter() - start)
    return 1e3 * least


def check_file(path: pathlib.Path) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    known = {entry.key for entry in model.metadata_props}
    for key in ["layout", "points", "edges", "mirror_pairs", "crop", "normalisation", "colour_order", "version"]:
        assert f"star.{key}" in known, key


def off(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape and found.dtype == np.float32, (found.shape, wanted.shape, found.dtype)
    return float(np.abs(found.astype(np.float64) - wanted).max())


def check_network(name: str, weights: pathlib.Path, args, folder: pathlib.Path, opsets: list[int]) -> list[str]:
    wrong = []
    half = folder / "half.onnx"
    run(args.star, "model", "export", "--weights", weights, "--format", "onnx", "--half", "--out", half)
    check_file(half)
    for opset in opsets:
        full = folder / "full.onnx"
        run(args.star, "model", "export", "--weights", weights, "--format", "onnx", "--opset", opset, "--out", full)
        check_file(full)
        for batch in [1, 4]:
            out = folder / "ours.safetensors"
            ours = float(run(args.outputs, weights, batch, out))
            wanted = load_file(out)
            for precision, path, tolerance in [("f32", full, TOLERANCE), ("f16", half, HALF_TOLERANCE)]:
                if precision == "f16" and opset != opsets[0]:
                    continue
                session = session_of(path, args.threads)
                names = ["landmarks", "heatmaps", "covariance"]
                found = dict(zip(names, session.run(names, {"image": wanted["images"]})))
                theirs = milliseconds(lambda: session.run(["landmarks"], {"image": wanted["images"]}))
                offs = {key: off(found[key], wanted[key]) for key in names}
                # A heatmap near the step at 0.05 (append_coords) decides much in a network that has learnt nothing.
                judged = precision == "f32" or weights == SHIPPED
                fine = not judged or max(offs["landmarks"], offs["covariance"]) <= tolerance
                row = f"{name:16} {opset:5} {precision:>4} {batch:5}"
                row += "".join(f" {offs[key]:10.1e}" for key in names)
                print(f"{row} {theirs:9.1f} {ours:9.1f} {path.stat().st_size / 1e6:7.1f}{'' if fine else '  DIFFERS'}", flush=True)
                if not fine:
                    wrong.append(f"{name}, opset {opset}, {precision}, batch {batch}")
    return wrong


def compiled_example(args, folder: pathlib.Path) -> pathlib.Path | None:
    """examples/onnx/landmarks.cpp as a program, where there is an ONNX Runtime to link it with."""
    if args.onnxruntime is None:
        return None
    include, lib = args.onnxruntime / "include", (args.onnxruntime / "lib").resolve()
    program = folder / "landmarks"
    source = ROOT / "examples/onnx/landmarks.cpp"
    run("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", source, f"-I{include}", f"-L{lib}", f"-Wl,-rpath,{lib}", "-lonnxruntime", "-o", program)
    return program


def check_example(args, folder: pathlib.Path) -> list[str]:
    """The page's own code on a photo, against the program; on a PNG of it, because decoders of JPEG differ by some levels."""
    from PIL import Image

    spec = importlib.util.spec_from_file_location("landmarks", ROOT / "examples/onnx/landmarks.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    run(args.star, "model", "export", "--weights", SHIPPED, "--format", "onnx", "--out", folder / "shipped.onnx")
    photo = folder / "photo.png"
    Image.open(PHOTO).convert("RGB").save(photo)
    # Inside the photo, and across its border.
    worst, worst_compiled = 0.0, 0.0
    program = compiled_example(args, folder)
    for box in [(176, 78, 100, 105), (60, -60, 300, 280)]:
        text = ",".join(map(str, box))
        run(args.star, "predict", photo, f"--box={text}", "--out", folder / "predicted")
        (document,) = (folder / "predicted").glob("*.json")
        face = json.loads(document.read_text())["faces"][0]
        session, meta = example.open_network(str(folder / "shipped.onnx"))
        points, covariance = example.landmarks(session, meta, np.asarray(Image.open(photo)), box)
        wanted = np.array([[point["x"], point["y"]] for point in face["points"]])
        worst = max(worst, float(np.abs(points - wanted).max()))
        spreads = np.array([[[c["xx"], c["xy"]], [c["xy"], c["yy"]]] for c in face["covariance"]])
        deviations = [np.sqrt(np.linalg.eigvalsh(c).clip(0)) for c in (covariance, spreads)]
        worst = max(worst, float(np.abs(deviations[0] - deviations[1]).max()))
        if program:
            ppm, network = folder / "crop.ppm", folder / "shipped.onnx"
            place = run(sys.executable, ROOT / "examples/onnx/landmarks.py", network, photo, *box, "--crop", ppm).split()
            lines = np.array([line.split() for line in run(program, network, ppm, *place).splitlines()], dtype=float)
            worst_compiled = max(worst_compiled, float(np.abs(lines - np.hstack([wanted, deviations[1][:, ::-1]])).max()))
    print(f"examples/onnx/landmarks.py: points and deviations off by {worst:.4f} pixels, tolerance {PIXELS}")
    if program:
        print(f"examples/onnx/landmarks.cpp: the same, off by {worst_compiled:.4f} pixels (it prints two decimals)")
    offs = {"examples/onnx/landmarks.py": worst, "examples/onnx/landmarks.cpp": worst_compiled}
    return [name for name, value in offs.items() if value > PIXELS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--star", type=pathlib.Path, default=ROOT / "target/release/star")
    parser.add_argument("--outputs", type=pathlib.Path, default=ROOT / "target/release/examples/onnx_outputs")
    parser.add_argument("--threads", type=int, default=0, help="of ONNX Runtime; 0: as it likes")
    parser.add_argument("--onnxruntime", type=pathlib.Path, help="ONNX Runtime's headers and library, to compile the C++ example with")
    args = parser.parse_args()

    print(f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}, {platform.machine()}")
    print(f"{'network':16} {'opset':>5} {'':>4} {'batch':>5} {'landmarks':>10} {'heatmaps':>10} {'covariance':>10} {'ORT ms':>9} {'ours ms':>9} {'MB':>7}")
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        small, random = folder / "small.safetensors", folder / "random.safetensors"
        run(args.star, "model", "import", GOLDEN, "--input-size", "64", "--out", small)
        run(args.star, "model", "import", published_size(folder), "--out", random)
        wrong += check_network("golden, 64", small, args, folder, [17, 13, 22])
        run(args.star, "model", "import", GOLDEN, "--out", small)
        wrong += check_network("golden, 256", small, args, folder, [17])
        wrong += check_network("ibug68-small", SHIPPED, args, folder, [17, 13, 22])
        wrong += check_network("wflw98, random", random, args, folder, [17])
        # Straight from a checkpoint it is the same file but for where it comes from.
        direct = folder / "direct.onnx"
        run(args.star, "model", "export", "--weights", GOLDEN, "--format", "onnx", "--out", direct)
        run(args.star, "model", "export", "--weights", small, "--format", "onnx", "--out", folder / "imported.onnx")
        if direct.read_bytes() != (folder / "imported.onnx").read_bytes():
            wrong.append("straight from a .pkl")
        wrong += check_example(args, folder)
    for name in wrong:
        print(f"differs: {name}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
