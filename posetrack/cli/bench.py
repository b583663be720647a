"""`posetrack bench`: how fast the models and the whole loop are on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posetrack.cli import options

if TYPE_CHECKING:
    from posetrack.config import RunConfig

app = typer.Typer(add_completion=False)

LIMIT_S = 15.0
"""A row stops measuring after this long, however few iterations it has."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one network run, measured on `batch` images at once."""

    model: str
    backend: str
    device: str
    precision: str
    batch: int
    samples_ms: tuple[float, ...]


@app.command(context_settings=options.CONTEXT)
@options.with_flags(without=("source", "output", "drawing"))
def bench(
    ctx: typer.Context,
    clip: Annotated[
        Path | None,
        options.option(
            "--clip", panel=options.READING, text="Clip for the loop; default the demo's."
        ),
    ] = None,
    iterations: Annotated[
        int, options.option("--iterations", panel=options.READING, text="Runs a row; 200.", min=1)
    ] = 200,
    loop: Annotated[
        bool, options.option("--loop/--no-loop", panel=options.READING, text="Time the loop too.")
    ] = True,
    config: options.Config = None,  # noqa: ARG001 - `resolve` reads it
    set_: options.Set = None,  # noqa: ARG001
) -> None:
    """Measure models and the whole loop on every backend that is installed, or on --backend."""
    settings = options.resolve(ctx.params)
    from posetrack.backends import backend_name, installed
    from posetrack.cli.session import require_backend
    from posetrack.cli.summary import wide_console
    from posetrack.errors import PosetrackError

    asked = ctx.params["backend"] is not None
    kinds = [row.name for row in installed() if row.runs]
    if asked:
        require_backend(settings.backend.kind)
        kinds = [backend_name(settings.backend.kind)]
    measured: list[Latency] = []
    loops: list[tuple[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            chosen = settings.backend.model_copy(update={"kind": kind})
            one = settings.model_copy(update={"backend": chosen})
            try:
                measured += measure_models(one, iterations)
                if loop:
                    loops.append(
                        (kind, measure_loop(one, clip or _demo_clip(Path(folder)), folder))
                    )
            except PosetrackError as error:
                if asked:
                    raise
                # One backend that cannot run these models is no reason to lose the others.
                typer.echo(f"posetrack: {kind} left out: {error}", err=True)
    console = wide_console()
    console.print(latency_table(measured))
    for kind, summary in loops:
        _print_loop(console, kind, summary)


def measure_models(config: RunConfig, iterations: int) -> Iterator[Latency]:
    """The detector on one image, the pose model on 1 and 5 crops: the network alone."""
    import numpy as np

    from posetrack.cli.session import open_perception

    noise = np.random.default_rng(0)
    with open_perception(config) as perception:
        for part, batches in ((perception.detector, (1,)), (perception.estimator, (1, 5))):
            backend, card = part.backend, part.card  # type: ignore[union-attr]
            spec = backend.inputs[0]
            width, height = card.input.size
            for batch in batches:
                if spec.shape[0] not in (None, batch):
                    continue  # a graph of one fixed batch size
                images = noise.normal(0, 1, (batch, 3, height, width)).astype(spec.dtype)
                samples = _time(lambda: backend.run({spec.name: images}), iterations)  # noqa: B023
                kind = (backend.kind, backend.device, backend.precision)
                yield Latency(card.name, *kind, batch, samples)


def _time(run: Callable[[], object], iterations: int) -> tuple[float, ...]:
    """Milliseconds of each run, after a warm-up of a quarter as many (50 of 200)."""
    deadline = perf_counter() + LIMIT_S
    for _ in range(max(1, iterations // 4)):
        run()
        if perf_counter() > deadline - LIMIT_S / 2:
            break
    samples = []
    for _ in range(iterations):
        begin = perf_counter()
        run()
        end = perf_counter()
        samples.append((end - begin) * 1e3)
        if end > deadline:
            break
    return tuple(samples)


def measure_loop(config: RunConfig, clip: Path, folder: str) -> Any:
    """The summary of the whole command: decode, detect, track, draw, encode."""
    from posetrack.cli import session
    from posetrack.media.video import VideoSink
    from posetrack.runner import run

    source = session.open_input(config, str(clip))
    with source, session.open_perception(config, source) as perception:
        sink = VideoSink(Path(folder) / "bench.mp4", source)
        draw = session.make_painter(config, perception.visible_score)
        return run(source, perception, [sink], draw=draw, signals=True)


def _demo_clip(folder: Path) -> Path:
    clip = folder / "demo.mp4"
    if not clip.exists():
        from posetrack.demo import make_clip

        make_clip(clip)
    return clip


def latency_table(rows: list[Latency]) -> Any:
    """Mean, median, extremes and tail of each row, and images a second."""
    import numpy as np
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("model", "backend", "device", "precision"):
        table.add_column(column)
    for column in ("batch", "mean ms", "median", "min", "max", "p95", "p99", "images/s", "runs"):
        table.add_column(column, justify="right")
    for row in rows:
        samples = np.array(row.samples_ms)
        p50, p95, p99 = np.percentile(samples, (50, 95, 99))
        values = (samples.mean(), p50, samples.min(), samples.max(), p95, p99)
        numbers = [f"{value:.2f}" for value in values]
        rate = f"{row.batch * 1e3 / p50:.0f}"
        names = (row.model, row.backend, row.device, row.precision, str(row.batch))
        table.add_row(*names, *numbers, rate, str(len(samples)))
    return table


def _print_loop(console: Any, kind: str, summary: Any) -> None:
    from posetrack.cli.summary import stage_table

    console.print(
        f"\nwhole loop, {kind}: {summary.fps:.1f} fps over {summary.frames} frames, "
        f"{summary.people_mean:.1f} people a frame, latency p50 {summary.latency.p50_ms:.1f} ms, "
        f"p95 {summary.latency.p95_ms:.1f} ms"
    )
    console.print(stage_table(summary.stages))
