"""The command: ``python -m diffusion_lite_classroom SUBMISSIONS``."""

import argparse
import sys
from pathlib import Path

from diffusion_lite_classroom import sandbox
from diffusion_lite_classroom.grade import grade


def parser() -> argparse.ArgumentParser:
    """Return what the command accepts."""
    command = argparse.ArgumentParser(
        prog="python -m diffusion_lite_classroom",
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
    lacks = "" if given.without_isolation else sandbox.missing()
    if lacks:
        print(lacks, file=sys.stderr)
        return 2
    settings = {
        "isolated": not given.without_isolation,
        "memory": int(given.memory * 2**30),
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
