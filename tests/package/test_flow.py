"""The flow: there and back, and a density that is one."""

import math

import pytest
import torch

from diffusion_lite.data import eight_modes
from diffusion_lite.flow import Coupling, Flow, flow_loss
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.training import train
from mutants import mutant


def flow(shape=(2,), layers=4, width=16):
    """Return a flow in float64 with weights that bend space."""
    torch.manual_seed(0)
    model = Flow(shape, layers, width).double()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.4)
    return model.requires_grad_(False)


def reads_what_moves(self, x):
    log_scale, shift = self.net(x).chunk(2, dim=1)
    moves = 1 - self.mask
    return moves * self.reach * log_scale.tanh(), moves * shift


def not_turned_round(self, z):
    for coupling in self.couplings:
        z = coupling.inverse(z)
    return z.reshape(-1, *self.shape)


@mutant(
    "a coupling that is told by what it moves",
    (Coupling, "_scale_shift"),
    reads_what_moves,
)
@mutant(
    "couplings undone in the wrong order", (Flow, "inverse"), not_turned_round
)
@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_back_is_the_inverse_of_there(shape, generator):
    model = flow(shape)
    x = torch.randn(20, *shape, generator=generator).double()
    z, _ = model(x)
    assert z.shape == (20, math.prod(shape))
    assert not torch.allclose(z, x.flatten(1), atol=0.1)
    assert torch.allclose(model.inverse(z), x, atol=1e-10)


def counted_upside_down(right, self, x):
    z, log_det = right(self, x)
    return z, -log_det


@mutant(
    "a coupling with its determinant upside down",
    (Coupling, "forward"),
    counted_upside_down,
)
@pytest.mark.equation(
    "eq-coupling", oracle="the determinant of autograd's Jacobian"
)
@pytest.mark.parametrize("model", [flow(), flow((5,), 3)])
def test_log_det_is_that_of_the_jacobian(model, generator):
    x = torch.randn(7, *model.shape, generator=generator).double()
    _, log_det = model(x)
    for row, found in zip(x, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda row: model(row[None])[0][0], row
        )
        exact = float(jacobian.det().abs().log())
        assert float(found) == pytest.approx(exact, abs=1e-10)


def test_a_coupling_leaves_what_tells():
    torch.manual_seed(0)
    mask = torch.tensor([1.0, 0.0, 1.0])
    z, _ = Coupling(mask, 8)(torch.ones(1, 3))
    assert z[0, 0] == z[0, 2] == 1
    assert z[0, 1] != 1


@mutant(
    "a flow without the determinant",
    (Flow, "log_prob"),
    lambda right, self, x: right(self, x) - self(x)[1],
)
@mutant(
    "a flow with the determinant upside down",
    (Flow, "log_prob"),
    lambda right, self, x: right(self, x) - 2 * self(x)[1],
)
@pytest.mark.equation(
    "eq-change-of-variables", oracle="a sum over a grid, and a histogram"
)
def test_the_density_is_that_of_the_draws(generator):
    model = flow()
    line = torch.linspace(-12, 12, 601).double()
    grid = torch.cartesian_prod(line, line)
    cell = float(line[1] - line[0]) ** 2
    mass = model.log_prob(grid).exp().reshape(601, 601) * cell
    assert float(mass.sum()) == pytest.approx(1, abs=1e-3)
    n = 40_000
    x = model.float().sample(n, generator=generator)
    for low, high in ((-1.0, 0.0), (0.0, 0.5), (0.5, 2.0)):
        inside = ((x > low) & (x < high)).all(1).double().mean()
        i = (line > low) & (line < high)
        expected = float(mass[i][:, i].sum())
        assert abs(float(inside) - expected) < 0.015


def test_sizes_are_those_of_the_denoisers():
    def size(model):
        return sum(p.numel() for p in model.parameters())

    assert size(Flow((2,))) == pytest.approx(size(MLP()), rel=0.02)
    pictures = Flow((1, 8, 8), layers=8, width=82)
    assert size(pictures) == pytest.approx(size(UNet(width=24)), rel=0.02)


def test_every_parameter_learns(generator):
    mixture = eight_modes()
    torch.manual_seed(0)
    model = Flow((2,), layers=4, width=32)
    before = [p.clone() for p in model.parameters()]
    x = mixture.sample(4000, generator=generator).float()
    run = train(
        model,
        flow_loss,
        x,
        steps=200,
        batch_size=256,
        lr=1e-2,
        generator=generator,
    )
    losses = [state.loss for state in run]
    assert losses[-1] < losses[0] - 0.5
    for (name, new), old in zip(model.named_parameters(), before, strict=True):
        assert not torch.equal(new, old), name
    floor = -float(mixture.log_prob(x.double()).mean()) / 2
    assert losses[-1] > floor


def test_draws_have_the_shape_of_the_data(generator):
    model = Flow((1, 8, 8), layers=2, width=8)
    assert model.sample(3, generator=generator).shape == (3, 1, 8, 8)
    with pytest.raises(ValueError, match=r"n must be .* at least 1, got 0"):
        model.sample(0, generator=generator)


@pytest.mark.parametrize(("shape", "layers"), [((1,), 4), ((2,), 1)])
def test_a_flow_that_leaves_an_entry_alone_is_refused(shape, layers):
    with pytest.raises(ValueError, match="each entry moves; got shape"):
        Flow(shape, layers)


@pytest.mark.parametrize("shape", [(5, 1), (5, 3), (2,), (0, 2)])
def test_an_x_of_another_shape_is_refused(shape):
    # (5, 1) times a mask of 2 entries would give (5, 2), and a wrong number.
    with pytest.raises(ValueError, match=r"x must be .*got"):
        Flow((2,)).log_prob(torch.zeros(shape))


def test_an_x_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="x must be finite, got 1 NaN"):
        Flow((2,))(torch.tensor([[0.0, math.nan]]))
