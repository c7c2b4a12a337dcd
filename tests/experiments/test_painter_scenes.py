"""The landscapes: drawn the same every time, and tagged as they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.painter import scenes


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def some():
    source = rng()
    return [scenes.scene(source) for _ in range(300)]


def test_a_seed_gives_the_same_pictures(some):
    picture, tags = scenes.scene(rng())
    assert np.array_equal(picture, some[0][0])
    assert tags == some[0][1]
    assert picture.shape == (3, 32, 32)
    assert -1 <= picture.min() < picture.max() <= 1


def test_every_tag_comes_and_those_that_exclude_one_another_do_not(some):
    assert set().union(*(tags for _, tags in some)) == set(scenes.TAGS)
    for _, tags in some:
        assert len(tags & set(scenes.TIMES)) == 1
        assert len(tags & set(scenes.GROUNDS)) == 1
        for group in (scenes.STYLES, scenes.SIDES, scenes.SEASONS):
            assert len(tags & set(group)) <= 1


def test_what_has_no_tag_is_not_painted(some):
    source = rng(1)
    for _ in range(50):
        plan = scenes.random_plan(source)
        canvas = scenes.draw(plan, source)
        drawn = plan.tags & set(scenes.DRAW)
        assert set(canvas.painted) == drawn - {"rain"}


def test_a_hidden_thing_is_noticed():
    plan = replace(
        scenes.random_plan(rng()),
        tags=frozenset({"day", "sea", "boat", "lighthouse"}),
        time="day",
        ground="sea",
        places=(32.0, 32.0),
    )
    canvas = scenes.draw(plan, rng())
    assert not canvas.seen("boat")
    assert canvas.seen("lighthouse")


@pytest.mark.parametrize("tag", ["sun", "moon", "house", "boat", "rainbow"])
def test_a_tag_changes_the_picture(tag):
    plan = scenes.random_plan(rng(2))
    without = replace(plan, tags=plan.tags - {tag}, places=(20.0,) * 4)
    given = replace(without, tags=without.tags | {tag})
    one, other = (scenes.draw(each, rng(3)) for each in (without, given))
    assert not np.array_equal(one.picture, other.picture)


def test_many_pictures_are_those_that_are_kept():
    generator = torch.Generator().manual_seed(0)
    some = scenes.sample_scenes(
        40, generator=generator, keep=lambda tags: "sea" in tags
    )
    assert some.pictures.shape == (40, 3, 32, 32)
    assert some.shown[:, scenes.TAGS.index("sea")].all()
    more = scenes.sample_scenes(3, generator=generator)
    assert not torch.equal(more.pictures, some.pictures[:3])


def test_what_is_held_out_can_be_drawn():
    assert scenes.is_held_out(frozenset({"night", "windmill", "moon"}))
    assert not scenes.is_held_out(frozenset({"night", "house"}))
    for combination in scenes.HELD_OUT:
        scenes.sample_scenes(
            1,
            generator=torch.Generator().manual_seed(0),
            keep=lambda tags, some=combination: some <= tags,
        )
