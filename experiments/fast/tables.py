"""The tables of chapter 10, in Markdown."""

from experiments.fast import overhead as overheads
from experiments.fast.figures import spread
from experiments.fast.students import METHODS
from experiments.fast.table import Row, chosen, mean

FROM = {
    "progressive": "network",
    "consistency, distilled": "network",
    "consistency, trained": "pictures",
    "shortcut": "pictures",
}


def final(rows: list[Row], task: str, method: str, passes: int) -> list[Row]:
    """Return a student's rows at the end of its training, one a seed."""
    part = f"{task}, {method}"
    found = chosen(rows, part=part, method=method, passes=passes)
    last = max(row.step for row in found)
    return chosen(found, step=last)


def minutes(rows: list[Row], task: str, method: str) -> float:
    """Return the CPU minutes of a training."""
    return mean(final(rows, task, method, 1), "minutes")


def one_pass(rows: list[Row]) -> str:
    """Return what students of few passes reach, beside their teacher."""
    passes = "1 pass | 2 passes | 4 passes | ring, 1 pass, × 1000"
    head = f"| | learns from | own minutes of CPU | {passes} |"
    lines = [head, "| --- " * 7 + "|"]
    for name in METHODS:
        cells = [
            f"{mean(found):.1f}\u00a0±\u00a0{spread(found):.1f}"
            for found in (final(rows, "digits", name, n) for n in (1, 2, 4))
        ]
        ring = 1000 * mean(final(rows, "ring", name, 1))
        time = minutes(rows, "digits", name)
        lines.append(
            f"| {name} | {FROM[name]} | {time:.1f} | {' | '.join(cells)} "
            f"| {ring:.2g} |"
        )
    ddim = {"part": "digits", "method": "DDIM", "grid": "uniform"}
    one, two = (mean(rows, passes=n, **ddim) for n in (1, 2))
    time = mean(rows, "minutes", part="network")
    ring = 1000 * mean(rows, part="ring", method="DDIM", passes=1)
    real = 1000 * mean(rows, part="ring", method="real")
    floor = mean(rows, part="digits", method="real")
    lines.append(
        f"| the network, by DDIM | pictures | {time:.1f} "
        f"| {one:.0f} | {two:.0f} | | {ring:.0f} |"
    )
    lines.append(f"| real | | | {floor:.1f} | | | {real:.2g} |")
    return "\n".join(lines)


def overhead() -> str:
    """Return what samplers add to the time of their passes."""
    lines = ["| | pictures | ours | diffusers |", "| --- " * 4 + "|"]
    for (n, name), shares in overheads.read().items():
        ours, theirs = (100 * shares[who] for who in ("ours", "diffusers"))
        lines.append(f"| {name} | {n} | {ours:.1f} % | {theirs:.1f} % |")
    return "\n".join(lines)
