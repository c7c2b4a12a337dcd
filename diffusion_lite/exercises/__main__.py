"""Grade a class: ``python -m diffusion_lite.exercises grade SUBMISSIONS``."""

import argparse
import sys
from pathlib import Path

from diffusion_lite.exercises import jail
from diffusion_lite.exercises.grade import grade

WITHOUT = "--without-isolation"


def parser() -> argparse.ArgumentParser:
    """Return what the command accepts."""
    top = argparse.ArgumentParser(prog="python -m diffusion_lite.exercises")
    command = top.add_subparsers(required=True).add_parser(
        "grade",
        help="grade a whole class",
        description="Run each student's notebooks, shut in, and check what "
        "they hand in. Stopped, it goes on where it was.",
    )
    command.add_argument(
        "submissions", type=Path, help="a folder for each student in it"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        help="where the table and the pages go (results)",
    )
    command.add_argument(
        "--seconds",
        type=int,
        default=300,
        help="how long a notebook may take, checks and all (300)",
    )
    command.add_argument(
        "--memory", type=float, default=4.0, help="how much, in GB (4)"
    )
    command.add_argument(
        WITHOUT,
        action="store_true",
        help="let notebooks do what you may do: on a throw-away machine only",
    )
    return top


def main() -> int:
    """Grade a class; return the command's status."""
    given = parser().parse_args()
    lacks = [] if given.without_isolation else jail.missing()
    if lacks:
        print(
            "This machine cannot shut a notebook in. It lacks "
            f"{'; '.join(lacks)}.\nOn a machine or in a container that you "
            f"throw away afterwards, give {WITHOUT}.",
            file=sys.stderr,
        )
        return 2
    settings = {
        "isolated": not given.without_isolation,
        "memory": int(given.memory * 2**30),
        "seconds": given.seconds,
    }
    try:
        grade(given.submissions, given.out, settings)
    except (ValueError, NotADirectoryError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command goes on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
