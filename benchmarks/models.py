"""The table of models in docs/models.md: size, work, published accuracy, and time on this machine.

    python benchmarks/models.py                 # all of it, some ten minutes on a quiet machine
    python benchmarks/models.py --no-latency    # the first columns alone
    python benchmarks/models.py --only rtmw
    python benchmarks/models.py --page          # measure nothing, write the table anew

Each network of the zoo is built with fresh weights, which take as long as trained ones, exported
as `posetrack models pull` would, and run by ONNX Runtime on one thread and on two: the median time
of one picture or person. GMAC are multiply-adds of one input. Accuracy and recipe are those of the
model's card: what its makers published, and what trains the same network here. With
``--no-latency`` or ``--only`` figures measured before stay.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import statistics
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import report
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from posetrack import zoo
from posetrack.backends import open_backend
from posetrack.cards import ModelCard
from posetrack.networks import build
from posetrack.training.export import export_onnx

DOCS = report.REPOSITORY / "docs" / "models.md"
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
COLUMNS = ("model", "input", "outputs", "parameters, M", "GMAC", "published")
COLUMNS += ("ms, 1 / 2 threads", "recipe")
SECONDS, LEAST = 3.0, 5


@dataclass
class Row:
    """What is known of one network; milliseconds are None where not measured."""

    names: list[str]
    task: str
    architecture: str
    input: str
    outputs: int
    parameters: int
    gmac: float
    accuracy: list[str]
    ms_1_thread: float | None = None
    ms_2_threads: float | None = None


def cards_by_network(only: str) -> dict[tuple[Any, ...], list[ModelCard]]:
    """Cards of the zoo whose networks have the same form, and so the same work, together."""
    found: dict[tuple[Any, ...], list[ModelCard]] = {}
    for entry in zoo.list_models():
        card = entry.card
        if entry.origin != "zoo" or card.task == "backbone" or not card.parameters:
            continue
        outputs = len(card.keypoints) if card.task == "pose" else len(card.labels)
        if only in card.name:
            found.setdefault((card.architecture, card.input.size, outputs), []).append(card)
    return found


def make(architecture: str, size: tuple[int, int], outputs: int) -> nn.Module:
    """The network with fresh weights."""
    torch.manual_seed(0)
    return build(architecture, input_size=size, num_keypoints=outputs, num_classes=outputs).eval()


def multiply_adds(network: nn.Module, size: tuple[int, int]) -> float:
    """GMAC of one input."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size[1], size[0]))
    return counter.get_total_flops() / 2e9


def latency(network: nn.Module, size: tuple[int, int]) -> tuple[float, float]:
    """Median milliseconds of one input on one thread and on two."""
    picture = np.random.default_rng(0).normal(size=(1, 3, size[1], size[0])).astype(np.float32)
    medians = []
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "model.onnx"
        export_onnx(network, graph, input_size=size)
        for threads in (1, 2):
            backend = open_backend("onnxruntime", graph, threads=threads)
            name, times, began = backend.inputs[0].name, [], perf_counter()
            backend.run({name: picture})
            while perf_counter() - began < SECONDS or len(times) < LEAST:
                begin = perf_counter()
                backend.run({name: picture})
                times.append(1000 * (perf_counter() - begin))
            backend.close()
            medians.append(statistics.median(times))
    return medians[0], medians[1]


def measure(cards: list[ModelCard], *, timed: bool, before: dict[str, Any]) -> Row:
    """The row of one network."""
    first = cards[0]
    outputs = len(first.keypoints) if first.task == "pose" else len(first.labels)
    network = make(first.architecture, first.input.size, outputs)
    width, height = first.input.size
    row = Row(
        [card.name for card in cards],
        first.task,
        first.architecture,
        f"{width}x{height}",
        outputs,
        sum(parameter.numel() for parameter in network.parameters()),
        round(multiply_adds(network, first.input.size), 3),
        [_accuracy(card) for card in cards],
        before.get("ms_1_thread"),
        before.get("ms_2_threads"),
    )
    if timed:
        one, two = latency(network, first.input.size)
        row.ms_1_thread, row.ms_2_threads = round(one, 1), round(two, 1)
    return row


def _accuracy(card: ModelCard) -> str:
    if not card.accuracy:
        return "-"
    best = card.accuracy[0]
    return f"{best.metric} {best.value:g} ({best.on})"


def _recipe(card: ModelCard) -> str:
    return f"`{Path(card.recipe).stem}`" if card.recipe else "-"


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    cards = {entry.name: entry.card for entry in zoo.list_models()}
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        f"|{len(COLUMNS) * '---|'}",
    ]
    for row in rows:
        accuracy = "<br>".join(_accuracy(cards[name]) for name in row.names)
        recipes = "<br>".join(dict.fromkeys(_recipe(cards[name]) for name in row.names))
        known = row.ms_1_thread is not None
        times = f"{row.ms_1_thread:g} / {row.ms_2_threads:g}" if known else "-"
        lines.append(
            f"| {'<br>'.join(f'`{name}`' for name in row.names)} | {row.input} | {row.outputs} "
            f"| {row.parameters / 1e6:.2f} | {row.gmac:.2f} | {accuracy} "
            f"| {times} | {recipes} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures, writes the result file, and puts the table into the page."""
    parser = argparse.ArgumentParser(description="Size, work and time of every model of the zoo")
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--no-latency", action="store_true", help="do not time anything")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--json", type=Path, default=report.RESULTS / "models.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    known: dict[str, Any] = {}
    if options.json.is_file():
        known = {row["names"][0]: row for row in json.loads(options.json.read_text())["models"]}
    rows = [] if options.page else measured(options, known)
    if rows:
        known |= {row.names[0]: asdict(row) for row in rows}
        report.write(options.json, {"models": list(known.values())})
    if options.only:
        print(table(rows))
        return
    every = sorted((Row(**row) for row in known.values()), key=_order)
    text = DOCS.read_text("utf-8")
    page = re.sub(f"{BEGIN}.*{END}", f"{BEGIN}\n{table(every)}\n{END}", text, flags=re.DOTALL)
    DOCS.write_text(page, "utf-8")


def measured(options: argparse.Namespace, known: dict[str, Any]) -> list[Row]:
    """A row a network of the zoo, in the table's order."""
    rows = []
    for cards in cards_by_network(options.only).values():
        before = known.get(cards[0].name, {})
        rows.append(measure(cards, timed=not options.no_latency, before=before))
        row = rows[-1]
        print(row.names[0], f"{row.parameters:,}", row.gmac, row.ms_1_thread, flush=True)
        gc.collect()
    return sorted(rows, key=_order)


def _order(row: Row) -> tuple[str, int, float]:
    return row.task, row.outputs, row.gmac


if __name__ == "__main__":
    main()
