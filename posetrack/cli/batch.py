"""`posetrack batch`: many videos, some at a time, and a manifest of what became of each."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posetrack.cli import options
from posetrack.errors import ConfigError

if TYPE_CHECKING:
    from posetrack.batch.crew import Crew, Event
    from posetrack.batch.inputs import Video
    from posetrack.batch.manifest import Manifest
    from posetrack.batch.unit import Plan
    from posetrack.cli.progress import VideoProgress
    from posetrack.config import RunConfig

MANY = "Many videos"
_SHOWN = 20

app = typer.Typer(add_completion=False)


@app.command(cls=options.MMDeployCommand, context_settings=options.CONTEXT)
@options.with_flags(without=["detector.asynchronous", "output.vmc"])
def batch(
    ctx: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            help='Videos, folders, quoted patterns ("in/**/*.mp4"), lists (.txt, or - for stdin).',
        ),
    ] = None,
    output: Annotated[
        Path | None,
        options.option("--output", "-o", panel=MANY, text="Folder of all outputs (needed)."),
    ] = None,
    jobs: Annotated[
        int | None,
        options.option(
            "--jobs", "-j", panel=MANY, text="Videos at a time; default one a core.", min=1
        ),
    ] = None,
    resume: Annotated[
        bool,
        options.option("--resume", panel=MANY, text="Skip what is done with these settings."),
    ] = False,
    retries: Annotated[
        int,
        options.option(
            "--retries", panel=MANY, text="Try a failed video so often again; default 1.", min=0
        ),
    ] = 1,
    shard: Annotated[
        str | None,
        options.option("--shard", panel=MANY, text="Only every n-th video from the i-th: i/n."),
    ] = None,
    root: Annotated[
        Path | None,
        options.option("--root", panel=MANY, text="Outputs are named by the place below it."),
    ] = None,
    ray: Annotated[
        str | None,
        options.option("--ray", panel=MANY, text="On a Ray cluster: its address, auto, or local."),
    ] = None,
    allow_unverified: options.AllowUnverified = False,
    config: options.Config = None,  # noqa: ARG001 - `resolve` reads it
    set_: options.Set = None,  # noqa: ARG001
    print_config: options.PrintConfig = False,
) -> None:
    """Track people in many videos, some at a time.

    Writes what `posetrack run` writes for each, in the same tree of folders below OUTPUT, and
    OUTPUT/manifest.jsonl. A video that fails is named there and stops nothing.
    """
    settings = options.resolve(ctx.params)
    if print_config:
        typer.echo(settings.to_yaml().rstrip())
        return
    if not inputs:
        raise typer.BadParameter("name videos, a folder, a pattern or a list", param_hint="INPUT")
    if output is None:
        raise typer.BadParameter("name the folder of all outputs: -o FOLDER", param_hint="--output")
    from posetrack.batch.inputs import find_videos, share
    from posetrack.batch.manifest import Manifest, check_names, not_yet_done, read_manifests

    _check(settings)
    videos = find_videos(inputs, root=root, out=output)
    if shard is not None:
        videos = share(videos, shard)
    done_before = read_manifests(output)
    check_names(videos, done_before, output)
    digest = _digest(settings, allow_unverified)
    todo = not_yet_done(videos, done_before, output, settings=digest) if resume else videos
    tally = _Tally(len(videos), len(videos) - len(todo))
    with Manifest(output, shard) as manifest:
        if todo:
            manifest.begin(digest, settings.model_dump(mode="json"), len(todo))
            work = _Work(settings, todo, output, manifest, digest, tally, retries)
            work.run(lambda: _crew(settings, len(todo), jobs, ray, allow_unverified))
        tally.print(manifest.path)
    if tally.signal is not None:
        raise typer.Exit(128 + tally.signal)
    raise typer.Exit(1 if tally.failed else 0)


@dataclass
class _Tally:
    """What became of the videos so far."""

    videos: int
    skipped: int
    done: int = 0
    frames: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    warned: int = 0
    wall_s: float = 0.0
    signal: int | None = None

    def print(self, manifest: Path) -> None:
        """The table at the end, on stdout."""
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False, soft_wrap=True)
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_row("videos", f"{self.videos}")
        table.add_row("done", f"{self.done}" + (f", {self.warned} warned" if self.warned else ""))
        if self.skipped:
            table.add_row("skipped", f"{self.skipped}, done before")
        table.add_row("failed", f"{len(self.failed)}")
        left = self.videos - self.skipped - self.done - len(self.failed)
        if left:
            table.add_row("left", f"{left}, for --resume")
        if self.done:
            rate = f"{self.frames / self.wall_s:.1f} fps, {3600 * self.done / self.wall_s:.0f}"
            table.add_row("frames", f"{self.frames} in {self.wall_s:.1f} s")
            table.add_row("speed", f"{rate} videos/h")
        console.print(table)
        for name, error in self.failed[:_SHOWN]:
            console.print(f"failed {name}: {error}", markup=False)
        if len(self.failed) > _SHOWN:
            console.print(f"and {len(self.failed) - _SHOWN} more")
        console.print(f"wrote {manifest}", markup=False)


@dataclass
class _Work:
    """The videos of one batch on their way through a crew."""

    settings: RunConfig
    videos: Sequence[Video]
    output: Path
    manifest: Manifest
    digest: str
    tally: _Tally
    retries: int

    def run(self, make_crew: Callable[[], tuple[Plan, Crew]]) -> None:
        """To the end, or to a signal."""
        from posetrack.batch.crew import Stop, carry_out
        from posetrack.batch.unit import Job
        from posetrack.cli.progress import VideoProgress
        from posetrack.pipeline import stop_on_signals

        begin = perf_counter()
        with VideoProgress(len(self.videos)) as progress:
            stop = Stop()
            with stop_on_signals(stop) as received:
                plan, crew = make_crew()
                folders = [(self.output / video.name).absolute() for video in self.videos]
                jobs = {
                    Job(str(video.path), str(folder.parent), folder.name, plan): video
                    for video, folder in zip(self.videos, folders, strict=True)
                }
                with closing(crew):
                    carry_out(
                        list(jobs),
                        crew,
                        retries=self.retries,
                        stop=stop,
                        on_event=lambda event, attempt, last: self._note(
                            jobs[event.job], event, attempt, last, progress
                        ),
                        on_drain=lambda: progress.say(
                            "finishing what was begun; once more to drop it"
                        ),
                    )
        self.tally.wall_s = perf_counter() - begin
        self.tally.signal = received[0] if received else None
        if self.tally.signal is not None:
            name = signal.Signals(self.tally.signal).name
            typer.echo(f"posetrack: stopped by {name}: --resume goes on from here", err=True)

    def _note(
        self, video: Video, event: Event, attempt: int, last: bool, progress: VideoProgress
    ) -> None:
        from posetrack.batch.crew import Advanced

        if isinstance(event, Advanced):
            progress.advance(video, event.frames, event.total)
            return
        outcome = event.outcome
        self.manifest.add(video, outcome, settings=self.digest, attempt=attempt)
        name = str(video.name.with_name(video.path.name))
        progress.end(video, name, outcome.frames, outcome.error, last=last)
        if outcome.error is None:
            self.tally.done += 1
            self.tally.frames += outcome.frames
            self.tally.warned += bool(outcome.warnings)
        elif last:
            self.tally.failed.append((name, outcome.error))


def _check(settings: RunConfig) -> None:
    """Refuse what no video could be done with, before anything is opened."""
    from posetrack.cli.session import require_backend
    from posetrack.formats.conversion import choose

    if settings.detector.asynchronous:
        raise ConfigError("detector.asynchronous is for live sources: files are read to the end")
    if settings.output.vmc is not None:
        raise ConfigError("output.vmc is for one source at a time: take `posetrack run`")
    if not settings.output.video and not settings.output.records and not settings.output.save:
        raise ConfigError("--no-video and --no-json leave nothing to write: drop one")
    for name in settings.output.save:
        choose(name)
    require_backend(settings.backend.kind)


def _digest(settings: RunConfig, allow_unverified: bool) -> str:
    """What tells these settings from others; the models are fetched here, once for all workers."""
    from posetrack.batch.manifest import fingerprint
    from posetrack.cli.session import find_model
    from posetrack.evaluation.facts import sha256

    tasks: Any = ("detection", "pose", *(["reid"] if settings.reid.model is not None else []))
    models = [find_model(settings, task, allow_unverified=allow_unverified) for task in tasks]
    named = [settings.source.mask, settings.drawing.skeleton]
    files = [model.path for model in models]
    files += [Path(name) for name in named if name is not None and Path(name).is_file()]
    cards = [repr(model.card) for model in models]
    return fingerprint(settings.model_dump_json(), [*cards, *map(sha256, files)])


def _crew(
    settings: RunConfig, videos: int, jobs: int | None, ray: str | None, allow_unverified: bool
) -> tuple[Plan, Crew]:
    """Who does it, and how many threads each has: together no more than there are cores."""
    from posetrack.backends.cores import usable_cores
    from posetrack.batch.unit import Plan

    said, cores = settings.backend.threads, usable_cores()
    on_cpu = settings.backend.device == "cpu"
    as_json = settings.model_dump_json()
    if ray is not None:
        from posetrack.batch.cluster import RayCrew

        plan = Plan(as_json, said or 1, allow_unverified)
        return plan, RayCrew(plan, ray, size=jobs, gpus=0 if on_cpu else 1)
    from posetrack.batch.pool import WorkerPool

    # Several models on one accelerator are for the user to judge.
    size = min(jobs or (cores if on_cpu else 1), videos)
    plan = Plan(as_json, said or max(1, cores // size), allow_unverified)
    return plan, WorkerPool(plan, size)
