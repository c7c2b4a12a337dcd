"""Teach a trained painter a new word: LoRA, and a row for the word."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite.arguments import whole
from experiments.painter.network import Painter


class LoRALinear(nn.Module):
    """A linear layer whose change has a low rank: W + B A.

    W stays as it was trained; A (rank, in) and B (out, rank) learn. B begins
    as 0, so at first nothing changes.
    Source: Hu et al. 2022 (LoRA), eq. 3.
    """

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        low = torch.empty(rank, linear.in_features)
        nn.init.kaiming_uniform_(low, a=math.sqrt(5))
        self.down = nn.Parameter(low)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Return W x + b + B A x."""
        return self.linear(x) + F.linear(F.linear(x, self.down), self.up)


def with_new_words(painter: Painter, count: int, rank: int = 4) -> Painter:
    """Return a copy that can learn words: count tags more, after the others.

    What learns are the rows of the new tags, and low-rank changes of the
    transformer's layers; all else stays as it was trained.
    """
    count, rank = whole(1, count=count, rank=rank)
    taught = copy.deepcopy(painter).requires_grad_(False)
    for block in taught.blocks:
        for layers, name in (
            (block, "qkv"),
            (block, "word"),
            (block, "out"),
            (block.mlp, "0"),
            (block.mlp, "2"),
        ):
            old = layers.get_submodule(name)
            layers.set_submodule(name, LoRALinear(old, rank))
    taught.words = _more_rows(painter.words, count)
    taught.sums = _more_rows(painter.sums, count)
    return taught


def _more_rows(rows: Tensor, count: int) -> nn.Parameter:
    """Return rows (2, tags + count, D), of which only the new ones learn.

    A new one begins as the mean of the others.
    """
    known, rows = rows.shape[1], rows.detach()
    new = rows.mean(1, keepdim=True).expand(-1, count, -1)
    more = nn.Parameter(torch.cat([rows, new], 1))
    learns = torch.zeros(1, known + count, 1)
    learns[:, known:] = 1
    more.register_hook(lambda gradient: gradient * learns.to(gradient))
    return more
