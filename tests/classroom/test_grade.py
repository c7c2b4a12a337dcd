"""Grading a class: right is right, wrong is wrong, and nobody is harmed."""

import contextlib
import csv
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import matplotlib
import matplotlib.font_manager
import nbformat
import pytest
import torch
from torch import nn

import editions
import hostile
from diffusion_lite.exercises import check, names
from diffusion_lite.exercises.trial import Network, Refused, Trial
from diffusion_lite.schedules import linear_schedule
from diffusion_lite_classroom import (
    __main__,
    examine,
    grade,
    report,
    sandbox,
)
from diffusion_lite_classroom.remote import Peer
from diffusion_lite_classroom.wire import Lost, Pipe, Reader, Writer
from test_exercises import LABS, cells, handed_in, source, wrong_answers
from test_state import STATES

ROOT = Path(__file__).resolve().parent.parent.parent
SHUT_IN = pytest.mark.usefixtures("bubblewrap")
SETTINGS = examine.Settings(
    isolated=True,
    memory=4 * 2**30,
    seconds=200,
    fonts=matplotlib.get_cachedir(),
)


def test_the_package_does_not_know_the_grader():
    for path in (ROOT / "diffusion_lite").rglob("*.py"):
        assert "diffusion_lite_classroom" not in path.read_text("utf-8")


# ---- values over the pipe ---------------------------------------------------


def there_and_back(value):
    """Return a value after a way through JSON."""
    write, read = Writer(None, None), Reader(None, None)
    return read(json.loads(json.dumps(write(value))))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -(10**400),
        1.5,
        float("inf"),
        2j,
        "<b>",
        (1, [2, "x", (None,)]),
    ],
)
def test_a_plain_value_comes_back(value):
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5),
        torch.zeros(0, 3),
        torch.arange(12.0).view(3, 4).T,
        torch.ones(1).expand(4),
        torch.randn(1, 2).T[:, :1],
        torch.randn(6)[::2].bfloat16(),
        torch.tensor([1j, 2.0]).conj(),
        torch.tensor([True, False]),
        torch.tensor([-(2**62)]),
        torch.tensor([float("nan"), float("inf")]),
    ],
)
def test_a_tensor_comes_back(tensor):
    back = there_and_back(tensor)
    assert back.dtype == tensor.dtype
    assert back.shape == tensor.shape
    assert torch.equal(back.isnan(), tensor.isnan())
    assert torch.equal(back[~back.isnan()], tensor[~tensor.isnan()])


def test_a_schedule_comes_back():
    schedule = linear_schedule(50)
    back = there_and_back(schedule)
    assert torch.equal(back.alpha_bar, schedule.alpha_bar)


def test_of_a_random_generator_a_seed_is_sent_and_not_the_state():
    ours = torch.Generator().manual_seed(5)
    theirs = there_and_back(ours)
    assert not torch.equal(
        torch.rand(5, generator=theirs), torch.rand(5, generator=ours)
    )
    again = there_and_back(torch.Generator().manual_seed(5))
    assert again.initial_seed() == theirs.initial_seed()


def test_what_is_strange_keeps_only_its_name():
    for value in (object(), {1: 2}, {1}, torch.zeros(2).to_sparse()):
        back = there_and_back(value)
        assert type(back).__name__ in (
            "object",
            "dict",
            "set",
            "sparseTensor",
        )
        assert not isinstance(back, torch.Tensor)


@pytest.mark.parametrize(
    "written",
    [
        {},
        [],
        {"tensor": None},
        {"tensor": ["float32", [2], ""]},
        {"tensor": ["float32", [-1], "AAAA"]},
        {"tensor": ["float32", [True], "AAAAAA=="]},
        {"tensor": ["float32", [10**30, 0], ""]},
        {"tensor": ["object", [1], "AAAAAAAA"]},
        {"tensor": ["float32", [1], "AAAAAA==", 4]},
        {"tensor": ["float32", [1], "no base 64"]},
        {"tensor": ["float32", [1], "AAAAAA=="], "more": 1},
        {"__class__": 1},
        {"kinds": 1},
        {"list": 3},
        {"list": [{"list": [{"huh": 1}]}]},
        {"complex": [1, 2, 3]},
        {"generator": "x"},
        {"generator": 10**400},
        {"schedule": {"tensor": ["float64", [1], "AAAAAAAAAAA="]}},
        {"schedule": 3},
        {"function": []},
        {"network": [["a", "b"], [], 0]},
        {"network": [["a"], [3], 0]},
        {"thing": 1, "list": []},
    ],
)
def test_what_is_no_value_is_refused(written):
    with pytest.raises(Lost):
        Reader(None, None)(written)


def test_a_name_from_outside_is_only_a_name():
    for name in ("x; import os", "", "a" * 99, "é", 3, None, ["x"]):
        thing = Reader(None, None)({"thing": name})
        assert type(thing).__name__ == "thing"


@pytest.fixture
def ends():
    """Return the two ends of a pipe; ours has a second for all."""
    ours, theirs = (Pipe(end) for end in socket.socketpair())
    ours.allow(1.0, 2**20)
    yield ours, theirs
    ours.end.close()
    theirs.end.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0\0",
        b"\0\0\0\0",
        b"\0\0\0\1x",
        b"\0\0\0\2[]",
        b"\0\0\0\4null",
        b"\xff\xff\xff\xff{}",
        b"\0\1\0\0" + b"[" * 2**16,
        b"\0\0\x20\0" + b"9" * 2**13,
        b"\0\0\0\4\xff\xfe\xfd\xfc",
    ],
)
def test_what_is_no_message_is_refused(ends, sent):
    ours, theirs = ends
    theirs.end.sendall(sent)
    theirs.end.close()
    with pytest.raises(Lost):
        ours.receive()


def test_silence_ends(ends):
    start = time.monotonic()
    with pytest.raises(Lost, match="does not answer"):
        ends[0].receive()
    assert time.monotonic() - start < 3


def test_a_trickle_ends(ends):
    ours, theirs = ends
    ours.allow(0.5, 2**20)
    theirs.end.sendall(b"\0\0\0\x20")
    thread = threading.Thread(
        target=lambda: [
            (theirs.end.send(b" "), time.sleep(0.1)) for _ in range(12)
        ]
    )
    thread.start()
    start = time.monotonic()
    with pytest.raises(Lost, match="does not answer"):
        ours.receive()
    assert time.monotonic() - start < 1
    thread.join()


def test_a_flood_ends(ends):
    ours, theirs = ends
    ours.allow(1.0, 1000)
    for _ in range(2):
        theirs.send({"value": "x" * 600})
    ours.receive()
    with pytest.raises(Lost, match="too much"):
        ours.receive()


def test_what_is_too_large_is_not_sent(ends):
    with pytest.raises(ValueError, match="too many"):
        ends[1].send({"value": "x" * 2**25})


# ---- functions over the pipe ------------------------------------------------


@pytest.fixture
def far(ends):
    """Return a function that makes another a far one."""
    ours, theirs = (Peer(pipe) for pipe in ends)
    ours.pipe.allow(60.0, 2**28)

    def serve():
        try:
            while True:
                theirs.answer(theirs.pipe.receive())
        except Lost:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    yield lambda function: ours.far(theirs.hold(function), "function")
    ours.pipe.end.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_far_function_is_called(far):
    assert far(lambda a, b: (b, a))(1, "x") == ("x", 1)
    assert far(lambda a, *, b: a - b)(3, b=1) == 2


def test_a_far_function_calls_back(far):
    def both(f, g):
        return lambda x: f(g(x, k=2))

    made = far(both)(lambda x: x + 1, lambda x, k: k * x)
    assert made(10) == 21


def test_a_far_error_has_its_kind_and_text(far):
    def stops(x):
        raise [NotImplementedError, KeyError, SystemExit][x]("why")

    with pytest.raises(NotImplementedError):
        far(stops)(0)
    for x, name in ((1, "KeyError"), (2, "SystemExit")):
        with pytest.raises(Exception, match="why") as caught:
            far(stops)(x)
        assert type(caught.value).__name__ == name


def test_an_error_on_the_way_back_goes_through(far):
    def stops(x):
        raise ValueError("here")

    with pytest.raises(Exception, match="here"):
        far(lambda f: f(1))(stops)


def test_what_a_far_function_changes_is_changed_here(far):
    def spoil(x, y, tensors):
        x.mul_(2)
        tensors[0].add_(1)
        tensors[1] = torch.ones(1)
        tensors.append(torch.zeros(2))

    x, y, kept = torch.ones(2), torch.ones(2), torch.zeros(1)
    tensors = [kept, kept.clone()]
    second = tensors[1]
    assert far(spoil)(x, y, tensors) is None
    assert x.tolist() == [2, 2]
    assert y.tolist() == [1, 1]
    assert tensors[0] is kept
    assert kept.tolist() == [1]
    assert tensors[1] is not second
    assert [t.tolist() for t in tensors] == [[1], [1], [0, 0]]


def test_gradients_go_through_a_far_function_and_back_through_ours(far):
    def outer(x, f):
        return (f(x) * x).sum(), 3 * x

    x = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    both = [f(x, torch.sin) for f in (outer, far(outer))]
    for near_result, far_result in zip(*both, strict=True):
        want, got = (
            torch.autograd.grad(r.sum(), x, retain_graph=True)
            for r in (near_result, far_result)
        )
        assert torch.equal(near_result, far_result)
        assert torch.allclose(want[0], got[0])


def test_a_far_result_has_gradients_where_the_other_end_has_some(far):
    weight = torch.ones((), requires_grad=True)

    def model(x):
        return weight * x

    def loss(f):
        return f(torch.ones(2)).sum()

    found = far(loss)(model)
    assert found.requires_grad
    found.backward()  # comes to an end, though nothing given has gradients
    assert not far(lambda f: loss(f).detach())(model).requires_grad
    assert not far(loss)(torch.sin).requires_grad


def test_a_far_network_is_its_parameters_and_a_function(far):
    torch.manual_seed(0)
    module = nn.Linear(2, 3)
    net, x = far(lambda: module)(), torch.ones(4, 2)
    assert isinstance(net, Network)
    assert net.names == ["weight", "bias"]
    assert torch.equal(net(x), module(x))
    moved = [value + 1 for value in net.values]
    assert torch.allclose(net.function(moved, x), module(x) + 3)
    values = [value.requires_grad_() for value in net.values]
    net.function(values, x).sum().backward()
    assert torch.equal(values[0].grad, torch.full((3, 2), 4.0))


def test_gradients_that_do_not_fit_are_refused(ends):
    ours, theirs = Peer(ends[0]), ends[1]
    x = torch.ones(2, requires_grad=True)
    tensor = Writer(None, lambda _: 0)(x)
    theirs.send({"value": tensor, "after": {"list": [None]}})
    result = ours.far(0, "function")(x)
    for gradients in (
        None,
        {"list": []},
        {"list": [3]},
        {"list": [tensor] * 2},
    ):
        theirs.send({"value": gradients})
        with pytest.raises(Lost):
            torch.autograd.grad(result.sum(), x, retain_graph=True)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"value": 1},
        {"value": 1, "after": {"list": []}},
        {"value": {"x": 1}, "after": {"list": [None]}},
        {"value": 1, "after": {"list": [{"list": [3]}]}},
        {"value": 1, "after": {"list": [{"list": [{"tuple": [9, None]}]}]}},
        {"error": None},
        {"error": ["x"]},
        {"error": 3},
    ],
)
def test_a_reply_that_is_none_is_refused(ends, reply):
    ends[1].send(reply)
    with pytest.raises(Lost):
        Peer(ends[0]).far(0, "function")([torch.ones(1)])


# ---- networks in a check ----------------------------------------------------


class Claims(nn.Module):
    """A network that claims parameters, and their gradients, of no effect."""

    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(2 + width, width)
        self.middle = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.last = nn.Linear(width, 2)
        self.width = width

    def forward(self, x_t, t):
        clock = t[:, None] * torch.arange(1, self.width + 1) / 100
        h = self.first(torch.cat([x_t, clock.sin()], dim=1)).tanh()
        h = h + self.middle[0](h).tanh()
        for layer in self.middle[1:]:
            h = Pretend.apply(h, layer.weight, layer.bias)
        return self.last(h)


class Pretend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, weight, bias):
        return h.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, gradient.T @ gradient, gradient.sum(0)


def test_a_gradient_that_is_claimed_is_held_against_what_comes_out():
    for seed in range(20):
        verdict = check("denoiser-4", Claims, seed=seed)
        assert not verdict
        assert "does not change what comes out" in verdict.text


def test_a_network_must_be_one():
    with pytest.raises(Refused, match=r"an nn\.Module"):
        Trial(lambda: 3, 0).network()


# ---- through a process of its own -------------------------------------------


def notebook(*sources):
    """Return the bytes of a notebook of these cells."""
    code = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(nbformat.v4.new_notebook(cells=code)).encode()


def examined(*sources, name="x.ipynb", settings=SETTINGS):
    """Return what comes of a notebook of these cells."""
    return examine.examine(name, notebook(*sources), settings)


def in_space(source, name, answer):
    """Return a cell that hands in one of a file's functions."""
    return (
        "from diffusion_lite.exercises import check\n"
        f"space = {{'__name__': 'answers'}}; exec({source!r}, space)\n"
        f"check({name!r}, space[{answer!r}])"
    )


def solution_cells():
    """Yield a cell for each solution of the labs."""
    for path in LABS:
        lab = nbformat.read(path, as_version=4)
        setup = [c.source for c in lab.cells if c.cell_type == "code"][:2]
        for (name, answer), *both in zip(
            handed_in(path),
            cells(path, "exercise"),
            cells(path, "solution"),
            strict=True,
        ):
            parts = [*setup, *(cell.source for cell in both)]
            yield in_space("\n".join(parts), name, answer)


@SHUT_IN
def test_every_solution_passes():
    record = examined(*solution_cells())
    assert [mark.exercise for mark in record.marks] == names()
    assert [mark for mark in record.marks if not mark.passed] == []
    assert record.notes == []


ALL_STATES = "import os, sys, torch, numpy as np\n" + "\n".join(
    STATES.values()
)


@SHUT_IN
@pytest.mark.parametrize("state", ["no gradients", "all"])
def test_a_verdict_does_not_depend_on_what_the_last_cell_set(state):
    """The others are tried in tests/exercises/test_state.py."""
    left = "import torch\n" + STATES.get(state, ALL_STATES)
    record = examined(*solution_cells(), left)
    assert [mark for mark in record.marks if not mark.passed] == []


@SHUT_IN
@pytest.mark.slow
def test_a_full_lab_is_judged_by_what_its_reader_wrote():
    """Its solutions hand themselves in, after the reader's answers."""
    lab = nbformat.read(LABS[0], as_version=4)
    untouched = nbformat.writes(lab).encode()
    record = examine.examine("01_forward.ipynb", untouched, SETTINGS)
    assert [mark.passed for mark in record.marks] == [False] * 4
    assert record.notes[0] == examine.FULL_LAB

    answers = editions.exercises(lab)
    for cell in lab.cells:
        if "exercise" in cell.metadata.get("tags", []):
            cell.source = next(answers).solution
    written = nbformat.writes(lab).encode()
    record = examine.examine("01_forward.ipynb", written, SETTINGS)
    assert [mark.passed for mark in record.marks] == [True] * 4
    assert record.notes[0] == examine.FULL_LAB


def wrong_by_turns():
    """Return lists of wrong answers: the first of each exercise, ..."""
    turns = []
    for name in names():
        mine = [p.values[1] for p in wrong_answers() if p.values[0] == name]
        for turn, answer in enumerate(mine):
            turns[turn:] = turns[turn:] or [[]]
            turns[turn].append((name, answer))
    first, *later = turns
    return [
        pytest.param(first, id="first"),
        *(
            pytest.param(turn, id=str(number), marks=pytest.mark.slow)
            for number, turn in enumerate(later, 2)
        ),
    ]


@SHUT_IN
@pytest.mark.parametrize("turn", wrong_by_turns())
def test_wrong_answers_get_their_messages(turn):
    sources = []
    for name, answer in turn:
        sources.append(in_space(source(answer), name, answer.__name__))
    marks = {mark.exercise: mark for mark in examined(*sources).marks}
    for name, answer in turn:
        assert not marks[name].passed
        assert inspect.getdoc(answer) in marks[name].message


@SHUT_IN
@pytest.mark.slow
def test_what_hangs_or_dies_costs_only_itself():
    record = examined(
        "from diffusion_lite.exercises import check\n1 / 0",
        "def f(*given):\n    while True: pass\ncheck('forward-1', f)",
        "import os\ncheck('forward-2', lambda *given: os._exit(0))",
        "os._exit(0)",
        "import math\n"
        "def left_after(T):\n"
        "    b = [1e-4 + i * 0.0199 / (T - 1) for i in range(T)]\n"
        "    return math.prod(1 - x for x in b)\n"
        "check('forward-3', left_after)",
    )
    first, second, third, fourth = record.marks
    assert "It does not end" in first.message
    assert "its process has ended" in second.message
    assert third.passed
    assert fourth.message == "Not handed in."
    assert record.notes == [
        "Code cell 1: ZeroDivisionError: division by zero",
        "Code cell 4: The process of the whole notebook ended here.",
    ]


@SHUT_IN
@pytest.mark.slow
def test_a_cell_that_does_not_end_is_left_out(monkeypatch):
    monkeypatch.setattr(examine, "CELL_SECONDS", 8.0)
    record = examined(
        *hostile.cells("hangs", []),
        "check('forward-3', lambda T: 1.0)",
    )
    assert "left_after" in record.marks[2].message
    assert record.notes == [
        "Code cell 2: It did not end in time, and was stopped."
    ]


TIMES = {
    "all of it": ([":", "while True: pass"], 3, True),
    "all of it, first": (["while True: pass", ":"], 3, True),
    "again and again": ([":", *["while True: pass"] * 8], 2, True),
    "a part": ([":", "import time; time.sleep(0.5)"], 1, True),
    "less than a start": ([":"], 1, True),
    "before all": (["while True: pass"] * 8 + [":"], 1, None),
}
"""Cells, seconds, and whether the answer is right, or None: unchecked."""

QUICK = (
    "import math\nfrom diffusion_lite.exercises import check\n"
    "def left_after(T):\n"
    "    b = [1e-4 + i * 0.0199 / (T - 1) for i in range(T)]\n"
    "    return math.prod(1 - x for x in b)\n"
    "check('forward-3', left_after)"
)


@SHUT_IN
@pytest.mark.slow
@pytest.mark.parametrize("kind", TIMES)
def test_what_is_handed_in_before_the_time_is_up_is_checked(kind):
    given, seconds, right = TIMES[kind]
    given = [QUICK if cell[0] == ":" else cell for cell in given]
    settings = replace(SETTINGS, seconds=seconds)
    record = examined(*given, settings=settings)
    mark = record.marks[2]
    assert mark.passed is bool(right), mark
    assert (mark.message == examine.UNCHECKED) is (right is None)
    endless = [k for k, cell in enumerate(given, 1) if cell[:5] == "while"]
    told = [f"Code cell {k}: {examine.LATE}" for k in endless]
    assert record.notes == told[: len(record.notes)]
    assert bool(record.notes) is bool(endless)


@SHUT_IN
def test_what_works_in_a_lab_works_or_says_why_not():
    cells = {
        "%%writefile mine.py\ndef f(*given): return 0.5": "",
        "from mine import f\nfrom diffusion_lite.exercises import check\n"
        "check('forward-1', f)": "",
        "!echo hello > said.txt\nassert 'said.txt' in str(get_ipython()"
        ".getoutput('ls'))": "",
        "%%bash\ncp said.txt more.txt": "",
        "found = !cat more.txt\nassert found == ['hello'], found": "",
        "%run mine.py\n%time 1\n%timeit -n1 -r1 1\n%cd ..": "",
        "%pip install --retries 0 a-package": "",
        "import a_package": "(Here is what the labs need, and no network",
        "from urllib.request import urlopen\nurlopen('https://a.example')": (
            "(There is no network here.)"
        ),
        "open('/x', 'w')": "(Only the notebook's own folder can be",
        "input('Name?')": "(Nobody is there to type an answer.)",
        "quit": "SystemExit: the notebook asked to end here",
    }
    record = examined(*cells)
    assert "yours 0.5, should be" in record.marks[0].message
    due = [each for each in cells.values() if each]
    assert len(record.notes) == len(due), record.notes
    for note, each in zip(record.notes, due, strict=True):
        assert each in note


@SHUT_IN
def test_a_cell_may_wait_longer_than_it_may_compute(monkeypatch):
    monkeypatch.setattr(examine, "CELL_SECONDS", 2.0)
    wait = "import time\nfrom diffusion_lite.exercises import check\n"
    wait += "time.sleep(4)\ncheck('forward-1', None)"
    record = examined(wait, "while True: pass")
    assert record.notes == [
        "Code cell 2: It did not end in time, and was stopped."
    ]


@SHUT_IN
@pytest.mark.slow
def test_an_answer_that_waits_for_its_neighbours_is_not_endless():
    record = examined(
        "import time\nfrom diffusion_lite.exercises import check\n"
        "def slow(*given): time.sleep(7); return 0.5\n"
        "check('forward-1', slow)\n"
        "def endless(*given):\n    while True: pass\n"
        "check('forward-2', endless)"
    )
    assert "yours 0.5, should be" in record.marks[0].message
    assert "It does not end" in record.marks[1].message


def test_memory_is_limited_on_top_of_what_is_mapped():
    """As a build of PyTorch for CUDA maps it: address space, and no more."""
    program = (
        "import mmap; kept = mmap.mmap(-1, 3 * 2**30, prot=0)\n"
        "from diffusion_lite_classroom.sandbox import limits\n"
        "limits(2**30, 60, False); fits = bytearray(2**29)\n"
        "try: bytearray(2**30)\n"
        "except MemoryError: print('bounded')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("bounded\n", "")


@SHUT_IN
def test_a_notebook_has_its_shell_and_its_pictures():
    record = examined(
        "%matplotlib inline\nimport matplotlib.pyplot as plt, ipywidgets\n"
        "from tqdm.auto import tqdm\n_ = list(tqdm(range(3)))\n"
        "plt.plot([1, 2])\nplt.show()",
        "import os\nassert os.environ['QUICK'] == '1'\n"
        "open('mine.txt', 'w').write('x')\nassert os.listdir('.')\n"
        "import asyncio\nawait asyncio.sleep(0)\nipywidgets.IntSlider()",
        "from diffusion_lite.exercises import check\n"
        "assert check('forward-1', None)",
    )
    assert record.notes == []
    assert "None, and not a function" in record.marks[0].message


# ---- those who would rather not be graded -----------------------------------


# What a notebook must not read. Nothing is spoilt there, should a lock fail.
ELSEWHERE = [
    str(ROOT / "notebooks"),
    str(ROOT / "tests"),
    str(Path.home()),
    "/etc/passwd",
    "/etc/hostname",
    "/var",
    "/dev/shm",
]
CHECKS = str(ROOT / "diffusion_lite/exercises/forward.py")


@pytest.fixture
def targets(tmp_path):
    """Return places that a notebook may neither read nor change."""
    for name in ("sub/bob/01.ipynb", "results/grades.csv", "home/key"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"secret {name}")
    return [str(tmp_path), *map(str, sorted(tmp_path.rglob("*")))]


def state(targets):
    """Return all that a change would change in places."""
    return {
        path: (entry.st_mode, entry.st_uid, entry.st_mtime_ns)
        for path in targets
        for entry in [os.lstat(path)]
    }


def attack(name, targets, **settings):
    """Let a hostile notebook try; return the grader's record."""
    given = asdict(SETTINGS) | settings
    record = examined(
        *hostile.cells(name, targets), settings=examine.Settings(**given)
    )
    assert not any(mark.passed for mark in record.marks)
    assert len(record.marks) == 4
    return record


@SHUT_IN
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("kills", "RuntimeError: killed [], sees ['1', '2']"),
        ("spoils", "RuntimeError: spoilt []"),
        (
            "eats",
            "RuntimeError: below 5 GB: True, files below 2 GB: True",
        ),
        ("forks", "It was stopped: more than 12 processes at once."),
    ],
    ids=lambda text: text.split()[0],
)
def test_what_it_tries_does_not_work(name, found, targets):
    before = state(targets)
    record = attack(name, targets)
    assert f"Code cell 2: {found}" in record.notes
    assert state(targets) == before


@SHUT_IN
def test_it_reaches_no_network(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
    ):
        local.bind(str(tmp_path / "socket"))
        local.listen()
        port = server.getsockname()[1]
        targets = [f"127.0.0.1:{port}", str(tmp_path / "socket")]
        (note,) = attack("calls_home", targets).notes
    assert note == "Code cell 2: RuntimeError: reached [], has ['lo']"


@SHUT_IN
@pytest.mark.slow
def test_threads_are_bounded():
    """An ordinary user's by a resource limit, root's by the watch."""
    (note,) = attack("threads", []).notes
    assert note in (
        "Code cell 2: RuntimeError: threads below 1000: True",
        "Code cell 2: It was stopped: more than 200 threads at once.",
    )


@SHUT_IN
@pytest.mark.slow
def test_what_processes_take_is_added_up():
    (note,) = attack("shares", [], memory=5 * 2**29).notes
    assert note == "Code cell 2: It was stopped: more than 2.5 GB."


@SHUT_IN
@pytest.mark.slow
@pytest.mark.skipif(grade.cores()[1:] == [], reason="there is one core only")
def test_it_stays_on_its_own_core():
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        (note,) = attack("takes_cores", []).notes
    finally:
        os.sched_setaffinity(0, all_of_them)
    assert "It was stopped: a processor core that is not its own" in note


@SHUT_IN
def test_a_spy_reads_nothing(targets, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    (note,) = attack("spies", [*targets, *ELSEWHERE, CHECKS]).notes
    assert "read [], holds ['" in note
    assert "SECRET" not in note


@SHUT_IN
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("asks_back", "it stops with RuntimeError: heard []"),
        ("peeks", "it stops with RuntimeError: sees [] and []"),
        ("injects", "</dd><script>alert(1)</script>"),
        ("redefines", "the variance is wrong: yours 0.5, should be"),
        ("stutters", "the variance is wrong: yours 0.5, should be"),
    ],
    ids=lambda text: text.split()[0],
)
def test_what_its_answer_tries_gains_nothing(name, told, targets):
    assert told in attack(name, targets).marks[0].message


@SHUT_IN
@pytest.mark.slow
@pytest.mark.parametrize("name", ["forges", "floods", "leaves", "hangs"])
def test_what_disturbs_the_talk_gains_nothing(name, targets, monkeypatch):
    monkeypatch.setattr(examine, "CELL_SECONDS", 20.0)
    start = time.monotonic()
    attack(name, targets)
    assert time.monotonic() - start < 150


def below(pid):
    """Return the processes that a process started, and theirs."""
    family = [pid]
    for each in family:
        for path in Path(f"/proc/{each}/task").glob("*/children"):
            family += path.read_text().split()
    return set(family[1:])


@SHUT_IN
def test_of_a_notebook_that_is_over_nothing_is_left():
    cells = hostile.cells("lingers", [])
    with examine.Worker(SETTINGS) as worker:
        worker.run(cells, [])
        scratch = Path(worker.scratch.name)
        assert list(scratch.iterdir()) == []  # it is mounted elsewhere
        inside = below(worker.process.pid)
    assert len(inside) == 3  # bubblewrap's second, the notebook, what lingers
    assert not scratch.exists()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{each}").exists() for each in inside):
            break
        time.sleep(0.05)
    assert not any(Path(f"/proc/{each}").exists() for each in inside)


# ---- a class ----------------------------------------------------------------


def hand_in(folder, student, name, data):
    path = folder / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def grader(*given, **more):
    """Start the command, which heeds Ctrl-C even if these tests do not."""
    return subprocess.Popen(
        [sys.executable, "-m", "diffusion_lite_classroom", *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        **more,
    )


def rows_of(out):
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@SHUT_IN
def test_a_class_is_graded_and_graded_on(tmp_path, monkeypatch, capsys):
    sub, out = tmp_path / "sub", tmp_path / "out"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    given = ["x", str(sub), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", given)
    for student in ("ada", "=bob"):
        hand_in(sub, student, "01_forward.ipynb", notebook(hostile.WRONG))
    hand_in(sub, "eve", "01.ipynb", notebook(*hostile.cells("injects", [])))
    hand_in(sub, "liz", "02.ipynb", b"{")
    hand_in(sub, "max", "notes.txt", b"")
    os.symlink(sub / "ada", sub / "sly")
    os.symlink(sub / "ada/01_forward.ipynb", sub / "max/03.ipynb")
    os.mkfifo(sub / "max/04.ipynb")
    hand_in(sub, "tom", "big.ipynb", b" " * (examine.LARGEST_NOTEBOOK + 1))

    assert __main__.main() == 0
    said = capsys.readouterr().out
    assert "8 notebooks, 4 to grade" in said
    assert said.count(" of 4 right, ") == 3

    rows = rows_of(out)
    assert {row["passed"] for row in rows} == {"no"}
    assert [row["exercise"] for row in rows if row["student"] == "ada"] == [
        f"forward-{k}" for k in range(1, 5)
    ]
    told = {(row["student"], row["notebook"]): row["message"] for row in rows}
    assert "format 4" in told["liz", "02.ipynb"]
    assert "a link" in told["sly", "sly"]
    assert "a link" in told["max", "03.ipynb"]
    assert "not a file" in told["max", "04.ipynb"]
    assert "larger than" in told["tom", "big.ipynb"]
    assert "'=bob" in {row["student"] for row in rows}

    text = (out / "eve.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text

    hand_in(sub, "ada", "01_forward.ipynb", notebook(hostile.WRONG, "1"))
    assert __main__.main() == 0
    assert "8 notebooks, 1 to grade" in capsys.readouterr().out
    assert len(rows_of(out)) == len(rows)


@SHUT_IN
@pytest.mark.slow
def test_stopped_it_goes_on(tmp_path):
    sub, out = tmp_path / "sub", tmp_path / "out"
    for k in range(4):
        cell = f"import time\ntime.sleep({4 * k})\n{hostile.WRONG}"
        hand_in(sub, f"s{k}", "01_forward.ipynb", notebook(cell))
    process = grader(str(sub), "--out", str(out))
    assert "4 to grade" in process.stdout.readline()
    assert "1/4" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert errors == "Stopped. The same command goes on.\n"
    assert process.returncode == 130
    left = [row for row in rows_of(out) if not row["exercise"]]
    assert left
    assert {row["message"] for row in left} == {grade.NOT_DONE}
    said, _ = grader(str(sub), "--out", str(out)).communicate(timeout=120)
    assert f"4 notebooks, {len(left)} to grade" in said
    assert len(rows_of(out)) == 16


@SHUT_IN
@pytest.mark.slow
def test_stopped_while_a_process_starts_it_leaves_none(tmp_path, monkeypatch):
    started = []
    start = ForkServerProcess.start

    def stopped(process):
        start(process)
        started.append(process)
        signal.raise_signal(signal.SIGINT)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(ForkServerProcess, "start", stopped)
    sub = tmp_path / "sub"
    hand_in(sub, "ada", "01_forward.ipynb", notebook("while True:\n    pass"))
    with pytest.raises(KeyboardInterrupt):
        grade.Class(sub, tmp_path / "out", SETTINGS).grade()
    ours = signal.default_int_handler
    assert signal.signal(signal.SIGINT, usual) is ours  # as it was
    (process,) = started
    assert not process.is_alive()


def test_a_table_holds_no_formula():
    row = dict.fromkeys(report.COLUMNS, "")
    for text in ("=1", "+1", "-1", "@x", "\t=1", "\r\n=1", " =1"):
        table = report.table([row | {"message": text}])
        (got,) = csv.DictReader(table.splitlines())
        assert got["message"][:2] in ("'=", "'+", "'-", "'@")


def test_a_page_holds_no_html():
    mark = {"exercise": "forward-1", "passed": False, "message": "<b>"}
    text = report.page("<i>", {"<u>": {"marks": [mark], "notes": ["<s>"]}})
    for tag in ("<b>", "<i>", "<u>", "<s>"):
        assert tag not in text
        assert f"&lt;{tag[1]}&gt;" in text
    assert "0 of 1 exercises are right" in text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"3",
        b"\xff\xfe",
        b"[" * 10**6,
        b'{"cells": 3}',
        b'{"cells": [3]}',
        b'{"cells": [{"cell_type": "code", "source": 3}]}',
        b'{"cells": [{"cell_type": "code", "source": [3]}]}',
        b'{"worksheets": [{"cells": []}]}',
    ],
)
def test_what_is_no_notebook_is_said_to_be_none(data):
    record = examine.examine("x.ipynb", data, SETTINGS)
    assert record.marks == []
    assert "format 4" in record.notes[0]


def test_a_notebook_is_about_the_chapters_that_it_names():
    about = examine.exercises_of
    assert about("x.ipynb", ['check("elbo-2", f)'])[0] == "elbo-1"
    assert about("06_GAN.ipynb", ["pass"])[0] == "gan-1"
    assert about("x.ipynb", ["check(f'gan-{1}', f)"])[0] == "gan-1"
    assert about("x.ipynb", ["pass", "gan-1"]) == []
    record = examined("pass")
    assert "No exercise" in record.notes[0]


def test_without_students_the_layout_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sandbox, "missing", str)
    monkeypatch.chdir(tmp_path)
    hand_in(Path("sub"), "ada", "1.pdf", b"")
    given = {
        ("nothing",): "there is no folder nothing: expected a folder for each",
        ("sub/ada/1.pdf",): "there is no folder sub/ada/1.pdf: expected",
        (os.fsdecode(b"\xff"),): "there is no folder \ufffd: expected",
        ("",): "submissions: give a folder, not ''",
        ("sub", "--out", ""): "--out: give a folder, not ''",
        ("sub",): "there is no notebook in sub: expected a folder for each",
        (".",): "results cannot go into . itself",
    }
    for words, told in given.items():
        monkeypatch.setattr(sys, "argv", ["x", *words])
        with contextlib.suppress(SystemExit):
            assert __main__.main() == 2
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sub"]


def test_without_bubblewrap_one_sentence_says_what_to_do(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path)])
    assert __main__.main() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "apt install bubblewrap" in said
    assert "--without-isolation inside a container" in said


def test_a_bubblewrap_that_fails_says_why(tmp_path, capsys, monkeypatch):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: no permissions' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path)])
    assert __main__.main() == 2
    said = capsys.readouterr().err
    assert "(bwrap: no permissions)" in said
    assert "--without-isolation inside a container" in said


@pytest.mark.slow
def test_without_isolation_it_runs_all_the_same(tmp_path):
    hand_in(tmp_path / "sub", "ada", "1.ipynb", notebook(hostile.WRONG))
    given = [str(tmp_path / "sub"), "--out", str(tmp_path / "out")]
    said, errors = grader(*given, "--without-isolation").communicate()
    assert errors == ""
    assert "0 of 4 right" in said
