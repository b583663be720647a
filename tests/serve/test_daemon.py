"""The daemon as a process: failing streams, slow clients, signals, and nothing leaked."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml
from daemons import TOKEN, FakeCamera, RunningDaemon, running, settings
from tiny_models import Models
from waiting import wait_until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

CAMERAS = {"security": {"loopback_sources": True}}


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    made = FakeCamera().start()
    yield made
    made.kill()


def socket_of(daemon: RunningDaemon, path: str, **options: object):
    address = daemon.address.replace("http", "ws", 1)
    return connect(f"{address}{path}", max_queue=None, **options)


def test_of_four_streams_one_is_killed_and_the_others_go_on(
    models: Models, tmp_path: Path, camera: FakeCamera
) -> None:
    data = settings(models, tmp_path / "media", 3, **CAMERAS)
    data["streams"].append({"id": "camera", "url": camera.url})
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("s0", "s1", "s2", "camera")
        before = {name: daemon.stream(name) for name in ("s0", "s1", "s2", "camera")}
        camera.kill()
        lost = wait_until(
            lambda: (s := daemon.stream("camera"))["state"] != "running" and s, "it is noticed"
        )
        assert lost["state"] == "stalled"
        wait_until(lambda: daemon.stream("camera")["error"], "and said why")
        time.sleep(1)
        assert daemon.stream("camera")["reconnects"] == 0, "attempts do not count"
        for name in ("s0", "s1", "s2"):
            more = before[name]["frames"] + 10
            wait_until(lambda name=name, n=more: daemon.stream(name)["frames"] > n, "it goes on")
            now = daemon.stream(name)
            assert now["state"] == "running"
            assert now["tracks"] == before[name]["tracks"]
        camera.start()
        back = wait_until(
            lambda: (s := daemon.stream("camera"))["state"] == "running" and s, "it comes back"
        )
        assert back["reconnects"] == 1
        wait_until(
            lambda: daemon.stream("camera")["frames"] > back["frames"] + 5, "frames come again"
        )
        assert daemon.stream("camera")["tracks"] == before["camera"]["tracks"], "the same person"


def test_a_frozen_camera_is_stalled_and_opened_anew(
    models: Models, tmp_path: Path, camera: FakeCamera
) -> None:
    data = settings(models, tmp_path / "media", 0, **CAMERAS)
    data["defaults"]["watch"] |= {"stall_s": 0.5, "restart_s": 1.5}
    data["streams"] = [{"id": "camera", "url": camera.url}]
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("camera")
        camera.frozen.set()
        wait_until(lambda: daemon.stream("camera")["state"] == "stalled", "it is noticed")
        # A picture that was under way may still come, and it runs for another moment.
        wait_until(lambda: daemon.http.get("/readyz").status_code == 503, "it is not ready")
        camera.frozen.clear()
        daemon.wait_running("camera")
        wait_until(lambda: daemon.http.get("/readyz").status_code == 200, "it is ready again")


def test_a_stream_that_cannot_work_fails_alone_and_a_change_is_tried_at_once(
    models: Models, tmp_path: Path
) -> None:
    data = settings(models, tmp_path / "media", 1)
    data["streams"] += [
        {"id": "nothing", "url": str(tmp_path / "nothing.mp4")},
        {"id": "model", "url": str(tmp_path / "media/clip.mp4"), "pose": {"model": "no-such"}},
    ]
    for stream in data["streams"]:
        stream["watch"] = {"backoff_s": 300.0, "longest_backoff_s": 300.0}
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("s0")
        for name, reason in (("nothing", "no such file"), ("model", "no-such")):
            wait_until(lambda name=name: daemon.stream(name)["state"] == "failed", name)
            assert reason in daemon.stream(name)["error"]
        repaired = {"pose": {"model": str(models.pose)}}
        daemon.http.patch("/v1/streams/model", json=repaired).raise_for_status()
        daemon.wait_running("model")
        daemon.http.patch("/v1/streams/nothing", json={"enabled": False}).raise_for_status()
        wait_until(lambda: daemon.stream("nothing")["state"] == "stopped", "stopped")


def test_clients_that_never_read_cost_the_others_nothing(models: Models, tmp_path: Path) -> None:
    # None of them is cut off before it is counted.
    data = settings(models, tmp_path / "media", 2, limits={"client_stall_s": 60.0})
    with running(data, tmp_path / "run") as daemon, ExitStack() as stack:
        daemon.wait_running("s0", "s1")
        host, port = daemon.address.removeprefix("http://").split(":")
        for _ in range(10):
            sleeper = stack.enter_context(socket.socket())
            sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sleeper.connect((host, int(port)))
            sleeper.sendall(
                b"GET /v1/streams/s0/poses?raw=true HTTP/1.1\r\nHost: localhost\r\n"
                b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
        readers = [
            stack.enter_context(socket_of(daemon, f"/v1/streams/s{number % 2}/poses"))
            for number in range(40)
        ]
        frames: list[list[int]] = []
        for reader in readers:
            messages = [json.loads(reader.recv(10)) for _ in range(10)]
            frames.append([message["frame"] for message in messages])
        assert all(sorted(set(row)) == row for row in frames)
        everybody = 'posetrack_clients{kind="websocket"} 50.0'
        wait_until(lambda: everybody in daemon.http.get("/metrics").text, "all are there")
        before = daemon.stream("s0")["frames"]
        wait_until(lambda: daemon.stream("s0")["frames"] > before + 20, "frames come")
        assert daemon.stream("s0")["state"] == "running"


def test_sockets_say_poses_events_and_states(models: Models, tmp_path: Path) -> None:
    with running(settings(models, tmp_path / "media", 1), tmp_path / "run") as daemon:
        daemon.wait_running("s0")
        with socket_of(daemon, "/v1/streams/s0/poses?events=true&raw=true") as reader:
            first = json.loads(reader.recv(10))
            assert (first["type"], first["state"]) == ("status", "running")
            kinds = {}
            while not kinds.keys() >= {"poses", "update"}:
                message = json.loads(reader.recv(10))
                kinds[message["type"]] = message
        assert len(kinds["poses"]["people"][0]["raw"]) == 17
        assert kinds["update"]["id"] == kinds["poses"]["people"][0]["id"]
        with socket_of(daemon, "/v1/events") as reader:
            json.loads(reader.recv(10))
            daemon.http.delete("/v1/streams/s0").raise_for_status()
            seen = []
            while "stopped" not in seen:
                message = json.loads(reader.recv(10))
                seen.append(message.get("state") or message["type"])
            assert "end" in seen
        with pytest.raises(InvalidStatus, match="404"), socket_of(daemon, "/v1/streams/s0/poses"):
            pass


def test_events_and_pictures_come_by_plain_http_too(models: Models, tmp_path: Path) -> None:
    with running(settings(models, tmp_path / "media", 1), tmp_path / "run") as daemon:
        daemon.wait_running("s0")
        with daemon.http.stream("GET", "/v1/streams/s0/poses?events=true") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            kinds = set()
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kinds.add(line.removeprefix("event: "))
                if kinds == {"status", "poses", "events"}:
                    break
        with daemon.http.stream("GET", "/v1/streams/s0/preview.mjpg") as answer:
            data = b""
            for part in answer.iter_bytes():
                data += part
                if data.count(b"--posetrack-frame") >= 4:
                    break
        assert data.count(b"\xff\xd8\xff") >= 3


def test_a_socket_needs_the_token_and_the_right_page(models: Models, tmp_path: Path) -> None:
    data = settings(models, tmp_path / "media", 1, listen={"origins": ["https://wall.org"]})
    with running(data, tmp_path / "run", environment={"POSETRACK_TOKEN": TOKEN}) as daemon:
        daemon.wait_running("s0")
        path, bearer = "/v1/streams/s0/poses", {"Authorization": f"Bearer {TOKEN}"}
        with pytest.raises(InvalidStatus, match="401"), socket_of(daemon, path):
            pass
        with (
            pytest.raises(InvalidStatus, match="403"),
            socket_of(daemon, path, additional_headers=bearer, origin="http://evil.org"),
        ):
            pass
        for origin in (None, "https://wall.org", daemon.address):
            with socket_of(daemon, path, additional_headers=bearer, origin=origin) as reader:
                assert json.loads(reader.recv(10))["type"] == "poses"
        cookie = daemon.http.post("/v1/session", json={"token": TOKEN}).headers["set-cookie"]
        with socket_of(daemon, path, additional_headers={"Cookie": cookie.split(";")[0]}) as reader:
            assert json.loads(reader.recv(10))["type"] == "poses"


def test_there_is_room_for_so_many_clients(models: Models, tmp_path: Path) -> None:
    data = settings(models, tmp_path / "media", 1, limits={"clients_per_address": 2})
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("s0")
        path = "/v1/streams/s0/poses"
        with socket_of(daemon, path), socket_of(daemon, path):
            with pytest.raises(InvalidStatus, match="503"), socket_of(daemon, path):
                pass
            assert daemon.http.get("/v1/events").status_code == 503

        def again() -> bool:
            try:
                with socket_of(daemon, path):
                    return True
            except InvalidStatus:
                return False

        wait_until(again, "those who went make room")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_finalises_within_ten_seconds(
    models: Models, tmp_path: Path, number: int
) -> None:
    data = settings(models, tmp_path / "media", 2)
    with running(data, tmp_path / "run") as daemon, ExitStack() as stack:
        daemon.wait_running("s0", "s1")
        daemon.http.post("/v1/streams/s0/recordings", json={}).raise_for_status()
        readers = [stack.enter_context(socket_of(daemon, "/v1/streams/s0/poses")) for _ in range(3)]
        for reader in readers:
            for _ in range(10):
                reader.recv(10)
        assert daemon.stop(number) < 10
        assert daemon.process.returncode == 0
        log = daemon.log.read_text()
    folder = tmp_path / "media" / "recordings" / "s0"
    assert {path.suffix for path in folder.iterdir()} == {".mp4", ".jsonl"}
    assert "stopped" in log
    assert "Traceback" not in log


def test_hangup_reads_the_file_again(models: Models, tmp_path: Path) -> None:
    data = settings(models, tmp_path / "media", 2)
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("s0", "s1")
        daemon.http.patch("/v1/streams/s1", json={"detector": {"interval": 9}}).raise_for_status()
        daemon.http.post("/v1/streams", json={"id": "mine", "url": "clip.mp4"}).raise_for_status()
        clip = data["streams"][0]["url"]
        data["streams"] = [
            {"id": "s1", "url": clip},
            {"id": "s2", "url": clip, "detector": {"interval": 3}},
        ]
        daemon.config.write_text(yaml.safe_dump(data))
        daemon.process.send_signal(signal.SIGHUP)

        def ids() -> set[str]:
            return {s["id"] for s in daemon.http.get("/v1/streams").json()["streams"]}

        wait_until(lambda: ids() == {"s1", "s2", "mine"}, "streams come and go")
        assert daemon.stream("s1")["settings"]["detector"]["interval"] == 9
        data["streams"] = [{"id": f"n{number}", "url": clip} for number in range(16)]
        daemon.config.write_text(yaml.safe_dump(data))
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "there are more than 16 streams" in daemon.log.read_text(), "no room")
        assert ids() == {"s1", "s2", "mine"}, "not in part either"
        daemon.config.write_text("streams: [{}]")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.log.read_text().count("not taken") == 2, "it is said")
        assert ids() == {"s1", "s2", "mine"}
        daemon.wait_running("s1", "s2", "mine")


def test_the_log_can_be_json(models: Models, tmp_path: Path) -> None:
    data = settings(models, tmp_path / "media", 1, log={"format": "json"})
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("s0")
        daemon.stop()
        lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert {"time", "level", "message"} <= lines[0].keys()
    assert {"running", "stopped"} <= {line["message"] for line in lines if "stream" in line}


def test_systemd_is_told_ready_alive_and_stopping(models: Models, tmp_path: Path) -> None:
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(place)
        manager.settimeout(15)
        environment = {"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "1000000"}
        data = settings(models, tmp_path / "media", 0)
        with running(data, tmp_path / "run", environment=environment) as daemon:
            told = [manager.recv(4096).decode() for _ in range(4)]
            daemon.process.send_signal(signal.SIGHUP)
            while not any(line.startswith("RELOADING=1\nMONOTONIC_USEC=") for line in told):
                told.append(manager.recv(4096).decode())
            daemon.process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in told:  # read at once: few messages have room in the socket
                told.append(manager.recv(4096).decode())
            daemon.process.wait(20)
    assert told[0].startswith("READY=1")
    assert told.count("WATCHDOG=1") >= 3


def test_nothing_is_left_of_streams_and_clients_that_went(
    models: Models, tmp_path: Path, camera: FakeCamera
) -> None:
    data = settings(models, tmp_path / "media", 1, **CAMERAS)
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("s0")

        def visit(number: int) -> None:
            stream = {"id": "x", "url": camera.url if number % 2 else "clip.mp4"}
            daemon.http.post("/v1/streams", json=stream).raise_for_status()
            daemon.wait_running("x")
            daemon.http.get("/v1/streams/x/snapshot.jpg").raise_for_status()
            with socket_of(daemon, "/v1/streams/x/poses") as reader:
                reader.recv(10)
            with daemon.http.stream("GET", "/v1/streams/x/preview.mjpg") as answer:
                next(answer.iter_bytes())
            daemon.http.delete("/v1/streams/x").raise_for_status()

        visit(0)
        visit(1)
        time.sleep(1)
        threads, files = daemon.threads, daemon.files
        for number in range(8):
            visit(number)
        # The web server's pool of threads may still grow to its usual size.
        wait_until(lambda: daemon.files <= files + 2, "files are closed")
        wait_until(lambda: daemon.threads <= threads + 6, "threads have ended")
        nobody = 'posetrack_clients{kind="websocket"} 0.0'
        wait_until(lambda: nobody in daemon.http.get("/metrics").text, "clients are gone")


def test_a_port_in_use_is_one_line(models: Models, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        data = settings(models, tmp_path / "media", 0, listen={"port": port})
        with (
            pytest.raises(AssertionError, match=f"posetrack: cannot listen at 127.0.0.1:{port}"),
            running(data, tmp_path / "run"),
        ):
            pass


def test_many_requests_at_once_are_all_answered(models: Models, tmp_path: Path) -> None:
    with running(settings(models, tmp_path / "media", 2), tmp_path / "run") as daemon:
        daemon.wait_running("s0", "s1")

        async def ask() -> list[int]:
            async with httpx.AsyncClient(base_url=daemon.address, timeout=15) as client:
                paths = ["/v1/streams", "/v1/streams/s0/latest", "/v1/streams/s1/snapshot.jpg"]
                answers = await asyncio.gather(*(client.get(path) for path in paths * 20))
                return [answer.status_code for answer in answers]

        assert asyncio.run(ask()) == [200] * 60
