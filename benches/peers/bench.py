"""One turn of a benchmark in PyTorch or ONNX Runtime. `cargo xtask bench --against pytorch` runs it; it prints one line of JSON.

The work is what ours does: inference from images in memory to landmarks in memory; a training step of forward, losses, backward and
Adam on a batch in memory; STAR loss forward and backward. Weights and inputs are random: time does not depend on them.
"""

import argparse
import json
import platform
import resource
import sys
import time


def check(peer, device):
    """Ends with a last line that says what is missing."""
    try:
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            sys.exit("this PyTorch sees no CUDA device")

        if peer == "onnxruntime":
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
    except ImportError as error:
        sys.exit(f"Python has no module {error.name}")


def repeat(least, once):
    once()  # Memory is touched, kernels are chosen.
    began, seconds = time.perf_counter(), []
    while len(seconds) < 3 or time.perf_counter() - began < least:
        start = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - start)
    return seconds


def build(torch, network, device):
    from network import StarNet

    net = StarNet(
        network["points"],
        network["edges"],
        stacks=network["stacks"],
        channels=network["channels"],
        stem=network["stem"],
        coord=network["coord"],
        aam=network["aam"],
    )
    return net.to(device)


def time_pytorch(args, network):
    import torch

    import losses

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    device = torch.device(args.device)
    # bf16 is for training steps; inference beside it takes what ours takes, TF32.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision != "f32"
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16")
    size, points, batch = network["input_size"], network["points"], args.batch
    side = size // 4

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    def compiled(module):
        return torch.compile(module) if args.peer == "pytorch-compiled" else module

    images = torch.rand(batch, 3, size, size, device=device) * 2 - 1
    landmarks = torch.rand(batch, points, 2, device=device) * 2 - 1

    if args.case == "inference":
        net = compiled(build(torch, network, device).eval())

        def once():
            with torch.inference_mode():
                net(images)[-1].landmarks.cpu()

    elif args.case == "training-step":
        net = build(torch, network, device).train()
        forward, criterion = compiled(net), losses.StepLoss()
        adam = torch.optim.Adam(net.parameters(), lr=1e-3)
        point_maps = torch.rand(batch, points, side, side, device=device)
        edge_maps = torch.rand(batch, len(network["edges"]), side, side, device=device)

        def once():
            adam.zero_grad(set_to_none=True)
            with mixed:
                stacks = forward(images)
            criterion(stacks, landmarks, point_maps, edge_maps).backward()
            adam.step()
            wait()

    else:
        star = compiled(losses.StarLoss())
        maps = torch.rand(batch, points, side, side, device=device, requires_grad=True)

        def once():
            maps.grad = None
            star(maps, landmarks).backward()
            wait()

    version = f"PyTorch {torch.__version__}, Python {platform.python_version()}"
    return repeat(args.seconds, once), version


def time_onnxruntime(args, network):
    import io

    import numpy
    import onnxruntime
    import torch

    size = network["input_size"]
    net = build(torch, network, "cpu").eval()

    class Landmarks(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, images):
            return self.net(images)[-1].landmarks

    images = torch.rand(args.batch, 3, size, size) * 2 - 1
    file = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(Landmarks().eval(), (images,), file, input_names=["images"], dynamo=False)
    del net
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    images = images.numpy().astype(numpy.float32)
    version = f"ONNX Runtime {onnxruntime.__version__}"
    return repeat(args.seconds, lambda: session.run(None, {"images": images})), version


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", choices=["pytorch", "pytorch-compiled", "onnxruntime"], required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--case", choices=["inference", "training-step", "loss"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="tf32")
    parser.add_argument("--network", type=json.loads)
    args = parser.parse_args()
    check(args.peer, args.device)
    if args.check:
        return
    run = time_onnxruntime if args.peer == "onnxruntime" else time_pytorch
    seconds, version = run(args, args.network)
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "version": version}))


if __name__ == "__main__":
    main()
