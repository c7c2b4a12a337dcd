"""Pictures from pictures, held against Gaussians, where all is exact."""

from functools import partial

import pytest
import torch

from diffusion_lite.forward import q_sample
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import last
from experiments.painter.editing import (
    between,
    image_to_image,
    inpaint,
    times_down,
)

SCHEDULE = cosine_schedule(100)
RHO = 0.9
LAW = GaussianMixture(
    torch.ones(1), torch.zeros(1, 2), torch.tensor([[[1, RHO], [RHO, 1]]])
)
EPS = partial(LAW.optimal_eps, schedule=SCHEDULE)
SECOND = torch.tensor([False, True])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_times_fall_to_zero_each_once():
    assert times_down(10, 5) == [10, 8, 6, 4, 2, 0]
    assert times_down(3, 20) == [3, 2, 1, 0]
    assert times_down(1, 1) == [1, 0]


def test_strength_0_keeps_a_picture_and_1_forgets_it():
    x_0 = torch.tensor([[3.0, -2.0]]).repeat(4000, 1)
    run = partial(image_to_image, EPS, x_0, schedule=SCHEDULE, passes=50)
    assert torch.equal(last(run(strength=0, generator=seeded())), x_0)
    far = [
        float((last(run(strength=s, generator=seeded())) - x_0).norm())
        for s in (0.1, 0.3, 0.6, 1)
    ]
    assert far == sorted(far)
    new = last(run(strength=1, generator=seeded()))
    assert new.mean(0).abs().max() < 0.1
    assert float(new.T.cov()[0, 1]) == pytest.approx(RHO, abs=0.07)


def test_image_to_image_begins_at_the_noised_picture():
    x_0 = torch.tensor([[0.5, 0.4]])
    first = next(image_to_image(EPS, x_0, 0.4, SCHEDULE, generator=seeded()))
    eps = torch.randn(1, 2, generator=seeded())
    assert torch.allclose(first, q_sample(x_0, 40, eps, SCHEDULE))


def test_a_strong_prior_moves_a_picture_towards_the_data():
    """A point far off the diagonal is led to it: that is what SDEdit is."""
    x_0 = torch.tensor([[1.5, -1.5]]).repeat(2000, 1)
    x = last(image_to_image(EPS, x_0, 0.5, SCHEDULE, generator=seeded()))
    assert (x[:, 0] - x[:, 1]).abs().mean() < 1.5


def test_inpainting_keeps_the_rest_exactly():
    x_0 = torch.randn(5, 2, generator=seeded(1))
    run = inpaint(EPS, x_0, SECOND, SCHEDULE, passes=10, generator=seeded())
    assert torch.equal(last(run)[:, 0], x_0[:, 0])


def test_repeats_lead_to_the_conditional_mean():
    """Exactly: x_2 given x_1 = 1.5 has mean 1.35. Replacing alone misses."""
    x_0 = torch.tensor([[1.5, 0.0]]).repeat(4000, 1)
    mean = {}
    for repeats in (1, 5, 20):
        run = inpaint(
            EPS, x_0, SECOND, SCHEDULE, repeats=repeats, generator=seeded()
        )
        mean[repeats] = float(last(run)[:, 1].mean())
    assert mean[1] < 1.0 < 1.2 < mean[5] < mean[20]
    assert mean[20] == pytest.approx(1.5 * RHO, abs=0.05)


def test_what_lies_between_two_noises_is_a_noise():
    x, y = torch.randn(2, 100_000, generator=seeded()).double()
    for share in (0, 0.25, 0.5, 1):
        assert float(between(x, y, share).var()) == pytest.approx(1, abs=0.02)
    assert torch.equal(between(x, y, 0), x)
    assert torch.allclose(between(x, y, 1), y)
    assert float(torch.lerp(x, y, 0.5).var()) < 0.6


def test_bad_input_is_named():
    x_0 = torch.zeros(1, 2)
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="strength"):
            image_to_image(EPS, x_0, strength, SCHEDULE, generator=seeded())
    with pytest.raises(ValueError, match="mask must be of bool"):
        inpaint(EPS, x_0, SECOND.float(), SCHEDULE, generator=seeded())
    with pytest.raises(ValueError, match="mask must fit"):
        inpaint(EPS, x_0, SECOND.repeat(2), SCHEDULE, generator=seeded())
    with pytest.raises(ValueError, match="repeats"):
        inpaint(EPS, x_0, SECOND, SCHEDULE, repeats=0, generator=seeded())
    with pytest.raises(ValueError, match="passes"):
        times_down(10, 0)
