"""What a training shows while it runs: a live line, a log of losses, a plot of the metrics."""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from posetrack.training.board import Board
from posetrack.types import Image


class Progress:
    """Prints to stderr; without a terminal it prints a line every `every_s` seconds."""

    def __init__(self, folder: Path, *, every_s: float = 30.0, quiet: bool = False) -> None:
        self.folder, self.every_s, self.quiet = folder, every_s, quiet
        self.console = Console(stderr=True, quiet=quiet)
        columns = ("epoch {task.fields[epoch]}", "{task.completed}/{task.total}")
        self.bar = Bar(
            *map(TextColumn, columns),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=self.console,
            disable=quiet or not sys.stderr.isatty(),
        )
        self.row = self.bar.add_task("", total=1, epoch=0, text="")
        self._seen, self._since, self._printed = 0, time.monotonic(), time.monotonic()
        self._mean: dict[str, float] = {}
        self._at: tuple[int, int, float] | None = None
        self._metric = ""
        self._board = Board(folder, quiet=quiet)
        self._step = 0

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._log()
        self.bar.stop()
        self._board.close()

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, highlight=False)

    def batch(
        self, epoch: int, batch: int, total: int, size: int, lr: float, losses: dict[str, float]
    ) -> None:
        """One batch is done."""
        if self.quiet:
            return
        for name, value in losses.items():
            self._mean[name] = 0.98 * self._mean.get(name, value) + 0.02 * value
        self._seen += size
        self._step = epoch * total + batch
        self._at = (epoch, batch, lr)
        text = " ".join(f"{k} {v:.4g}" for k, v in self._mean.items())
        text += f"  lr {lr:.2e}  {self._rate():.1f} img/s{self._metric}"
        self.bar.update(self.row, completed=batch, total=total, epoch=epoch + 1, text=text)
        if time.monotonic() - self._printed < self.every_s:
            return
        self._printed = time.monotonic()
        self._log()
        if self.bar.disable:
            self.console.print(f"epoch {epoch + 1} {batch}/{total}  {text}", highlight=False)

    def _rate(self) -> float:
        """Images a second since the last line of the log."""
        return self._seen / max(time.monotonic() - self._since, 1e-6)

    def _log(self) -> None:
        """A line of where the training is, if it went on since the last one."""
        if self._at is None:
            return
        (epoch, batch, lr), rate, self._at = self._at, self._rate(), None
        self._seen, self._since = 0, time.monotonic()
        losses = {f"loss/{name}": value for name, value in self._mean.items()}
        self._board.scalars(self._step, losses | {"schedule/lr": lr, "speed/img_per_s": rate})
        means = [f"{value:.5f}" for value in self._mean.values()]
        _append(
            self.folder / "losses.csv",
            ["epoch", "batch", "lr", "img_per_s", *self._mean],
            [[epoch, batch, f"{lr:.3e}", f"{rate:.1f}", *means]],
        )

    def evaluated(
        self,
        epoch: int,
        metrics: dict[str, dict[str, float]],
        sheet: Image,
        *,
        headline: tuple[str, str],
    ) -> None:
        """Note the metrics and show them as a table and a plot; keep the sheet of predictions.

        The live line goes on with `headline`, the group and the name of one of them.
        """
        self._log()
        group, key = headline
        self._metric = f"  {key} {metrics[group][key]:.4g}"
        rows = [
            [epoch, group, key, f"{value:.6f}"]
            for group, values in metrics.items()
            for key, value in values.items()
        ]
        _append(self.folder / "metrics.csv", ["epoch", "group", "metric", "value"], rows)
        names = list(dict.fromkeys(k for values in metrics.values() for k in values))
        table = Table("", *names, title=f"after epoch {epoch}")
        for group, values in metrics.items():
            table.add_row(group, *(f"{values[k]:.4g}" if k in values else "" for k in names))
        self.console.print(table)
        for group, values in metrics.items():
            self._board.scalars(self._step, {f"{group}/{k}": v for k, v in values.items()})
        self._board.picture(self._step, "predictions", sheet)
        (self.folder / "predictions.jpg").write_bytes(cv2.imencode(".jpg", sheet)[1].tobytes())
        self._since, self._seen = time.monotonic(), 0
        self.plot()

    def plot(self) -> None:
        """Draw ``metrics.png``: the shares among the metrics of the first group, by epoch."""
        from matplotlib.figure import Figure

        with (self.folder / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        group = rows[0]["group"]
        curves: dict[str, dict[int, float]] = {}
        for row in rows:
            if row["group"] == group:  # a run killed before it saved repeats an epoch
                curves.setdefault(row["metric"], {})[int(row["epoch"])] = float(row["value"])
        figure = Figure(figsize=(7, 4))
        axes = figure.subplots()
        for metric, curve in curves.items():
            if max(curve.values()) <= 1:
                epochs, values = zip(*sorted(curve.items()), strict=True)
                axes.plot(epochs, values, marker=".", label=metric)
        axes.set(xlabel="epoch", ylabel=group, ylim=(0, 1))
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(self.folder / "metrics.png", dpi=120, bbox_inches="tight")


def _append(path: Path, header: list[str], rows: list[list[object]]) -> None:
    """Add rows to a table; a new file begins with the header.

    A table with other columns, as of a run resumed with other losses, is kept as ``NAME.old.csv``.
    """
    if path.exists():
        with path.open(newline="") as file:
            before = next(csv.reader(file), header)
        if before != header:
            path.replace(path.with_suffix(f".old{path.suffix}"))
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(header)
        writer.writerows(rows)
