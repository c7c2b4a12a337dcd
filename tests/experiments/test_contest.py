"""How the contest is held: fair in what it gives, and the same every time."""

import json
import math
from concurrent.futures import Future
from functools import partial

import pytest
import torch

from diffusion_lite import gan, training
from diffusion_lite.data import digits
from experiments.contest import (
    cost,
    hold,
    networks,
    protocol,
    reader,
    search,
)
from experiments.contest.protocol import Job, Price, run, start
from experiments.contest.results import COLUMNS
from experiments.contest.search import AT_ONCE, PLAYERS, SIDES, Side
from experiments.contest.tasks import MIXTURES, Handwriting, Plane, task

TRAINED = [side for side in SIDES if side.method not in AT_ONCE]
PRICES = {
    (search.kind(side.task), side.method, side.build, batch): Price(0.01, 1e9)
    for side in TRAINED
    for _, batch in hold.batches(side)
}
MEASURES = ("energy", "weights_tv", "modes_lost", "precision", "recall")


@pytest.fixture
def short(monkeypatch):
    """Make every sample a small one, and every chain short."""
    monkeypatch.setattr(Plane, "block", 40)
    monkeypatch.setattr(Plane, "few", 20)
    monkeypatch.setattr(Handwriting, "block", 30)
    monkeypatch.setattr(Handwriting, "few", 20)


def job(side, phase="contest", currency="seconds", steps=4, seed=40):
    if side.method in AT_ONCE:
        (config, *_), steps = search.own(side, []), 1
    else:
        config = search.rates(side)[0]
    if "T" in config:
        config = config | {"T": 4}
    return Job(phase, *side, currency, config, seed, steps)


@pytest.mark.parametrize("side", SIDES, ids="-".join)
def test_every_side_runs_and_is_measured(side, short):
    rows = list(run(job(side), PRICES))
    last = rows[-1]
    assert last["step"] == last["steps"]
    for row in rows:
        assert set(row) <= set(COLUMNS)
        assert math.isfinite(row["distance"])
    assert all(math.isfinite(last[name]) for name in MEASURES)
    assert ("frechet" in last) == (side.task == "digits")
    assert ("nats" in last) == (
        side.task == "ring" and not side.method.startswith("gan")
    )
    if side in TRAINED:
        assert [row["step"] for row in rows] == [1, 2, 4]
        assert [row["operations"] for row in rows] == [1e9, 2e9, 4e9]
        assert last["operations_sample"] > 10_000


def test_nobody_trains_on_a_gpu(short, monkeypatch):
    monkeypatch.setattr(training, "device", lambda: torch.device("meta"))
    _, learner = start(job(Side("digits", "diffusion", "convolution")))
    state = next(learner.states)
    assert {p.device.type for p in state.model.parameters()} == {"cpu"}


@pytest.mark.parametrize("method", PLAYERS)
def test_the_same_job_has_the_same_result(method, short):
    side = Side("ring", method, "perceptron")
    first, second = ([*run(job(side), PRICES)][-1] for _ in range(2))
    other = [*run(job(side, seed=41), PRICES)][-1]
    assert first["energy"] == second["energy"] != other["energy"]


def test_evaluations_change_neither_the_training_nor_the_last(
    short, monkeypatch
):
    side = Side("ring", "vae", "perceptron")
    often = [*run(job(side), PRICES)][-1]
    monkeypatch.setattr(protocol, "MOMENTS", ())
    (once,) = run(job(side), PRICES)
    for name in MEASURES:
        assert often[name] == once[name]


def test_a_training_that_blows_up_ranks_last_and_stays(short):
    side = Side("ring", "gan", "perceptron")
    lost = job(side)

    def states():
        raise FloatingPointError
        yield

    def burst(of, build, config, **_):
        return protocol.Learner(states(), None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(protocol.METHODS, "gan", burst)
        (row,) = run(lost, PRICES)
    assert row["energy"] == row["weights_tv"] == row["distance"] == math.inf
    assert row["recall"] == row["precision"] == 0
    assert row["modes_lost"] == 8
    assert row["step"] == row["steps"]


# ---- the data ---------------------------------------------------------------


def test_each_seed_has_its_own_split_of_all_digits():
    one, other = task("digits", 40), task("digits", 41)
    assert len(one.data) + len(one.held_out) + len(one.others) == 1797
    assert len(one.held_out) == len(one.others) == 364
    assert not torch.equal(one.held_out, other.held_out)
    again = task("digits", 40)
    assert torch.equal(one.held_out, again.held_out)
    each = digits()
    every = torch.cat([each.train_images, each.test_images]).sum()
    parts = (one.data, one.held_out, one.others)
    assert float(sum(x.sum() for x in parts)) == pytest.approx(float(every))


def test_a_search_never_sees_what_the_contest_measures_by():
    before, after = task("digits", 40), task("digits", 40)
    after.set_test_aside()
    rows = {tuple(x.flatten().tolist()) for x in before.held_out}
    seen = torch.cat([after.data, after.held_out])
    assert len(after.data) == len(before.data) - 364
    shared = sum(tuple(x.flatten().tolist()) in rows for x in seen)
    assert shared <= 3  # a few digits are there twice, in the data themselves


@pytest.mark.parametrize("name", MIXTURES)
def test_modes_have_unit_spread_and_lie_apart(name, generator):
    mixture = MIXTURES[name]
    x = mixture.sample(100_000, generator=generator)
    assert float(x.square().sum(1).mean()) / 2 == pytest.approx(1, rel=0.02)
    apart = torch.pdist(mixture.means).min()
    std = mixture.covariances[0, 0, 0].sqrt()
    assert float(apart / std) > 9.5
    assert float(mixture.weights.sum()) == pytest.approx(1)


@pytest.mark.slow
def test_the_reader_reads_digits_that_it_never_saw():
    each = digits()
    images = torch.cat([each.train_images, each.test_images])
    labels = torch.cat([each.train_labels, each.test_labels])
    right = (reader.labels(images) == labels).double().mean()
    assert float(right) > 0.87
    assert reader.features(images[:5]).shape == (5, 64)


def test_small_pictures_fill_their_frame():
    image = torch.full((1, 28, 28), -1.0)
    image[:, 8:20, 12:16] = 1.0
    small = reader.small(image)
    assert small.shape == (1, 8, 8)
    assert float(small[0, 0].max()) > 0 < float(small[0, -1].max())
    assert torch.equal(small, small.flip(2))


# ---- what is spent ----------------------------------------------------------


def test_operations_are_those_of_the_products():
    x, w = torch.randn(8, 3), torch.randn(3, 5, requires_grad=True)
    assert cost.operations(lambda: x @ w.detach()) == 2 * 8 * 3 * 5
    # Backward, x needs no gradient: one more product, for w.
    assert cost.operations(lambda: (x @ w).sum().backward()) == 480
    image, kernel = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)

    def convolve():
        torch.nn.functional.conv2d(image, kernel, padding=1)

    assert cost.operations(convolve) == 2 * 2 * 4 * 3 * 9 * 64


def test_r1_costs_more_operations_than_the_plain_game():
    found = [
        hold.protocol.price(side, search.rates(side)[0]).operations
        for side in (
            Side("ring", "gan", "perceptron"),
            Side("ring", "gan-r1", "perceptron"),
        )
    ]
    assert 1.2 < found[1] / found[0] < 2


@pytest.mark.parametrize("build", ["perceptron", "convolution"])
def test_r1_is_a_third_of_a_step_s_operations(build):
    spent = []
    for gamma in (0.0, 1.0):
        states = gan.train_gan(
            networks.generator(build, 32, picture=True),
            networks.discriminator(build, picture=True),
            torch.zeros(64, 1, 8, 8),
            steps=2,
            batch_size=32,
            lr=1e-3,
            generator=torch.Generator().manual_seed(0),
            gamma=gamma,
        )
        next(states)
        spent.append(cost.operations(partial(next, states)))
    plain, whole = spent
    assert 0.3 < 1 - plain / whole < 0.34
    real = torch.zeros(32, 1, 8, 8)
    once = cost.operations(
        partial(networks.discriminator(build, picture=True), real)
    )
    # "A tenth": as much for slopes that nobody uses, and for a second pass.
    assert 0.09 < 2 * once / whole < 0.11
    assert round(whole / (plain + (whole - plain) / 16), 1) == 1.4


def test_all_sides_have_the_same_number_of_settings_in_each_round():
    for side in TRAINED:
        first = protocol.first_round(side, PRICES)
        rows = [
            {"config": each.config, "distance": n}
            for n, each in enumerate(first)
        ]
        second = protocol.second_round(side, rows, PRICES)
        assert (len(first), len(second)) == (12, 6)
        assert len({str(each.config) for each in second}) == 6
        assert {each.seed for each in first + second} == {100}


def test_the_budget_is_what_every_player_can_do_in_the_seconds():
    prices = PRICES | {
        ("plane", "gan-r1", "perceptron", 256): Price(0.01, 4e9)
    }
    best = {
        side: {"batch_size": 256}
        for side in SIDES
        if side.task == "ring" and side.method in PLAYERS
    }
    budget = hold.operations("plane", best, prices)
    assert budget == 1e9 * Plane.seconds / 0.01
    budgets = {"plane": budget, "digits": 0.0}
    side = Side("ring", "gan-r1", "perceptron")
    jobs = protocol.contest_jobs(side, best[side], prices, budgets)
    steps = {each.currency: each.steps for each in jobs}
    assert steps["seconds"] == 4 * steps["operations"]
    assert {each.seed for each in jobs} == set(protocol.SEEDS)
    assert not set(protocol.SEEDS) & set(protocol.SEARCH_SEEDS)


def test_who_wins_a_search_did_well_with_both_seeds():
    def row(phase, name, distance):
        return {"phase": phase, "config": {"lr": name}, "distance": distance}

    rows = [row("second", 1, 0.1), row("second", 2, 0.2)]
    rows += [row("second", 3, 0.05), row("third", 1, 0.9)]
    rows += [row("third", 2, 0.1)]
    assert protocol.winner(rows) == {"lr": 2}
    rows[-1]["distance"] = math.inf
    assert protocol.winner(rows) == {"lr": 1}


# ---- stopped, and gone on with ----------------------------------------------


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.setattr(hold, "PARTS", tmp_path)
    return tmp_path


class Pool:
    """As a pool of processes, in this one, and ended by the third job."""

    def __init__(self, last=None):
        self.done, self.last = 0, last

    def submit(self, call, *args):
        self.done += 1
        if self.done == self.last:
            raise KeyboardInterrupt
        future = Future()
        future.set_result(call(*args))
        return future


def test_a_contest_that_was_ended_goes_on_where_it_was(parts, short):
    jobs = [
        job(Side("ring", "flow", "perceptron"), steps=2, seed=seed)
        for seed in (40, 41, 42)
    ]
    with pytest.raises(KeyboardInterrupt):
        hold.run_all(Pool(last=3), PRICES, {"commit": "a"}, jobs)
    kept = {path.name: path.read_text() for path in parts.glob("*.json")}
    assert len(kept) == 2
    pool = Pool()
    hold.run_all(pool, PRICES, {"commit": "a"}, jobs)
    assert pool.done == 1
    for name, text in kept.items():
        assert (parts / name).read_text() == text
    assert len(hold.rows_of(jobs)) == 3 * 3 - 3  # steps 1 and 2 of each
    assert not [*parts.glob("*.part")]


@pytest.mark.parametrize("what", ["sources", "machine"])
def test_other_code_or_another_machine_does_not_go_on(parts, what):
    begun = hold.origin()
    assert hold.origin() == begun
    path = parts / "origin.json"
    path.write_text(json.dumps(begun | {what: "other", "commit": "b"}))
    with pytest.raises(SystemExit, match=f"begun with {what} 'other'"):
        hold.origin()


def test_a_new_commit_of_the_same_code_goes_on_as_the_old_one(parts):
    path = parts / "origin.json"
    path.write_text(json.dumps(hold.origin() | {"commit": "b"}))
    assert hold.origin()["commit"] == "b"


def test_what_ran_beside_another_program_is_told(capsys):
    side = Side("ring", "vae", "perceptron")
    row = job(side).__dict__ | {"step": 4, "seconds": 0.04}
    hold.tell_slow([row], PRICES)
    assert "0 of 1" in capsys.readouterr().out
    hold.tell_slow([row | {"seconds": 0.06}], PRICES)
    assert "another program" in capsys.readouterr().out
