"""What serves a class: the hub's settings, the container, Binder."""

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import requests

import editions

ROOT = Path(__file__).resolve().parent.parent.parent
CLASSROOM = ROOT / "classroom"
CONFIG = CLASSROOM / "jupyterhub_config.py"
PASSWORD = "a long password"


def test_binder_installs_the_lock_from_the_root():
    binder = (ROOT / ".binder" / "requirements.txt").read_text()
    assert binder.splitlines()[-1] == "-r ../requirements.txt"
    assert (ROOT / ".binder" / "runtime.txt").read_text() == "python-3.11\n"


def test_the_container_is_made_of_what_there_is():
    text = (CLASSROOM / "Dockerfile").read_text()
    (copied,) = re.findall(r"^COPY --chown=\w+ (\S+)", text, re.M)
    assert copied == "_build/student"
    assert "FROM python:3.11-slim" in text
    last_user = re.findall(r"^USER (\w+)", text, re.M)[-1]
    assert f"useradd --create-home {last_user}" in text
    index = "https://download.pytorch.org/whl/cpu"
    assert index in text
    assert index in (ROOT / "README.md").read_text()
    assert index in (ROOT / ".binder" / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Return a folder with JupyterHub in it; where there is none, skip."""
    place = tmp_path_factory.mktemp("hub")
    project = tomllib.loads((CLASSROOM / "pyproject.toml").read_text())
    wanted = project["project"]["optional-dependencies"]["hub"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    pip += ["--target", place, *wanted]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        how = f"JupyterHub could not be installed: {done.stderr[-500:]}"
        # A reader may be without a network; CI must try the settings.
        pytest.fail(how) if os.environ.get("CI") else pytest.skip(how)
    return place


@pytest.fixture(scope="module")
def labs():
    """Return the student labs, where the hub looks for them."""
    folder = ROOT / "_build" / "student"
    if not folder.exists():
        editions.student(ROOT, folder)
    return folder / "notebooks"


def start(hub, folder, password, port="18643"):
    """Start the hub, and return its process."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(hub),
        "CLASS_PASSWORD": password,
        "CLASS_FOLDER": str(folder / "class"),
        "CLASS_ADDRESS": f"http://127.0.0.1:{port}",
        "CLASS_PROXY": str(hub / "bin" / "configurable-http-proxy"),
    }
    run = [sys.executable, "-m", "jupyterhub", "-f", CONFIG]
    with (folder / "hub.log").open("wb") as log:
        return subprocess.Popen(
            run, cwd=folder, env=environment, stdout=log, stderr=log
        )


def get(session, address, holds="", seconds=90):
    """Return an answer that holds a text, asked for until it comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            answer = session.get(address, timeout=30)
        except requests.ConnectionError:
            answer = None
        if answer is not None and answer.ok and holds in answer.text:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"no answer from {address}: {answer}")


def log_in(address, name, password):
    """Return a session, and the answer to a name and a password."""
    session = requests.Session()
    get(session, f"{address}/hub/login")
    xsrf = session.cookies.get("_xsrf", path="/hub/")
    form = {"username": name, "password": password, "_xsrf": xsrf}
    return session, session.post(f"{address}/hub/login", data=form)


@pytest.mark.slow
def test_a_student_logs_in_and_has_the_labs(hub, labs, tmp_path):
    address = "http://127.0.0.1:18643"
    process = start(hub, tmp_path, PASSWORD)
    try:
        _, refused = log_in(address, "eve", "another password")
        assert refused.status_code == 403
        session, welcome = log_in(address, "ada", PASSWORD)
        assert welcome.status_code == 200
        get(session, f"{address}/hub/spawn/ada")
        get(session, f"{address}/user/ada/lab", holds="jupyter-config-data")
        given = {path.name for path in (tmp_path / "class" / "ada").iterdir()}
        assert {path.name for path in labs.glob("*.ipynb")} <= given
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_a_hub_without_a_password_does_not_start(hub, labs, tmp_path):
    process = start(hub, tmp_path, "short")
    assert process.wait(60) != 0
    assert "password of 8 letters" in (tmp_path / "hub.log").read_text()
