"""The contest: fair in what it gives, and the committed table is its own."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from diffusion_lite import training
from experiments.contest import hold, protocol
from experiments.contest.methods import METHODS, Learner
from experiments.contest.protocol import (
    SEARCH_SEEDS,
    SEEDS,
    Job,
    affordable,
    contest_jobs,
    run,
    search_jobs,
    start,
    timed,
)
from experiments.contest.results import (
    COLUMNS,
    read,
    searched,
    trainings,
    values,
)
from experiments.contest.search import SEARCH
from experiments.contest.tasks import TASKS, Handwriting, Ring

LOOPS = ("diffusion", "gan", "gan-r1", "vae", "flow")
EACH = [(task, method) for task in SEARCH for method in SEARCH[task]]
MEASURES = (
    "weights_tv",
    "modes_lost",
    "energy",
    "frechet",
    "precision",
    "recall",
    "seconds_one",
    "seconds_thousand",
)


@pytest.fixture
def short(monkeypatch):
    """Make every sample a small one."""
    for task in (Ring, Handwriting):
        monkeypatch.setattr(task, "samples", 1030)  # a thousand are timed
        monkeypatch.setattr(task, "block", 30)
        monkeypatch.setattr(task, "few", 20)
    monkeypatch.setattr(Ring, "nats", 10)


def job(task, method, phase="contest", steps=10):
    config = SEARCH[task][method][0]
    if "T" in config:
        config = config | {"T": 5}
    return Job(phase, task, method, config, 0, steps if "lr" in config else 1)


@pytest.mark.parametrize(
    ("task", "method"),
    [each for each in EACH if each != ("ring", "kde")],
)
def test_every_method_runs_and_is_measured(task, method, short):
    rows = list(run(job(task, method)))
    assert [row["step"] for row in rows] == sorted(
        {row["step"] for row in rows}
    )
    assert rows[-1]["step"] == rows[-1]["steps"]
    for row in rows:
        assert set(row) <= set(COLUMNS)
        assert math.isfinite(row["distance"])
    assert all(math.isfinite(rows[-1][name]) for name in MEASURES)
    likely = task == "ring" and method not in ("gan", "gan-r1")
    assert ("nats" in rows[-1]) == likely
    loose = (task, method) == ("ring", "vae")
    assert ("nats_closer" in rows[-1]) == loose
    if method in LOOPS:
        assert rows[0]["parameters"] > 30_000
        assert all(math.isfinite(row["loss"]) for row in rows)
        seconds = [row["seconds"] for row in rows]
        assert seconds == sorted(seconds)


@pytest.mark.parametrize("task", TASKS)
def test_nobody_trains_on_a_gpu(task, short, monkeypatch):
    monkeypatch.setattr(training, "device", lambda: torch.device("meta"))
    _, learner = start(job(task, "diffusion"))
    state = next(learner.states)
    assert {p.device.type for p in state.model.parameters()} == {"cpu"}
    assert math.isfinite(state.loss)


def test_a_search_evaluates_once(short):
    rows = list(run(job("ring", "vae", phase="search")))
    assert [row["step"] for row in rows] == [10]
    assert "energy" not in rows[0]


def test_the_same_job_has_the_same_result(short):
    first, second = (next(run(job("ring", "flow"))) for _ in range(2))
    assert first["distance"] == second["distance"]


def test_evaluations_do_not_change_the_training(short, monkeypatch):
    def last_loss():
        *_, last = run(job("ring", "vae", steps=30))
        return last["loss"]

    often = last_loss()
    monkeypatch.setattr(protocol, "MOMENTS", (0.9, 1.0))
    assert last_loss() == often


@pytest.mark.parametrize(
    ("task", "method"), [("ring", "vae"), ("digits", "diffusion")]
)
def test_more_evaluations_do_not_change_what_is_found(
    task, method, short, monkeypatch
):
    def found():
        *_, last = run(job(task, method))
        return {
            name: value
            for name, value in last.items()
            if "seconds" not in name and "loss" not in name
        }

    often = found()
    monkeypatch.setattr(protocol, "MOMENTS", (1.0,))
    assert found() == often
    assert set(MEASURES[:6]) <= set(often)


def test_what_is_timed_is_measured(short, monkeypatch):
    made = []

    def sample(n):
        x = torch.randn(n, 2)
        made.append(x)
        return x

    x, times = protocol.sample_all(Ring, sample)
    assert [len(each) for each in made] == [1] * 3 + [1000] * 3 + [30]
    assert torch.equal(x, torch.cat(made[-2:]))
    assert list(times) == ["seconds_one", "seconds_thousand"]


def test_a_training_that_diverges_has_lost(short, monkeypatch):
    def states():
        raise FloatingPointError("the loss is nan")
        yield

    def build(task, config, **run):
        return Learner(states(), None)

    monkeypatch.setitem(METHODS, "gan", build)
    (row,) = run(job("ring", "gan"))
    assert row["distance"] == math.inf


def test_evaluations_cost_no_seconds(monkeypatch):
    clock = itertools.count()  # a second a call
    monkeypatch.setattr(protocol.time, "process_time", lambda: next(clock))
    spent = []
    for _, seconds in timed(iter(range(3))):
        for _ in range(100):
            next(clock)  # what an evaluation takes
        spent.append(seconds)
    assert spent == [1, 2, 3]


@pytest.mark.parametrize(
    ("each", "calls", "least"),
    [([0.3, 0.1, 0.2], 3, 0.1), ([6.0], 1, 6.0), ([4.0, 3.0], 2, 3.0)],
)
def test_a_slow_sampler_is_timed_once(monkeypatch, each, calls, least):
    clock = [0.0]
    monkeypatch.setattr(protocol.time, "process_time", lambda: clock[0])
    left = iter(each)

    def sample():
        spent = next(left)
        clock[0] += spent
        return spent

    last, seconds = protocol.fastest(sample)
    assert last == each[calls - 1]
    assert seconds == pytest.approx(least)
    assert clock[0] == pytest.approx(sum(each[:calls]))


def test_steps_follow_from_the_budget(monkeypatch):
    monkeypatch.setattr(Ring, "seconds", 3.0)
    clock = itertools.count(step=0.01)
    monkeypatch.setattr(protocol.time, "process_time", lambda: next(clock))
    assert affordable(job("ring", "vae", steps=0)) == pytest.approx(300, abs=2)
    assert affordable(job("ring", "mixture")) == 1


def test_the_best_of_a_search_goes_on():
    found = dict.fromkeys(range(len(SEARCH["ring"]["vae"])), (9, 9))
    found |= {1: (1, 8), 3: (3, 4)}  # once lucky, and twice good
    rows = []
    for number, each in enumerate(search_jobs("ring", "vae")):
        distance = found[number // 2][number % 2]
        pace = {"steps": 80 + 40 * (number % 2), "seconds": 30.0}
        rows.append(each.__dict__ | pace | {"distance": distance})
    jobs = contest_jobs(rows)
    assert [each.seed for each in jobs] == list(SEEDS)
    assert {each.steps for each in jobs} == {50}  # half the seconds
    assert all(each.config == SEARCH["ring"]["vae"][3] for each in jobs)


def test_a_search_does_not_see_the_contests_test_pictures():
    for phase, data, held_out in (
        ("search", 1074, 359),
        ("contest", 1433, 364),
    ):
        task, _ = start(job("digits", "gan", phase=phase))
        assert (len(task.data), len(task.held_out)) == (data, held_out)
        if phase == "search":
            chosen_by = task.held_out
    apart = torch.cdist(task.held_out.flatten(1), chosen_by.flatten(1))
    assert float(apart.min()) > 0
    seeds = {each.seed for each in search_jobs("digits", "gan")}
    assert not seeds & set(SEEDS)


def test_no_two_jobs_have_one_name():
    names = [
        each.name for task, name in EACH for each in search_jobs(task, name)
    ]
    assert len(names) == len(set(names))


def test_all_are_compared_with_the_same_points():
    (one, _), (other, _) = (start(job("ring", e)) for e in ("gan", "flow"))
    assert torch.equal(one.real(50), other.real(50))
    assert torch.equal(one.real(50), one.real(50))
    real, data = one.real(50).numpy(), one.data.numpy()
    assert not (real[:, None] == data).all(-1).any()  # none learned from


def test_no_ink_is_darker_than_black(generator):
    task = Handwriting(generator)
    wild = 100 * task.data[:50]
    assert torch.equal(task.features(wild), task.features(wild.clamp(-1, 1)))
    assert torch.equal(task.shares(wild), task.shares(wild.clamp(-1, 1)))


def test_real_handwriting_is_not_what_was_trained_on(generator):
    task = Handwriting(generator)
    assert len(task.data) == 1433
    assert len(task.real(5)) == 364
    apart = torch.cdist(task.data.flatten(1), task.held_out.flatten(1))
    assert float(apart.min()) > 0
    assert float(task.shares(task.data).sum()) == pytest.approx(1)


# ---- the table that is committed -------------------------------------------


@pytest.fixture(scope="module")
def table():
    return read()


@pytest.mark.parametrize(("task", "method"), EACH)
def test_the_table_has_the_whole_search(table, task, method):
    configs = [row["config"] for row in searched(table, task, method)]
    assert configs == [
        config for config in SEARCH[task][method] for _ in SEARCH_SEEDS
    ]


@pytest.mark.parametrize(("task", "method"), EACH)
def test_the_contest_is_what_follows_from_the_search(table, task, method):
    jobs = contest_jobs(searched(table, task, method))
    runs = trainings(table, task, method)
    assert [evaluations[0]["seed"] for evaluations in runs] == [
        j.seed for j in jobs
    ]
    for job, evaluations in zip(jobs, runs, strict=True):
        assert {row["steps"] for row in evaluations} == {
            evaluations[-1]["step"]
        }
        # The table keeps six digits of the seconds: allow a step.
        assert evaluations[-1]["step"] == pytest.approx(job.steps, abs=1)
        assert all(row["config"] == job.config for row in evaluations)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", LOOPS)
def test_parameters_are_those_of_the_code(table, task, method):
    evaluations = trainings(table, task, method)[0]
    job = Job(
        "contest",
        task,
        method,
        evaluations[0]["config"],
        0,
        evaluations[0]["steps"],
    )
    _, learner = start(job)
    sizes = [
        sum(p.numel() for p in part.parameters()) for part in learner.parts
    ]
    assert evaluations[-1]["parameters"] == sizes[0]
    assert evaluations[-1]["trained"] == sum(sizes)
    assert evaluations[-1]["passes"] == learner.passes


@pytest.mark.parametrize("task", TASKS)
def test_every_side_had_the_same_seconds(table, task):
    budget = TASKS[task].seconds
    for method in LOOPS:
        tried = searched(table, task, method)
        spent = [row["seconds"] for row in tried]
        spent += values(table, task, method, "seconds").tolist()
        assert sum(spent) / len(spent) == pytest.approx(budget, rel=0.15)
    searches = {len(searched(table, task, e)) for e in LOOPS}
    assert len(searches) == 1


def test_the_table_is_of_one_piece(table):
    assert len({row["machine"] for row in table}) == 1
    (commit,) = {row["commit"] for row in table}
    assert "+" not in commit  # nothing was changed since


@pytest.mark.parametrize("method", ["mixture", "vae"])
def test_a_cheap_row_comes_out_again(table, method):
    row = trainings(table, "ring", method)[0][0]
    job = Job(
        "contest", "ring", method, row["config"], row["seed"], row["steps"]
    )
    again = next(run(job))  # the first row, without what follows
    assert again["step"] == row["step"]
    # Other processors round otherwise, and training makes that grow.
    assert again["distance"] == pytest.approx(row["distance"], rel=0.1)


# ---- how it is held --------------------------------------------------------


@pytest.fixture
def holding(tmp_path, monkeypatch):
    """Return the module that holds the contest, with a place of its own."""
    monkeypatch.setattr(hold, "PARTS", tmp_path)
    return hold


def test_a_contest_cut_short_goes_on_where_it_was(
    holding, tmp_path, monkeypatch, capsys
):
    jobs = search_jobs("ring", "mixture")
    lost, ran, killed = jobs[3], [], [True]

    def run(job):
        ran.append(job)
        yield {"seed": job.seed, "seconds": 1.0, "distance": 0.5}
        if job is lost and killed:
            killed.pop()
            raise InterruptedError

    monkeypatch.setattr(protocol, "run", run)
    origin = {"commit": "abc", "machine": "this one"}
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(InterruptedError),
    ):
        holding.run_all(pool, jobs, origin)
    # Killed while it wrote: what is there is not taken for the whole.
    (tmp_path / f"{lost.name}.part").write_text("[{")
    ran.clear()
    with ThreadPoolExecutor(1) as pool:
        holding.run_all(pool, jobs, origin)
    assert ran == [lost]
    assert (
        f"1/1 {lost.name}: 1.0 s, distance 0.5000" in capsys.readouterr().out
    )
    rows = holding.rows_of(jobs)
    assert [row["seed"] for row in rows] == [job.seed for job in jobs]
    assert all(row.items() >= origin.items() for row in rows)


def test_what_was_changed_since_a_commit_is_told(holding, monkeypatch):
    said = {"rev-parse": "abc\n", "status": ""}
    monkeypatch.setattr(
        holding.subprocess,
        "check_output",
        lambda command, **_: said[command[1]],
    )
    assert holding.commit() == "abc"
    said["status"] = " M diffusion_lite/gan.py\n"
    assert holding.commit() == "abc+"
