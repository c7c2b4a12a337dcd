"""The committed network of chapter 4's live figure."""

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file

from diffusion_lite.data import digits
from diffusion_lite.elbo import simple_loss
from diffusion_lite.mixtures import gaussian_fit
from diffusion_lite.networks import UNet
from diffusion_lite.schedules import cosine_schedule

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "denoiser"


def network(path):
    unet = UNet(width=24).requires_grad_(False)
    unet.load_state_dict(load_file(path))
    return unet


def test_it_beats_the_best_linear_denoiser_on_test_digits(generator):
    schedule, data = cosine_schedule(100), digits()
    flat = data.train_images.flatten(1).double()
    noise = 1e-3 * torch.randn(flat.shape, generator=generator)
    fitted = gaussian_fit(flat + noise)

    def linear(x_t, t):
        eps = fitted.optimal_eps(x_t.flatten(1), t, schedule)
        return eps.reshape(x_t.shape)

    x_0 = data.test_images.repeat(5, 1, 1, 1)
    t = torch.arange(len(x_0)) % 100 + 1
    eps = torch.randn(x_0.shape, generator=generator)
    unet = network(FOLDER / "weights.safetensors")
    losses = [
        float(simple_loss(model, x_0, t, eps, schedule))
        for model in (unet, linear)
    ]
    assert losses[0] < 0.9 * losses[1], losses


def test_the_script_writes_weights_that_the_page_can_load(tmp_path):
    spec = importlib.util.spec_from_file_location("a", FOLDER / "train.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path / "weights.safetensors", steps=2)
    assert isinstance(network(tmp_path / "weights.safetensors"), UNet)
