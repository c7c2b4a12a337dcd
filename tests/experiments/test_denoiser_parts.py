"""The table of what parts of the U-Net contribute."""

import csv

import pytest
import torch

from diffusion_lite.networks import time_embedding
from diffusion_lite.schedules import cosine_schedule
from experiments.denoiser import parts


def test_every_variant_has_every_seed():
    rows = [(r["variant"], int(r["seed"])) for r in parts.table()]
    wanted = [(v, seed) for seed in parts.SEEDS for v in parts.VARIANTS]
    assert rows == wanted


@pytest.mark.slow
def test_the_script_writes_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "SEEDS", (0,))
    monkeypatch.setattr(parts, "SCHEDULE", cosine_schedule(8))
    monkeypatch.setattr(parts, "VARIANTS", ("usual start", "v"))
    parts.main(tmp_path / "parts.csv", steps=2)
    with (tmp_path / "parts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == ["usual start", "v"]
    assert all(0 < float(row["loss"]) < 3 for row in rows)


def test_the_fitting_embedding_ends_at_half_a_wave():
    t = torch.tensor([0, 1, parts.SCHEDULE.T])
    found, usual = parts.fitting_embedding(t, 8), time_embedding(t, 8)
    torch.testing.assert_close(found[:2, 0], usual[:2, 0])  # the fastest
    torch.testing.assert_close(found[2, 7], torch.tensor(-1.0))
