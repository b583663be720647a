"""The options that commands share, and the setting of `posetrack.config` each one stands for.

Names may be written with underscores as well (``--det_interval``), so that the command lines of
MMDeploy's pose_tracker demo work as they are; those of its parameters that have no native flag are
the options of the last panel.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from posetrack.formats.table import FORMATS

if TYPE_CHECKING:
    from posetrack.config import RunConfig

MODELS, READING, OUTPUT, DRAWING = "Models and tracking", "Reading", "Output", "Drawing"
LIVE = "Live sources"
CONFIGURATION, MMDEPLOY = "Configuration", "MMDeploy's parameters"


def option(*names: str, panel: str, text: str, **more: Any) -> Any:
    """A typer option in one of the panels of the help."""
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False, **more)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that stands for one setting; not given, it leaves the setting to the other layers."""

    name: str
    kind: type
    setting: str
    panel: str
    text: str

    @property
    def word(self) -> str:
        """The flag as it is typed."""
        return self.name.partition("/")[0]

    @property
    def parameter(self) -> str:
        """The name of the command's parameter."""
        return self.word.removeprefix("--").replace("-", "_")

    @property
    def annotation(self) -> Any:
        """What typer makes an option of."""
        return Annotated[self.kind | None, option(self.name, panel=self.panel, text=self.text)]


# fmt: off
FLAGS = tuple(Flag(*row) for row in (
    ("--det", str, "detector.model", MODELS, "Detector: a name, a path or an address."),
    ("--classes", str, "detector.classes", MODELS, "What to track, by the detector's names."),
    ("--pose", str, "pose.model", MODELS,
     "Pose model: a name, a path, an address; or body, wholebody:fast, body+hands+face, 3d, ..."),
    ("--camera", str, "pose.camera", MODELS, "3D: focal length f, fx,fy or fx,fy,cx,cy in px."),
    ("--distance", float, "pose.distance_m", MODELS, "3D: how far away people are, m."),
    ("--reid", str, "reid.model", MODELS, "Re-identification model: a path or an address."),
    ("--det-interval", str, "detector.interval", MODELS,
     "Detect every n-th frame; default 5. auto, auto:n: where it is needed, as often at most."),
    ("--async-detector/--no-async-detector", bool, "detector.asynchronous", MODELS,
     "Live: never wait for the detector, carry its late answer to the present."),
    ("--tracker", str, "tracker.preset", MODELS, "Preset: default, iou or mmdeploy."),
    ("--max-people", int, "tracker.max_boxes", MODELS, "Follow at most so many people."),
    ("--select", str, "tracker.select", MODELS, "Who they are: first, largest, center; or ids."),
    ("--smooth", str, "revision.smooth", MODELS, "live, or offline: no lag, gaps filled (files)."),
    ("--relink/--no-relink", bool, "revision.relink", MODELS, "Join pieces of tracks (files)."),
    ("--backend", str, "backend.kind", MODELS, "What runs the networks; default onnxruntime."),
    ("--device", str, "backend.device", MODELS, "cpu, cuda, cuda:1, ... or auto; default cpu."),
    ("--precision", str, "backend.precision", MODELS, "fp32, fp16, bf16, int8; default auto."),
    ("--threads", int, "backend.threads", MODELS, "Threads of the networks; default all."),
    ("--start", float, "source.start_s", READING, "Begin at this second."),
    ("--duration", float, "source.duration_s", READING, "Read so many seconds."),
    ("--stride", int, "source.stride", READING, "Read every n-th frame."),
    ("--capture-fps", float, "source.capture_fps", READING, "True rate of slow motion or images."),
    ("--flip/--no-flip", bool, "source.flip", READING, "Mirror the input left to right."),
    ("--roi", str, "source.region", READING, "Where people count: x1,y1,x2,y2 or corners."),
    ("--mask", str, "source.mask", READING, "The same as an image, white where people count."),
    ("--video/--no-video", bool, "output.video", OUTPUT, "Write pictures or not."),
    ("--records/--no-json", bool, "output.records", OUTPUT, "Write records or not."),
    ("--save", str, "output.save", OUTPUT, f"Also write: {', '.join(FORMATS)}."),
    ("--vmc", str, "output.vmc", OUTPUT,
     "3D: drive an avatar at HOST or HOST:PORT (39539) by the VMC protocol."),
    ("--output-size", int, "output.size", OUTPUT, "Longer side of the pictures, px."),
    ("--style", str, "drawing.style", DRAWING, "default, openpose, mmpose or minimal."),
    ("--draw", str, "drawing.layers", DRAWING,
     "Those wanted of boxes, ids, keypoints, limbs, trails, heatmap; default the style's."),
    ("--colours", str, "drawing.colours", DRAWING,
     "Colours: side, id, mmpose or openpose; default the style's."),
    ("--skeleton", str, "drawing.skeleton", DRAWING, "Draw this set's limbs: a name or a file."),
    ("--show-kpt-idx/--no-kpt-idx", bool, "drawing.keypoint_index", DRAWING, "Number keypoints."),
    ("--background", str, "drawing.background", DRAWING, "picture (the default), black or blur."),
    ("--blur-faces/--no-blur-faces", bool, "drawing.blur_faces", DRAWING, "Hide who people are."),
    ("--compare", str, "drawing.compare", DRAWING,
     "Beside the picture: raw (people before smoothing) or source (nobody drawn)."),
    ("--det-label", int, "tracker.det_label", MMDEPLOY, "Class to track."),
    ("--det-thr", float, "tracker.det_thr", MMDEPLOY, "Score a detection needs."),
    ("--det-min-bbox-size", float, "tracker.det_min_bbox_size", MMDEPLOY, "Smallest one, px."),
    ("--det-nms-thr", float, "tracker.det_nms_thr", MMDEPLOY, "IoU at which boxes are merged."),
    ("--pose-max-num-bboxes", int, "tracker.pose_max_num_bboxes", MMDEPLOY, "Crops in a frame."),
    ("--pose-kpt-thr", float, "tracker.pose_kpt_thr", MMDEPLOY, "Score of a seen keypoint."),
    ("--pose-min-keypoints", int, "tracker.pose_min_keypoints", MMDEPLOY, "Seen ones of a pose."),
    ("--pose-bbox-scale", float, "tracker.pose_bbox_scale", MMDEPLOY, "Box around keypoints, x."),
    ("--pose-min-bbox-size", float, "tracker.pose_min_bbox_size", MMDEPLOY, "Smallest track, px."),
    ("--pose-nms-thr", float, "tracker.pose_nms_thr", MMDEPLOY, "Similarity of doubles."),
    ("--track-iou-thr", float, "tracker.track_iou_thr", MMDEPLOY, "IoU that finds a lost track."),
    ("--track-max-missing", int, "tracker.track_max_missing", MMDEPLOY, "Frames until forgotten."),
))
# fmt: on
"""Every flag that stands for a setting."""

# fmt: off
LIVE_FLAGS = tuple(Flag(*row) for row in (
    ("--size", str, "live.size", LIVE, "WxH asked of the camera; of raw stdin or the screen."),
    ("--fps", float, "live.fps", LIVE, "Frames a second asked of the camera or the screen."),
    ("--format", str, "live.format", LIVE, "mjpeg or yuyv; of raw stdin the pixels (bgr24, ...)."),
    ("--transport", str, "live.transport", LIVE, "Of RTSP: tcp, or udp (may lose packets)."),
    ("--reconnect", str, "live.reconnects", LIVE, "Attempts to come back: a number, or forever."),
    ("--open-timeout", float, "live.open_timeout_s", LIVE, "Seconds one attempt may take."),
    ("--read-timeout", float, "live.read_timeout_s", LIVE, "Seconds without data until lost."),
))
# fmt: on
"""The flags of the settings that only live sources have."""

# Options that are no settings: they name files, or say what this one command shall do.
Output = Annotated[
    Path | None,
    option("--output", "-o", panel=OUTPUT, text="Annotated video, or a folder for everything."),
]
Json = Annotated[Path | None, option("--json", panel=OUTPUT, text="Where records (JSONL) go.")]
Boxes = Annotated[
    Path | None,
    option("--boxes", panel=READING, text="Boxes of the people from a file; no detector runs."),
]
AllowUnverified = Annotated[
    bool,
    option("--allow-unverified", panel=MODELS, text="Take a model no digest is known of."),
]
Config = Annotated[Path | None, option("--config", "-c", panel=CONFIGURATION, text="A YAML file.")]
Set = Annotated[
    list[str] | None,
    option("--set", panel=CONFIGURATION, text="One setting: tracker.max_missing_s=2."),
]
PrintConfig = Annotated[
    bool, option("--print-config", panel=CONFIGURATION, text="Show all settings and stop.")
]

CONTEXT = {"token_normalize_func": lambda name: name.replace("_", "-")}
"""Context settings of a command whose options may be written with underscores."""

DRAWING_ONLY = tuple(sorted({flag.setting for flag in FLAGS if flag.panel != DRAWING}))
"""What `with_flags` leaves out for a command that only draws."""

# Words, MMDeploy's among them, for what has another name in the settings.
_WORDS: dict[str, dict[Any, Any]] = {
    "drawing.background": {
        "picture": "image",
        "black": "black",
        "blur": "blur",
        "default": "image",
        "image": "image",
    },
    "output.size": {0: None},  # as large as the input
}


class MMDeployCommand(TyperCommand):
    """A command that takes the numbers MMDeploy's demo wants after --flip and --show."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments left over, as click does."""
        return super().parse_args(ctx, without_numbers(args))


def with_flags(
    *, without: Sequence[str] = (), also: Sequence[Flag] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that gives a command every flag of `FLAGS`; `resolve` reads them.

    `without` are settings, or whole sections, that mean nothing to the command; `also` are
    further flags.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function).parameters
        hints = get_type_hints(function, include_extras=True)

        @functools.wraps(function)
        def command(**given: Any) -> None:
            function(**{name: given[name] for name in own})

        parameters = [own[name].replace(annotation=hints[name]) for name in own]
        for flag in (*FLAGS, *also):
            if not {flag.setting, flag.setting.partition(".")[0]} & set(without):
                kind = inspect.Parameter.KEYWORD_ONLY
                parameters.append(
                    inspect.Parameter(
                        flag.parameter, kind, default=None, annotation=flag.annotation
                    )
                )
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


def resolve(parameters: Mapping[str, Any]) -> RunConfig:
    """The settings of a command: its flags over the environment over its ``--config`` file.

    Raises:
        ConfigError: with the flag, variable or file and line that is wrong.
    """
    from posetrack.config import load_config

    if parameters.get("video") is False and not parameters.get("show"):
        _refuse(_drawing(parameters))
    flags: dict[str, Any] = {}
    sets = list(parameters.get("set_") or ())
    names = {"detector.auto": "--det-interval"}
    for flag in (*FLAGS, *LIVE_FLAGS):
        value = parameters.get(flag.parameter)
        if flag.setting == "detector.interval":
            flags |= {} if value is None else _interval(value)
            value = flags.get(flag.setting)
        if flag.setting == "live.size":
            flags |= {} if value is None else _size(value)
            names |= dict.fromkeys(("live.width", "live.height"), flag.name)
            continue
        if flag.setting == "live.reconnects" and value is not None:
            value = _reconnects(value, sets)
        flags[flag.setting] = _in_settings(flag, value)
        names[flag.setting] = flag.word
    return load_config(
        parameters.get("config"),
        flags=flags,
        flag_names=names,
        sets=sets,
        environment=os.environ,
    )


def drawing_flags(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted setting -> value of the flags of how pictures look, as far as they were given."""
    return {
        flag.setting: _in_settings(flag, parameters[flag.parameter])
        for flag in _drawing(parameters)
    }


def _drawing(parameters: Mapping[str, Any]) -> list[Flag]:
    given = (flag for flag in FLAGS if parameters.get(flag.parameter) is not None)
    return [flag for flag in given if flag.panel == DRAWING]


def _refuse(drawing: Sequence[Flag]) -> None:
    from posetrack.errors import ConfigError

    if drawing:
        raise ConfigError(f"{drawing[0].word} and --no-video exclude each other: drop one")


def _in_settings(flag: Flag, value: Any) -> Any:
    """What the settings call the `value` of a flag."""
    words: Mapping[Any, Any] = _WORDS.get(flag.setting, {})
    if flag.setting == "drawing.background" and value is not None and value not in words:
        from posetrack.errors import ConfigError

        raise ConfigError(f"{flag.name} {value}: known are picture, black, blur")
    return words.get(value, value)


def _interval(word: str) -> dict[str, Any]:
    """The settings that `--det-interval 5`, `auto` or `auto:5` stands for."""
    from posetrack.errors import ConfigError

    auto, _, number = word.partition(":") if word.startswith("auto") else ("", "", word)
    chosen: dict[str, Any] = {"detector.auto": bool(auto)}
    if word == "auto":
        return chosen
    if auto not in ("", "auto") or not re.fullmatch(r"-?\d+", number):
        raise ConfigError(
            f"--det-interval {word}: give n for every n-th frame, auto for those where it is "
            "needed, or auto:n for both"
        )
    return chosen | {"detector.interval": int(number)}


def _size(text: str) -> dict[str, Any]:
    """The settings that `--size 1280x720` stands for."""
    from posetrack.errors import ConfigError

    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise ConfigError(f"--size {text}: write width x height in px, such as 1280x720")
    return {"live.width": int(match[1]), "live.height": int(match[2])}


def _reconnects(text: str, sets: list[str]) -> int | None:
    """What `--reconnect 5` stands for; `forever` is null, which only `sets` can hold."""
    from posetrack.errors import ConfigError

    if text == "forever":
        sets.append("live.reconnects=null")
        return None
    if not text.isdecimal():
        raise ConfigError(f"--reconnect {text}: give a number of attempts, or forever")
    return int(text)


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
