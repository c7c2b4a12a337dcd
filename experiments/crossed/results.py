"""The contest's table: a row for each evaluation of each model."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

TABLE = Path(__file__).with_name("results.csv")

COLUMNS = {
    "phase": str,  # "first", "second", "third" round of the search; "contest"
    "task": str,
    "method": str,
    "build": str,
    "currency": str,  # what all sides spent the same of
    "config": json.loads,
    "seed": int,
    "steps": int,  # of the whole training
    "step": int,  # when it was evaluated
    "seconds": float,  # of CPU, until then
    "operations": float,  # until then
    "loss": float,  # mean since the last evaluation
    "discriminator_loss": float,  # likewise
    "distance": float,  # energy (plane), Frechet (digits), of a few samples
    "energy": float,
    "frechet": float,
    "weights_tv": float,  # total variation of the modes' shares
    "modes_lost": int,
    "precision": float,
    "recall": float,
    "nats": float,  # -log p of new points, or a bound on it
    "nats_closer": float,  # a closer bound, of 256 samples of the latent
    "seconds_one": float,  # of CPU, for one sample
    "seconds_block": float,  # of CPU, for each of many
    "passes": int,  # of a network, for one sample
    "operations_sample": float,  # for one sample
    "parameters": int,  # of the network that samples
    "trained": int,  # parameters in all
    "commit": str,
    "sources": str,  # a hash of the code that ran
    "machine": str,
}


def write(rows: Iterable[dict], path: str | Path = TABLE) -> None:
    """Write the rows as a table; what a row lacks stays empty."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({name: _text(row.get(name)) for name in COLUMNS})


def _text(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value)
    return f"{value:.6g}" if isinstance(value, float) else value
