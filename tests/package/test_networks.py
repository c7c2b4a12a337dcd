"""Networks: shapes, time, and a gradient for every parameter."""

import copy
import math
import pickle
from functools import partial

import pytest
import torch
from torch import nn

from diffusion_lite.arguments import WHOLE
from diffusion_lite.elbo import denoising_loss, elbo_terms, loss_by_time
from diffusion_lite.flow import Flow, flow_loss
from diffusion_lite.forward import q_sample
from diffusion_lite.gan import point_discriminator, point_generator, train_gan
from diffusion_lite.networks import (
    MLP,
    Attention,
    FiLMLayer,
    ResBlock,
    UNet,
    VPrediction,
    perceptron,
    time_embedding,
)
from diffusion_lite.parameterization import v_from_x_0_eps
from diffusion_lite.sampling import ddpm_sample
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import last, train
from diffusion_lite.vae import point_vae, vae_loss
from mutants import mutant

STEPS = torch.tensor([1, 50, 99, 100])


def unet(**kwargs):
    torch.manual_seed(0)
    return begun(UNet(width=8, **kwargs))


def begun(net):
    """Give the layers that start at 0 weights as those of other layers."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and not layer.weight.any():
            layer.reset_parameters()
    return net


@pytest.mark.equation("eq-time-embedding", oracle="numbers done by hand")
def test_time_embedding_is_sines_and_cosines():
    emb = time_embedding(torch.tensor([3]), 4)
    expected = [math.sin(3), math.sin(0.03), math.cos(3), math.cos(0.03)]
    assert emb[0].tolist() == pytest.approx(expected, abs=1e-6)


def with_axes_mixed_up(right, t, dim):
    emb = right(t, dim)
    return emb.T.reshape(emb.shape)


@mutant(
    "30: an embedding with its axes mixed up",
    time_embedding,
    with_axes_mixed_up,
)
@pytest.mark.parametrize("dim", [32, 64])
def test_the_nearest_embedding_of_t_is_its_neighbour(dim):
    # ERRORS 30: an embedding that mixes up its axes fails this.
    emb = time_embedding(torch.arange(1000), dim)
    assert emb.shape == (1000, dim)
    distance = torch.cdist(emb, emb) + 1e9 * torch.eye(1000)
    away = (distance.argmin(1) - torch.arange(1000)).abs()
    assert (away == 1).all()


def only(layer, weight):
    """Make a convolution or a linear layer pass on weight times its input."""
    torch.nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():
        if layer.weight.ndim == 4:
            middle = layer.weight.shape[2] // 2
            torch.nn.init.eye_(layer.weight[:, :, middle, middle])
        else:
            torch.nn.init.eye_(layer.weight)
        layer.weight *= weight


def say(layer, values):
    """Make a linear layer say the same values, whatever it is given."""
    torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.copy_(values)


def silu(z):
    return z / (1 + math.exp(-z))


@pytest.mark.equation("eq-film", oracle="one number at a time")
@torch.no_grad()
def test_a_timed_layer_scales_shifts_and_bends():
    layer = FiLMLayer(2, 4)
    only(layer.linear, 3.0)
    say(layer.time, torch.tensor([0.5, -1.0, 0.1, -0.2]))
    h = torch.tensor([[1.0, -2.0]])
    out = layer(h, torch.zeros(1, 4))[0].tolist()
    expected = [silu(1.5 * 3.0 + 0.1), silu(0.0 * -6.0 - 0.2)]
    assert out == pytest.approx(expected, abs=1e-6)


@pytest.mark.equation("eq-res-block", oracle="one number at a time")
@torch.no_grad()
def test_a_res_block_is_a_short_cut_and_a_timed_change(generator):
    block = ResBlock(8, 8, 4)  # one group: all is normalised together
    only(block.conv_1, 1.0)
    only(block.conv_2, 2.0)
    scale, shift = torch.randn(2, 8, generator=generator)
    say(block.time, torch.cat([scale, shift]))
    x = torch.randn(1, 8, 2, 2, generator=generator)
    got = block(x, torch.zeros(1, 4))[0]

    def normed(values):
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        return [(v - mean) / math.sqrt(variance + 1e-5) for v in values]

    numbers = x.flatten().tolist()
    u = normed([silu(v) for v in normed(numbers)])
    for i, (x_i, u_i) in enumerate(zip(numbers, u, strict=True)):
        c = i // 4
        timed = (1 + float(scale[c])) * u_i + float(shift[c])
        expected = x_i + 2 * silu(timed)
        assert float(got.flatten()[i]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.equation("eq-attention", oracle="PyTorch's own attention")
@torch.no_grad()
def test_attention_is_pytorchs(generator):
    layer = Attention(16)
    x = torch.randn(3, 16, 4, 4, generator=generator)
    places = layer.norm(x).flatten(2).transpose(1, 2)
    q, k, v = layer.qkv(places).chunk(3, dim=2)
    seen = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    expected = x + layer.out(seen).transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(layer(x), expected)
    look = layer.attention_weights(q, k)
    assert look.shape == (3, 16, 16)
    torch.testing.assert_close(look.sum(2), torch.ones(3, 16))


class LayersInAList(MLP):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        layers = list(self.layers)
        del self.layers
        self.layers = layers


@mutant("29: layers in a plain list", MLP, LayersInAList)
def test_mlp_maps_points_to_points(generator):
    x_t = torch.randn(4, 3, generator=generator)
    assert MLP(dim=3)(x_t, STEPS).shape == (4, 3)
    # the size of the prototype that the book's figures are held against
    assert 38_000 < sum(p.numel() for p in MLP().parameters()) < 42_000


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 8, 8), (3, 6, 10), (2, 2, 4)]
)
def test_unet_takes_any_even_size(channels, height, width, generator):
    x_t = torch.randn(4, channels, height, width, generator=generator)
    assert unet(channels=channels)(x_t, STEPS).shape == x_t.shape


def unet_loss(net, generator, y=None):
    x_t = torch.randn(4, 1, 8, 8, generator=generator)
    target = torch.randn(4, 1, 8, 8, generator=generator)
    out = net(x_t, STEPS) if y is None else net(x_t, STEPS, y)
    return (out - target).square().mean()


@pytest.mark.parametrize("num_classes", [None, 4])
def test_every_parameter_of_the_unet_gets_a_gradient(num_classes, generator):
    net = unet(num_classes=num_classes)
    y = None if num_classes is None else torch.arange(4)
    unet_loss(net, generator, y).backward()
    for name, p in net.named_parameters():
        assert float(p.grad.abs().max()) > 1e-7, name


def test_a_unet_begins_with_blocks_that_change_nothing(generator):
    x = torch.randn(4, 8, 8, 8, generator=generator)
    emb = torch.randn(4, 32, generator=generator)
    assert torch.equal(ResBlock(8, 8, 32)(x, emb), x)
    assert torch.equal(Attention(8)(x), x)
    assert not UNet()(x[:, :1], STEPS).any()


def test_a_unet_learns_from_its_zeros(generator):
    net, x = UNet(width=8), torch.randn(4, 1, 8, 8, generator=generator)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(3):
        adam.zero_grad()
        (net(x, STEPS) - x).square().mean().backward()
        adam.step()
    for name, p in net.named_parameters():
        assert float(p.grad.abs().max()) > 0, name


def test_a_network_of_v_is_a_denoiser(generator):
    schedule = cosine_schedule(1000)
    x_0, eps = torch.randn(2, 4, 2, generator=generator).double()
    x_t = q_sample(x_0, STEPS, eps, schedule)

    class Exact(nn.Module):
        def forward(self, given, t):
            assert torch.equal(given, x_t)
            return v_from_x_0_eps(x_0, t, eps, schedule)

    got = VPrediction(Exact(), schedule)(x_t, STEPS)
    torch.testing.assert_close(got, eps)


def test_every_parameter_of_the_mlp_gets_a_gradient(generator):
    net = MLP()
    x_t = torch.randn(4, 2, generator=generator)
    net(x_t, STEPS).square().mean().backward()
    for name, p in net.named_parameters():
        assert float(p.grad.abs().max()) > 1e-7, name


@pytest.mark.parametrize("net", [MLP(dim=64), unet(), unet(num_classes=2)])
@torch.no_grad()
def test_every_row_is_alone_and_hears_its_own_t(net, generator):
    shape = (4, 64) if isinstance(net, MLP) else (4, 1, 8, 8)
    x_t = torch.randn(shape, generator=generator)
    x_t = x_t[:1].expand(shape)
    y = () if getattr(net, "label", None) is None else (torch.zeros(4).long(),)
    out = net(x_t, STEPS, *y)
    for i in range(4):
        alone = net(x_t[:1], STEPS[i : i + 1], *(label[:1] for label in y))
        torch.testing.assert_close(out[i : i + 1], alone)
    assert float((out[0] - out[1]).abs().max()) > 1e-4


def test_the_label_matters(generator):
    net = unet(num_classes=3)
    x_t = torch.randn(1, 1, 8, 8, generator=generator)
    t = torch.tensor([10])
    outs = [net(x_t, t, torch.tensor([c])) for c in range(3)]
    assert not torch.allclose(outs[0], outs[1], atol=1e-4)
    assert not torch.allclose(outs[1], outs[2], atol=1e-4)


def test_attention_sees_beyond_the_convolutions(generator):
    # Change one corner of a large picture: with attention every place may
    # answer; the convolutions alone reach a few pixels.
    net = unet()
    t = torch.tensor([10])
    x_t = torch.randn(1, 1, 64, 64, generator=generator)
    changed = x_t.clone()
    changed[..., 0, 0] += 5
    far = (..., slice(56, 64), slice(56, 64))
    # GroupNorm, too, carries a little to everywhere: take it out.
    for m in net.modules():
        if isinstance(m, torch.nn.GroupNorm):
            m.forward = lambda x: x
    with torch.no_grad():
        moved = (net(x_t, t) - net(changed, t))[far].abs().max()
        net.attention.forward = lambda x: x
        still = (net(x_t, t) - net(changed, t))[far].abs().max()
    assert float(still) == 0 < float(moved)


def test_bad_input_is_named():
    x, points = torch.ones(4, 1, 8, 8), torch.ones(4, 2)
    cases = [
        (lambda: MLP()(torch.ones(4, 3), STEPS), r"\(B, 2\), got \(4, 3\)"),
        (lambda: MLP()(torch.ones(4), STEPS), r"\(B, 2\), got \(4,\)"),
        (lambda: MLP()(points, STEPS[:2]), r"t must be an integer tensor"),
        (lambda: MLP()(points, STEPS.float()), "got torch.float32"),
        (lambda: unet()(torch.ones(4, 3, 8, 8), STEPS), r"\(B, 1, any, any"),
        (lambda: unet()(torch.ones(4, 1, 7, 8), STEPS), "even height"),
        (lambda: unet()(x, STEPS, torch.arange(4)), "got a y, but built wi"),
        (lambda: unet(num_classes=4)(x, STEPS), "got no y, but built with"),
        (lambda: UNet(width=20), "width must be .* multiple of 8, got 20"),
        (
            lambda: unet(num_classes=4)(x, STEPS, torch.arange(1, 5)),
            r"y must be an integer tensor \(4,\), of 0..3",
        ),
        (
            lambda: unet(num_classes=4)(x, STEPS, torch.arange(2)),
            r"y must be an integer tensor \(4,\), of 0..3",
        ),
        (
            lambda: unet(num_classes=4)(x, STEPS, torch.ones(4)),
            r"y must be an integer tensor \(4,\), of 0..3",
        ),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_perceptron_has_its_layers(generator):
    net = perceptron(3, 8, 2, 5, nn.LeakyReLU)
    kinds = [type(layer) for layer in net]
    assert kinds == [nn.Linear, nn.LeakyReLU] * 2 + [nn.Linear]
    assert net(torch.randn(4, 3, generator=generator)).shape == (4, 5)
    assert isinstance(perceptron(3, 8, 1, 5)[1], nn.SiLU)
    again = pickle.loads(pickle.dumps(net))
    x = torch.randn(4, 3, generator=generator)
    assert torch.equal(again(x.double()), net(x))
    assert torch.equal(net(input=x), net(x))
    first = net.double()[:2]
    assert first(x).dtype == torch.float64
    assert net[1:2](x).dtype == torch.float32  # it has no weights


# ---- other dtypes ----------------------------------------------------------

SCHEDULE = cosine_schedule(6)


def as_points(dtype):
    return torch.linspace(-1, 1, 16).reshape(8, 2).to(dtype)


def as_pictures(dtype):
    return torch.linspace(-1, 1, 512).reshape(8, 1, 8, 8).to(dtype)


DENOISERS = {
    "MLP": (lambda: MLP(width=16), as_points),
    "U-Net": (lambda: UNet(width=8), as_pictures),
}
FAMILIES = {
    "VAE": (lambda: point_vae(width=8), vae_loss),
    "flow": (lambda: Flow((2,), 2, 8), flow_loss),
}
DTYPES = torch.float64, torch.float32, torch.bfloat16
OPTIONS = {"steps": 3, "batch_size": 4, "lr": 1e-2}


@pytest.mark.parametrize("of_data", DTYPES)
@pytest.mark.parametrize("of_weights", DTYPES)
@pytest.mark.parametrize("kind", DENOISERS)
def test_a_denoiser_may_have_any_dtype(kind, of_weights, of_data, generator):
    make, data = DENOISERS[kind]
    torch.manual_seed(0)
    usual = make()
    net = copy.deepcopy(usual).to(of_weights)
    x, t = data(of_data), torch.arange(8)
    eps_hat = net(x, t)
    assert eps_hat.dtype == of_data
    tolerance = 0.1 if torch.bfloat16 in (of_data, of_weights) else 1e-5
    expected = usual(x.float(), t).to(of_data)
    torch.testing.assert_close(eps_hat, expected, rtol=0, atol=tolerance)
    x_0 = last(ddpm_sample(net, x, SCHEDULE, generator=generator))
    terms = elbo_terms(net, x, SCHEDULE, generator=generator)
    losses = loss_by_time(net, x, SCHEDULE, generator=generator)
    for values in (x_0, terms, losses):
        assert values.isfinite().all()
    assert x_0.dtype == of_data
    loss = partial(denoising_loss, schedule=SCHEDULE)
    state = last(train(net, loss, x, **OPTIONS, generator=generator))
    assert math.isfinite(state.loss)
    assert {p.dtype for p in state.ema.parameters()} == {of_weights}


@pytest.mark.parametrize("of_data", DTYPES)
@pytest.mark.parametrize("of_weights", DTYPES)
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_family_may_have_any_dtype(kind, of_weights, of_data, generator):
    make, loss = FAMILIES[kind]
    model, x = make().to(of_weights), as_points(of_data)
    state = last(train(model, loss, x, **OPTIONS, generator=generator))
    assert math.isfinite(state.loss)
    samples = {} if kind == "flow" else {"samples": 2, "generator": generator}
    assert model.log_prob(x, **samples).isfinite().all()
    drawn = model.sample(3, generator=generator)
    assert (drawn.shape, drawn.dtype) == ((3, 2), of_weights)


@pytest.mark.parametrize("part", ["time", "first", "last", "layers"])
@pytest.mark.parametrize("kind", DENOISERS)
def test_a_denoiser_of_two_dtypes_is_refused(kind, part, generator):
    make, data = DENOISERS[kind]
    net, x = make(), data(torch.float32)
    getattr(net, part, net.last).double()
    named = "must have weights of one dtype, got .*'torch.float32', 'torch.f"
    with pytest.raises(ValueError, match=named):
        last(ddpm_sample(net, x, SCHEDULE, generator=generator))


@pytest.mark.parametrize("dtype", WHOLE)
def test_labels_may_be_any_whole_numbers(dtype):
    net, x = UNet(width=8, num_classes=3), as_pictures(torch.float32)
    t = torch.arange(8).to(dtype)
    assert net(x, t, t % 3).shape == x.shape


@pytest.mark.parametrize("of_data", DTYPES)
@pytest.mark.parametrize("of_weights", DTYPES)
def test_a_game_may_have_any_dtype(of_weights, of_data, generator):
    model = point_generator(2, 8).to(of_weights)
    discriminator = point_discriminator(8).to(of_weights)
    x = as_points(of_data)
    games = train_gan(
        model, discriminator, x, **OPTIONS, generator=generator, gamma=0.1
    )
    assert math.isfinite(last(games).loss)
    assert model.sample(3, generator=generator).dtype == of_weights
    assert discriminator(x).dtype == of_weights


def test_a_double_network_learns_in_double(generator):
    seen = []

    def loss(model, x, generator):
        seen.append(x.dtype)
        return model(x, torch.ones(len(x)).long()).square().mean()

    net, x = MLP(width=8).double(), as_points(torch.float32)
    last(train(net, loss, x, **OPTIONS, generator=generator))
    assert set(seen) == {torch.float64}


def test_the_time_is_told_in_float32_whatever_the_network_is():
    assert time_embedding(torch.tensor([999]), 8).dtype == torch.float32
    for dim in (3, 0, 2.0):
        with pytest.raises(ValueError, match="dim must be a whole number"):
            time_embedding(torch.tensor([1]), dim)
