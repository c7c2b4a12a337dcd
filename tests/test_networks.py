"""Networks: shapes, time, and a gradient for every parameter."""

import math

import pytest
import torch

from diffusion_lite.networks import MLP, UNet, time_embedding

STEPS = torch.tensor([1, 50, 99, 100])


def unet(**kwargs):
    torch.manual_seed(0)
    return UNet(width=8, **kwargs)


def test_time_embedding_is_sines_and_cosines():
    emb = time_embedding(torch.tensor([3]), 4)
    expected = [math.sin(3), math.sin(0.03), math.cos(3), math.cos(0.03)]
    assert emb[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dim", [32, 64])
def test_the_nearest_embedding_of_t_is_its_neighbour(dim):
    # ERRORS 30: an embedding that mixes up its axes fails this.
    emb = time_embedding(torch.arange(1000), dim)
    assert emb.shape == (1000, dim)
    distance = torch.cdist(emb, emb) + 1e9 * torch.eye(1000)
    away = (distance.argmin(1) - torch.arange(1000)).abs()
    assert (away == 1).all()


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
        (lambda: UNet(width=20), "width must be a multiple of 8, got 20"),
        (
            lambda: unet(num_classes=4)(x, STEPS, torch.arange(1, 5)),
            r"y must be an integer tensor \(4,\) of 0..3",
        ),
        (
            lambda: unet(num_classes=4)(x, STEPS, torch.arange(2)),
            r"y must be an integer tensor \(4,\) of 0..3",
        ),
        (
            lambda: unet(num_classes=4)(x, STEPS, torch.ones(4)),
            r"y must be an integer tensor \(4,\) of 0..3",
        ),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
