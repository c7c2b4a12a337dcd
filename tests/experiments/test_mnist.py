"""The committed network of chapter 5's large digits, and its table."""

import math

import torch

from diffusion_lite.data import mnist
from diffusion_lite.metrics import nearest
from experiments.mnist import run


def test_the_committed_network_writes_the_digits_it_is_asked_for():
    data, y = mnist(), torch.arange(10).repeat(4)
    network = run.trained()
    for sample in run.sample, run.ddim_sample:
        made = sample(network, y, seed=5)
        assert made.shape == (40, 1, 28, 28)
        assert float(made.abs().max()) <= 1.2
        which = nearest(made, data.train_images)[1]
        assert int((data.train_labels[which] == y).sum()) >= 34


def test_the_script_trains_the_network_that_is_committed():
    untrained = run.fit(steps=1)
    committed = run.trained()
    assert {k: x.shape for k, x in untrained.state_dict().items()} == {
        k: x.shape for k, x in committed.state_dict().items()
    }


def test_each_half_has_half_of_each_class():
    labels = mnist().train_labels
    first, second = run.halves(labels)
    assert (first ^ second).all()
    assert set(labels[first].bincount().tolist()) == {200}


def test_the_table_says_what_the_page_says_of_it():
    table = run.table()
    for name in ("frechet", "frechet of 100 by ddim"):
        assert 1 < table[name].generated / table[name].real < 2
    assert 0.95 < table["read"].generated < table["read"].real
    near = table["nearest"]
    assert abs(near.generated / near.real - 1) < 0.05  # it does not copy
    assert table["CPU minutes, training"].generated < 30
    assert math.isnan(table["CPU minutes, training"].real)
