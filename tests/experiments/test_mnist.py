"""The committed network of chapter 5's large digits, and its table."""

import math

import matplotlib.image
import torch

from artwork import STATIC, strip
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


def test_the_readme_has_the_tables_numbers():
    words = (run.FOLDER / "README.md").read_text(encoding="utf-8")
    lines = [line for line in words.splitlines() if line.startswith("| ")][1:]
    shown = [line.split(" | ")[1:] for line in lines if "---" not in line]
    forms = ["{:.1f}", "{:.1f}", "{:.1f}", "{:.1%}", "{:.2f}"]
    rows = list(run.table().values())[: len(forms)]
    assert [[x.strip(" |").replace(" %", "%") for x in s] for s in shown] == [
        [form.format(row.generated), form.format(row.real)]
        for form, row in zip(forms, rows, strict=True)
    ]


def test_the_first_picture_is_what_the_committed_network_draws(tmp_path):
    strip(tmp_path / "strip.png")
    drawn, committed = (
        matplotlib.image.imread(folder / "strip.png")
        for folder in (tmp_path, STATIC)
    )
    assert drawn.shape == committed.shape
    assert abs(drawn - committed).mean() < 0.01  # processors round apart
