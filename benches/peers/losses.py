"""The losses of one training step in plain PyTorch, as the paper and the published program have them: what ours is timed against.

`python3 losses.py GOLDEN_DIR` checks STAR loss (v2, SmoothL1) and AWing against the golden vectors.
"""

import sys

import torch
import torch.nn.functional as F


def smooth_l1(error, scale=0.01):
    """SmoothL1 of a signed error, elementwise."""
    size = error.abs()
    return torch.where(size < scale, size * size / (2 * scale), size - scale / 2)


class StarLoss(torch.nn.Module):
    """STAR v2: errors along the principal axes of each heatmap, divided by the roots of the eigenvalues, plus the eigenvalues."""

    EPS = 1e-5

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight

    def forward(self, heatmaps, targets):
        """heatmaps [b, n, h, w], targets [b, n, 2] in [-1, 1] -> scalar."""
        b, n, h, w = heatmaps.shape
        x = torch.linspace(-1, 1, w, dtype=heatmaps.dtype, device=heatmaps.device)
        y = torch.linspace(-1, 1, h, dtype=heatmaps.dtype, device=heatmaps.device)
        maps = heatmaps / heatmaps.sum((2, 3), keepdim=True).clamp_min(1e-6)
        columns, rows = maps.sum(2), maps.sum(3)
        mean_x, mean_y = (columns * x).sum(-1), (rows * y).sum(-1)
        from_x = x - mean_x[..., None]
        from_y = y - mean_y[..., None]
        v1 = maps.sum((2, 3)) + self.EPS
        v2 = (maps * maps).sum((2, 3)) + self.EPS
        denominator = v1 - v2 / v1
        xx = (columns * from_x * from_x).sum(-1) / denominator
        yy = (rows * from_y * from_y).sum(-1) / denominator
        xy = (torch.einsum("bnhw,bnw->bnh", maps, from_x) * from_y).sum(-1) / denominator
        covariance = torch.stack([xx, xy, xy, yy], -1).view(b * n, 2, 2)
        # Ascending; columns are the eigenvectors.
        values, vectors = torch.linalg.eigh(covariance)
        error = torch.stack([targets[..., 0] - mean_x, targets[..., 1] - mean_y], -1)
        error = torch.einsum("ki,kij->kj", error.view(b * n, 2), vectors)
        loss = (smooth_l1(error) / (values + self.EPS).sqrt()).sum(-1)
        return (loss + self.weight * values.abs().sum(-1)).mean()


class AWingLoss(torch.nn.Module):
    """Adaptive wing loss (Wang et al., ICCV 2019) with its weight map."""

    def __init__(self, omega=14.0, theta=0.5, epsilon=1.0, alpha=2.1):
        super().__init__()
        self.omega, self.theta, self.epsilon, self.alpha = omega, theta, epsilon, alpha

    def forward(self, prediction, target):
        """Both [b, c, h, w] -> scalar."""
        power = self.alpha - target
        error = (target - prediction).abs()
        ratio = self.theta / self.epsilon
        slope = self.omega / (1 + ratio**power) * power * ratio ** (power - 1) / self.epsilon
        offset = self.theta * slope - self.omega * torch.log(1 + ratio**power)
        near = self.omega * torch.log(1 + (error / self.epsilon).clamp_min(1e-6) ** power)
        loss = torch.where(error < self.theta, near, slope * error - offset)
        foreground = F.max_pool2d(target, 3, stride=1, padding=1) >= 0.2
        return (loss * (1 + 10 * foreground)).mean()


class StepLoss(torch.nn.Module):
    """STAR, points and edges of every stack, weighted as published: 1, 10, 10 times 2^i / 2^(n - 1)."""

    def __init__(self):
        super().__init__()
        self.star, self.awing = StarLoss(), AWingLoss()

    def forward(self, stacks, landmarks, points, edges):
        """`stacks`: what the network gives, one `network.StackOutput` a stack."""
        total = 0.0
        for i, stack in enumerate(stacks):
            weight = 2.0 ** (i - (len(stacks) - 1))
            # In f32 whatever the network computes in.
            term = self.star(stack.heatmaps.float(), landmarks)
            if stack.points is not None:
                term = term + 10 * self.awing(stack.points.float(), points)
                term = term + 10 * self.awing(stack.edges.float(), edges)
            total = total + weight * term
        return total


def check(folder):
    import json

    from safetensors.torch import load_file

    arrays = load_file(f"{folder}/losses_star.safetensors")
    facts = json.load(open(f"{folder}/losses_star.json"))["groups"]
    for name, group in facts.items():
        variant = group["variants"].get("v2/smoothl1/w1")
        heatmaps = arrays[f"{name}/heatmap"].double().requires_grad_()
        if variant is None or heatmaps.dim() != 4:
            continue  # Edge cases, each alone: what a division by nearly nothing gives is not what is timed.
        targets = arrays[f"{name}/gt"].double()
        loss = StarLoss()(heatmaps, targets)
        loss.backward()
        off = abs(loss.item() / variant["loss_f64"] - 1)
        line = f"{name}: loss {loss.item():.9f}, relative difference {off:.1e}"
        key = f"{name}/grad_heatmap/v2/smoothl1/w1"
        if key in arrays:
            golden = arrays[key].double()
            gradient = (heatmaps.grad - golden).norm() / golden.norm()
            line += f", gradient {gradient:.1e}"
            assert gradient < 1e-5, line
        print(line)
        assert off < 1e-6, line
    arrays = load_file(f"{folder}/losses_misc.safetensors")
    golden = json.load(open(f"{folder}/losses_misc.json"))["awing"]["pointmap"]["loss_f64"]
    loss = AWingLoss()(arrays["awing/pointmap/output"].double(), arrays["awing/pointmap/target"].double())
    print(f"AWing: {loss.item():.9f}, relative difference {abs(loss.item() / golden - 1):.1e}")
    assert abs(loss.item() / golden - 1) < 1e-6


if __name__ == "__main__":
    check(sys.argv[1])
