"""The protocols are met by what the book hands over."""

import inspect

import pytest

from diffusion_lite import types
from diffusion_lite.elbo import discrete_log_prob, normal_log_prob
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.posterior import forward_variance, posterior_variance


def arguments(function):
    """Return the names that a call by position fills, without self."""
    names = inspect.signature(function).parameters.values()
    return [
        p.name
        for p in names
        if p.default is p.empty
        and p.name != "self"
        and p.kind is not p.KEYWORD_ONLY
    ]


@pytest.mark.parametrize(
    ("protocol", "instances"),
    [
        (types.Denoiser, [MLP.forward, UNet.forward]),
        (types.ReverseVariance, [forward_variance, posterior_variance]),
        (types.Decoder, [normal_log_prob, discrete_log_prob]),
    ],
)
def test_what_the_book_hands_over_meets_its_protocol(protocol, instances):
    for instance in instances:
        assert arguments(instance) == arguments(protocol.__call__)
