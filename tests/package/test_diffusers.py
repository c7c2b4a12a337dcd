"""Our samplers and those of diffusers, on the same networks and times.

diffusers counts the steps from 0: its timestep k is the book's k + 1.
"""

import importlib

import pytest
import torch

from diffusion_lite.arguments import normal
from diffusion_lite.data import eight_modes
from diffusion_lite.networks import MLP, VPrediction
from diffusion_lite.posterior import forward_variance, posterior_variance
from diffusion_lite.sampling import ddpm_sample
from diffusion_lite.schedules import linear_schedule
from diffusion_lite.solvers import (
    adams_bashforth_sample,
    ddim_sample,
    dpm_solver_sample,
    edm_times,
    heun_sample,
    log_snr_times,
    midpoint_sample,
    uniform_times,
)
from diffusion_lite.training import last

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*dpmsolver:FutureWarning"),
]

SCHEDULE = linear_schedule(1000)
GRIDS = [uniform_times, log_snr_times, edm_times]
every_grid = pytest.mark.parametrize("grid", GRIDS)
every_model = pytest.mark.parametrize("kind", ["exact", "network"])


def model_of(kind, schedule=SCHEDULE):
    """Return the ring's exact denoiser, or a network's of random weights."""
    if kind == "exact":
        return lambda x, t: eight_modes().optimal_eps(x, t, schedule)
    torch.manual_seed(0)
    network = VPrediction(MLP(2, 32), schedule).requires_grad_(False)
    return lambda x, t: network(x.float(), t).to(x)


def start():
    generator = torch.Generator().manual_seed(0)
    return normal((16, 2), generator, torch.float64)


def scheduler(name, schedule=SCHEDULE, **settings):
    """Return one of theirs, with the betas of our schedule."""
    theirs = getattr(importlib.import_module("diffusers"), name)
    betas = {"trained_betas": schedule.beta[1:].tolist()}
    settings = {"num_train_timesteps": schedule.T} | betas | settings
    return theirs(**settings)


def follow(theirs, model, x, schedule=SCHEDULE, noise=None):
    """Yield their states, as x_t, at every one of their timesteps.

    noise(k) returns what a step of theirs is given beside its states.
    """
    scaled = theirs.init_noise_sigma > 2  # their state is x_t / a_t
    a = schedule.alpha_bar.sqrt()
    y = x / a[-1] if scaled else x
    for k in theirs.timesteps:
        x_t = theirs.scale_model_input(y, k)
        t = torch.full((len(x_t),), int(k) + 1)
        options = noise(int(k)) if noise else {}
        y = theirs.step(model(x_t, t), k, y, **options).prev_sample
        yield y


def assert_near(got, want):
    """Theirs have float32 tables: sigma_1 is right to four digits only."""
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@every_model
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 10, 50])
def test_ddim(kind, eta, n):
    """Trailing times are uniform; all of the last step leads to x_0."""
    model, times = model_of(kind), uniform_times(SCHEDULE, n)
    theirs = scheduler(
        "DDIMScheduler", clip_sample=False, timestep_spacing="trailing"
    )
    theirs.set_timesteps(n)
    assert (theirs.timesteps + 1).tolist() == times[:-1]
    ours, fresh = (torch.Generator().manual_seed(1) for _ in range(2))

    def noise(k):
        z = normal((16, 2), fresh, torch.float64)
        return {"eta": eta, "variance_noise": z} if eta else {}

    run = ddim_sample(model, start(), SCHEDULE, times, eta=eta, generator=ours)
    states = follow(theirs, model, start(), noise=noise)
    for got, want in zip(list(run)[1:], states, strict=True):
        assert_near(got, want)


@every_model
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_ddpm(kind, variance):
    schedule = linear_schedule(100)
    model = model_of(kind, schedule)
    theirs = scheduler(
        "DDPMScheduler", schedule, clip_sample=False, variance_type=variance
    )
    theirs.set_timesteps(100)
    rules = {"small": posterior_variance, "large": forward_variance}
    ours, fresh = (torch.Generator().manual_seed(1) for _ in range(2))
    run = ddpm_sample(
        model,
        start(),
        schedule,
        generator=ours,
        variance=rules[variance[6:]],
    )
    states = follow(
        theirs, model, start(), schedule, lambda k: {"generator": fresh}
    )
    for got, want in zip(list(run)[1:], states, strict=True):
        assert_near(got, want)


@every_model
@every_grid
def test_ddpm_by_leaps_is_ddim_with_eta_1(kind, grid):
    model, times = model_of(kind), grid(SCHEDULE, 20)
    theirs = scheduler("DDPMScheduler", clip_sample=False)
    theirs.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    ours, fresh = (torch.Generator().manual_seed(1) for _ in range(2))
    run = ddim_sample(model, start(), SCHEDULE, times, eta=1.0, generator=ours)
    states = follow(
        theirs, model, start(), noise=lambda k: {"generator": fresh}
    )
    for got, want in zip(list(run)[1:], states, strict=True):
        assert_near(got, want)


@every_model
@every_grid
@pytest.mark.parametrize("n", [1, 5, 30])
def test_euler_is_ddim(kind, grid, n):
    model, times = model_of(kind), grid(SCHEDULE, n)
    theirs = scheduler("EulerDiscreteScheduler")
    theirs.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    want = last(follow(theirs, model, start()))
    assert_near(last(ddim_sample(model, start(), SCHEDULE, times)), want)


@every_model
@every_grid
@pytest.mark.parametrize("n", [4, 10, 30])
def test_heun(kind, grid, n):
    model, times = model_of(kind), grid(SCHEDULE, n)
    theirs = scheduler("HeunDiscreteScheduler")
    theirs.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    assert len(theirs.timesteps) == 2 * n - 1  # as many passes as ours
    want = last(follow(theirs, model, start()))
    assert_near(last(heun_sample(model, start(), SCHEDULE, times)), want)


@every_model
@every_grid
@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_dpm_solver_multistep(kind, grid, n):
    model, times = model_of(kind), grid(SCHEDULE, n)
    theirs = scheduler(
        "DPMSolverMultistepScheduler",
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
    )
    theirs.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    states = list(follow(theirs, model, start()))
    run = dpm_solver_sample(model, start(), SCHEDULE, times)
    for got, want in zip(list(run)[1:], states, strict=True):
        assert_near(got, want)


@every_model
@every_grid
@pytest.mark.parametrize("n", [4, 10, 30])
def test_dpm_solver_singlestep_is_the_midpoint_down_to_step_1(kind, grid, n):
    """Theirs ends at step 1 when it works with eps; our last step is Euler's.

    Its times are those of our steps and, in between, the middles.
    """
    model, times = model_of(kind), [*grid(SCHEDULE, n)[:-2], 1, 0]
    asked = []

    def listening(x, t):
        asked.append(int(t[0]) - 1)
        return model(x, t)

    ours = list(midpoint_sample(listening, start(), SCHEDULE, times))
    theirs = scheduler(
        "DPMSolverSinglestepScheduler",
        algorithm_type="dpmsolver",
        solver_order=2,
        solver_type="midpoint",
        lower_order_final=False,
        final_sigmas_type="sigma_min",
    )
    theirs.set_timesteps(timesteps=asked[:-1])
    *_, want = follow(theirs, model, start())
    assert_near(ours[-2], want)


@every_model
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [1, 4, 10, 30])
def test_lms_is_adams_bashforth(kind, order, n):
    """Its name for the method is the older one: linear multistep."""
    model, times = model_of(kind), uniform_times(SCHEDULE, n)
    theirs = scheduler("LMSDiscreteScheduler", timestep_spacing="trailing")
    theirs.set_timesteps(n)
    assert (theirs.timesteps + 1).tolist() == times[:-1]
    run = adams_bashforth_sample(model, start(), SCHEDULE, times, order=order)
    states = follow(theirs, model, start(), noise=lambda k: {"order": order})
    a = SCHEDULE.alpha_bar.sqrt()
    for t, got, want in zip(times[1:], list(run)[1:], states, strict=True):
        assert_near(got / a[t], want)


def test_diffusers_default_times_are_others():
    """Leading times begin below T, so noise of T meets a smaller t."""
    for name in ("DDIMScheduler", "DDPMScheduler"):
        theirs = scheduler(name, clip_sample=False)
        theirs.set_timesteps(10)
        assert (theirs.timesteps + 1).tolist() == list(range(901, 0, -100))
