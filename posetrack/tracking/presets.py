"""Named sets of tracker settings, and MMDeploy's names for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from posetrack.errors import ConfigError
from posetrack.tracking.settings import TrackerSettings

MMDEPLOY_ALIASES: dict[str, str] = {
    "det_label": "detection_label",
    "det_thr": "detection_threshold",
    "det_min_bbox_size": "detection_min_size_px",
    "det_nms_thr": "box_nms_iou",
    "pose_max_num_bboxes": "max_boxes",
    "pose_kpt_thr": "keypoint_threshold",
    "pose_min_keypoints": "min_keypoints",
    "pose_bbox_scale": "box_scale",
    "pose_min_bbox_size": "track_min_size_px",
    "pose_nms_thr": "pose_nms",
    "keypoint_sigmas": "keypoint_sigmas",
    "track_iou_thr": "match_iou",
    "track_max_missing": "max_missing_s",
    "track_history_size": "history",
    "std_weight_position": "box_noise",
    "std_weight_velocity": "box_velocity_noise",
    "smooth_params": "min_cutoff_hz",
}
"""MMDeploy's parameter -> the setting it names (the first one, where it sets several)."""

_PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # The plain loop of the RTMPose paper, section 3.5, with ids by overlap.
    "iou": {
        "boxes": "keypoints",
        "birth_detection": 0.0,
        "association": "iou",
        "duplicates": "score",
        "nested_oks": None,
        "gate_time_s": None,
        "motion": "none",
        "box_motion": "none",
        "match_iou": 0.3,
        "birth_score": 0.0,
        "min_keypoints": None,
        "lost_crop_s": 0.0,
        "max_missing_s": 0.35,
        "max_undetected_s": None,
        "likeness_weight": 0.0,
        "revive_s": 0.0,
    },
    # MMDeploy's PoseTracker as it ships, without its bugs 2 and 3 (docs/tracking.md).
    "mmdeploy": {
        "boxes": "keypoints",
        "birth_detection": 0.0,
        "clock": "frames",
        "detection_label": 0,
        "detection_threshold": 0.5,
        "detection_min_size_px": 1.0,
        "keypoint_threshold": 0.5,
        "min_keypoints": None,
        "oks_scale": "mmdeploy",
        "duplicates": "score",
        "nested_oks": None,
        "gate_time_s": None,
        "association": "mahalanobis",
        "birth_score": 0.0,
        "max_missing_s": 10.0,
        "lost_crop_s": 10.0,
        "max_undetected_s": None,
        "likeness_weight": 0.0,
        "revive_s": 0.0,
        "motion": "none",
        "box_motion": "kalman",
        "box_noise": 1 / 20,
        "box_position_noise": 1 / 20,
        "box_velocity_noise": 1 / 160,
        "box_initial_speed": 10 / 160,
        "min_cutoff_hz": 1.0,
        "beta": 0.007,
        "derivative_cutoff_hz": 1.0,
        "speed_unit": "pixels",
        "confidence_weighting": False,
        "smoothing_reset_s": 0.0,
    },
}

PRESETS = tuple(_PRESETS)
"""Names that `preset` knows."""


def preset(name: str) -> TrackerSettings:
    """The settings of that name: ``default``, ``iou`` or ``mmdeploy``.

    Raises:
        ConfigError: no such preset.
    """
    if name not in _PRESETS:
        raise ConfigError(f"no tracker preset {name!r}: choose one of {', '.join(PRESETS)}")
    return TrackerSettings(**_PRESETS[name])


def from_mmdeploy(options: Mapping[str, Any], *, fps: float) -> dict[str, Any]:
    """Keyword arguments of `TrackerSettings` from parameters under MMDeploy's names.

    Frames become seconds by `fps`, the source's rate; settings that count frames themselves
    (``clock="frames"``, the ``mmdeploy`` preset) take ``fps=1``. Names that are settings already
    pass through unchanged.

    Raises:
        ConfigError: an unknown name, one setting under two names, or a rate that is not positive.
    """
    if not fps > 0:
        raise ConfigError(f"frame rate is {fps}: give a positive number of frames a second")
    native = {each.name for each in fields(TrackerSettings)}
    chosen: dict[str, Any] = {}
    for name, value in options.items():
        if name in MMDEPLOY_ALIASES:
            converted = _CONVERT.get(name, _same)(MMDEPLOY_ALIASES[name], value, fps)
        elif name in native:
            converted = {name: value}
        else:
            raise ConfigError(_unknown(name, native))
        for key in converted:
            if key in chosen:
                raise ConfigError(f"{key} is set twice, once as {name}: keep one of the two")
        chosen |= converted
    return chosen


def _unknown(name: str, native: set[str]) -> str:
    if name == "det_interval":
        return "det_interval is no setting of the tracker: give it to Perception or the command"
    near = get_close_matches(name, [*MMDEPLOY_ALIASES, *sorted(native)], 2)
    hint = f"did you mean {' or '.join(near)}?" if near else "see docs/tracking.md"
    return f"no tracker setting {name!r}: {hint}"


def _same(key: str, value: Any, fps: float) -> dict[str, Any]:  # noqa: ARG001
    return {key: value}


def _side(key: str, value: Any, fps: float) -> dict[str, Any]:  # noqa: ARG001
    return {key: float(abs(value))}  # MMDeploy squares it: -1 is an area of 1


def _limit(key: str, value: Any, fps: float) -> dict[str, Any]:  # noqa: ARG001
    return {key: None if value is not None and value < 0 else value}


def _seconds(key: str, value: Any, fps: float) -> dict[str, Any]:
    return {key: value / fps}


def _sigmas(key: str, value: Any, fps: float) -> dict[str, Any]:  # noqa: ARG001
    if value is None:
        return {"pose_similarity": "iou"}
    return {key: tuple(value), "pose_similarity": "oks"}


def _position(key: str, value: Any, fps: float) -> dict[str, Any]:
    # A random walk's variance grows with time, its deviation with the root of time.
    return {key: value, "box_position_noise": value * fps**0.5}


def _velocity(key: str, value: Any, fps: float) -> dict[str, Any]:
    return {key: value * fps**1.5, "box_initial_speed": 10 * value * fps}


def _one_euro(key: str, value: Any, fps: float) -> dict[str, Any]:  # noqa: ARG001
    names = ("beta", "fc_min", "fc_d")
    given = dict(value) if isinstance(value, Mapping) else dict(zip(names, value, strict=True))
    if set(given) - set(names):
        raise ConfigError("smooth_params takes beta, fc_min and fc_d")
    # Hz per px/s is the same number as 1/frame per px/frame.
    converted = {"beta": given.get("beta"), "speed_unit": "pixels"}
    for short, long in (("fc_min", "min_cutoff_hz"), ("fc_d", "derivative_cutoff_hz")):
        converted[long] = given[short] * fps if short in given else None
    return {name: each for name, each in converted.items() if each is not None}


_CONVERT: dict[str, Callable[[str, Any, float], dict[str, Any]]] = {
    "det_min_bbox_size": _side,
    "pose_min_bbox_size": _side,
    "pose_max_num_bboxes": _limit,
    "pose_min_keypoints": _limit,
    "keypoint_sigmas": _sigmas,
    "track_max_missing": _seconds,
    "std_weight_position": _position,
    "std_weight_velocity": _velocity,
    "smooth_params": _one_euro,
}


def mmdeploy_table() -> str:
    """A Markdown table of MMDeploy's parameters and what they are called here."""
    ours = preset("mmdeploy")
    lines = ["| MMDeploy | here | in preset `mmdeploy` |", "|---|---|---|"]
    lines.append("| `det_interval` | `--det-interval`, `Perception(det_interval=...)` | as given |")
    also = {
        "keypoint_sigmas": ["pose_similarity"],
        "std_weight_position": ["box_position_noise"],
        "std_weight_velocity": ["box_initial_speed"],
        "smooth_params": ["beta", "derivative_cutoff_hz", "speed_unit"],
    }
    for theirs, name in MMDEPLOY_ALIASES.items():
        names = [name, *also.get(theirs, [])]
        values = ", ".join(str(getattr(ours, each)) for each in names)
        lines.append(f"| `{theirs}` | {', '.join(f'`{each}`' for each in names)} | {values} |")
    return "\n".join(lines) + "\n"
