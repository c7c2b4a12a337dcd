"""Wrong answers: the game with friction."""

import torch


def velocity(theta, psi, gamma):
    d_theta = psi * torch.sigmoid(-psi * theta)
    return d_theta, -theta * torch.sigmoid(psi * theta) - gamma * psi


def generator_down(theta, psi, gamma):
    """It looks like a generator that goes down."""
    d_theta, d_psi = velocity(theta, psi, gamma)
    return -d_theta, d_psi


def saturating(theta, psi, gamma):
    """It looks like minimax, the loss that saturates."""
    _, d_psi = velocity(theta, psi, gamma)
    return psi * torch.sigmoid(psi * theta), d_psi


def on_both(theta, psi, gamma):
    """It looks like a penalty on the generator too."""
    d_theta, d_psi = velocity(theta, psi, gamma)
    return d_theta - gamma * theta, d_psi


def exchanged(theta, psi, gamma):
    """It looks like the players exchanged."""
    d_theta, d_psi = velocity(theta, psi, gamma)
    return d_psi, d_theta


def half_of_gamma(theta, psi, gamma):
    """It looks like half of the penalty's slope."""
    d_theta, _ = velocity(theta, psi, gamma)
    return d_theta, -theta * torch.sigmoid(psi * theta) - gamma * psi / 2


def no_friction(theta, psi, gamma):
    """It looks like no penalty."""
    return velocity(theta, psi, 0.0)


def pushes_out(theta, psi, gamma):
    """It looks like a penalty that pushes out."""
    return velocity(theta, psi, -gamma)


def discriminator_down(theta, psi, gamma):
    """It looks like a discriminator that goes down."""
    d_theta, d_psi = velocity(theta, psi, gamma)
    return d_theta, -d_psi
