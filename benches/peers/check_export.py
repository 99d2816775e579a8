"""Holds exported weights, and network.py itself, against other witnesses.

    python benches/peers/check_export.py golden                          # network.py against the published program's vectors
    python benches/peers/check_export.py pkl X.pkl exported.safetensors  # an exported .pkl: every tensor, bit for bit
    python benches/peers/check_export.py npz exported.npz exported.safetensors  # both forms hold the same
    python benches/peers/check_export.py outputs exported.safetensors ours.safetensors   # our landmarks against PyTorch's

`ours.safetensors` holds `images` [B, 3, S, S] and `landmarks` [B, N, 2]; it is written by
`cargo run --release -p star-onnx --example onnx_outputs -- WEIGHTS 2 ours.safetensors`.
Ends with status 1 and the names of what differs.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file

from network import StarNet

GOLDEN = pathlib.Path(__file__).parents[2] / "crates/star-model/tests/golden"
TOLERANCE = 1e-5


def images_of(arrays: dict, case: str) -> torch.Tensor:
    """u8 [B, H, W, 3] BGR -> the network's input."""
    images = arrays[f"{case}/image_u8_bhwc_bgr"].float()
    return ((images - 127.5) / 127.5).permute(0, 3, 1, 2).contiguous()


def largest(a: torch.Tensor, b: torch.Tensor) -> float:
    return (a.double() - b.double()).abs().max().item()


@torch.inference_mode()
def check_golden(folder: pathlib.Path) -> list[str]:
    """The small published checkpoint and its moving average, all stacks' landmarks."""
    wrong = []
    arrays = load_file(folder / "net_small.safetensors")
    noise = json.loads((folder / "net_small.json").read_text())["eval"]
    checkpoint = torch.load(folder / "small_wflw_s4_c16.pkl", map_location="cpu", weights_only=True)
    for case, key in [("eval", "net"), ("eval_ema", "net_ema")]:
        net = StarNet.from_state(checkpoint[key]).eval()
        outputs = net(images_of(arrays, case if f"{case}/image_u8_bhwc_bgr" in arrays else "eval"))
        landmarks = torch.stack([output.landmarks for output in outputs])
        off = largest(landmarks, arrays[f"{case}/landmarks"])
        limit = 10 * noise[key]["max_abs_landmark_err_f32"] + 1e-6
        print(f"golden {key}: landmarks off by {off:.2e}, tolerance {limit:.1e}")
        if not off <= limit:
            wrong.append(f"golden {key}")
    return wrong


def compare(name: str, a: torch.Tensor, b: torch.Tensor) -> list[str]:
    """Bits, not values: NaN equals itself and 0 is not -0."""
    same = a.dtype == b.dtype and a.shape == b.shape and a.contiguous().numpy().tobytes() == b.contiguous().numpy().tobytes()
    return [] if same else [name]


def check_same(first: dict, second: dict) -> list[str]:
    wrong = sorted(set(first) ^ set(second))
    for name in sorted(set(first) & set(second)):
        wrong += compare(name, first[name], second[name])
    print(f"{len(first)} tensors against {len(second)}: {len(wrong)} differ")
    return wrong


@torch.inference_mode()
def check_outputs(weights: pathlib.Path, ours: pathlib.Path) -> list[str]:
    net = StarNet.from_state(load_file(weights)).eval()
    arrays = load_file(ours)
    off = largest(net(arrays["images"])[-1].landmarks, arrays["landmarks"])
    print(f"landmarks off by {off:.2e}, tolerance {TOLERANCE:.0e}")
    return [] if off <= TOLERANCE else ["landmarks"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    golden = commands.add_parser("golden")
    golden.add_argument("--folder", type=pathlib.Path, default=GOLDEN)
    pkl = commands.add_parser("pkl")
    pkl.add_argument("pkl", type=pathlib.Path)
    pkl.add_argument("exported", type=pathlib.Path)
    pkl.add_argument("--which", choices=["net", "net_ema"], default="net")
    npz = commands.add_parser("npz")
    npz.add_argument("npz", type=pathlib.Path)
    npz.add_argument("exported", type=pathlib.Path)
    outputs = commands.add_parser("outputs")
    outputs.add_argument("weights", type=pathlib.Path)
    outputs.add_argument("ours", type=pathlib.Path)
    args = parser.parse_args()

    if args.command == "golden":
        wrong = check_golden(args.folder)
    elif args.command == "pkl":
        published = torch.load(args.pkl, map_location="cpu", weights_only=True)[args.which]
        exported = load_file(args.exported)
        wrong = check_same(published, exported)
        StarNet.from_state(exported)
    elif args.command == "npz":
        arrays = np.load(args.npz, allow_pickle=False)
        wrong = check_same({name: torch.from_numpy(arrays[name]) for name in arrays.files}, load_file(args.exported))
    else:
        wrong = check_outputs(args.weights, args.ours)
    for name in wrong:
        print(f"differs: {name}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
