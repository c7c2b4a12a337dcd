"""From words to tags: what a prompt wants, what not, and what is unknown."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor

from experiments.painter.scenes import (
    GROUNDS,
    SEASONS,
    SIDES,
    STYLES,
    TAGS,
    TIMES,
)

WORDS = {  # of each tag; an underscore stands for a space
    "day": "day daytime daylight noon morning 白天 白昼 早晨 中午",
    "sunset": "sunset dusk evening sundown 日落 傍晚 黄昏 夕阳",
    "night": "night nighttime midnight dark 夜 夜晚 夜里 夜间 晚上",
    "meadow": "meadow grass grassland field lawn 草地 草原 草坪",
    "sea": "sea ocean water seaside 海 大海 海洋 海边 海上",
    "desert": "desert sand dune 沙漠 沙丘 沙",
    "snow": "snow snowy winter 雪 雪地 冬天 冬",
    "sun": "sun sunny sunshine 太阳 阳光",
    "moon": "moon moonlight crescent 月亮 月 月光",
    "stars": "star starry 星 星星 星空",
    "clouds": "cloud cloudy 云 云朵 白云",
    "rain": "rain rainy raining 雨 下雨",
    "rainbow": "rainbow 彩虹",
    "birds": "bird gull seagull 鸟 飞鸟 小鸟 海鸥",
    "mountains": "mountain peak 山 高山 群山",
    "forest": "forest wood 森林 树林",
    "flowers": "flower 花 鲜花 花朵",
    "tree": "tree fir cactus 树 大树 仙人掌",
    "house": "house home cottage hut cabin 房子 房屋 屋子 小屋 家",
    "windmill": "windmill mill 风车",
    "snowman": "snowman snow_man 雪人",
    "boat": "boat ship sailboat sail yacht 船 小船 帆船",
    "lighthouse": "lighthouse light_house 灯塔",
    "autumn": "autumn autumnal fall 秋 秋天",
    "blossom": "blossom spring cherry_blossom 春 春天 樱花",
    "left": "left 左 左边",
    "right": "right 右 右边",
    "ink": "ink black_and_white monochrome 水墨 黑白",
    "sepia": "sepia old_photo old_photograph vintage 怀旧 老照片 复古",
    "pastel": "pastel pale 粉彩 淡彩 淡色",
}
NOT = "no not without never 没有 没 不要 不 无"
"""What denies the tag after it, and those that are joined to it."""
AND = "and or nor 和 与 或 或者 、"
IDLE = (
    "a an the with in on at of by to under over above beside near behind "
    "is are there some it picture painting photo please "
    "的 在 有 一 个 只 座 棵 片 上 下 里 画 请"
)
"""What says nothing of a tag."""
ONE_OF = (TIMES, GROUNDS, SEASONS, SIDES, STYLES)
LONGEST = 2000
"""How many characters a prompt may have."""

MEANING = {
    word.replace("_", " "): tag
    for tag, words in WORDS.items()
    for word in words.split()
}
MEANING |= dict.fromkeys(NOT.split(), "not")
MEANING |= dict.fromkeys(AND.split(), "and")
MEANING |= dict.fromkeys(IDLE.split(), "")
PARTS = re.compile(r"[㐀-鿿]+|[^\W㐀-鿿]+|[,.;:!?，。；：！？、\n]|\S")
"""A run of Chinese, a word, a stop, or one other sign."""


@dataclass(frozen=True)
class Prompt:
    """What is wanted and what not, in the order of TAGS, and what is unknown.

    unknown: each word that is not in the vocabulary, and the nearest one
    that is, or "".
    """

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]

    def both(self) -> tuple[str, ...]:
        """Return the tags that are wanted and unwanted at once."""
        return tuple(tag for tag in self.wanted if tag in self.unwanted)

    def excluding(self) -> tuple[tuple[str, ...], ...]:
        """Return the wanted tags of which no picture has two, by group."""
        groups = (tuple(t for t in g if t in self.wanted) for g in ONE_OF)
        return tuple(group for group in groups if len(group) > 1)

    def caption(self) -> Tensor:
        """Return it as the network is told: 1, -1 or 0 for each tag."""
        there = torch.tensor([tag in self.wanted for tag in TAGS])
        denied = torch.tensor([tag in self.unwanted for tag in TAGS])
        return there.float() - denied.float()


def read_prompt(text: str, unwanted: str = "") -> Prompt:
    """Return what a text wants, and what it and a second text do not.

    The longest known words are taken first, in English or Chinese: "snow
    man" is a snowman. After "no" or "without" a tag is unwanted, as are
    those that "and" or "or" join to it at once: "no moon and stars", but "no
    moon and a boat".
    """
    for given in text, unwanted:
        if not isinstance(given, str):
            raise ValueError(f"a prompt must be a text, got {given!r}")
        if len(given) > LONGEST:
            raise ValueError(
                f"a prompt must have at most {LONGEST:,} characters, got "
                f"{len(given):,}"
            )
    yes, no, unknown = _read(text)
    more, and_no, others = _read(unwanted)
    no |= more | and_no
    return Prompt(
        tuple(tag for tag in TAGS if tag in yes),
        tuple(tag for tag in TAGS if tag in no),
        tuple(
            (word, _nearest(word))
            for word in dict.fromkeys([*unknown, *others])
        ),
    )


def _read(text: str) -> tuple[set[str], set[str], list[str]]:
    found: dict[bool, set[str]] = {False: set(), True: set()}
    unknown: list[str] = []
    state = ""  # "not": a tag is to come; "denied": it came; "and": one more
    for word, meaning in _meanings(text):
        if meaning == "not":
            state = "not"
        elif meaning in TAGS:
            denied = state in ("not", "and")
            found[denied].add(meaning)
            state = "denied" if denied else ""
        elif meaning == "and" and state == "denied":
            state = "and"
        elif meaning == "stop" or state != "not":
            state = ""
        if meaning is None:
            unknown.append(word)
    return found[False], found[True], unknown


def _meanings(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each word and what it means: a tag, "not", "or", "", "stop"."""
    parts = PARTS.findall(unicodedata.normalize("NFKC", text).lower())
    while parts:
        for n in (3, 2, 1):
            words = " ".join(parts[:n])
            if words in MEANING or _singular(words) in MEANING:
                break
        del parts[:n]
        first = words[0]
        if words in MEANING:
            yield words, MEANING[words]
        elif _singular(words) in MEANING:
            yield words, MEANING[_singular(words)]
        elif "㐀" <= first <= "鿿":
            yield from _chinese(words)
        elif len(words) == 1 and not words.isalnum():
            yield words, "stop" if words in ",.;:!?、。\n" else None
        else:
            yield words, None


def _chinese(run: str) -> Iterator[tuple[str, str | None]]:
    """Yield the longest known words of a run, and what is between them."""
    between = ""
    while run:
        n = next((n for n in (4, 3, 2, 1) if run[:n] in MEANING), 0)
        if n == 0:
            between, run = between + run[0], run[1:]
            continue
        if between:
            yield between, None
        between = ""
        yield run[:n], MEANING[run[:n]]
        run = run[n:]
    if between:
        yield between, None


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and word.isascii() else word


def _nearest(word: str) -> str:
    known = [w for w, meaning in MEANING.items() if meaning in TAGS]
    return next(iter(get_close_matches(word, known, 1, 0.7)), "")
