"""Chapter 1's live figure: its numbers are Python's, its controls work."""

import pytest
import torch

from diffusion_lite.data import two_modes
from diffusion_lite.explorables.explorable import line_mixture
from diffusion_lite.explorables.forward import (
    ForwardExplorable,
    best_accuracy,
    threes_and_eights,
)
from diffusion_lite.forward import class_probs, q_sample
from diffusion_lite.mixtures import kl_to_normal
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from live import module

browser = pytest.mark.browser
SCHEDULES = {"linear": linear_schedule(), "cosine": cosine_schedule()}
IMAGES, EIGHT = threes_and_eights()


@pytest.fixture(scope="module")
def figure():
    generator = torch.Generator().manual_seed(0)
    return ForwardExplorable(generator=generator, figure="fig-live")


def test_the_pictures_are_the_threes_and_eights():
    assert len(IMAGES) == len(EIGHT)
    assert 130 < int(EIGHT.sum()) < len(EIGHT) - 130


def test_the_accuracy_is_what_counting_finds(figure, generator):
    """Guess by the larger probability, and count how often it is right."""
    schedule = SCHEDULES["linear"]
    log_snr = torch.tensor(figure.data["log_snr"])
    accuracy = torch.tensor(figure.data["accuracy"])
    assert bool((accuracy.diff() < 0.01).all())
    for t in (300, 500, 700):
        x_0 = IMAGES.repeat(20, 1, 1, 1)
        eps = torch.randn(x_0.shape, generator=generator)
        x_t = q_sample(x_0, t, eps, schedule)
        probs = class_probs(x_t, t, IMAGES, EIGHT, schedule)
        right = (probs.argmax(1) == EIGHT.repeat(20)).double().mean()
        near = (log_snr - schedule.snr[t].log()).abs().argmin()
        assert float(accuracy[near]) == pytest.approx(float(right), abs=0.02)


def test_the_accuracy_is_the_same_for_the_same_seed(figure):
    again = best_accuracy(IMAGES, EIGHT, torch.Generator().manual_seed(0))
    twice = best_accuracy(IMAGES, EIGHT, torch.Generator().manual_seed(0))
    assert torch.equal(again[1], twice[1])


@browser
def test_the_numbers_are_pythons(visit, figure, generator):
    there = module(visit(), figure._esm)
    mixture = line_mixture(two_modes())
    xs = torch.linspace(-4, 4, 9, dtype=torch.float64)
    for name, schedule in SCHEDULES.items():
        for t in (1, 37, 300, 640, 1000):
            alpha_bar = float(schedule.alpha_bar[t])
            noised = two_modes().noised(t, schedule)
            kl, snr, density = there.evaluate(
                """([mixture, a, xs]) => { const now = m.noised(mixture, a);
                return [m.klToNoise(now), m.snr(a),
                  xs.map(x => m.density(now, x))] }""",
                [mixture, alpha_bar, xs.tolist()],
            )
            assert kl == pytest.approx(kl_to_normal(noised), abs=1e-6), name
            assert snr == pytest.approx(float(schedule.snr[t]), rel=1e-6)
            exact = noised.log_prob(xs[:, None]).exp().tolist()
            assert density == pytest.approx(exact, abs=1e-6)


@browser
@pytest.mark.parametrize("t", [20, 400, 900])
def test_the_class_probability_is_pythons(visit, figure, generator, t):
    there = module(visit(), figure._esm)
    schedule = SCHEDULES["linear"]
    x_0, eps = IMAGES[:6].double(), torch.randn(6, 1, 8, 8).double()
    x_t = q_sample(x_0, t, eps, schedule)
    exact = class_probs(x_t, t, IMAGES, EIGHT, schedule)[:, 1]
    x_t_there, probs = there.evaluate(
        """([x_0, eps, a, images, eight]) => {
        const x_t = x_0.map((x, i) => m.qSample(x, a, eps[i]));
        return [x_t, x_t.map(x => m.probEight(x, a, images, eight))] }""",
        [
            x_0.flatten(1).tolist(),
            eps.flatten(1).tolist(),
            float(schedule.alpha_bar[t]),
            IMAGES.flatten().tolist(),
            EIGHT.tolist(),
        ],
    )
    assert torch.allclose(torch.tensor(x_t_there).double(), x_t.flatten(1))
    assert probs == pytest.approx(exact.tolist(), abs=1e-6)


@browser
def test_the_accuracy_between_two_places_is_on_a_line(visit, figure):
    there = module(visit(), figure._esm)
    at = "([log, places, values]) => m.accuracyAt(1 / (1 + Math.exp(-log)),"
    at += " places, values)"
    for log, value in ((9, 1), (3, 0.75), (0, 0.6), (99, 1), (-99, 0.6)):
        found = there.evaluate(at, [log, [6, 0], [1.0, 0.6]])
        expected = min(1, max(0.6, 0.6 + 0.4 * log / 6))
        assert found == pytest.approx(expected), (log, value)


@pytest.fixture
def opened(open_live, figure):
    return open_live(figure).page


def values(page):
    names = page.locator(".explorable dt").all_inner_texts()
    return dict(
        zip(
            [name.replace("\n", "") for name in names],
            page.locator(".explorable dd").all_inner_texts(),
            strict=True,
        )
    )


@browser
def test_the_values_follow_the_slider_and_the_schedule(opened):
    slider = opened.get_by_role("slider")
    slider.press("End")
    opened.wait_for_function(
        "document.querySelector('output').textContent === 't = 1000'"
    )
    assert values(opened)["ᾱt"] == "4.0e-5"
    opened.get_by_role("radio", name="cosine").check()
    opened.wait_for_function(
        "document.querySelector('dd').textContent !== '4.0e-5'"
    )
    alpha_bar = float(SCHEDULES["cosine"].alpha_bar[-1])
    assert float(values(opened)["ᾱt"]) == pytest.approx(alpha_bar, rel=0.05)
    slider.press("Home")
    opened.wait_for_function(
        "document.querySelector('dd').textContent === '1.00'"
    )
    assert values(opened)["SNRt"] == "∞"


@browser
def test_a_guess_is_answered(opened):
    opened.get_by_role("slider").fill("600")
    assert values(opened)["best guess is right"] == "?"
    assert opened.locator("canvas:visible").count() == 3
    opened.get_by_role("button", name="I can no longer tell").click()
    opened.locator("canvas:visible").nth(3).wait_for()
    told = float(values(opened)["best guess is right"].removesuffix(" %"))
    assert 60 < told < 90
    opened.wait_for_function(
        "document.querySelector('.said').textContent"
        ".includes('probability of an 8: ')"
    )
    assert "<" not in opened.locator(".said").inner_text()
    assert "It was a" in opened.locator(".title").first.inner_text()
    opened.get_by_role("button", name="Another picture").click()
    opened.get_by_text("A 3 or an 8?").wait_for()
    assert opened.locator("canvas:visible").count() == 3
