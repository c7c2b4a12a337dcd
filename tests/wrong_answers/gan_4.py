"""Wrong answers: the generator's loss still has a bug."""

import torch
from torch import nn

log_sigmoid = nn.functional.logsigmoid


def saturating(fake_logit):
    """It looks like log sigmoid(-l), which saturates."""
    return log_sigmoid(-fake_logit).mean()


def wrong_way(fake_logit):
    """A larger logit, 'real', must make the generator's loss smaller."""
    return log_sigmoid(fake_logit).mean()


def discriminators(fake_logit):
    """A larger logit, 'real', must make the generator's loss smaller."""
    return -log_sigmoid(-fake_logit).mean()


def summed(fake_logit):
    """It looks like a sum, not a mean."""
    return -log_sigmoid(fake_logit).sum()


def halved(fake_logit):
    """It looks like half of it."""
    return -log_sigmoid(fake_logit).mean() / 2


def wasserstein(fake_logit):
    """It looks like the mean logit, as in Wasserstein."""
    return -fake_logit.mean()


def detached(fake_logit):
    """Return a tensor that has a slope"""
    return -log_sigmoid(fake_logit.detach()).mean()


def a_float(fake_logit):
    """Return a tensor that has a slope"""
    return -log_sigmoid(fake_logit).mean().item()


def shifted(fake_logit):
    """The slope is right, and the loss is"""
    return -log_sigmoid(fake_logit).mean() - torch.tensor(2.0).log()


def probability(fake_logit):
    """and must be"""
    return -fake_logit.sigmoid().mean()
