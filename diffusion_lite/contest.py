"""A fair contest: one distribution, one budget, several families, many seeds.

A *job* is one training of one entrant from one seed. Every entrant gets the
same data, about as many parameters where it draws, and the same CPU seconds
on one core, for the search of its settings and for the trainings that count.
``make contest`` runs all jobs; what they find is in ``results``.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from diffusion_lite import metrics
from diffusion_lite.data import digits, eight_modes
from diffusion_lite.elbo import (
    elbo_terms,
    loss_by_time,
    optimal_reverse_variance,
    simple_loss,
)
from diffusion_lite.flow import Flow, flow_loss
from diffusion_lite.gan import (
    picture_discriminator,
    picture_generator,
    point_discriminator,
    point_generator,
    train_gan,
)
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.sampling import clamp_x_0, ddpm_sample
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import fit, sample_batch
from diffusion_lite.vae import picture_vae, point_vae, vae_loss

MOMENTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""When in a training its quality is looked at, as shares of its steps."""

SEEDS = tuple(range(20, 30))
"""One for each training that counts; those below were looked at before."""

SEARCH_SEEDS = (100, 101)
"""Those of the search, which the contest does not use again."""


# ---- the two distributions --------------------------------------------------


class Ring:
    """The ring of eight unequal modes: everything is known exactly."""

    seconds = 15.0  # of CPU, for one training
    drawn = 50_000  # points that are measured at the end
    block = 4_000  # points that a distance takes
    few = 2_000  # points for a look in between
    nats = 4_000  # points whose likelihood is taken
    mixture = eight_modes()
    weights = mixture.weights
    distance = staticmethod(metrics.energy_distance)

    def __init__(self, generator: torch.Generator) -> None:
        self.data = self.mixture.sample(100_000, generator=generator).float()
        self.seed = 2000 + generator.initial_seed()

    def set_test_aside(self) -> None:
        """Do nothing: what is judged against is drawn anew each time."""

    def real(self, n: int) -> Tensor:
        """Draw n points that no model has seen, (n, 2): for all the same."""
        generator = torch.Generator().manual_seed(self.seed)
        return self.mixture.sample(n, generator=generator).float()

    def fresh(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n points as a perfect model would, (n, 2)."""
        return self.mixture.sample(n, generator=generator).float()

    def features(self, x: Tensor) -> Tensor:
        """Return what the distances are taken in: the points, (N, 2)."""
        return x

    def shares(self, x: Tensor) -> Tensor:
        """Return each mode's share of x, (8,)."""
        return metrics.mode_weights(x, self.mixture)


class Handwriting:
    """The 8x8 digits without their labels; 364 of them are held out."""

    seconds = 30.0
    drawn = block = 1_433
    few = 182
    nats = 0  # levels of grey need each model's own decoder
    distance = staticmethod(metrics.frechet_distance)

    def __init__(self, generator: torch.Generator) -> None:
        each = digits()
        self.data, self.held_out = each.train_images, each.test_images
        self.weights = each.test_labels.bincount() / len(each.test_labels)

    def set_test_aside(self) -> None:
        """Hold out every fourth training picture in place of the test's."""
        fourth = torch.arange(len(self.data)) % 4 == 0
        self.held_out, self.data = self.data[fourth], self.data[~fourth]

    def real(self, n: int) -> Tensor:
        """Return the held-out pictures, (364, 1, 8, 8), whatever n is."""
        return self.held_out

    def fresh(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n training pictures, their classes by chance as a model's."""
        return sample_batch(self.data, n, generator)

    def features(self, x: Tensor) -> Tensor:
        """Return what the distances are taken in, (N, 64).

        As on a screen, no ink is darker than black: x is clamped.
        """
        return metrics.digit_features(x.clamp(-1, 1))

    def shares(self, x: Tensor) -> Tensor:
        """Return the share of x that is read as each digit, (10,)."""
        labels = metrics.digit_labels(x.clamp(-1, 1))
        return labels.bincount(minlength=10) / len(x)


TASKS = {"ring": Ring, "digits": Handwriting}
Task = Ring | Handwriting


# ---- the entrants ----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Learner:
    """A training under way, and what can be asked of its states."""

    states: Iterator  # each has .step and .loss
    draw: Callable  # (state, n, generator) -> samples
    nll: Callable | None = None  # (state, x, generator) -> nats
    closer: Callable | None = None  # the same, where nll is a loose bound
    parts: tuple[nn.Module, ...] = ()  # all that is trained; the first draws
    passes: int = 1  # of a network, for one sample


def diffusion(task: Task, config: dict, **run) -> Learner:
    """Enter chapter 5's model; config: lr, batch_size, T."""
    points = isinstance(task, Ring)
    model = MLP() if points else UNet(width=24)
    schedule = cosine_schedule(config["T"])
    reach = 2.5 if points else 1.0  # of the data

    def loss(x_0: Tensor) -> Tensor:
        n, chance = len(x_0), run["generator"]
        t = torch.randint(1, schedule.T + 1, (n,), generator=chance)
        eps = torch.randn(x_0.shape, generator=chance)
        return simple_loss(model, x_0, t, eps, schedule)

    def draw(state, n: int, generator: torch.Generator) -> Tensor:
        eps_model = clamp_x_0(state.ema, schedule, -reach, reach)
        x_T = torch.randn(n, *task.data.shape[1:], generator=generator)
        walk = ddpm_sample(eps_model, x_T, schedule, generator=generator)
        return deque(walk, maxlen=1)[0]

    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        few = task.data[:10_000]
        loss = loss_by_time(state.ema, few, schedule, generator=generator)
        kwargs = {
            "generator": generator,
            "variance": optimal_reverse_variance(loss),
        }
        return elbo_terms(state.ema, x, schedule, **kwargs).sum()

    states = fit(model, loss, task.data, **_loop(config), **run)
    return Learner(states, draw, nll, parts=(model,), passes=config["T"])


def gan(task: Task, config: dict, **run) -> Learner:
    """Enter a GAN; config: lr, batch_size, noise_dim, and gamma for R1."""
    points = isinstance(task, Ring)
    make = point_generator if points else picture_generator
    model = make(config["noise_dim"])
    judge = point_discriminator() if points else picture_discriminator()
    gamma = config.get("gamma", 0.0)
    states = train_gan(
        model, judge, task.data, gamma=gamma, **_loop(config), **run
    )
    return Learner(states, _draw, parts=(model, judge))


def vae(task: Task, config: dict, **run) -> Learner:
    """Enter a VAE; config: lr, batch_size, latent_dim.

    A point is drawn with the decoder's noise, a picture as its mean.
    """
    points = isinstance(task, Ring)
    model = (point_vae if points else picture_vae)(config["latent_dim"])
    loss = partial(vae_loss, model, generator=run["generator"])
    states = fit(model, loss, task.data, **_loop(config), **run)

    @torch.no_grad()
    def draw_mean(state, n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, config["latent_dim"], generator=generator)
        return state.ema.module.decode(z)

    @torch.no_grad()
    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -state.ema.module.elbo(x, generator=generator).mean()

    @torch.no_grad()
    def closer(state, x: Tensor, generator: torch.Generator) -> Tensor:
        net = state.ema.module
        return -net.log_prob(x, draws=256, generator=generator).mean()

    parts = (model.decoder, model.encoder, nn.ParameterList([model.log_std]))
    draw = _draw if points else draw_mean
    return Learner(states, draw, nll, closer, parts)


def flow(task: Task, config: dict, **run) -> Learner:
    """Enter a flow; config: lr, batch_size, layers, width.

    Pictures are moved evenly within their grey levels, one eighth wide.
    """
    shape = tuple(task.data.shape[1:])
    model = Flow(shape, config["layers"], config["width"])
    level = 0.0 if isinstance(task, Ring) else 1 / 8

    def loss(x: Tensor) -> Tensor:
        u = torch.rand(x.shape, generator=run["generator"]) - 0.5
        return flow_loss(model, x + level * u)

    @torch.no_grad()
    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -state.ema.module.log_prob(x).mean()

    states = fit(model, loss, task.data, **_loop(config), **run)
    return Learner(states, _draw, nll, parts=(model,))


def kernels(task: Task, config: dict, **run) -> Learner:
    """Enter a kernel density: real data, with Gaussian noise on them."""
    from sklearn.neighbors import KernelDensity

    model = KernelDensity(**config, rtol=1e-3)
    sample = partial(
        model.sample, random_state=run["generator"].initial_seed()
    )
    return _baseline(task, model, sample)


def mixture(task: Task, config: dict, **run) -> Learner:
    """Enter a Gaussian mixture, fitted by expectation maximisation."""
    from sklearn.mixture import GaussianMixture

    seed = run["generator"].initial_seed()
    model = GaussianMixture(**config, random_state=seed)
    return _baseline(task, model, lambda n: model.sample(n)[0])


def real(task: Task, config: dict, **run) -> Learner:
    """Enter real data: the floor of every measure."""
    mixture = getattr(task, "mixture", None)

    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -mixture.log_prob(x).mean()

    return Learner(
        iter([SimpleNamespace(step=1, loss=None)]),
        lambda state, n, generator: task.fresh(n, generator),
        mixture and nll,
    )


def _loop(config: dict) -> dict:
    return {"lr": config["lr"], "batch_size": config["batch_size"]}


def _draw(state, n: int, generator: torch.Generator) -> Tensor:
    return state.ema.module.sample(n, generator=generator)


def _baseline(task: Task, model, sample: Callable) -> Learner:
    """Enter a model of scikit-learn's, fitted at once."""
    data = task.data.double()

    def states() -> Iterator:
        model.fit(data.flatten(1).numpy())
        yield SimpleNamespace(step=1, loss=None)

    def draw(state, n: int, generator: torch.Generator) -> Tensor:
        x = torch.as_tensor(sample(n)).float().reshape(n, *data.shape[1:])
        return x[torch.randperm(n, generator=generator)]  # not mode by mode

    def nll(state, x: Tensor, generator: torch.Generator) -> Tensor:
        return -torch.as_tensor(model.score_samples(x.double().numpy())).mean()

    return Learner(states(), draw, nll)


ENTRANTS = {
    "diffusion": diffusion,
    "gan": gan,
    "gan-r1": gan,
    "vae": vae,
    "flow": flow,
    "kernels": kernels,
    "mixture": mixture,
    "real": real,
}


# ---- the settings that each may search through ------------------------------


def _grid(**choices: tuple) -> list[dict]:
    """Return every combination of the choices."""
    return [
        dict(zip(choices, values, strict=True))
        for values in product(*choices.values())
    ]


SEARCH = {
    "ring": {
        "diffusion": _grid(
            lr=(3e-2, 6e-2), batch_size=(256, 512, 1024), T=(100,)
        ),
        "gan": _grid(
            lr=(1e-3, 3e-3), batch_size=(256, 512, 1024), noise_dim=(2,)
        ),
        "gan-r1": _grid(
            lr=(1e-3, 2e-3, 4e-3),
            batch_size=(256,),
            noise_dim=(8, 16),
            gamma=(0.1,),
        ),
        "vae": _grid(
            lr=(1e-2, 2e-2), batch_size=(256, 512, 1024), latent_dim=(8,)
        ),
        "flow": [
            {"lr": lr, "batch_size": 512, "layers": layers, "width": width}
            for lr in (1e-2, 2e-2, 4e-2)
            for layers, width in ((8, 67), (12, 54))  # of one size
        ],
        "kernels": _grid(bandwidth=(0.01, 0.02, 0.03, 0.05)),
        "mixture": _grid(n_components=(4, 8, 12, 16)),
        "real": [{}],
    },
    "digits": {
        "diffusion": _grid(
            lr=(2e-3, 4e-3, 8e-3), batch_size=(64, 128), T=(100,)
        ),
        "gan": _grid(
            lr=(1e-3, 2e-3, 4e-3), batch_size=(128, 256), noise_dim=(32,)
        ),
        "gan-r1": _grid(
            lr=(2e-3, 4e-3, 8e-3),
            batch_size=(64,),
            noise_dim=(32,),
            gamma=(0.1, 0.3),
        ),
        "vae": _grid(
            lr=(3e-3, 5e-3, 8e-3), batch_size=(64,), latent_dim=(8, 16)
        ),
        "flow": [
            {"lr": lr, "batch_size": 64, "layers": layers, "width": width}
            for lr in (3e-3, 5e-3, 1e-2)
            for layers, width in ((12, 60), (16, 47))
        ],
        "kernels": _grid(bandwidth=(0.03, 0.05, 0.1)),
        "mixture": _grid(n_components=(40, 80, 160), reg_covar=(3e-3,)),
        "real": [{}],
    },
}


# ---- one job ---------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """One training: everything that its result follows from."""

    phase: str  # "search" for the settings, or "contest"
    task: str
    entrant: str
    config: dict
    seed: int
    steps: int  # 0: as many as fit into the task's seconds, see affordable

    @property
    def name(self) -> str:
        """A name of its own, also for a file."""
        settings = [f"{value:g}" for value in self.config.values()]
        return "_".join(
            [self.phase, self.task, self.entrant, *settings, f"{self.seed}"]
        )

    @property
    def is_loop(self) -> bool:
        """Whether it trains step by step, and not at once."""
        return "lr" in self.config


def search_jobs(task: str, entrant: str) -> list[Job]:
    """Return a job for each of an entrant's settings and search seeds."""
    return [
        Job("search", task, entrant, config, seed, steps=0)
        for config in SEARCH[task][entrant]
        for seed in SEARCH_SEEDS
    ]


def contest_jobs(rows: list[dict]) -> list[Job]:
    """Return a job for each seed, with the best settings of a search.

    The rows are those of one entrant's search; the best settings are those
    of the smallest mean distance. The steps are as many as fit into the
    task's seconds, at the pace that the search measured.
    """
    best = best_of_search(rows)
    first, task = best[0], TASKS[best[0]["task"]]
    job = Job(
        "contest", first["task"], first["entrant"], first["config"], 0, 1
    )
    if job.is_loop:
        steps, seconds = (
            sum(row[key] for row in best) for key in ("steps", "seconds")
        )
        job = replace(job, steps=round(steps * task.seconds / seconds))
    return [replace(job, seed=seed) for seed in SEEDS]


def best_of_search(rows: list[dict]) -> list[dict]:
    """Return the rows of the settings whose mean distance is smallest."""
    tried = {}
    for row in rows:
        tried.setdefault(str(row["config"]), []).append(row)
    return min(
        tried.values(), key=lambda each: sum(row["distance"] for row in each)
    )


def run(job: Job) -> Iterator[dict]:
    """Train, look at the model now and then, and yield a row a look.

    In a search there is one look, at the end. In the contest there is one
    at each of the MOMENTS, and the last row has every measure. A training
    that blows up ends with an infinite distance.
    """
    job = job if job.steps else replace(job, steps=affordable(job))
    task, learner = start(job)
    moments = {job.steps}
    if job.phase == "contest":
        moments |= {math.ceil(share * job.steps) for share in MOMENTS}
    losses, spent = [], 0.0
    try:
        for state, spent in timed(learner.states):
            losses.append((state.loss, getattr(state, "judge_loss", None)))
            if state.step in moments:
                row = look(job, task, learner, state)
                yield row | {"seconds": spent} | means(losses)
                losses = []
    except FloatingPointError:
        row = about(job, learner) | {"step": job.steps, "seconds": spent}
        yield row | {"distance": math.inf}


def start(job: Job) -> tuple[Task, Learner]:
    """Return the task, and the entrant at its first step."""
    generator = torch.Generator().manual_seed(job.seed)
    torch.manual_seed(job.seed)  # the first weights
    task = TASKS[job.task](generator)
    if job.phase == "search":
        task.set_test_aside()
    enter = ENTRANTS[job.entrant]
    steps = {"steps": job.steps} if job.is_loop else {}
    return task, enter(task, job.config, **steps, generator=generator)


def timed(states: Iterator) -> Iterator[tuple[object, float]]:
    """Yield each state with the CPU seconds that all so far have taken."""
    seconds, begin = 0.0, time.process_time()
    for state in states:
        seconds += time.process_time() - begin
        yield state, seconds
        begin = time.process_time()


def affordable(job: Job, tried: int = 60) -> int:
    """Return how many steps fit into the task's seconds on this machine."""
    if not job.is_loop:
        return 1
    _, learner = start(replace(job, steps=2 * tried))
    spent = [seconds for _, seconds in timed(learner.states)]
    pace = (spent[-1] - spent[tried - 1]) / tried
    return round(TASKS[job.task].seconds / pace)


def about(job: Job, learner: Learner) -> dict:
    """Return what is the same in all rows of a job."""
    counts = [
        sum(p.numel() for p in part.parameters()) for part in learner.parts
    ]
    return asdict(job) | {
        "parameters": counts[0] if counts else None,
        "trained": sum(counts) if counts else None,
        "passes": learner.passes,
    }


def look(job: Job, task: Task, learner: Learner, state: object) -> dict:
    """Return a row: the job, the step, and how far from the data it is.

    At the end of a training of the contest, every measure. All looks at a
    training have the same chance, so they differ by what it has learned, and
    the last does not hang on how many came before.
    """
    generator = torch.Generator().manual_seed(1000 + job.seed)
    draw = partial(learner.draw, state, generator=generator)
    n = task.few if job.phase == "contest" else task.block
    row = about(job, learner) | {"step": state.step}
    if job.phase == "contest" and state.step == job.steps:
        x, times = draw_all(task, draw)
        row |= times | measures(task, x)
        row |= likelihoods(task, learner, state, generator)
    else:
        x = draw(n)
    there = task.features(task.real(n))
    distance = task.distance(task.features(x[:n]), there)
    return row | {"distance": float(distance)}


def draw_all(task: Task, draw: Callable) -> tuple[Tensor, dict]:
    """Return all samples to be measured, and what a few of them cost."""
    _, one = fastest(lambda: draw(1))
    x, thousand = fastest(lambda: draw(1000))
    x = torch.cat([x, draw(task.drawn - 1000)])
    return x, {"seconds_one": one, "seconds_thousand": thousand}


def fastest(call: Callable) -> tuple[Tensor, float]:
    """Return the last result of three calls, and the fastest's CPU seconds.

    Of fewer calls, if they are slow.
    """
    spent = []
    while len(spent) < 3 and sum(spent) < 5:
        begin = time.process_time()
        result = call()
        spent.append(time.process_time() - begin)
    return result, min(spent)


def measures(task: Task, x: Tensor) -> dict:
    """Return what can be said of the samples x alone, (drawn, ...)."""
    shares = task.shares(x)
    drawn = task.features(x[: task.block])
    there = task.features(task.real(task.block))
    precision, recall = metrics.precision_recall(drawn, there)
    return {
        "weights_tv": float(metrics.total_variation(shares, task.weights)),
        "modes_lost": metrics.modes_lost(shares, task.weights),
        "energy": float(metrics.energy_distance(drawn, there)),
        "frechet": float(metrics.frechet_distance(drawn, there)),
        "precision": precision,
        "recall": recall,
    }


def likelihoods(
    task: Task, learner: Learner, state: object, generator: torch.Generator
) -> dict:
    """Return -log p of new points, or bounds on it, where they are known."""
    found = {"nats": learner.nll, "nats_closer": learner.closer}
    return {
        name: float(nll(state, task.real(task.nats), generator))
        for name, nll in found.items()
        if nll is not None and task.nats
    }


def means(losses: list[tuple]) -> dict:
    """Return the mean losses since the last look, None where there is none."""
    columns = zip(*losses, strict=True)
    loss, judge_loss = (
        None if None in column else sum(column) / len(column)
        for column in columns
    )
    return {"loss": loss, "judge_loss": judge_loss}
