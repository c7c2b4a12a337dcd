"""Chapter 7's live figure: its numbers are Python's, its controls work."""

import base64
import re

import pytest
import torch

from diffusion_lite.data import eight_modes
from diffusion_lite.explorables.explorable import plane_mixture
from diffusion_lite.explorables.families import FAMILIES, FamiliesExplorable
from diffusion_lite.metrics import mode_weights, modes_lost
from experiments.families import figures
from experiments.families.results import MANY, paths
from live import module, values

browser = pytest.mark.browser
PATHS = paths()
RUNS = {(run["family"], run["latent"]): run for run in PATHS}
MIXTURE = eight_modes()
PLANE = {
    "weights": MIXTURE.weights.tolist(),
    "means": MIXTURE.means.flatten().tolist(),
    "variances": [0.1**2] * 16,
}
OPTIONS = {
    "diffusion": "diffusion",
    "flow": "flow",
    "vae": "VAE",
    "gan": "GAN",
}


@pytest.fixture(scope="module")
def figure():
    return FamiliesExplorable(paths=PATHS, figure="fig-live")


def sent(frame):
    """A frame as the script has it: in half precision."""
    return (torch.tensor(frame) / 1000).half().double()


# ---- what the script is handed -------------------------------------------


def test_the_script_is_handed_all_frames(figure):
    data = figure.data
    assert data["mixture"] == plane_mixture(MIXTURE)
    assert data["many"] == MANY
    flat = [x for run in PATHS for frame in run["frames"] for x in frame]
    assert len(data["points"]) == 2 * len(flat)
    for run, there in zip(PATHS, data["runs"], strict=True):
        assert there["frames"] == len(run["frames"])
        assert {there[key] == run[key] for key in ("family", "latent")} == {
            True
        }
    assert figure.figure == "fig-live"
    assert FamiliesExplorable(paths=PATHS).figure == ""


def test_half_precision_keeps_what_can_be_seen():
    for run in PATHS:
        for frame in run["frames"]:
            x = torch.tensor(frame) / 1000
            assert float((x - sent(frame)).abs().max()) <= 0.002
        assert float((x - sent(frame)).abs().max()) <= 0.0005  # at the end


def test_a_family_that_is_missing_is_named():
    with pytest.raises(ValueError, match="paths must be the runs") as why:
        FamiliesExplorable(paths=PATHS[:-1])
    assert str(why.value).endswith("('gan', 1)]")


# ---- numbers ------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    page = module(visit(), figure._esm)
    points = base64.b64encode(figure.data["points"]).decode()
    page.evaluate(
        """([data, points]) => {
        points = Uint8Array.from(atob(points), c => c.charCodeAt(0));
        window.runs = m.runsOf({ ...data, points }) }""",
        [{"runs": figure.data["runs"], "many": MANY}, points],
    )
    return page


@browser
def test_the_frames_are_pythons(there):
    found = there.evaluate("runs.map(r => r.frames.map(f => [...f]))")
    for run, frames in zip(PATHS, found, strict=True):
        want = [sent(frame).tolist() for frame in run["frames"]]
        if run["latent"] == 1:
            want[0] = [x for z in want[0] for x in (z, 0)]
        assert frames == want


@browser
def test_between_frames_points_go_straight(there):
    ways = [0, 1, 37, 50, 99, 100]
    for n, run in enumerate(PATHS):
        found = there.evaluate(
            "([n, ways]) => ways.map(way => [...m.cloudAt(runs[n], way)])",
            [n, ways],
        )
        frames = torch.tensor(
            there.evaluate("n => runs[n].frames.map(f => [...f])", n)
        )
        for way, points in zip(ways, found, strict=True):
            place = way / 100 * (len(run["frames"]) - 1)
            k = min(int(place), len(frames) - 2)
            want = frames[k].lerp(frames[k + 1], place - k)
            assert points == pytest.approx(want.tolist(), abs=1e-5)


@browser
def test_the_ends_are_measured_as_python_does(there):
    for n, run in enumerate(PATHS):
        found = there.evaluate(
            "([n, plane]) => m.endsOf(plane, runs[n].frames.at(-1))",
            [n, PLANE],
        )
        x = sent(run["frames"][-1]).reshape(-1, 2)
        shares = mode_weights(x, MIXTURE)
        far = torch.cdist(x, MIXTURE.means).min(1).values
        assert found["lost"] == modes_lost(shares, MIXTURE.weights)
        assert found["within"] == pytest.approx(
            float((far <= 0.3).double().mean())
        )
        counts = torch.tensor(found["mode"]).bincount(minlength=8) / MANY
        assert counts.tolist() == pytest.approx(shares.tolist())


@browser
def test_a_lost_mode_is_counted(there):
    x = MIXTURE.means[[0, 1, 1, 3, 3, 5, 7, 7]].flatten().tolist()
    found = there.evaluate("([plane, x]) => m.endsOf(plane, x)", [PLANE, x])
    assert found == {"within": 1, "lost": 3, "mode": [0, 1, 1, 3, 3, 5, 7, 7]}
    x[0] += 0.31
    found = there.evaluate("([plane, x]) => m.endsOf(plane, x)", [PLANE, x])
    assert found["within"] == 7 / 8


@browser
def test_the_nearest_are_pythons(there):
    for n, run in enumerate(PATHS):
        at = list(figures.AT if run["latent"] == 2 else (figures.AT[0], 0))
        found = there.evaluate(
            "([n, at]) => m.nearestTo(runs[n].frames[0], at, 30)", [n, at]
        )
        assert sorted(found) == sorted(figures.marked(run).tolist())


# ---- controls -----------------------------------------------------------


MARKED_END = "the 30 marked end in"


@pytest.fixture
def page(open_live, figure):
    page = open_live(figure).page
    page.wait_for_selector(".explorable .values dd")
    return page


def choose(page, family, latent=None):
    page.get_by_role("radio", name=OPTIONS[family], exact=True).check()
    page.wait_for_timeout(60)
    if latent:
        page.get_by_role("radio", name=str(latent), exact=True).check()


@browser
def test_what_it_says_is_pythons(page):
    for (family, latent), run in RUNS.items():
        choose(page, family, latent if len(FAMILIES[family]) > 1 else None)
        said = values(page)
        x = sent(run["frames"][-1]).reshape(-1, 2)
        far = torch.cdist(x, MIXTURE.means).min(1).values
        share = 100 * float((far <= 0.3).double().mean())
        assert said["numbers in the latent"] == f"{latent} (the data: 2)"
        assert said["passes of the network"] == str(run["passes"])
        assert said["shown"] == "the result"
        name = next(key for key in said if key.startswith("end within"))
        assert said[name] == f"{share:.1f} % (real: 98.9 %)"
        assert said["modes lost"] == "0 of 8"
        count = figures.modes_of_marked(run)
        assert said[MARKED_END] == (
            "1 mode" if count == 1 else f"{count} modes"
        )


@browser
def test_the_size_of_the_latent_is_a_choice_where_there_is_one(page):
    one = page.get_by_role("radio", name="1", exact=True)
    two = page.get_by_role("radio", name="2", exact=True)
    choose(page, "vae", 1)
    assert values(page)["numbers in the latent"].startswith("1")
    for family in ("diffusion", "flow"):
        choose(page, family)
        assert not one.is_enabled()
        assert two.is_checked()
        assert values(page)["numbers in the latent"].startswith("2")
    choose(page, "gan")
    assert one.is_enabled()
    assert one.is_checked()


@browser
def test_what_is_shown_on_the_way_is_named(page):
    slider = page.get_by_role("slider", name="Latent to data")
    shown = {
        "diffusion": "pass 40 of 100",
        "flow": "coupling 3 of 8",
        "vae": "one jump, drawn as lines",
        "gan": "one jump, drawn as lines",
    }
    for family, words in shown.items():
        choose(page, family)
        for way, want in ((0, "the latent"), (40, words), (100, "the result")):
            slider.fill(str(way))
            assert values(page)["shown"] == want


@browser
def test_play_goes_from_the_latent_to_the_result(page):
    choose(page, "gan")
    page.get_by_role("button", name="Play").click()
    assert values(page)["shown"] in ("the latent", "one jump, drawn as lines")
    page.get_by_role("button", name="Pause").click()
    assert re.fullmatch(
        r"\d+ %", page.locator(".explorable output").inner_text()
    )
    page.get_by_role("button", name="Play").click()
    page.get_by_text("the result").wait_for(timeout=5000)
    page.get_by_role("button", name="Play").wait_for()


def label(page, nth):
    page.wait_for_timeout(600)
    return page.locator("canvas").nth(nth).get_attribute("aria-label")


def spot(page, nth, x, y, reach):
    """Where a place of a view is on the screen."""
    box = page.locator("canvas").nth(nth).bounding_box()
    half = box["width"] / 2
    return (
        box["x"] + half * (1 + x / reach),
        box["y"] + half * (1 - y / reach),
    )


@browser
def test_the_mark_is_dragged_tapped_and_moved_by_keys(page):
    page.mouse.move(*spot(page, 0, 0.5, -0.6, 3.5))
    page.mouse.down()
    page.mouse.move(*spot(page, 0, -1, 0.5, 3.5), steps=4)
    page.mouse.up()
    x, y = at(page)
    assert (x, y) == pytest.approx((-1, 0.5), abs=0.03)
    page.mouse.click(*spot(page, 0, 1.2, 1.1, 3.5))
    x, y = at(page)
    assert (x, y) == pytest.approx((1.2, 1.1), abs=0.03)
    page.locator("canvas").first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    assert at(page) == pytest.approx((x - 0.1, y + 0.1), abs=1e-6)
    assert "at=" in page.url


def at(page):
    """Where the mark is, by what a screen reader is told."""
    words = label(page, 0).replace("−", "-")
    found = re.search(r"nearest to (-?[\d.]+), (-?[\d.]+)\.", words)
    return tuple(map(float, found.groups()))


@browser
def test_a_tapped_result_marks_its_latent(page):
    choose(page, "flow")
    run = RUNS["flow", 2]
    z, x = (sent(run["frames"][k]).reshape(-1, 2) for k in (0, -1))
    far = torch.cdist(x, x) + 9 * torch.eye(MANY)
    alone = int(far.min(1).values.argmax())
    page.mouse.click(*spot(page, 1, *x[alone].tolist(), 1.9))
    assert at(page) == pytest.approx(z[alone].tolist(), abs=0.006)


@browser
def test_on_a_line_the_mark_keeps_its_height_for_later(page):
    choose(page, "vae", 1)
    page.locator("canvas").first.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert "on a line. Marked are the 30 nearest to 0.6." in label(page, 0)
    assert "which lie on a curve" in label(page, 1)
    choose(page, "diffusion")
    assert at(page) == (0.6, -0.6)


@browser
def test_what_no_family_has_is_named(open_live, figure):
    page = open_live(
        figure, at="#families?family=rbm&latent=3&way=101&at=4,4"
    ).page
    note = page.locator(".note").inner_text()
    for wrong in ("family = rbm", "latent = 3", "way = 101", "at = 4,4"):
        assert wrong in note


def test_both_figures_mark_the_same_place(figure):
    x, y = figures.AT
    assert f'start: "{x:g},{y:g}"' in figure._esm
    assert f"MARKED = {figures.MARKED};" in figure._esm
