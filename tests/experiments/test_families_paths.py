"""The committed paths of one cloud through four families, held together."""

import json
import math
import re
from itertools import pairwise

import matplotlib.pyplot as plt
import pytest
import torch

from diffusion_lite import plotting
from diffusion_lite.data import eight_modes
from diffusion_lite.flow import Flow
from diffusion_lite.metrics import mode_weights, modes_lost
from experiments.families import carry, figures
from experiments.families.results import KINDS, MANY, PATHS, UNIT, paths

MIXTURE = eight_modes()
README = PATHS.with_name("README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs():
    return {(run["family"], run["latent"]): run for run in paths()}


def states(run):
    """The frames as points; a latent of one number is a column."""
    first, *others = run["frames"]
    first = UNIT * torch.tensor(first).reshape(MANY, run["latent"])
    return [first, *(UNIT * torch.tensor(x).reshape(MANY, 2) for x in others)]


def within(x):
    """The share of points within three standard deviations of a mode."""
    far = torch.cdist(x.double(), MIXTURE.means).min(1).values
    return float((far <= 0.3).double().mean())


# ---- what is committed ----------------------------------------------------


def test_every_run_starts_at_the_scripts_latents(runs):
    for (family, latent), run in runs.items():
        assert latent in carry.FAMILIES[family][1]
        assert run["passes"] == carry.FAMILIES[family][2]
        want = carry.cloud()[:, :latent]
        assert float((states(run)[0] - want).abs().max()) <= 0.51 * UNIT


def test_the_ends_belong_to_the_data(runs):
    real = MIXTURE.sample(MANY, generator=torch.Generator().manual_seed(0))
    assert within(real) > 0.96
    for run in runs.values():
        latent, *_, x = states(run)
        assert within(x) > 0.6
        if run["latent"] == 2:
            assert within(latent) < 0.25
        shares = mode_weights(x.double(), MIXTURE)
        assert modes_lost(shares, MIXTURE.weights) == 0


def test_the_cloud_becomes_a_curve_only_of_one_number(runs):
    """On a curve, points whose latents are neighbours lie close together."""
    for (_, latent), run in runs.items():
        first, *_, x = states(run)
        steps = x[first[:, 0].argsort()].diff(dim=0).norm(dim=1)
        assert (float(steps.median()) < 0.05) == (latent == 1)


def test_diffusions_frames_join_up(runs):
    moves = [b - a for a, b in pairwise(states(runs["diffusion", 2]))]
    assert len(moves) == carry.SCHEDULE.T / carry.KEPT
    for move in moves:
        assert float(move.norm(dim=1).max()) < 0.6
    turn = torch.stack([a * b for a, b in pairwise(moves)]).sum(2)
    assert float((turn > 0).double().mean()) > 0.8  # on the whole, onwards


def test_a_coupling_moves_one_number(runs):
    """Of its latents in turn; to the last thousandth the other one stays."""
    moved = [
        (torch.tensor(a) != torch.tensor(b)).reshape(MANY, 2).any(0).tolist()
        for a, b in pairwise(runs["flow", 2]["frames"])
    ]
    assert len(moved) == len(Flow((2,)).couplings)
    assert moved == [[i % 2 == 0, i % 2 == 1] for i in range(8)] or moved == [
        [i % 2 == 1, i % 2 == 0] for i in range(8)
    ]


def test_the_file_is_small_and_says_where_it_comes_from():
    assert PATHS.stat().st_size < 150_000
    made = json.loads(PATHS.read_text(encoding="utf-8"))["made"]
    assert re.fullmatch(r"[0-9a-f]{12}", made["commit"])
    assert made["torch"][0] == "2"


def test_the_readme_has_the_files_numbers(runs):
    rows = re.findall(
        r"^\| ([\w ]+) \| (\d) \| ([\d.]+) % \| (\d)", README, re.M
    )
    names = {name: family for family, name in figures.NAMES.items()}
    assert len(rows) == len(runs)
    for name, latent, share, lost in rows:
        x = states(runs[names[name], int(latent)])[-1]
        assert f"{100 * within(x):.1f}" == share
        shares = mode_weights(x.double(), MIXTURE)
        assert modes_lost(shares, MIXTURE.weights) == int(lost)
    share = 1 - math.exp(-9 / 2)
    assert f"real points {100 * share:.1f} %" in README


# ---- the script -------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_writes_such_runs(kind, runs):
    made = carry.carried(*kind, steps=1)
    run = runs[kind]
    assert made.keys() == run.keys()
    assert made["frames"][0] == run["frames"][0]
    assert list(map(len, made["frames"])) == list(map(len, run["frames"]))


def test_the_last_frame_of_a_flow_is_its_inverse():
    torch.manual_seed(0)
    model, z = Flow((2,)), carry.cloud()
    found = carry.through(model, z)
    torch.testing.assert_close(found[-1], model.inverse(z))
    torch.testing.assert_close(model(found[-1])[0], z, atol=1e-5, rtol=1e-5)


def test_what_the_script_writes_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(carry, "STEPS", dict.fromkeys(carry.FAMILIES, 1))
    file = tmp_path / "paths.json"
    carry.main(file)
    assert [(run["family"], run["latent"]) for run in paths(file)] == [*KINDS]


# ---- the reader ---------------------------------------------------------


def spoiled(tmp_path, change):
    """A file of paths, spoiled by a function."""
    saved = json.loads(PATHS.read_text(encoding="utf-8"))
    change(saved)
    file = tmp_path / "spoiled.json"
    file.write_text(json.dumps(saved), encoding="utf-8")
    return file


WRONG = {
    "must hold runs": lambda saved: saved.pop("runs"),
    r"must hold the runs \[\('diffusion', 2\)": lambda saved: saved[
        "runs"
    ].pop(),
    "flow with a latent of 2: frames must have": lambda saved: saved["runs"][
        1
    ]["frames"].pop(),
    r"vae with a latent of 1: frames must have \[300, 600\] numbers, got "
    r"\[300, 599\]": lambda saved: saved["runs"][2]["frames"][1].pop(),
    "gan with a latent of 1: frames must be whole": lambda saved: saved[
        "runs"
    ][4]["frames"][0].__setitem__(3, 0.5),
    "gan with a latent of 2: passes must be": lambda saved: saved["runs"][
        5
    ].update(passes=0),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_spoiled_file_is_refused(tmp_path, said):
    with pytest.raises(ValueError, match=said):
        paths(spoiled(tmp_path, WRONG[said]))


@pytest.mark.parametrize("text", ["", "[]", '{"runs": 3}', '{"runs": [1]}'])
def test_what_is_no_file_of_paths_is_refused(tmp_path, text):
    file = tmp_path / "spoiled.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"spoiled\.json must hold runs"):
        paths(file)


# ---- the still figure -----------------------------------------------------


def test_the_still_figure_draws_every_run(runs):
    figure = figures.still(paths())
    assert len(figure.axes) == len(runs) == len(figures.ORDER)
    words = figure.get_label()
    for ax, kind in zip(figure.axes, figures.ORDER, strict=True):
        title = f"{figures.NAMES[kind[0]]}, latent of {kind[1]}"
        assert ax.get_title(loc="left") + ax.get_title() == title
        assert f"{title}: a {'curve' if kind[1] == 1 else 'cloud'}" in words
        drawn = torch.tensor(ax.collections[1].get_offsets().data)
        x = states(runs[kind])[-1]
        torch.testing.assert_close(drawn.to(x), x)
    assert len(plotting.to_svg(figure)) < 250_000
    plt.close(figure)


def test_the_marked_points_are_neighbours_in_the_latent(runs):
    for kind, run in runs.items():
        latent = figures.ends(run)[0]
        which = figures.marked(run)
        assert len(which) == len(set(which.tolist())) == figures.MARKED
        at = torch.tensor(figures.AT if kind[1] == 2 else (figures.AT[0], 0))
        far = (latent - at).norm(dim=1)
        others = torch.ones(MANY, dtype=torch.bool)
        others[which] = False
        assert float(far[which].max()) <= float(far[others].min())
        assert 1 <= figures.modes_of_marked(run) <= 8
