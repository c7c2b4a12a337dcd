"""The numbers in chapter 10's prose, and what is said of them.

Where a new table makes a sentence untrue, the page does not build: change
the sentence, and then the assertion.
"""

import torch

from experiments.fast import overhead
from experiments.fast.figures import curve, two_passes
from experiments.fast.run import FEW, HEADLINES, OWN
from experiments.fast.students import METHODS
from experiments.fast.table import Row, chosen, mean, values
from experiments.fast.tables import final, minutes

NAMES = {
    "DDIM": "ddim",
    "2M": "2m",
    "Adams-Bashforth 3": "ab3",
    "Heun, churned": "churned",
}


def fast(rows: list[Row]) -> dict[str, float | str]:
    """Return all numbers that the page takes from the experiment."""
    parts = (levels, solvers, on_mnist, starts, students, headlines, costs)
    return {name: x for part in parts for name, x in part(rows).items()}


def levels(rows: list[Row]) -> dict[str, float]:
    """Return what the solvers' distances are compared with."""
    return {
        "floor": mean(rows, part="digits", method="real"),
        "ddpm": mean(rows, part="digits", method="DDPM"),
        "flow": mean(rows, part="digits", method="flow"),
        "exact-flow": mean(rows, part="exact", method="flow"),
    }


def solvers(rows: list[Row]) -> dict[str, float | str]:
    """Return the best of five, ten and twenty passes, and DDIM's."""
    full, found = mean(rows, part="digits", method="DDPM"), {}
    for budget in FEW:
        ways = {
            (x.method, x.grid)
            for x in chosen(rows, part="digits", passes=budget)
        }
        scores = {
            (m, g): mean(rows, part="digits", method=m, grid=g, passes=budget)
            for m, g in ways
        }
        best = min(scores, key=lambda way: scores[way])
        found |= {
            f"best-{budget}": scores[best],
            f"best-{budget}-solver": best[0],
            f"best-{budget}-grid": best[1],
            f"ratio-{budget}": scores[best] / full,
            f"ddim-{budget}": scores["DDIM", "uniform"],
            f"2m-{budget}": scores["2M", "log SNR"],
            f"2m-ratio-{budget}": scores["2M", "log SNR"] / full,
        }
    for passes in (9, 19, 49):
        options = {"part": "digits", "grid": "log SNR", "passes": passes}
        if chosen(rows, method="Heun", **options):
            found[f"heun-{passes}"] = mean(rows, method="Heun", **options)
    for part in ("digits", "exact"):
        for name in ("DDIM", "2M"):
            passes, errors = curve(rows, part, name, "error")
            i = passes.index(10)
            found[f"error-{part}-{name.lower()}-10"] = errors[i]
    return found


def on_mnist(rows: list[Row]) -> dict[str, float]:
    """Return the same of MNIST."""
    found = {
        f"mnist-{name.lower()}": mean(rows, part="mnist", method=name)
        for name in ("real", "DDPM")
    }
    for solver in ("DDIM", "2M"):
        for budget in FEW:
            found[f"mnist-{solver.lower()}-{budget}"] = mean(
                rows, part="mnist", method=solver, passes=budget
            )
    return found


def starts(rows: list[Row]) -> dict[str, float]:
    """Return what Heun's method reaches from either step."""
    options = {"method": "Heun", "grid": OWN["Heun"], "passes": 9}
    return {
        "heun-from-99": mean(rows, part="digits", **options),
        "heun-from-100": mean(rows, part="step 100", **options),
    }


def students(rows: list[Row]) -> dict[str, float]:
    """Return what one pass costs and reaches."""
    full, found = mean(rows, part="digits", method="DDPM"), {}
    for name in METHODS:
        key = name.removeprefix("consistency, ")
        one = mean(final(rows, "digits", name, 1))
        found |= {
            f"one-{key}": one,
            f"one-ratio-{key}": one / full,
            f"one-minutes-{key}": minutes(rows, "digits", name),
        }
    found["minutes-network"] = mean(rows, "minutes", part="network")
    return found


def headlines(rows: list[Row]) -> dict[str, float]:
    """Return ratios on twenty more noises: to DDPM, and to the flow."""
    ddpm = mean(rows, part="twenty", method="DDPM")
    flow = mean(rows, part="twenty", method="2M", passes=99)
    found = {"twenty-ddpm": ddpm, "twenty-flow": flow}
    for passes in (5, 10, 99):
        pair = [
            torch.tensor(values(rows, part="twenty", method=m, passes=n))
            for m, n in (("2M", passes), ("DDPM", 99))
        ]
        gap = pair[0] - pair[1]
        spread = 2.093 * float(gap.std()) / len(gap) ** 0.5  # t, 19 degrees
        found[f"twenty-2m-{passes}-minus-ddpm"] = float(gap.mean())
        found[f"twenty-2m-{passes}-minus-ddpm-interval"] = spread
    for solver, grid, budget in HEADLINES:
        per_step = 2 if two_passes(solver) else 1
        passes = budget - (per_step == 2)
        options = {"method": solver, "grid": grid, "passes": passes}
        key = f"twenty-{NAMES[solver]}-{passes}"
        found[key] = mean(rows, part="twenty", **options)
        found[f"{key}-to-ddpm"] = found[key] / ddpm
        found[f"{key}-to-flow"] = found[key] / flow
    for name in METHODS:
        key = f"twenty-{name.removeprefix('consistency, ')}"
        found[key] = mean(rows, part="twenty", method=name)
        found[f"{key}-to-ddpm"] = found[key] / ddpm
        found[f"{key}-to-flow"] = found[key] / flow
    return found


def costs(_: list[Row]) -> dict[str, float]:
    """Return the largest share of time that a sampler adds, by pictures."""
    shares, found = overhead.read(), {}
    for n in overhead.ROUNDS:
        own = [share for (m, _), share in shares.items() if m == n]
        found[f"overhead-{n}"] = max(share["ours"] for share in own)
        found[f"overhead-theirs-{n}"] = max(x["diffusers"] for x in own)
    return found
