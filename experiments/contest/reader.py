"""Features of 8x8 digits by a network that never saw one of them.

It learned to read MNIST's digits, made small, and so it favours no method
that learned from the same pictures as the features did.
"""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite import metrics
from diffusion_lite.data import mnist
from diffusion_lite.training import sample_batch, steady

STEPS = 600


def small_mnist() -> tuple[Tensor, Tensor]:
    """Return MNIST's 5,000 digits as 8x8 pictures, and their labels."""
    each = mnist()
    images = torch.cat([each.train_images, each.test_images])
    labels = torch.cat([each.train_labels, each.test_labels])
    return torch.stack([small(image) for image in images]), labels


def small(image: Tensor) -> Tensor:
    """Return a picture (1, H, W), cut to its ink and averaged to (1, 8, 8).

    The cut is square, and the ink in its middle.
    """
    ink = image[0] > -0.5
    rows, columns = (ink.any(axis).nonzero().flatten() for axis in (1, 0))
    cut = image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = cut.shape[1:]
    side = max(height, width)
    above, left = (side - height) // 2, (side - width) // 2
    edges = left, side - width - left, above, side - height - above
    return F.interpolate(
        F.pad(cut, edges, value=-1.0)[None], size=(8, 8), mode="area"
    )[0]


@functools.cache
@steady()
def reader() -> nn.Sequential:
    """Return the network, trained: the same one every time.

    Its ink is made up to 2.5 times as dark at random, for the digits that
    it is to read are darker than MNIST's.
    """
    rows, generator = small_mnist(), torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = metrics._new_classifier()
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    rate = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, total_iters=STEPS)
    for _ in range(STEPS):
        x, y = sample_batch(rows, 128, generator)
        gain = 1 + 1.5 * torch.rand(len(x), 1, 1, 1, generator=generator)
        loss = F.cross_entropy(model(((x + 1) * gain - 1).clamp(-1, 1)), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        rate.step()
    return model.eval().requires_grad_(False)


def features(images: Tensor) -> Tensor:
    """Return the 64 features of pictures (B, 1, 8, 8): (B, 64)."""
    return reader()[:-1](images)


def labels(images: Tensor) -> Tensor:
    """Return which digit each picture is read as, (B,)."""
    return reader()(images).argmax(1)
