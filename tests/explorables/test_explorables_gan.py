"""Chapter 6's live figure: its numbers are Python's, its controls work."""

from itertools import product

import pytest
import torch

from diffusion_lite import dirac_gan
from diffusion_lite.explorables.gan import GanExplorable
from diffusion_lite.schedules import linear_schedule
from live import module, values

browser = pytest.mark.browser
GAMES = {
    "minimax": dirac_gan.minimax,
    "nonsaturating": dirac_gan.non_saturating,
    "wasserstein": dirac_gan.wasserstein,
}
PENALTIES = {
    "none": lambda game, gamma: game,
    "r1": dirac_gan.with_r1,
    "consensus": dirac_gan.with_consensus,
}
ORDERS = {
    "together": dirac_gan.simultaneous_step,
    "turns": dirac_gan.alternating_step,
}
TURNS = {"minimax": 0.5, "nonsaturating": 0.5, "wasserstein": 1.0}
EACH = list(product(GAMES, PENALTIES))


@pytest.fixture(scope="module")
def figure():
    return GanExplorable(figure="fig-live")


def test_the_script_needs_no_data(figure):
    assert figure.data == {}
    assert figure.figure == "fig-live"
    assert GanExplorable().figure == ""


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    return module(visit(), figure._esm)


def rules(game, penalty, order="together", h=0.3, gamma=0.7):
    names = ("game", "penalty", "order", "h", "gamma")
    return dict(zip(names, (game, penalty, order, h, gamma), strict=True))


@browser
def test_orbits_are_pythons(there):
    start, steps = (1.2, -0.7), 60
    for (game, penalty), order in product(EACH, ORDERS):
        given = [rules(game, penalty, order), start, steps]
        found = there.evaluate("given => m.orbit(...given)", given)
        velocity = PENALTIES[penalty](GAMES[game], 0.7)
        exact = dirac_gan.orbit(ORDERS[order], velocity, start, 0.3, steps)
        assert torch.allclose(
            torch.tensor(found, dtype=torch.float64), exact, rtol=1e-6
        ), (game, penalty, order)


@browser
@pytest.mark.parametrize("h", [0.05, 1.0])
def test_the_factor_is_pythons(there, h):
    for game in GAMES:
        turn = TURNS[game]
        rates = {
            "none": torch.tensor([1j * turn, -1j * turn]),
            "r1": dirac_gan.r1_eigenvalues(0.7, turn),
            "consensus": dirac_gan.consensus_eigenvalues(0.7, turn),
        }
        for penalty, each in rates.items():
            found = there.evaluate(
                "r => m.growth(r)", rules(game, penalty, h=h)
            )
            exact = dirac_gan.simultaneous_growth(each, h)
            assert found == pytest.approx(exact, abs=1e-6), (game, penalty)


@browser
def test_in_turn_the_factor_is_one(there):
    for game, h in product(GAMES, (0.1, 1.0)):
        found = there.evaluate(
            "r => m.growth(r)", rules(game, "none", "turns", h)
        )
        assert found == pytest.approx(1, abs=1e-6)


@browser
def test_the_bowl_is_pythons(there):
    schedule = linear_schedule(1000)
    t = int((schedule.snr[1:] - 0.25).abs().argmin()) + 1
    exact = dirac_gan.bowl_loss(torch.tensor(1.3).double(), t, schedule)
    share = 0.25 / float(schedule.snr[t])  # this t is nearly that of 1/4
    assert share == pytest.approx(1, abs=0.01)
    assert there.evaluate("m.bowlLoss(1.3)") == pytest.approx(
        share * float(exact)
    )
    slope = "(m.bowlLoss(1.3 + 1e-6) - m.bowlLoss(1.3 - 1e-6)) / 2e-6"
    down = there.evaluate(f"[(1.3 - m.descend(1.3, 0.2)) / 0.2, {slope}]")
    assert down[0] == pytest.approx(down[1], abs=1e-6)


@browser
def test_an_orbit_that_runs_away_stops(there):
    given = [rules("wasserstein", "none", h=1.0), (2.0, 2.0), 400]
    found = there.evaluate("given => m.orbit(...given)", given)
    assert 10 < len(found) < 60
    assert max(abs(x) for x in found[-1]) > 500


# ---- controls -----------------------------------------------------------


def state(page):
    """Return the start, from the sliders."""
    return [
        float(page.get_by_label(f"Start {name}").input_value())
        for name in ("θ", "ψ")
    ]


@pytest.fixture
def page(open_live, figure):
    page = open_live(figure).page
    page.wait_for_selector(".explorable .values dd")
    return page


@browser
def test_the_first_view_says_that_the_game_does_not_end(page):
    said = values(page)
    assert said["factor of a step near the end"] == "1.0050"
    assert float(said["game's distance"]) > 0.5
    assert said["regression's"] == "below 0.0001"


@browser
def test_a_penalty_ends_the_game(page):
    page.get_by_label("R1").check()
    page.get_by_role("slider", name="Steps").fill("400")
    page.wait_for_timeout(100)
    said = values(page)
    assert float(said["factor of a step near the end"]) < 1
    assert said["game's distance"] == "below 0.0001"
    assert page.get_by_label("Penalty γ").is_visible()
    page.get_by_label("none").check()
    page.wait_for_timeout(100)
    assert not page.get_by_label("Penalty γ").is_visible()


@browser
def test_players_in_turn_neither_win_nor_lose(page):
    page.get_by_label("in turn").check()
    page.wait_for_timeout(100)
    assert values(page)["factor of a step near the end"] == "1.0000"


@browser
def test_the_start_can_be_dragged(page):
    canvas = page.locator("canvas").first
    box = canvas.bounding_box()
    # Find the handle: it takes the grabbing cursor.
    spots = [
        (x, y)
        for x in range(10, int(box["width"]), 10)
        for y in range(10, int(box["height"]), 10)
    ]
    for x, y in spots:
        page.mouse.move(box["x"] + x, box["y"] + y)
        if canvas.evaluate("c => c.style.cursor") == "grab":
            break
    else:
        pytest.fail("nothing on the canvas can be taken hold of")
    page.mouse.down()
    page.mouse.move(box["x"] + x - 40, box["y"] + y - 60, steps=3)
    page.mouse.up()
    page.wait_for_timeout(100)
    theta, psi = state(page)
    assert theta < 1.0
    assert psi > 0.2


@browser
def test_arrow_keys_move_the_start(page):
    page.locator("canvas").first.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    page.wait_for_timeout(100)
    assert state(page) == pytest.approx([1.0, 0.1])


@browser
def test_play_takes_steps(page):
    page.get_by_role("slider", name="Steps").fill("0")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Pause").click()
    steps = int(page.get_by_role("slider", name="Steps").input_value())
    assert 5 < steps < 80
    page.wait_for_timeout(200)
    assert int(page.get_by_role("slider", name="Steps").input_value()) == steps


@browser
def test_what_the_address_cannot_have_is_named(open_live, figure):
    page = open_live(figure, at="#gan?game=poker&h=0.5&theta=9").page
    page.wait_for_selector(".explorable .values dd")
    note = page.locator(".note").inner_text()
    assert "game = poker" in note
    assert "theta = 9" in note
    assert float(page.get_by_label("Size of a step").input_value()) == 0.5
