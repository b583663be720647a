"""The least that a run on this machine can cost: what its necessary work takes alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np

from posetrack.backends.cores import usable_cores
from posetrack.cli import session
from posetrack.media.video import VideoSink
from posetrack.runner import RunSummary
from posetrack.types import Image, Result

if TYPE_CHECKING:
    from posetrack.config import RunConfig

SAMPLES = 24
"""Frames whose detection, poses, drawing and encoding are measured."""
_VALUES, _TRIALS, _TRIAL_S = 1 << 15, 3, 0.2
"""By how many exponentials at a time the cores are tried, how often, and for how long."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work, done alone on one thread.

    Attributes:
        name: what it is.
        calls: how often a frame needs it.
        cpu_ms: processor time of one call.
    """

    name: str
    calls: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Floor:
    """What a frame costs at least, and what it cost in the loop.

    Attributes:
        works: decode, detect, pose, draw, encode.
        cores: that share them, as if perfectly.
        worth: how many times the work of one core they do together.
        loop_ms: wall time of a frame in the whole loop.
    """

    works: tuple[Work, ...]
    cores: int
    worth: float
    loop_ms: float

    @property
    def floor_ms(self) -> float:
        """Milliseconds a frame, all cores busy with nothing else."""
        return sum(work.calls * work.cpu_ms for work in self.works) / self.worth

    @property
    def ratio(self) -> float:
        """The loop's time over the floor; 1 is the best there is."""
        return self.loop_ms / self.floor_ms


@dataclass
class Sampler:
    """A sink that keeps `SAMPLES` results in a row, after the first `skip` of a run."""

    skip: int = 0
    results: list[Result] = field(default_factory=list)
    _seen: int = 0

    def open(self) -> None:
        """Nothing to open."""

    def write(self, result: Result, _image: Image, /) -> None:
        """Keep it, where it is its turn."""
        self._seen += 1
        if self.skip < self._seen <= self.skip + SAMPLES:
            self.results.append(result)

    def finish(self) -> None:
        """Nothing to finish."""

    def abort(self) -> None:
        """Nothing to undo."""


def measure_floor(
    config: RunConfig, clip: Path, results: Sequence[Result], summary: RunSummary, folder: Path
) -> Floor:
    """The floor of the run over `clip` that gave `summary` and, among others, `results`.

    Models run on one thread: several wait for each other, which is no necessary work. What tracker
    and pipeline cost is not in the floor.

    Args:
        folder: where a video is written meanwhile.
    """
    one = config.backend.model_copy(update={"threads": 1})
    works = [_decode(config, clip)]
    with session.open_perception(config.model_copy(update={"backend": one})) as perception:
        detector, estimator = perception.detector, perception.estimator
        draw = session.make_painter(config, perception.visible_score)
        if detector is not None:
            often = summary.detector_runs / summary.frames
            works.append(_work("detect", often, results, lambda r: detector(r.frame.image)))
        people = [result for result in results if len(result.tracks)]
        works.append(
            _work(
                "pose",
                len(people) / len(results),
                people,
                lambda r: estimator(
                    r.frame.image,
                    r.tracks.poses.boxes,
                    box_scores=r.tracks.poses.box_scores,
                ),
            )
        )
    works.append(_work("draw", 1, results, draw))
    with session.open_input(config, str(clip)) as source:
        works.append(_encode(VideoSink(folder / "floor.mp4", source), results, draw))
    cores = usable_cores()
    return Floor(tuple(works), cores, worth(cores), summary.wall_s / summary.frames * 1e3)


def worth(cores: int) -> float:
    """How many times the work of one core so many do at once, from 1 to `cores`.

    Two that are threads of one core do 1.3 times its work rather than twice; those of a virtual
    machine may be less than they seem, for a while.
    """
    pairs = [(_rate(1), _rate(cores)) for _ in range(_TRIALS)]
    alone, together = (max(rates) for rates in zip(*pairs, strict=True))  # others only slow down
    return float(np.clip(together / alone, 1, cores))


def _rate(threads: int) -> float:
    """Rounds of exponentials a second of so many threads.

    They keep the units busy that networks keep busy, NumPy takes one thread for them and gives up
    the interpreter's lock, and they fit a core's own cache.
    """
    values = np.linspace(-1, 1, _VALUES, dtype=np.float32)
    done = [0] * threads
    end = perf_counter() + _TRIAL_S

    def work(which: int) -> None:
        results = np.empty_like(values)
        while perf_counter() < end:
            for _ in range(10):
                np.exp(values, out=results)
            done[which] += 1

    workers = [Thread(target=work, args=(which,)) for which in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / _TRIAL_S


def _work(
    name: str, calls: float, samples: Sequence[Result], do: Callable[[Result], object]
) -> Work:
    """`do` on every sample; the first time is not counted."""
    if not samples:
        return Work(name, 0.0, 0.0)
    do(samples[0])
    begin = process_time()
    for sample in samples:
        do(sample)
    return Work(name, calls, (process_time() - begin) / len(samples) * 1e3)


def _decode(config: RunConfig, clip: Path) -> Work:
    with session.open_input(config, str(clip)) as source:
        begin = process_time()
        frames = sum(1 for _ in source)
        return Work("decode", 1, (process_time() - begin) / frames * 1e3)


def _encode(sink: VideoSink, results: Sequence[Result], draw: Callable[[Result], Image]) -> Work:
    """With the end of the file, where the encoder does what it put off."""
    pictures = [draw(result) for result in results]
    sink.open()
    begin = process_time()
    for result, image in zip(results, pictures, strict=True):
        sink.write(result, image)
    sink.finish()
    return Work("encode", 1, (process_time() - begin) / len(results) * 1e3)
