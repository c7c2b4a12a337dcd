"""Drawing: what is in the figure is what was given."""

import sys
import types
import xml.etree.ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from diffusion_lite import plotting


@pytest.fixture
def ax():
    with mpl.rc_context():
        plotting.use_book_style()
        figure = Figure()
        yield figure.subplots()


def test_to_svg_takes_the_pages_colour_and_says_what_it_shows(ax):
    ax.plot([0, 1], [0, 1], color=plotting.MODEL)
    ax.set_xlabel("steps")
    plotting.describe(ax.figure, 'a line, "rising" & <straight>')
    svg = plotting.to_svg(ax.figure)
    root = ET.fromstring(svg)  # well-formed
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'a line, "rising" & <straight>'
    assert "currentColor" in svg
    assert plotting.INK not in svg
    assert "<style" not in svg
    assert plotting.MODEL in svg
    assert "<metadata>" not in svg
    assert svg == plotting.to_svg(ax.figure)  # the same bytes each time


def test_to_svg_wants_a_description(ax):
    with pytest.raises(ValueError, match="needs describe"):
        plotting.to_svg(ax.figure)


def test_a_notebook_shows_figures_as_svg(monkeypatch):
    printers, magics = {}, []

    class Formatter(dict):
        type_printers = {Figure: "png"}  # noqa: RUF012 - one test's double

        def for_type(self, kind, printer):
            printers[kind] = printer

    html, png = Formatter(), Formatter()
    shell = types.SimpleNamespace(
        run_line_magic=lambda *words: magics.append(words),
        display_formatter=types.SimpleNamespace(
            formatters={"text/html": html, "image/png": png}
        ),
    )
    double = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", double)
    with mpl.rc_context():
        plotting.use_book_style()
    assert printers == {Figure: plotting.to_svg}
    assert png.type_printers == {}
    assert magics == [("matplotlib", "inline")]


def test_scatter_shows_every_point_on_one_scale(ax, generator):
    points = torch.randn(50, 2, generator=generator)
    assert plotting.scatter(points, ax, plotting.MODEL) is ax
    shown = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(shown, points.numpy())
    assert ax.get_aspect() == 1


def test_density_is_the_exponential(ax):
    x = torch.linspace(-1, 1, 5)
    plotting.density(x, torch.zeros(5), ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 1)
    assert ax.get_ylim()[0] == 0


def test_pictures_are_laid_out_in_rows(ax):
    images = torch.linspace(-1, 1, 3)[:, None, None, None].expand(3, 1, 8, 8)
    plotting.pictures(images, ax, columns=2, titles=["a", "b"])
    sheet = np.asarray(ax.images[0].get_array())
    assert sheet.shape == (17, 17, 4)
    assert sheet[0, 0].tolist() == [1, 1, 1, 1]  # -1 is paper
    assert sheet[0, 9].tolist() == [0.5, 0.5, 0.5, 1]
    assert sheet[9, 0].tolist() == [0, 0, 0, 1]  # 1 is ink
    assert sheet[16, 16, 3] == 0  # no fourth
    assert sheet[0, 8, 3] == 0  # a gap
    assert [text.get_text() for text in ax.texts] == ["a", "b"]


def test_pictures_in_colour_are_shown_as_they_are(ax):
    image = torch.tensor([1.0, 0.0, -1.0])[None, :, None, None]
    plotting.pictures(image.expand(1, 3, 4, 4), ax, columns=1)
    sheet = np.asarray(ax.images[0].get_array())
    assert sheet[0, 0].tolist() == [1, 0.5, 0, 1]


def test_pictures_beyond_the_range_are_clamped(ax):
    plotting.pictures(torch.full((1, 1, 2, 2), 9.0), ax, columns=1)
    assert np.asarray(ax.images[0].get_array())[0, 0].tolist() == [0, 0, 0, 1]


def test_use_book_style_outside_a_notebook_only_sets_the_style(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with mpl.rc_context():
        plotting.use_book_style()
        assert mpl.rcParams["figure.facecolor"] == "none"
    plt.close("all")
