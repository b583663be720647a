"""Where a training's time goes: samples a second of the loader alone, the step alone, and both.

    python benchmarks/training_speed.py configs/train/rtmpose-t-body17.yaml --data PATH

The loader alone is drained without a step; the step alone learns from one batch again and again;
both together are the training itself. What is slower alone is the bottleneck: more
`data.workers` where it is the loader, `precision: bf16`, `model.freeze` or a GPU where it is the
step. On few cores both compete, and together they are slower than either.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import report
import torch

from posetrack.training.loader import batches, make_loader
from posetrack.training.loop import Trainer
from posetrack.training.recipe import Recipe, read_recipe
from posetrack.training.tasks import make_task

WARM = 3
"""Batches that are not counted: workers start, kernels are chosen."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="training_speed.json")
    parser.add_argument("recipes", type=Path, nargs="+", help="recipes as for posetrack train")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--seconds", type=float, default=30.0, help="each of the three at least")
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    rows = []
    for path in chosen.recipes:
        changes = [f"data.root={chosen.data}", "model.init=null", *chosen.changes]
        rows.append(measure(read_recipe(path, changes), chosen.seconds))
        report.write(chosen.json, {"recipes": rows})
    columns = ("recipe", "loader / s", "step / s", "both / s", "bottleneck")
    cells = [[r[k] for k in ("recipe", "loader", "step", "both", "bottleneck")] for r in rows]
    report.print_table("samples a second", columns, cells)


def measure(recipe: Recipe, seconds: float) -> dict[str, Any]:
    """Samples a second, and which part alone is the slower one."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(recipe, make_task(recipe), Path(folder))
        trainer.model.train()
        loader = make_loader(trainer.task, recipe, 0, stage2=False)
        size = recipe.schedule.batch_size
        alone = rate(batches(loader, trainer.device), seconds, size)
        first = next(iter(batches(loader, trainer.device)))
        step = rate((trainer.step(first) for _ in itertools.count()), seconds, size)
        both = rate(map(trainer.step, batches(loader, trainer.device)), seconds, size)
    return {
        "recipe": recipe.name,
        "batch_size": size,
        "workers": recipe.data.workers,
        "threads": torch.get_num_threads(),
        "device": str(trainer.device),
        "precision": recipe.runtime.precision,
        "loader": round(alone, 1),
        "step": round(step, 1),
        "both": round(both, 1),
        "bottleneck": "loader" if alone < step else "step",
    }


def rate(work: Iterable[Any], seconds: float, samples: int) -> float:
    """Samples a second over `seconds` or the whole of `work`, after a warm-up."""
    begin, count = time.perf_counter(), 0
    for number, _ in enumerate(work):
        now = time.perf_counter()
        if number < WARM:
            begin = now
            continue
        count += 1
        if now - begin >= seconds:
            break
    return count * samples / (time.perf_counter() - begin) if count else 0.0


if __name__ == "__main__":
    main()
