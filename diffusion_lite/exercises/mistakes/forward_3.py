"""Wrong answers: alpha_bar_T of T betas on a line."""

import math

import torch

from diffusion_lite.schedules import linear_schedule


def _line(T):
    return torch.linspace(1e-4, 0.02, T, dtype=torch.float64)


def rescaled(T):
    """It looks like betas rescaled to fewer steps."""
    return float(linear_schedule(T).alpha_bar[-1])


def exponent(T):
    """It looks like exp of minus the sum, an estimate."""
    return math.exp(-float(_line(T).sum()))


def sum_for_product(T):
    """It looks like a sum where a product belongs."""
    return 1 - float(_line(T).sum())


def product_of_betas(T):
    """It looks like the product of the betas."""
    return float(_line(T).prod())


def lost(T):
    """It looks like what is lost, not what is left."""
    return 1 - float((1 - _line(T)).prod())


def rooted(T):
    """It looks like the root."""
    return float((1 - _line(T)).prod().sqrt())


def one_too_many(T):
    """It looks like one beta too many."""
    return float((1 - _line(T + 1)).prod())


def last_step_alone(T):
    """It looks like the last step alone."""
    return 1 - float(_line(T)[-1])


def all_of_them(T):
    """and not a number"""
    return (1 - _line(T)).cumprod(0)


def first_left_out(T):
    """It looks like the first beta left out."""
    return float((1 - _line(T))[1:].prod())


def last_left_out(T):
    """It looks like the last beta left out."""
    return float((1 - _line(T))[:-1].prod())


def divided_by_T(T):
    """It looks like a line that is divided by T: T betas have T - 1 gaps."""
    return math.prod(1 - (1e-4 + i * (0.02 - 1e-4) / T) for i in range(T))


def divided_by_T_from_1(T):
    """It looks like a line divided by T, that begins after its start."""
    steps = range(1, T + 1)
    return math.prod(1 - (1e-4 + i * (0.02 - 1e-4) / T) for i in steps)


def nothing_left(T):
    """something is always left"""
    return 0.0
