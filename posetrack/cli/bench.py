"""`posetrack bench`: how fast the models and the whole loop are, and how fast they could be."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posetrack.cli import options
from posetrack.errors import ConfigError

if TYPE_CHECKING:
    from posetrack.cli.floor import Floor
    from posetrack.config import RunConfig
    from posetrack.media.sink import Sink
    from posetrack.runner import RunSummary

app = typer.Typer(add_completion=False)

LIMIT_S = 15.0
"""A row stops measuring after this long, however few iterations it has."""

PANEL = "Measuring"
COLOURS = ("#9ec3e6", "#d9822b", "#2f6db5", "#7a9a3a", "#a35d9a")  # of the works of a floor


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one network run, measured on `batch` images at once."""

    model: str
    backend: str
    device: str
    precision: str
    threads: int | None
    batch: int
    samples_ms: tuple[float, ...]

    @property
    def figures(self) -> dict[str, float]:
        """Mean, median, extremes and tail in ms, images a second by the median, runs."""
        import numpy as np

        samples = np.array(self.samples_ms)
        median, p95, p99 = (float(v) for v in np.percentile(samples, (50, 95, 99)))
        return {
            "mean": float(samples.mean()),
            "median": median,
            "min": float(samples.min()),
            "max": float(samples.max()),
            "p95": p95,
            "p99": p99,
            "images/s": self.batch * 1e3 / median,
            "runs": len(samples),
        }


@dataclass(frozen=True, slots=True)
class Loop:
    """The whole command over a clip on one backend, and the floor below it."""

    backend: str
    summary: RunSummary
    floor: Floor


@app.command(context_settings=options.CONTEXT)
@options.with_flags(without=("source", "output", "drawing"))
def bench(
    ctx: typer.Context,
    clip: Annotated[
        Path | None,
        options.option("--clip", panel=PANEL, text="Clip for the loop; default the demo's."),
    ] = None,
    iterations: Annotated[
        int, options.option("--iterations", panel=PANEL, text="Runs a row; 200.", min=1)
    ] = 200,
    batches: Annotated[
        str, options.option("--batches", panel=PANEL, text="Crops at once; 1,5.")
    ] = "1,5",
    thread_counts: Annotated[
        str | None,
        options.option("--thread-counts", panel=PANEL, text="Models on each, such as 1,2."),
    ] = None,
    precisions: Annotated[
        str | None,
        options.option("--precisions", panel=PANEL, text="Models in each, such as fp32,bf16."),
    ] = None,
    loop: Annotated[
        bool, options.option("--loop/--no-loop", panel=PANEL, text="Time the loop too.")
    ] = True,
    results: Annotated[  # not `save`, which is a setting of other commands
        Path | None,
        options.option("--save", panel=PANEL, text="Folder for bench.json and bench.png."),
    ] = None,
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
    crops = _numbers("--batches", batches)
    measured: list[Latency] = []
    loops: list[Loop] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            one = _with_backend(settings, kind=kind)
            try:
                for variant in _variants(one, thread_counts, precisions):
                    measured += measure_models(variant, crops, iterations)
                if loop:
                    film = clip or _demo_clip(Path(folder))
                    loops.append(measure_loop(one, kind, film, Path(folder)))
            except PosetrackError as error:
                if asked:
                    raise
                # One backend that cannot run these models is no reason to lose the others.
                typer.echo(f"posetrack: {kind} left out: {error}", err=True)
    console = wide_console()
    console.print(latency_table(measured))
    for each in loops:
        _print_loop(console, each)
    if results is not None:
        _save(results, measured, loops)


def _with_backend(config: RunConfig, **changes: Any) -> RunConfig:
    backend = type(config.backend).model_validate({**config.backend.model_dump(), **changes})
    return config.model_copy(update={"backend": backend})


def _variants(
    config: RunConfig, thread_counts: str | None, precisions: str | None
) -> Iterator[RunConfig]:
    """The settings once for each of the threads and precisions asked for."""
    threads: Sequence[int | None] = [config.backend.threads]
    if thread_counts is not None:
        threads = _numbers("--thread-counts", thread_counts)
    names = [config.backend.precision] if precisions is None else precisions.split(",")
    for count, precision in itertools.product(threads, names):
        yield _with_backend(config, threads=count, precision=precision.strip())


def _numbers(flag: str, text: str) -> list[int]:
    """Whole numbers from 1 on, separated by commas. Raises ConfigError."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise ConfigError(f"{flag} {text}: give whole numbers from 1 on, such as 1,2,4")
    return numbers


def measure_models(config: RunConfig, crops: Sequence[int], iterations: int) -> Iterator[Latency]:
    """The detector on one image, the pose model on each number of `crops`: the network alone."""
    import numpy as np

    from posetrack.cli.session import open_perception

    noise = np.random.default_rng(0)
    with open_perception(config) as perception:
        for part, batches in ((perception.detector, (1,)), (perception.estimator, crops)):
            backend, card = part.backend, part.card  # type: ignore[union-attr]
            spec = backend.inputs[0]
            width, height = card.input.size
            for batch in batches:
                if spec.shape[0] not in (None, batch):
                    continue  # a graph of one fixed batch size
                if card.input.folded:
                    images = noise.integers(0, 256, (batch, height, width, 3), np.uint8)
                else:
                    images = noise.normal(0, 1, (batch, 3, height, width)).astype(spec.dtype)
                samples = _time(lambda: backend.run({spec.name: images}), iterations)  # noqa: B023
                kind = (backend.kind, backend.device, backend.precision, config.backend.threads)
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


def measure_loop(config: RunConfig, kind: str, clip: Path, folder: Path) -> Loop:
    """The whole command: decode, detect, track, draw, encode; and what that costs at least."""
    from posetrack.cli import session
    from posetrack.cli.floor import SAMPLES, Sampler, measure_floor
    from posetrack.media.video import VideoSink
    from posetrack.runner import run

    source = session.open_input(config, str(clip))
    middle = max(0, ((source.frame_count or 0) - SAMPLES) // 2)
    with source, session.open_perception(config, source) as perception:
        sampler = Sampler(middle)
        sinks: list[Sink] = [VideoSink(folder / "bench.mp4", source), sampler]
        draw = session.make_painter(config, perception.visible_score)
        summary = run(source, perception, sinks, draw=draw, signals=True)
    return Loop(kind, summary, measure_floor(config, clip, sampler.results, summary, folder))


def _demo_clip(folder: Path) -> Path:
    clip = folder / "demo.mp4"
    if not clip.exists():
        from posetrack.demo import make_clip

        make_clip(clip)
    return clip


def latency_table(rows: Sequence[Latency]) -> Any:
    """A row for each model, backend, precision, number of threads and batch."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("model", "backend", "device", "precision"):
        table.add_column(column)
    for column in ("threads", "batch", "mean ms", "median", "min", "max", "p95", "p99"):
        table.add_column(column, justify="right")
    for column in ("images/s", "runs"):
        table.add_column(column, justify="right")
    for row in rows:
        figures = row.figures
        rate, runs = f"{figures.pop('images/s'):.0f}", str(figures.pop("runs"))
        names = (row.model, row.backend, row.device, row.precision)
        counts = (str(row.threads or "all"), str(row.batch))
        table.add_row(*names, *counts, *(f"{ms:.2f}" for ms in figures.values()), rate, runs)
    return table


def _print_loop(console: Any, loop: Loop) -> None:
    from posetrack.cli.summary import stage_table

    summary, floor = loop.summary, loop.floor
    console.print(
        f"\nwhole loop, {loop.backend}: {summary.fps:.1f} fps over {summary.frames} frames, "
        f"{summary.people_mean:.1f} people a frame, latency p50 {summary.latency.p50_ms:.1f} ms, "
        f"p95 {summary.latency.p95_ms:.1f} ms"
    )
    console.print(stage_table(summary.stages))
    works = " + ".join(f"{work.name} {work.calls * work.cpu_ms:.2f}" for work in floor.works)
    console.print(
        f"floor: {works} ms of processor time a frame, shared by {floor.cores} cores that do "
        f"{floor.worth:.2f} times the work of one {floor.floor_ms:.2f} ms; "
        f"the loop takes {floor.loop_ms:.2f} ms, {floor.ratio:.2f} times that"
    )


def _save(folder: Path, measured: Sequence[Latency], loops: Sequence[Loop]) -> None:
    """What was printed, as ``bench.json`` and ``bench.png``."""
    from posetrack.evaluation.facts import facts, write_json

    rows = [
        {key: value for key, value in asdict(row).items() if key != "samples_ms"} | row.figures
        for row in measured
    ]
    content = {
        "models": rows,
        "loops": [
            {
                "backend": loop.backend,
                "summary": asdict(loop.summary),
                "floor": asdict(loop.floor)
                | {"floor_ms": loop.floor.floor_ms, "ratio": loop.floor.ratio},
            }
            for loop in loops
        ],
    }
    write_json(folder / "bench.json", facts("posetrack", sys.argv[1:]) | content)
    _plot(folder / "bench.png", measured, loops)
    typer.echo(f"wrote {folder}", err=True)


def _plot(path: Path, measured: Sequence[Latency], loops: Sequence[Loop]) -> None:
    """Median latencies with their p99, and each loop beside its floor."""
    from matplotlib.figure import Figure

    figure = Figure(
        layout="constrained", figsize=(9, 2.2 + 0.32 * (len(measured) + 2 * len(loops)))
    )
    shares = [max(len(measured), 1), max(2 * len(loops), 1)]
    above, below = figure.subplots(2, 1, height_ratios=shares)
    names, medians, tails = [], [], []
    for row in measured:
        how = f"{row.backend} {row.precision}, threads {row.threads or 'all'}"
        names.append(f"{row.model}, {how}, batch {row.batch}")
        medians.append(row.figures["median"])
        tails.append(row.figures["p99"] - row.figures["median"])
    above.barh(names, medians, xerr=[[0] * len(tails), tails], color="#2f6db5", ecolor="#9aa5b1")
    above.set(xlabel="ms a run: median, and up to p99")
    above.invert_yaxis()
    for loop in loops:
        left = 0.0
        for work, colour in zip(loop.floor.works, COLOURS, strict=False):
            width = work.calls * work.cpu_ms / loop.floor.worth
            label = work.name if loop is loops[0] else None
            below.barh(f"{loop.backend}, floor", width, left=left, color=colour, label=label)
            left += width
        below.barh(f"{loop.backend}, loop", loop.floor.loop_ms, color="#9aa5b1")
    if loops:
        below.legend(ncols=5, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    below.set(xlabel="ms a frame")
    below.invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, bbox_inches="tight")
