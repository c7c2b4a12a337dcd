"""Five hundred notebooks that were spoilt: each is a line, none stops it."""

import copy
import csv
import json
import random
from collections import Counter
from dataclasses import asdict

import pytest

from diffusion_lite_classroom import examine, grade
from test_grade import LABS, SETTINGS, SHUT_IN, notebook, solution_cells

COUNT, RUN, PARTS = 500, 25, 5
"""How many there are, of how many that can be read one is run, and in how many
classes they are, which can be graded side by side."""

ODD = [
    None,
    True,
    -1,
    1e308,
    "",
    "\ud800\0\u202e",
    "x" * 10**6,
    [],
    {},
    [[]],
    {"cells": {}},
    "while True: pass",
]


def nodes(tree):
    """Return all places of a tree: what holds each, and its key."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = [(tree, key) for key, _ in pairs]
    for holder, key in list(found):
        if isinstance(holder[key], (dict, list)):
            found += nodes(holder[key])
    return found


def flipped(data, chance):
    """Return bytes of which some are others, gone, doubled, or cut off."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 30))):
        at = chance.randrange(len(data) + 1)
        kind, end = chance.randrange(5), at + chance.randrange(40)
        data[at:end] = (
            bytes([chance.randrange(256)]),
            b"",
            2 * data[at:end],
            chance.choice((b"\xff\xfe", b"\0", b'"', b"[" * 2000, b"\n")),
            data[at:end][::-1],
        )[kind]
    return bytes(data if chance.random() < 0.8 else data[:at])


def replanted(data, chance):
    """Return a notebook of which some parts are others or gone."""
    lab = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        holder, key = chance.choice(nodes(lab))
        if chance.random() < 0.3:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(chance.choice(ODD))
    return json.dumps(lab).encode()


def reordered(data, chance):
    """Return a notebook whose cells are shuffled, doubled or gone."""
    lab = json.loads(data)
    cells = lab["cells"]
    lab["cells"] = chance.choices(cells, k=chance.randrange(2 * len(cells)))
    return json.dumps(lab).encode()


def spoilt(part):
    """Yield a part's notebooks: half of them labs, half of a few cells."""
    small = notebook(*list(solution_cells())[:4], "x = 1")
    lab = LABS[0].read_bytes()
    for number in range(part, COUNT, PARTS):
        chance = random.Random(number)
        kind = (flipped, replanted, reordered)[number % 3]
        yield kind((lab, small)[number % 2], chance)


@SHUT_IN
@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_of_500_spoilt_notebooks_each_has_a_line(tmp_path, monkeypatch, part):
    """Of those that can be read, one of 25 is run."""
    monkeypatch.setattr(examine, "CELL_SECONDS", 3.0)
    read, really = [], examine.graded

    def graded(cells, asked, settings):
        read.append(len(cells))
        if len(read) % RUN == 1:
            return really(cells, asked, settings)
        return examine.Record([examine.Mark(n, False, "") for n in asked])

    monkeypatch.setattr(examine, "graded", graded)
    for number, data in enumerate(spoilt(part)):
        path = tmp_path / f"sub/s{number:03}/01_forward.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    room = grade.Class(tmp_path / "sub", tmp_path / "out", SETTINGS)
    for each in room.notebooks:
        record = examine.examine("x.ipynb", each.path.read_bytes(), SETTINGS)
        assert record.marks or record.notes
        found = json.dumps(asdict(record) | {"seconds": 0.0})
        room.record(each).write_text(found)
    room.write()
    with open(tmp_path / "out/grades.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    count = COUNT // PARTS
    assert len({row["student"] for row in rows}) == count
    assert len(list((tmp_path / "out").glob("*.html"))) == count
    said = Counter(row["message"][:40] for row in rows)
    print(f"{len(read)} can be read; {said.most_common(9)}")
    assert 0.4 * count < len(read) < count
