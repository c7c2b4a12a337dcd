"""Whatever state a notebook leaves behind, its answers are asked in ours."""

import json
import os
import sys
import tempfile
import time

import pytest
import torch

from diffusion_lite.exercises import check, names
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
            path = file.name
            try:
                with opened(path, "w") as out:
                    try:
                        found = call()
                    except BaseException as error:
                        found = f"{type(error).__name__}: {error}"
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
@pytest.mark.parametrize("state", STATES)
def test_a_verdict_does_not_depend_on_what_a_notebook_set(state, due):
    solutions, wrong, expected = due

    def call():
        space = {"torch": torch, "np": sys.modules["numpy"]}
        exec(STATES[state], space | {"os": os, "sys": sys})
        return verdicts(solutions, wrong)

    assert in_a_process_of_its_own(call) == expected


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


def test_a_call_may_wait_longer_than_it_may_compute():
    assert in_time(lambda: time.sleep(0.8) or 3, 0.4) == 3
    for endless in (lambda: [0 for _ in iter(int, 1)], lambda: time.sleep(9)):
        with pytest.raises(Endless):
            in_time(endless, 0.4)
