"""Threads, channels and their timing; nothing here knows about people.

`Pipeline` runs a linear chain of stages, one thread each, connected by bounded channels.
"""

from __future__ import annotations

from posetrack.pipeline.channel import AbortedError, Channel
from posetrack.pipeline.pipeline import Pipeline, Report
from posetrack.pipeline.signals import stop_on_signals
from posetrack.pipeline.timing import Samples, Spread, StageTimes
from posetrack.pipeline.worker import Source, Stage

__all__ = [
    "AbortedError",
    "Channel",
    "Pipeline",
    "Report",
    "Samples",
    "Source",
    "Spread",
    "Stage",
    "StageTimes",
    "stop_on_signals",
]
