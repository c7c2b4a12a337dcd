"""Whatever is odd about one hand-in is a line of that student's."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from diffusion_lite_classroom import __main__, grade, report, sandbox

SETTINGS = grade.Settings(False, 2**32, 60, "fonts")
PLAIN = nbformat.writes(
    nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
).encode()
"""A notebook without an exercise: nothing has to be run."""

DONE = 'No exercise is in it: no line like check("forward-1", answer).'
NONE = "It is no Jupyter notebook of format 4: save it again."

NAMES = [
    "Zoë",
    unicodedata.normalize("NFD", "Zoë"),
    "ZOË",
    "\u674e\u96f7",
    os.fsdecode(b"\xff\xfe"),
    os.fsdecode(b"\xff\xfd"),
    "x" * 255,
    "x" * 254 + "y",
    "\u00e9" * 120,
    "a\nb",
    "a\tb",
    "a,b",
    'a"b',
    "=cmd()",
    "\uff1dcmd()",
    "-1",
    "\u202eada",
    "<script>alert(1)<",
    "a:b?c*",
    "dot.",
    "space ",
    "folder.ipynb",
    "records",
    "grades.csv",
    "\U0001f469\u200d\U0001f4bb",
]


def hand_in(folder, student, name="1.ipynb", data=PLAIN):
    (folder / student).mkdir(parents=True, exist_ok=True)
    (folder / student / name).write_bytes(data)
    return folder / student / name


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def graded(*given, **environment):
    """Grade a class as a command; return what it said."""
    command = [sys.executable, "-m", "diffusion_lite_classroom", *given]
    done = subprocess.run(
        [*map(str, command), "--without-isolation"],
        capture_output=True,
        env={**os.environ, **environment},
    )
    assert done.stderr == b""
    assert done.returncode == 0
    return done.stdout


def told(out):
    """Return what the table says of each notebook."""
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return [
            (row["student"], row["notebook"], row["message"])
            for row in csv.DictReader(file)
        ]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["gbk", "ascii", "cp1252", "utf-8"])
def test_whatever_students_are_called_all_are_graded(tmp_path, encoding):
    for name in NAMES:
        hand_in(tmp_path / "sub", name)
    out = tmp_path / "out"
    said = graded(
        tmp_path / "sub", "--out", out, PYTHONIOENCODING=encoding
    ).decode(encoding)
    assert said.count(DONE) == len(NAMES)
    lines = told(out)
    assert [line[1:] for line in lines] == [("1.ipynb", DONE)] * len(NAMES)
    assert not any(line[0].startswith(("=", "-", "\uff1d")) for line in lines)
    pages = [path.name for path in out.glob("*.html")]
    assert len(pages) == len(NAMES)
    usual = {unicodedata.normalize("NFC", n).casefold() for n in pages}
    assert len(usual) == len(NAMES)
    assert max(len(os.fsencode(name)) for name in pages) < 230
    assert not any(set(name) & set('<>:"/\\|?*\n\t') for name in pages)
    assert "records.html" in pages
    assert not any("<script" in p.read_text("utf-8") for p in out.glob("*l"))


@pytest.fixture
def odd(tmp_path):
    """Return a folder of hand-ins of every kind, and what is due of each."""
    sub = tmp_path / "sub"
    text = PLAIN.decode()
    by_bytes = {
        "fine": (PLAIN, DONE),
        "bom": (text.encode("utf-8-sig"), DONE),
        "utf-16": (text.encode("utf-16"), DONE),
        "latin-1": (text.replace('"1"', '"\xe9"').encode("latin-1"), NONE),
        "empty": (b"", NONE),
        "picture": (b"\x89PNG\r\n\x1a\n", NONE),
        "format 3": (b'{"worksheets": [{"cells": []}], "nbformat": 3}', NONE),
        "large": (b" " * (100 * 2**20), "It is larger than 20 MB"),
        "no source": (b'{"cells": [{"cell_type": "code"}]}', DONE),
        "null": (
            b'{"cells": [{"cell_type": "code", "source": null}]}',
            DONE,
        ),
        "long": (
            PLAIN.replace(b'"1"', b'"' + b"1" * 9 * 2**20 + b'"'),
            "It holds more than 8 MB of code.",
        ),
    }
    due = {}
    for student, (data, message) in by_bytes.items():
        due[student, "1.ipynb"] = message
        hand_in(sub, student, data=data)
    for name in ("._1.ipynb", ".DS_Store", "Thumbs.db", "desktop.ini"):
        hand_in(sub, "fine", name)
        (sub / name).write_bytes(b"x")
    hand_in(sub, "__MACOSX/ada")
    hand_in(sub, "fine/.ipynb_checkpoints")
    hand_in(sub, ".ipynb_checkpoints")
    return sub, due


A_FOLDER = "It is a folder: put the notebook out of it, beside it."
LINES = {
    ("unpacked", "1.ipynb"): A_FOLDER,
    ("deeper", "lab"): A_FOLDER,
    ("packed", "1.zip"): "It is packed: unpack it here.",
    ("named", "1.ipynb.txt"): "Its name must end in .ipynb",
    ("CAPITALS", "1.IPYNB"): DONE,
    ("other", "other"): "There is no notebook, only 1.pdf, a/b/c.zip.",
    ("kept", "kept"): "only .ipynb_checkpoints/1-checkpoint.ipynb.",
    ("many", "many"): "only 0.py, 1.py, 2.py and more.",
    ("nobody", "nobody"): "There is no notebook, and no other file.",
    ("folder", "folder"): "The folder is a link.",
    ("loose.ipynb", "loose.ipynb"): "It lies beside the folders: put it",
    ("ada.zip", "ada.zip"): "It is packed: unpack it into a folder",
    ("notes.txt", "notes.txt"): "It is no student's folder",
}


@pytest.mark.slow
def test_whatever_is_handed_in_all_are_graded(odd, tmp_path, capsys):
    sub, due = odd
    for name, make in {
        "link": lambda path: path.symlink_to(sub / "fine/1.ipynb"),
        "broken": lambda path: path.symlink_to(sub / "nothing"),
        "round": lambda path: path.symlink_to(path),
        "pipe": os.mkfifo,
        "zero": lambda path: path.symlink_to("/dev/zero"),
        "socket": a_socket,
    }.items():
        (sub / name).mkdir()
        make(sub / name / "1.ipynb")
        due[name, "1.ipynb"] = "It cannot be read"
    hand_in(sub, "unpacked/1.ipynb")
    hand_in(sub, "deeper/lab")
    hand_in(sub, "packed", "1.zip")
    hand_in(sub, "named", "1.ipynb.txt")
    hand_in(sub, "CAPITALS", "1.IPYNB")
    hand_in(sub, "other", "1.pdf")
    hand_in(sub, "other/a/b", "c.zip")
    hand_in(sub, "kept/.ipynb_checkpoints", "1-checkpoint.ipynb")
    for number in range(9):
        hand_in(sub, "many", f"{number}.py")
    (sub / "nobody").mkdir()
    (sub / "folder").symlink_to(sub / "fine")
    (sub / "loose.ipynb").write_bytes(PLAIN)
    (sub / "ada.zip").write_bytes(b"PK")
    (sub / "notes.txt").write_bytes(b"")
    due |= LINES
    graded(sub, "--out", tmp_path / "out")
    found = {line[:2]: line[2] for line in told(tmp_path / "out")}
    assert found.keys() == due.keys()
    for key, message in due.items():
        assert message in found[key], key
    assert len(list((tmp_path / "out").glob("*.html"))) == len(
        {student for student, _ in due}
    )


def test_what_may_not_be_read_is_a_line(tmp_path, monkeypatch):
    """Root may read all: the system's refusal is played."""
    for student in ("ada", "bob"):
        hand_in(tmp_path / "sub", student)
    usual = Path.iterdir

    def refusing(path):
        if path.name == "ada":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    room = grade.Class(tmp_path / "sub", tmp_path / "out", SETTINGS)
    faults = [each.fault for each in room.notebooks]
    assert faults == ["The folder cannot be read: Permission denied.", ""]


@pytest.mark.slow
def test_a_notebook_that_vanishes_costs_only_itself(tmp_path, capsys):
    sub = hand_in(tmp_path / "sub", "ada").parent.parent
    room = grade.Class(sub, tmp_path / "out", SETTINGS)
    (tmp_path / "sub/ada/1.ipynb").unlink()
    room.grade()
    room.write()
    assert told(tmp_path / "out") == [("ada", "1.ipynb", grade.NOT_DONE)]


@pytest.mark.parametrize(
    ("name", "value"), [("memory", 1), ("seconds", 1), ("isolated", True)]
)
def test_what_was_graded_with_other_limits_is_graded_anew(
    name, value, tmp_path
):
    sub, out = hand_in(tmp_path / "sub", "ada").parent.parent, tmp_path / "out"
    room = grade.Class(sub, out, SETTINGS)
    path = room.record(room.notebooks[0])
    other = grade.Class(sub, out, replace(SETTINGS, **{name: value}))
    again = grade.Class(sub, out, replace(SETTINGS, fonts="others"))
    assert other.record(other.notebooks[0]) != path
    assert again.record(again.notebooks[0]) == path


def test_results_that_vanish_are_written_all_the_same(tmp_path):
    sub = hand_in(tmp_path / "sub", "ada").parent.parent
    room = grade.Class(sub, tmp_path / "out", SETTINGS)
    (tmp_path / "out/records").rmdir()
    (tmp_path / "out").rmdir()
    room.write()
    assert told(tmp_path / "out") == [("ada", "1.ipynb", grade.NOT_DONE)]


@pytest.mark.parametrize("out", ["sub/ada/1.ipynb", "file", "file/below"])
def test_results_that_cannot_be_written_are_told_at_once(
    out, tmp_path, capsys, monkeypatch
):
    hand_in(tmp_path / "sub", "ada")
    (tmp_path / "file").write_text("")
    given = ["x", str(tmp_path / "sub"), "--out", str(tmp_path / out)]
    monkeypatch.setattr(sys, "argv", given)
    monkeypatch.setattr(sandbox, "missing", str)
    assert __main__.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("results cannot")
    assert said.err.count("\n") == 1


@pytest.mark.slow
def test_if_nobody_reads_the_progress_all_are_graded(tmp_path):
    for number in range(4):
        hand_in(tmp_path / "sub", f"s{number}")
    command = [sys.executable, "-m", "diffusion_lite_classroom"]
    command += [tmp_path / "sub", "--out", tmp_path / "out"]
    process = subprocess.Popen(
        [*map(str, command), "--without-isolation"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
    assert len(told(tmp_path / "out")) == 4


def test_a_record_that_is_broken_is_no_record(tmp_path):
    sub = hand_in(tmp_path / "sub", "ada").parent.parent
    room = grade.Class(sub, tmp_path / "out", SETTINGS)
    room.record(room.notebooks[0]).write_text(json.dumps("x")[:-1])
    room.write()
    assert told(tmp_path / "out") == [("ada", "1.ipynb", grade.NOT_DONE)]


def test_a_page_keeps_a_name_that_all_systems_can_have():
    odd = ["CON", "con.x", "NUL ", "Lpt9", "COM\u00b9.a.b", "conin$"]
    names = report.page_names(["ada", "=bob", "Zoë", "CONNY", "COM", *odd])
    kept = ["ada.html", "=bob.html", "Zoë.html", "CONNY.html", "COM.html"]
    assert [*names.values()][:5] == kept
    bases = {re.split("[.-]", names[name].casefold())[0] for name in odd}
    assert bases == {"con_", "nul_", "lpt9_", "com\u00b9_", "conin$_"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (option, value)
        for option in ("--seconds", "--memory")
        for value in ("0", "-1", "nan", "inf", "1e999", "x", "", "9" * 400)
    ]
    + [("--seconds", "1.5"), ("--memory", "0.01")],
)
def test_a_number_that_is_none_is_told(option, value, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "sub", f"{option}={value}"])
    with pytest.raises(SystemExit) as stopped:
        __main__.main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{option}: " in said
    assert "to " in said
    assert len(said) < 200


def test_half_a_gigabyte_is_enough_for_plain_code(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "sub", "--memory", "0.5"])
    assert __main__.parser().parse_args().memory == 2**29


def test_on_windows_the_advice_is_one_that_works(capsys, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    for more in ([], ["--without-isolation"]):
        monkeypatch.setattr(sys, "argv", ["x", "sub", *more])
        assert __main__.main() == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "WSL" in said
        assert "--without-isolation" not in said
