"""The unit of work of a batch: one video tracked into its outputs, in whatever process this runs.

Everything that travels is of plain values, so that a process pool and a cluster can do the same.
"""

from __future__ import annotations

import glob
import os
import platform
import shutil
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from posetrack.errors import PosetrackError

if TYPE_CHECKING:
    from posetrack.cli.session import Networks
    from posetrack.config import RunConfig
    from posetrack.media.source import Source
    from posetrack.runner import RunSummary
    from posetrack.types import Result

OnFrame: TypeAlias = Callable[[int, int | None], None]
"""Told after each frame how many are done, and how many there will be (None: not known)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What all videos of a batch share.

    Attributes:
        settings: a `posetrack.config.RunConfig` as JSON.
        threads: those of the networks in one worker, of its decoder and of its encoder. The
            settings, which stand in the records, are left as they are: results do not depend on it.
        allow_unverified: use fetched models of which no digest is known.
    """

    settings: str
    threads: int
    allow_unverified: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One video.

    Attributes:
        input: what is read, an absolute path.
        folder: where the outputs go.
        stem: what their names begin with.
        plan: how it is done.
    """

    input: str
    folder: str
    stem: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a video.

    Attributes:
        error: one line, None where it is done.
        outputs: paths of what was written.
        frames: how many were tracked.
        people_max: most people in one frame.
        ids: different people.
        wall_s: seconds from the first thing to the last.
        warnings: one line each.
        worker: host and process.
    """

    error: str | None = None
    outputs: tuple[str, ...] = ()
    frames: int = 0
    people_max: int = 0
    ids: int = 0
    wall_s: float = 0.0
    warnings: tuple[str, ...] = ()
    worker: str = ""


@lru_cache(maxsize=1)
def prepare(plan: Plan) -> tuple[RunConfig, Networks]:
    """The settings, and the models loaded and warm: once a process.

    Raises:
        PosetrackError: a model, device or backend that no video could be tracked with.
    """
    import cv2

    from posetrack.cli import session
    from posetrack.config import RunConfig

    cv2.setNumThreads(1)  # as `posetrack run` does: the stages are threads already
    config = RunConfig.model_validate_json(plan.settings)
    session.require_backend(config.backend.kind)
    backend = config.backend.model_copy(update={"threads": plan.threads})
    networks = session.load_networks(
        config.model_copy(update={"backend": backend}), allow_unverified=plan.allow_unverified
    )
    return config, networks


def work(job: Job, on_frame: OnFrame | None = None) -> Outcome:
    """What became of `job`; whatever is wrong with one video comes back as its `error`."""
    from posetrack.cli.main import message_of

    begin = perf_counter()
    worker = f"{platform.node()}:{os.getpid()}"
    try:
        # Many workers share one terminal, which belongs to the progress of the whole.
        with redirect_stderr(StringIO()):
            summary, outputs = _track(job, on_frame)
    except PosetrackError as error:
        reason = message_of(error)
    except Exception as error:  # noqa: BLE001 - the top of a process that has other videos to do
        reason = f"internal error, {type(error).__name__}: {error}"
    else:
        return Outcome(
            outputs=tuple(map(str, outputs)),
            frames=summary.frames,
            people_max=summary.people_max,
            ids=summary.ids,
            wall_s=perf_counter() - begin,
            warnings=summary.warnings,
            worker=worker,
        )
    return Outcome(" ".join(reason.split()), wall_s=perf_counter() - begin, worker=worker)


def discard_parts(job: Job) -> None:
    """Remove what a worker that died left of the outputs."""
    for part in Path(job.folder).glob(f"{glob.escape(job.stem)}.posetrack.*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def _track(job: Job, on_frame: OnFrame | None) -> tuple[RunSummary, list[Path]]:
    from posetrack.cli import outputs, session
    from posetrack.cli.once import track_once
    from posetrack.media.part import write_failure

    config, networks = prepare(job.plan)
    folder, threads = Path(job.folder), job.plan.threads
    with ExitStack() as stack:
        source = session.open_input(config, job.input, threads=threads)
        stack.callback(source.close)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failure(folder, error) from error
        chosen = outputs.places(config, source, output=folder, records=None, stem=job.stem)
        region = session.region_in(config, source)
        perception = session.make_perception(config, networks, source, region)

        def watch(title: str, watched: Source, go: Callable[..., RunSummary]) -> RunSummary:  # noqa: ARG001
            return go(on_progress=_counter(watched.frame_count, on_frame))

        summary = track_once(
            config, job.input, source, perception, chosen, watch=watch, threads=threads
        )
    return summary, chosen.written()


def _counter(total: int | None, on_frame: OnFrame | None) -> Callable[[Result], None] | None:
    if on_frame is None:
        return None
    done = 0

    def count(result: Result) -> None:  # noqa: ARG001
        nonlocal done
        done += 1
        on_frame(done, total)

    return count
