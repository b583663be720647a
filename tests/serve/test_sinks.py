"""Every sink against the real thing on this machine; what is not installed is skipped."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import avatars
import numpy as np
import pytest
from fakes import FakeDetector, FakeEstimator, FakeSource
from marionette import frames_of, marionette, turns_of
from waiting import wait_until

from posetrack import Perception
from posetrack.errors import ConfigError
from posetrack.serve.hub import Hub, Item
from posetrack.serve.message import Message, Published, TrackEvents, status_message
from posetrack.serve.metrics import Metrics
from posetrack.serve.settings import ServeConfig, load_serve_config
from posetrack.serve.sinks.files import JsonLines
from posetrack.serve.sinks.runner import Sinks
from posetrack.serve.sinks.settings import FileSettings
from posetrack.types import Frame, Poses, Result, Tracks


def items(frames: int = 30) -> list[Item]:
    """What two people in so many frames make a stream say."""
    perception = Perception(det=FakeDetector(), pose=FakeEstimator(), det_interval=5)
    events = TrackEvents("door", 1.0)
    made = [Item("status", "door", status_message("door", "running", None))]
    for frame in FakeSource(frames=frames):
        published = Published("door", perception(frame), 0)
        made.append(Item("poses", "door", published.message))
        made += [Item("events", "door", event) for event in events.of(published)]
    return made


@contextmanager
def sinks(*settings: dict[str, Any]) -> Iterator[tuple[Hub, Metrics]]:
    """Sinks at work, and the hub they listen to."""
    hub, metrics = Hub(), Metrics()
    config = ServeConfig.model_validate_json(json.dumps({"sinks": list(settings)}))
    made = Sinks(config.sinks, hub, metrics)
    made.start()
    yield hub, metrics
    made.stop(15)


def test_sinks_listen_once_they_are_started(tmp_path: Path) -> None:
    file = {"kind": "jsonl", "folder": str(tmp_path / "poses")}
    with sinks(file, file | {"streams": ["other"]}) as (hub, _):
        assert hub.counts() == {"jsonl-0": 1, "jsonl-1": 1}


def publish(hub: Hub, made: list[Item]) -> None:
    for item in made:
        hub.publish(item)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def server(command: list[str], port: int) -> Iterator[None]:
    """A server of the system, once it answers."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, f"{command[0]} answers")
        yield
    finally:
        process.terminate()
        process.wait()


class Receiver:
    """A web server that takes what webhooks send, as it is told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.headers.append({k.lower(): v for k, v in self.headers.items()})
                status = receiver.answers.pop(0) if receiver.answers else 204
                if status == 204:
                    receiver.bodies.append(json.loads(body))
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:9/")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for body in self.bodies for message in body["messages"]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_webhook_gets_events_several_in_a_request(receiver: Receiver, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("for-the-receiver\n")
    hook = {"kind": "webhook", "url": receiver.url, "interval_s": 3600, "token_file": str(token)}
    with sinks(hook | {"batch": 3}) as (hub, _):
        publish(hub, items())
        wait_until(lambda: len(receiver.messages) == 3, "enough of them have come")
    assert [m["type"] for m in receiver.messages] == ["status", "new", "new", "update", "update"]
    assert [len(body["messages"]) for body in receiver.bodies] == [3, 2], "the rest in the end"
    assert receiver.bodies[0]["schema"] == "posetrack.live/1"
    assert receiver.headers[0]["authorization"] == "Bearer for-the-receiver"


def test_a_webhook_tries_again_and_keeps_the_order(receiver: Receiver) -> None:
    receiver.answers = [503, 500]
    with sinks({"kind": "webhook", "url": receiver.url, "interval_s": 0.0}) as (hub, _):
        publish(hub, items())
        wait_until(lambda: len(receiver.messages) == 5, "all events have come")
    assert [m["type"] for m in receiver.messages] == ["status", "new", "new", "update", "update"]


def test_a_webhook_that_is_refused_gives_up_and_follows_nobody(receiver: Receiver) -> None:
    receiver.answers = [400, 302, 302, 302, 302]
    with sinks({"kind": "webhook", "url": receiver.url, "interval_s": 0.0}) as (hub, metrics):
        publish(hub, items()[:1])
        failures = metrics.sink_failures.labels("webhook-0")
        wait_until(lambda: failures._value.get() == 1, "the refusal is counted")
        assert receiver.answers == [302, 302, 302, 302]


def test_a_sink_that_is_gone_holds_up_nobody() -> None:
    gone = {"kind": "webhook", "url": "http://127.0.0.1:9/", "interval_s": 0.0, "queue": 10}
    with sinks(gone) as (hub, metrics):
        made = items(1) * 1000
        begin = time.monotonic()
        publish(hub, made)
        assert time.monotonic() - begin < 5
        failures = metrics.sink_failures.labels("webhook-0")
        wait_until(lambda: failures._value.get() >= 1, "it is counted")


def test_lines_go_into_files_that_take_turns(tmp_path: Path) -> None:
    file = {"kind": "jsonl", "folder": str(tmp_path / "poses"), "rotate_mb": 0.02}
    made = items(60)
    with sinks(file | {"queue": 1000}) as (hub, metrics):
        sent = metrics.sink_sent.labels("jsonl-0")
        for start in range(0, len(made), 10):
            publish(hub, made[start : start + 10])
            wait_until(lambda n=start: sent._value.get() >= min(n + 10, len(made)), "written")
    files = sorted((tmp_path / "poses").iterdir())
    assert len(files) > 2
    assert {path.suffix for path in files} == {".jsonl"}
    lines = [line for path in files for line in path.read_text().splitlines()]
    assert len(lines) == len(made)
    assert {json.loads(line)["type"] for line in lines} == {"status", "poses", "new", "update"}


def test_the_oldest_files_go_where_the_quota_is_spent(tmp_path: Path) -> None:
    folder = tmp_path / "poses"
    folder.mkdir()
    (folder / "mine.jsonl").write_text("not ours")
    settings = FileSettings(
        kind="jsonl", folder=str(folder), rotate_mb=0.02, rotate_s=1e6, quota_mb=0.1
    )
    sink = JsonLines(settings)
    sink.open()
    poses = [item for item in items(5) if item.kind == "poses"]
    for _ in range(60):
        sink.send(poses)
        sink.tick()
    sink.close()
    ours = [path for path in folder.iterdir() if path.name.startswith("poses-")]
    total = sum(path.stat().st_size for path in ours)
    assert 0.05e6 < total <= 0.125e6
    assert (folder / "mine.jsonl").read_text() == "not ours"


def test_a_table_has_a_row_a_person(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    with sinks({"kind": "parquet", "folder": str(tmp_path / "poses")}) as (hub, metrics):
        publish(hub, items(30))
        sent = metrics.sink_sent.labels("parquet-0")
        wait_until(lambda: sent._value.get() == 30, "all are taken")
    (file,) = (tmp_path / "poses").iterdir()
    table = parquet.read_table(file)
    assert table.num_rows == 60
    assert set(table["id"].to_pylist()) == {1, 2}
    assert len(table["keypoints"][0]) == 51


def test_a_broker_has_poses_events_and_the_last_state(tmp_path: Path) -> None:
    paho = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    found: dict[str, list[str]] = {}

    def note(client: Any, data: Any, message: Any) -> None:
        found.setdefault(message.topic, []).append(message.payload.decode())

    with ExitStack() as stack:
        stack.enter_context(server(["mosquitto", "-c", str(config)], port))
        reader = paho.Client(paho.CallbackAPIVersion.VERSION2)
        reader.on_message = note
        reader.connect("127.0.0.1", port)
        reader.subscribe("posetrack/#")
        reader.loop_start()
        stack.callback(reader.loop_stop)
        stack.callback(reader.disconnect)
        with sinks({"kind": "mqtt", "port": port, "node": "hall"}) as (hub, _):
            wait_until(lambda: found.get("posetrack/hall/available") == ["online"], "it is there")
            publish(hub, items())
            base = "posetrack/hall/door"
            wait_until(lambda: len(found.get(f"{base}/poses", [])) == 30, "all poses")
            wait_until(lambda: len(found.get(f"{base}/events", [])) == 4, "all events")
        wait_until(lambda: found["posetrack/hall/available"][-1] == "offline", "it is gone")
        late: list[tuple[str, bool]] = []
        second = paho.Client(paho.CallbackAPIVersion.VERSION2)
        second.on_message = lambda c, d, m: late.append((m.topic, m.retain))
        second.connect("127.0.0.1", port)
        second.subscribe("posetrack/#")
        second.loop_start()
        wait_until(lambda: len(late) == 2, "what is kept")
        second.disconnect()
        second.loop_stop()
    assert set(late) == {(f"{base}/status", True), ("posetrack/hall/available", True)}


def test_redis_keeps_the_newest_of_each_stream(tmp_path: Path) -> None:
    redis = pytest.importorskip("redis", reason="redis is not installed")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with server(command, port):
        client = redis.Redis(port=port)
        url = f"redis://127.0.0.1:{port}/0"
        with sinks({"kind": "redis", "url": url, "length": 10}) as (hub, _):
            publish(hub, items())
            wait_until(lambda: client.xlen("posetrack:door:events") == 4, "all events")
            entries = wait_until(lambda: client.xrange("posetrack:door:poses"), "poses")
        message = json.loads(entries[-1][1][b"message"])
        assert (message["type"], message["stream"]) == ("poses", "door")
        client.close()


def test_a_broker_that_is_restarted_gets_what_comes_then(tmp_path: Path) -> None:
    redis = pytest.importorskip("redis", reason="redis is not installed")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with sinks({"kind": "redis", "url": f"redis://127.0.0.1:{port}/0"}) as (hub, metrics):
        failures = metrics.sink_failures.labels("redis-0")
        wait_until(lambda: failures._value.get() >= 1, "it is missed")
        with server(command, port), redis.Redis(port=port) as client:

            def arrives() -> bool:
                publish(hub, items(1))
                return bool(client.xlen("posetrack:door:poses"))

            wait_until(arrives, "it is found again")


def datagrams(port: int, count: int) -> tuple[socket.socket, Callable[[], list[bytes]]]:
    place = socket.socket(type=socket.SOCK_DGRAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    place.bind(("127.0.0.1", port))
    place.settimeout(10)
    return place, lambda: [place.recv(65_536) for _ in range(count)]


def test_every_message_is_a_datagram() -> None:
    port = free_port(socket.SOCK_DGRAM)
    place, read = datagrams(port, 35)
    with place, sinks({"kind": "udp", "host": "127.0.0.1", "port": port}) as (hub, _):
        publish(hub, items())
        found = [json.loads(data) for data in read()]
    assert [m["frame"] for m in found if m["type"] == "poses"] == list(range(30))


def read_osc(bundle: bytes) -> list[tuple[str, tuple[float, ...]]]:
    """The messages of a bundle, read as the OSC 1.0 specification says."""
    assert bundle[:8] == b"#bundle\0"
    at, found = 16, []
    while at < len(bundle):
        (size,) = struct.unpack_from(">i", bundle, at)
        element = bundle[at + 4 : at + 4 + size]
        assert len(element) % 4 == 0
        address, _, _ = element.partition(b"\0")
        start = (len(address) // 4 + 1) * 4
        tags = element[start : element.index(b"\0", start)].decode()
        values = element[start + (len(tags) // 4 + 1) * 4 :]
        form = ">" + tags[1:]
        found.append((address.decode(), struct.unpack(form, values)))
        at += 4 + size
    return found


def test_poses_are_open_sound_control() -> None:
    port = free_port(socket.SOCK_DGRAM)
    place, read = datagrams(port, 1)
    with place, sinks({"kind": "osc", "port": port}) as (hub, _):
        publish(hub, items(1))
        (bundle,) = read()
    messages = dict(read_osc(bundle))
    assert messages["/pose/door/frame"] == (0, 2)
    assert len(messages) == 1 + 2 * 17
    x, y, score = messages["/pose/door/1/nose"]
    assert 0 < x < 1
    assert 0 < y < 1
    assert score == pytest.approx(0.8)


def test_an_avatar_moves_as_one_person_of_one_stream() -> None:
    figure = avatars.seen(avatars.dance(0.3))
    poses = Poses(
        figure.keypoints[None], figure.scores[None], np.zeros((1, 4)), np.ones(1),
        avatars.SKELETON, figure.depths[None],
    )  # fmt: skip
    tracks = Tracks(poses, np.array([5]), np.zeros(1), np.ones(1, np.bool_))
    frame = Frame(np.zeros((720, 1280, 3), np.uint8), 7, 0.28, 0.0)
    told = Published("stage", Result(frame, tracks, poses.keypoints, True), 0).message
    with (
        marionette() as (port, heard),
        sinks({"kind": "vmc", "port": port, "streams": ["stage"]}) as (hub, metrics),
    ):
        publish(hub, items(3))  # of another stream
        hub.publish(Item("poses", "stage", told))
        wait_until(lambda: frames_of(heard), "it is heard")
        flat = [item for item in items(1) if item.kind == "poses"]
        hub.publish(Item("poses", "stage", flat[0].content))
        failures = metrics.sink_failures.labels("vmc-0")
        wait_until(lambda: failures._value.get() == 1, "people without depths are a failure")
    (frame,) = frames_of(heard)
    assert frame[1] == ("/VMC/Ext/T", (pytest.approx(0.28),))
    found, wanted = (avatars.world(t) for t in (turns_of(frame), avatars.dance(0.3)))
    assert (wanted["Head"][0].inv() * found["Head"][0]).magnitude() < 0.02


def test_an_avatar_follows_one_stream_only(tmp_path: Path) -> None:
    for streams in ("", ", streams: [a, b]"):
        file = tmp_path / "serve.yaml"
        file.write_text(f"sinks:\n  - {{kind: vmc{streams}}}\n")
        with pytest.raises(ConfigError, match=r"serve\.yaml:2.*streams"):
            load_serve_config(file)


def test_a_crowd_is_several_bundles() -> None:
    from posetrack.osc.packets import bundles, encode

    messages = [encode("/pose/door/1/nose", float(n), 0.0, 1.0) for n in range(1000)]
    made = list(bundles(messages))
    assert len(made) > 1
    assert max(map(len, made)) <= 8192
    values = [values[0] for bundle in made for _, values in read_osc(bundle)]
    assert values == list(range(1000))


def test_a_wrong_address_is_said_at_the_start() -> None:
    with (
        pytest.raises(ConfigError, match=r"webhook url ftp://\*\*\*@h/: give http"),
        sinks({"kind": "webhook", "url": "ftp://u:p@h/"}),
    ):
        pass


def test_messages_are_written_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message({"a": 1})
    assert message.text is message.text
    assert message.text == message.raw_text == '{"a":1}'
