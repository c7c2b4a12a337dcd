"""Script, table, weights and prose of the fast samplers, held together."""

import itertools
from functools import partial

import matplotlib.pyplot as plt
import pytest
import torch

from diffusion_lite import plotting
from diffusion_lite.data import digits
from diffusion_lite.parameterization import x_0_from_eps
from experiments.fast import (
    facts,
    figures,
    overhead,
    protocol,
    run,
    students,
    tables,
)
from experiments.fast.protocol import SCHEDULE, SEEDS, WHOLE
from experiments.fast.table import (
    FOLDER,
    Row,
    chosen,
    mean,
    read,
    values,
    write,
)

README = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows():
    return read()


def passes_of(solver, budget):
    per_step = protocol.SOLVERS[solver][1]
    return budget if per_step == 1 else 2 * ((budget + 1) // 2) - 1


@pytest.mark.parametrize(
    ("part", "chosen_ones"),
    [
        ("digits", list(run.choices())),
        ("exact", list(run.choices(every_grid=False))),
        (
            "step 100",
            [c for c in run.choices(every_grid=False) if c[2] in run.FEW],
        ),
        (
            "mnist",
            [(s, run.OWN[s], n) for n in run.FEW for s in run.ON_MNIST]
            + [("DDIM", "uniform", 99)],
        ),
    ],
)
def test_the_table_has_what_the_script_measures(rows, part, chosen_ones):
    want = [
        (solver, grid, passes_of(solver, budget), seed)
        for solver, grid, budget in chosen_ones
        for seed in SEEDS
    ]
    others = ("real", "flow", "DDPM")
    got = [
        (row.method, row.grid, row.passes, row.seed)
        for row in chosen(rows, part=part)
        if row.method not in others
    ]
    assert got == want


def test_the_table_has_every_part_and_student(rows):
    assert {row.part for row in rows} == set(run.PARTS)
    for task, method in itertools.product(
        ("digits", "ring"), students.METHODS
    ):
        for passes in (1, 2, 4):
            found = tables.final(rows, task, method, passes)
            assert [row.seed for row in found] == list(SEEDS)


def test_each_solvers_own_grid_is_its_best_at_ten_passes(rows):
    for solver, own in run.OWN.items():
        n = passes_of(solver, 10)
        found = {
            grid: mean(rows, part="digits", method=solver, grid=grid, passes=n)
            for grid in protocol.GRIDS
        }
        assert found[own] == min(found.values()), (solver, found)


@pytest.mark.parametrize(
    ("part", "solver", "budget"),
    [
        ("digits", "DDIM", 5),
        ("digits", "2M", 5),
        ("digits", "Heun, churned", 5),
        ("exact", "Adams-Bashforth 3", 5),
        ("step 100", "Heun", 5),
    ],
)
def test_a_small_part_run_again_gives_the_same(rows, part, solver, budget):
    net = protocol.kept(protocol.network(), "network")
    y = digits().test_labels
    eps_model = (
        protocol.exact(y) if part == "exact" else protocol.clamped(net, y)
    )
    grid, seed = run.OWN[solver], 1
    schedule = WHOLE if part == "step 100" else SCHEDULE
    x_0, passes = protocol.sampled(
        solver, grid, budget, eps_model, *protocol.noise(seed), schedule
    )
    (row,) = chosen(
        rows, part=part, method=solver, grid=grid, passes=passes, seed=seed
    )
    # Other processors round apart.
    assert protocol.distance(x_0) == pytest.approx(row.distance, rel=0.01)


@pytest.mark.parametrize("method", students.METHODS)
def test_the_committed_students_are_those_of_the_table(rows, method):
    x_T, _ = protocol.noise(0)
    x_0 = students.in_one_pass(method, digits().test_labels, x_T)
    row = tables.final(rows, "digits", method, 1)[0]
    assert protocol.distance(x_0) == pytest.approx(row.distance, rel=0.03)


def test_the_script_trains_networks_of_the_committed_shape():
    made = protocol.fit(steps=1).state_dict()
    kept = protocol.kept(protocol.network(), "network").state_dict()
    assert {k: x.shape for k, x in made.items()} == {
        k: x.shape for k, x in kept.items()
    }


def test_the_exact_denoiser_is_bayes_rule_over_the_pictures(generator):
    data, n = digits(), 6
    y = torch.arange(n) % 3
    for t in (1, 30, 60, 99):
        x_t = torch.randn(n, 1, 8, 8, generator=generator)
        eps = protocol.exact(y)(x_t, torch.full((n,), t))
        x_0 = x_0_from_eps(x_t, t, eps, WHOLE)
        a, s = (float(c) for c in WHOLE.coefficients(t, like=x_t[0, 0, 0, :1]))
        for i in range(n):
            own = data.train_images[data.train_labels == y[i]].double()
            square = (x_t[i].double() - a * own).square().sum((1, 2, 3))
            share = (-square / (2 * s**2)).softmax(0)
            want = (share[:, None, None, None] * own).sum(0).float()
            torch.testing.assert_close(x_0[i], want, rtol=0, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", students.METHODS)
def test_every_method_teaches_a_small_student(method, monkeypatch):
    monkeypatch.setattr(students, "MARKS", (0.5, 1.0))
    task = students.ring_task(steps=8)
    found = [row for row, _ in students.METHODS[method](task)]
    assert {row.part for row in found} == {f"ring, {method}"}
    assert {1, 2, 4} <= {row.passes for row in found}
    end = [row for row in found if row.step == found[-1].step]
    assert [row.seed for row in end if row.passes == 1] == list(SEEDS)
    assert all(row.distance > 0 and row.error > 0 for row in found)


def test_a_part_replaces_its_own_rows_only(tmp_path, monkeypatch, capsys):
    path = tmp_path / "results.csv"
    old = [
        Row("network", "a"),
        Row("ring", "b", minutes=0.5),
        Row("exact", "c"),
    ]
    write(old, path)
    monkeypatch.setattr(run, "read", partial(read, path))
    monkeypatch.setattr(run, "write", partial(write, path=path))
    monkeypatch.setitem(run.PARTS, "ring", lambda: iter([Row("ring", "d")]))
    run.main(["ring"])
    assert "ring: 0.0 CPU minutes" in capsys.readouterr().out
    assert [row.method for row in read(path)] == ["a", "c", "d"]
    with pytest.raises(SystemExit, match="no part"):
        run.main(["nowhere"])


def test_numbers_that_are_missing_are_named(rows):
    with pytest.raises(LookupError, match="no distance of"):
        values(rows, part="nowhere")


@pytest.mark.parametrize(
    "draw",
    [
        figures.frontier,
        figures.two_errors,
        figures.losses_and_distances,
    ],
)
def test_figures_of_the_table(rows, draw):
    assert 'role="img"' in plotting.to_svg(draw(rows))
    plt.close("all")


def test_pictures_of_one_pass_are_read_as_they_were_asked_for():
    from diffusion_lite.metrics import digit_labels

    for name, images in figures.drawn(columns=50).items():
        right = digit_labels(images) == torch.arange(50) % 10
        assert right.double().mean() > 0.8, name
    assert 'role="img"' in plotting.to_svg(figures.one_pass())
    plt.close("all")


def test_the_numbers_of_the_page_say_what_it_says(rows):
    found = facts.fast(rows)
    for key, most in (
        ("2m-10", 1.1),
        ("2m-5", 1.5),
        ("progressive", 2),
        ("distilled", 1.5),
        ("trained", 2),
    ):
        assert found[f"twenty-{key}-to-ddpm"] <= most
    assert found["twenty-2m-10"] < found["twenty-ddim-10"] - 0.5
    assert found["overhead-364"] <= 0.03
    assert found["heun-from-100"] > 2 * found["heun-from-99"]


def test_losses_do_not_tell_how_good_a_student_is(rows):
    def ends(part):
        found = chosen(rows, part=part, passes=1, seed=0)
        steps = sorted({row.step for row in found})
        return [
            [mean(rows, key, part=part, passes=1, step=step) for step in steps]
            for key in ("loss", "distance")
        ]

    loss, distance = ends("digits, shortcut")
    assert loss[-1] > 0.6 * loss[1]
    assert distance[-1] < distance[1] / 35
    loss, distance = ends("ring, consistency, trained")
    assert loss[3] < loss[0]
    assert distance[3] > distance[0]


def test_the_readme_has_the_tables(rows):
    assert tables.one_pass(rows) in README
    assert tables.overhead() in README
    found = facts.fast(rows)
    for key in ("2m-10", "2m-5", "distilled"):
        assert f"({found[f'twenty-{key}-to-ddpm']:.2f}" in README
    for key in ("floor", "mnist-real", "heun-from-100", "heun-from-99"):
        assert f"{found[key]:.1f}" in README
    for solver in run.OWN:
        assert f"| {solver.replace(', eta', ' with eta')}, " in README


def test_the_overheads_are_of_the_scripts_samplers():
    assert list(overhead.read()) == list(
        itertools.product(overhead.ROUNDS, overhead.PAIRS)
    )
