"""Chapter 10's live figure: its numbers are Python's, its controls work."""

from functools import partial
from itertools import product

import pytest
import torch

from diffusion_lite.arguments import normal
from diffusion_lite.data import eight_modes
from diffusion_lite.explorables.explorable import plane_mixture
from diffusion_lite.explorables.fast import GRIDS, FastExplorable
from diffusion_lite.schedules import linear_schedule
from diffusion_lite.solvers import (
    Counted,
    adams_bashforth_sample,
    ddim_sample,
    dpm_solver_sample,
    exact_flow,
    heun_sample,
    midpoint_sample,
)
from live import module, values

browser = pytest.mark.browser
MIXTURE = eight_modes(0.2)
PLANE = {
    "weights": MIXTURE.weights.tolist(),
    "means": MIXTURE.means.flatten().tolist(),
    "variances": [0.2**2] * 16,
}
SCHEDULE = linear_schedule(1000)
SOLVERS = {
    "ddim": ddim_sample,
    "heun": heun_sample,
    "midpoint": midpoint_sample,
    "bashforth": adams_bashforth_sample,
    "multistep": dpm_solver_sample,
}
EPS = partial(MIXTURE.optimal_eps, schedule=SCHEDULE)
X_T = torch.randn(
    20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
)


@pytest.fixture(scope="module")
def figure():
    return FastExplorable(figure="fig-live")


def test_the_script_is_handed_the_mixture_and_the_grids(figure):
    assert figure.data["mixture"] == plane_mixture(MIXTURE)
    for name, times in GRIDS.items():
        grids = figure.data["grids"][name]
        assert len(grids) == 64
        assert grids[9] == times(SCHEDULE, 10)
    assert figure.figure == "fig-live"
    assert FastExplorable().figure == ""


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    page = module(visit(), figure._esm)
    page.evaluate(
        """mixture => {
        window.sigmas = m.sigmasOf(m.SCHEDULES.linear(1000));
        window.eps = m.epsOf(mixture) }""",
        PLANE,
    )
    return page


def runs(page, asked):
    """Return of each solver and grid the states, (n + 1, B, 2), and passes."""
    found = page.evaluate(
        """([asked, x]) => asked.map(([solver, times]) => {
        const { at, used } = m.run(solver, eps, x, times, sigmas);
        return [at.map(state => [...state]), used] })""",
        [asked, X_T.flatten().tolist()],
    )
    return [
        (torch.tensor(at, dtype=torch.float64).reshape(-1, *X_T.shape), used)
        for at, used in found
    ]


@browser
def test_every_solver_on_every_grid_is_pythons(there):
    cases = [
        (solver, times(SCHEDULE, n))
        for solver, times, n in product(SOLVERS, GRIDS.values(), (1, 2, 9))
    ]
    for (name, times), (at, used) in zip(
        cases, runs(there, cases), strict=True
    ):
        eps = Counted(EPS)
        want = list(SOLVERS[name](eps, X_T, SCHEDULE, times))
        torch.testing.assert_close(
            at, torch.stack(want), rtol=1e-6, atol=1e-7, msg=f"{name} {times}"
        )
        assert used[-1] == eps.passes


@browser
def test_steps_and_passes_of_a_budget(there):
    lanes = [
        {"solver": solver, "passes": passes}
        for solver, passes in product(SOLVERS, (1, 2, 3, 10, 63, 64))
    ]
    found = there.evaluate(
        "all => all.map(lane => [m.stepsOf(lane), m.usedBy(lane)])", lanes
    )
    cases = [
        (lane["solver"], GRIDS["uniform"](SCHEDULE, steps))
        for lane, (steps, _) in zip(lanes, found, strict=True)
    ]
    for lane, (_, used), (_, passes) in zip(
        lanes, found, runs(there, cases), strict=True
    ):
        assert passes[-1] == used <= lane["passes"] <= used + 1


@browser
def test_points_move_in_the_last_pass_of_a_step(there):
    found = there.evaluate(
        """() => { const run = { at: [[0], [1], [5]], used: [0, 2, 3] };
        return [0, 1, 1.5, 2, 2.25, 3, 64].map(k => m.placeAt(run, k)[0]) }"""
    )
    assert found == [0, 0, 0.5, 1, 2, 5, 5]


@browser
def test_the_exact_flow_is_pythons(there):
    found = there.evaluate(
        "x => [...m.last(m.exactFlow(eps, x, sigmas[1000]))]",
        X_T.flatten().tolist(),
    )
    want = exact_flow(MIXTURE, X_T, SCHEDULE).flatten().tolist()
    assert found == pytest.approx(want, abs=2e-5)


@browser
def test_random_steps_are_pythons(there):
    times = GRIDS["snr"](SCHEDULE, 6)
    source = [torch.Generator().manual_seed(3) for _ in range(2)]
    z = [normal(X_T.shape, source[0], torch.float64) for _ in times]
    found = there.evaluate(
        """([x, times, z]) => {
        const noise = i => z[i - 1];
        return m.run("random", eps, x, times, sigmas, noise).at
          .map(state => [...state]) }""",
        [
            X_T.flatten().tolist(),
            times,
            [each.flatten().tolist() for each in z],
        ],
    )
    want = ddim_sample(EPS, X_T, SCHEDULE, times, eta=1.0, generator=source[1])
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64),
        torch.stack(list(want)).flatten(1),
        rtol=1e-6,
        atol=1e-7,
    )


# ---- controls -----------------------------------------------------------


@pytest.fixture
def page(open_live, figure):
    page = open_live(figure).page
    page.wait_for_selector(".explorable .values dd")
    return page


@browser
def test_what_it_says_is_pythons(page, there):
    x_T = torch.tensor(there.evaluate("[...m.normals(320, 1)]")).double()
    x_T = x_T.reshape(-1, 2)
    want = exact_flow(MIXTURE, x_T, SCHEDULE)
    page.get_by_label("Solver A").select_option("Heun")
    page.get_by_label("Grid A").select_option("EDM's ρ")
    page.get_by_role("slider", name="Passes A").fill("32")
    said = values(page)
    cases = {"A": ("heun", "edm"), "B": ("multistep", "snr")}
    for lane, (solver, grid) in cases.items():
        times = GRIDS[grid](SCHEDULE, 16)
        *_, x_0 = SOLVERS[solver](EPS, x_T, SCHEDULE, times)
        error = (x_0 - want).square().sum(1).mean().sqrt()
        shown = float(said[f"{lane}: error"])
        assert shown == pytest.approx(float(error), rel=0.05)
    assert said["A: passes"] == "31 of 31"
    assert said["B: passes"] == "16 of 16"


@browser
def test_the_race_is_run_by_passes(page):
    page.get_by_role("slider", name="Passes A").fill("3")
    page.get_by_role("slider", name="Passes B").fill("5")
    for k in range(6):
        page.get_by_role("button", name="One pass").click()
        said = values(page)
        assert said["A: passes"] == f"{min(k, 3)} of 3"
        assert said["B: passes"] == f"{k} of 5"
        assert (said["A: error"] == "not there yet") == (k < 3)
        assert (said["B: error"] == "not there yet") == (k < 5)
    page.get_by_role("button", name="Play").click()
    assert values(page)["B: passes"] in ("0 of 5", "1 of 5")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").click()
    page.get_by_text("5 of 5", exact=True).wait_for(timeout=5000)
    page.wait_for_function("!location.hash.includes('k=')")
    page.get_by_role("button", name="Reset").click()
    assert values(page)["A: passes"] == "16 of 16"


@browser
def test_the_start_can_be_moved(page):
    canvas = page.locator("canvas").first
    box = canvas.bounding_box()
    wide = box["width"]  # 5 units
    x, y = box["x"] + 0.52 * wide, box["y"] + 0.52 * wide  # 0.1, -0.1
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + wide / 5, y, steps=3)
    page.mouse.up()
    canvas.focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(600)
    for each in page.locator("canvas").all()[:2]:
        assert "starts at 1.1,0 " in each.get_attribute("aria-label")
    assert "start=1.1" in page.url


@browser
def test_what_no_lane_has_is_named(open_live, figure):
    page = open_live(
        figure, at="#fast?solverA=rk45&gridB=best&passesB=65"
    ).page
    note = page.locator(".note").inner_text()
    for wrong in ("solverA = rk45", "gridB = best", "passesB = 65"):
        assert wrong in note
