"""The settings of a run: flags over environment over file over defaults, checked strictly.

Defaults of the tracker live in `posetrack.tracking.settings`, all others in the sections below.
A wrong value is reported with the place it came from: ``run.yaml:12``, a variable, or a flag.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from posetrack.documents import read_yaml, wording
from posetrack.errors import ConfigError
from posetrack.formats.table import FORMATS
from posetrack.media.live.settings import LiveSettings
from posetrack.osc.datagrams import VMC_PORT, parse_place
from posetrack.revision.relink import MAX_GAP_S
from posetrack.revision.smooth import CUTOFF_HZ, FILL_GAP_S
from posetrack.tracking.presets import MMDEPLOY_ALIASES, PRESETS, from_mmdeploy, preset
from posetrack.tracking.settings import TrackerSettings

Layer = Literal["boxes", "ids", "keypoints", "limbs", "trails", "heatmap"]
Fraction01 = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Place = tuple[str, ...]


def _split_words(value: Any) -> Any:
    """`boxes,ids` as well as [boxes, ids]: what a variable or a flag can hold."""
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",") if word.strip()]
    return tuple(value) if isinstance(value, list) else value


def _split_numbers(value: Any) -> Any:
    """`1145,1143`, 1145 as well as [1145, 1143]."""
    if isinstance(value, str):
        return tuple(float(word) for word in value.split(","))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value),)
    return tuple(value) if isinstance(value, list) else value


Words, Numbers = BeforeValidator(_split_words), BeforeValidator(_split_numbers)


class Section(BaseModel):
    """A part of the configuration: unknown names are refused, values are of the stated type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceSettings(Section):
    """Which part of the input is read, and how."""

    start_s: Seconds = 0.0
    duration_s: Annotated[float, Field(gt=0)] | None = None
    stride: Annotated[int, Field(ge=1)] = 1
    capture_fps: Annotated[float, Field(gt=0)] | None = None
    flip: bool = False
    region: str | None = None
    mask: str | None = None


class DetectorSettings(Section):
    """Who looks for people; `model` None is the detector that goes with the pose model's alias, or
    the embedded one. `classes` are the names of those it looks for; none is what its card keeps.
    """

    model: str | None = None
    classes: Annotated[tuple[str, ...], Words] = ()
    # Five is what RTMPose's own speed tables use: a detection costs more than the poses of a few
    # people, and between detections the boxes follow the keypoints.
    interval: int = 5
    auto: bool = False
    longest_s: Seconds = 1.0
    asynchronous: bool = False
    threshold: Fraction01 | None = None
    nms: Fraction01 | None = None


class PoseSettings(Section):
    """Who finds the keypoints; `model` None is the embedded pose model.

    `camera` (f, fx,fy or fx,fy,cx,cy in px) and `distance_m` (of people) are for models with depth.
    """

    model: str | None = None
    camera: Annotated[tuple[float, ...] | None, Numbers] = None
    distance_m: Annotated[float, Field(gt=0)] | None = None


class ReidSettings(Section):
    """Who knows lost people again; `model` None leaves that to what they wear."""

    model: str | None = None


class BackendSettings(Section):
    """What runs the networks, and where; `threads` None takes every core.

    `precision` ``auto`` takes a model's int8 file, or OpenVINO's bf16, where the CPU has the
    instructions for it.
    """

    kind: str = "onnxruntime"
    device: str = "cpu"
    threads: Annotated[int, Field(ge=1)] | None = None
    precision: Literal["auto", "fp32", "fp16", "bf16", "int8"] = "auto"


class RevisionSettings(Section):
    """What is changed once a whole file is known."""

    smooth: Literal["live", "offline"] = "live"
    cutoff_hz: Annotated[float, Field(gt=0)] = CUTOFF_HZ
    fill_gap_s: Seconds = FILL_GAP_S
    relink: bool = False
    relink_gap_s: Seconds = MAX_GAP_S

    @property
    def active(self) -> bool:
        """Whether anything is."""
        return self.relink or self.smooth == "offline"


def _known_format(name: str) -> str:
    if name not in FORMATS:
        raise ValueError(f"no format {name!r}: known are {', '.join(FORMATS)}")
    return name


def _address(text: str) -> str:
    parse_place(text, VMC_PORT)
    return text


Saved = Annotated[str, AfterValidator(_known_format)]
Address = Annotated[str, AfterValidator(_address)]


class OutputSettings(Section):
    """What is written besides the table at the end; `vmc` is where an avatar listens."""

    video: bool = True
    records: bool = True
    save: Annotated[tuple[Saved, ...], Words] = ()
    vmc: Address | None = None
    size: Annotated[int, Field(ge=16)] | None = None


class DrawingSettings(Section):
    """How the annotated video looks; what is None is as the style has it.

    `skeleton` None draws the limbs of the model's own.
    """

    style: Literal["default", "openpose", "mmpose", "minimal"] = "default"
    layers: Annotated[tuple[Layer, ...], Words] | None = None
    colours: Literal["side", "id", "mmpose", "openpose"] | None = None
    keypoint_index: bool = False
    background: Literal["image", "black", "blur"] = "image"
    blur_faces: bool = False
    compare: Literal["raw", "source"] | None = None
    skeleton: str | None = None
    thickness: Annotated[float, Field(gt=0)] = 1.0
    trail_s: Annotated[float, Field(gt=0)] = 1.5

    @property
    def heat(self) -> bool:
        """Whether heat maps are wanted."""
        return self.layers is not None and "heatmap" in self.layers


class RunConfig(Section):
    """Everything `posetrack run` and `posetrack webcam` can be told.

    `tracker` holds a preset's name and what differs from it, under our names or MMDeploy's;
    `tracker_settings` makes the tracker's settings of it.
    """

    source: SourceSettings = SourceSettings()
    live: LiveSettings = LiveSettings()
    detector: DetectorSettings = DetectorSettings()
    pose: PoseSettings = PoseSettings()
    reid: ReidSettings = ReidSettings()
    backend: BackendSettings = BackendSettings()
    tracker: dict[str, Any] = {}
    revision: RevisionSettings = RevisionSettings()
    output: OutputSettings = OutputSettings()
    drawing: DrawingSettings = DrawingSettings()

    @model_validator(mode="after")
    def _interval_means_something(self) -> Self:
        if self.detector.interval < 1 and self.tracker.get("preset") != "mmdeploy":
            raise ValueError(
                f"detector.interval is {self.detector.interval}: give 1 (every frame) or more"
            )
        return self

    @model_validator(mode="after")
    def _heat_is_there_to_draw(self) -> Self:
        if self.drawing.heat and self.revision.active:
            raise ValueError(
                "drawing.layers has heatmap, which records do not keep: leave it out, or "
                "--smooth offline and --relink"
            )
        return self

    def tracker_settings(self, fps: float = 25.0) -> TrackerSettings:
        """The tracker's settings; `fps` turns frames under MMDeploy's names into seconds."""
        name, native, theirs = self._tracker_options()
        base = preset(name)
        converted = from_mmdeploy(theirs, fps=1.0 if base.clock == "frames" else fps)
        for key in native.keys() & converted.keys():
            raise ConfigError(f"{key} is set twice, also under MMDeploy's name: keep one of them")
        known = asdict(base) | native | converted
        return TypeAdapter(TrackerSettings).validate_json(json.dumps(known))

    def to_yaml(self) -> str:
        """The configuration with every setting spelt out; reading it back gives an equal run."""
        data = self.model_dump(mode="json")
        name, native, theirs = self._tracker_options()
        # What MMDeploy's names set stays as given: its frames need the source's rate.
        covered = from_mmdeploy(theirs, fps=1.0)
        known = {k: v for k, v in asdict(preset(name)).items() if k not in covered}
        data["tracker"] = {"preset": name} | known | native | theirs
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))

    def _tracker_options(self) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The preset's name, what is set under our names, and what under MMDeploy's."""
        options = dict(self.tracker)
        name = options.pop("preset", "default")
        ours = TrackerSettings.__dataclass_fields__
        theirs = {key: options.pop(key) for key in list(options) if key not in ours}
        return name, options, theirs


class _Layers:
    """Nested settings gathered from several places, and where each came from."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.origins: dict[Place, str] = {}

    def put(self, path: Place, value: Any, origin: str) -> None:
        """Set one value; a mapping is taken apart, so that it replaces only what it names."""
        if isinstance(value, Mapping) and len(path) < 2:
            self.origins.setdefault(path, origin)
            for key, inner in value.items():
                self.put((*path, str(key)), inner, origin)
            return
        target = self.data
        for key in path[:-1]:
            target = target.setdefault(key, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{origin}: {'.'.join(path[:-1])} is no section")
        target[path[-1]] = value
        self.origins[path] = origin

    def origin(self, path: Place) -> str:
        """Where the value at `path`, or the nearest thing around it, was set."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path, "configuration")


def load_config(
    file: Path | None = None,
    *,
    flags: Mapping[str, Any] | None = None,
    flag_names: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> RunConfig:
    """The settings from every place, the later ones stronger: file, environment, sets, flags.

    Args:
        file: YAML, or None.
        flags: dotted setting -> value, with None for flags that were not given.
        flag_names: dotted setting -> how its flag is written, for messages.
        sets: ``section.name=value`` as `--set` takes them; the value is YAML.
        environment: ``POSETRACK_SECTION_NAME`` variables are read, the rest is ignored.

    Raises:
        ConfigError: where the value came from, what is wrong with it and what was meant.
    """
    layers = _Layers()
    if file is not None:
        _read_file(file, layers)
    for path, text, origin in _from_environment(environment or {}):
        layers.put(path, _parse(text, origin), origin)
    for item in sets:
        name, equals, text = item.partition("=")
        path = tuple(name.strip().split("."))
        if not equals or len(path) != 2:
            raise ConfigError(f"--set {item}: write --set section.name=value")
        layers.put(path, _parse(text, f"--set {name}"), f"--set {name}")
    for name, value in (flags or {}).items():
        if value is not None:
            layers.put(tuple(name.split(".")), value, (flag_names or {}).get(name, name))
    return _validated(layers)


def _read_file(file: Path, layers: _Layers) -> None:
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"configuration file {file} not found: check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {file} cannot be read: {error}") from error
    data, lines = read_yaml(text, name=str(file))
    if data is None:
        return
    if not isinstance(data, Mapping):
        raise ConfigError(f"{file}:1: sections such as detector: were expected")
    for section, values in data.items():
        line = lines.get((section,), 1)
        if not isinstance(values, Mapping):
            if values is not None or section not in RunConfig.model_fields:
                layers.put((str(section),), values, f"{file}:{line}")
            continue
        layers.put((str(section),), {}, f"{file}:{line}")
        for key, value in values.items():
            layers.put((str(section), str(key)), value, f"{file}:{lines[(section, str(key))]}")


def _settings() -> Iterator[Place]:
    """Every setting there is, as (section, name)."""
    for section, field in RunConfig.model_fields.items():
        if section == "tracker":
            for name in _tracker_names():
                yield section, name
        else:
            kind: Any = field.annotation
            for name in getattr(kind, "model_fields", None) or kind.__dataclass_fields__:
                yield section, name


def _tracker_names() -> list[str]:
    return ["preset", *TrackerSettings.__dataclass_fields__, *MMDEPLOY_ALIASES]


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[Place, str, str]]:
    variables = {f"POSETRACK_{'_'.join(path)}".upper(): path for path in _settings()}
    sections = tuple(f"POSETRACK_{section}_".upper() for section in RunConfig.model_fields)
    for name in sorted(environment):
        if name in variables:
            yield variables[name], environment[name], name
        elif name.startswith(sections):
            raise ConfigError(f"environment variable {name} sets nothing{_hint(name, variables)}")


def _parse(text: str, origin: str) -> Any:
    return read_yaml(text, name=origin)[0] if text.strip() else None


def _validated(layers: _Layers) -> RunConfig:
    try:
        # JSON mode is strict and still lets a list be a tuple and 1 be 1.0.
        config = RunConfig.model_validate_json(json.dumps(layers.data))
    except ValidationError as problem:
        raise ConfigError(_explain(problem, layers)) from problem
    except TypeError as problem:
        raise ConfigError(f"a setting is of no plain type: {problem}") from problem
    _check_tracker(config, layers)
    return config


def _check_tracker(config: RunConfig, layers: _Layers) -> None:
    names = _tracker_names()
    for key in config.tracker:
        if key not in names:
            origin = layers.origin(("tracker", key))
            raise ConfigError(f"{origin}: unknown key tracker.{key}{_hint(key, names)}")
    name = config.tracker.get("preset", "default")
    if name not in PRESETS:
        origin = layers.origin(("tracker", "preset"))
        raise ConfigError(f"{origin}: tracker preset {name!r}{_hint(str(name), list(PRESETS))}")
    try:
        config.tracker_settings()
    except ConfigError as problem:
        # The message begins with the setting's name, which tells where it was set.
        origin = layers.origin(("tracker", str(problem).split(maxsplit=1)[0]))
        raise ConfigError(f"{origin}: tracker: {problem}") from problem
    except (TypeError, ValueError) as problem:
        raise ConfigError(_explain_tracker(problem, layers)) from problem


def _explain_tracker(problem: Exception, layers: _Layers) -> str:
    if not isinstance(problem, ValidationError):
        return f"{layers.origin(('tracker',))}: tracker: {problem}"
    first = problem.errors(include_url=False)[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    message = wording(first)
    key = key or message.split(maxsplit=1)[0]
    theirs = [alias for alias, name in MMDEPLOY_ALIASES.items() if name == key]
    given = [name for name in (key, *theirs) if ("tracker", name) in layers.origins]
    origin = layers.origin(("tracker", given[0] if given else key))
    return f"{origin}: tracker.{given[0] if given else key}: {message}"


def _explain(problem: ValidationError, layers: _Layers) -> str:
    first = problem.errors(include_url=False)[0]
    path = tuple(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if not path or (len(path) == 1 and first["type"] == "value_error"):
        # Of settings that do not go together; it begins with the name of one.
        return f"{layers.origin(tuple(message.split(maxsplit=1)[0].split('.')))}: {message}"
    origin, dotted = layers.origin(path), ".".join(path)
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = [".".join(p) for p in _settings() if p[:-1] == path[:-1]]
        return (
            f"{origin}: unknown key {dotted}{_hint(dotted, known or list(RunConfig.model_fields))}"
        )
    shown = repr(first.get("input"))
    shown = f", got {shown}" if len(shown) <= 60 else ""
    return f"{origin}: {dotted}: {wording(first)}{shown}"


def _hint(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    if near:
        return f": did you mean {near[0]}?"
    return f": known are {', '.join(known)}" if len(known) <= 12 else ""
