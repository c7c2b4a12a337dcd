"""The live figure of guidance: its numbers are Python's, its controls work."""

from functools import partial
from itertools import product

import pytest
import torch

from diffusion_lite.arguments import normal
from diffusion_lite.data import two_moons
from diffusion_lite.explorables.explorable import plane_mixture
from diffusion_lite.explorables.guidance import GuidanceExplorable
from diffusion_lite.guidance import (
    corrected_sample,
    guided,
    tilted_log_density,
)
from diffusion_lite.metrics import energy_distance
from diffusion_lite.mixtures import together
from diffusion_lite.sampling import ddpm_sample
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.solvers import ddim_sample, uniform_times
from live import module, values

browser = pytest.mark.browser
SCHEDULE = cosine_schedule(100)
WANTED, LOWER = two_moons()
OTHERS = {"both": together(WANTED, LOWER), "other": LOWER}
INTERVALS = {"all": None, "high": (67, 100), "mid": (34, 66), "low": (0, 33)}
CENTER = (WANTED.means[0] + WANTED.means[8]) / 2


def eps(other="both", w=4.0, when="all"):
    """Return Python's guided denoiser."""
    exact = (
        partial(mixture.optimal_eps, schedule=SCHEDULE)
        for mixture in (WANTED, OTHERS[other])
    )
    return guided(*exact, w, interval=INTERVALS[when])


def draw(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return normal(shape, generator, torch.float64)


def sent(mixture):
    """Return a mixture as the script has it, but in whole precision."""
    return {
        "weights": mixture.weights.tolist(),
        "means": mixture.means.flatten().tolist(),
        "variances": mixture.covariances.diagonal(dim1=1, dim2=2)
        .flatten()
        .tolist(),
    }


def points(there):
    return torch.tensor(there, dtype=torch.float64).reshape(-1, 2)


@pytest.fixture(scope="module")
def figure():
    return GuidanceExplorable(figure="fig-live")


def test_the_script_is_handed_both_classes_and_the_arc_s_middle(figure):
    assert figure.data["wanted"] == plane_mixture(WANTED)
    assert figure.data["other"] == plane_mixture(LOWER)
    middle = torch.tensor(figure.data["center"], dtype=torch.float64)
    off = WANTED.means - middle
    radius = off.norm(dim=1)
    torch.testing.assert_close(radius, radius[:1].expand(9))
    angles = torch.atan2(off[:, 1], off[:, 0]).rad2deg()
    want = torch.linspace(0, 180, 9, dtype=torch.float64)
    torch.testing.assert_close(angles, want, atol=1e-9, rtol=0)
    assert figure.figure == "fig-live"
    assert GuidanceExplorable().figure == ""


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    page = module(visit(), figure._esm)
    page.evaluate(
        """classes => {
        window.classes = classes;
        window.alphaBar = m.SCHEDULES.cosine(100);
        window.pair = t => classes.map(c => m.classAt(c, alphaBar[t]));
        window.eps = (state, x, t) => m.guidedEps(
          pair(t), { ...state, w: m.weightAt(state, t) })(x) }""",
        [sent(WANTED), sent(LOWER)],
    )
    return page


@browser
def test_a_class_s_answers_are_pythons(there):
    x = 2 * draw(0, 30, 2)
    for t in (0, 1, 50, 100):
        found = there.evaluate(
            """([x, t]) => { const { eps, log } = pair(t)[0](x);
            return [[...eps], [...log]] }""",
            [x.flatten().tolist(), t],
        )
        want = WANTED.optimal_eps(x, t, SCHEDULE)
        torch.testing.assert_close(points(found[0]), want)
        log = WANTED.noised(t, SCHEDULE).log_prob(x)
        assert found[1] == pytest.approx(log.tolist())


@browser
@pytest.mark.parametrize("when", INTERVALS)
@pytest.mark.parametrize("other", OTHERS)
def test_a_guided_answer_is_pythons(there, other, when):
    x = 2 * draw(1, 30, 2)
    for w, t in product((0, 1, 4, 7.5), (1, 33, 34, 66, 67, 100)):
        state = {"other": other, "w": w, "when": when}
        found = there.evaluate(
            "([state, x, t]) => [...eps(state, x, t)]",
            [state, x.flatten().tolist(), t],
        )
        want = eps(other, w, when)(x, torch.full((30,), t))
        torch.testing.assert_close(points(found), want, msg=f"{w} {t}")


def runs(sampler, eps_model, x_T):
    """Return Python's states at all t, x_T first, and a source of its noise.

    Of the same seed: what it gives first is the noise of the first step.
    """
    sources = [torch.Generator().manual_seed(3) for _ in range(2)]
    states = {
        "ddim": lambda: ddim_sample(
            eps_model, x_T, SCHEDULE, uniform_times(SCHEDULE, 100)
        ),
        "ddpm": lambda: ddpm_sample(
            eps_model, x_T, SCHEDULE, generator=sources[0]
        ),
        "langevin": lambda: corrected_sample(
            eps_model, x_T, SCHEDULE, corrections=4, generator=sources[0]
        ),
    }[sampler]()
    return torch.stack(list(states)), sources[1]


@browser
@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "langevin"])
def test_a_whole_run_is_pythons(there, sampler):
    x_T = draw(2, 12, 2)
    states = [
        {"other": "both", "w": 4.0, "when": "all"},
        {"other": "other", "w": 2.0, "when": "mid"},
    ]
    for state in states:
        want, source = runs(sampler, eps(**state), x_T)
        drawn = 5 * 100 if sampler == "langevin" else 100
        z = [normal(x_T.shape, source, torch.float64) for _ in range(drawn)]
        found = there.evaluate(
            """([sampler, state, x, z]) => {
            let asked = 0;
            return m.wayBack(sampler, (x, t) => eps(state, x, t), x, alphaBar,
              () => z[asked++]).map(x => [...x]) }""",
            [
                sampler,
                state,
                x_T.flatten().tolist(),
                [each.flatten().tolist() for each in z],
            ],
        )
        torch.testing.assert_close(
            torch.tensor(found, dtype=torch.float64).flip(0),
            want.flatten(1),
            rtol=1e-6,
            atol=1e-6,
        )


@browser
def test_every_step_has_a_noise_of_its_own(there):
    assert there.evaluate(
        """() => { const seen = [];
        m.wayBack("langevin", x => x.map(() => 0), [1, 2], alphaBar,
          (t, i) => { seen.push([t, i].join()); return [0, 0] });
        return [seen.length, new Set(seen).size] }"""
    ) == [100 + 4 * 99, 100 + 4 * 99]


def on_plane(there, other, w, t):
    """Return a grid's places, (N, 2), the density there, and the step."""
    spread = float(WANTED.noised(t, SCHEDULE).covariances[0, 0, 0]) ** 0.5
    places, density, step = there.evaluate(
        """([pull, t, spread]) => {
        const reach = Math.sqrt(alphaBar[t]) * m.reachOf(classes, pull);
        const { grid, density } = m.onPlane(
          m.tiltedLog(pair(t), pull), reach + 5 * spread, spread);
        return [[...m.placesOf(grid)], [...density], grid.step] }""",
        [{"other": other, "w": w}, t, spread],
    )
    return points(places), torch.tensor(density, dtype=torch.float64), step


def tilted(x, other, w, t):
    """Return Python's density at x, the highest 1: (N,)."""
    parts = (m.noised(t, SCHEDULE) for m in (WANTED, OTHERS[other]))
    log = tilted_log_density(x, *parts, w)
    return (log - log.max()).exp()


PULLS = [*product(OTHERS, (0.0, 1.0, 4.0, 8.0))]


@browser
@pytest.mark.parametrize(("other", "w"), PULLS)
def test_the_tilted_density_is_pythons(there, other, w):
    for t in (0, 40, 100):
        x, density, _ = on_plane(there, other, w, t)
        want = tilted(x, other, w, t)
        torch.testing.assert_close(density, want, atol=1e-9, rtol=1e-6)


@browser
@pytest.mark.parametrize(("other", "w"), PULLS)
def test_the_grid_has_all_of_the_tilted_distribution(there, other, w):
    """Python's has its mass inside, on a grid that reaches much further."""
    line = torch.linspace(-22, 22, 401, dtype=torch.float64)
    everywhere = torch.cartesian_prod(line, line)
    for t in (0, 40, 100):
        x, density, step = on_plane(there, other, w, t)
        (left, low), (right, high) = x.amin(0).tolist(), x.amax(0).tolist()
        parts = [m.noised(t, SCHEDULE) for m in (WANTED, OTHERS[other])]
        log = tilted_log_density(everywhere, *parts, w)
        highest = tilted_log_density(x, *parts, w).max()
        outside = (
            (everywhere[:, 0] < left)
            | (everywhere[:, 0] > right)
            | (everywhere[:, 1] < low)
            | (everywhere[:, 1] > high)
        )
        total = float(density.sum()) * step**2
        missed = float((log[outside] - highest).exp().sum()) * 0.11**2
        assert missed < 1e-5 * total
        assert len(x) < 5000


@browser
def test_bins_go_round_the_arc(there):
    found = there.evaluate(
        """[-179, -91, -89, 1, 91, 181, 269].map(a => m.binOf(
        Math.cos(a / 180 * Math.PI), Math.sin(a / 180 * Math.PI)))"""
    )
    assert found == [18, 23, 0, 6, 12, 18, 23]


@browser
@pytest.mark.parametrize("t", [0, 40, 100])
def test_shares_of_the_arc_are_pythons(there, t):
    """Of the class: from many samples, loosely, and from points, exactly."""
    root = float(SCHEDULE.alpha_bar[t]) ** 0.5
    middle = (root * CENTER).tolist()
    spread = float(WANTED.noised(t, SCHEDULE).covariances[0, 0, 0]) ** 0.5
    generator = torch.Generator().manual_seed(4)
    x = WANTED.noised(t, SCHEDULE).sample(20_000, generator=generator)
    got, counted = there.evaluate(
        """([t, spread, middle, x]) => {
        const { grid, density } = m.onPlane(
          m.tiltedLog(pair(t), { other: "both", w: 1 }), 7, spread);
        return [[...m.arcOfDensity(grid, density, middle)],
          [...m.arcOfPoints(x, middle)]] }""",
        [t, spread, middle, x.flatten().tolist()],
    )
    off = x - root * CENTER
    angles = torch.atan2(off[:, 1], off[:, 0]).rad2deg()
    bins = ((angles + 90) % 360 / 15).long()
    want = bins.bincount(minlength=24) / len(x)
    assert counted == pytest.approx(want.tolist())
    assert got == pytest.approx(want.tolist(), abs=0.008)
    assert sum(got) == pytest.approx(1)
    assert sum(counted) == pytest.approx(1)


@browser
def test_variances_are_pythons(there):
    x = draw(5, 40, 2)
    found = there.evaluate("x => m.varianceOf(x)", x.flatten().tolist())
    assert found == pytest.approx(float(x.T.cov().trace()))
    for t in (0, 40, 100):
        found = there.evaluate(
            "t => m.mixtureVariance(classes[0], alphaBar[t])", t
        )
        want = WANTED.noised(t, SCHEDULE).covariance.trace()
        assert found == pytest.approx(float(want))


@browser
def test_distances_between_clouds_are_pythons(there):
    x, y = draw(6, 30, 2), 1 + draw(7, 20, 2)
    far, within, other = there.evaluate(
        """([x, y]) => { const [a, b] = [m.evenly(x), m.evenly(y)];
        return [[a, b], [a, a], [b, b]].map(each =>
          m.meanDistance(...each)) }""",
        [x.flatten().tolist(), y.flatten().tolist()],
    )
    want = float(energy_distance(x, y))
    assert 2 * far - within - other == pytest.approx(want)


@browser
def test_cells_have_all_the_mass(there):
    x, density, _ = on_plane(there, "both", 4.0, 20)
    found, weights = there.evaluate(
        """([x, density]) => {
        const grid = { left: x[0], bottom: x[1], step: x[2] - x[0],
          columns: x.findIndex((y, i) => i % 2 && y !== x[1]) >> 1 };
        grid.rows = density.length / grid.columns;
        const cells = m.cellsOf(grid, Float64Array.from(density));
        return [[...cells.points], [...cells.weights]] }""",
        [x.flatten().tolist(), density.tolist()],
    )
    kept = density > 1e-4
    torch.testing.assert_close(points(found), x[kept])
    want = density[kept] / density[kept].sum()
    assert weights == pytest.approx(want.tolist())


# ---- controls -----------------------------------------------------------


def choose(page, menu, option):
    page.get_by_role("combobox", name=menu).select_option(option)


def energy(page):
    return float(values(page)["energy distance to the tilted one"])


@pytest.fixture
def page(open_live, figure):
    page = open_live(figure).page
    page.wait_for_selector(".explorable .values dd")
    return page


def samples_of_the_tilted(other, w, t, n=4000):
    """Return points of a fine grid, each as often as it should be there."""
    line = torch.linspace(-6, 6, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    up_to = tilted(grid, other, w, t).cumsum(0)
    evenly = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return grid[torch.searchsorted(up_to, evenly * up_to[-1])]


@browser
@pytest.mark.parametrize(
    ("other", "words", "w", "when", "t"),
    [
        ("both", "both classes", 4.0, "all", 0),
        ("both", "both classes", 4.0, "all", 40),
        ("other", "the other class", 2.0, "mid", 34),
    ],
)
def test_what_it_says_is_pythons(page, there, other, words, w, when, t):
    page.get_by_role("slider", name="Guidance").fill(str(w))
    page.get_by_role("slider", name="Seen at").fill(str(t))
    choose(page, "Led away from", words)
    choose(page, "Guided", when)
    said = values(page)
    x_T = points(there.evaluate("[...m.normals(600, 1001)]"))
    run, _ = runs("ddim", eps(other, w, when), x_T)
    x = run[100 - t]
    classes = [m.noised(t, SCHEDULE) for m in (WANTED, LOWER)]
    log = torch.stack([m.log_prob(x) for m in classes])
    share = log.softmax(0)[0].mean()
    assert said["of the wanted class"] == f"{100 * share:.1f} %"
    ratio = x.T.cov().trace() / classes[0].covariance.trace()
    assert said["spread"] == f"{ratio**0.5:.2f} of the class's"
    law = samples_of_the_tilted(other, w, t)
    far = float(energy_distance(x, law))
    assert energy(page) == pytest.approx(far, abs=0.005)
    floor = float(torch.cdist(law, law).mean()) / 300
    shown = float(said["floor, for 300 true samples"])
    assert shown == pytest.approx(floor, abs=6e-4)


@browser
def test_only_langevin_steps_come_near_the_tilted_distribution(page):
    found = []
    for sampler in ("ddim", "ddpm", "langevin"):
        choose(page, "Sampler", sampler)
        found.append(energy(page))
    ddim, ddpm, langevin = found
    assert ddim > 0.45 > ddpm > 0.15
    assert langevin < 0.1
    page.get_by_role("slider", name="Guidance").fill("1")
    assert energy(page) < 0.02


@browser
def test_an_interval_changes_the_samples_and_not_what_they_are_held_to(page):
    arc = page.locator("canvas").nth(1)

    def parts():
        page.wait_for_timeout(700)
        words = arc.get_attribute("aria-label").split(". ")
        return [part.split(":")[1].strip(" .") for part in words[-3:]]

    samples, tilted, own = parts()
    choose(page, "Guided", "only t < 34")
    late, *held = parts()
    assert held == [tilted, own]
    assert late != samples


@browser
def test_led_away_from_the_other_class_samples_leave_the_data(page):
    """The plane that is shown grows, and the samples are still in it."""
    choose(page, "Led away from", "the other class")
    assert values(page)["of the wanted class"] == "100.0 %"
    page.wait_for_timeout(600)
    plane = page.locator("canvas").first
    assert "the other class" in plane.get_attribute("aria-label")
    orange = plane.evaluate(
        """c => { const { data } = c.getContext("2d")
          .getImageData(0, 0, c.width, c.height);
        let seen = 0;
        for (let i = 0; i < data.length; i += 4)
          seen += data[i] > 200 && data[i + 2] < 80 && data[i + 3] > 200;
        return seen }"""
    )
    assert orange > 100


@browser
def test_it_plays_from_noise_to_data(page):
    slider = page.get_by_role("slider", name="Seen at")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(600)
    page.get_by_role("button", name="Pause").click()
    t = int(slider.input_value())
    assert 0 < t < 100
    page.wait_for_function(f"location.hash.includes('t={t}')")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("!location.hash.includes('t=')", timeout=20_000)
    assert slider.input_value() == "0"
    assert page.get_by_role("button", name="Play").is_visible()


@browser
def test_reset_and_new_noise(page):
    start = values(page)
    page.get_by_role("button", name="New noise").click()
    assert values(page)["spread"] != start["spread"]
    page.wait_for_function("location.hash.includes('seed=2')")
    choose(page, "Sampler", "DDPM")
    page.get_by_role("slider", name="Guidance").fill("7.25")
    page.get_by_role("button", name="Reset").click()
    assert values(page) == start


@browser
def test_what_no_menu_has_is_named(open_live, figure):
    query = "sampler=heun&other=none&when=never&w=9&t=101&seed=-1"
    page = open_live(figure, at=f"#guidance?{query}").page
    note = page.locator(".note").inner_text()
    for wrong in query.split("&"):
        assert wrong.replace("=", " = ") in note
