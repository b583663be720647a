"""Trainings that differ in one thing each, with several seeds: what the thing brings.

    python benchmarks/trials.py benchmarks/trials/distillation.yaml --data PATH -o FOLDER

A file of trials names a recipe, what all trials change in it (`set`), the seeds, and for each trial
what it changes further, and its own `seeds` where it needs fewer. `after: NAME` starts a trial from
the end of another with the same seed. A run that was cut off goes on where it was. Of each trial
the figures on the recipe's validation data are stated (those of its last evaluation), their mean
and spread over the seeds, and the multiplications of its network, which is exported and must answer
as before.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import report
import torch
from torch.utils.flop_counter import FlopCounterMode

from posetrack.documents import read_yaml
from posetrack.networks.checkpoint import read_checkpoint
from posetrack.training.export import export_onnx

Figures = dict[str, float]


@dataclass(frozen=True)
class Trial:
    """One thing to try: overrides of the recipe, and the trial it starts from."""

    name: str
    overrides: Sequence[str]
    seeds: Sequence[int]
    after: str | None = None
    rows: list[Figures] = field(default_factory=list)


def main() -> None:
    """Train, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="")
    parser.add_argument("trials", type=Path, help="file of trials")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs")
    parser.set_defaults(json=None)
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    said: Any = read_yaml(chosen.trials.read_text("utf-8"), name=str(chosen.trials))[0]
    recipe, seeds, shared = said["recipe"], said["seeds"], said.get("set", [])
    trials = [
        Trial(
            name,
            [*shared, *each.get("set", [])],
            each.get("seeds", seeds),
            each.get("after"),
        )
        for name, each in ((name, each or {}) for name, each in said["trials"].items())
    ]
    result = chosen.json or report.RESULTS / f"{chosen.trials.stem}.json"
    for seed in seeds:
        for trial in trials:
            if seed not in trial.seeds:
                continue
            overrides = [*trial.overrides, f"data.root={chosen.data}", f"runtime.seed={seed}"]
            if trial.after:
                overrides += [f"model.init={chosen.output / f'{trial.after}-{seed}' / 'last.pth'}"]
            folder = chosen.output / f"{trial.name}-{seed}"
            trial.rows.append({"seed": seed, **run(report.REPOSITORY / recipe, folder, overrides)})
            figures = {t.name: {"set": list(t.overrides), "seeds": t.rows} for t in trials}
            report.write(result, {"recipe": recipe, "shared": shared, "trials": figures})
    keys = [key for key in trials[0].rows[0] if key != "seed"]
    report.print_table(
        f"{chosen.trials.stem}: mean (smallest to largest) of seeds {seeds}",
        ["trial", *keys],
        [
            [trial.name, *(spread(row[key] for row in trial.rows) for key in keys)]
            for trial in trials
        ],
    )


def run(recipe: Path, folder: Path, overrides: Sequence[str]) -> Figures:
    """The figures of one training."""
    command = [sys.executable, "-m", "posetrack", "train", str(recipe), "-o", str(folder)]
    changes = [word for override in overrides for word in ("--set", override)]
    subprocess.run([*command, "--resume", *changes], check=True)
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    last = [r for r in rows if r["epoch"] == rows[-1]["epoch"]]
    figures = {r["metric"]: float(r["value"]) for r in last if r["group"] == "all"}
    for row in last:  # of each source of the data the one that ranks checkpoints
        if row["group"] != "all" and row["metric"] == "pck@0.1":
            figures[f"{row['group']} {row['metric']}"] = float(row["value"])
    del figures["people"]
    return figures | network_figures(folder)


def network_figures(folder: Path) -> Figures:
    """Multiplications and parameters in millions, and how far the exported graph is off."""
    weights = read_checkpoint(folder / "last.pth")
    network = weights.model()
    width, height = weights.recipe["model"]["input_size"]
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, height, width))).float()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        answers = network(image)
    graph = folder / "model.onnx"
    export_onnx(network, graph, input_size=(width, height))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    exported = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    pairs = zip(answers, exported, strict=False)
    return {
        "multiplications_m": counter.get_total_flops() / 2e6,
        "parameters_m": sum(p.numel() for p in network.parameters()) / 1e6,
        "export_error": max(float(np.abs(a.numpy() - b).max()) for a, b in pairs),
    }


def spread(values: Iterable[float]) -> str:
    """Mean, smallest and largest."""
    found = list(values)
    mean = f"{statistics.mean(found):.4g}"
    return mean if len(set(found)) == 1 else f"{mean} ({min(found):.4g} to {max(found):.4g})"


if __name__ == "__main__":
    main()
