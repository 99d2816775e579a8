"""The stacked hourglass network of ADNet and STAR in PyTorch, with the published state-dict keys.

Written from the papers (Newell et al. 2016, Liu et al. 2018, Wang et al. 2019, Huang et al. 2021, Zhou et al. 2023) and docs/REFERENCE.md,
whose entries the comments cite. It is a peer to check exported weights with, and to measure speed and training against (benches/parity).

    net = StarNet.from_state(safetensors.torch.load_file("exported.safetensors")).eval()
    outputs = net(images)          # images [B, 3, S, S], BGR, (value - 127.5) / 127.5; one StackOutput a stack, the last is the answer
"""

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DEPTH = 4  # Levels of an hourglass.
BOUNDARY_THRESHOLD = 0.05  # Where a heatmap counts as lit (N3).
EPSILON = 1e-5  # Of the instance norm (N6).


def coordinates(height: int, width: int, like: Tensor) -> Tensor:
    """Row, column and radius channels, [1, 3, height, width]: -1 to 1 over pixel centres, the radius divided by its maximum (N2, N4)."""
    rows = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    columns = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    row = rows[:, None].expand(height, width)
    column = columns[None, :].expand(height, width)
    radius = torch.sqrt(row**2 + column**2)
    return torch.stack([row, column, radius / radius.max()])[None]


def append_coordinates(x: Tensor, heatmaps: Optional[Tensor] = None) -> Tensor:
    """x with its coordinate channels; given the previous stack's heatmaps, also row and column where the last of them is lit (N3)."""
    batch, _, height, width = x.shape
    coords = coordinates(height, width, x).expand(batch, -1, -1, -1)
    parts = [x, coords]
    if heatmaps is not None:
        lit = heatmaps[:, -1:].clamp(0, 1) > BOUNDARY_THRESHOLD
        parts.append(torch.where(lit, coords[:, :2], torch.zeros_like(coords[:, :2])))
    return torch.cat(parts, dim=1)


def decode(heatmaps: Tensor) -> Tensor:
    """Centre of mass of each map, (x, y) with -1 and 1 at the centres of the outermost pixels (C1): [B, N, H, W] -> [B, N, 2]."""
    height, width = heatmaps.shape[-2:]
    xs = torch.linspace(-1, 1, width, dtype=heatmaps.dtype, device=heatmaps.device)
    ys = torch.linspace(-1, 1, height, dtype=heatmaps.dtype, device=heatmaps.device)
    mass = heatmaps.sum(dim=(2, 3)).clamp(min=1e-6)
    x = (heatmaps.sum(dim=2) * xs).sum(dim=2) / mass
    y = (heatmaps.sum(dim=3) * ys).sum(dim=2) / mass
    return torch.stack([x, y], dim=2)


class ConvBlock(nn.Module):
    """A convolution, with batch norm and ReLU behind it or plain."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, normalised: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2)
        self.bn = nn.BatchNorm2d(outputs) if normalised else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.bn is None else F.relu(self.bn(x))


class ResBlock(nn.Module):
    """Pre-activation bottleneck. Published files hold a skip convolution for every block; it is computed only where channels differ (N5)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        inner = outputs // 2
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = ConvBlock(inputs, inner, 1)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = ConvBlock(inner, inner, 3)
        self.bn3 = nn.BatchNorm2d(inner)
        self.conv3 = ConvBlock(inner, outputs, 1)
        self.skip_layer = ConvBlock(inputs, outputs, 1)
        self.skips = inputs != outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        return y + (self.skip_layer(x) if self.skips else x)


class Hourglass(nn.Module):
    """A skip branch at this size around a smaller hourglass, whose own bottom is a single block."""

    def __init__(self, depth: int, channels: int, coords: int = 0):
        super().__init__()
        self.coordconv = ConvBlock(channels + coords, channels, 1) if coords else None
        self.up1 = ResBlock(channels, channels)
        self.low1 = ResBlock(channels, channels)
        self.low2 = Hourglass(depth - 1, channels) if depth > 1 else ResBlock(channels, channels)
        self.low3 = ResBlock(channels, channels)

    def forward(self, x: Tensor, heatmaps: Optional[Tensor] = None) -> Tensor:
        if self.coordconv is not None:
            x = self.coordconv(append_coordinates(x, heatmaps))
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return self.up1(x) + F.interpolate(low, scale_factor=2.0, mode="nearest")


class EdgesToPoints(nn.Module):
    """Each point sees the sum of the edges it lies on, or 1 if it lies on none; fixed, kept as buffers (N7)."""

    def __init__(self, points: int, edges: list[list[int]]):
        super().__init__()
        weight = torch.zeros(points, len(edges), 1, 1)
        bias = torch.ones(points)
        for index, edge in enumerate(edges):
            for point in edge:
                weight[point, index] = 1
                bias[point] = 0
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, edge_maps: Tensor) -> Tensor:
        return F.conv2d(edge_maps, self.weight, self.bias)


class StackOutput(NamedTuple):
    landmarks: Tensor  # [B, N, 2], (x, y) in -1..1
    heatmaps: Tensor  # [B, N, S/4, S/4], masked: what the landmarks are read off (N9)
    points: Optional[Tensor]  # [B, N, S/4, S/4] in 0..1
    edges: Optional[Tensor]  # [B, E, S/4, S/4] in 0..1


class StarNet(nn.Module):
    """All stacks. `stem` is the first convolution's width (published: 64)."""

    def __init__(
        self,
        points: int,
        edges: list[list[int]],
        stacks: int = 4,
        channels: int = 256,
        stem: int = 64,
        coord: bool = True,
        aam: bool = True,
    ):
        super().__init__()
        self.coord, self.aam = coord, aam
        wide = 2 * stem
        self.pre = nn.Sequential(
            ConvBlock(6 if coord else 3, stem, 7, stride=2, normalised=True),
            ResBlock(stem, wide),
            nn.MaxPool2d(2),
            ResBlock(wide, wide),
            ResBlock(wide, channels),
        )
        # The first stack has no heatmaps before it, and so no boundary channels.
        extra = [0 if not coord else 3 if stack == 0 else 5 for stack in range(stacks)]
        self.hgs = nn.ModuleList(Hourglass(DEPTH, channels, coords) for coords in extra)
        self.features = nn.ModuleList(
            nn.Sequential(ResBlock(channels, channels), ConvBlock(channels, channels, 1, normalised=True))
            for _ in range(stacks)
        )

        def heads(outputs: int) -> nn.ModuleList:
            return nn.ModuleList(ConvBlock(channels, outputs, 1) for _ in range(stacks))

        def merges(inputs: int) -> nn.ModuleList:
            return nn.ModuleList(ConvBlock(inputs, channels, 1) for _ in range(stacks - 1))

        self.out_heatmaps = heads(points)
        if aam:
            self.e2h_transform = EdgesToPoints(points, edges)
            self.out_edgemaps, self.out_pointmaps = heads(len(edges)), heads(points)
            self.merge_edgemaps, self.merge_pointmaps = merges(len(edges)), merges(points)
        self.merge_features = merges(channels)
        self.merge_heatmaps = merges(points)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "StarNet":
        """The network that a published state dictionary is of, loaded strictly."""
        points, channels = state["out_heatmaps.0.conv.weight"].shape[:2]
        stem, image = state["pre.0.conv.weight"].shape[:2]
        aam = "e2h_transform.weight" in state
        edges: list[list[int]] = []
        if aam:
            on_edge = state["e2h_transform.weight"][:, :, 0, 0] != 0
            edges = [column.nonzero()[:, 0].tolist() for column in on_edge.T]
        stacks = sum(key.startswith("out_heatmaps.") and key.endswith(".weight") for key in state)
        net = cls(points, edges, stacks, channels, stem, coord=image == 6, aam=aam)
        net.load_state_dict(state, strict=True)
        return net

    def forward(self, images: Tensor) -> list[StackOutput]:
        x = self.pre[0](append_coordinates(images) if self.coord else images)
        for layer in list(self.pre)[1:]:
            x = layer(x)
        outputs: list[StackOutput] = []
        previous = None
        for stack, hourglass in enumerate(self.hgs):
            features = self.features[stack](hourglass(x, previous))
            heatmaps = F.relu(F.instance_norm(self.out_heatmaps[stack](features), eps=EPSILON))
            points = edges = None
            fused = heatmaps
            if self.aam:
                points = torch.sigmoid(self.out_pointmaps[stack](features))
                edges = torch.sigmoid(self.out_edgemaps[stack](features))
                fused = self.e2h_transform(edges) * points * heatmaps
            if stack + 1 < len(self.hgs):
                x = x + self.merge_features[stack](features) + self.merge_heatmaps[stack](heatmaps)
                if self.aam:
                    x = x + self.merge_pointmaps[stack](points) + self.merge_edgemaps[stack](edges)
            # The next stack sees the heatmaps without the mask (N9).
            previous = heatmaps
            outputs.append(StackOutput(decode(fused), fused, points, edges))
        return outputs
