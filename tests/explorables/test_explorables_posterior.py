"""Chapter 2's live figure: its numbers are Python's, its controls work."""

import json
import re

import pytest
import torch

from diffusion_lite.data import two_modes
from diffusion_lite.explorables.explorable import line_mixture
from diffusion_lite.explorables.posterior import PosteriorExplorable
from diffusion_lite.mixtures import GaussianMixture, kl_to_normal
from diffusion_lite.posterior import posterior_mean, posterior_variance
from diffusion_lite.schedules import Schedule
from live import module

browser = pytest.mark.browser
MIXTURE = two_modes()
START = {"alphaBarS": 0.88, "power": -0.35, "x0": -1.4, "xt": 0.3}


def two_steps(alpha_bar_s, beta):
    """A schedule whose second step is the one that the figure shows."""
    beta = [1 - alpha_bar_s, beta, 0.9999]  # the third only ends in noise
    return Schedule.from_betas(torch.tensor(beta).double())


def steps(n, generator):
    """Draw places and sizes of a step from all that the sliders allow."""
    alpha_bar_s = 0.02 + 0.96 * torch.rand(n, generator=generator)
    power = -2.3 + 2.15 * torch.rand(n, generator=generator)
    pairs = zip(alpha_bar_s.tolist(), power.tolist(), strict=True)
    return [(a, 10**p) for a, p in pairs]


def uniform(generator, *shape):
    """Draw from -2.5..2.5, as far as the dots can be dragged."""
    return 5 * torch.rand(*shape, generator=generator).double() - 2.5


def mixtures(n, generator):
    """Sample mixtures of two modes, as the figure's reader can make them."""
    weight = 0.05 + 0.9 * torch.rand(n, generator=generator).double()
    means = uniform(generator, n, 2, 1)
    covariances = torch.full((2, 1, 1), 0.16)
    return [
        GaussianMixture(torch.stack([w, 1 - w]), m, covariances)
        for w, m in zip(weight, means, strict=True)
    ]


@pytest.fixture(scope="module")
def figure():
    return PosteriorExplorable(figure="fig-live")


def test_the_script_is_handed_the_mixture(figure):
    assert figure.data == {"mixture": line_mixture(MIXTURE)}
    assert figure.figure == "fig-live"
    assert PosteriorExplorable().figure == ""


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    return module(visit(), figure._esm)


@browser
def test_mean_weights_and_variance_are_pythons(there, generator):
    for alpha_bar_s, beta in steps(20, generator):
        schedule = two_steps(alpha_bar_s, beta)
        ends = uniform(generator, 2, 1)
        mean, variance, by_weights = there.evaluate(
            """([x0, xt, a, b]) => { const w = m.weights(a, b);
            return [m.posteriorMean(x0, xt, a, b), m.posteriorVariance(a, b),
            w.ofX0 * x0 + w.ofXt * xt] }""",
            [*ends[:, 0].tolist(), alpha_bar_s, beta],
        )
        exact = float(posterior_mean(*ends, 2, schedule))
        assert mean == pytest.approx(exact, rel=1e-6, abs=1e-6)
        assert by_weights == pytest.approx(exact, rel=1e-6, abs=1e-6)
        exact = float(posterior_variance(2, schedule))
        assert variance == pytest.approx(exact, rel=1e-6)


REVERSE = """([mixture, xt, a, b, xs]) => {
  const reverse = m.reverseMixture(mixture, xt, a, b);
  const { mean, variance } = m.gaussianFit(reverse);
  return [reverse, mean, variance, m.klOfStep(mixture, xt, a, b),
    m.klToNormal(reverse, mean, variance, 401),
    xs.map(x => m.mixtureDensity(reverse, x))];
}"""


@browser
def test_the_reverse_step_is_pythons(there, generator):
    xs = torch.linspace(-4, 4, 9).double()
    for mixture, (alpha_bar_s, beta) in zip(
        mixtures(30, generator), steps(30, generator), strict=True
    ):
        x_t = uniform(generator, 1)
        found, mean, variance, kl, coarse, density = there.evaluate(
            REVERSE,
            [
                line_mixture(mixture),
                float(x_t),
                alpha_bar_s,
                beta,
                xs.tolist(),
            ],
        )
        exact = mixture.reverse(x_t, 2, two_steps(alpha_bar_s, beta))
        for name, numbers in line_mixture(exact).items():
            assert found[name] == pytest.approx(numbers, rel=1e-6, abs=1e-6)
        assert mean == pytest.approx(float(exact.mean), rel=1e-6, abs=1e-6)
        assert variance == pytest.approx(float(exact.covariance), rel=1e-6)
        there_is = kl_to_normal(
            exact, float(exact.mean), float(exact.covariance)
        )
        assert kl == pytest.approx(there_is, rel=1e-6, abs=1e-12)
        assert coarse == pytest.approx(there_is, rel=1e-3, abs=1e-9)
        dense = exact.log_prob(xs[:, None]).exp().tolist()
        assert density == pytest.approx(dense, rel=1e-6, abs=1e-6)


@browser
def test_the_divergence_from_any_gaussian_is_pythons(there, generator):
    for mixture in mixtures(10, generator):
        mean, variance = float(uniform(generator, 1)), 0.7
        found = there.evaluate(
            "([mixture, mean, v]) => m.klToNormal(mixture, mean, v)",
            [line_mixture(mixture), mean, variance],
        )
        exact = kl_to_normal(mixture, mean, variance)
        assert found == pytest.approx(exact, rel=1e-6)


@browser
def test_small_divergences_are_not_lost_in_rounding(there):
    """One component is a Gaussian; far from a valley two are one, nearly."""
    power = "([mixture, x, b]) => m.powerOfStep(mixture, x, 0.88, b)"
    kl = "([mixture, x, b]) => m.klOfStep(mixture, x, 0.88, b)"
    mixture = line_mixture(MIXTURE)
    assert there.evaluate(power, [mixture, 0.3, 1e-4]) == pytest.approx(
        3, abs=0.1
    )
    same = {**mixture, "means": [0.4, 0.4]}
    assert 0 <= there.evaluate(kl, [same, 0.3, 0.1]) < 1e-20
    small = there.evaluate(kl, [mixture, -1.5, 0.01])
    exact = MIXTURE.reverse(torch.tensor([-1.5]), 2, two_steps(0.88, 0.01))
    there_is = kl_to_normal(exact, float(exact.mean), float(exact.covariance))
    assert small == pytest.approx(there_is, rel=1e-2, abs=1e-14)


def test_in_the_start_state_the_exact_density_has_two_humps():
    beta = 10 ** START["power"]
    x_t = torch.tensor([START["xt"]]).double()
    line = torch.linspace(-3, 3, 601).double()[:, None]

    def humps(beta):
        schedule = two_steps(START["alphaBarS"], beta)
        density = MIXTURE.reverse(x_t, 2, schedule).log_prob(line)
        rises = (density.diff() > 0).int()
        return int((rises.diff() == -1).sum())

    assert humps(beta) == 2
    assert humps(0.1) == 1


# ---- controls -----------------------------------------------------------


@pytest.fixture
def opened(open_live, figure):
    """Return a function that opens the figure in some state.

    Whatever a test does in such a window, the page has no errors.
    """
    windows = []

    def opened(asked="", **options):
        at = f"#posterior?{asked}" if asked else ""
        windows.append(open_live(figure, at=at, **options))
        return windows[-1].page

    yield opened
    assert [window.noted for window in windows] == [[] for _ in windows]


def settle(page):
    """Wait until what was asked for is drawn, and is in the address."""
    page.evaluate(
        "() => new Promise(r => requestAnimationFrame(() =>"
        " requestAnimationFrame(r)))"
    )


def values(page):
    settle(page)
    terms, said = (
        page.locator(f".explorable {tag}").all_text_contents()
        for tag in ("dt", "dd")
    )
    return {
        re.sub(r"\s", "", name): value.replace("−", "-")
        for name, value in zip(terms, said, strict=True)
    }


def slider(page, label):
    return page.get_by_role("slider", name=re.compile(label))


SLIDERS = {
    "Step": "0.45",
    "Left before": "0.88",
    "Start": "-1.40",
    "End": "0.30",
}
DOTS = {
    "known": [("Start", -1.4, 1.2, 20), ("End", 0.3, -1.5, -26)],
    "hidden": [
        ("First mode", -0.6, -2, 56),
        ("Second mode", 1.4, 0.2, 56),
        ("End", 0.3, 1.6, -26),
    ],
}
HIDDEN = {"First mode": "-0.60", "Second mode": "1.40", "Weight": "70 %"}


def shown(page, label):
    settle(page)
    output = slider(page, label).locator("xpath=..").locator("output")
    return output.inner_text().replace("−", "-")


@browser
def test_each_mode_shows_its_own_controls(opened):
    page = opened()
    common = [label for label in SLIDERS if label != "Start"]
    for mode, there, gone in (
        ("hidden", [*common, *HIDDEN], ["Start"]),
        ("known", list(SLIDERS), list(HIDDEN)),
    ):
        page.get_by_role("radio", name=mode).check()
        settle(page)
        assert all(slider(page, label).is_visible() for label in there)
        assert not any(
            page.locator("label.range", has_text=label).is_visible()
            for label in gone
        )
    for label, value in SLIDERS.items():
        assert shown(page, label) == value


@browser
def test_the_values_are_of_the_step_that_is_shown(opened):
    page = opened()
    schedule = two_steps(START["alphaBarS"], 10 ** START["power"])
    ends = (torch.tensor([START[name]]).double() for name in ("x0", "xt"))
    mean = float(posterior_mean(*ends, 2, schedule))
    variance = float(posterior_variance(2, schedule))
    found = values(page)
    assert float(found["meanw0x0+wtxt"]) == pytest.approx(mean, abs=0.005)
    w0, wt = map(float, found["w0,wt"].split(","))
    assert w0 * START["x0"] + wt * START["xt"] == pytest.approx(mean, abs=0.02)
    assert float(found["varianceβ̃t"]) == pytest.approx(variance, rel=0.05)
    page.get_by_role("radio", name="hidden").check()
    x_t = torch.tensor([START["xt"]]).double()
    exact = MIXTURE.reverse(x_t, 2, schedule)
    kl = kl_to_normal(exact, float(exact.mean), float(exact.covariance))
    found = values(page)
    assert float(found["KL"].split()[0]) == pytest.approx(kl, rel=0.06)
    assert float(found["mean"]) == pytest.approx(float(exact.mean), abs=0.005)
    share = round(100 * float(exact.weights[0]))
    assert found["fromthefirstmode"] == f"{share} %"


@browser
@pytest.mark.parametrize("mode", DOTS)
def test_each_slider_moves_a_value(opened, mode):
    page = opened(f"mode={mode}")
    known = mode == "known"
    for label in SLIDERS if known else {"Step": 0, "End": 0, **HIDDEN}:
        before, said = values(page), shown(page, label)
        slider(page, label).press("PageDown")
        assert shown(page, label) != said, label
        assert values(page) != before, label


def canvas(page, n):
    box = page.locator(".explorable canvas").nth(n)
    box.scroll_into_view_if_needed()
    return box.bounding_box()


def place(box, x, y):
    """Where x of the axis is seen, at a height counted from below or above."""
    left, right = box["x"] + 38, box["x"] + box["width"] - 10
    across = left + (x + 3.6) / 7.2 * (right - left)
    return across, box["y"] + (y if y >= 0 else box["height"] + y)


def drag(page, start, end):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()


@browser
@pytest.mark.parametrize("mode", DOTS)
def test_a_dot_goes_where_the_mouse_takes_it(opened, mode):
    page = opened(f"mode={mode}")
    box = canvas(page, 0)
    grip = 5  # taken hold of beside the middle, it does not jump
    for label, start, end, y in DOTS[mode]:
        before = values(page)
        x, height = place(box, start, y)
        to = place(box, end, y)[0] + grip
        drag(page, (x + grip, height), (to, height))
        assert float(shown(page, label)) == pytest.approx(end, abs=0.021)
        assert values(page) != before
        drag(page, (to, height), place(box, 9 if end > start else -9, y))
        assert abs(float(shown(page, label))) == 2.5


@browser
def test_a_drag_beside_the_dots_moves_nothing(opened):
    page = opened()
    box, before = canvas(page, 0), values(page)
    drag(page, place(box, 1.5, 100), place(box, -1, 100))
    assert values(page) == before


@browser
@pytest.mark.parametrize("mode", DOTS)
def test_the_rod_of_the_lower_view_moves_beta(opened, mode):
    page = opened(f"mode={mode}")
    box = canvas(page, 1)
    left, right = box["x"], box["x"] + box["width"] - 1
    for end, beta in ((left, "0.0050"), (right, "0.71")):
        rod = find_rod(page, box)
        drag(page, (rod, box["y"] + 60), (end, box["y"] + 60))
        assert shown(page, "Step") == beta


def find_rod(page, box):
    """Where the mouse's shape says that something can be taken hold of."""
    cursor = "() => document.querySelectorAll('canvas')[1].style.cursor"
    for x in range(int(box["x"] + box["width"]) - 12, int(box["x"]), -30):
        page.mouse.move(x, box["y"] + 60)
        if page.evaluate(cursor) == "grab":
            return x
    raise AssertionError("nothing can be dragged")


@browser
def test_a_finger_drags_a_dot(opened):
    page = opened("mode=hidden", has_touch=True)
    box = canvas(page, 0)
    across, down = place(box, 1.4, 56)
    page.touchscreen.tap(across + 8, down + 6)
    assert shown(page, "Second mode") == "1.40"
    session = page.context.new_cdp_session(page)
    for kind, x in (
        ("touchStart", 1.4),
        ("touchMove", 1.0),
        ("touchMove", 0.4),
    ):
        at, down = place(box, x, 56)
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": at, "y": down}]},
        )
    session.send(
        "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
    )
    assert float(shown(page, "Second mode")) == pytest.approx(0.4, abs=0.1)


@browser
def test_the_step_shrinks_until_the_exact_density_is_a_gaussian(opened):
    page = opened("mode=hidden&power=-1.9")
    page.get_by_role("button", name="Shrink the step").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Shrink the step").wait_for()
    assert shown(page, "Step") == "0.0050"
    assert values(page)["KL"].startswith("1.1·10⁻⁵")
    assert float(values(page)["localpowerofβ"]) == pytest.approx(3, abs=0.25)
    page.get_by_role("button", name="Shrink the step").click()
    page.get_by_role("button", name="Pause").click()
    assert 0.2 < float(shown(page, "Step")) < 0.71


@browser
def test_without_play_nothing_moves(opened):
    page = opened(reduced_motion="no-preference")
    before = values(page)
    page.wait_for_timeout(200)
    assert values(page) == before


@browser
def test_a_garbled_address_is_named_and_the_rest_works(opened):
    page = opened(
        "mode=neither&power=1&alphaBarS=1&x0=abc&xt=-9&left=&right=2&weight=0"
    )
    said = page.locator(".note").inner_text()
    for wrong in ("mode = neither", "power = 1", "alphaBarS = 1", "x0 = abc"):
        assert wrong in said
    for wrong in ("xt = -9", "left = ", "weight = 0"):
        assert wrong in said
    assert "right" not in said
    page.get_by_role("radio", name="hidden").check()
    assert shown(page, "Second mode") == "2.00"
    assert shown(page, "First mode") == "-0.60"


STATES = [
    "left=1.4&right=1.4&mode=hidden",
    "left=-2.5&right=2.5&weight=0.05&xt=-2.5&power=-0.15&mode=hidden",
    "left=2.5&right=-2.5&alphaBarS=0.98&power=-2.3&mode=hidden",
    "left=2.5&right=2.5&alphaBarS=0.02&xt=-2.5&mode=hidden",
    "x0=-2.5&xt=2.5&alphaBarS=0.98&power=-0.15",
    "x0=2.5&xt=-2.5&alphaBarS=0.02&power=-2.3",
]


@browser
def test_at_the_ends_of_all_sliders_there_are_numbers(opened):
    page = opened()
    for state in STATES:
        page.evaluate("to => { location.hash = to }", f"posterior?{state}")
        page.wait_for_timeout(20)
        found = json.dumps(values(page))
        assert not page.locator(".note").is_visible()
        assert not re.search("NaN|Infinity|undefined", found)
    assert "mode" not in state
    assert page.get_by_role("radio", name="known").is_checked()


BAD_MIXTURES = [
    ({}, "2 weights"),
    ({"weights": [0.7], "means": [0], "variances": [1]}, "2 weights"),
    ({**line_mixture(MIXTURE), "means": [0, None]}, "2 weights"),
    ({**line_mixture(MIXTURE), "variances": [0.16, 0]}, "above 0"),
]


@browser
@pytest.mark.parametrize(("mixture", "said"), BAD_MIXTURES)
def test_a_spoilt_mixture_leaves_the_still_figure(open_live, mixture, said):
    figure = PosteriorExplorable(figure="fig-live")
    figure.data = {"mixture": mixture}
    there = open_live(figure).page
    message = there.locator(".explorable-failed").inner_text()
    assert re.search(rf"could not start \(mixture must have .*{said}", message)
    assert there.locator("figure svg").is_visible()
    assert there.locator(".explorable").count() == 0
