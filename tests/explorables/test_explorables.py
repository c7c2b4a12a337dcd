"""What every live figure does, and the ground that all of them stand on.

What a figure does alone is in test_explorables_<its name>.py.
"""

import base64
import json
import re
import statistics
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import made_up
from diffusion_lite import plotting
from diffusion_lite.data import eight_modes, two_modes
from diffusion_lite.explorables import explorable
from diffusion_lite.explorables.contest import ContestExplorable, compact
from diffusion_lite.explorables.denoiser import DenoiserExplorable
from diffusion_lite.explorables.elbo import ElboExplorable
from diffusion_lite.explorables.explorable import floats, halves, line_mixture
from diffusion_lite.explorables.families import FamiliesExplorable
from diffusion_lite.explorables.fast import FastExplorable
from diffusion_lite.explorables.forward import ForwardExplorable
from diffusion_lite.explorables.gan import GanExplorable
from diffusion_lite.explorables.guidance import GuidanceExplorable
from diffusion_lite.explorables.posterior import PosteriorExplorable
from diffusion_lite.explorables.score import ScoreExplorable
from diffusion_lite.explorables.training import TrainingExplorable
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.schedules import cosine_schedule, linear_schedule
from experiments.families.results import paths
from live import STATE, module

browser = pytest.mark.browser


def forward(**options):
    generator = torch.Generator().manual_seed(0)
    return ForwardExplorable(generator=generator, **options)


def denoiser(**options):
    torch.manual_seed(0)
    return DenoiserExplorable(UNet(width=24), cosine_schedule(100), **options)


def training(**options):
    torch.manual_seed(0)
    snapshots = [(0, MLP(width=32)), (10, MLP(width=32))]
    return TrainingExplorable(
        eight_modes(), cosine_schedule(100), snapshots, **options
    )


def contest(**options):
    return ContestExplorable(trainings=compact(made_up.contest()), **options)


def families(**options):
    return FamiliesExplorable(paths=paths(), **options)


FIGURES = {
    "forward": forward,
    "elbo": ElboExplorable,
    "posterior": PosteriorExplorable,
    "denoiser": denoiser,
    "training": training,
    "gan": GanExplorable,
    "families": families,
    "contest": contest,
    "score": ScoreExplorable,
    "fast": FastExplorable,
    "guidance": GuidanceExplorable,
}


@cache
def widget(name, figure=""):
    return FIGURES[name](figure=figure)


each_figure = pytest.mark.parametrize("name", FIGURES)


# ---- the ground, in Python ---------------------------------------------


def test_numbers_come_as_little_endian_bytes():
    x = torch.tensor([1.0, -2.5], dtype=torch.float64)
    assert floats(x) == np.array([1, -2.5], "<f4").tobytes()
    assert halves(x) == np.array([1, -2.5], "<f2").tobytes()


def test_a_mixture_must_lie_on_a_line():
    assert line_mixture(two_modes())["weights"] == pytest.approx([0.7, 0.3])
    with pytest.raises(ValueError, match="must be 1-D, got 2-D"):
        line_mixture(eight_modes())


def written(folder, **scripts):
    """Write scripts into a folder; return the first one's path."""
    for name, text in scripts.items():
        (folder / f"{name}.js").write_text(text, "utf-8")
    return folder / f"{next(iter(scripts))}.js"


def test_what_a_script_imports_stands_before_it_once(tmp_path):
    top = written(
        tmp_path,
        top='import { b } from "./b.js";\nimport {\n  c,\n} from "./c.js";\n'
        "export default b + c;\n",
        b='import { c } from "./c.js";\nexport const b = c;\n',
        c="export const c = 1;\n",
    )
    assert explorable.joined(top) == (
        "export const c = 1;\n\nexport const b = c;\n\nexport default b + c;\n"
    )


def test_comments_are_not_sent_and_all_else_is(tmp_path):
    script = written(
        tmp_path,
        script="// @ts-check\n  // Why.\n/** @type {X} */\n"
        "/**\n * @param {X} x\n */\n"
        "const y = /** @type {X} */ (x); // where\n"
        "/** @type {X} */ (y).z();\n"
        'const s = "/** */ // http";\n',
    )
    assert explorable.joined(script) == (
        'const y = (x); // where\n(y).z();\nconst s = "/** */ // http";\n'
    )


@pytest.mark.parametrize(
    "wrong",
    ['import x from "./x.js";', 'import "./x.js";', 'import { x } from "x";'],
)
def test_a_script_imports_only_names_from_files_beside_it(tmp_path, wrong):
    script = written(tmp_path, lost=wrong + "\n")
    with pytest.raises(ValueError, match=r"lost\.js must import names") as why:
        explorable.joined(script)
    assert str(why.value).endswith(f"got {wrong}")


@each_figure
def test_no_name_stands_twice_in_a_joined_script(name):
    declared = re.findall(
        r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)",
        widget(name)._esm,
        re.M,
    )
    assert len(declared) > 40
    assert len(declared) == len(set(declared))


@each_figure
def test_a_figure_has_the_colours_of_the_book(name):
    assert widget(name).colors == {
        "data": plotting.DATA,
        "noise": plotting.NOISE,
        "model": plotting.MODEL,
        "exact": plotting.EXACT,
    }


@each_figure
def test_a_script_depends_on_nothing(name):
    script = widget(name)._esm
    assert not re.search(r"^\s*import\b|\bimport\(|fetch\(|http", script, re.M)


# ---- the ground, in a page ---------------------------------------------


def shared(name):
    """Return one of the shared scripts, with what it imports."""
    return explorable.joined(explorable.HERE / "shared" / f"{name}.js")


@browser
def test_half_precision_is_read_as_numpy_reads_it(visit):
    bits = np.arange(2**16, dtype="<u2")
    x = bits.view("<f2")
    x = x[np.isfinite(x)]
    data = base64.b64encode(x.tobytes()).decode()
    there = module(visit(), shared("data")).evaluate(
        """data => { const bytes = Uint8Array.from(atob(data), c =>
        c.charCodeAt(0)); return [...m.halves(bytes, bytes.length / 2)]; }""",
        data,
    )
    assert np.array_equal(np.array(there, "f4"), x.astype("f4"))


@browser
def test_a_buffer_of_the_wrong_length_is_named(visit):
    window = module(visit(), shared("data"))
    said = window.evaluate(
        "() => { try { m.floats(new ArrayBuffer(8), 3, 'weights') }"
        " catch (e) { return e.message } }"
    )
    assert said == "weights must have 12 bytes, got 8"


@browser
def test_the_random_source_is_seeded_and_normal(visit):
    window = module(visit(), shared("random"))
    x = np.array(window.evaluate("[...m.normals(40000, 3)]"))
    again = np.array(window.evaluate("[...m.normals(40000, 3)]"))
    other = np.array(window.evaluate("[...m.normals(40000, 4)]"))
    assert np.array_equal(x, again)
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02
    assert abs((x**4).mean() - 3) < 0.2
    assert abs(np.corrcoef(x, other)[0, 1]) < 0.02
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.02


@browser
@pytest.mark.parametrize("T", [5, 100, 1000])
def test_schedules_are_pythons(visit, T):
    window = module(visit(), shared("diffusion"))
    for name, make in (
        ("linear", linear_schedule),
        ("cosine", cosine_schedule),
    ):
        there = window.evaluate(f"[...m.SCHEDULES.{name}({T})]")
        assert there == pytest.approx(make(T).alpha_bar.tolist(), rel=1e-9)


# ---- every figure, in a page -------------------------------------------


@pytest.fixture
def show(open_live):
    """Return a function that opens a page with copies of a figure."""

    def show(name, copies=1, **options):
        figures = [widget(name, f"fig-{n + 1}") for n in range(copies)]
        return open_live(*figures, **options)

    return show


FRAMES = """async n => {
  for (let i = 0; i < n; i++)
    await new Promise(requestAnimationFrame);
}"""
PAINTED = """() => [...document.querySelectorAll(".explorable canvas")]
  .map(c => c.toDataURL()).join()"""


def painted(window):
    """What is on the canvases, as soon as all of it has been computed."""
    window.page.evaluate(FRAMES, 3)
    window.page.wait_for_selector(".explorable:not([aria-busy=true])")
    window.page.evaluate(FRAMES, 2)
    return window.page.evaluate(PAINTED)


def first_slider(window):
    return window.page.locator(".explorable input[type=range]:visible").first


def nudge(slider):
    """Move a slider by two steps, to where it has room."""
    full = slider.evaluate("e => e.value === e.max")
    for _ in range(2):
        slider.press("ArrowLeft" if full else "ArrowRight")


def turn_everything(window):
    """Give every control of a figure another value, by the keyboard."""
    root = window.page.locator(".explorable").first
    for slider in root.locator("input[type=range]:visible").all():
        nudge(slider)
    for choice in root.locator("fieldset.choice:visible").all():
        window.page.evaluate(FRAMES, 2)
        if choice.locator("input").nth(1).is_enabled():
            choice.locator("input").nth(1).check()
    for menu in root.locator("select:visible").all():
        menu.select_option(index=1)


@browser
@each_figure
def test_a_figure_starts_in_the_place_of_the_still_one(show, name):
    window = show(name)
    figure = window.page.locator("figure")
    assert figure.locator(".explorable").get_attribute("data-name") == name
    assert not figure.locator("svg").is_visible()
    assert figure.locator("figcaption").is_visible()
    assert len(set(painted(window))) > 10
    assert window.noted == []


@browser
@each_figure
def test_without_scripts_the_still_figure_is_there(
    show, name, visit, tmp_path
):
    show(name)
    window = visit(java_script_enabled=False)
    window.page.goto((tmp_path / "page.html").as_uri())
    assert window.page.locator("figure svg").is_visible()
    assert window.page.locator("figcaption").is_visible()
    assert window.page.locator(".explorable").count() == 0


@browser
@each_figure
def test_a_figure_is_printed_as_the_still_one(show, name):
    window = show(name)
    window.page.emulate_media(media="print")
    assert window.page.locator("figure svg").is_visible()
    assert not window.page.locator(".explorable").is_visible()


@browser
@each_figure
def test_the_theme_is_followed_at_once(show, name):
    window = show(name)
    light = painted(window)
    put = "theme => { document.documentElement.dataset.theme = theme }"
    window.page.evaluate(put, "dark")
    assert painted(window) != light
    for _ in range(10):
        window.page.evaluate(put, "light")
        window.page.evaluate(put, "dark")
    window.page.evaluate(put, "light")
    assert painted(window) == light
    assert window.noted == []


@browser
@each_figure
def test_reset_brings_back_the_start(show, name):
    window = show(name)
    start = painted(window)
    turn_everything(window)
    assert painted(window) != start
    window.page.wait_for_function("location.hash !== ''")
    window.page.get_by_role("button", name="Reset").click()
    window.page.wait_for_function("location.hash === ''")
    window.page.mouse.move(0, 0)
    assert painted(window) == start


@browser
@each_figure
def test_the_address_carries_the_state(show, name):
    window = show(name)
    turn_everything(window)
    window.page.wait_for_timeout(400)
    seen, address = painted(window), window.page.url
    assert f"#{name}?" in address
    window.open("about:blank")
    window.open(address)
    assert painted(window) == seen
    assert not window.page.locator(".note").is_visible()
    top = "document.querySelector('.explorable').getBoundingClientRect().top"
    assert 0 <= window.page.evaluate(top) < 900


@browser
@each_figure
def test_an_address_followed_in_the_page_changes_the_figure(show, name):
    window = show(name)
    start = painted(window)
    turn_everything(window)
    window.page.wait_for_timeout(400)
    window.page.evaluate(f"location.hash = '#{name}?'")
    window.page.wait_for_timeout(50)
    assert painted(window) == start


@browser
@each_figure
def test_a_garbled_address_is_named_and_left_out(show, name):
    start = painted(show(name))
    rubbish = "nonsense=%3Cb%3E1&__proto__=1&constructor=2&=&%E0%A4%A"
    window = show(name, at=f"#{name}?{rubbish}")
    note = window.page.locator(".note")
    assert "Not possible here" in note.inner_text()
    assert "nonsense = <b>1" in note.inner_text()
    assert painted(window) == start
    assert window.noted == []


@browser
@each_figure
def test_no_control_takes_rubbish(show, name):
    usual = show(name)
    start = painted(usual)
    keys = usual.page.evaluate("""() => {
      const script = document.querySelector("script[type*=state]");
      const { state } = JSON.parse(script.textContent);
      const esm = Object.values(state).find(s => s.state._esm).state._esm;
      return [...esm.matchAll(/key: "(\\w+)"/g)].map(m => m[1]);
    }""")
    assert keys
    for value in ("", "abc", "NaN", "-1e9"):
        query = "&".join(f"{key}={value}" for key in keys)
        window = show(name, at=f"#{name}?{query}")
        said = window.page.locator(".note").inner_text()
        assert all(f"{key} = {value}".strip() in said for key in keys), said
        assert painted(window) == start


@browser
@each_figure
def test_two_copies_do_not_disturb_each_other(show, name):
    window = show(name, copies=2)
    roots = window.page.locator(".explorable")
    assert roots.count() == 2
    first, second = (roots.nth(n) for n in (0, 1))
    before = painted(window).split(",data:")
    half = len(before) // 2
    slider = second.locator("input[type=range]:visible").first
    slider.scroll_into_view_if_needed()
    nudge(slider)
    after = painted(window).split(",data:")
    assert after[:half] == before[:half]
    assert after[half:] != before[half:]
    window.page.wait_for_function(f"location.hash.startsWith('#{name}-2?')")
    ids = window.page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert first.get_attribute("aria-label")


def buffers(name):
    """The names of what a figure is handed as bytes."""
    data = widget(name).data
    return sorted(key for key in data if isinstance(data[key], bytes))


def cut(text, nth):
    """Take some bytes away from the nth buffer of a page's figure."""
    start = text.index(f'<script type="{STATE}">')
    begin = text.index(">", start) + 1
    end = text.index("</script>", begin)
    saved = json.loads(text[begin:end])
    for model in saved["state"].values():
        for buffer in model.get("buffers", [])[nth : nth + 1]:
            buffer["data"] = buffer["data"][:-8]
    return text[:begin] + json.dumps(saved).replace("</", "<\\/") + text[end:]


@browser
@each_figure
def test_a_cut_buffer_leaves_the_still_figure(show, name):
    for nth in range(len(buffers(name))):
        window = show(name, change=lambda text, nth=nth: cut(text, nth))
        said = window.page.locator(".explorable-failed").inner_text()
        assert re.search(r"could not start \(\w+ must have .* bytes", said)
        assert window.page.locator("figure svg").is_visible()
        assert window.page.locator(".explorable").count() == 0


@browser
@each_figure
def test_a_figure_shuts_no_reader_out(show, name):
    window = show(name)
    turn_everything(window)
    for mode in ("light", "dark"):
        window.turn(mode)
        window.page.evaluate(FRAMES, 3)
        assert window.barriers() == []


@browser
@each_figure
def test_a_figure_speaks(show, name):
    window = show(name)
    slider = first_slider(window)
    nudge(slider)
    said = window.page.locator(".explorable .said")
    window.page.wait_for_function(
        "document.querySelector('.explorable .said').textContent"
    )
    values = window.page.locator(".explorable dd").all_inner_texts()
    assert values
    assert "<" not in said.inner_text()
    assert all(value in said.inner_text() for value in values if value)
    output = slider.locator("xpath=..").locator("output").inner_text()
    assert slider.get_attribute("aria-valuetext") == output
    for canvas in window.page.locator(".explorable canvas:visible").all():
        assert len(canvas.get_attribute("aria-label")) > 20


@browser
@each_figure
def test_a_figure_fits(show, name):
    window = show(name)
    for width in (320, 390, 664):
        window.page.set_viewport_size({"width": width, "height": 800})
        turn_everything(window)
        window.page.evaluate(FRAMES, 3)
        assert window.page.evaluate("() => faults.tooWide()") == [], width
        for box in window.page.locator(".explorable :is(button, label)").all():
            if box.is_visible():
                assert box.bounding_box()["height"] >= 24


PHONE = {"width": 390, "height": 844}
REACH = """() => {
  const box = s => document.querySelector(s).getBoundingClientRect();
  return box(".explorable .controls").bottom - box(".explorable .views").top;
}"""


@browser
@each_figure
def test_a_phone_shows_the_picture_and_its_main_control_at_once(show, name):
    window = show(name)
    window.page.set_viewport_size(PHONE)
    main = window.page.locator(".explorable .controls").first
    for _ in range(2):
        window.page.evaluate(FRAMES, 3)
        assert main.locator("button:visible, input:visible").count()
        assert window.page.evaluate(REACH) < PHONE["height"] - 40
        turn_everything(window)


# Where the controls are; those that are not shown are nowhere.
PLACES = """() => {
  const top = document.querySelector(".explorable").getBoundingClientRect();
  return [...document.querySelectorAll(
    ".explorable :is(button, input, select)")]
    .map(e => e.getBoundingClientRect())
    .map(b => b.width && [b.x - top.x, b.y - top.y, b.width, b.height]);
}"""


def places(window):
    window.page.evaluate(FRAMES, 3)
    return window.page.evaluate(PLACES)


@browser
@each_figure
@pytest.mark.parametrize("width", [390, 664])
def test_no_control_moves_when_a_label_or_a_value_changes(show, name, width):
    window = show(name)
    window.page.set_viewport_size({"width": width, "height": 844})
    root = window.page.locator(".explorable")
    before = places(window)
    for slider in root.locator("input[type=range]:visible").all():
        for key in ("Home", "End"):
            slider.press(key)
            assert places(window) == before, slider.locator("xpath=..")
    for button in root.locator("button:visible").all():
        for _ in range(2):
            words = button.inner_text()
            button.click()
            assert places(window) == before, words


@browser
@each_figure
def test_a_choice_moves_nothing_that_stands_before_it(show, name):
    window = show(name)
    inputs = window.page.locator(".explorable :is(button, input, select)")
    before = places(window)
    for n, control in enumerate(inputs.all()):
        window.page.evaluate(FRAMES, 2)
        if control.get_attribute("type") == "radio" and control.is_enabled():
            control.check()
            assert places(window)[: n + 1] == before[: n + 1]


COUNT = """() => {
  window.frames_asked = 0;
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = f => { window.frames_asked++; return ask(f) };
}"""


@browser
@each_figure
def test_out_of_sight_nothing_is_drawn(show, name):
    window = show(name, reduced_motion="no-preference")
    window.page.evaluate(
        "document.body.append(Object.assign(document.createElement('div'),"
        " { style: 'height: 5000px' }))"
    )
    window.page.evaluate("window.scrollTo(0, 5000)")
    window.page.wait_for_timeout(200)
    window.page.evaluate(COUNT)
    window.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    window.page.wait_for_timeout(200)
    assert window.page.evaluate("frames_asked") == 0
    hidden = window.page.evaluate(PAINTED)
    window.page.evaluate("window.scrollTo(0, 0)")
    window.page.wait_for_timeout(200)
    assert window.page.evaluate(PAINTED) != hidden


@browser
@each_figure
def test_nothing_moves_for_a_reader_who_asks_for_less(show, name):
    window = show(name, reduced_motion="reduce")
    before = painted(window)
    window.page.wait_for_timeout(400)
    assert painted(window) == before


RECORD = """() => {
  window.times = [];
  window.long = [];
  new PerformanceObserver(list => window.long.push(
    ...list.getEntries().map(e => e.duration))).observe({ type: "longtask" });
  let last;
  const note = now => {
    if (last) times.push(now - last);
    last = now;
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
}"""


def drag_the_first_slider(window):
    """Drag to and fro for a second and more; return the frames' times."""
    box = first_slider(window).bounding_box()
    middle = box["y"] + box["height"] / 2
    mouse = window.page.mouse
    mouse.move(box["x"] + box["width"] / 2, middle)
    mouse.down()
    window.page.evaluate(RECORD)
    for step in range(120):
        share = abs((step % 40) - 20) / 20
        mouse.move(box["x"] + (0.1 + 0.8 * share) * box["width"], middle)
        window.page.wait_for_timeout(8)
    mouse.up()
    return window.page.evaluate("[window.times, window.long]")


@browser
@each_figure
@pytest.mark.clock
def test_sixty_frames_a_second_while_dragging(show, name, capsys):
    """The best of three, for other programs run beside this one."""
    found = []
    window = show(name)
    for _ in range(3):
        times, long = drag_the_first_slider(window)
        late = sorted(times)[int(0.95 * len(times))]
        found.append((late, statistics.median(times), max(long, default=0)))
        if late < 25:
            break
    late, median, longest = min(found)
    with capsys.disabled():
        print(
            f"\n{name}: {1000 / median:.0f} frames a second, 95 % of the"
            f" frames within {late:.1f} ms, longest task {longest:.0f} ms"
        )
    assert median < 18
    assert late < 25
    assert longest < 200


# ---- the figures in the book -------------------------------------------

BOOK = Path(__file__).resolve().parent.parent.parent
CHAPTERS = [
    path.stem
    for path in sorted(BOOK.glob("book/[0-9]*.md"))
    if path.stem.split("_", 1)[1] in FIGURES
]
LONG_TASKS = """() => new Promise(done => {
  const loaded = performance.getEntriesByType("navigation")[0].loadEventEnd;
  const found = [];
  new PerformanceObserver(list => found.push(...list.getEntries()))
    .observe({ type: "longtask", buffered: true });
  setTimeout(() => done(Math.max(0, ...found
    .filter(e => e.startTime > loaded).map(e => e.duration))), 1500);
})"""


@browser
@pytest.mark.clock
@pytest.mark.parametrize("stem", ["intro", *CHAPTERS])
def test_a_figure_in_the_book_is_soon_ready(visit, stem, capsys):
    """The best of three, for other programs run beside this one."""
    found = []
    page = BOOK / "_build" / "html" / "book" / f"{stem}.html"
    window = visit(reduced_motion="no-preference")
    for _ in range(3):
        window.page.goto(page.as_uri(), wait_until="commit")
        window.page.locator("figure.live canvas").first.wait_for()
        ready = window.page.evaluate("performance.now()")
        window.page.wait_for_load_state("load")
        found.append((ready, window.page.evaluate(LONG_TASKS)))
    ready, longest = (min(each) for each in zip(*found, strict=True))
    with capsys.disabled():
        print(
            f"\n{stem}: can be used after {ready:.0f} ms; longest task after"
            f" loading {longest:.0f} ms"
        )
    assert ready < 3000  # the aim is 1500; a busy machine takes twice as long
    assert longest < 200
