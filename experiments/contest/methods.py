"""The methods of the contest: how each is trained, sampled and measured."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from diffusion_lite.elbo import (
    denoising_loss,
    elbo_terms,
    loss_by_time,
    optimal_reverse_variance,
)
from diffusion_lite.flow import Flow, flow_loss
from diffusion_lite.gan import train_gan
from diffusion_lite.sampling import clamp_x_0, ddpm_sample
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import last, train
from diffusion_lite.vae import picture_vae, point_vae, vae_loss
from experiments.contest import networks
from experiments.contest.tasks import Task


@dataclass(frozen=True, eq=False)
class Learner:
    """A training under way, and what can be asked of its states."""

    states: Iterator  # each has .step and .loss
    sample: Callable  # (state, n, generator) -> samples
    nll: Callable | None = None  # (state, x, generator) -> nats
    closer: Callable | None = None  # the same, where nll is a loose bound
    parts: tuple[nn.Module, ...] = ()  # all that is trained; the first samples
    passes: int = 1  # of a network, for one sample


def diffusion(task: Task, build: str, config: dict, **run) -> Learner:
    """Build chapter 5's model; config: lr, batch_size, T."""
    model = networks.denoiser(build, picture=task.picture)
    schedule = cosine_schedule(config["T"])

    def sample(state, n: int, generator: torch.Generator) -> Tensor:
        eps_model = clamp_x_0(state.ema, schedule, -task.bound, task.bound)
        x_T = torch.randn(n, *task.data.shape[1:], generator=generator)
        return last(ddpm_sample(eps_model, x_T, schedule, generator=generator))

    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        few = task.data[:10_000]
        loss = loss_by_time(state.ema, few, schedule, generator=generator)
        kwargs = {
            "generator": generator,
            "variance": optimal_reverse_variance(loss),
        }
        return elbo_terms(state.ema, x, schedule, **kwargs).sum()

    loss = partial(denoising_loss, schedule=schedule)
    states = train(model, loss, task.data, **_loop(config), **run)
    return Learner(states, sample, nll, parts=(model,), passes=config["T"])


def gan(task: Task, build: str, config: dict, **run) -> Learner:
    """Build a GAN; config: lr, batch_size, noise_dim, and gamma for R1."""
    kind = {"picture": task.picture}
    model = networks.generator(build, config["noise_dim"], **kind)
    opponent = networks.discriminator(build, **kind)
    gamma = config.get("gamma", 0.0)
    states = train_gan(
        model, opponent, task.data, gamma=gamma, **_loop(config), **run
    )
    return Learner(states, _sample, parts=(model, opponent))


def vae(task: Task, build: str, config: dict, **run) -> Learner:
    """Build a VAE; config: lr, batch_size, latent_dim.

    A point is sampled with the decoder's noise, a picture is its mean.
    """
    make = picture_vae if task.picture else point_vae
    model = make(config["latent_dim"])
    states = train(model, vae_loss, task.data, **_loop(config), **run)

    @torch.no_grad()
    def sample_mean(state, n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, config["latent_dim"], generator=generator)
        return state.ema.decode(z)

    @torch.no_grad()
    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -state.ema.elbo(x, generator=generator).mean()

    @torch.no_grad()
    def closer(state, x: Tensor, generator: torch.Generator) -> Tensor:
        net = state.ema
        return -net.log_prob(x, samples=256, generator=generator).mean()

    parts = (model.decoder, model.encoder, nn.ParameterList([model.log_std]))
    sample = sample_mean if task.picture else _sample
    return Learner(states, sample, nll, closer, parts)


def flow(task: Task, build: str, config: dict, **run) -> Learner:
    """Build a flow; config: lr, batch_size, layers, width.

    Pictures are moved evenly within their grey levels, one eighth wide.
    """
    shape = tuple(task.data.shape[1:])
    model = Flow(shape, config["layers"], config["width"])
    level = 1 / 8 if task.picture else 0.0

    def loss(model: Flow, x: Tensor, generator: torch.Generator) -> Tensor:
        u = torch.rand(x.shape, generator=generator) - 0.5
        return flow_loss(model, x + level * u)

    @torch.no_grad()
    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -state.ema.log_prob(x).mean()

    states = train(model, loss, task.data, **_loop(config), **run)
    return Learner(states, _sample, nll, parts=(model,))


def kde(task: Task, build: str, config: dict, **run) -> Learner:
    """Build a kernel density: real data, with Gaussian noise on them."""
    from sklearn.neighbors import KernelDensity

    model = KernelDensity(**config, rtol=1e-3)
    seed = run["generator"].initial_seed()
    return _baseline(task, model, partial(model.sample, random_state=seed))


def mixture(task: Task, build: str, config: dict, **run) -> Learner:
    """Build a Gaussian mixture, fitted by expectation maximisation."""
    from sklearn.mixture import GaussianMixture

    seed = run["generator"].initial_seed()
    model = GaussianMixture(**config, random_state=seed)
    return _baseline(task, model, lambda n: model.sample(n)[0])


def real(task: Task, build: str, config: dict, **run) -> Learner:
    """Build real data: the floor of every measure."""
    truth = getattr(task, "mixture", None)

    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -truth.log_prob(x).mean()

    return Learner(
        iter([SimpleNamespace(step=1, loss=None)]),
        lambda state, n, generator: task.fresh(n, generator),
        truth and nll,
    )


def _loop(config: dict) -> dict:
    return {"lr": config["lr"], "batch_size": config["batch_size"]}


def _sample(state, n: int, generator: torch.Generator) -> Tensor:
    return state.ema.sample(n, generator=generator)


def _baseline(task: Task, model, rows: Callable) -> Learner:
    """Build a model of scikit-learn's, fitted at once."""
    data = task.data.double()

    def states() -> Iterator:
        model.fit(data.flatten(1).numpy())
        yield SimpleNamespace(step=1, loss=None)

    def sample(state, n: int, generator: torch.Generator) -> Tensor:
        x = torch.as_tensor(rows(n)).float().reshape(n, *data.shape[1:])
        return x[torch.randperm(n, generator=generator)]  # not mode by mode

    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -torch.as_tensor(model.score_samples(x.double().numpy())).mean()

    return Learner(states(), sample, nll)


METHODS = {
    "diffusion": diffusion,
    "gan": gan,
    "gan-r1": gan,
    "vae": vae,
    "flow": flow,
    "kde": kde,
    "mixture": mixture,
    "real": real,
}
