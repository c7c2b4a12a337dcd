"""The contest's table, and the words that are made of it."""

import math

import pytest
import torch
from scipy import stats

from experiments.contest import claims, results
from experiments.contest.results import (
    COLUMNS,
    Comparison,
    compare,
    in_words,
    mean_interval,
    rank_correlation,
    read,
    trainings,
    values,
    write,
)
from mutants import mutant


def rows_of(method, energies, **more):
    """Return a contest's last rows, one for each seed."""
    return [
        dict.fromkeys(COLUMNS)
        | {"phase": "contest", "task": "ring", "method": method}
        | {"seed": seed, "step": 9, "distance": 0.5, "energy": energy}
        | more
        for seed, energy in enumerate(energies)
    ]


def test_what_is_written_is_read_again(tmp_path):
    rows = rows_of("gan", [0.25, math.inf], config={"lr": 0.1, "T": 100})
    write(rows, tmp_path / "table.csv")
    assert read(tmp_path / "table.csv") == rows


def test_another_table_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"phase, task, .* got a, b"):
        read(tmp_path / "other.csv")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")


def test_values_come_seed_by_seed_from_the_last_row():
    early = rows_of("gan", [9.0, 9.0])
    late = rows_of("gan", [1.0, 2.0])
    rows = [early[1], late[1], early[0], late[0]]
    assert values(rows, "ring", "gan", "energy").tolist() == [1.0, 2.0]
    assert len(trainings(rows, "ring", "gan")) == 2


@pytest.mark.parametrize(
    ("method", "measure", "words"),
    [
        ("vae", "energy", "no contest of vae on ring"),
        ("gan", "nats", "gan on ring has no nats"),
    ],
)
def test_what_was_not_measured_is_not_given(method, measure, words):
    with pytest.raises(ValueError, match=words):
        values(rows_of("gan", [1.0]), "ring", method, measure)


@mutant(
    "an interval with 1.96 for five seeds",
    mean_interval,
    lambda x: (float(x.mean()), 1.96 * float(x.std()) / len(x) ** 0.5),
)
def test_the_interval_covers_as_often_as_it_says(generator):
    x = 3 + 2 * torch.randn(4000, 5, generator=generator).double()
    found = (mean_interval(each) for each in x)
    means, halves = zip(*found, strict=True)
    hit = (torch.tensor(means) - 3).abs() <= torch.tensor(halves)
    assert float(hit.double().mean()) == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="two values, got 1"):
        mean_interval(torch.ones(1))


@pytest.mark.parametrize(
    ("measure", "first", "winner"),
    [
        ("energy", [1.0, 1.2, 1.1], "gan"),
        ("energy", [9.0, 9.2, 9.1], "vae"),
        ("energy", [1.0, 9.0, 5.1], None),
        ("recall", [9.0, 9.2, 9.1], "gan"),
        ("recall", [1.0, 1.2, 1.1], "vae"),
    ],
)
def test_the_verdict_falls_as_the_numbers_do(measure, first, winner):
    rows = rows_of("gan", [0.0] * 3) + rows_of("vae", [0.0] * 3)
    for row, value in zip(rows, [*first, 5.0, 5.1, 4.9], strict=True):
        row[measure] = value
    found = compare(rows, "ring", measure, "gan", "vae")
    assert found.winner == winner
    words = {
        "gan": "the plain GAN is better than the VAE",
        "vae": "the VAE is better than the plain GAN",
        None: "no difference between the plain GAN and the VAE can be seen",
    }
    assert found.verdict == words[winner]


def test_a_training_that_diverged_is_left_out_with_its_pair():
    rows = rows_of("gan", [1.0, 5.0, 9.0, 2.0])
    rows += rows_of("vae", [2.0, None, 9.5, 2.9])
    diverged = rows[5]
    diverged["distance"] = math.inf
    assert len(trainings(rows, "ring", "vae")) == 4
    assert len(results.finished(rows, "ring", "vae")) == 3
    assert values(rows, "ring", "vae", "energy").tolist() == [2.0, 9.5, 2.9]
    for pair, sign in ((("gan", "vae"), -1), (("vae", "gan"), 1)):
        found = compare(rows, "ring", "energy", *pair)
        mean, half = mean_interval(torch.tensor([1.0, 0.5, 0.9]).double())
        assert found.difference == pytest.approx(sign * mean)
        assert found.half == pytest.approx(half)
    columns = {"gan": "GAN", "vae": "VAE"}
    table = results.markdown_table(rows, "ring", columns, ["energy"])
    assert "–" not in table.splitlines()[-1]


def test_seeds_are_compared_in_pairs():
    rows = rows_of("gan", [1.0, 5.0, 9.0]) + rows_of("vae", [2.0, 6.1, 9.9])
    found = compare(rows, "ring", "energy", "gan", "vae")
    assert found.difference == pytest.approx(-1.0)
    pairs = stats.ttest_rel([1.0, 5.0, 9.0], [2.0, 6.1, 9.9])
    interval = pairs.confidence_interval(0.95)
    assert found.difference - found.half == pytest.approx(interval.low)
    assert found.difference + found.half == pytest.approx(interval.high)
    assert isinstance(found, Comparison)


@pytest.mark.parametrize(
    ("difference", "half", "words"),
    [
        (5.655, 5.658, "5.655 ± 5.658"),  # 5.7 ± 5.7 would not say which
        (-0.00309, 0.00051, "-0.00309 ± 0.00051"),
        (12.34, 2.345, "12.3 ± 2.3"),
        (4321.0, 123.4, "4321 ± 123"),
    ],
)
def test_a_difference_is_told_from_its_interval(difference, half, words):
    means = (1.0 + difference, 1.0)
    found = Comparison("energy", ("gan", "vae"), means, difference, half)
    assert found.in_words.replace("\N{NO-BREAK SPACE}", " ") == words


def test_a_rank_correlation_sees_order_alone():
    rows = [
        row
        | {
            "loss": loss,
            "discriminator_loss": -loss,
            "distance": math.exp(loss),
        }
        for loss in (3.0, 2.0, 1.0, 0.5)
        for row in rows_of("gan", [0.0])
    ]
    assert rank_correlation(rows, "ring", "gan").tolist() == [1.0]
    back = rank_correlation(rows, "ring", "gan", "discriminator_loss")
    assert back.tolist() == [-1.0]


def test_numbers_have_the_digits_that_count():
    assert in_words(torch.tensor([1.0, 1.0])) == "1"
    x = torch.tensor([0.01234, 0.0119, 0.0126]).double()
    mean, half = mean_interval(x)
    for scale, digits in ((1, 4), (1e3, 1), (1e7, 0)):
        words = in_words(scale * x).replace("\N{NO-BREAK SPACE}", " ")
        low, high = scale * mean, scale * half
        assert words == f"{low:,.{digits}f} ± {high:,.{digits}f}"


def test_a_table_has_a_dash_where_nothing_was_measured():
    rows = rows_of("gan", [1.0, 1.0]) + rows_of("vae", [2.0, 2.0], nats=3.0)
    rows += rows_of("real", [0.5, 0.5], seconds=1.0)
    found = results.markdown_table(
        rows,
        "ring",
        {"gan": "GAN", "vae": "VAE", "real": "real data"},
        ("energy", "nats", "seconds"),
    )
    assert found.splitlines() == [
        "|  | GAN | VAE | real data |",
        "| --- | ---: | ---: | ---: |",
        "| energy distance, thousandths | 1000 | 2000 | 500 |",
        "| $-\\log p$ of new points, nats | – | 3 | – |",
        "| training, seconds | – | – | – |",
    ]


# ---- claims -----------------------------------------------------------------


def contest_of(**changes):
    """Return a contest's rows where nothing differs, but for the changes.

    A change is {(task, method): {measure: value}}, one value for all rows
    or a list with one for each of the three evaluations.
    """
    rows = []
    for task in ("ring", "digits"):
        for name in ("diffusion", "gan", "gan-r1"):
            for seed in range(3):
                for at in range(3):
                    row = {
                        "phase": "contest",
                        "task": task,
                        "method": name,
                        "seed": seed,
                        "step": at,
                        "loss": 3.0 - at,
                        "distance": 3.0 - at,
                        "energy": 1.0 + 0.01 * seed,
                        "frechet": 1.0 + 0.01 * seed,
                        "modes_lost": 0,
                        "parameters": 100,
                        "trained": 100,
                        "seconds_thousand": 1.0,
                    }
                    for key, value in changes.get(
                        f"{task}_{name.replace('-', '_')}", {}
                    ).items():
                        many = isinstance(value, list)
                        row[key] = value[at] if many else value
                    rows.append(dict.fromkeys(COLUMNS) | row)
    return rows


MEANINGLESS = {"loss": [1.0, 3.0, 2.0]}
UP_AND_DOWN = {"loss": [2.0, 3.0, 1.0], "distance": [2.0, 3.0, 1.0]}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "better than a clock: none; worse: none"),
        (
            {"ring_gan": MEANINGLESS, "digits_gan": MEANINGLESS},
            "better than a clock: none; worse: the plain GAN",
        ),
        (  # on one task only: no verdict
            {"digits_gan": MEANINGLESS},
            "better than a clock: none; worse: none",
        ),
        (
            {"ring_gan_r1": UP_AND_DOWN, "digits_gan_r1": UP_AND_DOWN},
            "better than a clock: the GAN with R1; worse: none",
        ),
    ],
)
def test_the_claim_about_losses(changes, verdict):
    assert claims.claim_about_losses(contest_of(**changes)).verdict == verdict


def test_the_claim_about_networks():
    assert claims.claim_about_networks(contest_of()).verdict == "wrong"
    two = contest_of(digits_gan_r1={"trained": 200})
    claim = claims.claim_about_networks(two)
    assert claim.verdict == "true"
    assert "2.0 times" in claim.measured


def test_the_claim_about_collapse():
    nobody = claims.claim_about_collapse(contest_of())
    assert nobody.verdict == "here lost by nobody"
    lost = contest_of(
        ring_gan={"modes_lost": 2}, ring_diffusion={"modes_lost": 1}
    )
    claim = claims.claim_about_collapse(lost)
    assert claim.verdict == (
        "here lost by the diffusion model and the plain GAN, and not by the "
        "GAN with R1"
    )
    assert "the plain GAN 6" in claim.measured


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ("not decided", "not decided", "not decided")),
        (
            {"ring_diffusion": {"energy": 0.5}},
            ("true", "not decided", "not decided"),
        ),
        (
            {
                "ring_diffusion": {"energy": 1.5},
                "digits_diffusion": {"energy": 1.5, "frechet": 0.5},
            },
            ("wrong", "wrong", "true"),
        ),
    ],
)
def test_the_claim_about_quality(changes, words):
    found = claims.claim_about_quality(contest_of(**changes))
    ring, energy, frechet = words
    assert found.verdict == (
        f"{ring} on the ring by energy distance; {energy} on the digits by "
        f"energy distance; {frechet} on the digits by Fréchet distance"
    )


def test_the_claim_about_speed():
    assert claims.claim_about_speed(contest_of()).verdict == "wrong here"
    slow = {"seconds_thousand": 1000.0}
    rows = contest_of(ring_diffusion=slow, digits_diffusion=slow)
    claim = claims.claim_about_speed(rows)
    assert claim.verdict == "true"
    assert "1,000 times as long (ring)" in claim.measured


def test_every_claim_has_its_words():
    assert len({claim.claim for claim in claims.claims(contest_of())}) == 5


def test_a_sentence_has_its_numbers():
    rows = rows_of("gan", [1.0, 1.2, 1.1]) + rows_of("vae", [5.0, 5.1, 4.9])
    for names in (("gan", "vae"), ("vae", "gan")):
        found = compare(rows, "ring", "energy", *names)
        assert found.sentence("Energy") == (
            "Energy: the plain GAN is better than the VAE (1.1 against 5; the "
            f"difference is {found.in_words.lstrip('-')})."
        )
    rows = rows_of("gan", [1.0, 1.2, 1.1]) + rows_of("vae", [1.0, 1.1, 1.3])
    found = compare(rows, "ring", "energy", "gan", "vae")
    assert found.in_words.startswith("-")
    assert found.sentence("Energy").endswith(f"is {found.in_words}).")
