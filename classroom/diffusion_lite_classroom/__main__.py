"""The command: ``python -m diffusion_lite_classroom SUBMISSIONS``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from diffusion_lite_classroom import sandbox
from diffusion_lite_classroom.grade import grade


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Say it, and leave."""
        self.exit(2, f"{message} (--help says more)\n")


def number(kind: type, low: float, high: int, unit: str) -> Callable:
    """Return what reads a number from low to high."""
    what = "whole number" if kind is int else "number"

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = high + 1
        if not low <= value <= high:  # nan is not either
            raise argparse.ArgumentTypeError(
                f"give a {what} of {unit} from {low} to {high}, not "
                f"{text[:40]!r}"
            )
        return value

    return read


def folder(text: str) -> Path:
    """Return a folder's path: nothing is not one."""
    if not text:
        raise argparse.ArgumentTypeError("give a folder, not ''")
    return Path(text)


def parser() -> argparse.ArgumentParser:
    """Return what the command accepts."""
    gigabytes = number(float, 0.1, 1000, "GB")
    command = Parser(
        prog="python -m diffusion_lite_classroom",
        description="Run each student's notebooks, shut in, and check what "
        "they hand in. Stopped, it goes on where it was.",
    )
    command.add_argument(
        "submissions", type=folder, help="a folder for each student in it"
    )
    command.add_argument(
        "--out",
        type=folder,
        default=Path("results"),
        help="where the table and the pages go (results)",
    )
    command.add_argument(
        "--seconds",
        type=number(int, 1, 86_400, "seconds"),
        default=300,
        help="how long a notebook's cells may compute, each time (300)",
    )
    command.add_argument(
        "--memory",
        type=lambda text: int(gigabytes(text) * 2**30),
        default=4 * 2**30,
        help="how much memory it may take, in GB (4)",
    )
    command.add_argument(
        "--without-isolation",
        action="store_true",
        help="let notebooks do all that you may do: in a throw-away container",
    )
    return command


def main() -> int:
    """Grade a class; return the command's status."""
    if hasattr(sys.stdout, "reconfigure"):  # it may be None, or anything
        sys.stdout.reconfigure(errors="backslashreplace")
    given = parser().parse_args()
    lacks = sandbox.unfit()
    if not given.without_isolation:
        lacks = lacks or sandbox.missing()
    if lacks:
        print(lacks, file=sys.stderr)
        return 2
    settings = {
        "isolated": not given.without_isolation,
        "memory": given.memory,
        "seconds": given.seconds,
    }
    try:
        grade(given.submissions, given.out, settings)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command goes on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
