"""Chapter 3's live figure: its numbers are Python's, its controls work."""

import json
import re
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch

from diffusion_lite.data import two_modes
from diffusion_lite.elbo import (
    elbo_from_loss,
    elbo_weight,
    optimal_reverse_variance,
)
from diffusion_lite.explorables.elbo import ElboExplorable
from diffusion_lite.explorables.explorable import line_mixture
from diffusion_lite.posterior import forward_variance, posterior_variance
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from live import as_stored, module

browser = pytest.mark.browser
MIXTURE = two_modes()
LINE = torch.linspace(-9, 9, 1201).double()[:, None]
MAKERS = {"linear": linear_schedule, "cosine": cosine_schedule}
VARIANCES = ("beta", "tilde", "best")
PLACES = [0, 0.12, 0.36, 0.64, 0.88, 1]


def mean_over(mixture, values):
    return float(mixture.log_prob(LINE).softmax(0) @ values)


@cache
def floors(name, T):
    schedule = MAKERS[name](T)
    seen = [
        mean_over(
            MIXTURE.noised(t, schedule),
            MIXTURE.eps_variance(LINE, t, schedule),
        )
        for t in range(T + 1)
    ]
    return torch.tensor(seen).double()


def variance_of(name, loss):
    return {
        "beta": forward_variance,
        "tilde": posterior_variance,
        "best": optimal_reverse_variance(loss),
    }[name]


def loss_with(heights, name="linear", T=100):
    """The floor, and on it straight lines between the dots."""
    place = np.linspace(0, 1, T)
    excess = torch.tensor(np.interp(place, PLACES, heights))
    return floors(name, T) + torch.cat([excess.new_zeros(1), excess])


@pytest.fixture(scope="module")
def figure():
    return ElboExplorable(figure="fig-live")


def test_the_script_is_handed_the_mixture(figure):
    assert figure.data == {"mixture": line_mixture(MIXTURE)}
    assert figure.figure == "fig-live"
    assert ElboExplorable().figure == ""


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    return module(visit(), figure._esm)


@browser
def test_the_floor_is_pythons(there, generator):
    x = 4 * torch.randn(20, 1, generator=generator, dtype=torch.float64)
    for name, t in product(MAKERS, (0, 1, 2, 17, 50, 99, 100)):
        schedule = MAKERS[name](100)
        floor, spread = there.evaluate(
            """([mixture, a, xs]) => [m.floorAt(mixture, a),
            xs.map(x => m.epsVariance(mixture, a, x))]""",
            [
                line_mixture(MIXTURE),
                float(schedule.alpha_bar[t]),
                x[:, 0].tolist(),
            ],
        )
        assert floor == pytest.approx(float(floors(name, 100)[t]), abs=1e-6)
        exact = MIXTURE.eps_variance(x, t, schedule).tolist()
        assert spread == pytest.approx(exact, abs=1e-6), (name, t)


@browser
def test_the_exact_value_is_pythons(there):
    nats = there.evaluate(
        "mixture => m.entropy(mixture)", line_mixture(MIXTURE)
    )
    assert nats == pytest.approx(
        mean_over(MIXTURE, -MIXTURE.log_prob(LINE)), abs=1e-6
    )


@browser
def test_the_terms_are_pythons(there, generator):
    for name, T, variance in product(MAKERS, (5, 35, 200), VARIANCES):
        schedule = MAKERS[name](T)
        loss = torch.rand(T + 1, generator=generator).double() + 1e-3
        terms, weights = there.evaluate(
            """([loss, a, variance]) => [
            [...m.elboFromLoss(loss, a, variance)],
            loss.slice(1).map((l, i) => m.elboWeight(a, i + 1, variance, l))
            ]""",
            [loss.tolist(), schedule.alpha_bar.tolist(), variance],
        )
        chosen = variance_of(variance, loss)
        exact = elbo_from_loss(loss, schedule, chosen)
        assert terms == pytest.approx(exact.tolist(), rel=1e-6, abs=1e-6)
        exact = elbo_weight(torch.arange(1, T + 1), schedule, chosen)
        if variance == "tilde":  # 0 at t = 1, where beta_1 stands in
            exact[0] = elbo_weight(1, schedule)
        assert weights == pytest.approx(exact.tolist(), rel=1e-6)


@browser
def test_the_error_runs_on_lines_from_dot_to_dot(there, generator):
    for T in (5, 40, 100):
        heights = torch.rand(6, generator=generator).tolist()
        excess, mean = there.evaluate(
            """([heights, T]) => { const excess = m.excessAt(heights, T);
            return [[...excess], m.meanOverTime(excess)] }""",
            [heights, T],
        )
        exact = np.interp(np.linspace(0, 1, T), PLACES, heights)
        assert excess == pytest.approx([0, *exact])
        assert mean == pytest.approx(exact.mean())


@browser
def test_scales_are_round_and_high_enough(there):
    for x in (0.01, 0.5, 0.56, 1, 1.01, 7.2, 99, 207.5, 550):
        top = there.evaluate("x => m.roundUp(x, 0.5)", x)
        assert max(x, 0.5) <= top <= 2 * max(x, 0.5)
        assert len(f"{top:g}".replace(".", "").strip("0")) <= 2


# ---- controls -----------------------------------------------------------


class Figure:
    """The figure in an open page, as a reader finds it."""

    def __init__(self, page):
        self.page = page
        self.loss = page.locator(".explorable canvas").first

    def settle(self):
        self.page.evaluate(
            "async () => { for (let i = 0; i < 3; i++)"
            " await new Promise(requestAnimationFrame) }"
        )

    def values(self):
        self.settle()
        names = self.page.locator(".explorable dt").all_inner_texts()
        values = self.page.locator(".explorable dd").all_inner_texts()
        names = [name.replace("\n", "") for name in names]
        return dict(zip(names, values, strict=True))

    def number(self, name):
        return float(self.values()[name].split()[0].replace("−", "-"))

    def state(self):
        """What the address carries, after what is shown has settled."""
        self.page.wait_for_timeout(350)
        query = self.page.evaluate("location.hash").partition("?")[2]
        return dict(part.split("=") for part in query.split("&") if part)

    def has(self, i, error):
        """Dot i has this error, and no other dot has moved: say the values."""
        heights = [error if j == i else 0.06 for j in range(6)]
        simple = float(loss_with(heights)[1:].mean())
        weight = float((loss_with(np.eye(6)[i]) - loss_with([0] * 6)).mean())
        near = 0.0006 + 0.006 * weight
        assert self.number("simple loss") == pytest.approx(simple, abs=near)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def dot(self, i, error, T=100, alpha_bar=None):
        """Where dot i stands in the window; its height by the axes' rule."""
        box = self.loss.bounding_box()
        width, height = box["width"], box["height"]
        left = self.page.evaluate(
            """() => { const c = document.createElement("canvas");
            const ctx = c.getContext("2d");
            const root = document.querySelector(".explorable");
            ctx.font = `13px ${getComputedStyle(root).fontFamily}`;
            return 12 + Math.max(ctx.measureText("0.5").width,
              ctx.measureText("\\u2007".repeat(4)).width) }"""
        )
        beside = 14 * T / (width - 70)
        low, high = 1 - max(0.5, beside), T + 1 + max(0.5, beside / 2)
        t = 1 + PLACES[i] * (T - 1)
        x = left + (t - low) / (high - low) * (width - 10 - left)
        inner, room = height - 60, 40 if width < 480 else 22
        top = 1.4 * inner / (inner - room)
        floor = np.interp(t, np.arange(T + 1), floors("linear", T))
        share = (floor + error + 0.1) / (top + 0.1)
        y = height - 38 - share * (height - 60)
        return box["x"] + x, box["y"] + y


@pytest.fixture
def open_at(open_live, figure):
    def open_at(at="", width=None, **options):
        window = open_live(figure, at=at, **options)
        if width:
            window.page.set_viewport_size({"width": width, "height": 800})
        return Figure(window.page)

    return open_at


@browser
@pytest.mark.parametrize(
    ("T", "name", "variance"),
    [(100, "linear", "beta"), (5, "cosine", "best"), (60, "linear", "tilde")],
)
def test_the_values_shown_are_pythons(open_at, T, name, variance):
    heights = [0.1, 0, 0.2, 0.05, 0, 0.03]
    query = "&".join(f"e{i}={e}" for i, e in enumerate(heights))
    query += f"&T={T}&schedule={name}&variance={variance}&knot=2"
    shown = open_at(f"#elbo?{query}")
    schedule = MAKERS[name](T)
    loss = loss_with(heights, name, T)
    chosen = variance_of(variance, loss)
    bound = float(elbo_from_loss(loss, schedule, chosen).sum())
    exact = mean_over(MIXTURE, -MIXTURE.log_prob(LINE))
    t = round(1 + 0.36 * (T - 1))
    for label, number in {
        "ELBO": bound,
        "exact −log p(x)": exact,
        "gap": bound - exact,
        "simple loss": float(loss[1:].mean()),
        "its floor": float(floors(name, T)[1:].mean()),
        f"weight wt at t = {t}": float(elbo_weight(t, schedule, chosen)),
    }.items():
        assert shown.number(label) == pytest.approx(number, abs=6e-4), label


@browser
def test_equal_simple_loss_unequal_elbo(open_at):
    """What the figure is for."""
    shown = open_at()
    assert shown.number("simple loss") > shown.number("its floor")
    shown.press("Perfect")
    assert shown.number("simple loss") == shown.number("its floor")
    least = shown.number("gap")
    shown.press("Bad near the data")
    early, simple = shown.number("gap"), shown.number("simple loss")
    shown.press("Bad near noise")
    late = shown.number("gap")
    assert shown.number("simple loss") == simple
    assert early - least > 2 * (late - least) > 0
    shown.page.get_by_role("radio", name="cosine").check()
    assert shown.number("gap") > 100  # the last step of the cosine is dear


@browser
def test_the_slider_and_the_choices_change_the_bound(open_at):
    shown = open_at("#elbo?" + "&".join(f"e{i}=0" for i in range(6)))
    gap = shown.number("gap")
    slider = shown.page.get_by_role("slider")
    output = shown.page.locator("output")
    slider.press("End")
    assert shown.number("gap") == pytest.approx(gap / 2, rel=0.15)
    assert output.inner_text() == "T = 200"
    slider.press("Home")
    assert shown.number("gap") > 5 * gap
    assert output.inner_text() == "T = 5"
    seen = []
    for i in range(3):
        group = shown.page.get_by_role("group", name="Variance of a step")
        group.get_by_role("radio").nth(i).check()
        seen.append(shown.number("ELBO"))
    assert seen[2] < seen[0] < seen[1]
    shown.press("Reset")
    assert shown.state() == {}
    assert output.inner_text() == "T = 100"


@browser
@pytest.mark.parametrize(("i", "width"), [(0, 320), (2, None), (5, 320)])
def test_a_dot_is_dragged_with_the_mouse(open_at, i, width):
    shown = open_at(width=width)
    shown.settle()
    mouse = shown.page.mouse
    x, y = shown.dot(i, 0.06)
    mouse.move(x + 5, y + 5)
    mouse.down()
    shown.has(i, 0.06)  # a dot does not jump to where it is taken
    x, y = shown.dot(i, 0.2)
    mouse.move(x + 5, y + 5, steps=4)
    shown.has(i, 0.2)
    mouse.move(x, y - 300)
    shown.has(i, 0.4)
    mouse.move(x, y + 600)
    shown.has(i, 0)
    mouse.up()
    mouse.move(x, y)
    shown.has(i, 0)  # nothing is held any more
    assert shown.state().get("knot", "0") == str(i)


@browser
def test_a_press_beside_the_dots_moves_none(open_at):
    shown = open_at()
    shown.settle()
    x, y = shown.dot(3, 0.06)
    shown.page.mouse.move(x, y - 60)
    shown.page.mouse.down()
    shown.page.mouse.move(x, y - 90)
    shown.page.mouse.up()
    assert shown.state() == {}


TOUCH = """async ([from, to]) => {
  const canvas = document.querySelector(".explorable canvas");
  const at = ([clientX, clientY]) => ({ clientX, clientY, bubbles: true,
    cancelable: true, pointerId: 1, pointerType: "touch", isPrimary: true });
  canvas.setPointerCapture = () => {};
  const touch = new Touch({ identifier: 0, target: canvas,
    clientX: from[0], clientY: from[1] });
  const start = new TouchEvent("touchstart", { changedTouches: [touch],
    cancelable: true });
  canvas.dispatchEvent(new PointerEvent("pointerdown", at(from)));
  canvas.dispatchEvent(start);
  for (const share of [0.3, 0.7, 1])
    canvas.dispatchEvent(new PointerEvent("pointermove", at(
      from.map((x, i) => x + share * (to[i] - x)))));
  canvas.dispatchEvent(new PointerEvent("pointerup", at(to)));
  return start.defaultPrevented;
}"""


@browser
def test_a_finger_drags_a_dot_and_elsewhere_scrolls(open_at):
    shown = open_at(width=390, has_touch=True)
    shown.settle()
    shown.page.touchscreen.tap(*shown.dot(4, 0.06))
    assert shown.state() == {"knot": "4"}
    start, end = shown.dot(4, 0.06), shown.dot(4, 0.35)
    assert shown.page.evaluate(TOUCH, [start, end])
    assert float(shown.state()["e4"]) == pytest.approx(0.35, abs=0.011)
    x, y = shown.dot(2, 0.06)
    assert not shown.page.evaluate(TOUCH, [[x, y - 60], [x, y - 90]])
    assert "e2" not in shown.state()
    assert shown.loss.evaluate("c => c.style.touchAction") == "pan-y"


@browser
def test_keys_choose_a_dot_and_move_it(open_at):
    shown = open_at()
    shown.loss.focus()
    keys = shown.page.keyboard.press
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "PageUp"):
        keys(key)
    assert shown.state() == {"knot": "1", "e1": "0.12"}
    keys("ArrowDown")
    keys("End")
    for _ in range(9):
        keys("PageUp")
    assert shown.state() == {"knot": "5", "e1": "0.11", "e5": "0.4"}
    keys("Home")
    keys("ArrowLeft")
    for _ in range(3):
        keys("PageDown")
    assert shown.state() == {"e1": "0.11", "e5": "0.4", "e0": "0"}
    keys("Tab")
    shown.page.wait_for_function(
        "/dot 1 of 6, error 0.00, weight at step 1: 0.501 nats/.test("
        "document.querySelector('.said').textContent)"
    )
    assert "Dot 1 of 6, at step 1: error 0." in shown.loss.get_attribute(
        "aria-label"
    )


# ---- bad input ----------------------------------------------------------


@browser
def test_garbled_heights_are_named_and_the_rest_works(open_at):
    shown = open_at(
        "#elbo?T=abc&e0=7&e1=&e2=-0.1&e3=NaN&knot=6&schedule=1&e4=0.3"
    )
    said = shown.page.locator(".note").inner_text()
    for wrong in (
        "T = abc",
        "e0 = 7",
        "e1 = ",
        "e2 = -0.1",
        "e3 = NaN",
        "knot = 6",
        "schedule = 1",
    ):
        assert wrong in said
    assert "e4" not in said
    shown.has(4, 0.3)


@browser
def test_no_number_is_missing_at_the_edges(open_at):
    shown = open_at()
    seen = set()
    for error, T, *chosen in product((0, 0.4), (5, 200), MAKERS, VARIANCES):
        query = "&".join(f"e{i}={error}" for i in range(6))
        query += "&T={}&schedule={}&variance={}".format(T, *chosen)
        shown.page.evaluate(
            "hash => { location.hash = hash }", f"elbo?{query}"
        )
        values = tuple(shown.values().values())
        assert all(re.fullmatch(r"−?\d+\.\d+( nats)?", v) for v in values)
        seen.add(values)
    assert len(seen) == 24


@browser
@pytest.mark.parametrize(
    "mixture",
    [
        None,
        {},
        {"weights": [1], "means": [0, 1], "variances": [1]},
        {"weights": [1], "means": ["0"], "variances": [1]},
    ],
)
def test_a_broken_mixture_leaves_the_still_figure(open_at, mixture):
    whole = json.dumps(as_stored(line_mixture(MIXTURE)))

    def change(text):
        assert whole in text
        return text.replace(whole, json.dumps(mixture))

    shown = open_at(change=change)
    said = shown.page.locator(".explorable-failed").inner_text()
    assert "mixture must have" in said
    assert shown.page.locator("figure svg").is_visible()
    assert shown.page.locator(".explorable").count() == 0
