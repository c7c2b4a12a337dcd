"""What the README tells a reader to run, run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import diffusion_lite
import test_dependencies
from diffusion_lite.exercises import check
from diffusion_lite.exercises.mistakes import posterior_1

README = Path(__file__).resolve().parent.parent.parent / "README.md"


def script():
    """Return the README's Python script."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


def test_the_script_needs_no_extra():
    modules = test_dependencies.imported(script())
    hard = test_dependencies.LISTS[""]
    assert not test_dependencies.strangers(modules, hard)


def run(folder, launcher):
    """Train 20 steps in a folder of its own; return the checkpoint."""
    folder.mkdir()
    (folder / "train_digits.py").write_text(script(), encoding="utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, "train_digits.py", "20"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return load_file(folder / "digits.safetensors")


@pytest.mark.slow
def test_two_processes_train_the_same_model_as_one(tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run"]
    two = run(tmp_path / "two", [*launch, "--nproc_per_node", "2"])
    one = run(tmp_path / "one", [sys.executable])
    assert two.keys() == one.keys()
    weights = [key for key in one if key.startswith("model.")]
    before = start()
    moved = sum((one[k] - before[k]).square().sum() for k in weights)
    apart = sum((one[k] - two[k]).square().sum() for k in weights)
    assert moved > 0
    # The two take the mean of two half batches, in another order.
    assert 0 < float(torch.sqrt(apart / moved)) < 0.01


def start():
    """Return the weights that the script starts from."""
    from diffusion_lite.networks import UNet

    torch.manual_seed(0)
    return {f"model.{k}": v for k, v in UNet().state_dict().items()}


def test_the_readme_names_only_files_that_exist():
    root = README.parent
    for link in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (root / link).exists(), link
    for image in re.findall(r'src="([^":]+)"', README.read_text()):
        assert (root / image).exists(), image


def test_the_readme_shows_what_a_check_says():
    said = str(check("posterior-1", posterior_1.deviation)).split()
    assert " ".join(said) in " ".join(README.read_text().split())


def test_the_readme_lists_the_modules_of_the_map():
    table = re.findall(r"^\| (`.*?) \|", README.read_text(), re.M)
    listed = re.findall(r"`(\w+)`", " ".join(table))
    known = re.findall(r"``(\w+)``  ", diffusion_lite.__doc__)
    assert sorted(listed) == sorted(known)
