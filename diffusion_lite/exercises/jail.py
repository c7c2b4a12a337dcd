"""Shut this process in, then run a notebook in it.

The grader starts this file as a program of its own, inside fresh Linux
namespaces (``command``): no network, no other processes, own mounts. Before
anything of the notebook runs, four more locks close, each without a key:

- every mount becomes read-only, but for a small scratch folder in memory,
  and the checks are out of sight (``mounts``);
- limits on memory, processor seconds, open files, threads (``limits``);
- Landlock: what may be read is Python, its packages and the system's
  libraries, and nothing is written outside the scratch folder (``files``);
- seccomp: no new process or program, no socket, no look at another process
  (``calls``).
"""

import ctypes
import errno
import json
import os
import platform
import shutil
import site
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import diffusion_lite  # before the lock: its parent folder stays closed

PACKAGE = Path(diffusion_lite.__file__).parent
UNSHARE = "unshare --user --map-root-user --net --pid --ipc --uts --mount"
UNSHARE += " --fork --kill-child --mount-proc"
TOOLS = ("__init__.py", "trial.py", "wire.py", "remote.py", "worker.py")
SCRATCH_SIZE = 256 * 2**20
FILE_SIZE = 64 * 2**20
THREADS = 400

LANDLOCK_ABI = 3  # Linux 6.2: the first that also guards truncation
READ = 1 | 4 | 8  # execute, read a file, read a folder
WRITE = 2 | 1 << 14  # write a file, truncate it
EVERYTHING = (1 << 15) - 1  # all that this ABI knows
ON_FILES = 1 | 2 | 4 | 1 << 14  # of these, what makes sense for a file

# Each system call that is refused, by its number on x86_64 and on aarch64.
REFUSED_CALLS = {
    "socket": (41, 198),
    "connect": (42, 203),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "unshare": (272, 97),
    "setns": (308, 268),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "sched_setaffinity": (203, 122),  # a core that belongs to others
    "memfd_create": (319, 279),  # these three: memory that no limit counts
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
}
MACHINES = {  # column above, audit number, numbers of clone and of prctl
    "x86_64": (0, 0xC000003E, 56, 157),
    "aarch64": (1, 0xC00000B7, 220, 167),
}
CLONE3 = 435

libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None


def missing() -> list[str]:
    """Return what this machine lacks to shut a notebook in, in words."""
    if sys.platform != "linux":
        return [f"Linux (this is {platform.system()})"]
    lacks = []
    if platform.machine() not in MACHINES:
        lacks.append(f"a processor of {', '.join(MACHINES)}")
    if libc.syscall(444, None, 0, 1) < LANDLOCK_ABI:
        lacks.append("Landlock, in a kernel 6.2 or newer")
    if os.getuid() == 0 and not counts_threads():
        lacks.append("a user who is not root: root's threads have no limit")
    if shutil.which("unshare") is None:
        return [*lacks, "the program unshare (of util-linux)"]
    return lacks or [*trial_fails()]


def trial_fails() -> Iterator[str]:
    """Yield why a jail with nothing in it cannot be built, if it cannot."""
    with TemporaryDirectory() as scratch:
        settings = {"isolated": True, "pipe": None, "scratch": scratch}
        settings |= {"fonts": scratch, "memory": 2**32, "seconds": 60}
        done = subprocess.run(
            command(settings),
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        )
    if done.returncode:
        *_, last = ["no reason given", *done.stderr.splitlines()]
        yield f"what a jail is made of ({last})"


def command(settings: dict) -> list[str]:
    """Return the command that starts this file, inside or outside a jail."""
    start = UNSHARE.split() if settings["isolated"] else []
    return [*start, sys.executable, "-P", __file__, json.dumps(settings)]


def main() -> None:
    """Lock what can be locked, and then run the notebook."""
    settings = json.loads(sys.argv[1])
    scratch = settings["scratch"]
    if settings["isolated"]:
        mounts(scratch)
    os.chdir(scratch)
    os.mkdir("matplotlib")
    for fonts in Path(settings["fonts"]).glob("fontlist*.json"):
        shutil.copy(fonts, "matplotlib")
    limits(settings["memory"], settings["seconds"])
    if settings["isolated"]:
        lock(scratch)
    if settings["pipe"] is not None:
        from diffusion_lite.exercises import worker

        worker.main(settings["pipe"])


def mounts(scratch: str) -> None:
    """Make all mounts read-only, but for a small scratch folder.

    The folder of the checks is hidden by one that holds the worker's tools.

    Raises:
        RuntimeError: these are not namespaces of our own, but the machine's.
    """
    if os.getpid() != 1:
        raise RuntimeError("not in namespaces of its own")
    if counts_threads():
        Path("/proc/sys/kernel/pid_max").write_text(str(THREADS))
    here = PACKAGE / "exercises"
    tools = {name: (here / name).read_bytes() for name in TOOLS}
    mount_memory(str(here), 2**20)
    for name, data in tools.items():
        (here / name).write_bytes(data)
    read_only = struct.pack("4Q", 1 | 2, 0, 0, 0)  # and no set-user-id
    recursive = 0x8000
    must(libc.syscall(442, -1, b"/", recursive, read_only, len(read_only)))
    mount_memory(scratch, SCRATCH_SIZE)


def mount_memory(folder: str, size: int) -> None:
    """Mount an empty folder, held in memory, over a folder."""
    options = f"size={size},mode=700".encode()
    no_devices = 2 | 4
    must(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", no_devices, options))


def counts_threads() -> bool:
    """Return whether a pid namespace has a limit of its own: Linux 6.14."""
    release = platform.release().split("-")[0].split(".")
    return [int(part) for part in release[:2]] >= [6, 14]


def limits(memory: int, seconds: int) -> None:
    """Limit memory (in bytes), processor seconds, files and threads."""
    import resource

    for name, most in {
        "AS": memory,
        "CPU": seconds,
        "FSIZE": FILE_SIZE,
        "NOFILE": 256,
        "NPROC": THREADS,
        "CORE": 0,
    }.items():
        try:
            resource.setrlimit(
                getattr(resource, f"RLIMIT_{name}"), (most, most)
            )
        except (ValueError, OSError):  # macOS knows no limit of memory
            if sys.platform == "linux":
                raise
    os.nice(5)


def lock(scratch: str) -> None:
    """Give up every right that the notebook does not need, for good.

    Raises:
        RuntimeError: there is a second thread, which would stay outside.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("the jail closes around one thread only")
    no_new_privileges = 38
    must(libc.prctl(no_new_privileges, 1, 0, 0, 0))
    files(scratch)
    must(libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)))
    calls()


# ---- Landlock ---------------------------------------------------------------


def files(scratch: str) -> None:
    """Allow to read what Python needs, to write scratch, and no other."""
    rules = struct.pack("Q", EVERYTHING)
    ruleset = must(libc.syscall(444, rules, len(rules), 0))
    for path in readable():
        allow(ruleset, path, READ)
    allow(ruleset, Path("/dev/null"), READ | WRITE)
    allow(ruleset, Path(scratch), EVERYTHING)
    must(libc.syscall(446, ruleset, 0))
    os.close(ruleset)


def readable() -> list[Path]:
    """Return the files and folders that a notebook may read."""
    roots = {sys.prefix, sys.base_prefix, "/usr", "/usr/local"}
    found = [f"{root}/{part}" for root in roots for part in ("lib", "share")]
    found += ["/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache"]
    found += ["/etc/alternatives", "/etc/localtime", "/dev/urandom"]
    found += ["/proc", "/sys/devices/system", *site.getsitepackages()]
    found += [site.getusersitepackages(), str(PACKAGE)]
    return [path for path in map(Path, found) if path.exists()]


def allow(ruleset: int, path: Path, rights: int) -> None:
    """Add a rule: what may be done at and below a path."""
    if not path.is_dir():
        rights &= ON_FILES
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    below = 1
    must(
        libc.syscall(445, ruleset, below, struct.pack("=Qi", rights, place), 0)
    )
    os.close(place)


# ---- seccomp ----------------------------------------------------------------


def calls() -> None:
    """Refuse the system calls that a notebook has no use for."""
    program = b"".join(struct.pack("HBBI", *step) for step in steps())
    text = ctypes.create_string_buffer(program)
    filters = struct.pack(
        "HxxxxxxP", len(program) // 8, ctypes.addressof(text)
    )
    seccomp, by_filter = 22, 2
    must(libc.prctl(seccomp, by_filter, filters, 0, 0))


def steps() -> list[tuple]:
    """Return the filter: (code, jump if true, jump if false, number)."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allowed, dead = 0x7FFF0000, 0x80000000
    refused, unknown = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
    column, machine, clone, prctl = MACHINES[platform.machine()]
    found = [
        (load, 0, 0, 4),  # the kind of machine
        (equal, 1, 0, machine),
        (give, 0, 0, dead),
        (load, 0, 0, 0),  # the number of the call
        (at_least, 0, 1, 0x40000000),  # the same calls by other numbers
        (give, 0, 0, refused),
    ]
    for numbers in REFUSED_CALLS.values():
        if numbers[column] is not None:
            found += [(equal, 0, 1, numbers[column]), (give, 0, 0, refused)]
    a_thread, die_with_parent, first_argument = 0x10000, 1, 16
    return [
        *found,
        (equal, 0, 1, CLONE3),  # the C library then takes clone
        (give, 0, 0, unknown),
        (equal, 0, 4, clone),
        (load, 0, 0, first_argument),
        (any_bit, 0, 1, a_thread),
        (give, 0, 0, allowed),
        (give, 0, 0, refused),
        (equal, 0, 4, prctl),
        (load, 0, 0, first_argument),
        (equal, 0, 1, die_with_parent),
        (give, 0, 0, refused),
        (give, 0, 0, allowed),
        (give, 0, 0, allowed),
    ]


def must(result: int) -> int:
    """Return what a system call returned.

    Raises:
        OSError: it failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    main()
