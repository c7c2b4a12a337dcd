"""Setting up: a Python too old and a failed install say so in a sentence."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(__file__).resolve().parent.parent.parent
STAMP = Path(".venv", ".installed")
PREREQUISITES = [
    "requirements.txt",
    "pyproject.toml",
    "classroom/pyproject.toml",
]


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Stand in for venv and pip; .status[tool] is what the tool returns."""
    monkeypatch.chdir(tmp_path)

    def call(command, stdout=None, stderr=None):
        tool = command[2]
        Path(".venv").mkdir(exist_ok=True)
        if tool == "pip" and call.status["pip"]:
            stdout.write("Collecting x\nERROR: a\nERROR: No x==9 found\n")
        return call.status[tool]

    call.status = {"venv": 0, "pip": 0}
    monkeypatch.setattr(bootstrap.subprocess, "call", call)
    return call


def test_an_installation_is_stamped(commands):
    bootstrap.main()
    assert STAMP.exists()


def test_an_old_python_is_refused(commands, monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 6))
    with pytest.raises(SystemExit, match=r"3\.11 or newer, and this is 3\.9"):
        bootstrap.main()
    assert not Path(".venv").exists()


def test_a_missing_venv_module_is_named(commands):
    commands.status["venv"] = 1
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        bootstrap.main()
    assert not STAMP.exists()


def test_a_failed_install_gives_pips_reason(commands):
    commands.status["pip"] = 1
    with pytest.raises(SystemExit, match=r"No x==9 found.*try again"):
        bootstrap.main()
    assert not STAMP.exists()


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize("says", ["Python 3.9.6", "False", None])
def test_make_refuses_an_old_or_missing_python(tmp_path, says):
    python = tmp_path / "python3"
    if says:
        python.write_text(f"#!/bin/sh\necho {says}\n")
        python.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "classroom").mkdir()
    for name in PREREQUISITES:
        (tmp_path / name).touch()
    done = subprocess.run(
        ["make", "book", f"PYTHON={python}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    sentence, makes_own = done.stderr.splitlines()
    assert done.returncode
    assert sentence.startswith("Diffusion Lite needs Python 3.11 or newer")
    assert re.match(r"make(\[\d+\])?: \*\*\*", makes_own)
