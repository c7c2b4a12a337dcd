"""Run a notebook's cells, then answer calls to the functions it hands in.

This is the student's side, in a process of its own (see ``sandbox``). Nothing
here decides whether an answer is right, and nothing here is secret: the
notebook shares this process, and may change all that is in it.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from socket import socket

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import diffusion_lite.exercises
from diffusion_lite.exercises.state import as_usual, in_time
from diffusion_lite_classroom.remote import Peer, told
from diffusion_lite_classroom.sandbox import limits
from diffusion_lite_classroom.wire import Lost, Pipe, Writer


class HandedIn:
    """What a notebook is shown in the place of a verdict."""

    def __repr__(self) -> str:
        return "Handed in."


class Shell(InteractiveShell):
    """A notebook's shell, without a screen."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing: %matplotlib asks for it."""

    def ask_exit(self) -> None:
        """End the cell: exit and quit ask for it."""
        raise SystemExit("the notebook asked to end here")


def main(number: int, bounds: dict) -> None:
    """Serve the grader through the open file of this number."""
    limits(**bounds)
    peer = Peer(Pipe(socket(fileno=number)))
    peer.pipe.send({"ready": True})
    try:
        answers, errors = run(peer, **peer.pipe.receive())
        as_usual(partial(serve, peer, answers, errors))
    except Lost:
        return


def serve(peer: Peer, answers: dict[str, Callable], errors: list) -> None:
    """Hand in, and answer questions as a lab's check asks them.

    Whatever state one answer leaves behind, the next is asked as usual.
    """
    write = Writer(peer.hold, None)
    handed_in = [[str(name), write(each)] for name, each in answers.items()]
    peer.pipe.send({"handed_in": handed_in, "errors": errors})
    while True:
        answer = partial(peer.answer, peer.pipe.receive())
        as_usual(partial(in_time, answer, None))


def run(peer: Peer, cells: list, skip: list) -> tuple[dict, list]:
    """Run the cells, but for some; return what they check, and errors.

    As in a lab, they import what they wrote into their folder before.
    """
    sys.path.insert(0, "")
    answers: dict[str, Callable] = {}

    def check(name: str, answer: Callable, *, seed: int = 0) -> HandedIn:
        answers[name] = answer
        return HandedIn()

    diffusion_lite.exercises.check = check
    shell = Shell.instance(config=Config(HistoryManager={"enabled": False}))
    errors = []
    for number, source in enumerate(cells):
        if number not in skip:
            peer.pipe.send({"cell": number})
            if error := stopped(shell, source):
                errors.append([number, *error])
    return answers, errors


def stopped(shell: InteractiveShell, source: str) -> list | None:
    """Run a cell; return the error that stopped it, if one did."""
    try:
        result = shell.run_cell(source)
        error = result.error_before_exec or result.error_in_exec
    except BaseException as raised:  # the notebook may have changed anything
        error = raised
    return told(error) if error is not None else None


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
