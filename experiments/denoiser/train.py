"""Train the U-Net of chapter 4's live figure; write its weights.

Run: python experiments/denoiser/train.py
"""

from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file

from diffusion_lite.data import digits
from diffusion_lite.elbo import denoising_loss
from diffusion_lite.networks import UNet
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import last, train

WEIGHTS = Path(__file__).with_name("weights.safetensors")


def main(path: Path = WEIGHTS, steps: int = 3000) -> None:
    """Train on the training digits; save the mean of the weights."""
    torch.manual_seed(0)  # the first weights
    run = train(
        UNet(width=24),
        partial(denoising_loss, schedule=cosine_schedule(100)),
        digits().train_images,
        steps=steps,
        batch_size=64,
        lr=2e-3,
        generator=torch.Generator().manual_seed(0),
    )
    weights = last(run).ema.state_dict()
    save_file({name: x.half() for name, x in weights.items()}, path)


if __name__ == "__main__":
    main()
