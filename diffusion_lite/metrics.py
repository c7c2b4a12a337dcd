"""How good are the samples? Each measure comes with its floor.

The floor is the measure of two independent sets of *real* data of the same
sizes: what a model scores whose samples are as good as new data.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite.arguments import batch, same_shape, whole
from diffusion_lite.data import digits
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.training import sample_batch, steady


def real_floor(
    distance: Callable[[Tensor, Tensor], Tensor | float],
    sample_pair: Callable[[], tuple[Tensor, Tensor]],
    repeats: int = 20,
) -> Tensor:
    """Return the distance between real and real, (repeats,).

    ``sample_pair()`` gives two independent sets of real data, of the sizes
    that model and data have where the model is measured, and with classes as
    random as the model's: for 364 digits, chance in the counts of the ten
    classes alone makes the Frechet distance three times as large.
    """
    (repeats,) = whole(1, repeats=repeats)
    found = [distance(*sample_pair()) for _ in range(repeats)]
    return torch.stack([torch.as_tensor(x).double() for x in found])


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Return the energy distance between two samples, a scalar >= 0.

    2 E|x - y| - E|x - x'| - E|y - y'|, each mean over all pairs: it is 0 only
    where the samples are the same. Between samples of one distribution it is
    small but not 0: see real_floor.
    Source: Szekely and Rizzo 2013, Energy statistics.
    Shapes: x (N, D), y (M, D).
    """
    _check_pair(x, y)
    x, y = x.double(), y.double()
    within = torch.cdist(x, x).mean() + torch.cdist(y, y).mean()
    return (2 * torch.cdist(x, y).mean() - within).clamp(min=0)


def mode_weights(x: Tensor, mixture: GaussianMixture) -> Tensor:
    """Return the share of x's rows that belongs to each mode of the mixture.

    A row belongs to its most probable component: (K,), of sum 1.
    """
    nearest = mixture.responsibilities(x).argmax(1)
    return nearest.bincount(minlength=len(mixture.weights)) / len(x)


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """Return half of sum |p - q| over K classes: from 0 to 1."""
    same_shape("p", p, "q", q)
    return (p - q).abs().sum() / 2


def modes_lost(shares: Tensor, weights: Tensor) -> int:
    """Return how many modes have less than a tenth of their weight."""
    same_shape("shares", shares, "weights", weights)
    return int((shares < weights / 10).sum())


def precision_recall(
    x: Tensor, data: Tensor, k: int = 3
) -> tuple[float, float]:
    """Return which shares of x, and of data, lie where the other does.

    Precision: the share of x's rows within a ball around some row of data,
    each ball reaching to that row's k-th nearest fellow. Recall: the same with
    the roles exchanged. A model of the right distribution has both below 1,
    and how far depends on the sizes: see real_floor.
    Source: Kynkaanniemi et al. 2019, eq. 1 and 2.
    Shapes: x (N, D), data (M, D); N and M above k.
    """
    _check_pair(x, data)
    (k,) = whole(1, k=k)
    if not k < min(len(x), len(data)):
        raise ValueError(
            "k must be below both sizes, got "
            f"k = {k}, {len(x)} and {len(data)} rows"
        )
    return _covered(x, data, k), _covered(data, x, k)


def _covered(x: Tensor, centers: Tensor, k: int) -> float:
    """Return the share of x's rows in the balls around the centers."""
    within = torch.cdist(centers, centers).kthvalue(k + 1).values  # 1: itself
    return float((torch.cdist(x, centers) <= within).any(1).double().mean())


def frechet_distance(x: Tensor, y: Tensor) -> Tensor:
    """Return the Frechet distance of two sets of features, a scalar.

    |mean_x - mean_y|^2 + tr(cov_x + cov_y - 2 (cov_x cov_y)^(1/2)): the
    squared distance of the two Gaussians of equal moments. It falls as samples
    grow, so compare it only at equal sizes, and with its floor.
    Source: Heusel et al. 2017, eq. 6; Dowson and Landau 1982.
    Shapes: x (N, D), y (M, D); N and M at least 2.
    """
    _check_pair(x, y)
    if min(len(x), len(y)) < 2:
        raise ValueError(
            f"x and y need at least 2 rows, got {len(x)} and {len(y)}"
        )
    x, y = x.double(), y.double()
    cov_x, cov_y = x.T.cov().reshape(2 * [x.shape[1]]), y.T.cov()
    cov_y = cov_y.reshape(2 * [y.shape[1]])
    root = torch.linalg.eigvals(cov_x @ cov_y).real.clamp(min=0).sqrt()
    spread = cov_x.trace() + cov_y.trace() - 2 * root.sum()
    return (x.mean(0) - y.mean(0)).square().sum() + spread.clamp(min=0)


def nearest(x: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row's distance to its nearest of the data, and which.

    Shapes: x (B, ...), data (N, ...); both results (B,). Euclidean.
    """
    x, data = batch("x", x).flatten(1), batch("data", data).flatten(1)
    _check_pair(x, data)
    distance, which = torch.cdist(x, data).min(1)
    return distance, which


def _new_classifier() -> nn.Sequential:
    """Return the network: 64 features, and a last layer of ten logits."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


@functools.cache
@steady()
def digit_classifier() -> nn.Sequential:
    """Return the classifier, trained on the digits' training set.

    The same one every time: its seed is fixed, and it takes a few seconds.
    It classifies 98 % of the test set correctly (a test checks that).
    """
    rows = digits().train_images, digits().train_labels
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _new_classifier()
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    rate = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, total_iters=300)
    for _ in range(300):
        x, y = sample_batch(rows, 128, generator)
        loss = F.cross_entropy(model(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        rate.step()
    return model.eval().requires_grad_(False)


def digit_features(images: Tensor) -> Tensor:
    """Return the 64 features of each picture, (B, 64)."""
    return digit_classifier()[:-1](_pictures(images))


def digit_labels(images: Tensor) -> Tensor:
    """Return the classifier's label of each picture, (B,)."""
    return digit_classifier()(_pictures(images)).argmax(1)


def _pictures(images: Tensor) -> Tensor:
    batch("images", images)
    if images.shape[1:] != (1, 8, 8):
        raise ValueError(
            f"images must be (B, 1, 8, 8), got {tuple(images.shape)}"
        )
    return images.detach().cpu().float()


def _check_pair(x: Tensor, y: Tensor) -> None:
    batch("x", x)
    batch("y", y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(
            "x and y must be (N, D) and (M, D), got "
            f"{tuple(x.shape)} and {tuple(y.shape)}"
        )
