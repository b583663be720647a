"""From settings to the objects of a run: models, perception, painter, and the run itself."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import typer

from posetrack import opening
from posetrack.backends import (
    backend_name,
    installed,
    threads_ahead,
)
from posetrack.camera import Camera
from posetrack.cli.progress import Downloads, FrameProgress
from posetrack.detector import Detector
from posetrack.embedder import Embedder
from posetrack.errors import BackendMissing, ConfigError
from posetrack.estimator import Estimator
from posetrack.media.painter import Painter
from posetrack.media.sink import Sink
from posetrack.media.source import Source, open_source
from posetrack.media.styles import STYLES
from posetrack.perception import BoxesOf, Perception
from posetrack.records import Header
from posetrack.region import Region, open_region
from posetrack.runner import RunSummary, run
from posetrack.schedule import Every, Schedule, WhenNeeded
from posetrack.skeletons import load_skeleton
from posetrack.zoo.aliases import Choice, choose

if TYPE_CHECKING:
    from posetrack.backends import Backend
    from posetrack.cards import Task
    from posetrack.config import DetectorSettings, RunConfig
    from posetrack.zoo import ResolvedModel

_NOMINAL_FPS = 25.0
_CARDED = (Detector, Estimator, Embedder)


def open_input(config: RunConfig, spec: str, *, threads: int | None = None) -> Source:
    """The source `spec` names, read as the settings say; `threads` are the decoder's."""
    chosen = config.source
    return open_source(
        spec,
        start_s=chosen.start_s,
        duration_s=chosen.duration_s,
        stride=chosen.stride,
        capture_fps=chosen.capture_fps,
        flip=chosen.flip,
        threads=threads,
        live=config.live,
    )


@dataclass(frozen=True, slots=True)
class Networks:
    """The models of a run, loaded and warm; `detector` None where boxes come from elsewhere,
    `embedder`, `hands` and `face` None where no model was named.
    """

    detector: Detector | None
    estimator: Estimator
    embedder: Embedder | None = None
    hands: Estimator | None = None
    face: Estimator | None = None

    def close(self) -> None:
        """Free them."""
        for model in (self.detector, self.estimator, self.embedder, self.hands, self.face):
            if model is not None:
                model.close()


@contextmanager
def open_perception(
    config: RunConfig,
    source: Source | None = None,
    *,
    detect: bool = True,
    allow_unverified: bool = False,
) -> Iterator[Perception]:
    """The models loaded and warm, and the tracker; freed at the end.

    Args:
        config: all settings.
        source: what will be read, where it is open already: its frame rate is for settings that
            MMDeploy counts in frames, and on a file the detector runs ahead of the poses.
        detect: False where the boxes come from elsewhere.
        allow_unverified: use fetched models of which no digest is known.
    """
    require_backend(config.backend.kind)
    region = region_in(config, source)
    file = source is not None and not source.is_live
    with closing(
        load_networks(config, detect=detect, file=file, allow_unverified=allow_unverified)
    ) as networks:
        perception = make_perception(config, networks, source, region)
        if source is None or source.is_live:
            perception.tracker.warm_up()
        yield perception


def region_in(config: RunConfig, source: Source | None) -> Region | None:
    """Where people count; None is everywhere.

    Raises:
        ConfigError: it lies outside the picture of `source`.
    """
    mask = config.source.mask
    region = open_region(config.source.region, None if mask is None else Path(mask))
    if region is not None and source is not None:
        region.window(source.size)
    return region


def load_networks(
    config: RunConfig, *, detect: bool = True, file: bool = True, allow_unverified: bool = False
) -> Networks:
    """Detector, pose and re-identification model, to be closed by the caller.

    Args:
        config: all settings.
        detect: False for no detector.
        file: whether files are read: the detector then runs ahead of the poses, where it can.
        allow_unverified: use fetched models of which no digest is known.
    """
    settings, threads = config.tracker_settings(), config.backend.threads
    with ExitStack() as stack:
        detector = None
        if detect:
            threshold = config.detector.threshold
            if threshold is None:
                threshold = settings.detection_threshold
            labels: tuple[str | int, ...] | None = config.detector.classes or None
            if settings.detection_label is not None:
                labels = (settings.detection_label,)
            ahead = file and config.detector.interval > 1 and not config.detector.auto
            width = threads_ahead(config.backend.kind, threads) if ahead else threads
            model, backend = _load(config, "detection", width, allow_unverified)
            stack.callback(backend.close)
            detector = Detector(
                model, backend, threshold=threshold, nms=config.detector.nms, labels=labels
            )
            detector.warm_up()
        model, backend = _load(config, "pose", threads, allow_unverified)
        stack.callback(backend.close)
        estimator = Estimator(model, backend, keep_heat=config.drawing.heat)
        estimator.warm_up()
        hands, face = (
            _part(config, name, stack, threads, allow_unverified)
            for name in (_chosen(config).hands, _chosen(config).face)
        )
        embedder = None
        if config.reid.model is not None:
            model, backend = _load(config, "reid", threads, allow_unverified)
            stack.callback(backend.close)
            embedder = Embedder(model, backend)
            embedder.warm_up()
        stack.pop_all()
        return Networks(detector, estimator, embedder, hands, face)


def _chosen(config: RunConfig) -> Choice:
    """What the word for the pose model stands for."""
    return choose(config.pose.model, detector=config.detector.model is not None)


def _part(
    config: RunConfig,
    name: str | None,
    stack: ExitStack,
    threads: int | None,
    allow_unverified: bool,
) -> Estimator | None:
    """The pose model of hands or faces, warm."""
    if name is None:
        return None
    chosen = config.model_copy(update={"pose": config.pose.model_copy(update={"model": name})})
    model, backend = _load(chosen, "pose", threads, allow_unverified)
    stack.callback(backend.close)
    estimator = Estimator(model, backend)
    estimator.warm_up()
    return estimator


def make_perception(
    config: RunConfig, networks: Networks, source: Source | None, region: Region | None
) -> Perception:
    """A perception that knows nobody yet, on networks that may have served others before."""
    fps = float(source.fps) if source is not None and source.fps else _NOMINAL_FPS
    return Perception(
        det=networks.detector,
        pose=networks.estimator,
        reid=networks.embedder,
        hands=networks.hands,
        face=networks.face,
        det_interval=make_schedule(config.detector),
        tracker=config.tracker_settings(fps),
        region=region,
    )


def make_schedule(chosen: DetectorSettings) -> Schedule:
    """When the detector looks."""
    if chosen.auto:
        return WhenNeeded(chosen.interval, chosen.longest_s)
    return Every(chosen.interval)


def require_backend(kind: str) -> None:
    """Refuse a backend that cannot run here, before any model is looked for.

    Raises:
        BackendMissing: with what to do. BackendError: no backend of that name.
    """
    name = backend_name(kind)
    for row in installed():
        if row.name == name and not row.runs:
            found = f"version {row.version} is here" if row.version else "it is not installed"
            raise BackendMissing(f"backend {name} asked, {found}: {row.hint}")


def find_model(config: RunConfig, task: Task, *, allow_unverified: bool = False) -> ResolvedModel:
    """The model of `task` that the settings name, fetched where it must be."""
    chosen = config.backend
    with Downloads() as downloads:
        return opening.find_model(
            _model_name(config, task),
            task,
            backend=chosen.kind,
            device=chosen.device,
            precision=chosen.precision,
            allow_unverified=allow_unverified,
            progress=downloads.update,
        )


def _load(
    config: RunConfig, task: Task, threads: int | None, allow_unverified: bool
) -> tuple[ResolvedModel, Backend]:
    """The model found and the backend that holds it."""
    chosen = config.backend
    with Downloads() as downloads:
        return opening.open_model(
            _model_name(config, task),
            task,
            backend=chosen.kind,
            device=chosen.device,
            threads=threads,
            precision=chosen.precision,
            allow_unverified=allow_unverified,
            progress=downloads.update,
        )


def _model_name(config: RunConfig, task: Task) -> str | None:
    chosen = _chosen(config)
    names = {
        "detection": config.detector.model or chosen.detector,
        "pose": chosen.pose,
        "reid": config.reid.model,
    }
    return names[task]


def make_painter(config: RunConfig, threshold: float | None) -> Painter:
    """What draws the results, without keypoints of a score below `threshold`."""
    chosen = config.drawing
    base = STYLES[chosen.style]
    style = replace(
        base,
        layers=base.layers if chosen.layers is None else frozenset(chosen.layers),
        scheme=chosen.colours or base.scheme,
        keypoint_index=chosen.keypoint_index,
        background=chosen.background,
        blur_faces=chosen.blur_faces,
        compare=chosen.compare,
        thickness=base.thickness * chosen.thickness,
        trail_s=chosen.trail_s,
    )
    if threshold is not None:
        style = replace(style, threshold=threshold)
    if chosen.skeleton is not None:
        name = "coco" if chosen.skeleton == "default" else chosen.skeleton
        style = replace(style, skeleton=load_skeleton(name))
    return Painter(style)


def output_size(config: RunConfig, source: Source) -> tuple[int, int]:
    """(width, height) of the output: the source's, twice as wide where two pictures are compared,
    or scaled to the longer side asked.
    """
    width, height = source.size
    if config.drawing.compare is not None:
        width *= 2
    if config.output.size is None:
        return width, height
    ratio = config.output.size / max(width, height)
    return max(2, round(width * ratio)), max(2, round(height * ratio))


def find_camera(config: RunConfig, estimator: Estimator, size: tuple[int, int]) -> Camera | None:
    """The camera that depths are seen by: the settings', else the card's; None without depths.

    Raises:
        ConfigError: a camera, or an avatar, for a model without depth, or half of a camera.
    """
    chosen, card = config.pose, estimator.card
    named = chosen.camera is not None or chosen.distance_m is not None
    if card.codec.kind != "simcc3d":
        if named or config.output.vmc is not None:
            asked = "--camera or --distance" if named else "--vmc"
            raise ConfigError(
                f"{asked} asked, but {card.name} has no depth: take a 3D pose model (--pose 3d)"
            )
        return None
    focal, distance_m = chosen.camera, chosen.distance_m
    if card.camera is not None:
        focal, distance_m = focal or card.camera.focal, distance_m or card.camera.distance_m
    if named and (focal is None or distance_m is None):
        raise ConfigError(
            f"{card.name} knows no camera of its own: give both --camera and --distance"
        )
    return None if focal is None or distance_m is None else Camera.of(focal, size, distance_m)


def make_header(config: RunConfig, source: Source, perception: Perception) -> Header:
    """The header of the records: the source, the models, and every setting as it was used."""
    settings = config.model_dump(mode="json")
    settings["tracker"] = asdict(perception.tracker.settings)
    parts: dict[str, Any] = {
        "detection": perception.detector,
        "pose": perception.estimator,
        "reid": perception.embedder,
    }
    if perception.parts is not None:
        parts |= {"hands": perception.parts.hands, "face": perception.parts.face}
    estimator = parts["pose"] if isinstance(parts["pose"], Estimator) else None
    carded = {task: part for task, part in parts.items() if isinstance(part, _CARDED)}
    models = {task: part.card.name for task, part in carded.items()}
    settings["backend"]["precision"] = {
        task: part.backend.precision for task, part in carded.items()
    }
    return Header(
        source=source.name,
        size=source.size,
        fps=float(source.fps),
        skeleton=perception.skeleton,
        models=models,
        settings=settings,
        camera=find_camera(config, estimator, source.size) if estimator else None,
    )


class Quit:
    """What a window's q key does: the run ends well, and not as if it had been interrupted."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> None:
        """Stop the run as the first Ctrl-C does; asking twice is no second one."""
        if not self.asked:
            self.asked = True
            signal.raise_signal(signal.SIGINT)  # os.kill would end the process on Windows


Watch: TypeAlias = Callable[[str, Source, Callable[..., RunSummary]], RunSummary]
"""Does what it is given, with `on_progress` and `signals` of its own: `watched`, for example."""


def watched(title: str, source: Source, go: Callable[..., RunSummary]) -> RunSummary:
    """What `go` did with the source, to its end or a signal; progress and warnings on stderr."""
    # The stages are threads already: OpenCV's own, for pictures this small, only wait for work.
    cv2.setNumThreads(1)
    with FrameProgress(title, source.frame_count) as progress:
        summary = go(on_progress=progress, signals=True)
    for warning in summary.warnings:
        typer.echo(f"posetrack: warning: {warning}", err=True)
    return summary


def execute(
    source: Source,
    perception: Perception,
    sinks: Sequence[Sink],
    *,
    title: str,
    draw: Callable[..., Any] | None,
    boxes: BoxesOf | None = None,
    late_detector: bool = False,
    watch: Watch = watched,
) -> RunSummary:
    """Run to the end of the source, under the eyes of `watch`."""
    if late_detector and not source.is_live:
        raise ConfigError(
            "--async-detector is for live sources: on a file no frame is late, and the detector "
            "runs ahead"
        )
    go = partial(
        run, source, perception, sinks, draw=draw, boxes=boxes, late_detector=late_detector
    )
    return watch(title, source, go)


def exit_as(summary: RunSummary, quit_: Quit | None = None) -> None:
    """End the command with 128 + the signal that stopped the run, if one did."""
    if summary.interrupted is not None and not (quit_ is not None and quit_.asked):
        state = "the outputs hold what was done" if summary.complete else "outputs not finalised"
        name = signal.Signals(summary.interrupted).name
        typer.echo(f"posetrack: stopped by {name} after {summary.frames} frames: {state}", err=True)
        raise typer.Exit(128 + summary.interrupted)
