"""Chapter 4's live figure: its numbers are Python's, its controls work."""

import re

import pytest
import torch

from diffusion_lite.data import digits
from diffusion_lite.explorables.denoiser import (
    DenoiserExplorable,
    as_text,
    digit_reader,
    linear_denoiser,
    one_of_each,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.mixtures import GaussianMixture
from diffusion_lite.networks import MLP, UNet, time_embedding
from diffusion_lite.parameterization import x_0_from_eps
from diffusion_lite.schedules import cosine_schedule
from live import as_stored, module

browser = pytest.mark.browser
SCHEDULE = cosine_schedule(100)


@pytest.fixture(scope="module")
def network():
    """A U-Net that nobody trained, its weights rounded to half precision."""
    torch.manual_seed(0)
    network = UNet(width=24).requires_grad_(False)
    for weight in network.parameters():
        weight.copy_((weight + 0.05 * torch.randn_like(weight)).half().float())
    return network


@pytest.fixture(scope="module")
def figure(network):
    return DenoiserExplorable(network, SCHEDULE, figure="fig-live")


# ---- what Python hands over ----------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: MLP(), "must be a UNet, got MLP"),
        (lambda: UNet(channels=3), "got 3 channels, without labels"),
        (lambda: UNet(num_classes=10), "got 1 channels, with labels"),
    ],
)
def test_another_network_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        DenoiserExplorable(wrong(), SCHEDULE)


@pytest.mark.parametrize("wrong", [float("nan"), 1e6])
def test_a_weight_that_half_precision_cannot_hold_is_refused(wrong):
    network = UNet(width=8).requires_grad_(False)
    network.downsample.bias[3] = wrong
    with pytest.raises(ValueError, match=r"65504, .*; downsample\.bias has"):
        DenoiserExplorable(network, SCHEDULE)


def test_what_is_no_schedule_is_refused():
    with pytest.raises(ValueError, match="must be a Schedule, got Tensor"):
        DenoiserExplorable(UNet(width=8), SCHEDULE.alpha_bar)


def test_a_picture_as_text_has_its_grey_levels():
    image = torch.full((1, 8, 8), -1.0)
    image[0, 0, 1], image[0, 7, 7] = 1.0, 0.25
    text = as_text(image)
    assert text == "0g" + "0" * 61 + "a"
    for each in map(as_text, one_of_each()):
        assert len(each) == 64
        assert set(each) <= set("0123456789abcdefg")


def test_each_picture_to_begin_with_is_read_right():
    assert read_in_python(one_of_each()).argmax(1).tolist() == list(range(10))


def test_the_main_directions_make_up_the_covariance():
    images = digits().train_images
    handed = linear_denoiser(images)
    mean, variances, axes = (
        torch.frombuffer(bytearray(handed[name]), dtype=torch.float32)
        for name in ("mean", "variances", "axes")
    )
    flat = images.flatten(1)
    off = flat - mean
    axes = axes.reshape(64, 64)
    assert torch.allclose(
        axes.T @ (variances[:, None] * axes), off.T @ off / len(off), atol=1e-5
    )


def read_in_python(images):
    """Return each digit's probability, from what the script is handed."""
    weight, bias = (
        torch.frombuffer(bytearray(each), dtype=torch.float32)
        for each in digit_reader().values()
    )
    logits = images.flatten(1) @ weight.reshape(10, 64).T + bias
    return logits.double().softmax(1)


def test_the_reader_is_right_as_often_as_it_says():
    data = digits()
    probs = read_in_python(data.test_images)
    right = (probs.argmax(1) == data.test_labels).double().mean()
    assert float(right) == pytest.approx(0.97, abs=0.01)
    assert float(right) == pytest.approx(
        float(probs.max(1).values.mean()), abs=0.03
    )


# ---- numbers -------------------------------------------------------------


@pytest.fixture
def there(visit, figure):
    window = module(visit(), figure._esm)
    data = figure.data
    window.evaluate(
        """([sizes, weights]) => {
        const halves = new Uint8Array(weights);
        [window.net] = m.networks(sizes, halves.buffer) }""",
        [as_stored(data["sizes"]), list(data["weights"])],
    )
    return window


@browser
@pytest.mark.parametrize("t", [1, 40, 99])
def test_the_network_is_pythons(there, network, generator, t):
    x = 2 * torch.randn(3, 1, 8, 8, generator=generator)
    exact = network(x, torch.full((3,), t)).flatten(1)
    for row, expected in zip(x, exact, strict=True):
        found = there.evaluate(
            "([x, t]) => [...m.unet(net, 24, Float64Array.from(x), t)]",
            [row.flatten().tolist(), t],
        )
        assert torch.allclose(torch.tensor(found), expected, atol=1e-4)
    assert float(exact.std()) > 0.05


@browser
def test_the_parts_of_the_network_are_pythons(there, network, generator):
    x = torch.randn(1, 48, 4, 4, generator=generator)
    emb = torch.randn(1, 96, generator=generator)
    parts = {
        "m.conv(net, 'downsample', y, 24, 8, 2)": network.downsample(
            x.reshape(1, 24, -1)[:, :, :32]
            .repeat(1, 1, 2)
            .reshape(1, 24, 8, 8)
        ),
        "m.conv(net, 'middle_1.conv_1', x, 48, 4)": network.middle_1.conv_1(x),
        "m.groupNorm(net, 'attention.norm', x, 48)": network.attention.norm(x),
        "m.attention(net, 'attention', x, 48)": network.attention(x),
        "m.resBlock(net, 'middle_2', x, 48, 48, 4, emb)": network.middle_2(
            x, emb
        ),
        "m.timeEmbedding(37, 48)": time_embedding(torch.tensor([37]), 48),
    }
    y = x.reshape(1, 24, -1)[:, :, :32].repeat(1, 1, 2)
    given = [v.flatten().tolist() for v in (x, y, emb)]
    for call, exact in parts.items():
        found = there.evaluate(
            f"""given => {{ const [x, y, emb] = given.map(v =>
            Float64Array.from(v)); return [...{call}] }}""",
            given,
        )
        error = (torch.tensor(found) - exact.flatten()).abs().max()
        assert float(error) < 1e-4, call


@browser
@pytest.mark.parametrize("t", [3, 50, 90])
def test_the_linear_denoiser_is_pythons(there, generator, t):
    root = torch.randn(64, 64, generator=generator, dtype=torch.float64) / 8
    covariance = root @ root.T + 0.01 * torch.eye(64).double()
    mean = torch.randn(64, generator=generator, dtype=torch.float64)
    mixture = GaussianMixture(
        torch.ones(1).double(), mean[None], covariance[None]
    )
    x_0 = mixture.sample(3, generator=generator)
    eps = torch.randn(3, 64, generator=generator, dtype=torch.float64)
    x_t = q_sample(x_0, t, eps, SCHEDULE)
    exact = x_0_from_eps(
        x_t, t, mixture.optimal_eps(x_t, t, SCHEDULE), SCHEDULE
    )
    variances, axes = torch.linalg.eigh(covariance)
    found = there.evaluate(
        """([rows, a, mean, variances, axes]) => rows.map(row =>
        [...m.linearGuess(row, a, { mean, variances,
          axes: Float64Array.from(axes.flat()) })])""",
        [
            x_t.tolist(),
            float(SCHEDULE.alpha_bar[t]),
            mean.tolist(),
            variances.tolist(),
            axes.T.tolist(),
        ],
    )
    assert torch.allclose(torch.tensor(found).double(), exact, atol=1e-6)


@browser
def test_the_probabilities_that_are_read_are_pythons(there):
    images = digits().test_images[:8]
    found = there.evaluate(
        """([rows, ...bytes]) => {
        const [weight, bias] = bytes.map(each => Float64Array.from(
          new Float32Array(new Uint8Array(each).buffer)));
        return rows.map(x => [...m.probabilities(x, { weight, bias })]) }""",
        [images.flatten(1).tolist(), *map(list, digit_reader().values())],
    )
    exact = read_in_python(images)
    assert torch.allclose(torch.tensor(found).double(), exact, atol=1e-5)
    said = there.evaluate("([x]) => m.reading(x)", found)
    first = exact[0].max(0)
    assert said == f"{int(first.indices)}, {100 * float(first.values):.0f} %"


@browser
def test_noise_is_added_and_taken_off_as_in_python(there, generator):
    x_0 = torch.randn(1, 64, generator=generator, dtype=torch.float64)
    eps = torch.randn(1, 64, generator=generator, dtype=torch.float64)
    x_t = q_sample(x_0, 60, eps, SCHEDULE)
    found, back = there.evaluate(
        """([x, a, eps]) => { const xt = m.qSample(x, a, eps);
        return [xt, m.x0FromEps(xt, a, eps)] }""",
        [x_0[0].tolist(), float(SCHEDULE.alpha_bar[60]), eps[0].tolist()],
    )
    assert found == pytest.approx(x_t[0].tolist(), abs=1e-6)
    assert back == pytest.approx(x_0[0].tolist(), abs=1e-6)


# ---- controls ------------------------------------------------------------


@pytest.fixture
def opened(open_live, figure):
    def opened(at="", **options):
        window = open_live(figure, at=at, **options)
        window.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() =>"
            " requestAnimationFrame(done)))"
        )
        return window.page

    return opened


def drawing(page):
    """The picture in the address, 64 grey levels."""
    page.wait_for_timeout(350)
    text = page.evaluate(
        "new URLSearchParams(location.hash.split('?')[1]).get('drawing')"
    )
    return text and ["0123456789abcdefg".index(c) for c in text]


def ink(page):
    return sum(drawing(page))


@browser
def test_a_stroke_is_drawn_and_rubbed_out(opened):
    page = opened()
    page.get_by_role("button", name="Clear").click()
    assert ink(page) == 0
    box = page.locator("canvas").first.bounding_box()
    cell = box["width"] / 8

    def swipe(row, beyond=0):
        page.mouse.move(box["x"] + 0.5 * cell, box["y"] + (row + 0.5) * cell)
        page.mouse.down()
        page.mouse.move(
            box["x"] + (7.5 + beyond) * cell, box["y"] + (row + 0.5) * cell
        )
        page.mouse.up()

    swipe(3)
    levels = drawing(page)
    assert levels[24:32] == [16] * 8  # one move of the mouse, and no holes
    assert 0 < levels[16] < 16
    assert sum(levels[:16]) == 0
    swipe(6, beyond=5)  # it goes on outside, and comes to no harm
    assert drawing(page)[48:56] == [16] * 8
    page.get_by_role("radio", name="rubber").check()
    swipe(3)
    assert drawing(page)[24:32] == [0] * 8
    page.get_by_role("button", name="Another digit").click()
    assert drawing(page) is not None


@browser
def test_a_finger_draws(opened):
    page = opened(has_touch=True)
    page.get_by_role("button", name="Clear").click()
    box = page.locator("canvas").first.bounding_box()
    page.touchscreen.tap(
        box["x"] + box["width"] * 4.5 / 8, box["y"] + box["height"] * 2.5 / 8
    )
    levels = drawing(page)
    assert levels[2 * 8 + 4] == 16
    assert sum(level == 16 for level in levels) == 1


@browser
@pytest.mark.parametrize(("x", "y"), [(3.02, 3.02), (3.98, 3.5), (0, 7.99)])
def test_the_square_under_the_pen_is_full(there, x, y):
    drawn = there.evaluate(
        "at => m.stroke('0'.repeat(64), at, at, false)", {"x": x, "y": y}
    )
    assert drawn.count("g") == 1
    assert drawn[8 * int(y) + int(x)] == "g"


@browser
def test_the_keyboard_draws(opened):
    page = opened()
    page.get_by_role("button", name="Clear").click()
    grid = page.locator("canvas").first
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "Space"):
        grid.press(key)
    levels = drawing(page)
    assert levels[1] == 16
    page.wait_for_timeout(300)
    assert "Row 1, column 2, ink 16 of 16" in grid.get_attribute("aria-label")
    for _ in range(9):
        grid.press("ArrowLeft")
    grid.press("Enter")
    assert drawing(page)[0] == 16


@browser
def test_more_noise_means_a_worse_guess(opened):
    page = opened("#denoiser?t=2")
    few = float(page.locator("dd").nth(2).inner_text())
    page.get_by_role("slider").press("End")
    page.wait_for_timeout(100)
    many = float(page.locator("dd").nth(2).inner_text())
    assert few < 0.1 < 0.3 < many


@browser
def test_what_is_drawn_is_read(opened):
    page = opened("#denoiser?t=1")
    for digit in (3, 4, 5, 6, 7, 8, 9, 0, 1, 2):
        texts = page.locator("dd").all_inner_texts()
        for drawn_or_seen in (1, 5):
            assert re.match(rf"{digit}, \d+ %", texts[drawn_or_seen]), texts
        page.get_by_role("button", name="Another digit").click()
        page.wait_for_timeout(100)


@browser
def test_new_noise_changes_what_is_seen_and_not_what_is_drawn(opened):
    page = opened()
    seen = [page.locator("canvas").nth(n).screenshot() for n in range(4)]
    page.get_by_role("button", name="New noise").click()
    page.wait_for_timeout(100)
    now = [page.locator("canvas").nth(n).screenshot() for n in range(4)]
    assert now[0] == seen[0]
    assert all(a != b for a, b in zip(now[1:], seen[1:], strict=True))


@browser
@pytest.mark.parametrize(
    "drawn", ["0" * 63, "0" * 65, "h" * 64, "0" * 63 + "-"]
)
def test_a_garbled_drawing_is_refused(opened, drawn):
    page = opened(f"#denoiser?drawing={drawn}&t=7")
    assert "drawing = " in page.locator(".note").inner_text()
    assert page.locator("output").inner_text() == "t = 7"
