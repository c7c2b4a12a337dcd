"""Prompts: words of two languages to tags, and what is unknown is said."""

import pytest
import torch

from experiments.painter.prompts import (
    AND,
    IDLE,
    MEANING,
    NOT,
    WORDS,
    read_prompt,
)
from experiments.painter.scenes import TAGS


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("", "", ""),
        ("a house by the SEA at night", "night sea house", ""),
        ("two trees and some birds", "birds tree", ""),
        ("a snow man, snowy mountains", "snow mountains snowman", ""),
        ("an old photo of a boat", "boat sepia", ""),
        ("black and white mountains", "mountains ink", ""),
        ("sea, no moon or stars, night", "night sea", "moon stars"),
        ("a boat without birds and clouds", "boat", "clouds birds"),
        ("a boat without birds and a house", "house boat", "birds"),
        ("no big boat", "", "boat"),
        ("no dragons. A boat", "boat", ""),
        ("海边的灯塔，没有云", "sea lighthouse", "clouds"),
        ("在没有船的海上", "sea", "boat"),
        ("没有月亮、星星的夜晚", "night", "moon stars"),
        ("ＳＥＡ　ｈｏｕｓｅ", "sea house", ""),
        ("雪人 and a house", "house snowman", ""),
    ],
)
def test_a_prompt_says_what_is_wanted_and_what_not(text, wanted, unwanted):
    prompt = read_prompt(text)
    assert (" ".join(prompt.wanted), " ".join(prompt.unwanted)) == (
        wanted,
        unwanted,
    )


def test_a_second_text_says_what_is_unwanted():
    prompt = read_prompt("a boat, no sun", "birds, 云")
    assert prompt.wanted == ("boat",)
    assert prompt.unwanted == ("sun", "clouds", "birds")


def test_unknown_words_are_named_once_with_the_nearest_known_one():
    prompt = read_prompt("a casle at nihgt, casle, 城堡 <b> 🌊", "lighthous")
    assert dict(prompt.unknown) == {
        "casle": "",
        "nihgt": "night",
        "城堡": "",
        "<": "",
        "b": "",
        ">": "",
        "🌊": "",
        "lighthous": "lighthouse",
    }
    assert len(prompt.unknown) == len(dict(prompt.unknown))


def test_what_contradicts_itself_is_told_apart():
    prompt = read_prompt("day, night, a boat on the sea", "boat")
    assert prompt.both() == ("boat",)
    assert prompt.excluding() == (("day", "night"),)
    assert read_prompt("a boat at night").excluding() == ()


def test_a_caption_is_what_the_network_is_told():
    y = read_prompt("sea", "rain").caption()
    assert y.shape == (len(TAGS),)
    assert y[TAGS.index("sea")] == 1
    assert y[TAGS.index("rain")] == -1
    assert y.abs().sum() == 2
    assert torch.equal(read_prompt("").caption(), torch.zeros(len(TAGS)))


def test_every_word_has_one_meaning():
    assert tuple(WORDS) == TAGS
    everything = " ".join([*WORDS.values(), NOT, AND, IDLE]).split()
    assert len(everything) == len(set(everything)) == len(MEANING)
    for tag, words in WORDS.items():
        for word in words.split():
            assert read_prompt(word.replace("_", " ")).wanted == (tag,)
        assert tag in words or f"{tag}s" in words or tag.rstrip("s") in words
        assert any("㐀" <= word[0] <= "鿿" for word in words.split())


@pytest.mark.parametrize("text", [None, 3, b"sea", "x" * 2001])
def test_what_is_no_prompt_is_refused(text):
    with pytest.raises(ValueError, match="a prompt must"):
        read_prompt(text)
    with pytest.raises(ValueError, match="a prompt must"):
        read_prompt("sea", text)


def test_five_hundred_words_are_read():
    prompt = read_prompt("sea dragon " * 180)
    assert prompt.wanted == ("sea",)
    assert prompt.unknown == (("dragon", ""),)
