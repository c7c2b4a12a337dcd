"""What chapters 6 and 7 show of the contest, and what they say of it."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from scipy import stats

from diffusion_lite import plotting
from diffusion_lite.gan import jensen_shannon
from diffusion_lite.mixtures import GaussianMixture
from experiments.contest import facts, families, figures, game, tables
from experiments.contest.results import read, trainings, values
from experiments.contest.sizes import sizes

BOOK = Path(__file__).resolve().parents[2] / "book"
GLUED = re.compile(r"\{glue:text\}`([^`:/]+)")


@pytest.fixture(scope="module")
def rows():
    return read()


@pytest.fixture
def drawn():
    """Return a function that makes a figure as the page does; close all."""
    yield plotting.to_svg
    plt.close("all")


@pytest.mark.parametrize(
    "name",
    [
        "games_on_the_ring",
        "losses_and_distances",
        "everyone",
    ],
)
def test_figures_of_the_table(rows, drawn, name):
    assert 'role="img"' in drawn(getattr(figures, name)(rows))


def test_dots_are_the_tables_values(rows, drawn):
    figure = figures.games_on_the_ring(rows)
    line = figure.axes[0].lines[2]  # dots and mean bar of each method
    assert line.get_xdata().tolist() == pytest.approx(
        values(rows, "ring", "gan", "energy").tolist()
    )


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
        end = trainings(rows, task, name)[0][-1]
        assert (size.parameters, size.passes) == (
            end["parameters"],
            end["passes"],
        )


@pytest.mark.parametrize("task", ["ring", "digits"])
def test_tables_have_every_method(rows, task):
    for table, names in (
        (tables.games(rows, task), figures.GAMES),
        (tables.families(rows, task), figures.EVERYONE),
    ):
        heading = next(x for x in table.splitlines() if "|" in x)
        assert [x.strip() for x in heading.split("|")[2:-1]] == list(
            names.values()
        )
    assert tables.verdicts(rows, task).count("\n- ") >= 3


def test_who_diverged_is_said(rows):
    assert tables.diverged(rows, "digits", "vae") == 3
    assert "3 of the VAE's diverged" in tables.families(rows, "digits")


def test_other_tables(rows):
    pictures = sizes(rows, "digits")
    table = tables.sizes_table(rows, sizes(rows, "ring"), pictures)
    assert table.count("\n") == 2 + len(pictures)
    assert tables.claims_table(rows).count("\n") == 9


def test_an_order_is_joined_where_no_difference_shows(rows):
    for measure in ("energy", "recall"):
        names = facts.order(rows, "ring", measure)
        words = facts.ranking(rows, "ring", measure)
        found = re.split(" [>≈] ", words)
        assert found == [figures.FAMILIES[name] for name in names]


@pytest.mark.parametrize("page", ["06_gan", "07_families"])
def test_every_number_of_a_page_is_a_fact(rows, page):
    numbers = {
        "06_gan": lambda: facts.gan(rows) | game.numbers(),
        "07_families": lambda: (
            facts.families(rows)
            | families.mistakes(families.fold())
            | dict.fromkeys(["bound-lost"])
            | dict.fromkeys(["mass-right", "mass-wrong", "mass-without"])
        ),
    }[page]()
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    assert set(GLUED.findall(text)) == set(numbers)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (("ring", "diffusion", "energy", 1), facts.ring),
        (("digits", "gan-r1", "frechet", 1), facts.digits),
        (("ring", "gan-r1", "loss", -1), facts.losses),
        (("digits", "gan-r1", "modes_lost", 1), facts.digits),
        (("ring", "flow", "nats", -1), facts.likelihoods),
        (("digits", "kde", "frechet", 99), facts.baselines),
    ],
)
def test_a_sentence_that_has_become_untrue_stops_the_page(rows, spoilt, said):
    said(rows)
    task, method, measure, sign = spoilt
    other = [
        row | {measure: sign * float(row["seed"] + row["step"])}
        if (row["phase"], row["task"], row["method"])
        == ("contest", task, method)
        else row
        for row in rows
    ]
    with pytest.raises(AssertionError):
        said(other)
