"""One build at a time in one folder.

The system itself keeps the lock, on an open file: it ends with the last
process that has the file open, however that process ends, so a build that
was killed locks nobody out.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

PAUSE = 0.2  # seconds between two tries


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; where another process has it, say so and wait.

    A child that inherits the file (``close_fds=False``) holds the lock too,
    so that a killed build's Sphinx never writes beside the next one.
    """
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "a+", encoding="utf-8") as file:
        os.set_inheritable(file.fileno(), True)
        if not _take(file):
            print(f"{_holder(file)} is at work here: waiting ...", flush=True)
            while not _take(file):
                time.sleep(PAUSE)
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield


def _holder(file: TextIO) -> str:
    file.seek(0)
    number = file.read().strip()
    return f"Another build (process {number})" if number else "Another build"


def _take(file: TextIO) -> bool:
    """Take the lock, or return False where another process has it."""
    try:
        if "msvcrt" in globals():
            # Windows shuts a locked byte to readers: one far behind the text.
            os.lseek(file.fileno(), 1 << 20, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
