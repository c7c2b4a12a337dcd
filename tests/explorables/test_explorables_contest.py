"""Chapter 8's live figure: its numbers are Python's, its controls work."""

import json
import math
from itertools import product

import pytest

import made_up
from diffusion_lite.explorables.contest import ContestExplorable, compact
from experiments.contest import verdicts
from live import STATE, module, values

browser = pytest.mark.browser
ROWS = made_up.contest()
DATA = compact(ROWS)
PLANE = ["energy", "weights_tv", "modes_lost", "precision", "recall"]
MEASURES = {
    "frechet": "Fréchet distance",
    "energy": "energy distance",
    "weights_tv": "error of the shares",
    "modes_lost": "modes lost",
    "precision": "precision",
    "recall": "recall",
}
START = {
    "task": "ring",
    "measure": "energy",
    "pictures": "frechet",
    "currency": "operations",
    "diffusion": "perceptron",
    "gan": "perceptron",
    "counted": 12,
}


@pytest.fixture(scope="module")
def figure():
    return ContestExplorable(trainings=DATA, figure="fig-live")


# ---- what the script is handed ------------------------------------------


def test_every_last_value_is_handed_over_by_seed():
    assert DATA["seeds"] == list(made_up.SEEDS)
    for task, method, build, currency in made_up.SIDES:
        sent = (
            DATA["floors"][task]
            if method == "real"
            else DATA["sides"][task][currency][f"{method} {build}"]
        )
        mine = [
            row
            for row in ROWS
            if (row["task"], row["method"], row["build"], row["currency"])
            == (task, method, build, currency)
        ]
        digits = ["frechet"] if task == "digits" else []
        assert set(sent) == {*PLANE, *digits}
        for measure, found in sent.items():
            assert found == [
                None if row[measure] == math.inf else row[measure]
                for row in mine
            ]


def test_nothing_else_is_handed_over():
    other = ROWS[0] | {"energy": 99.0}
    more = [
        other | {"phase": "second"},
        other | {"step": 4},
        other | {"method": "vae"},
    ]
    assert compact([*more, *ROWS[::-1], *more]) == DATA


def test_it_is_light_and_has_no_infinity():
    assert len(json.dumps(DATA, allow_nan=False)) < 60_000


def test_what_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match=r"must have trainings.*got none"):
        compact([ROWS[0] | {"phase": "first"}])
    with pytest.raises(ValueError, match=r"51\], got \[41.*ring .*diffusion"):
        compact(ROWS[1:])


def test_it_takes_the_place_it_is_given(figure):
    assert figure.figure == "fig-live"
    assert ContestExplorable(trainings=DATA).figure == ""


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    page = module(visit(), figure._esm)
    page.evaluate("data => { window.see = m.worldOf(data) }", DATA)
    return page


def cases():
    """Return all that a reader can choose of both sides."""
    builds = ["perceptron", "convolution"]
    points = [
        ("ring", "seconds"),
        *((task, "operations") for task in made_up.TASKS[:4]),
    ]
    return [
        *((*place, name, builds[0], builds[0]) for place in points
          for name in PLANE),
        *product(
            ["digits"], ["seconds", "operations"], MEASURES, builds, builds
        ),
    ]  # fmt: skip


def pythons(task, currency, measure, ours, gans):
    """Return Python's verdict, and which way diffusion's advantage goes."""
    question = verdicts.Question(
        task, currency, measure, (("diffusion", ours), ("gan-r1", gans))
    )
    apart = verdicts.differences(ROWS, question)
    sign = 1 if measure in verdicts.HIGHER_IS_BETTER else -1
    return verdicts.answer(question, apart, 0.0), [sign * x for x in apart]


@browser
def test_every_verdict_is_pythons(there):
    names = ("task", "currency", "measure", "diffusion", "gan")
    states = [
        START | dict(zip(names, each, strict=True)) | {"pictures": each[2]}
        for each in cases()
    ]
    found = there.evaluate(
        "all => all.map(state => see(state).verdict)", states
    )
    turns = set()
    for case, said in zip(cases(), found, strict=True):
        want, apart = pythons(*case)
        low, high = verdicts.interval(apart)
        middle = verdicts.hodges_lehmann(apart)
        assert said["apart"] == pytest.approx(apart, abs=1e-12), case
        assert said["p"] == pytest.approx(want.p, rel=1e-12), case
        assert said["wins"] == list(want.wins), case
        numbers = [said["middle"], said["low"], said["high"]]
        assert numbers == pytest.approx([middle, low, high], abs=1e-12), case
        winner = [None, ("diffusion", case[3]), ("gan-r1", case[4])]
        better = winner.index(want.winner) if want.p < 0.05 else 0
        assert said["better"] == better, case
        turns.add(better)
    assert turns == {0, 1, 2}


@browser
@pytest.mark.parametrize(
    "apart",
    [
        [0.0],
        [1.0, -2.0],
        [0.0, 0.0, 0.0],
        [1.0, 2.0, 3.0, 4.0, 5.0, -0.5],
        [1.0, 1.0 + 1e-6, -1.0, 2.0, 0.0, 1e-6, 3.0],
        [math.inf, 1.0, -2.0, 3.0, 4.0, 5.0, 6.0],
        [math.inf, -math.inf, 1.0, -2.0, 3.0, 4.0, 5.0],
        [math.inf] * 7,
        [math.inf, -math.inf],
        [math.inf] * 5 + [-math.inf] * 4 + [0.0],
    ],
    ids=str,
)
def test_ties_zeros_and_infinities_are_pythons(there, apart):
    found = there.evaluate(
        """apart => { const { lean, p } = m.signedRank(apart);
        return [lean, p, m.hodgesLehmann(apart), ...m.interval(apart)] }""",
        apart,
    )
    assert found == [
        *verdicts.signed_rank(apart),
        verdicts.hodges_lehmann(apart),
        *verdicts.interval(apart),
    ]


@browser
def test_ratios_of_zero_and_infinity_are_pythons(there):
    pairs = list(product([0.0, 0.5, 2.0, math.inf], repeat=2))
    found = there.evaluate(
        "all => all.map(([a, b]) => m.logRatio(a, b))", pairs
    )
    assert found == pytest.approx(
        [verdicts.log_ratio(*each) for each in pairs]
    )


@browser
def test_numbers_have_two_digits_or_as_many_as_tell(there):
    cases = [
        (2.345, 1, "2.3"),
        (0.001234, 0, "0.0012"),
        (1.0004, 1, "1.0004"),
        (1, 1, "1.0"),
        (0, 0, "0"),
        (-3.21, 0, "−3.2"),
        (1234.6, 1, "1235"),
        (math.inf, 1, "∞"),
        (-math.inf, 0, "−∞"),
    ]
    found = there.evaluate(
        "all => all.map(([x, same]) => m.inDigits(x, same))",
        [case[:2] for case in cases],
    )
    assert found == [text for *_, text in cases]


@browser
def test_the_median_is_between_the_two_in_the_middle(there):
    lists = [[3, 1, 2], [4, 1, 3, 2], [1, math.inf, math.inf]]
    found = there.evaluate("all => all.map(each => m.median(each))", lists)
    assert found == [2, 2.5, math.inf]


# ---- controls -----------------------------------------------------------


def choice(page, legend):
    """Return one of the figure's choices."""
    return page.get_by_role("group", name=legend, exact=True)


def verdict(page):
    """Return the verdict that is seen."""
    page.wait_for_timeout(60)
    return page.locator(".title .several > :not(.unseen) b").inner_text()


def choose(page, task, currency, measure, ours, gans):
    """Choose what is compared, as far as the data leave a choice."""
    tasks = dict(zip(made_up.TASKS, ["8 modes", "25", "100", "400", "digits"],
                     strict=True))  # fmt: skip
    choice(page, "Data").get_by_label(tasks[task], exact=True).check()
    page.wait_for_timeout(60)
    for legend, wanted in {
        "Equal": currency,
        "Diffusion of": f"{ours}s",
        "GAN of": f"{gans}s",
    }.items():
        radio = choice(page, legend).get_by_label(wanted)
        if not radio.is_checked():
            radio.check()
    page.locator("select:visible").select_option(MEASURES[measure])


@pytest.fixture
def page(open_live, figure):
    page = open_live(figure).page
    page.wait_for_selector(".explorable .values dd")
    return page


SAID = [
    "No difference can be seen",
    "Diffusion is better",
    "The GAN is better",
]


@browser
def test_what_it_says_is_pythons(page):
    for case in cases()[::5]:
        choose(page, *case)
        said = values(page)
        want, apart = pythons(*case)
        measure = case[2]
        scale = 1 if measure in ("energy", "frechet", "modes_lost") else 100
        scale = 1 if measure in verdicts.RATIOS else scale
        numbers = [verdicts.hodges_lehmann(apart), *verdicts.interval(apart)]
        if measure in verdicts.RATIOS:
            numbers = [math.exp(x) for x in numbers]
        name = "ratio" if measure in verdicts.RATIOS else " − "
        shown = next(said[each] for each in said if name in each)
        texts = [shown, *said["95 % interval"].split(" to ")]
        for text, number in zip(texts, numbers, strict=True):
            told = float(text.replace("−", "-").replace("∞", "inf"))
            assert told == pytest.approx(scale * number, rel=0.05), case
        assert float(said["exact p"]) == pytest.approx(want.p, rel=0.06)
        assert said["seeds won"] == "{} diffusion, {} GAN".format(*want.wins)
        better = 0
        if want.p < 0.05:
            better = 1 if want.winner[0] == "diffusion" else 2
        assert verdict(page) == SAID[better]


@browser
def test_what_the_data_lack_cannot_be_chosen(page):
    def state():
        page.wait_for_timeout(60)
        return [
            "/".join(
                radio.get_attribute("value")
                for radio in choice(page, legend).get_by_role("radio").all()
                if radio.is_enabled() or radio.is_checked()
            )
            for legend in ("Equal", "Diffusion of", "GAN of")
        ]

    def measures():
        return page.locator("select:visible").inner_text().split("\n")

    both = "perceptron/convolution"
    assert state() == ["operations/seconds", "perceptron", "perceptron"]
    assert measures() == [*MEASURES.values()][1:]
    choice(page, "Equal").get_by_label("seconds").check()
    choice(page, "Data").get_by_label("400").check()
    assert state() == ["operations", "perceptron", "perceptron"]
    choice(page, "Data").get_by_label("digits").check()
    assert state() == ["operations/seconds", both, both]
    assert choice(page, "Equal").get_by_label("seconds").is_checked()
    assert measures() == [*MEASURES.values()]


@browser
def test_five_seeds_allow_no_verdict(page):
    slider = page.get_by_role("slider", name="Seeds counted")
    for n in (5, 6):
        slider.fill(str(n))
        said = values(page)
        _, apart = pythons("ring", "operations", "energy", *["perceptron"] * 2)
        low, high = map(math.exp, verdicts.interval(apart[:n]))
        told = said["95 % interval"].replace("∞", "inf").split(" to ")
        assert [*map(float, told)] == pytest.approx([low, high], rel=0.05)
        p = verdicts.signed_rank(apart[:n])[1]
        assert float(said["exact p"]) == pytest.approx(p, rel=0.06)
        assert sum(int(x) for x in said["seeds won"].split()[::2]) == n
        if n == 5:
            assert (low, high) == (0, math.inf)
            assert verdict(page) == SAID[0]


@browser
def test_a_keyboard_reaches_all_data_and_the_address_keeps_them(page):
    page.get_by_label("8 modes").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(60)
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.hash.includes('diffusion=convolution')")
    said = page.locator(".said")
    page.wait_for_function("document.querySelector('.said').textContent")
    assert "#contest?" in page.url
    assert "task=digits" in page.url
    points, seeds = (
        page.locator("canvas").nth(n).get_attribute("aria-label")
        for n in (0, 1)
    )
    assert "diffusion of convolutions: median" in points
    assert "GAN with R1 of perceptrons: median" in points
    assert "on an axis of Fréchet distance" in points
    assert verdict(page) in seeds
    assert "before the correction for many questions" in said.inner_text()


@browser
def test_what_blew_up_is_marked_and_counts_as_the_worst(open_live, figure):
    at = "#contest?task=digits&gan=convolution&counted=3"
    page = open_live(figure, at=at).page
    label = page.locator("canvas").first.get_attribute("aria-label")
    assert "GAN with R1 of convolutions" in label
    assert label.count("1 blew up") == 1  # of the first three seeds
    assert "to ∞" in label
    labels = page.locator("canvas").nth(1).get_attribute("aria-label")
    assert "∞. Below" in labels
    page = open_live(figure, at=f"{at}&pictures=recall").page
    label = page.locator("canvas").first.get_attribute("aria-label")
    assert "from 0 to" in label
    assert "1 blew up" in label


@browser
def test_what_the_figure_has_not_is_named(open_live, figure):
    at = "#contest?task=moons&measure=frechet&currency=hours&counted=13"
    note = open_live(figure, at=at).page.locator(".note").inner_text()
    for wrong in at.split("?")[1].split("&"):
        assert wrong.replace("=", " = ") in note


PLACES = """() => {
  const top = document.querySelector(".explorable").getBoundingClientRect();
  return [...document.querySelectorAll(
    ".explorable :is(button, input, select, canvas)")]
    .map(e => e.getBoundingClientRect()).filter(b => b.width)
    .map(b => [b.x - top.x, b.y - top.y, b.width, b.height]);
}"""


@browser
@pytest.mark.parametrize("width", [320, 390, 664, 1440])
def test_nothing_moves_whatever_is_chosen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(100)
    before = page.evaluate(PLACES)
    for case in cases()[::3]:
        choose(page, *case)
        page.wait_for_timeout(60)
        assert page.evaluate(PLACES) == before, case
    page.get_by_role("slider", name="Seeds counted").fill("4")
    page.wait_for_timeout(60)
    assert page.evaluate(PLACES) == before


def spoilt(change):
    """Return what changes the data of a page's figure."""

    def spoil(text):
        begin = text.index(f'<script type="{STATE}">')
        begin = text.index(">", begin) + 1
        end = text.index("</script>", begin)
        saved = json.loads(text[begin:end])
        for model in saved["state"].values():
            if "sides" in model["state"].get("data", {}):
                change(model["state"]["data"])
        words = json.dumps(saved).replace("</", "<\\/")
        return text[:begin] + words + text[end:]

    return spoil


@browser
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda data: data["floors"]["ring"]["energy"].pop(),
            "ring must have 12 values of energy",
        ),
        (
            lambda data: data["sides"]["digits"]["seconds"].pop(
                "gan-r1 perceptron"
            ),
            "digits must have real data and both sides",
        ),
        (
            lambda data: data["sides"].pop("grid25"),
            "grid25 must have real data and both sides",
        ),
        (
            lambda data: data["sides"]["digits"]["operations"][
                "diffusion convolution"
            ].pop("frechet"),
            "digits must have 12 values of frechet",
        ),
    ],
)
def test_spoilt_data_leave_the_still_figure(open_live, figure, change, why):
    page = open_live(figure, change=spoilt(change)).page
    assert why in page.locator(".explorable-failed").inner_text()
    assert page.locator("figure svg").is_visible()
    assert page.locator(".explorable").count() == 0
