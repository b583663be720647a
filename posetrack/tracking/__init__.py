"""Identities that last: propagation, association, motion, smoothing."""

from posetrack.tracking.presets import MMDEPLOY_ALIASES, PRESETS, from_mmdeploy, preset
from posetrack.tracking.propagation import Proposals
from posetrack.tracking.settings import TrackerSettings
from posetrack.tracking.tracker import Tracker

__all__ = [
    "MMDEPLOY_ALIASES",
    "PRESETS",
    "Proposals",
    "Tracker",
    "TrackerSettings",
    "from_mmdeploy",
    "preset",
]
