"""Wrong answers: the game with damping."""

import math

import torch


def _velocity(theta, psi, gamma):
    d_theta = psi * torch.sigmoid(-psi * theta)
    return d_theta, -theta * torch.sigmoid(psi * theta) - gamma * psi


def generator_down(theta, psi, gamma):
    """It looks like a generator that goes down."""
    d_theta, d_psi = _velocity(theta, psi, gamma)
    return -d_theta, d_psi


def saturating(theta, psi, gamma):
    """It looks like minimax, the loss that saturates."""
    _, d_psi = _velocity(theta, psi, gamma)
    return psi * torch.sigmoid(psi * theta), d_psi


def on_both(theta, psi, gamma):
    """It looks like a penalty on the generator too."""
    d_theta, d_psi = _velocity(theta, psi, gamma)
    return d_theta - gamma * theta, d_psi


def exchanged(theta, psi, gamma):
    """It looks like the players exchanged."""
    d_theta, d_psi = _velocity(theta, psi, gamma)
    return d_psi, d_theta


def half_of_gamma(theta, psi, gamma):
    """It looks like half of the penalty's slope."""
    d_theta, _ = _velocity(theta, psi, gamma)
    return d_theta, -theta * torch.sigmoid(psi * theta) - gamma * psi / 2


def no_damping(theta, psi, gamma):
    """It looks like no penalty."""
    return _velocity(theta, psi, 0.0)


def pushes_out(theta, psi, gamma):
    """It looks like a penalty that pushes out."""
    return _velocity(theta, psi, -gamma)


def wrong_variable(theta, psi, gamma):
    """It looks like a penalty with the wrong variable."""
    d_theta, d_psi = _velocity(theta, psi, 0.0)
    return d_theta, d_psi - gamma * theta


def generators_sigmoid(theta, psi, gamma):
    """It looks like the generator's sigmoid."""
    d_theta, _ = _velocity(theta, psi, gamma)
    return d_theta, -theta * torch.sigmoid(-psi * theta) - gamma * psi


def no_inner_slope(theta, psi, gamma):
    """It looks like no inner slope psi."""
    _, d_psi = _velocity(theta, psi, gamma)
    return torch.sigmoid(-psi * theta), d_psi


def discriminator_down(theta, psi, gamma):
    """It looks like a discriminator that goes down."""
    d_theta, d_psi = _velocity(theta, psi, gamma)
    return d_theta, -d_psi


def sign_of_psi_lost(theta, psi, gamma):
    """It looks like a penalty that does not know the sign of psi."""
    d_theta, d_psi = _velocity(theta, psi, 0.0)
    return d_theta, d_psi + gamma * psi.abs()


def always_down(theta, psi, gamma):
    """It looks like a penalty that pushes down, whatever the sign of psi."""
    d_theta, d_psi = _velocity(theta, psi, 0.0)
    return d_theta, d_psi - gamma * psi.abs()


def penalty_itself(theta, psi, gamma):
    """It looks like the penalty itself, not its slope."""
    d_theta, d_psi = _velocity(theta, psi, 0.0)
    return d_theta, d_psi - gamma / 2 * psi**2


def one_number_only(theta, psi, gamma):
    """it stops with"""
    doubt = 1 / (1 + math.exp(-psi * theta))
    return psi * (1 - doubt), -theta * doubt - gamma * psi


def averaged(theta, psi, gamma):
    """it must be (3,)"""
    return tuple(v.mean() for v in _velocity(theta, psi, gamma))


def near_the_end(theta, psi, gamma):
    """It looks like the velocity near (0, 0) only."""
    return psi / 2, -theta / 2 - gamma * psi
