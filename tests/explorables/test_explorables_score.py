"""Chapter 9's live figure: its numbers are Python's, its controls work."""

import pytest
import torch

from diffusion_lite.data import two_modes
from diffusion_lite.explorables.explorable import line_mixture
from diffusion_lite.explorables.score import ScoreExplorable
from diffusion_lite.score import (
    euler_maruyama,
    linear_path,
    reverse,
    straight_path,
    straightness,
)
from live import module

browser = pytest.mark.browser
MIXTURE = two_modes()
PATHS = {"vp": linear_path(), "straight": straight_path()}


@pytest.fixture(scope="module")
def figure():
    return ScoreExplorable(figure="fig-live")


def test_the_script_is_handed_the_mixture(figure):
    assert figure.data == {"mixture": line_mixture(MIXTURE)}
    assert figure.figure == "fig-live"
    assert ScoreExplorable().figure == ""


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    return module(visit(), figure._esm)


@browser
@pytest.mark.parametrize("name", PATHS)
def test_rates_score_and_density_are_pythons(there, name):
    path = PATHS[name]
    xs = [-4.0, -0.5, 0.4, 2.0]
    for t in (0.01, 0.3, 0.9):
        a, s, f, g2, scores, densities = there.evaluate(
            """([mixture, path, t, xs]) => {
            const r = m.ratesOf(path, t), here = m.marginal(mixture, r);
            return [r.a, r.s, r.f, r.g2, xs.map(x => m.score(here, x)),
              xs.map(x => m.density(here, x))] }""",
            [line_mixture(MIXTURE), name, t, xs],
        )
        exact = path.marginal(MIXTURE, t)
        drift, diffusion = path.rates(t)
        found = [a, s, f, g2]
        want = [*map(float, path.at(t)), float(drift), float(diffusion) ** 2]
        assert found == pytest.approx(want, rel=1e-9)
        x = torch.tensor(xs).double()[:, None]
        assert scores == pytest.approx(exact.score(x)[:, 0].tolist())
        assert densities == pytest.approx(exact.log_prob(x).exp().tolist())


@browser
@pytest.mark.parametrize("name", PATHS)
def test_trajectories_and_straightness_are_pythons(there, name):
    starts = [-1.5, 0.2, 1.0]
    times, states, bent, after = there.evaluate(
        """([mixture, path, starts]) => {
        const times = m.timesOf(path);
        const x = m.wayBack(mixture, path, starts, 0, [0]);
        const even = [1, 1, 1], lines = m.straightened(x, times);
        return [Array.from(times), x.map(row => Array.from(row)),
          m.straightness(x, times, even),
          m.straightness(lines, times, even)] }""",
        [line_mixture(MIXTURE), name, starts],
    )
    path = PATHS[name]
    x = path.at(times[0])[1] * torch.tensor(starts).double()[:, None]
    ode = reverse(path.score(MIXTURE), path, 0.0)
    run = euler_maruyama(ode, x, times, generator=torch.Generator())
    want = torch.stack(list(run))
    torch.testing.assert_close(
        torch.tensor(states).double(), want[:, :, 0], rtol=1e-7, atol=1e-7
    )
    assert bent == pytest.approx(straightness(want, times), rel=1e-6)
    assert after == pytest.approx(0, abs=1e-12)


@browser
@pytest.mark.parametrize("churn", [1.0, 2.0])
def test_the_noise_that_is_put_back_keeps_the_density(there, churn):
    share, mean, square = there.evaluate(
        """([mixture, churn]) => {
        let seed = 1; const one = () => {  // Box and Muller, another source
          seed = (seed * 16807) % 2147483647; return seed / 2147483647 };
        const normal = () => Math.sqrt(-2 * Math.log(one())) *
          Math.cos(2 * Math.PI * one());
        const n = 3000, z = Array.from({length: 120 * n}, normal);
        const x = m.wayBack(mixture, "vp", Array.from({length: n}, normal),
          churn, z)[120];
        return [x.filter(v => v < 0.45).length / n,
          x.reduce((s, v) => s + v, 0) / n,
          x.reduce((s, v) => s + v * v, 0) / n] }""",
        [line_mixture(MIXTURE), churn],
    )
    assert share == pytest.approx(0.7, abs=0.04)
    assert mean == pytest.approx(0, abs=0.08)
    assert square == pytest.approx(1, abs=0.1)


# ---- controls -----------------------------------------------------------


def reading(window, word):
    """Return the value beside a word, as the reader sees it."""
    row = window.page.locator(".values > div", has_text=word)
    return row.locator("dd").inner_text()


@browser
def test_a_reflow_makes_the_flow_straight(open_live):
    window = open_live(ScoreExplorable())
    bent = float(reading(window, "straightness"))
    assert bent > 0.1
    window.page.get_by_text("after one reflow", exact=True).click()
    window.page.wait_for_function(
        """() => document.querySelector(".values dd").textContent
        === "0.000" """
    )


@browser
def test_noise_changes_the_path_and_not_the_flow(open_live):
    window = open_live(ScoreExplorable())
    before = [reading(window, f"end {how}") for how in ("without", "with n")]
    slider = window.page.get_by_role("slider", name="Noise put back")
    slider.focus()
    for _ in range(6):
        window.page.keyboard.press("ArrowRight")
    window.page.wait_for_timeout(200)
    after = [reading(window, f"end {how}") for how in ("without", "with n")]
    assert after[0] == before[0]
    assert after[1] != before[1]


@browser
def test_the_start_can_be_dragged(open_live):
    window = open_live(ScoreExplorable())
    box = window.page.locator("canvas").first.bounding_box()
    slider = window.page.get_by_role("slider", name="Noise of the")
    before = float(slider.input_value())
    share = (3.2 - before) / 6.4
    inside = box["height"] - 28  # the axes' words stand below
    x, y = box["x"] + 30, box["y"] + 8 + share * inside
    window.page.mouse.move(x, y)
    window.page.mouse.down()
    window.page.mouse.move(x, y + 60, steps=4)
    window.page.mouse.up()
    assert float(slider.input_value()) < before - 0.5
