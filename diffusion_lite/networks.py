"""Networks that predict the noise: an MLP for points, a U-Net for pictures.

Both are denoisers: forward(x_t, t) -> eps_hat, with integer t (B,).
"""

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite.arguments import (
    WHOLE,
    class_labels,
    described,
    rows,
    whole,
)
from diffusion_lite.parameterization import eps_from_v
from diffusion_lite.schedules import Schedule

Layer = TypeVar("Layer", bound=nn.Module)


def time_embedding(t: Tensor, dim: int) -> Tensor:
    """Return sines and cosines of t at dim / 2 frequencies: (B, dim).

    Wavelengths run from 2 pi to nearly 2 pi 10^4 steps, so that
    neighbouring steps have similar embeddings and distant ones do not. dim
    must be even.
    Book: eq-time-embedding.
    Source: Vaswani et al. 2017, section 3.5; Ho et al. 2020, appendix B.
    """
    (dim,) = whole(2, 2, dim=dim)
    half = torch.arange(dim // 2, dtype=torch.float32, device=t.device)
    angle = t[:, None] * torch.exp(-math.log(10_000) * (half / len(half)))
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def in_dtype_of(net: nn.Module, x: Tensor) -> Tensor:
    """Return x in the dtype of the network's weights, if it has any."""
    dtypes = {p.dtype for p in net.parameters()} or {x.dtype}
    if len(dtypes) > 1:
        raise ValueError(
            f"{type(net).__name__} must have weights of one dtype, got "
            f"{sorted(map(str, dtypes))}"
        )
    return x.to(dtypes.pop())


class Perceptron(nn.Sequential):
    """Layers one after another, on x in the dtype of their weights."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Return what the last layer gives."""
        h = in_dtype_of(self, input)
        for layer in self:
            h = layer(h)
        return h


def perceptron(
    d_in: int,
    width: int,
    depth: int,
    d_out: int,
    activation: type[nn.Module] = nn.SiLU,
) -> nn.Sequential:
    """Return a multilayer perceptron (B, d_in) -> (B, d_out), without time.

    ``depth`` hidden layers of ``width``, the activation after each.
    """
    d_in, width, depth, d_out = whole(
        1, d_in=d_in, width=width, depth=depth, d_out=d_out
    )
    sizes = [d_in, *depth * [width]]
    layers = [
        layer
        for a, b in pairwise(sizes)
        for layer in (nn.Linear(a, b), activation())
    ]
    return Perceptron(*layers, nn.Linear(sizes[-1], d_out))


class MLP(nn.Module):
    """A denoiser for points: forward(x_t (B, dim), t (B,)) -> (B, dim).

    Residual layers, each conditioned on time by a scale and a shift.
    """

    def __init__(self, dim: int = 2, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        dim, width, depth = whole(1, dim=dim, width=width, depth=depth)
        self.dim, self.width = dim, width
        self.time = nn.Sequential(nn.Linear(32, width), nn.SiLU())
        self.first = nn.Linear(dim, width)
        self.layers = nn.ModuleList(
            FiLMLayer(width, width) for _ in range(depth)
        )
        self.last = nn.Linear(width, dim)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return eps_hat (B, dim)."""
        _check_time(t, rows("x_t", x_t, self.dim))
        emb = self.time(in_dtype_of(self, time_embedding(t, 32)))
        h = self.first(in_dtype_of(self, x_t))
        for layer in self.layers:
            h = h + layer(h, emb)
        return self.last(h).to(x_t.dtype)


class FiLMLayer(nn.Module):
    """One layer of the MLP: linear, scaled and shifted by time, SiLU.

    silu((1 + scale) * (W h + b) + shift): feature-wise linear modulation.
    Book: eq-film. Source: Perez et al. 2018, eq. 2, for the scale
    and the shift.
    """

    def __init__(self, width: int, emb_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.time = nn.Linear(emb_dim, 2 * width)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """Return the layer's change to h (B, width)."""
        scale, shift = self.time(emb).chunk(2, dim=1)
        return F.silu(self.linear(h) * (1 + scale) + shift)


class UNet(nn.Module):
    """A denoiser for pictures: forward(x_t, t, y=None) -> eps_hat.

    It works at full size with ``width`` channels, and at half size with
    twice as many and self-attention. With ``num_classes`` it is also
    conditioned on the label y.
    Shapes: x_t (B, channels, H, W), H and W even; t and y (B,) integers.
    Source: Ronneberger et al. 2015; Ho et al. 2020, appendix B.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 32,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        (self.channels,) = (channels,) = whole(1, channels=channels)
        (self.width,) = (width,) = whole(8, 8, width=width)
        self.time = nn.Sequential(
            nn.Linear(2 * width, 4 * width),
            nn.SiLU(),
            nn.Linear(4 * width, 4 * width),
        )
        self.label: nn.Embedding | None = None
        if num_classes is not None:
            (num_classes,) = whole(1, num_classes=num_classes)
            self.label = nn.Embedding(num_classes, 4 * width)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.down = ResBlock(width, width, 4 * width)
        self.downsample = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle_1 = ResBlock(2 * width, 2 * width, 4 * width)
        self.attention = Attention(2 * width)
        self.middle_2 = ResBlock(2 * width, 2 * width, 4 * width)
        self.upsample = nn.Conv2d(2 * width, width, 3, padding=1)
        self.up = ResBlock(2 * width, width, 4 * width)
        self.norm = nn.GroupNorm(width // 8, width)
        self.last = _from_zero(nn.Conv2d(width, channels, 3, padding=1))

    def forward(
        self, x_t: Tensor, t: Tensor, y: Tensor | None = None
    ) -> Tensor:
        """Return eps_hat (B, channels, H, W)."""
        emb = self._embed(x_t, t, y)  # (B, 4 width)
        skip = self.down(self.first(in_dtype_of(self, x_t)), emb)
        h = self.downsample(skip)  # (B, 2 width, H/2, W/2)
        h = self.attention(self.middle_1(h, emb))
        h = self.middle_2(h, emb)
        h = self.upsample(F.interpolate(h, scale_factor=2))  # (B, width, H, W)
        h = self.up(torch.cat([h, skip], dim=1), emb)
        return self.last(F.silu(self.norm(h))).to(x_t.dtype)

    def _embed(self, x_t: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """Return the embedding of the time, and of the label if any."""
        _check_time(t, rows("x_t", x_t, self.channels, -1, -1))
        if x_t.shape[2] % 2 or x_t.shape[3] % 2:
            raise ValueError(
                f"x_t must have even height and width, got {tuple(x_t.shape)}"
            )
        emb = time_embedding(t, 2 * self.width)
        emb = self.time(in_dtype_of(self, emb))
        if y is None and self.label is None:
            return F.silu(emb)
        if y is None or self.label is None:
            given = "no y" if y is None else "a y"
            built = "without" if self.label is None else "with"
            raise ValueError(f"got {given}, but built {built} num_classes")
        class_labels("y", y, len(x_t), self.label.num_embeddings)
        return F.silu(emb + self.label(y.long()))


class VPrediction(nn.Module):
    """A denoiser by a network that predicts v: forward(x_t, t, y=) -> eps_hat.

    eps_hat = s x_t + a v_hat: at large t, where a is small, the input is
    nearly the answer already. Book: eq-x-0-eps-from-v.
    """

    def __init__(self, net: nn.Module, schedule: Schedule) -> None:
        super().__init__()
        self.net, self.schedule = net, schedule

    def forward(self, x_t: Tensor, t: Tensor, **labels: Tensor) -> Tensor:
        """Return eps_hat, of x_t's shape; y is handed on to the network."""
        return eps_from_v(x_t, t, self.net(x_t, t, **labels), self.schedule)


def _from_zero(layer: Layer) -> Layer:
    """Return the layer with weights of 0: a block then begins as no change.

    Source: Goyal et al. 2017, section 5.1, there of its last normalisation.
    """
    for p in layer.parameters():
        nn.init.zeros_(p)
    return layer


class ResBlock(nn.Module):
    """Two convolutions, conditioned on time, and a residual connection.

    Book: eq-res-block. Source: Ho et al. 2020, appendix B; scale and shift
    as in Nichol and Dhariwal 2021.
    """

    def __init__(self, c_in: int, c_out: int, emb_dim: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(c_in // 8, c_in)
        self.conv_1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.time = nn.Linear(emb_dim, 2 * c_out)
        self.norm_2 = nn.GroupNorm(c_out // 8, c_out)
        self.conv_2 = _from_zero(nn.Conv2d(c_out, c_out, 3, padding=1))
        same = c_in == c_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """Map x (B, c_in, H, W), emb (B, emb_dim) to (B, c_out, H, W)."""
        scale, shift = self.time(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.conv_1(F.silu(self.norm_1(x)))
        h = self.norm_2(h) * (1 + scale) + shift
        return self.shortcut(x) + self.conv_2(F.silu(h))


class Attention(nn.Module):
    """Self-attention: every position attends to every other.

    Book: eq-attention. Source: Vaswani et al. 2017, eq. 1, with one head.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(channels // 8, channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = _from_zero(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, H, W) plus each position's mean of the values."""
        positions = self.norm(x).flatten(2).transpose(1, 2)  # (B, H W, C)
        q, k, v = self.qkv(positions).chunk(3, dim=2)
        change = self.out(self.attention_weights(q, k) @ v)
        return x + change.transpose(1, 2).reshape(x.shape)

    def attention_weights(self, q: Tensor, k: Tensor) -> Tensor:
        """Return the weight of each position in each mean: (B, H W, H W)."""
        return (q @ k.transpose(1, 2) / q.shape[2] ** 0.5).softmax(2)


def _check_time(t: Tensor, x_t: Tensor) -> None:
    whole_numbers = isinstance(t, Tensor) and t.dtype in WHOLE
    if not whole_numbers or t.shape != x_t.shape[:1]:
        raise ValueError(
            f"t must be an integer tensor ({len(x_t)},), one for each row "
            f"of x_t, got {described(t)}"
        )
