"""Holds `star model import` against PyTorch: one network in every wrapping that people's programs give it, written by PyTorch itself.

    python benches/peers/check_wrappings.py target/release/star [--pkl X.pkl]

Each file is imported; the tensors of the weights file that comes of it must be those that PyTorch reads out of the wrapping, bit for bit
(half precision: the rounded numbers). What leaves doubt must be refused with the candidates' names. Ends with status 1 and the names of
what differs.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
from collections import OrderedDict

import torch
from safetensors.torch import load_file, save_file

GOLDEN = pathlib.Path(__file__).parents[2] / "crates/star-model/tests/golden"


def prefixed(state: dict, prefix: str) -> OrderedDict:
    return OrderedDict((prefix + name, tensor) for name, tensor in state.items())


def halved(state: dict, dtype: torch.dtype) -> OrderedDict:
    """As `network.half()` does: floats only, the counters stay."""
    return OrderedDict((name, t.to(dtype) if t.is_floating_point() else t) for name, t in state.items())


def good(net: dict, ema: dict) -> dict:
    """By file name: what is saved, and the tensors that are to come of it."""
    parameters = {name: torch.nn.Parameter(t, requires_grad=t.is_floating_point()) for name, t in net.items()}
    f16, bf16 = halved(net, torch.float16), halved(net, torch.bfloat16)
    return {
        "published.pkl": ({"net": net, "net_ema": ema, "epoch": 3}, net),
        "bare.pth": (net, net),
        "data_parallel.pth": (prefixed(net, "module."), net),
        "data_parallel_net.pkl": ({"net": prefixed(net, "module."), "net_ema": prefixed(ema, "module."), "epoch": 3}, net),
        "lightning.ckpt": ({"epoch": 3, "global_step": 9, "state_dict": prefixed(net, "model."), "optimizer_states": []}, net),
        "compiled.pt": ({"model": prefixed(net, "_orig_mod.")}, net),
        "twice.pt": ({"checkpoint": {"net": net, "net_ema": ema}, "args": {"lr": 1e-3}}, net),
        "compiled_twice.pt": ({"model": {"weights": prefixed(net, "net.module.")}}, net),
        "parameters.pth": ({"model": OrderedDict(parameters)}, net),
        "half.pth": (f16, f16),
        "bfloat.pth": ({"net": bf16}, bf16),
        "bare.safetensors": (net, net),
        "data_parallel.safetensors": (prefixed(net, "module."), net),
        "half.safetensors": (prefixed(f16, "model."), f16),
        "bfloat.safetensors": (bf16, bf16),
        "both.safetensors": (prefixed(net, "net.") | prefixed(ema, "net_ema."), net),
    }


def save(content: dict, path: pathlib.Path, old: bool) -> None:
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in content.items()}, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not old)


def same(found: dict, wanted: dict) -> bool:
    """Of the tensors that are computed with, as f32."""
    return bool(found) and all(
        name in wanted and tensor.numpy().tobytes() == wanted[name].detach().float().contiguous().numpy().tobytes()
        for name, tensor in found.items()
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("star", type=pathlib.Path)
    parser.add_argument("--pkl", type=pathlib.Path, default=GOLDEN / "small_wflw_s4_c16.pkl")
    args = parser.parse_args()

    checkpoint = torch.load(args.pkl, map_location="cpu", weights_only=True)
    net, ema = checkpoint["net"], checkpoint["net_ema"]
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def star(path: pathlib.Path) -> tuple[subprocess.CompletedProcess, pathlib.Path]:
            out = folder / "imported.safetensors"
            out.unlink(missing_ok=True)
            command = [args.star.resolve(), "model", "import", path, "--out", out]
            return subprocess.run(command, capture_output=True, text=True), out

        for name, (content, wanted) in good(net, ema).items():
            for old in [False, True] if not name.endswith(".safetensors") else [False]:
                path = folder / name
                save(content, path, old)
                run, out = star(path)
                fine = run.returncode == 0 and same(load_file(out), wanted)
                said = (run.stdout if run.returncode == 0 else run.stderr).splitlines()[0].replace(f"{folder}/", "")
                print(f"{'same' if fine else 'DIFFERS':8}{'old format, ' if old else ''}{said}")
                if not fine:
                    wrong.append(name)

        bad = {
            "two.pth": ({"student": net, "teacher": ema}, ["`student`", "`teacher`"]),
            "whole_module.pth": (torch.nn.Linear(1, 1), ["state_dict()"]),
        }
        for name, (content, parts) in bad.items():
            save(content, folder / name, False)
            run, _ = star(folder / name)
            fine = run.returncode != 0 and all(part in run.stderr for part in parts)
            print(f"{'refused' if fine else 'DIFFERS':8}{run.stderr.strip().replace(f'{folder}/', '')}")
            if not fine:
                wrong.append(name)
    for name in wrong:
        print(f"differs: {name}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
