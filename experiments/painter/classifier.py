"""A network that says which tags a picture shows, to measure the painter by.

Run: python -m experiments.painter.classifier

It is trained on pictures of its own, held-out combinations among them.
"""

from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite.training import last, train
from experiments.painter.scenes import TAGS, sample_scenes

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "classifier.safetensors"
PICTURES = 30_000
STEPS = 3_000


def classifier() -> nn.Sequential:
    """Return the network, untrained: (B, 3, 32, 32) -> logits (B, tags).

    The layers but the last give 128 features, for distances.
    """
    layers: list[nn.Module] = []
    for a, b in pairwise((3, 32, 64, 96)):
        layers += [
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.GroupNorm(8, b),
            nn.SiLU(),
            nn.Conv2d(b, b, 3, padding=1),
            nn.GroupNorm(8, b),
            nn.SiLU(),
        ]
    features = nn.Flatten(), nn.Linear(16 * 96, 128), nn.SiLU()
    return nn.Sequential(*layers, *features, nn.Linear(128, len(TAGS)))


def loss(
    model: nn.Module, x: Tensor, shown: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Return the cross-entropy of every tag, of pictures with a little noise.

    With noise the classifier looks at things and not at single pixels, so a
    painter's blur does not confuse it.
    """
    strength = 0.2 * torch.rand(len(x), 1, 1, 1, generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    logits = model(x + strength * noise)
    return F.binary_cross_entropy_with_logits(logits, shown)


def fit(steps: int = STEPS, pictures: int = PICTURES) -> nn.Module:
    """Train the classifier on pictures with whatever tags."""
    generator = torch.Generator().manual_seed(10)
    data = sample_scenes(pictures, generator=generator)
    torch.manual_seed(10)  # the first weights
    run = train(
        classifier(),
        loss,
        tuple(data),
        steps=steps,
        batch_size=64,
        lr=2e-3,
        generator=generator,
    )
    return last(run).ema


def load_classifier() -> nn.Sequential:
    """Return the trained classifier."""
    model = classifier().requires_grad_(False).eval()
    model.load_state_dict(load_file(WEIGHTS))
    return model


@torch.no_grad()
def tags_seen(model: nn.Module, pictures: Tensor) -> Tensor:
    """Return 1 for each tag that is seen, else 0: (B, tags)."""
    logits = torch.cat([model(x) for x in pictures.split(500)])
    return (logits > 0).float()


if __name__ == "__main__":
    trained = fit().state_dict()
    save_file({name: x.half() for name, x in trained.items()}, WEIGHTS)
