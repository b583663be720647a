"""What each kind of sink can be told."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from posetrack.config import Section
from posetrack.osc.datagrams import VMC_PORT

Content = Literal["poses", "events"]
Rate = Annotated[float, Field(gt=0, le=1000)]
Megabytes = Annotated[float, Field(gt=0)]


class _Sink(Section):
    """What every sink has: which streams, and how many messages may wait for it."""

    streams: tuple[str, ...] | None = None  # None: all of them
    queue: Annotated[int, Field(ge=1, le=100_000)] = 256


class WebhookSettings(_Sink):
    """Events (or poses) sent by POST, several in one request."""

    kind: Literal["webhook"]
    url: str
    content: Content = "events"
    token_file: str | None = None
    batch: Annotated[int, Field(ge=1, le=1000)] = 50
    interval_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 5.0
    attempts: Annotated[int, Field(ge=1, le=20)] = 4


class FileSettings(_Sink):
    """Every message as a line (JSONL) or a row a person (Parquet), in files that take turns."""

    kind: Literal["jsonl", "parquet"]
    folder: str
    rotate_s: Annotated[float, Field(gt=0)] = 3600.0
    rotate_mb: Megabytes = 256.0
    quota_mb: Megabytes = 4096.0


class MqttSettings(_Sink):
    """Topics ``PREFIX/NODE/STREAM/poses``, ``.../events`` and ``.../status`` of a broker."""

    kind: Literal["mqtt"]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    user: str | None = None
    password_file: str | None = None
    tls: bool = False
    prefix: str = "posetrack"
    node: str = "node"
    poses: bool = True
    events: bool = True


class RedisSettings(_Sink):
    """Redis streams ``PREFIX:STREAM:poses`` and ``...:events``, cut at `length`."""

    kind: Literal["redis"]
    url: str = "redis://127.0.0.1:6379/0"
    prefix: str = "posetrack"
    length: Annotated[int, Field(ge=1)] = 10_000
    poses: bool = True
    events: bool = True


class UdpSettings(_Sink):
    """Every message as one datagram of JSON."""

    kind: Literal["udp"]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]


class OscSettings(_Sink):
    """Bundles of ``/pose/STREAM/ID/KEYPOINT x y score``, for Max, TouchDesigner and the like."""

    kind: Literal["osc"]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 9000
    normalized: bool = True  # x and y from 0 to 1, not px


class VmcSettings(_Sink):
    """Bones of one person of one stream, for an avatar; its pose model has depth."""

    kind: Literal["vmc"]
    streams: tuple[str]  # an avatar follows one
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = VMC_PORT


SinkSettings: TypeAlias = Annotated[
    WebhookSettings
    | FileSettings
    | MqttSettings
    | RedisSettings
    | UdpSettings
    | OscSettings
    | VmcSettings,
    Field(discriminator="kind"),
]
