"""Little landscapes with tags: pictures that code draws, and what they show.

A picture is drawn at 64 by 64, from back to front, and averaged to 32 by 32.
It has a tag if at least three quarters of what the tag names can be seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

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
        x, y = rng.uniform(0, DRAWN - 2), rng.uniform(0, plan.horizon - 10)
        x, y = 2 * (x // 2), 2 * (y // 2)
        canvas.paint(box(x, y, x + 2, y + 2), (0.95, 0.95, 0.85), "stars")


def glow(canvas: Canvas, x: float, y: float, r: float, color: Color) -> None:
    """Brighten the sky around a light."""
    near = np.exp(-((X - x) ** 2 + (Y - y) ** 2) / (2 * r**2))[..., None]
    canvas.picture += 0.35 * near * (np.array(color) - canvas.picture)


def sun(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw it high by day, and low at sunset."""
    x, r = rng.uniform(9, DRAWN - 9), rng.uniform(5, 7)
    low = plan.time == "sunset"
    y = plan.horizon - rng.uniform(5, 9) if low else rng.uniform(9, 16)
    color = (1.0, 0.45, 0.20) if low else (1.0, 0.88, 0.25)
    glow(canvas, x, y, 2 * r, color)
    canvas.paint(disc(x, y, r), color, "sun")


def moon(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw a crescent."""
    x, y, r = rng.uniform(9, DRAWN - 9), rng.uniform(8, 16), rng.uniform(5, 6)
    glow(canvas, x, y, 2 * r, (0.6, 0.6, 0.5))
    side = rng.choice((-1, 1))
    bright = disc(x, y, r) & ~disc(x + side * 0.6 * r, y - 0.2 * r, 0.9 * r)
    canvas.paint(bright, (0.97, 0.95, 0.78), "moon")


def rainbow(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw five bands around a point on the horizon."""
    x, r = rng.uniform(20, DRAWN - 20), rng.uniform(26, 31)
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
        x, y = rng.uniform(8, DRAWN - 8), rng.uniform(6, 18)
        for step in (-6, -1, 5):
            up = rng.uniform(-2, 1)
            puff = disc(x + step, y + up, rng.uniform(4, 6), 0.6)
            canvas.paint(puff, color, "clouds")


def birds(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw three to five, two strokes each."""
    x, y = rng.uniform(7, DRAWN - 38), rng.uniform(9, plan.horizon - 15)
    for i in range(rng.integers(3, 5)):
        u, v = x + 10 * i + rng.uniform(-1, 1), y + rng.uniform(-5, 5)
        wings = np.abs(Y - v + 2.5 - 0.9 * np.abs(np.abs(X - u) - 2.5)) < 1.1
        wings &= np.abs(X - u) < 5
        canvas.paint(wings, (0.12, 0.12, 0.18), "birds")


def mountains(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw two or three, with snow on them."""
    for _ in range(rng.integers(2, 4)):
        x, high = rng.uniform(6, DRAWN - 6), rng.uniform(14, 23)
        top, half = plan.horizon - high, rng.uniform(13, 20)
        color = plan.lit((0.46, 0.43, 0.55))
        canvas.paint(cone(x, top, half, plan.horizon), color, "mountains")
        rough = top + 0.28 * high + 1.5 * np.sin(X + 40 * x)
        cap = cone(x, top, half, plan.horizon) & (rough > Y)
        canvas.paint(cap, plan.lit((0.95, 0.96, 1.0)), "mountains")


def ground(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw what is below the horizon: water, or a soft hill."""
    color = plan.lit(EARTH[plan.ground])
    edge, wave = plan.horizon, rng.uniform(0, 7)
    if plan.ground != "sea":
        edge = edge + 2 * np.sin(X / 11 + wave)
    land = edge <= Y
    canvas.paint(land, color)
    shade = np.clip(1.08 - 0.012 * (Y - plan.horizon), 0.7, 1.1)
    if plan.ground == "sea":
        lines = (np.floor(Y / 2) % 3 == 0) & (np.sin(X / 5 + Y * wave) > 0)
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


def leaves(plan: Plan, rng: np.random.Generator) -> Color:
    """Return the color of a crown."""
    shade = rng.uniform(0.85, 1.1)
    color = (0.16, 0.44, 0.18)
    if "autumn" in plan.tags:
        color = (0.85, 0.42, 0.10)
    elif "blossom" in plan.tags:
        color = (0.95, 0.62, 0.74)
    r, g, b = (min(1.0, shade * c) for c in color)
    return plan.lit((r, g, b))


def grow(
    canvas: Canvas,
    plan: Plan,
    rng: np.random.Generator,
    at: tuple[float, float],
    high: float,
    tag: str,
) -> None:
    """Draw one tree with its foot at a place: what grows on this ground."""
    x, y = at
    trunk, color = plan.lit((0.42, 0.28, 0.16)), leaves(plan, rng)
    if plan.ground == "desert":  # a cactus
        body = box(x - 1.6, y - high, x + 1.6, y)
        arms = box(x - 6, y - 0.6 * high, x + 6, y - 0.6 * high + 2.5)
        ends = box(x - 6, y - 0.85 * high, x - 3.5, y - 0.5 * high)
        ends |= box(x + 3.5, y - 0.75 * high, x + 6, y - 0.5 * high)
        canvas.paint(body | arms | ends, color, tag)
        return
    canvas.paint(box(x - 1.3, y - 0.4 * high, x + 1.3, y), trunk, tag)
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
    for x in np.arange(rng.uniform(0, 4), DRAWN, 7.5):
        at = x + rng.uniform(-1, 1), plan.horizon + rng.uniform(4, 6)
        grow(canvas, plan, rng, at, rng.uniform(10, 13), "forest")


def tree(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw one large tree, a fir on snow and a cactus in the desert."""
    at = x, plan.horizon + rng.uniform(10, 16)
    grow(canvas, plan, rng, at, rng.uniform(21, 26), "tree")


def house(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw a house with a roof, a door and a window, lit at night."""
    y, w = plan.horizon + rng.uniform(10, 15), rng.uniform(8, 9.5)
    canvas.paint(
        box(x - w, y - 11, x + w, y), plan.lit((0.93, 0.86, 0.74)), "house"
    )
    roof = cone(x, y - 20, w + 2.5, y - 11)
    canvas.paint(roof, plan.lit((0.72, 0.20, 0.16)), "house")
    canvas.paint(
        box(x - 5, y - 7, x - 1, y), plan.lit((0.40, 0.24, 0.14)), "house"
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
    y, turn = plan.horizon + rng.uniform(9, 14), rng.uniform(0.2, 1.3)
    tower = (
        (np.abs(X - x) < 2.5 + 0.16 * (Y - y + 20)) & (y - 20 < Y) & (y > Y)
    )
    canvas.paint(tower, plan.lit((0.80, 0.74, 0.66)), "windmill")
    canvas.paint(
        cone(x, y - 25, 4, y - 20), plan.lit((0.45, 0.30, 0.22)), "windmill"
    )
    u, v = X - x, Y - (y - 20)
    along = u * np.cos(turn) + v * np.sin(turn)
    across = v * np.cos(turn) - u * np.sin(turn)
    blades = (np.abs(along) < 1.4) | (np.abs(across) < 1.4)
    blades &= u**2 + v**2 < 12**2
    canvas.paint(blades, plan.lit((0.97, 0.95, 0.90)), "windmill")


def snowman(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw two balls of snow with a hat, a nose and a shadow's rim."""
    y = plan.horizon + rng.uniform(10, 15)
    dark, white = plan.lit((0.10, 0.10, 0.14)), plan.lit((1.0, 1.0, 1.0))
    rim = plan.lit((0.55, 0.62, 0.76))
    for up, r in ((6, 7), (16, 5)):
        canvas.paint(disc(x, y - up, r + 1.2), rim, "snowman")
        canvas.paint(disc(x, y - up, r), white, "snowman")
    canvas.paint(box(x - 4, y - 26, x + 4, y - 20), dark, "snowman")
    canvas.paint(box(x - 6, y - 21, x + 6, y - 19), dark, "snowman")
    canvas.paint(
        box(x, y - 17, x + 6, y - 15), plan.lit((0.95, 0.45, 0.1)), "snowman"
    )


def boat(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw a hull with a sail."""
    y, side = plan.horizon + rng.uniform(7, 15), rng.choice((-1, 1))
    hull = (np.abs(X - x) < 9 - 0.8 * (Y - y + 4)) & (y - 4 < Y) & (y > Y)
    canvas.paint(hull, plan.lit((0.50, 0.24, 0.14)), "boat")
    canvas.paint(
        box(x - 0.8, y - 20, x + 0.8, y - 4),
        plan.lit((0.3, 0.2, 0.14)),
        "boat",
    )
    sail = cone(x, y - 20, 9, y - 5) & (side * (X - x) > 1)
    canvas.paint(sail, plan.lit((0.98, 0.97, 0.92)), "boat")


def lighthouse(
    canvas: Canvas, plan: Plan, rng: np.random.Generator, x: float
) -> None:
    """Draw a striped tower on a rock, with a lamp."""
    y = plan.horizon + rng.uniform(6, 11)
    canvas.paint(
        disc(x, y, 9, 0.4), plan.lit((0.36, 0.33, 0.32)), "lighthouse"
    )
    tower = (np.abs(X - x) < 3 + 0.06 * (Y - y + 26)) & (y - 26 < Y) & (y > Y)
    canvas.paint(tower, plan.lit((0.95, 0.94, 0.92)), "lighthouse")
    stripes = tower & (np.floor((Y - y) / 5) % 2 == 0)
    canvas.paint(stripes, plan.lit((0.85, 0.16, 0.14)), "lighthouse")
    lamp = (1.0, 0.92, 0.45) if plan.time != "day" else (0.75, 0.80, 0.70)
    canvas.paint(box(x - 2.5, y - 30, x + 2.5, y - 26), lamp, "lighthouse")
    canvas.paint(
        cone(x, y - 34, 4, y - 30), plan.lit((0.3, 0.1, 0.1)), "lighthouse"
    )


def rain(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw slanting strokes over everything; they hide nothing."""
    for _ in range(rng.integers(26, 36)):
        x, y = rng.uniform(0, DRAWN), rng.uniform(-4, DRAWN)
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
    "rainbow": (0.15, lambda tags: "day" in tags),
    "birds": (0.25, lambda tags: "night" not in tags),
    "mountains": (0.4, lambda tags: True),
    "forest": (0.25, lambda tags: bool(tags & {"meadow", "snow"})),
    "flowers": (0.4, lambda tags: "meadow" in tags),
}
STANDS = {  # what can stand on each ground
    "meadow": ("tree", "house", "windmill"),
    "sea": ("boat", "lighthouse"),
    "desert": ("tree", "house"),
    "snow": ("tree", "house", "snowman"),
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
    earth = rng.choice(GROUNDS, p=(0.35, 0.25, 0.2, 0.2))
    tags = {str(time), str(earth)}
    for tag, (chance, possible) in CHANCES.items():
        if rng.random() < chance and possible(tags):
            tags.add(tag)
    stands = STANDS[earth]
    count = min(len(stands), rng.choice(4, p=(0.2, 0.45, 0.25, 0.1)))
    tags.update(map(str, rng.choice(stands, count, replace=False)))
    if earth == "meadow" and tags & {"tree", "forest"}:
        season = rng.choice(("", *SEASONS), p=(0.5, 0.25, 0.25))
        tags.update([str(season)] if season else [])
    places = rng.permutation((13, 32, 51))[:count] + rng.uniform(-4, 4, count)
    if count == 1 and abs(places[0] - 32) > 8:
        tags.add("left" if places[0] < 32 else "right")
    style = rng.choice(("", *STYLES), p=(0.64, 0.12, 0.12, 0.12))
    tags.update([str(style)] if style else [])
    horizon = rng.uniform(34, 42)
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
