"""Little landscapes with tags: pictures that code draws, and what they show.

A picture is drawn at 64 by 64, from back to front, and averaged to 32 by 32.
It has a tag if at least three quarters of what the tag names can be seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

TIMES = ("day", "sunset", "night")
GROUNDS = ("meadow", "sea", "desert", "snow")
SKY = ("sun", "moon", "stars", "clouds", "rain", "rainbow", "birds")
THINGS = ("tree", "house", "windmill", "snowman", "boat", "lighthouse")
LAND = ("mountains", "forest", "flowers", *THINGS)
SEASONS = ("autumn", "blossom")
SIDES = ("left", "right")
STYLES = ("ink", "sepia", "pastel")
TAGS = (*TIMES, *GROUNDS, *SKY, *LAND, *SEASONS, *SIDES, *STYLES)
"""What a picture may show; each picture has one of TIMES and one of GROUNDS,
at most one of STYLES, and one of SIDES where a single thing stands there."""

SIZE = 32
DRAWN = 2 * SIZE
Y, X = np.mgrid[:DRAWN, :DRAWN].astype(np.float32) + 0.5

LIGHT = {  # what each color on the ground is multiplied by
    "day": (1.0, 1.0, 1.0),
    "sunset": (1.0, 0.74, 0.66),
    "night": (0.40, 0.44, 0.64),
}
SKIES = {  # above, and at the horizon
    "day": ((0.30, 0.58, 0.93), (0.80, 0.92, 1.0)),
    "sunset": ((0.40, 0.24, 0.56), (1.0, 0.58, 0.28)),
    "night": ((0.02, 0.03, 0.14), (0.11, 0.14, 0.32)),
}
EARTH = {
    "meadow": (0.40, 0.68, 0.26),
    "sea": (0.16, 0.42, 0.70),
    "desert": (0.90, 0.76, 0.48),
    "snow": (0.93, 0.96, 1.0),
}

Color = tuple[float, float, float]


@dataclass
class Canvas:
    """A picture in the making, and which thing each of its places shows."""

    picture: np.ndarray  # (64, 64, 3) in 0..1
    shows: np.ndarray  # (64, 64): the last tag painted there, or -1
    painted: dict[str, np.ndarray] = field(default_factory=dict)  # by tag

    def paint(self, where: np.ndarray, color: Color, tag: str = "") -> None:
        """Color the places where a mask is true; they show the tag now."""
        self.picture[where] = color
        self.shows[where] = TAGS.index(tag) if tag else -1
        if tag:
            self.painted[tag] = self.painted.get(tag, False) | where

    def seen(self, tag: str) -> bool:
        """Return whether three quarters of a thing can be seen."""
        visible = np.count_nonzero(self.shows == TAGS.index(tag))
        return 4 * visible >= 3 * np.count_nonzero(self.painted[tag])


def even(rng: np.random.Generator, low: int, high: int) -> int:
    """Return an even number in low..high: an edge of a small pixel."""
    return 2 * int(rng.integers(low // 2, high // 2 + 1))


# ---- shapes: masks of 64 by 64 ----------------------------------------------


def disc(x: float, y: float, r: float, flat: float = 1.0) -> np.ndarray:
    """Return an ellipse, flat times as high as wide."""
    return (X - x) ** 2 + ((Y - y) / flat) ** 2 < r**2


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return a rectangle."""
    return (left <= X) & (right > X) & (top <= Y) & (bottom > Y)


def cone(x: float, top: float, half: float, bottom: float) -> np.ndarray:
    """Return a triangle with its tip at (x, top), 2 half wide below."""
    wide = half * (Y - top) / (bottom - top)
    return (np.abs(X - x) < wide) & (bottom > Y)


# ---- what can be drawn, from back to front ----------------------------------


@dataclass(frozen=True)
class Plan:
    """What a picture is to show, and where the ground begins."""

    tags: frozenset[str]
    time: str
    ground: str
    horizon: float
    places: tuple[float, ...]  # the middle of each thing that stands

    def lit(self, color: Color) -> Color:
        """Return a color as it looks at this time of day."""
        r, g, b = (a * b for a, b in zip(color, LIGHT[self.time], strict=True))
        return r, g, b


def sky(canvas: Canvas, plan: Plan) -> None:
    """Draw the sky, from its color above to that at the horizon."""
    above, below = (np.array(c) for c in SKIES[plan.time])
    down = np.clip(Y / plan.horizon, 0, 1)[..., None]
    canvas.picture[:] = above * (1 - down) + below * down
    if "rain" in plan.tags:
        grey = canvas.picture.mean(2, keepdims=True) * (0.82, 0.88, 0.95)
        canvas.picture[:] = 0.35 * canvas.picture + 0.65 * grey


def stars(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw a dozen or two."""
    for _ in range(rng.integers(12, 24)):
        x, y = even(rng, 0, DRAWN - 2), even(rng, 0, plan.horizon - 10)
        canvas.paint(box(x, y, x + 2, y + 2), (0.95, 0.95, 0.85), "stars")


def glow(canvas: Canvas, x: float, y: float, r: float, color: Color) -> None:
    """Brighten the sky around a light."""
    near = np.exp(-((X - x) ** 2 + (Y - y) ** 2) / (2 * r**2))[..., None]
    canvas.picture += 0.35 * near * (np.array(color) - canvas.picture)


def sun(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw it high by day, and low at sunset."""
    x, r = even(rng, 10, DRAWN - 10), 7
    low = plan.time == "sunset"
    y = plan.horizon - even(rng, 4, 8) if low else even(rng, 10, 16)
    color = (1.0, 0.45, 0.20) if low else (1.0, 0.88, 0.25)
    glow(canvas, x, y, 2 * r, color)
    canvas.paint(disc(x, y, r), color, "sun")


def moon(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw a crescent."""
    x, y, r = even(rng, 10, DRAWN - 10), even(rng, 10, 16), 6.5
    glow(canvas, x, y, 2 * r, (0.6, 0.6, 0.5))
    bright = disc(x, y, r) & ~disc(x - 0.6 * r, y - 0.2 * r, 0.9 * r)
    canvas.paint(bright, (0.97, 0.95, 0.78), "moon")


def rainbow(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw five bands around a point on the horizon."""
    x, r = even(rng, 22, DRAWN - 22), even(rng, 26, 30)
    bands = (
        (0.90, 0.25, 0.25),
        (0.98, 0.65, 0.20),
        (0.98, 0.92, 0.35),
        (0.35, 0.75, 0.40),
        (0.35, 0.40, 0.85),
    )
    for i, color in enumerate(bands):
        outer, inner = r - 2 * i, r - 2 * i - 2
        ring = disc(x, plan.horizon, outer) & ~disc(x, plan.horizon, inner)
        canvas.paint(ring & (plan.horizon > Y), color, "rainbow")


def clouds(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw two or three of a few discs each."""
    white = {"day": 1.0, "sunset": 0.95, "night": 0.80}[plan.time]
    color = (white, 0.97 * white, 0.97 * white)
    if plan.time != "day":
        color = plan.lit(color)
    if "rain" in plan.tags:
        color = tuple(0.62 * c for c in color)
    for _ in range(rng.integers(2, 4)):
        x, y = even(rng, 8, DRAWN - 8), even(rng, 6, 18)
        for step in (-6, -1, 5):
            puff = disc(x + step, y - 2 * (step == -1), 6, 0.6)
            canvas.paint(puff, color, "clouds")


def birds(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw three to five, two strokes each."""
    x, y = even(rng, 6, DRAWN - 38), even(rng, 10, plan.horizon - 16)
    for i in range(rng.integers(3, 5)):
        u, v = x + 10 * i, y + even(rng, -4, 4)
        wings = np.abs(Y - v + 2.5 - 0.9 * np.abs(np.abs(X - u) - 2.5)) < 1.1
        wings &= np.abs(X - u) < 5
        canvas.paint(wings, (0.12, 0.12, 0.18), "birds")


def mountains(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw two or three, with snow on them."""
    for _ in range(rng.integers(2, 4)):
        x, high = even(rng, 6, DRAWN - 6), even(rng, 16, 22)
        top, half = plan.horizon - high, high - 2
        color = plan.lit((0.46, 0.43, 0.55))
        canvas.paint(cone(x, top, half, plan.horizon), color, "mountains")
        rough = top + 0.28 * high + 1.5 * np.sin(X + 40 * x)
        cap = cone(x, top, half, plan.horizon) & (rough > Y)
        canvas.paint(cap, plan.lit((0.95, 0.96, 1.0)), "mountains")


def ground(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw what is below the horizon: water, or a soft hill."""
    color = plan.lit(EARTH[plan.ground])
    edge, wave = plan.horizon, int(rng.integers(4))
    if plan.ground != "sea":
        edge = edge + 2 * np.sin(X / 11 + 1.6 * wave)
    land = edge <= Y
    canvas.paint(land, color)
    shade = np.clip(1.08 - 0.012 * (Y - plan.horizon), 0.7, 1.1)
    if plan.ground == "sea":
        lines = (np.floor(Y / 2) % 3 == 0) & (np.sin(X / 5 + Y + wave) > 0)
        shade = np.where(lines, 1.25, shade)
    if plan.ground == "desert":
        shade = shade * (1 + 0.06 * np.sin(X / 5 + Y / 2 + wave))
    canvas.picture[land] = canvas.picture[land] * shade[land][:, None]


def flowers(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw many small ones of three colors."""
    palette = ((0.95, 0.30, 0.40), (0.98, 0.85, 0.30), (0.95, 0.95, 1.0))
    for _ in range(rng.integers(30, 45)):
        x = 2 * rng.integers(DRAWN // 2)
        y = 2 * rng.integers(int(plan.horizon + 6) // 2, DRAWN // 2)
        color = plan.lit(palette[rng.integers(3)])
        canvas.paint(box(x, y, x + 2, y + 2), color, "flowers")


def leaves(plan: Plan) -> Color:
    """Return the color of a crown."""
    color = (0.16, 0.44, 0.18)
    if "autumn" in plan.tags:
        color = (0.85, 0.42, 0.10)
    elif "blossom" in plan.tags:
        color = (0.95, 0.62, 0.74)
    return plan.lit(color)


def grow(
    canvas: Canvas,
    plan: Plan,
    at: tuple[float, float],
    high: float,
    tag: str,
) -> None:
    """Draw one tree with its foot at a place: what grows on this ground."""
    x, y = at
    trunk, color = plan.lit((0.42, 0.28, 0.16)), leaves(plan)
    if plan.ground == "desert":  # a cactus
        body = box(x - 2, y - high, x + 2, y)
        arms = box(x - 8, y - 14, x + 8, y - 10)
        ends = box(x - 8, y - 20, x - 4, y - 10)
        ends |= box(x + 4, y - 18, x + 8, y - 10)
        canvas.paint(body | arms | ends, color, tag)
        return
    canvas.paint(box(x - 2, y - 0.4 * high, x + 2, y), trunk, tag)
    if plan.ground == "snow":  # a fir
        for part in (1.0, 0.8, 0.55):
            bottom = y - high * (1.15 - part)
            layer = cone(x, y - high, 0.42 * high * part, bottom)
            canvas.paint(layer, color, tag)
        return
    crown = disc(x, y - 0.68 * high, 0.34 * high)
    canvas.paint(crown | disc(x, y - 0.5 * high, 0.4 * high, 0.6), color, tag)


def forest(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw a row of small trees at the horizon."""
    for x in range(even(rng, 0, 6), DRAWN, 8):
        at = x, plan.horizon + 6
        grow(canvas, plan, at, even(rng, 10, 14), "forest")


def tree(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw one large tree, a fir on snow and a cactus in the desert."""
    at = x, plan.horizon + even(rng, 10, 16)
    grow(canvas, plan, at, even(rng, 26, 30), "tree")


def house(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw a house with a roof, a door and a window, lit at night."""
    y, w = plan.horizon + even(rng, 10, 16), 10
    canvas.paint(
        box(x - w, y - 12, x + w, y), plan.lit((0.93, 0.86, 0.74)), "house"
    )
    roof = cone(x, y - 24, w + 4, y - 12)
    canvas.paint(roof, plan.lit((0.72, 0.20, 0.16)), "house")
    canvas.paint(
        box(x - 6, y - 8, x - 2, y), plan.lit((0.40, 0.24, 0.14)), "house"
    )
    window = (
        (1.0, 0.85, 0.35)
        if plan.time == "night"
        else plan.lit((0.45, 0.65, 0.85))
    )
    canvas.paint(box(x + 2, y - 8, x + 6, y - 4), window, "house")


def windmill(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw a tower with four blades."""
    y = plan.horizon + even(rng, 10, 14)
    turn = rng.choice((0.3, 0.785, 1.27))
    tower = (np.abs(X - x) < 3 + 0.16 * (Y - y + 22)) & (y - 22 < Y) & (y > Y)
    canvas.paint(tower, plan.lit((0.80, 0.74, 0.66)), "windmill")
    canvas.paint(
        cone(x, y - 28, 5, y - 22), plan.lit((0.45, 0.30, 0.22)), "windmill"
    )
    u, v = X - x, Y - (y - 22)
    along = u * np.cos(turn) + v * np.sin(turn)
    across = v * np.cos(turn) - u * np.sin(turn)
    blades = (np.abs(along) < 1.6) | (np.abs(across) < 1.6)
    blades &= u**2 + v**2 < 14**2
    canvas.paint(blades, plan.lit((0.97, 0.95, 0.90)), "windmill")


def snowman(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw two balls of snow with a hat, a nose and a shadow's rim."""
    y = plan.horizon + even(rng, 10, 16)
    dark, white = plan.lit((0.10, 0.10, 0.14)), plan.lit((1.0, 1.0, 1.0))
    rim = plan.lit((0.55, 0.62, 0.76))
    for up, r in ((7, 8), (18, 6)):
        canvas.paint(disc(x, y - up, r + 1.2), rim, "snowman")
        canvas.paint(disc(x, y - up, r), white, "snowman")
    canvas.paint(box(x - 4, y - 30, x + 4, y - 22), dark, "snowman")
    canvas.paint(box(x - 6, y - 24, x + 6, y - 22), dark, "snowman")
    canvas.paint(
        box(x, y - 20, x + 6, y - 18), plan.lit((0.95, 0.45, 0.1)), "snowman"
    )


def boat(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw a hull with a sail."""
    y = plan.horizon + even(rng, 8, 16)
    hull = (np.abs(X - x) < 11 + 0.8 * (y - 6 - Y)) & (y - 6 < Y) & (y > Y)
    canvas.paint(hull, plan.lit((0.50, 0.24, 0.14)), "boat")
    canvas.paint(
        box(x - 2, y - 24, x, y - 6),
        plan.lit((0.3, 0.2, 0.14)),
        "boat",
    )
    sail = cone(x, y - 24, 11, y - 8) & (x < X)
    canvas.paint(sail, plan.lit((0.98, 0.97, 0.92)), "boat")


def lighthouse(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw a striped tower on a rock, with a lamp."""
    y = plan.horizon + even(rng, 6, 10)
    canvas.paint(
        disc(x, y, 10, 0.4), plan.lit((0.36, 0.33, 0.32)), "lighthouse"
    )
    tower = (np.abs(X - x) < 4 + 0.06 * (Y - y + 26)) & (y - 26 < Y) & (y > Y)
    canvas.paint(tower, plan.lit((0.95, 0.94, 0.92)), "lighthouse")
    stripes = tower & (np.floor((Y - y) / 6) % 2 == 0)
    canvas.paint(stripes, plan.lit((0.85, 0.16, 0.14)), "lighthouse")
    lamp = (1.0, 0.92, 0.45) if plan.time != "day" else (0.75, 0.80, 0.70)
    canvas.paint(box(x - 2, y - 30, x + 2, y - 26), lamp, "lighthouse")
    canvas.paint(
        cone(x, y - 36, 5, y - 30), plan.lit((0.3, 0.1, 0.1)), "lighthouse"
    )


def rain(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw slanting strokes over everything; they hide nothing."""
    for _ in range(rng.integers(26, 36)):
        x, y = even(rng, 0, DRAWN), even(rng, 0, DRAWN)
        stroke = (np.abs(X - x + 0.35 * (Y - y)) < 0.8) & (np.abs(Y - y) < 3)
        canvas.picture[stroke] = 0.4 * canvas.picture[stroke] + 0.6 * np.array(
            (0.78, 0.84, 0.95)
        )


# ---- a whole picture --------------------------------------------------------


CHANCES = {  # of what is in a picture, by chance, where it can be
    "sun": (0.6, lambda tags: "night" not in tags),
    "moon": (0.6, lambda tags: "night" in tags),
    "stars": (0.6, lambda tags: "night" in tags),
    "clouds": (0.4, lambda tags: True),
    "rain": (0.15, lambda tags: "snow" not in tags),
    "rainbow": (0.3, lambda tags: "day" in tags),
    "birds": (0.25, lambda tags: "night" not in tags),
    "mountains": (0.4, lambda tags: True),
    "forest": (0.25, lambda tags: bool(tags & {"meadow", "snow"})),
    "flowers": (0.4, lambda tags: "meadow" in tags),
}
STANDS = {  # what can stand on each ground
    "meadow": {"tree": 0.4, "house": 0.2, "windmill": 0.4},
    "sea": {"boat": 0.5, "lighthouse": 0.5},
    "desert": {"tree": 0.5, "house": 0.5},
    "snow": {"tree": 0.3, "house": 0.2, "snowman": 0.5},
}
DRAW: dict[str, Callable] = {
    "stars": stars,
    "sun": sun,
    "moon": moon,
    "rainbow": rainbow,
    "clouds": clouds,
    "birds": birds,
    "mountains": mountains,
    "flowers": flowers,
    "forest": forest,
    "tree": tree,
    "house": house,
    "windmill": windmill,
    "snowman": snowman,
    "boat": boat,
    "lighthouse": lighthouse,
    "rain": rain,
}


def random_plan(rng: np.random.Generator) -> Plan:
    """Choose what a picture is to show."""
    time = rng.choice(TIMES, p=(0.4, 0.25, 0.35))
    earth = rng.choice(GROUNDS, p=(0.4, 0.22, 0.16, 0.22))
    tags = {str(time), str(earth)}
    for tag, (chance, possible) in CHANCES.items():
        if rng.random() < chance and possible(tags):
            tags.add(tag)
    stands = STANDS[earth]
    count = rng.choice(3, p=(0.15, 0.55, 0.3))
    tags.update(
        map(str, rng.choice(list(stands), count, False, list(stands.values())))
    )
    if earth == "meadow" and tags & {"tree", "forest"}:
        season = rng.choice(("", *SEASONS), p=(0.2, 0.4, 0.4))
        tags.update([str(season)] if season else [])
    places = [x + even(rng, -4, 4) for x in rng.permutation((16, 48))]
    if count == 1:
        side = str(rng.choice(("", *SIDES)))
        tags.update([side] if side else [])
        places = [{"left": 14, "": 32, "right": 50}[side] + even(rng, -4, 4)]
    style = rng.choice(("", *STYLES), p=(0.64, 0.12, 0.12, 0.12))
    tags.update([str(style)] if style else [])
    horizon = even(rng, 36, 40)
    return Plan(frozenset(tags), str(time), str(earth), horizon, tuple(places))


def draw(plan: Plan, rng: np.random.Generator) -> Canvas:
    """Draw a plan, from back to front, at 64 by 64."""
    canvas = Canvas(
        np.zeros((DRAWN, DRAWN, 3), np.float32),
        np.full((DRAWN, DRAWN), -1, np.int8),
    )
    sky(canvas, plan)
    places = iter(plan.places)
    for tag, brush in DRAW.items():
        if tag == "flowers":
            ground(canvas, plan, rng)
        if tag not in plan.tags:
            continue
        where = (next(places),) if tag in THINGS else ()
        brush(canvas, plan, rng, *where)
    grey = canvas.picture @ np.float32((0.3, 0.59, 0.11))
    if "ink" in plan.tags:
        canvas.picture[:] = grey[..., None]
    if "sepia" in plan.tags:
        canvas.picture[:] = (0.15 + 0.9 * grey)[..., None] * (1.0, 0.84, 0.60)
    if "pastel" in plan.tags:
        canvas.picture[:] = 0.6 * canvas.picture + 0.4
    return canvas


def small(canvas: Canvas) -> np.ndarray:
    """Return the picture at 32 by 32: (3, 32, 32) in -1..1."""
    fine = canvas.picture.clip(0, 1).reshape(SIZE, 2, SIZE, 2, 3)
    return 2 * fine.mean((1, 3)).transpose(2, 0, 1) - 1


def scene(rng: np.random.Generator) -> tuple[np.ndarray, frozenset[str]]:
    """Return a picture, (3, 32, 32) in -1..1, and its tags.

    A plan that cannot all be seen is drawn anew.
    """
    while True:
        plan = random_plan(rng)
        canvas = draw(plan, rng)
        if all(canvas.seen(tag) for tag in canvas.painted):
            return small(canvas), plan.tags


# ---- many pictures ----------------------------------------------------------

HELD_OUT = (
    {"windmill", "night"},
    {"boat", "rain"},
    {"house", "desert"},
    {"lighthouse", "sepia"},
    {"snow", "birds"},
    {"forest", "sunset", "autumn"},
)
"""What is never seen together in training."""


def is_held_out(tags: frozenset[str]) -> bool:
    """Return whether a picture with these tags is kept from training."""
    return any(combination <= tags for combination in HELD_OUT)


class Scenes(NamedTuple):
    """Pictures (n, 3, 32, 32) in -1..1, and what they show (n, tags)."""

    pictures: Tensor
    shown: Tensor  # 1 where the picture has the tag, 0 where not


def sample_scenes(
    n: int,
    *,
    generator: torch.Generator,
    keep: Callable[[frozenset[str]], bool] = lambda tags: True,
) -> Scenes:
    """Draw n pictures whose tags are to be kept, with what they show."""
    seed = int(torch.randint(2**62, (), generator=generator))
    rng = np.random.default_rng(seed)
    pictures = torch.empty(n, 3, SIZE, SIZE)
    shown = torch.zeros(n, len(TAGS))
    for i in range(n):
        picture, tags = scene(rng)
        while not keep(tags):
            picture, tags = scene(rng)
        pictures[i] = torch.from_numpy(picture)
        shown[i, [TAGS.index(tag) for tag in tags]] = 1
    return Scenes(pictures, shown)
