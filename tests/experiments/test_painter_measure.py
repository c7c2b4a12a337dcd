"""What the painter is measured by: its classifier, shares, captions."""

import pytest
import torch
from safetensors.torch import load_file

from experiments.painter import classifier, measure
from experiments.painter.scenes import TAGS, is_held_out, sample_scenes


def test_the_committed_classifier_sees_what_pictures_show():
    scenes = sample_scenes(400, generator=torch.Generator().manual_seed(99))
    model = classifier.load_classifier()
    seen = classifier.tags_seen(model, scenes.pictures)
    right = seen == scenes.shown
    assert right.float().mean() > 0.995
    assert right.all(1).float().mean() > 0.92
    noise = torch.zeros(1, 3, 32, 32)
    assert classifier.tags_seen(model, noise).shape == (1, len(TAGS))


def test_the_script_trains_the_classifier_that_is_committed():
    untrained = classifier.fit(steps=1, pictures=64).state_dict()
    committed = load_file(classifier.WEIGHTS)
    assert {k: x.shape for k, x in untrained.items()} == {
        k: x.shape for k, x in committed.items()
    }


def test_a_share_is_of_what_is_asked_with_an_interval():
    asked = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1]]).repeat(100, 1)
    hit = asked * torch.tensor([1.0, 0, 1])
    value, half = measure.share(hit, asked)
    assert value == pytest.approx(3 / 5)
    assert 0.01 < half < 0.1
    assert measure.share(asked, asked) == (1, 0)


def test_obedience_counts_what_is_asked_and_what_is_forbidden():
    y = torch.tensor([[1.0, 1, -1, 0], [1, 0, -1, -1]])
    seen = torch.tensor([[1.0, 0, 0, 1], [1, 1, 1, 0]])
    found = {name: value for name, value, _ in measure.obedience(seen, y)}
    assert found == pytest.approx(
        {"asked": 2 / 3, "all asked": 1 / 2, "forbidden": 1 / 3}
    )


def test_captions_of_five_say_what_is_there_and_deny_two_that_are_not():
    shown = torch.zeros(6, 30)
    shown[:, :7] = 1
    y = measure.of_five(shown, torch.Generator().manual_seed(0))
    assert ((y > 0).sum(1) == 5).all()
    assert ((y < 0).sum(1) == 2).all()
    assert not (y[:, :7] < 0).any()
    assert not (y[:, 7:] > 0).any()
    assert len(y.unique(dim=0)) > 1


@pytest.mark.parametrize("held_out", [False, True])
def test_real_pictures_are_of_seen_or_of_held_out_combinations(held_out):
    scenes = measure.drawn(0, 5, held_out)
    for row in scenes.shown:
        tags = frozenset(TAGS[i] for i in row.nonzero().flatten().tolist())
        assert is_held_out(tags) == held_out


def test_a_table_is_read_as_it_was_written(tmp_path):
    rows = [
        measure.Row("asked", "seen", "boat", 3.0, 20, 0.9321, 0.01),
        measure.Row("frechet", "real, seen", "", None, None, 81.5),
    ]
    measure.write(rows, tmp_path / "t.csv")
    assert measure.read(tmp_path / "t.csv") == rows
