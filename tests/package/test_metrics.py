"""Measures against definitions, other libraries, and their floors."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from sklearn.neighbors import NearestNeighbors

from diffusion_lite.data import digits, eight_modes
from diffusion_lite.metrics import (
    digit_features,
    digit_labels,
    energy_distance,
    frechet_distance,
    mode_weights,
    modes_lost,
    nearest,
    precision_recall,
    real_floor,
    total_variation,
)
from mutants import mutant


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def test_energy_distance_against_its_definition(generator):
    x, y = normal(20, 3, generator), normal(30, 3, generator) + 0.5
    between = np.mean([[math.dist(a, b) for b in y] for a in x])
    within = sum(
        np.mean([[math.dist(a, b) for b in z] for a in z]) for z in (x, y)
    )
    expected = 2 * between - within
    assert float(energy_distance(x, y)) == pytest.approx(expected, 1e-9)


def test_energy_distance_in_1d_against_scipy(generator):
    x, y = normal(200, 1, generator), 2 * normal(300, 1, generator)
    # scipy's is the square root, of the same normalisation
    expected = scipy.stats.energy_distance(x[:, 0], y[:, 0]) ** 2
    assert float(energy_distance(x, y)) == pytest.approx(expected, 1e-6)


def test_energy_distance_of_a_sample_to_itself_is_0(generator):
    x = normal(50, 2, generator)
    assert 0 <= float(energy_distance(x, x)) < 1e-12


def test_mode_weights_find_the_weights_and_a_lost_mode(generator):
    mixture = eight_modes()
    x = mixture.sample(40_000, generator=generator)
    weights = mode_weights(x, mixture)
    assert float(weights.sum()) == pytest.approx(1)
    assert float(total_variation(weights, mixture.weights)) < 0.01
    kept = x[mixture.responsibilities(x).argmax(1) != 3]
    weights = mode_weights(kept, mixture)
    assert weights[3] == 0
    off = total_variation(weights, mixture.weights)
    assert float(off) == pytest.approx(8 / 36, abs=0.01)


def test_total_variation_from_0_to_1():
    p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert float(total_variation(p, q)) == 1
    assert float(total_variation(p, p)) == 0
    with pytest.raises(ValueError, match=r"one shape, got \(2,\) and \(1,\)"):
        total_variation(p, torch.ones(1))


def test_frechet_distance_against_scipy(generator):
    x = normal(100, 4, generator) @ normal(4, 4, generator)
    y = normal(80, 4, generator) @ normal(4, 4, generator) + 0.3
    cov_x, cov_y = np.cov(x.T.numpy()), np.cov(y.T.numpy())
    root = scipy.linalg.sqrtm(cov_x @ cov_y).real
    expected = float((x.mean(0) - y.mean(0)).square().sum()) + np.trace(
        cov_x + cov_y - 2 * root
    )
    assert float(frechet_distance(x, y)) == pytest.approx(
        float(expected), rel=1e-6
    )


def test_frechet_distance_of_two_gaussians_in_closed_form(generator):
    x = normal(100_000, 1, generator)
    y = 3 * normal(100_000, 1, generator) + 2
    # (mu_1 - mu_2)^2 + (sigma_1 - sigma_2)^2
    assert float(frechet_distance(x, y)) == pytest.approx(8, rel=0.02)
    assert float(frechet_distance(x, x)) == pytest.approx(0, abs=1e-9)


def test_nearest_against_scikit_learn(generator):
    x, data = normal(20, 64, generator), normal(50, 64, generator)
    distance, which = nearest(x.reshape(20, 1, 8, 8), data)
    found = NearestNeighbors(n_neighbors=1).fit(data.numpy())
    expected, i = found.kneighbors(x.numpy())
    assert which.tolist() == i[:, 0].tolist()
    assert distance.tolist() == pytest.approx(expected[:, 0].tolist())


def test_real_floor_is_the_distance_of_real_data(generator):
    mixture = eight_modes()

    def draw():
        return (
            mixture.sample(100, generator=generator),
            mixture.sample(200, generator=generator),
        )

    floor = real_floor(energy_distance, draw, repeats=50)
    assert floor.shape == (50,)
    # the V-statistic's expectation under the null: E|x - x'| (1/N + 1/M)
    x, y = (mixture.sample(4000, generator=generator) for _ in range(2))
    expected = float((x - y).norm(dim=1).mean()) * (1 / 100 + 1 / 200)
    error = float(floor.std()) / 50**0.5
    assert abs(float(floor.mean()) - expected) < 4 * error
    with pytest.raises(
        ValueError, match=r"repeats must be .* at least 1, got 0"
    ):
        real_floor(energy_distance, draw, repeats=0)


def test_the_classifier_reads_the_test_set():
    data = digits()
    right = digit_labels(data.test_images) == data.test_labels
    assert float(right.double().mean()) > 0.975


def test_frechet_distance_of_digits_sees_what_is_wrong(generator):
    data = digits()
    real = digit_features(data.test_images)
    assert real.shape == (364, 64)

    def distance(images):
        return float(frechet_distance(digit_features(images), real))

    train = data.train_images
    floor = distance(train)
    noisy = train + 0.3 * torch.randn(train.shape, generator=generator)
    assert distance(noisy) > 1.5 * floor
    assert distance(train[data.train_labels != 3]) > 1.5 * floor
    assert distance(train[:1].expand(364, 1, 8, 8)) > 10 * floor
    # nothing learned from pictures alone: paper, noise
    assert distance(-torch.ones(364, 1, 8, 8)) > 10 * floor


def test_features_do_not_touch_the_global_seed():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    digit_labels(digits().test_images[:1])
    assert torch.equal(torch.rand(1), expected)


def test_bad_input_is_named():
    x = torch.ones(3, 2)
    cases = [
        (lambda: energy_distance(x, torch.ones(3, 1)), "x and y must be"),
        (lambda: energy_distance(x, x * math.nan), "y must be finite"),
        (lambda: energy_distance(x[:0], x), "x must be a batch"),
        (lambda: frechet_distance(x, x[:1]), "at least 2 rows, got 3 and 1"),
        (lambda: frechet_distance(x, torch.ones(3)), r"and \(3,\)"),
        (lambda: nearest(x, torch.ones(3, 3)), r"and \(3, 3\)"),
        (lambda: digit_features(x), r"images must be \(B, 1, 8, 8\)"),
        (lambda: digit_labels(torch.ones(1, 8, 8)), "got"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


def test_precision_and_recall_of_one_law_are_near_one(generator):
    mixture = eight_modes()
    x, y = (mixture.sample(1000, generator=generator) for _ in range(2))
    precision, recall = precision_recall(x, y)
    assert 0.9 < precision <= 1
    assert 0.9 < recall <= 1
    assert precision_recall(x, x) == (1.0, 1.0)


@mutant(
    "precision and recall exchanged",
    precision_recall,
    lambda right, x, data: right(x, data)[::-1],
)
def test_precision_sees_what_is_invented_recall_what_is_missing(generator):
    mixture = eight_modes()
    data = mixture.sample(2000, generator=generator)
    modes = mixture.responsibilities(data).argmax(1)
    few = data[(modes == 3) | (modes == 7)]
    share = float(((modes == 3) | (modes == 7)).double().mean())
    precision, recall = precision_recall(few, data)
    assert precision == 1
    assert recall == pytest.approx(share, abs=0.02)
    far = torch.cat([data, data + 100])
    precision, recall = precision_recall(far, data)
    assert precision == 0.5
    assert recall == 1


def test_precision_is_a_count_of_balls():
    data = torch.tensor([[0.0], [1.0], [3.0]])
    # With k = 1 the balls' radii are 1, 1 and 2.
    x = torch.tensor([[-1.0], [2.0], [5.0], [5.1]])
    precision, _ = precision_recall(x, data, k=1)
    assert precision == 0.75


@pytest.mark.parametrize("k", [0, 3])
def test_precision_needs_fellows(k):
    with pytest.raises(ValueError, match=rf"k must be .* {k}\b"):
        precision_recall(torch.zeros(3, 2), torch.zeros(9, 2), k=k)


def test_a_mode_is_lost_below_a_tenth_of_its_weight():
    weights = torch.tensor([0.5, 0.3, 0.2])
    assert modes_lost(torch.tensor([0.95, 0.031, 0.019]), weights) == 1
    assert modes_lost(weights, weights) == 0
    with pytest.raises(ValueError, match=r"one shape, got \(2,\) and \(3,\)"):
        modes_lost(torch.ones(2), weights)
