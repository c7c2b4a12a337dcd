"""Shut a notebook's process in: bubblewrap around it, limits upon it.

Bubblewrap gives the process namespaces of its own: no network, no sight of
other processes, and a tree of files that holds nothing but Python, its
packages and the system's libraries, read-only, and a small scratch folder in
memory. Resource limits bound each process (``limits``). What all processes
of a notebook take together is watched from outside (``excess``), because no
resource limit adds them up, and because root is exempt from the limit on
their number.
"""

import os
import re
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import diffusion_lite
from diffusion_lite.exercises.state import PATIENCE

PACKAGE = Path(diffusion_lite.__file__).parent
GRADER = Path(__file__).parent
TOOLS = ("__init__.py", "state.py", "trial.py")
"""The files of ``exercises`` that a notebook may read: they hold no check."""

PYTHON = (sys.executable, "-P")
SCRATCH_SIZE = 256 * 2**20
FILE_SIZE = 16 * 2**20
FILES = 64
PROCESSES = 12
"""How many there may be at once, bubblewrap's own two included."""

THREADS = 200
CHECKS_SECONDS = 300

INSTEAD = (
    "or give --without-isolation inside a container that you throw away "
    "afterwards."
)
INSTALL = (
    "Notebooks are shut in by bubblewrap, which is missing: install it (on "
    f"Debian and Ubuntu: apt install bubblewrap), {INSTEAD}"
)


ELSEWHERE = (
    "The grader needs Linux: on Windows run it in WSL (wsl --install), or in "
    "a virtual machine, where bubblewrap can be installed."
)


def unfit() -> str:
    """Return why no notebook can be run here at all, in a sentence, or ""."""
    return ELSEWHERE if sys.platform == "win32" else ""


def missing() -> str:
    """Return why no notebook can be shut in here, in a sentence, or ""."""
    if shutil.which("bwrap") is None:
        return INSTALL
    with TemporaryDirectory() as scratch:
        trial = [*PYTHON, "-c", "import diffusion_lite_classroom.worker"]
        done = subprocess.run(
            [*bubblewrap(scratch, fonts=scratch), *trial],
            capture_output=True,
            text=True,
            env=surroundings(scratch),
        )
    if not done.returncode:
        return ""
    *_, last = ["no reason given", *done.stderr.splitlines()]
    return (
        f"Bubblewrap cannot shut a notebook in here ({last}): run the grader "
        f"where it can, {INSTEAD}"
    )


def bubblewrap(scratch: str, fonts: str) -> list[str]:
    """Return the start of a command line that shuts the rest of it in.

    Nothing is writable but the scratch folder: /proc neither, for to its
    /proc/sys root may write without any capability.
    """
    line = "--unshare-all --unshare-user --disable-userns --cap-drop ALL"
    line += " --die-with-parent --new-session"
    line += " --proc /proc --remount-ro /proc --dev /dev --remount-ro /dev"
    found = [shutil.which("bwrap") or "bwrap", *line.split()]
    for path in readable():
        found += ["--ro-bind-try", path, path]
    exercises = PACKAGE / "exercises"
    found += ["--tmpfs", str(exercises)]
    for name in TOOLS:
        found += ["--ro-bind", *[str(exercises / name)] * 2]
    found += ["--remount-ro", str(exercises)]
    found += ["--size", str(SCRATCH_SIZE), "--tmpfs", scratch]
    for path in Path(fonts).glob("fontlist*.json"):
        found += ["--ro-bind", str(path), f"{scratch}/matplotlib/{path.name}"]
    return [*found, "--remount-ro", "/", "--chdir", scratch, "--"]


def readable() -> Iterator[str]:
    """Yield the files and folders that a notebook may read."""
    for root in (sys.prefix, sys.base_prefix, "/usr", "/usr/local"):
        for part in ("bin", "lib", "lib64", "share", "pyvenv.cfg"):
            yield f"{root}/{part}"
    yield from (
        "/bin",
        "/lib",
        "/lib64",
        "/etc/ld.so.cache",
        "/etc/alternatives",
    )
    yield from ("/etc/localtime", "/sys/devices/system/cpu")
    yield from (*site.getsitepackages(), str(PACKAGE), str(GRADER))


def surroundings(scratch: str) -> dict[str, str]:
    """Return the environment of a notebook's process: nothing of ours."""
    return {
        "HOME": scratch,
        "IPYTHONDIR": f"{scratch}/ipython",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{scratch}/matplotlib",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{GRADER.parent}",
        "QUICK": "1",
        "TMPDIR": scratch,
    }


def mapped() -> int:
    """Return how many bytes this process maps, where that can be told.

    A build of PyTorch for CUDA maps gigabytes that it never uses.
    """
    try:
        pages = Path("/proc/self/statm").read_text().split()[0]
    except OSError:  # macOS has none
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def limits(memory: int, seconds: int, isolated: bool) -> None:
    """Limit this process and those that it starts, for good.

    The limits of memory and of time are on top of what is used already, and
    what is checked afterwards may take its own. Outside a
    sandbox the number of threads is not limited: all of the user's would
    count.
    """
    import resource

    computed = int(time.process_time()) + seconds + CHECKS_SECONDS
    most = {"AS": mapped() + memory, "CPU": computed, "FSIZE": FILE_SIZE}
    most |= {"CORE": 0, "NOFILE": FILES}
    most |= {"NPROC": THREADS} if isolated else {}
    for name, value in most.items():
        try:
            resource.setrlimit(
                getattr(resource, f"RLIMIT_{name}"), (value, value)
            )
        except (ValueError, OSError):  # macOS knows no limit of memory
            if sys.platform == "linux":
                raise
    os.nice(5)


def family(pid: int) -> Iterator[int]:
    """Yield a process, and all below it that there are now."""
    found = [pid]
    for each in found:  # which grows on the way
        yield each
        with suppress(OSError):  # it has just ended
            for task in os.listdir(f"/proc/{each}/task"):
                children = Path(f"/proc/{each}/task/{task}/children")
                found += map(int, children.read_text().split())


def held(pid: int) -> int:
    """Return how many bytes a process holds, without the libraries' files.

    Raises:
        OSError: there is no such process any more.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    kinds = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", status, re.M)
    return 1024 * sum(map(int, kinds))


def excess(pid: int, memory: int, cores: set[int], before: int) -> str:
    """Return what a process and all below it have too much of, or "".

    What they held before, when nothing of the notebook had run, is free.
    """
    used, threads = -before, 0
    for number, each in enumerate(family(pid)):
        if number >= PROCESSES:
            return f"more than {PROCESSES} processes at once"
        try:
            tasks = [int(name) for name in os.listdir(f"/proc/{each}/task")]
            threads += len(tasks)
            if threads > THREADS:
                return f"more than {THREADS} threads at once"
            if not all(os.sched_getaffinity(task) <= cores for task in tasks):
                return "a processor core that is not its own"
            used += held(each)
        except OSError:  # it has just ended
            continue
    return f"more than {memory / 2**30:g} GB" if used > memory else ""


def computed(pid: int) -> float:
    """Return the processor seconds of a process and of all below it."""
    ticks = 0
    for each in family(pid):
        with suppress(OSError):
            stat = Path(f"/proc/{each}/stat").read_text()
            ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def stopwatch(pid: int) -> Callable[[], float]:
    """Return what tells the seconds that a process has spent from now on.

    Those are the ones that it computed, or a share of those that it waited:
    so a busy neighbour does not count, and sleep comes to an end.
    """
    start, before = time.monotonic(), computed(pid)
    return lambda: max(
        computed(pid) - before, (time.monotonic() - start) / PATIENCE
    )
