"""The options that commands share, and the setting of `posetrack.config` each one stands for.

Names may be written with underscores as well (``--det_interval``), so that the command lines of
MMDeploy's pose_tracker demo work as they are; those of its parameters that have no native flag are
the options of the last panel.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from posetrack.config import RunConfig

_MODELS, _READ, _DRAW = "Models", "Reading", "Drawing"
_WRITE, _CONFIG, _MMDEPLOY = "Output", "Configuration", "MMDeploy's parameters"


def _option(*names: str, panel: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False, **more)


# Models
Det = Annotated[
    str | None,
    _option("--det", panel=_MODELS, text="Detector: a name, a path or an address."),
]
Pose = Annotated[
    str | None,
    _option("--pose", panel=_MODELS, text="Pose model: a name, a path or an address."),
]
DetInterval = Annotated[
    int | None,
    _option("--det-interval", panel=_MODELS, min=1, text="Detect every so many frames. [5]"),
]
Backend = Annotated[
    str | None,
    _option("--backend", panel=_MODELS, text="What runs the networks. [onnxruntime]"),
]
Device = Annotated[
    str | None,
    _option("--device", panel=_MODELS, text="cpu, cuda, cuda:1, ... or auto. [cpu]"),
]
Threads = Annotated[
    int | None,
    _option("--threads", panel=_MODELS, min=1, text="Threads of the networks. [every core]"),
]
MaxPeople = Annotated[
    int | None, _option("--max-people", panel=_MODELS, min=1, text="Follow at most so many.")
]
Tracker = Annotated[
    str | None,
    _option("--tracker", panel=_MODELS, text="Preset: default, iou or mmdeploy."),
]

# Reading
Start = Annotated[
    float | None, _option("--start", panel=_READ, min=0, text="Begin at this second.")
]
Duration = Annotated[float | None, _option("--duration", panel=_READ, text="Read so many seconds.")]
Stride = Annotated[int | None, _option("--stride", panel=_READ, min=1, text="Read every n-th.")]
CaptureFps = Annotated[
    float | None,
    _option("--capture-fps", panel=_READ, text="True rate of slow motion, or of images."),
]
Flip = Annotated[
    bool | None,
    _option("--flip/--no-flip", panel=_READ, text="Mirror the input (left becomes right)."),
]

# Drawing
Draw = Annotated[
    str | None,
    _option("--draw", panel=_DRAW, text="Of boxes,ids,keypoints,limbs,trails those wanted."),
]
SkeletonStyle = Annotated[
    str | None, _option("--skeleton-style", panel=_DRAW, text="Colours: mmpose or openpose.")
]
ShowKptIdx = Annotated[
    bool | None,
    _option("--show-kpt-idx/--no-show-kpt-idx", panel=_DRAW, text="Number the keypoints."),
]
Background = Annotated[
    str | None, _option("--background", panel=_DRAW, text="image (or default), or black.")
]
Skeleton = Annotated[
    str | None,
    _option("--skeleton", panel=_DRAW, text="Draw the limbs of this set: a name or a file."),
]
OutputSize = Annotated[
    int | None, _option("--output-size", panel=_DRAW, text="Longer side of the output, px.")
]
Show = Annotated[
    bool, _option("--show/--no-show", panel=_DRAW, text="Open a window while it runs.")
]

# Output
Output = Annotated[
    Path | None, _option("--output", "-o", panel=_WRITE, text="Annotated video, or its folder.")
]
Json = Annotated[Path | None, _option("--json", panel=_WRITE, text="Records (JSONL).")]
Video = Annotated[bool | None, _option("--video/--no-video", panel=_WRITE, text="Write video.")]
Records = Annotated[
    bool | None, _option("--records/--no-json", panel=_WRITE, text="Write records.")
]
Save = Annotated[str | None, _option("--save", panel=_WRITE, text="Beside the records: csv.")]

# Configuration
Config = Annotated[Path | None, _option("--config", "-c", panel=_CONFIG, text="A YAML file.")]
Set = Annotated[
    list[str] | None,
    _option("--set", panel=_CONFIG, text="One setting: tracker.max_missing_s=2."),
]
PrintConfig = Annotated[
    bool, _option("--print-config", panel=_CONFIG, text="Show all settings and stop.")
]

# MMDeploy's parameters: those of its demo that are not options above already
DetLabel = Annotated[int | None, _option("--det-label", panel=_MMDEPLOY, text="Class to track.")]
DetThr = Annotated[
    float | None, _option("--det-thr", panel=_MMDEPLOY, text="Detection score threshold.")
]
DetMinBboxSize = Annotated[
    float | None, _option("--det-min-bbox-size", panel=_MMDEPLOY, text="Smallest detection, px.")
]
DetNmsThr = Annotated[
    float | None,
    _option("--det-nms-thr", panel=_MMDEPLOY, text="IoU at which boxes are merged."),
]
PoseMaxNumBboxes = Annotated[
    int | None, _option("--pose-max-num-bboxes", panel=_MMDEPLOY, text="Crops per frame.")
]
PoseKptThr = Annotated[
    float | None, _option("--pose-kpt-thr", panel=_MMDEPLOY, text="Score of a seen keypoint.")
]
PoseMinKeypoints = Annotated[
    int | None, _option("--pose-min-keypoints", panel=_MMDEPLOY, text="Seen keypoints of a pose.")
]
PoseBboxScale = Annotated[
    float | None, _option("--pose-bbox-scale", panel=_MMDEPLOY, text="Box around keypoints, x.")
]
PoseMinBboxSize = Annotated[
    float | None, _option("--pose-min-bbox-size", panel=_MMDEPLOY, text="Smallest track, px.")
]
PoseNmsThr = Annotated[
    float | None, _option("--pose-nms-thr", panel=_MMDEPLOY, text="Similarity of doubles.")
]
TrackIouThr = Annotated[
    float | None, _option("--track-iou-thr", panel=_MMDEPLOY, text="IoU that finds a lost track.")
]
TrackMaxMissing = Annotated[
    int | None, _option("--track-max-missing", panel=_MMDEPLOY, text="Frames until it is forgot.")
]

SETTINGS: dict[str, str] = {
    "det": "detector.model",
    "pose": "pose.model",
    "det_interval": "detector.interval",
    "backend": "backend.kind",
    "device": "backend.device",
    "threads": "backend.threads",
    "max_people": "tracker.max_boxes",
    "tracker": "tracker.preset",
    "start": "source.start_s",
    "duration": "source.duration_s",
    "stride": "source.stride",
    "capture_fps": "source.capture_fps",
    "flip": "source.flip",
    "draw": "drawing.layers",
    "skeleton_style": "drawing.style",
    "show_kpt_idx": "drawing.keypoint_index",
    "background": "drawing.background",
    "skeleton": "drawing.skeleton",
    "output_size": "output.size",
    "video": "output.video",
    "records": "output.records",
    "save": "output.save",
    "det_label": "tracker.det_label",
    "det_thr": "tracker.det_thr",
    "det_min_bbox_size": "tracker.det_min_bbox_size",
    "det_nms_thr": "tracker.det_nms_thr",
    "pose_max_num_bboxes": "tracker.pose_max_num_bboxes",
    "pose_kpt_thr": "tracker.pose_kpt_thr",
    "pose_min_keypoints": "tracker.pose_min_keypoints",
    "pose_bbox_scale": "tracker.pose_bbox_scale",
    "pose_min_bbox_size": "tracker.pose_min_bbox_size",
    "pose_nms_thr": "tracker.pose_nms_thr",
    "track_iou_thr": "tracker.track_iou_thr",
    "track_max_missing": "tracker.track_max_missing",
}
"""Parameter of a command -> the setting it stands for."""

CONTEXT = {"token_normalize_func": lambda name: name.replace("_", "-")}
"""Context settings of a command whose options may be written with underscores."""

# MMDeploy's words for what has another name here.
_WORDS = {"background": {"default": "image"}, "skeleton": {"coco_wholebody": "coco-wholebody"}}


def resolve(parameters: Mapping[str, Any]) -> RunConfig:
    """The settings of a command: its flags over the environment over its ``--config`` file.

    Raises:
        ConfigError: with the flag, variable or file and line that is wrong.
    """
    from posetrack.config import load_config

    flags, names = {}, {}
    for parameter, setting in SETTINGS.items():
        value = parameters.get(parameter)
        flags[setting] = _WORDS.get(parameter, {}).get(value, value) if value else value
        names[setting] = f"--{parameter.replace('_', '-')}"
    if flags["output.size"] == 0:  # MMDeploy's way to say: as large as the input
        flags["output.size"] = None
    return load_config(
        parameters.get("config"),
        flags=flags,
        flag_names=names,
        sets=parameters.get("set_") or (),
        environment=os.environ,
    )


def without_numbers(args: Sequence[str]) -> list[str]:
    """`args` with MMDeploy's ``--flip 1`` and ``--show -1`` written as the switches they are."""
    rewritten: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        name, equals, number = word.partition("=")
        if name in ("--flip", "--show"):
            if not equals and rest and rest[0].lstrip("-").isdigit():
                number = rest.pop(0)
            # A window waits at least 0 ms; a flip of 0 is none.
            on = not number or int(number) >= (0 if name == "--show" else 1)
            word = name if on else name.replace("--", "--no-", 1)
        rewritten.append(word)
    return rewritten
