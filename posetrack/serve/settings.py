"""What `posetrack serve` can be told: a YAML file, over it the environment, over that the flags."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from posetrack.config import (
    BackendSettings,
    DetectorSettings,
    DrawingSettings,
    PoseSettings,
    ReidSettings,
    RunConfig,
    Section,
    SourceSettings,
)
from posetrack.documents import Override, explain, load_document, read_yaml
from posetrack.errors import ConfigError
from posetrack.serve.sinks.settings import SinkSettings
from posetrack.tracking.presets import MMDEPLOY_ALIASES
from posetrack.tracking.settings import TrackerSettings

PORT = 8791
NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""What a stream may be called: it is part of addresses, file names and topics."""

Positive = Annotated[float, Field(gt=0, le=1e6)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
StreamName = Annotated[
    str, Field(pattern=NAME, description="lower case, digits, - and _; at most 63")
]


class ListenSettings(Section):
    """Where the daemon answers."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = PORT
    hosts: tuple[str, ...] = ()  # further names it is reached by, for the check of `Host`
    origins: tuple[str, ...] = ()  # pages elsewhere that may open a WebSocket
    certificate: str | None = None
    key: str | None = None

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach it."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


class SecuritySettings(Section):
    """Who may do what."""

    token_file: str | None = None
    insecure_no_auth: bool = False
    schemes: tuple[Literal["rtsp", "rtsps", "http", "https", "srt", "file"], ...] = (
        *("rtsp", "rtsps", "http", "https", "file"),
    )
    loopback_sources: bool = False  # may the API name a source on this machine
    api_streams: bool = True  # may the API add and remove streams at all


class LimitSettings(Section):
    """How much anybody may ask for."""

    streams: Count = 16
    clients: Count = 256  # live connections in all
    clients_per_address: Count = 64
    requests_per_s: Positive = 50.0  # of one address
    burst: Count = 200
    body_kb: Count = 64
    queue: Annotated[int, Field(ge=1, le=1000)] = 8  # messages that wait for one client
    client_stall_s: Positive = 10.0  # a client that takes nothing for so long is cut off


class MediaSettings(Section):
    """Recordings, and files that the API may name as streams; without a root there are none."""

    root: str | None = None
    quota_mb: Count = 10_240
    recording_s: Positive = 3600.0  # a recording ends by itself after so long


class BatchSettings(Section):
    """How the crops of all streams of one pose model share its runs."""

    wait_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0
    max_boxes: Annotated[int, Field(ge=1, le=1024)] = 16
    copies: Annotated[int, Field(ge=1, le=64)] = 2


class LogSettings(Section):
    """What is logged, and how."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class StreamSource(Section):
    """How a stream is read."""

    flip: bool = False
    stride: Annotated[int, Field(ge=1, le=1000)] = 1
    region: Annotated[str, Field(max_length=2000)] | None = None
    mask: str | None = None


class StreamDetector(DetectorSettings):
    """Who looks for people, every frame or less often; a detector that never runs is for files."""

    interval: Annotated[int, Field(ge=1)] = DetectorSettings().interval


def _needs(one: str, other: str) -> dict[str, Any]:
    """JSON schema: where the one is a number, so is the other."""

    def is_number(name: str) -> dict[str, Any]:
        return {"properties": {name: {"type": "integer"}}, "required": [name]}

    return {"if": is_number(one), "then": is_number(other)}


class LiveOptions(Section):
    """How a camera or an address is opened: as in `posetrack.media.live.LiveSettings`."""

    model_config = ConfigDict(
        json_schema_extra={"allOf": [_needs("width", "height"), _needs("height", "width")]}
    )

    width: Annotated[int, Field(ge=1, le=16384)] | None = None
    height: Annotated[int, Field(ge=1, le=16384)] | None = None
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    format: Literal["mjpeg", "yuyv"] | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    verify_tls: bool = False
    # Short enough that a stop need not wait long for a read under way.
    open_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    read_timeout_s: Annotated[float, Field(gt=0, le=60)] = 3.0
    keep_size: bool = True

    @model_validator(mode="after")
    def _size_is_whole(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("live.width and live.height belong together: give both or neither")
        return self


class PreviewSettings(Section):
    """The pictures for people to look at."""

    width: Annotated[int, Field(ge=32, le=3840)] = 640
    fps: Annotated[float, Field(gt=0, le=60)] = 12.0
    quality: Annotated[int, Field(ge=10, le=95)] = 75


class WatchSettings(Section):
    """When a stream counts as stalled, and how it is started again."""

    stall_s: Positive = 5.0
    restart_s: Positive = 20.0  # stalled for so long: everything is opened anew
    backoff_s: Positive = 1.0
    longest_backoff_s: Positive = 30.0


class TrackingOptions(Section):
    """What of a stream can be told alike for all of them."""

    source: StreamSource = StreamSource()
    live: LiveOptions = LiveOptions()
    detector: StreamDetector = StreamDetector()
    pose: PoseSettings = PoseSettings()
    reid: ReidSettings = ReidSettings()
    tracker: dict[str, Any] = Field(default_factory=dict)
    drawing: DrawingSettings = DrawingSettings()
    preview: PreviewSettings = PreviewSettings()
    watch: WatchSettings = WatchSettings()


class StreamSettings(TrackingOptions):
    """One stream.

    Attributes:
        id: its name in addresses, files and topics.
        url: address, file or camera; ``{env:NAME}`` in it is taken from the environment.
        loop: a file begins again at its end.
        enabled: false keeps it in the list and does not read it.
    """

    id: StreamName
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    loop: bool = True
    enabled: bool = True

    @model_validator(mode="after")
    def _tracker_is_known(self) -> Self:
        known = ["preset", *TrackerSettings.__dataclass_fields__, *MMDEPLOY_ALIASES]
        if unknown := sorted(set(self.tracker) - set(known)):
            near = difflib.get_close_matches(unknown[0], known, 1)
            hint = f"did you mean {near[0]}?" if near else "see docs/tracking.md"
            raise ValueError(f"tracker has no setting {unknown[0]!r}: {hint}")
        try:
            self.run_config().tracker_settings()
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            raise ValueError(f"tracker: {name + ': ' if name else ''}{message}") from problem
        except (TypeError, ValueError) as problem:  # ConfigError is one
            raise ValueError(f"tracker: {problem}") from problem
        return self

    def run_config(self, backend: BackendSettings | None = None) -> RunConfig:
        """The same as the settings of a run."""
        part = self.source
        return RunConfig(
            source=SourceSettings(
                flip=part.flip, stride=part.stride, region=part.region, mask=part.mask
            ),
            detector=self.detector,
            pose=self.pose,
            reid=self.reid,
            backend=backend or BackendSettings(),
            tracker=self.tracker,
            drawing=self.drawing,
        )

    def changed(self, patch: Mapping[str, Any]) -> StreamSettings:
        """These settings with those of `patch`; sections are merged, null is the default.

        Raises:
            pydantic.ValidationError: an unknown name, or a value that is none.
        """
        return parse_stream(_merged(self.model_dump(mode="json", exclude_unset=True), patch))


class ServeConfig(Section):
    """Everything the daemon can be told.

    `defaults` hold for every stream, and each stream for itself says what differs.
    """

    listen: ListenSettings = ListenSettings()
    security: SecuritySettings = SecuritySettings()
    limits: LimitSettings = LimitSettings()
    media: MediaSettings = MediaSettings()
    backend: BackendSettings = BackendSettings()
    batching: BatchSettings = BatchSettings()
    log: LogSettings = LogSettings()
    defaults: TrackingOptions = TrackingOptions()
    streams: tuple[StreamSettings, ...] = ()
    sinks: tuple[SinkSettings, ...] = ()

    @field_validator("streams")
    @classmethod
    def _ids_differ(cls, streams: tuple[StreamSettings, ...]) -> tuple[StreamSettings, ...]:
        seen: set[str] = set()
        for each in streams:
            if each.id in seen:
                raise ValueError(f"two streams are called {each.id}: name them apart")
            seen.add(each.id)
        return streams

    @model_validator(mode="after")
    def _streams_have_room(self) -> Self:
        if len(self.streams) > self.limits.streams:
            raise ValueError(
                f"{len(self.streams)} streams are more than limits.streams, {self.limits.streams}"
            )
        return self

    def with_defaults(self, stream: StreamSettings) -> StreamSettings:
        """A stream's settings over those of `defaults`."""
        base = self.defaults.model_dump(mode="json", exclude_unset=True)
        return parse_stream(_merged(base, stream.model_dump(mode="json", exclude_unset=True)))

    def to_yaml(self) -> str:
        """The configuration with every setting spelt out."""
        return str(
            yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        )


_STREAM: TypeAdapter[StreamSettings] = TypeAdapter(StreamSettings)


def parse_stream(data: Any) -> StreamSettings:
    """Plain data as a stream's settings, as strictly as a file is read."""
    return _STREAM.validate_json(json.dumps(data))


def load_serve_config(
    file: Path,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    flag_names: Mapping[str, str] | None = None,
) -> ServeConfig:
    """The settings of a file, those of the environment over them, and the flags over both.

    Args:
        file: YAML.
        environment: ``POSETRACK_SECTION_NAME`` variables are read, the rest is ignored.
        flags: dotted setting -> value, None for flags that were not given.
        flag_names: dotted setting -> how its flag is written, for messages.

    Raises:
        ConfigError: where the value came from, what is wrong with it and what was meant.
    """
    overrides = list(_from_environment(environment or {}))
    for dotted, value in (flags or {}).items():
        if value is not None:
            origin = (flag_names or {}).get(dotted, dotted)
            overrides.append(Override(tuple(dotted.split(".")), value, origin))
    config = load_document(file, ServeConfig, overrides=overrides)
    for stream in config.streams:
        try:
            config.with_defaults(stream)
        except ValidationError as problem:
            what = explain(problem, StreamSettings)
            raise ConfigError(f"{file}: stream {stream.id} with the defaults: {what}") from problem
    return config


def _from_environment(environment: Mapping[str, str]) -> Iterator[Override]:
    variables: dict[str, tuple[str, str]] = {}
    for section, field in ServeConfig.model_fields.items():
        kind = field.annotation
        if section != "defaults" and isinstance(kind, type) and issubclass(kind, BaseModel):
            for name in kind.model_fields:
                variables[f"POSETRACK_{section}_{name}".upper()] = (section, name)
    sections = {f"POSETRACK_{section}_".upper() for section, _ in variables.values()}
    for name in sorted(environment):
        if name not in variables:
            if name.startswith(tuple(sections)):
                near = difflib.get_close_matches(name, variables, 1)
                hint = f"did you mean {near[0]}?" if near else "see docs/serve.md"
                raise ConfigError(f"environment variable {name} sets nothing: {hint}")
            continue
        text = environment[name]
        value = read_yaml(text, name=name)[0] if text.strip() else None
        yield Override(variables[name], value, name)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`; a null section is the default one again."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            value = _merged(before, value)
        if value is None and key in TrackingOptions.model_fields:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """`text` with every ``{env:NAME}`` replaced.

    Raises:
        ConfigError: a variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if found is None:
            raise ConfigError(f"{match[0]} is asked, the environment has no {match[1]}: set it")
        return found

    return re.sub(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}", value, text)
