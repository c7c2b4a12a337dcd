"""What is compared and how: networks, pictures, distances, solvers."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lite import solvers
from diffusion_lite.data import digits, mnist
from diffusion_lite.elbo import denoising_loss, v_loss
from diffusion_lite.metrics import digit_features, frechet_distance
from diffusion_lite.networks import UNet, VPrediction
from diffusion_lite.parameterization import eps_from_x_0
from diffusion_lite.sampling import clamp_x_0
from diffusion_lite.schedules import Schedule, cosine_schedule
from diffusion_lite.solvers import Counted
from diffusion_lite.training import last, train
from diffusion_lite.types import Denoiser
from experiments.mnist import run as mnist_run

WEIGHTS = Path(__file__).parent / "weights"
WHOLE = cosine_schedule(100)
"""The network was trained on this one."""
SCHEDULE = Schedule.from_alpha_bar(WHOLE.alpha_bar[:-1])
"""Its steps 0 to 99. The last, of a beta cut to 0.999, is left out: there
sigma falls from 2,029 to 64 at once, and Heun's method cannot follow."""
SEEDS = range(5)
STEPS = 3_000

GRIDS: dict[str, Callable] = {
    "uniform": solvers.uniform_times,
    "log SNR": solvers.log_snr_times,
    "EDM": solvers.edm_times,
}
AB = solvers.adams_bashforth_sample
SOLVERS: dict[str, tuple[Callable, int]] = {  # and the passes of a step
    "DDIM": (solvers.ddim_sample, 1),
    "DDIM, eta 1": (partial(solvers.ddim_sample, eta=1.0), 1),
    "Heun": (solvers.heun_sample, 2),
    "Heun, churned": (partial(solvers.heun_sample, churn=2.0), 2),
    "midpoint": (solvers.midpoint_sample, 2),
    "Adams-Bashforth 2": (partial(AB, order=2), 1),
    "Adams-Bashforth 3": (partial(AB, order=3), 1),
    "2M": (solvers.dpm_solver_sample, 1),
}
NOISY = ("DDIM, eta 1", "Heun, churned")


def network() -> VPrediction:
    """Return the denoiser of the 8x8 digits, untrained: chapter 5's, with v.

    At the noisy end an eps_hat says almost nothing of x_0.
    """
    return VPrediction(UNet(width=16, num_classes=10), WHOLE)


def fit(steps: int = STEPS) -> VPrediction:
    """Train it on the training digits and their labels."""
    data = digits()
    torch.manual_seed(0)  # the first weights
    run = train(
        network(),
        partial(denoising_loss, schedule=WHOLE, loss=v_loss),
        (data.train_images, data.train_labels),
        steps=steps,
        batch_size=64,
        lr=4e-3,
        generator=torch.Generator().manual_seed(0),
    )
    return last(run).ema


def keep(model: nn.Module, name: str) -> None:
    """Write a network's weights, in half precision."""
    WEIGHTS.mkdir(exist_ok=True)
    half = {key: x.half() for key, x in model.state_dict().items()}
    save_file(half, WEIGHTS / f"{name}.safetensors")


def kept(model: nn.Module, name: str) -> nn.Module:
    """Return the network with its committed weights."""
    model.load_state_dict(load_file(WEIGHTS / f"{name}.safetensors"))
    return model.requires_grad_(False)


def clamped(model: Callable, y: Tensor) -> Denoiser:
    """Return an eps_model for the classes y, its x_0 kept in the range."""
    return clamp_x_0(partial(model, y=y), WHOLE, low=-1, high=1)


def exact(y: Tensor) -> Denoiser:
    """Return the best denoiser of the training digits of the classes y.

    Its x_0 is the mean of a class's pictures, weighted by how probable each
    is: softmax of -|x_t - a x_0|^2 / (2 s^2). It has no error but that of
    having seen these pictures only, so what it samples is one of them.
    Shapes: y (B,), one for each row of the x_t that it is asked about.
    """
    data = digits()
    rows = data.train_images.flatten(1).double()
    other = y[:, None] != data.train_labels  # (B, N)

    def eps_model(x_t: Tensor, t: Tensor) -> Tensor:
        x = x_t.flatten(1).double()
        a, s = WHOLE.coefficients(t, like=x)
        logits = a * (x @ rows.T) - a**2 * rows.square().sum(1) / 2
        share = (logits / s**2).masked_fill(other, -torch.inf).softmax(1)
        x_0 = (share @ rows).reshape(x_t.shape).to(x_t)
        return eps_from_x_0(x_t, t, x_0, WHOLE)

    return eps_model


def noise(seed: int) -> tuple[Tensor, torch.Generator]:
    """Return x_T for the labels of the test digits, the same for all."""
    generator = torch.Generator().manual_seed(seed)
    shape = digits().test_images.shape
    return torch.randn(shape, generator=generator), generator


@cache
def train_features() -> Tensor:
    """Return the classifier's features of the training digits."""
    return digit_features(digits().train_images)


def distance(images: Tensor) -> float:
    """Return the Frechet distance of 364 digits to the training digits."""
    return float(frechet_distance(digit_features(images), train_features()))


def sampled(
    solver: str,
    grid: str,
    budget: int,
    eps_model: Denoiser,
    x_T: Tensor,
    generator: torch.Generator,
    schedule: Schedule = SCHEDULE,
) -> tuple[Tensor, int]:
    """Return x_0 by a solver, and the passes it took: at most the budget."""
    sample, per_step = SOLVERS[solver]
    steps = budget if per_step == 1 else (budget + 1) // 2
    options = {"generator": generator} if solver in NOISY else {}
    times = GRIDS[grid](schedule, steps)
    asked = Counted(eps_model)
    x_0 = last(sample(asked, x_T, schedule, times, **options))
    return x_0, asked.passes


def flow_end(eps_model: Denoiser, x_T: Tensor) -> Tensor:
    """Return where the model's own ODE ends: Heun's method, all steps."""
    times = solvers.uniform_times(SCHEDULE, SCHEDULE.T)
    return last(solvers.heun_sample(eps_model, x_T, SCHEDULE, times))


def error(x: Tensor, y: Tensor) -> float:
    """Return the root of the mean squared difference."""
    return float((x - y).square().mean().sqrt())


def mnist_sets(labels: Tensor, of_each: int = 10) -> list[Tensor]:
    """Return which pictures are in each set: as many of each class.

    Shapes: labels (N,); each set (10 * of_each,).
    """
    order = torch.stack([(labels == k).nonzero().flatten() for k in range(10)])
    return [rows.flatten() for rows in order.split(of_each, 1)]


def mnist_distances() -> tuple[Callable[[Tensor], float], list[Tensor]]:
    """Return the distance to MNIST's test pictures, and sets of real ones.

    As in experiments/mnist: the features are of a classifier that one half
    of the training pictures has trained; the sets are of the other half.
    """
    data = mnist()
    first, second = mnist_run.halves(data.train_labels)
    features = mnist_run.classifier(
        data.train_images[first], data.train_labels[first], seed=1
    )[:-1]
    test = features(data.test_images)

    def distance(images: Tensor) -> float:
        return float(frechet_distance(features(images), test))

    images = data.train_images[second]
    sets = mnist_sets(data.train_labels[second])
    return distance, [images[rows] for rows in sets]


def mnist_noise(seed: int) -> tuple[Tensor, torch.Generator]:
    """Return x_T for a set of 100 pictures, ten of each class."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(100, 4, 14, 14, generator=generator), generator


def whole(x: Tensor) -> Tensor:
    """Return MNIST's pictures of 28x28 from their four channels."""
    return F.pixel_shuffle(x, 2)
