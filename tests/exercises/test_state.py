"""Whatever state a notebook leaves behind, its answers are asked in ours."""

import builtins
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings

import pytest
import torch

from diffusion_lite.exercises import check, names, state
from diffusion_lite.exercises.state import Endless, in_time
from diffusion_lite.exercises.trial import mistakes
from test_exercises import of_all_labs

STATES = {
    "no gradients": "torch.set_grad_enabled(False)",
    "inference": "kept = torch.inference_mode(); kept.__enter__()",
    "half precision": "torch.set_default_dtype(torch.bfloat16)",
    "double precision": "torch.set_default_dtype(torch.float64)",
    "no device": "torch.set_default_device('meta')",
    "autocast": "torch.autocast('cpu', torch.bfloat16).__enter__()",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "anomaly": "torch.autograd.set_detect_anomaly(True)",
    "rough products": "torch.set_float32_matmul_precision('medium')",
    "no denormals": "torch.set_flush_denormal(True)",
    "threads": "torch.set_num_threads(2)",
    "printing": "torch.set_printoptions(precision=1, sci_mode=True)\n"
    "np.set_printoptions(precision=1)",
    "a function mode": "import torch.overrides\n"
    "class Mode(torch.overrides.TorchFunctionMode):\n"
    "    def __torch_function__(self, *given): return 0\n"
    "Mode().__enter__()",
    "NumPy's errors": "np.seterr(all='raise')",
    "chance": "import random; random.seed(0)\n"
    "torch.manual_seed(3); np.random.seed(3)",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "recursion": "sys.setrecursionlimit(120)",
    "a folder that is gone": "import tempfile\n"
    "with tempfile.TemporaryDirectory() as here: os.chdir(here)",
    "an alarm": "import signal\n"
    "signal.signal(signal.SIGALRM, lambda *given: 1 / 0)\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)",
    "signals": "import signal\n"
    "signal.signal(signal.SIGTERM, lambda *given: 1 / 0)",
    "a trace": "sys.setprofile(lambda *given: None)\n"
    "sys.settrace(lambda *given: None)",
    "hooks": "sys.excepthook = sys.displayhook = None",
    "no path": "sys.path = []",
    "no importer": "sys.meta_path = []",
    "no output": "sys.stdout.close(); sys.stderr = None",
    "an odd output": "sys.stdout = 3",
    "an empty environment": "os.environ.clear()",
    "no collector": "import gc; gc.disable()",
    "rough decimals": "import decimal; decimal.getcontext().prec = 1",
    "another language": "import locale; locale.setlocale(locale.LC_ALL, '')",
    "Python's functions": "import builtins\n"
    "builtins.sum = builtins.range = builtins.print = lambda *given: 0\n"
    "builtins.abs = builtins.max = builtins.zip = builtins.all = None",
    "math": "import math\nmath.exp = math.log = lambda *given: 0.0",
    "NumPy's functions": "np.exp = np.asarray = np.ndarray = None",
    "PyTorch's functions": "torch.exp = torch.randn = torch.cat = None\n"
    "torch.equal = torch.as_tensor = lambda *given: True\n"
    "torch.nn.functional.softplus = torch.linalg.det = None",
    "PyTorch's tensors": "torch.Tensor.__le__ = torch.Tensor.sqrt = None\n"
    "torch.Tensor.exp = torch.Tensor.detach = None",
    "PyTorch's modules": "torch.nn.Module.__call__ = None\n"
    "torch.nn.Linear = torch.nn.Module = int",
    "a small stack": "import threading; threading.stack_size(32768)",
    "a trace of threads": "import threading\n"
    "threading.settrace(lambda *given: 1 / 0)\n"
    "threading.setprofile(lambda *given: 1 / 0)",
    "no threads": "import threading; threading.Thread.start = None\n"
    "threading.Thread = threading.excepthook = None",
    "rough products, told anew": "torch.backends.fp32_precision = 'bf16'\n"
    "torch.backends.mkldnn.matmul.fp32_precision = 'bf16'",
    "no clock": "import time\n"
    "time.monotonic = time.clock_gettime = time.time = None",
    "constants": "import math; math.pi = np.pi = torch.pi = 3\n"
    "math.inf = torch.inf = 0; torch.float64 = torch.float16",
    "Python's libraries": "import copy, functools, operator, inspect\n"
    "copy.deepcopy = functools.partial = functools.wraps = None\n"
    "operator.index = inspect.signature = sys.getrecursionlimit = None",
    "other timers": "import signal\n"
    "for name in ('PROF', 'VTALRM'):\n"
    "    at = getattr(signal, 'SIG' + name)\n"
    "    signal.signal(at, lambda *given: 1 / 0)\n"
    "signal.setitimer(signal.ITIMER_PROF, 0.05, 0.05)\n"
    "signal.setitimer(signal.ITIMER_VIRTUAL, 0.05, 0.05)",
    "hooks of all modules": "from torch.nn.modules import module\n"
    "for name in ('forward', 'forward_pre', 'full_backward'):\n"
    "    add = getattr(module, f'register_module_{name}_hook')\n"
    "    add(lambda *given: 1 / 0)",
    "PyTorch's gradients": "torch.no_grad.__enter__ = None\n"
    "torch.autograd.grad = torch.autograd.Function.apply = None",
    "PyTorch's other functions": "torch.random.fork_rng = None\n"
    "for name in dir(torch.special): setattr(torch.special, name, None)\n"
    "for name in dir(torch.nn.init): setattr(torch.nn.init, name, None)",
    "PyTorch's layers": "torch.nn.Linear.forward = None\n"
    "torch.nn.parameter.Parameter = torch.nn.Parameter.__new__ = None",
    "a transpose": "torch.Tensor.T = property(lambda self: 1 / 0)",
    "the package": "import diffusion_lite.schedules as ours\n"
    "ours.linear_schedule = ours.Schedule.T = None\n"
    "import diffusion_lite.forward as ours; ours.q_sample = None",
    "no torch": "for name in [*sys.modules]:\n"
    "    if name.startswith(('torch', 'numpy')): del sys.modules[name]",
    "no builtins": "import builtins\n"
    "del builtins.isinstance, builtins.len, builtins.ValueError\n"
    "del builtins.next, builtins.getattr, builtins.callable",
}


def verdicts(solutions, wrong):
    """Return what is said of all these answers, as text."""
    asked = [*solutions.items(), *wrong]
    return [repr(check(name, answer, seed=5)) for name, answer in asked]


def in_a_process_of_its_own(call):
    """Return what a call returns, JSON, made in a copy of this process."""
    with tempfile.NamedTemporaryFile("r") as file:
        pid = os.fork()
        if pid == 0:
            dumps, leave, opened = json.dumps, os._exit, open
            path, space = file.name, vars(builtins)
            kept = space.copy()
            try:
                with opened(path, "w") as out:
                    try:
                        found = call()
                    except BaseException as error:
                        found = f"{type(error).__name__}: {error}"
                    space.update(kept)
                    out.write(dumps(found))
            finally:
                leave(0)
        os.waitpid(pid, 0)
        return json.load(file)


@pytest.fixture(scope="module")
def due():
    """Return answers, right and wrong, and what is said of each."""
    solutions = of_all_labs("solution")
    wrong = [(name, mistakes(name)[0]) for name in names()]
    return solutions, wrong, verdicts(solutions, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STATES)
def test_a_verdict_does_not_depend_on_what_a_notebook_set(kind, due):
    solutions, wrong, expected = due

    def call():
        space = {"torch": torch, "np": sys.modules["numpy"]}
        exec(STATES[kind], space | {"os": os, "sys": sys})
        return verdicts(solutions, wrong)

    assert in_a_process_of_its_own(call) == expected


def test_what_pytorch_replaces_itself_is_not_the_notebook_s():
    run = (
        "from diffusion_lite.exercises import check\n"
        "import torch, torch._dynamo\n"
        "print(check('forward-1', lambda *given: 1 / 0).text)"
    )
    said = subprocess.check_output([sys.executable, "-c", run], text=True)
    assert "ZeroDivisionError" in said
    assert "set back" not in said


def test_an_error_says_what_was_set_back():
    def needs_doubles(*given):
        return torch.eye(3) @ torch.ones(3, dtype=torch.float64)

    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        text = check("forward-1", needs_doubles).text
    finally:
        torch.set_default_dtype(usual)
    assert "the notebook had changed: the default dtype" in text
    assert "dtype." not in check("forward-1", needs_doubles).text


def test_what_is_set_back_is_given_back_and_what_cannot_be_is_named(
    monkeypatch,
):
    def told():
        return state.as_usual(lambda: (state.note(), math.pi, torch.Tensor.T))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        usual = told()
        assert usual[0] == ""
        monkeypatch.setattr(math, "pi", 3)
        monkeypatch.setattr(torch.Tensor, "T", 3, raising=False)
        never = lambda: 1 / 0, None, 0
        monkeypatch.setitem(state.SWITCHES, "a wheel", never)
        text, *found = told()
    assert found == [*usual[1:]]
    assert text.endswith(": math.pi, Tensor.T, a wheel (in vain).")
    assert math.pi == torch.Tensor.T == 3


def test_a_call_may_wait_longer_than_it_may_compute():
    assert in_time(lambda: time.sleep(0.8) or 3, 0.4) == 3
    for endless in (lambda: [0 for _ in iter(int, 1)], lambda: time.sleep(9)):
        with pytest.raises(Endless):
            in_time(endless, 0.4)
