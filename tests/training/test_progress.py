"""What a training says of itself, however short it was."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from posetrack.training.progress import Progress

SHEET = np.zeros((8, 8, 3), np.uint8)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_losses_of_a_short_training_are_written(tmp_path: Path) -> None:
    with Progress(tmp_path) as progress:
        progress.batch(0, 1, 2, 8, 0.1, {"kl": 2.0})
        progress.batch(0, 2, 2, 8, 0.2, {"kl": 2.0})
        progress.evaluated(1, {"all": {"pck@0.1": 0.5}}, SHEET, headline=("all", "pck@0.1"))
        progress.batch(1, 1, 2, 8, 0.3, {"kl": 2.0})
    said = rows(tmp_path / "losses.csv")
    assert [(row["epoch"], row["batch"], row["lr"]) for row in said] == [
        ("0", "2", "2.000e-01"),
        ("1", "1", "3.000e-01"),
    ]
    assert [row["kl"] for row in said] == ["2.00000"] * 2


def test_the_live_line_goes_on_with_the_last_evaluation(tmp_path: Path) -> None:
    with Progress(tmp_path) as progress:
        progress.batch(0, 1, 1, 8, 0.1, {"kl": 2.0})
        assert "pck" not in progress.bar.tasks[0].fields["text"]
        progress.evaluated(1, {"all": {"pck@0.1": 0.512}}, SHEET, headline=("all", "pck@0.1"))
        progress.batch(1, 1, 1, 8, 0.1, {"kl": 2.0})
        text = progress.bar.tasks[0].fields["text"]
    assert text.endswith("img/s  pck@0.1 0.512")


def test_a_table_of_other_losses_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    for loss in ("kl", "mse"):
        with Progress(tmp_path) as progress:
            progress.batch(0, 1, 1, 8, 0.1, {loss: 2.0})
    assert "kl" in rows(tmp_path / "losses.old.csv")[0]
    assert "mse" in rows(tmp_path / "losses.csv")[0]
