"""The painter's network: a U-Net whose middle is a transformer.

At 16 by 16 blocks of 2 by 2 pixels convolutions see to what things look
like. At 8 by 8 each place attends to every other and to the tags: there it
is decided what stands where.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite.networks import ResBlock, time_embedding

HEADS = 4


class Painter(nn.Module):
    """A denoiser that is told tags: forward(x_t, t, y) -> v_hat.

    y says of each tag whether it is wanted (1), unwanted (-1), or not said
    (0). Shapes: x_t (B, 3, 32, 32), t (B,) integers, y (B, tags).
    """

    def __init__(
        self,
        tags: int,
        width: int = 48,
        dim: int = 128,
        depth: int = 5,
        word: int = 64,
    ) -> None:
        super().__init__()
        self.width, emb = width, 4 * width
        self.time = nn.Sequential(
            nn.Linear(2 * width, emb), nn.SiLU(), nn.Linear(emb, emb)
        )
        self.sums = nn.Parameter(0.1 * torch.randn(2, tags, emb))
        self.words = nn.Parameter(torch.randn(2, tags, word))
        self.first = nn.Conv2d(12, width, 3, padding=1)
        self.down = ResBlock(width, width, emb)
        self.downsample = nn.Conv2d(width, dim, 3, stride=2, padding=1)
        self.places = nn.Parameter(0.02 * torch.randn(64, dim))
        self.modulation = nn.Linear(emb, 6 * dim)
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, word) for _ in range(depth)
        )
        self.upsample = nn.Conv2d(dim, width, 3, padding=1)
        self.up = ResBlock(2 * width, width, emb)
        self.norm = nn.GroupNorm(width // 8, width)
        self.last = nn.Conv2d(width, 12, 3, padding=1)
        for layer in self.modulation, self.last:
            for p in layer.parameters():
                nn.init.zeros_(p)

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return v_hat (B, 3, 32, 32)."""
        emb = self.time(time_embedding(t, 2 * self.width))
        emb = F.silu(emb + self.embed(y, self.sums).sum(1))  # (B, emb)
        words, said = self.embed(y, self.words), y != 0
        skip = self.down(self.first(F.pixel_unshuffle(x_t, 2)), emb)
        h = self.downsample(skip)  # (B, dim, 8, 8)
        x = h.flatten(2).transpose(1, 2) + self.places  # (B, 64, dim)
        change = self.modulation(emb).unflatten(1, (6, 1, -1)).unbind(1)
        for block in self.blocks:
            x = block(x, words, said, change)
        h = x.transpose(1, 2).reshape(h.shape)
        h = self.upsample(F.interpolate(h, scale_factor=2))
        h = self.up(torch.cat([h, skip], 1), emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)

    @staticmethod
    def embed(y: Tensor, table: Tensor) -> Tensor:
        """Return a vector for each tag, wanted or unwanted: (B, tags, D).

        table (2, tags, D) has those of wanted tags, and of unwanted ones.
        """
        wanted, unwanted = y.clamp(min=0), (-y).clamp(min=0)
        return wanted[..., None] * table[0] + unwanted[..., None] * table[1]


class TransformerBlock(nn.Module):
    """Attention to places and words, then a perceptron at each place.

    Both are scaled and shifted, and weighed, by time and tags: the same
    numbers for all blocks, to which each adds its own.
    Source: Peebles and Xie 2023, figure 3 (adaLN-Zero); Chen et al. 2024,
    section 2.3, for the numbers that blocks share.
    """

    def __init__(self, dim: int, word: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.zeros(6, dim))
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.word = nn.Linear(word, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 3 * dim), nn.SiLU(), nn.Linear(3 * dim, dim)
        )

    def forward(
        self,
        x: Tensor,
        words: Tensor,
        said: Tensor,
        change: tuple[Tensor, ...],
    ) -> Tensor:
        """Map x (B, places, dim) to its shape.

        Told are words (B, tags, word), those that are said (B, tags).
        """
        own = [a + b for a, b in zip(change, self.own, strict=True)]
        scale, shift, weight = own[:3]
        q, k, v = self.qkv(self.norm(x) * (1 + scale) + shift).chunk(3, 2)
        k_word, v_word = self.word(words).chunk(2, 2)
        k, v = torch.cat([k, k_word], 1), torch.cat([v, v_word], 1)
        there = F.pad(said, (x.shape[1], 0), value=True)
        x = x + weight * self.out(attention(q, k, v, there))
        scale, shift, weight = own[3:]
        return x + weight * self.mlp(self.norm(x) * (1 + scale) + shift)


def attention(q: Tensor, k: Tensor, v: Tensor, there: Tensor) -> Tensor:
    """Return each query's means of the values, of HEADS parts apart.

    Only of those that are there. Shapes: q (B, N, dim), k and v (B, M, dim),
    there (B, M).
    """
    q, k, v = (a.unflatten(2, (HEADS, -1)).transpose(1, 2) for a in (q, k, v))
    mask = there[:, None, None]
    found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return found.transpose(1, 2).flatten(2)
