"""The committed paths: read, and checked."""

import json
from pathlib import Path

PATHS = Path(__file__).with_name("paths.json")
MANY = 300
"""How many points are carried."""

UNIT = 1e-3
"""The file holds whole numbers of this."""

KINDS = {
    ("diffusion", 2): 21,
    ("flow", 2): 9,
    ("vae", 1): 2,
    ("vae", 2): 2,
    ("gan", 1): 2,
    ("gan", 2): 2,
}
"""Family and numbers of the latent, and how many frames there are of each."""


def paths(path: Path = PATHS) -> list[dict]:
    """Return the runs of the file, in the order of ``KINDS``.

    Each has ``family``, ``latent`` (how many numbers), ``passes`` (of the
    network, for a sample) and ``frames``: lists of coordinates in
    thousandths, x and y of each point in turn. Of a latent of one number,
    the first frame has one number for each point.

    Raises:
        ValueError: the file does not hold these runs.
    """
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
        found = [(run["family"], run["latent"]) for run in runs]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path.name} must hold runs, each with a family and a latent"
        ) from error
    if found != list(KINDS):
        raise ValueError(
            f"{path.name} must hold the runs {list(KINDS)}, got {found}"
        )
    for run in runs:
        _check(run, path.name)
    return runs


def _check(run: dict, name: str) -> None:
    """Refuse a run whose frames are not of the right sizes, or too large."""
    kind = (run["family"], run["latent"])
    who = f"{kind[0]} with a latent of {kind[1]}"
    frames = run.get("frames", [])
    sizes = [run["latent"] * MANY] + [2 * MANY] * (KINDS[kind] - 1)
    if [len(frame) for frame in frames] != sizes:
        raise ValueError(
            f"{name}, {who}: frames must have {sizes} numbers, got "
            f"{[len(frame) for frame in frames]}"
        )
    if not all(isinstance(x, int) for frame in frames for x in frame):
        raise ValueError(f"{name}, {who}: frames must be whole numbers")
    if not (isinstance(run.get("passes"), int) and run["passes"] > 0):
        raise ValueError(f"{name}, {who}: passes must be a whole number")
