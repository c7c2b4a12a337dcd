"""The checks: they accept each solution, and refuse each wrong answer."""

import ast
import contextlib
import math
import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from diffusion_lite import exercises
from diffusion_lite.exercises import check, names
from diffusion_lite.exercises.trial import Trial, mistakes
from diffusion_lite.parameterization import eps_from_x_0
from diffusion_lite.posterior import (
    posterior_mean_from_eps,
    posterior_variance,
)
from diffusion_lite.solvers import ddim_step

ROOT = Path(__file__).resolve().parent.parent.parent
LABS = sorted(ROOT.glob("notebooks/*.ipynb"))

FEW, MANY = range(3), range(300)


def cells(path, tag):
    lab = nbformat.read(path, as_version=4)
    return [c for c in lab.cells if tag in c.metadata.get("tags", [])]


def handed_in(path):
    """Yield an exercise's name and the answer's, for each check of a lab."""
    for cell in cells(path, "check"):
        (call,) = ast.parse(cell.source).body
        name, answer = call.value.args
        assert call.value.func.id == "check"
        yield name.value, answer.id


def answers(path, kind):
    """Return a lab's answers, {name of the exercise: answer}.

    The kind is "exercise", for what is given, or "solution".
    """
    lab = nbformat.read(path, as_version=4)
    space = {"__name__": "lab"}
    setup = [c.source for c in lab.cells if c.cell_type == "code"][:2]
    for source in setup:
        exec(source, space)
    of_exercises = zip(
        cells(path, "exercise"),
        cells(path, "solution"),
        handed_in(path),
        strict=True,
    )
    found = {}
    for exercise, solution, (name, answer) in of_exercises:
        exec(exercise.source, space)
        given = space[answer]
        exec(solution.source, space)
        found[name] = {"exercise": given, "solution": space[answer]}[kind]
    return found


def of_all_labs(kind):
    with matplotlib.rc_context():
        labs = [answers(path, kind) for path in LABS]
    return {name: answer for lab in labs for name, answer in lab.items()}


@pytest.fixture(scope="module")
def solution():
    """Return all solutions, as the labs have them."""
    return of_all_labs("solution")


@pytest.fixture(scope="module")
def given():
    """Return what the reader starts from: stubs, and code with a bug."""
    return of_all_labs("exercise")


def wrong_answers():
    """Yield an exercise's name, and each wrong answer to it."""
    for name in names():
        for answer in mistakes(name):
            yield pytest.param(name, answer, id=f"{name}-{answer.__name__}")


def source(answer):
    """Return the text of the file that a wrong answer stands in."""
    return Path(sys.modules[answer.__module__].__file__).read_text()


each_name = pytest.mark.parametrize("name", names())
each_wrong_answer = pytest.mark.parametrize(
    ("name", "answer"), list(wrong_answers())
)


@each_name
def test_a_solution_is_right(name, solution):
    for seed in FEW:
        verdict = check(name, solution[name], seed=seed)
        assert verdict.passed, verdict
        assert repr(verdict).startswith("Right: ")


@pytest.mark.slow
@each_name
def test_a_solution_is_right_at_every_seed(name, solution):
    refused = [
        (seed, verdict)
        for seed in MANY
        if not (verdict := check(name, solution[name], seed=seed))
    ]
    assert not refused


@each_wrong_answer
def test_a_wrong_answer_gets_its_message(name, answer):
    for seed in FEW:
        refuses(name, answer, seed)


@pytest.mark.slow
@each_wrong_answer
def test_a_wrong_answer_is_refused_at_every_seed(name, answer):
    for seed in range(100):
        refuses(name, answer, seed)


def refuses(name, answer, seed):
    """Check an answer; its docstring is a part of what it must be told."""
    verdict = check(name, answer, seed=seed)
    assert not verdict, f"accepted at seed {seed}"
    assert answer.__doc__.strip() in verdict.text, (seed, verdict)


def test_every_exercise_has_five_wrong_answers():
    counts = dict.fromkeys(names(), 0)
    for parameters in wrong_answers():
        counts[parameters.values[0]] += 1
    assert min(counts.values()) >= 5
    assert sum(counts.values()) >= 200


def test_every_lab_hands_its_exercises_in():
    found = [name for path in LABS for name, _ in handed_in(path)]
    assert found == names()


# ---- nonsense: it is refused, and nothing breaks ----------------------------


class Odd:
    """An answer that cannot be copied or shown."""

    def __call__(self, *given):
        return self

    def __deepcopy__(self, memo):
        raise RuntimeError("no copies")

    def __repr__(self):
        raise ValueError("no name")


def raises(*given):
    raise KeyError("x")


def leaves(*given):
    sys.exit(3)


def interrupts(*given):
    raise KeyboardInterrupt


class Silent(BaseException):
    """An error that cannot be told."""

    def __str__(self):
        raise self


def raises_what_cannot_be_told(*given):
    raise Silent


class NotCallable:
    """Neither an answer nor to be shown."""

    def __repr__(self):
        raise ValueError("no name")


class ExitsAsANumber(float):
    """A number that ends the process when it is read."""

    def __float__(self):
        sys.exit(3)


class AlwaysNear(torch.Tensor):
    """A tensor for which every comparison is true."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.ones((), dtype=torch.bool)


def digs(*given):
    return digs(*given)


def spoils(*given):
    for value in given:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            value.mul_(0)
    return given[0]


def echoes_first(*given):
    return given[0] if given else 0


def echoes_last(*given):
    return given[-1] if given else 0


def returning(value):
    return lambda *given: value


NONSENSE = [
    None,
    3,
    "x",
    [],
    int,
    Odd,
    Odd(),
    raises,
    leaves,
    interrupts,
    raises_what_cannot_be_told,
    NotCallable(),
    digs,
    spoils,
    echoes_first,
    echoes_last,
    lambda: 1,
    lambda *given: given,
    returning(None),
    returning("x"),
    returning(True),
    returning(1j),
    returning(10**400),
    returning(math.nan),
    returning((1, 2, 3)),
    returning((None, None)),
    returning(("a", torch.ones(2))),
    returning(torch.zeros(0)),
    returning(torch.zeros(7, 7)),
    returning(torch.tensor(math.nan)),
    returning(torch.tensor([1j])),
    returning(torch.ones(3, dtype=torch.bool)),
    returning(returning(None)),
    returning(Odd()),
    returning(ExitsAsANumber(1)),
    returning(torch.zeros(3, 2).as_subclass(AlwaysNear)),
    returning(np.array([1.0, None])),
    returning("x" * 10**6),
    returning(torch.nn.Linear(2, 2)),
]


@each_name
def test_nonsense_is_refused_in_words(name):
    for answer in NONSENSE:
        verdict = check(name, answer)
        assert not verdict
        assert 0 < len(verdict.text) < 1000


@each_name
def test_what_is_given_is_not_right_yet(name, given):
    verdict = check(name, given[name])
    assert not verdict
    finds_a_bug = name.endswith("-4") or name == "training-3"
    assert finds_a_bug != ("still has to be written" in verdict.text)


def test_an_unknown_exercise_is_named():
    with pytest.raises(ValueError, match="'forward-99'"):
        check("forward-99", int)


@pytest.mark.parametrize("seed", [None, -1, 1.5, 2**70])
def test_a_seed_that_is_none_is_named(seed, solution):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        check("forward-1", solution["forward-1"], seed=seed)


def test_a_long_error_is_cut():
    def answer(*given):
        raise ValueError("x" * 10**6)

    text = check("forward-1", answer).text
    assert "stops with ValueError: xxx" in text
    assert len(text) < 1000


def test_a_schedule_that_is_changed_is_seen():
    def answer(c, t, schedule):
        kept = schedule.alpha_bar[t]  # a view of the table
        rest = 1 - kept
        kept *= c
        return kept + rest

    assert "It changes what it is given" in check("forward-1", answer).text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("forward-1", lambda number: np.array(float(number))),
        ("forward-1", np.float32),
        ("posterior-1", lambda pair: [x.numpy() for x in pair]),
        ("posterior-2", lambda pair: (pair[0], float(pair[1]))),
        (
            "posterior-2",
            lambda pair: torch.stack(torch.broadcast_tensors(*pair)),
        ),
        ("gan-1", torch.stack),
        ("elbo-3", torch.Tensor.numpy),
        ("contest-1", lambda p: np.float64(float(p))),
        ("contest-2", torch.Tensor.numpy),
        ("contest-3", float),
        ("contest-4", float),
        ("fast-2", tuple),
        ("fast-2", torch.tensor),
        ("fast-2", np.array),
        ("fast-3", torch.tensor),
        ("guidance-1", torch.Tensor.numpy),
        ("guidance-2", torch.Tensor.numpy),
        ("guidance-5", list),
        ("guidance-5", np.array),
    ],
)
def test_a_right_answer_of_another_kind_is_right(name, kind, solution):
    verdict = check(name, lambda *given: kind(solution[name](*given)))
    assert verdict, verdict


def endless(*given):
    while True:
        pass


def stubborn(*given):
    while True:
        with contextlib.suppress(Exception):
            endless()


def asleep(*given):
    time.sleep(60)


@pytest.mark.parametrize("answer", ["endless", "stubborn", "asleep"])
def test_what_does_not_end_is_stopped(answer):
    """In a process of its own: what cannot be stopped is left alone."""
    program = (
        "import os, test_exercises; from diffusion_lite import exercises; "
        "exercises.SECONDS = 1; "
        "print(exercises.check("
        f"'forward-1', test_exercises.{answer}), flush=True); "
        "os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parent,
    )
    assert "It does not end" in done.stdout, done.stderr


class Otherwise(torch.nn.Module):
    """A right answer with another bend, that starts by saying 0."""

    def __init__(self, width):
        super().__init__()
        self.first = torch.nn.Linear(2 + width, width)
        self.middle = torch.nn.ModuleList(
            torch.nn.Linear(width, width) for _ in range(3)
        )
        self.last = torch.nn.Linear(width, 2)
        torch.nn.init.zeros_(self.last.weight)
        torch.nn.init.zeros_(self.last.bias)
        self.omega = torch.arange(1, width + 1) / 100

    def forward(self, x_t, t):
        h = torch.cat([x_t, (t[:, None] * self.omega).sin()], dim=1)
        for layer in (self.first, *self.middle):
            h = layer(h).relu()
        return self.last(h)


def test_a_network_may_bend_and_start_otherwise():
    for seed in range(20):
        assert check("denoiser-4", Otherwise, seed=seed)


@pytest.mark.parametrize("variance", ["beta", "smaller"])
def test_a_sampler_may_have_either_variance(variance):
    def sampler(eps_model, x, schedule, generator):
        for t in range(schedule.T, 0, -1):
            eps_hat = eps_model(x_t=x, t=torch.full((len(x),), t))
            x = posterior_mean_from_eps(x, t, eps_hat, schedule)
            variance_t = schedule.beta[t]
            if variance == "smaller":
                variance_t = posterior_variance(t, schedule)
            if t > 1:
                z = torch.randn(x.shape, generator=generator)
                x = x + variance_t.sqrt() * z
        return x

    assert check("training-3", sampler)


def test_the_book_s_own_step_is_right():
    for seed in range(20):
        assert check("fast-1", ddim_step, seed=seed)


def test_a_layer_costs_what_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    from diffusion_lite.exercises.contest import a_layer, counted

    for seed in range(20):
        trial = Trial(None, seed, "contest-3")
        for stride in (1, 2):
            for first in (True, False):
                x, weight, y, _ = a_layer(trial, stride, first)
                x.requires_grad_(not first)
                weight.requires_grad_()
                layer = {"stride": stride}
                if F.conv2d(x, weight, **layer).shape != y.shape:
                    layer["padding"] = 1
                with FlopCounterMode(display=False) as counter:
                    F.conv2d(x, weight, **layer).sum().backward()
                total = counter.get_total_flops()
                assert total == counted(x, weight, y, first)


def test_p_may_be_scipy_s_or_counted_with_a_large_number():
    def p_value(d):
        d = d.nan_to_num(posinf=1e6, neginf=-1e6)
        return stats.wilcoxon(d.numpy(), method="exact").pvalue

    assert all(check("contest-1", p_value, seed=seed) for seed in range(20))


@pytest.mark.parametrize("cut", [math.floor, math.ceil])
def test_times_may_be_rounded_either_way(cut):
    def choose_times(level, n):
        goals = torch.linspace(float(level[-1]), float(level[0]), n + 1)
        steps = torch.arange(len(level))
        exact = np.interp(goals, level, steps)
        times = [len(level) - 1]
        for i in range(1, n + 1):
            times.append(max(min(cut(exact[i]), times[-1] - 1), n - i))
        return times

    for seed in range(20):
        verdict = check("fast-2", choose_times, seed=seed)
        assert verdict, verdict


def test_an_order_may_be_the_slope_of_two_ends():
    def order(steps, errors, floor):
        few, many = errors[0], errors[errors > 10 * floor][-1]
        far = steps[errors > 10 * floor][-1]
        return (few / many).log() / (far / steps[0]).log()

    for seed in range(20):
        assert check("fast-3", order, seed=seed)


def test_a_network_may_be_asked_row_by_row_and_by_name():
    def as_eps_model(x_0_model, schedule):
        def eps_model(x_t, t):
            rows = zip(x_t.split(1), t.split(1), strict=True)
            x_0 = torch.cat([x_0_model(x_t=x, t=s) for x, s in rows])
            return eps_from_x_0(x_t, t, x_0, schedule)

        return eps_model

    assert check("posterior-3", as_eps_model)


def test_what_a_reader_samples_does_not_change(solution):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    check("denoiser-4", solution["denoiser-4"])
    check("forward-4", solution["forward-4"])
    assert torch.equal(torch.rand(3), expected)


def test_what_an_answer_sets_is_set_back(monkeypatch):
    def answer(*given):
        torch.manual_seed(3)
        torch.set_default_dtype(torch.float16)
        while True:
            pass

    monkeypatch.setattr(exercises, "SECONDS", 0.2)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert "does not end" in check("forward-1", answer).text
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.rand(3), expected)


def test_two_passes_for_a_guided_answer_are_right_too():
    def answer(net, x_t, t, y, w, null):
        other = net(x_t, t, torch.full_like(y, null))
        return other + w * (net(x_t, t, y) - other)

    for seed in range(20):
        assert check("guidance-4", answer, seed=seed)


def test_a_slope_may_be_had_by_a_transform_or_by_differences():
    def by_a_transform(eps_hat, x_t, log_prob, alpha_bar_t, w):
        slope = torch.func.grad(lambda x: log_prob(x).sum())(x_t)
        return eps_hat - w * (1 - alpha_bar_t).sqrt() * slope

    def by_differences(eps_hat, x_t, log_prob, alpha_bar_t, w):
        moves = 1e-4 * torch.eye(3)
        two = [log_prob(x_t + h) - log_prob(x_t - h) for h in moves]
        slope = torch.stack(two, 1) / 2e-4
        return eps_hat - w * (1 - alpha_bar_t).sqrt() * slope

    for seed in range(20):
        assert check("guidance-3", by_a_transform, seed=seed)
        assert check("guidance-3", by_differences, seed=seed)


@pytest.mark.parametrize("keeps", ["the answer's", "x_t's"])
def test_a_gradient_that_is_left_over_is_seen(keeps):
    """Here only: numbers alone come back from the grader's process."""

    def answer(eps_hat, x_t, log_prob, alpha_bar_t, w):
        mine = keeps == "x_t's"
        x = (x_t if mine else x_t.clone()).requires_grad_()
        told = log_prob(x).sum()
        (slope,) = torch.autograd.grad(told, x, create_graph=not mine)
        return eps_hat - w * (1 - alpha_bar_t).sqrt() * slope

    said = check("guidance-3", answer).text
    wrong = {"the answer's": "is attached", "x_t's": "It changes x_t"}
    assert wrong[keeps] in said
