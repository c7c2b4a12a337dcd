"""Wrong answers: the generator's loss still has a bug."""

import torch
from torch import nn

log_sigmoid = nn.functional.logsigmoid


def saturating(fake_logit):
    """It looks like a loss that saturates, as log sigmoid(-l) does."""
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
    """The slope is right, and the loss is not"""
    return -log_sigmoid(fake_logit).mean() - torch.tensor(2.0).log()


def probability(fake_logit):
    """It looks like a loss that saturates, as log sigmoid(-l) does."""
    return -fake_logit.sigmoid().mean()


def made_anew(fake_logit):
    """The loss is no function of the logits"""
    loss = -log_sigmoid(fake_logit).mean()
    return torch.tensor(loss.item(), requires_grad=True)


def a_little_added(fake_logit):
    """use logsigmoid or softplus."""
    return -(fake_logit.sigmoid() + 1e-8).log().mean()


def clamped(fake_logit):
    """use logsigmoid or softplus."""
    return -fake_logit.sigmoid().clamp(1e-6, 1).log().mean()


def logarithm_of_nothing(fake_logit):
    """use logsigmoid or softplus."""
    return -fake_logit.sigmoid().log().mean()


def cross_entropy(fake_logit):
    """use logsigmoid or softplus."""
    one = torch.ones_like(fake_logit)
    return nn.functional.binary_cross_entropy(fake_logit.sigmoid(), one)


def exp_runs_out(fake_logit):
    """use logsigmoid or softplus."""
    return (1 + (-fake_logit).exp()).log().mean()
