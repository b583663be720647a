"""Settings that change while a stream runs: which can, whether they fit, and how they are taken."""

from __future__ import annotations

from pathlib import Path

from posetrack.cli.session import make_schedule
from posetrack.errors import ConfigError
from posetrack.perception import Perception
from posetrack.region import Region, open_region
from posetrack.serve.models import SharedDetector, tune_detector
from posetrack.serve.settings import StreamSettings
from posetrack.tracking.rules import Rules
from posetrack.tracking.tracker import restart_for

FPS = 25.0
"""Of settings that MMDeploy counts in frames: the rate of a live stream is not known before."""


class Unfit(ConfigError):
    """Settings that are good, but not for this stream as it is now."""


def needs_restart(old: StreamSettings, new: StreamSettings) -> bool:
    """Whether the stream must be opened anew for them."""
    same = (
        old.url == new.url
        and old.loop == new.loop
        and old.enabled == new.enabled
        and old.source.stride == new.source.stride
        and old.source.flip == new.source.flip
        and old.detector.model == new.detector.model
        and old.detector.asynchronous == new.detector.asynchronous
        and old.live == new.live
        and old.pose == new.pose
        and old.reid == new.reid
    )
    before, after = (each.run_config().tracker_settings(FPS) for each in (old, new))
    return not same or restart_for(before, after) is not None


def check(perception: Perception, settings: StreamSettings, size: tuple[int, int] | None) -> None:
    """Refuse what would only fail on the next frame.

    Raises:
        Unfit: settings of another keypoint set, or a region outside the picture.
    """
    tracker = settings.run_config().tracker_settings(FPS)
    try:
        Rules.of(perception.resolved(tracker), perception.skeleton)
        region = _region(settings)
        if region is not None and size is not None:
            region.window(size)
    except ConfigError as problem:
        raise Unfit(str(problem)) from problem


def tune(perception: Perception, settings: StreamSettings) -> None:
    """Go on with other settings; in the thread that works on the frames."""
    if isinstance(perception.detector, SharedDetector):
        tune_detector(perception.detector, settings)
    perception.schedule = make_schedule(settings.detector)
    perception.retune(settings.run_config().tracker_settings(FPS))
    perception.region = _region(settings)


def _region(settings: StreamSettings) -> Region | None:
    part = settings.source
    return open_region(part.region, None if part.mask is None else Path(part.mask))
