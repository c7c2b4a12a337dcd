"""What chapters 6 to 8 show of the contest, and what they say of it."""

import math
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from scipy import stats

from diffusion_lite import plotting
from diffusion_lite.gan import jensen_shannon
from diffusion_lite.mixtures import GaussianMixture
from experiments.contest import (
    claims,
    collapse,
    facts,
    families,
    figures,
    game,
    search,
    tables,
)
from experiments.contest.results import ends, read
from experiments.contest.shown import build_of, values
from experiments.contest.sizes import sizes
from experiments.contest.verdicts import all_verdicts

ROOT = Path(__file__).resolve().parents[2]
GLUED = re.compile(r"\{glue:text\}`([^`:/]+)")
README = ROOT / "experiments" / "contest" / "README.md"


@pytest.fixture(scope="module")
def rows():
    return read()


@pytest.fixture
def drawn():
    """Return a function that makes a figure as the page does; close all."""
    yield plotting.to_svg
    plt.close("all")


FIGURES = ["games_on_the_ring", "everyone", "ratios", "modes", "live_still"]
OURS = {"task": "ring", "method": "diffusion", "phase": "contest"}


def changed(rows, where, **new):
    """Return the table with new values in the rows that match."""
    return [row | new if where.items() <= row.items() else row for row in rows]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_the_table(rows, drawn, name):
    assert 'role="img"' in drawn(getattr(figures, name)(rows))


@pytest.mark.parametrize("name", FIGURES)
def test_a_training_that_blew_up_does_not_stop_a_figure(rows, drawn, name):
    lost = changed(
        rows, OURS | {"seed": 40, "currency": "operations"}, energy=math.inf
    )
    lost = changed(
        lost, OURS | {"seed": 41, "currency": "seconds"}, energy=math.inf
    )
    assert 'role="img"' in drawn(getattr(figures, name)(lost))


def blown_up(rows, task, method, seeds):
    """Return the table where a side blew up from some seeds."""
    lost = dict.fromkeys(["distance", "energy", "weights_tv"], math.inf)
    lost |= {"loss": None, "discriminator_loss": None, "modes_lost": 8}
    for seed in seeds:
        where = {"task": task, "method": method, "seed": seed}
        rows = changed(rows, where | {"phase": "contest"}, **lost)
    return rows


def test_a_training_that_blew_up_is_drawn_at_the_edge_and_counted(rows, drawn):
    lost = blown_up(rows, "ring", "gan", (40, 41))
    figure = figures.games_on_the_ring(lost)
    assert "2 blew up" in figure.get_label()
    arrows = [x for x in figure.axes[0].lines if x.get_marker() == ">"]
    assert [x.get_ydata()[0] for x in arrows] == [1]
    assert "blew up" not in figures.games_on_the_ring(rows).get_label()


@pytest.mark.parametrize(
    ("method", "words", "arrow"),
    [
        ("gan-r1", "ring, equal seconds: infinite (", ">"),
        ("diffusion", "ring, equal seconds: 0 (", "<"),
    ],
)
def test_a_ratio_without_an_end_is_an_arrow(rows, drawn, method, words, arrow):
    lost = blown_up(rows, "ring", method, range(40, 50))
    figure = figures.ratios(lost)
    assert words in figure.get_label()
    assert arrow in [x.get_marker() for x in figure.axes[0].lines]


def test_the_builds_that_are_shown_won_the_search(rows):
    for method in facts.PAIR:
        best = {
            build: min(
                row["distance"]
                for row in rows
                if row["phase"] == "third"
                and (row["task"], row["method"]) == ("digits", method)
                and row["build"] == build
            )
            for build in facts.BUILDS
        }
        assert min(best, key=best.get) == build_of("digits", method)


def test_dots_are_the_tables_values(rows, drawn):
    figure = figures.games_on_the_ring(rows)
    line = figure.axes[0].lines[2]  # dots and median bar of each method
    assert line.get_xdata().tolist() == pytest.approx(
        values(rows, "ring", "gan", "energy")
    )


def test_the_ratios_are_those_of_the_verdicts(rows, drawn):
    figure = figures.ratios(rows)
    marks = [
        line for line in figure.axes[0].lines if line.get_marker() in "os"
    ]
    found = figures.against_r1(rows)
    assert len(found) == len(marks) == 11
    for line, each in zip(marks, found.values(), strict=True):
        assert float(line.get_xdata()[0]) == pytest.approx(1 / each.ratio)
        assert (line.get_markerfacecolor() != "none") == bool(each.winner)


def test_a_verdict_turns_with_its_table(rows):
    swap = {"diffusion": "gan-r1", "gan-r1": "diffusion"}
    turned = [
        row
        if row["task"] == "digits"
        else row | {"method": swap.get(row["method"], row["method"])}
        for row in rows
    ]
    for one, other in zip(
        all_verdicts(rows), all_verdicts(turned), strict=True
    ):
        if one.task != "digits" and one.measure != "modes_lost":
            assert one.ratio == pytest.approx(1 / other.ratio)
            assert one.adjusted == pytest.approx(other.adjusted)


@pytest.mark.parametrize(
    "name", ["best_discriminator", "orbits", "growth", "game_and_regression"]
)
def test_figures_of_the_game(drawn, name):
    assert 'role="img"' in drawn(getattr(game, name)())


def test_what_a_left_out_class_costs():
    """Against samples of ten components far apart, and of nine of them."""
    means = 100.0 * torch.arange(10).double()[:, None]
    data, model = (
        GaussianMixture(
            torch.full((n,), 1 / n), means[:n], torch.ones(n, 1, 1)
        )
        for n in (10, 9)
    )
    found = game.left_out()
    generator = torch.Generator().manual_seed(0)
    exact = jensen_shannon(data, model, generator=generator)
    assert found["left-out-js"] == pytest.approx(float(exact), abs=2e-3)
    x = model.sample(1000, generator=generator)
    reverse = float((model.log_prob(x) - data.log_prob(x)).mean())
    assert found["left-out-reverse"] == pytest.approx(reverse)


def test_the_wasserstein_distance_of_two_gaussians_is_that_of_their_means():
    """By the distance of their quantiles, and so with no flat part."""
    quantiles = torch.linspace(0, 1, 20_002)[1:-1].double()
    z = torch.special.ndtri(quantiles)
    for apart in (0.5, 3.0, 8.0):
        found = stats.wasserstein_distance(z, z + apart)
        assert found == pytest.approx(apart)


def test_a_regression_descends_to_its_end():
    theta = game.descend(0.2, 50, game.quarter_snr())
    assert theta.tolist() == pytest.approx(
        [1.2 * (1 - 2 * 0.2 / 4) ** n for n in range(51)]
    )


def test_the_bound_is_below_and_loses_what_a_guess_must(drawn):
    folded = families.fold()
    assert (folded.bounds <= folded.exact + 1e-9).all()
    # With two equal answers, a guess of one of them loses log 2 at least.
    assert folded.lost == pytest.approx(0.71, abs=0.01)
    assert 'role="img"' in drawn(families.bound(folded))
    # The model's density, over the whole line, adds up to 1.
    x = torch.linspace(-3, 30, 3301).double()
    log_joint = families.log_likelihood(x[:, None])
    log_joint = log_joint + families.log_normal(families.Z, 0.0, 1.0)
    mass = float(log_joint.exp().sum()) * families.DZ * 0.01
    assert mass == pytest.approx(1, abs=1e-3)


def test_a_flow_bends_and_keeps_its_mass(drawn):
    figure, flow = families.bends()
    assert 'role="img"' in drawn(figure)
    assert families.masses(flow)["mass-wrong"] > 1.5


def test_latents_are_drawn_as_large_as_they_are(rows, drawn):
    pictures = sizes(rows, "digits")
    figure = figures.latents(pictures)
    assert 'role="img"' in drawn(figure)
    for ax, size in zip(figure.axes, pictures.values(), strict=True):
        latent, picture = (patch.get_height() for patch in ax.patches[:2])
        assert latent / picture == pytest.approx(size.latent / 64)


@pytest.mark.parametrize("task", ["ring", "digits"])
def test_sizes_are_those_of_the_table(rows, task):
    for name, size in sizes(rows, task).items():
        side = task, name, build_of(task, name)
        end = ends(rows, *side, "seconds")[40]
        assert (size.parameters, size.passes) == (
            end["parameters"],
            end["passes"],
        )


def test_tables_have_every_method_and_every_question(rows):
    table = tables.families(rows)
    heading = table.splitlines()[0].split("|")[2:-1]
    assert [x.strip() for x in heading] == list(figures.EVERYONE.values())
    pictures = sizes(rows, "digits")
    table = tables.sizes_table(rows, sizes(rows, "ring"), pictures)
    assert table.count("\n") == 2 + len(pictures)
    assert tables.claims_table(rows).count("\n") == 9
    cells = re.findall(r"\S+\N{NO-BREAK SPACE}\(", tables.verdicts_table(rows))
    assert len(cells) == 41
    bold = tables.verdicts_table(rows).count("**") / 2
    assert bold == sum(bool(each.winner) for each in all_verdicts(rows))


def test_claims_turn_round_when_the_table_does(rows):
    before = claims.claim_about_networks(rows)
    assert before.verdict == "true"
    where = {"task": "digits", "method": "diffusion"}
    after = claims.claim_about_networks(changed(rows, where, trained=999_999))
    assert after.verdict == "wrong"
    whole = changed(rows, {"phase": "contest"}, modes_lost=0)
    assert (
        claims.claim_about_collapse(whole).verdict
        == "in these trainings lost by nobody"
    )
    quick = changed(rows, where, seconds_block=1e-9)
    assert claims.claim_about_speed(quick).verdict == "wrong"


def first(row, task, method):
    return (row["phase"], row["task"], row["method"]) == (
        "first",
        task,
        method,
    )


def test_a_loss_that_ranks_as_the_distance_does_has_correlation_1(rows):
    told = [row | {"loss": row["distance"]} for row in rows]
    where = "digits", "gan-r1"
    assert claims.loss_correlation(told, *where) == pytest.approx(1)
    lost = {"loss": None, "distance": math.inf}
    one = next(row["config"] for row in told if first(row, *where))
    told = changed(told, {"phase": "first", "config": one}, **lost)
    assert claims.loss_correlation(told, *where) == pytest.approx(1)
    told = [row | {"loss": -row["distance"]} for row in rows]
    assert claims.loss_correlation(told, *where) == pytest.approx(-1)


def test_the_table_is_of_a_whole_contest(rows):
    for side in search.SIDES:
        found = [
            row
            for row in rows
            if (row["task"], row["method"], row["build"]) == side
        ]
        rounds = {"first": 12, "second": 6, "third": 2}
        if side.method in search.AT_ONCE:
            settings = 1 if side.method == "real" else 4
            rounds = {"second": settings, "third": min(settings, 2)}
        for name, count in rounds.items():
            assert sum(row["phase"] == name for row in found) == count
        won = {
            str(row["config"]) for row in found if row["phase"] == "contest"
        }
        third = {
            str(row["config"]) for row in found if row["phase"] == "third"
        }
        assert len(won) == 1
        assert won <= third


def test_two_currencies_buy_what_they_say(rows):
    for task, names in (("ring", ("perceptron",)), ("digits", facts.BUILDS)):
        spent = {
            round(row["operations"] / 1e9)
            for name in facts.PAIR
            for build in names
            for row in ends(rows, task, name, build, "operations").values()
        }
        assert max(spent) / min(spent) < 1.02


def test_the_readme_s_verdicts_are_the_table_s(rows):
    text = README.read_text(encoding="utf-8")
    assert tables.verdicts_table(rows) in text
    assert tables.claims_table(rows) in text


@pytest.mark.parametrize("page", ["06_gan", "07_families", "08_contest"])
def test_every_number_of_a_page_is_a_fact(rows, page):
    numbers = {
        "06_gan": lambda: (
            facts.gan(rows)
            | game.numbers()
            | collapse.numbers(*collapse.alone())
        ),
        "07_families": lambda: (
            facts.families(rows)
            | families.mistakes(families.fold())
            | dict.fromkeys(["bound-lost"])
            | dict.fromkeys(["mass-right", "mass-wrong", "mass-without"])
        ),
        "08_contest": lambda: facts.contest(rows),
    }[page]()
    text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
    assert set(GLUED.findall(text)) == set(numbers)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (("ring", "diffusion", "energy", 9.0), facts.contest),
        (("digits", "gan-r1", "frechet", 1.0), facts.contest),
        (("digits", "diffusion", "modes_lost", 3), facts.contest),
        (("ring", "gan-r1", "loss", 3.0), facts.gan),
        (("ring", "flow", "nats", 0.1), facts.families),
        (("digits", "kde", "frechet", 99.0), facts.families),
        (("digits", "mixture", "frechet", 99.0), facts.families),
        (("digits", "vae", "precision", 0.1), facts.families),
        (("ring", "vae", "recall", 0.1), facts.families),
    ],
)
def test_a_sentence_that_has_become_untrue_stops_the_page(rows, spoilt, said):
    task, method, measure, value = spoilt
    where = {"phase": "contest", "task": task, "method": method}
    said(rows)
    with pytest.raises(AssertionError):
        said(changed(rows, where, **{measure: value}))


def test_the_training_that_collapsed_is_told_as_it_is(rows):
    where = {"phase": "contest", "task": "digits", "method": "gan-r1"}
    where |= {"build": "perceptron", "currency": "operations", "seed": 45}
    assert facts.collapse(rows)["collapsed-lost"] == 3
    with pytest.raises(AssertionError):
        facts.collapse(changed(rows, where, frechet=30.0))
