"""What answers look like, for the OpenAPI description."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Error(BaseModel):
    """What was asked, what was found, what to do."""

    error: str


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(BaseModel):
    """Whether frames come."""

    ready: bool


class Spread(BaseModel):
    """Milliseconds over the last 512 frames."""

    p50: float
    p95: float
    p99: float = 0.0


class Drops(BaseModel):
    """Frames lost, by reason."""

    late: int = Field(description="replaced by a newer one before the work on it began")
    source: int = Field(description="replaced by a newer one before it was taken from the source")


class StreamStatus(BaseModel):
    """A stream, how it goes, and its settings."""

    id: str
    url: str = Field(description="without user and password")
    state: Literal["connecting", "running", "stalled", "failed", "stopped"]
    since: float = Field(description="Unix time at which the state began")
    error: str | None = Field(description="the last thing that went wrong")
    from_api: bool = Field(description="its address was named by the API, not by the file")
    frames: int
    fps: float = Field(description="frames published a second, over the last three")
    people: int
    tracks: int = Field(description="people who got an id")
    size: tuple[int, int] | None = Field(description="width and height of the frames, px")
    detector_runs: int
    reconnects: int
    dropped: Drops
    last_frame_ns: int | None = Field(description="Unix time of the newest frame")
    latency_ms: Spread = Field(description="from capture to publication")
    stages_ms: dict[str, Spread] = Field(description="time each stage took for a frame")
    settings: dict[str, Any] = Field(description="all of them, as PATCH takes them")


class Streams(BaseModel):
    """Every stream."""

    streams: list[StreamStatus]


class Changed(BaseModel):
    """A stream after a change."""

    restarted: bool = Field(description="the stream was opened anew; else it acts at once")
    stream: StreamStatus


class Model(BaseModel):
    """A network that is loaded."""

    task: str
    name: str
    backend: str
    device: str
    precision: str


class Models(BaseModel):
    """Every network that is loaded."""

    models: list[Model]


class Person(BaseModel):
    """Somebody in a frame."""

    id: int
    bbox: list[float] = Field(description="x1, y1, x2, y2 in px")
    score: float
    state: Literal["new", "tracked", "lost"]
    keypoints: list[list[float]] = Field(description="x, y, score of each; smoothed")
    raw: list[list[float]] | None = Field(None, description="x, y as the network gave them")
    age: float = Field(description="seconds since the id was given")


class Poses(BaseModel):
    """The people of one frame, version 1."""

    schema_: Literal["posetrack.live/1"] = Field(alias="schema")
    type: Literal["poses"]
    stream: str
    frame: int
    pts_ns: int
    capture_ns: int
    publish_ns: int
    size: tuple[int, int]
    skeleton: str
    det: bool
    dropped: int
    people: list[Person]


class Skeleton(BaseModel):
    """A keypoint set."""

    name: str
    keypoints: list[str] = Field(description="the name of each, in the order of the messages")
    limbs: list[tuple[int, int]] = Field(description="which to connect, by number")
    sides: list[str] = Field(description="left, right or middle, of each keypoint")


class Drawing(BaseModel):
    """What a style and the settings over it come to."""

    layers: list[str]
    colours: str = Field(description="side, id, mmpose or openpose")
    thickness: float


class Tracking(BaseModel):
    """What the settings and the models of a stream come to."""

    skeleton: Skeleton
    detection_threshold: float | None = Field(description="score from which a detection counts")
    tracker: dict[str, Any] = Field(description="every setting of the tracker as it holds")
    drawing: Drawing


class Recording(BaseModel):
    """A recording since the daemon began."""

    stream: str
    files: list[str]
    began: float
    frames: int
    dropped: int
    ended: str | None = Field(description="why it ended; null while it goes on")


class RecordedFile(BaseModel):
    """A finished file."""

    name: str
    bytes: int
    at: float


class RecordingList(BaseModel):
    """What is recorded of a stream."""

    newest: Recording | None
    files: list[RecordedFile]


class RecordingWish(BaseModel):
    """What to record."""

    model_config = {
        "extra": "forbid",
        "strict": True,
        "json_schema_extra": {
            "not": {
                "properties": {"video": {"const": False}, "records": {"const": False}},
                "required": ["video", "records"],
            }
        },
    }

    video: bool = True
    records: bool = True
    drawn: bool = Field(False, description="people drawn into the video")


class Token(BaseModel):
    """A browser's way in."""

    model_config = {"extra": "forbid", "strict": True}

    token: str = Field(max_length=4096)
