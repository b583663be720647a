"""The application without a socket: who gets in, what is answered, what is never said."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from daemons import TOKEN
from waiting import wait_until

from posetrack.serve import security
from posetrack.serve.daemon import Daemon

Make = Callable[..., Daemon]
Client = Callable[..., httpx.AsyncClient]


def asked(client: httpx.AsyncClient, *calls: tuple[str, str, Any]) -> list[httpx.Response]:
    """The answers to some requests, one after the other; bodies are JSON or bytes."""

    async def ask() -> list[httpx.Response]:
        answers = []
        async with client:
            for method, path, body in calls:
                data = {"content": body} if isinstance(body, bytes) else {"json": body}
                answers.append(await client.request(method, path, **({} if body is None else data)))
        return answers

    return asyncio.run(ask())


def running(daemon: Daemon, name: str = "s0") -> None:
    wait_until(lambda: daemon.supervisor.get(name).state == "running", f"{name} runs")


def test_streams_are_listed_with_state_figures_and_settings(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon()
    running(daemon)
    streams, one, models, ready = asked(
        client_of(daemon),
        ("GET", "/v1/streams", None),
        ("GET", "/v1/streams/s0", None),
        ("GET", "/v1/models", None),
        ("GET", "/readyz", None),
    )
    assert [s["id"] for s in streams.json()["streams"]] == ["s0"]
    shown = one.json()
    assert (shown["state"], shown["size"], shown["people"]) == ("running", [320, 240], 1)
    assert {"capture", "detect", "pose"} <= shown["stages_ms"].keys()
    assert shown["settings"]["detector"]["interval"] == 5
    assert {m["task"] for m in models.json()["models"]} == {"detection", "pose"}
    assert (ready.status_code, ready.json()) == (200, {"ready": True})


def test_the_newest_frame_is_there_as_poses_and_as_a_picture(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon()
    running(daemon)
    latest, raw, drawn, plain = asked(
        client_of(daemon),
        ("GET", "/v1/streams/s0/latest", None),
        ("GET", "/v1/streams/s0/latest?raw=true", None),
        ("GET", "/v1/streams/s0/snapshot.jpg?width=100", None),
        ("GET", "/v1/streams/s0/snapshot.jpg?draw=false", None),
    )
    assert latest.json()["schema"] == "posetrack.live/1"
    assert "raw" not in latest.json()["people"][0]
    assert len(raw.json()["people"][0]["raw"]) == 17
    assert drawn.headers["content-type"] == "image/jpeg"
    assert drawn.content[:2] == plain.content[:2] == b"\xff\xd8"
    assert len(drawn.content) < len(plain.content)


def test_a_change_acts_without_opening_the_stream_anew(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon()
    running(daemon)
    stream = daemon.supervisor.get("s0")
    patch = {
        "detector": {"interval": 1, "threshold": 0.8},
        "tracker": {"min_cutoff_hz": 0.5, "max_boxes": 3},
        "drawing": {"layers": ["limbs"]},
        "source": {"region": "0,0,1,1"},
    }
    (changed,) = asked(client_of(daemon), ("PATCH", "/v1/streams/s0", patch))
    assert changed.json()["restarted"] is False
    perception = stream._perception
    assert perception is not None
    wait_until(lambda: perception.region is not None, "all of it is taken")
    assert perception.schedule.interval == 1
    assert perception.tracker.settings.min_cutoff_hz == 0.5
    assert perception.tracker.settings.max_boxes == 3
    assert perception.detector.threshold == 0.8
    passed = stream.figures.frames + 3  # of which some were under way before the change
    wait_until(lambda: stream.figures.frames >= passed, "they are gone")
    before = stream.figures.shown()
    wait_until(lambda: stream.figures.frames >= before["frames"] + 20, "20 frames more")
    after = stream.figures.shown()
    assert after["detector_runs"] - before["detector_runs"] == after["frames"] - before["frames"]
    assert stream._perception is perception


def test_a_higher_threshold_acts_on_the_next_detection(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon()
    running(daemon)
    stream = daemon.supervisor.get("s0")
    patch = {"detector": {"threshold": 0.95}, "tracker": {"max_undetected_s": 0.2}}
    asked(client_of(daemon), ("PATCH", "/v1/streams/s0", patch))
    wait_until(lambda: stream.figures.people == 0, "nobody is certain enough")


def test_another_address_opens_the_stream_anew_and_ids_go_on(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon()
    running(daemon)
    root = Path(daemon.config.media.root)
    shutil.copy(root / "clip.mp4", root / "other.mp4")
    stream = daemon.supervisor.get("s0")
    first = stream.latest.message.data
    (changed,) = asked(client_of(daemon), ("PATCH", "/v1/streams/s0", {"url": "other.mp4"}))
    assert changed.json()["restarted"] is True
    wait_until(lambda: stream.figures.reconnects == 1, "it is opened again")
    wait_until(lambda: stream.latest.result.frame.source == "other.mp4", "frames of the other")
    last = stream.latest.message.data
    assert last["frame"] > first["frame"]
    assert last["pts_ns"] > first["pts_ns"]
    assert last["people"][0]["id"] > first["people"][0]["id"]


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ({"detector": {"intervall": 1}}, "unknown key 'detector.intervall': did you mean"),
        ({"detector": {"interval": 0}}, "detector.interval: input should be greater"),
        ({"tracker": {"max_boxes": 0}}, "tracker: max_boxes is 0: give a whole number"),
        ({"tracker": {"keypoint_sigmas": [0.1]}}, "keypoint_sigmas has 1 values but coco 17"),
        ({"source": {"region": "9,9,8,8,7"}}, "region '9,9,8,8,7': give a rectangle"),
        ({"source": {"region": "900,900,950,950"}}, "the region lies outside the picture"),
        ({"source": {"mask": "/etc/passwd"}}, "it is for the file only"),
        ({"pose": {"model": "https://elsewhere/x.onnx"}}, "is not loaded"),
        ({"drawing": {"skeleton": "/etc/passwd"}}, "is not known here"),
        ({"tracker": {"history": 1_000_000}}, "it is for the file only"),
        ({"url": "{env:HOME}"}, "is for the file only"),
        ({"id": "other"}, "the id of a stream cannot change"),
        ([1], "an object of settings was expected"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    make_daemon: Make, client_of: Client, patch: Any, reason: str
) -> None:
    daemon = make_daemon()
    running(daemon)
    stream = daemon.supervisor.get("s0")
    before = stream.settings
    (refused,) = asked(client_of(daemon), ("PATCH", "/v1/streams/s0", patch))
    assert refused.status_code in (403, 409, 422)
    assert reason in refused.json()["error"]
    assert stream.settings == before
    assert stream.state == "running"


def test_streams_come_and_go(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon(0, limits={"streams": 1})
    added, twice, many, gone, missing = asked(
        client_of(daemon),
        ("POST", "/v1/streams", {"id": "a", "url": "clip.mp4"}),
        ("POST", "/v1/streams", {"id": "a", "url": "clip.mp4"}),
        ("POST", "/v1/streams", {"id": "b", "url": "clip.mp4"}),
        ("DELETE", "/v1/streams/a", None),
        ("GET", "/v1/streams/a", None),
    )
    assert (added.status_code, added.headers["location"]) == (201, "/v1/streams/a")
    assert "there is a stream 'a' already" in twice.json()["error"]
    assert (many.status_code, "which is the limit" in many.json()["error"]) == (409, True)
    assert gone.status_code == 204
    assert (missing.status_code, missing.json()["error"][:19]) == (404, "there is no stream ")


def test_a_whole_number_may_be_written_with_a_point(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon()
    taken, refused = asked(
        client_of(daemon),
        ("PATCH", "/v1/streams/s0", b'{"preview": {"width": 320.0, "fps": 5.5}}'),
        ("PATCH", "/v1/streams/s0", b'{"preview": {"width": 320.5}}'),
    )
    preview = taken.json()["stream"]["settings"]["preview"]
    assert (preview["width"], preview["fps"]) == (320, 5.5)
    assert refused.status_code == 422


def test_the_api_may_be_kept_from_streams(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon(security={"api_streams": False})
    added, gone = asked(
        client_of(daemon),
        ("POST", "/v1/streams", {"id": "a", "url": "clip.mp4"}),
        ("DELETE", "/v1/streams/s0", None),
    )
    assert (added.status_code, gone.status_code) == (403, 409)
    assert len(daemon.supervisor.all()) == 1


def test_without_the_token_nothing_is_told(
    make_daemon: Make, client_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSETRACK_TOKEN", TOKEN)
    daemon = make_daemon(0)
    description = client_of(daemon, authorization=f"Bearer {TOKEN}")
    (found,) = asked(description, ("GET", "/openapi.json", None))
    calls = [
        (method.upper(), path.replace("{stream}", "s0").replace("{name}", "x"), None)
        for path, operations in found.json()["paths"].items()
        for method in operations
        if path not in ("/healthz", "/readyz", "/v1/session")
    ]
    assert len(calls) > 15
    calls += [("GET", "/openapi.json", None), ("GET", "/nothing", None)]
    for answer in asked(client_of(daemon), *calls):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    health, ready, page = asked(
        client_of(daemon), ("GET", "/healthz", None), ("GET", "/readyz", None), ("GET", "/", None)
    )
    assert (health.status_code, ready.status_code, page.status_code) == (200, 200, 200)


def test_wrong_tokens_are_soon_answered_no_more(
    make_daemon: Make, client_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSETRACK_TOKEN", TOKEN)
    monkeypatch.setattr(security, "_GUESSES_PER_S", 0.001)  # none comes back meanwhile
    daemon = make_daemon(0)
    guesses = [("GET", "/v1/streams", None)] * 12
    found = asked(client_of(daemon, authorization="Bearer wrong"), *guesses)
    assert [answer.status_code for answer in found] == [401] * 10 + [429] * 2
    assert asked(client_of(daemon), guesses[0])[0].status_code == 401, "that is no guess"
    tries = [("POST", "/v1/session", {"token": "wrong"})] * 12
    found = asked(client_of(daemon), *tries)
    assert [answer.status_code for answer in found] == [401] * 10 + [429] * 2


def test_a_cookie_of_a_stranger_costs_no_time(
    make_daemon: Make, client_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSETRACK_TOKEN", TOKEN)
    daemon = make_daemon(0)
    client = client_of(daemon, cookie='a="' + "\\" * 31_000 + '"; posetrack_session=x')
    paths = ["/v1/streams", "/healthz", "/", "/metrics"]
    begin = time.process_time()
    answers = asked(client, *(("GET", path, None) for path in 4 * paths))
    assert [a.status_code for a in answers] == 4 * [401, 200, 200, 401]
    assert time.process_time() - begin < 5, "one of these headers took two seconds to read"


def test_a_browser_gets_a_cookie_for_the_token(
    make_daemon: Make, client_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSETRACK_TOKEN", TOKEN)
    daemon = make_daemon(0)
    begun, inside, ended, outside = asked(
        client_of(daemon),
        ("POST", "/v1/session", {"token": TOKEN}),
        ("GET", "/v1/streams", None),
        ("DELETE", "/v1/session", None),
        ("GET", "/v1/streams", None),
    )
    cookie = begun.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    statuses = [a.status_code for a in (begun, inside, ended, outside)]
    assert statuses == [204, 200, 204, 401]


def test_pages_of_other_sites_and_other_names_are_refused(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon(0)
    (crossed,) = asked(client_of(daemon, origin="http://evil.org"), ("GET", "/v1/streams", None))
    (rebound,) = asked(client_of(daemon, host="evil.org:8791"), ("GET", "/v1/streams", None))
    (own,) = asked(client_of(daemon, origin="http://localhost:8791"), ("GET", "/v1/models", None))
    assert [a.status_code for a in (crossed, rebound, own)] == [403, 421, 200]
    assert "access-control-allow-origin" not in own.headers
    assert own.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b"[" * 10_000, 422),
        (b'{"id":"a","url":NaN}', 422),
        (b'{"id":"a"}', 422),
        (b"", 422),
        (b"x" * 70_000, 413),
    ],
)
def test_a_body_that_is_none_is_refused(
    make_daemon: Make, client_of: Client, body: bytes, status: int
) -> None:
    daemon = make_daemon(0)
    (answer,) = asked(client_of(daemon), ("POST", "/v1/streams", body))
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_body_that_grows_beyond_its_limit_is_cut_off(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon(0)

    async def pieces() -> Any:
        for _ in range(100):
            yield b" " * 1000

    async def ask() -> httpx.Response:
        async with client_of(daemon) as client:
            return await client.post("/v1/streams", content=pieces())

    assert asyncio.run(ask()).status_code == 413


def test_too_many_requests_are_told_to_wait(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon(0, limits={"requests_per_s": 0.01, "burst": 5})
    found = asked(client_of(daemon), *[("GET", "/v1/streams", None)] * 7)
    assert [answer.status_code for answer in found] == [200] * 5 + [429] * 2
    assert found[-1].headers["retry-after"] == "1"


def test_a_recording_is_made_listed_fetched_and_deleted(
    make_daemon: Make, client_of: Client
) -> None:
    daemon = make_daemon()
    running(daemon)
    place = "/v1/streams/s0/recordings"
    begun, twice = asked(client_of(daemon), ("POST", place, {"drawn": True}), ("POST", place, {}))
    assert begun.status_code == 201
    assert "is being recorded" in twice.json()["error"]
    recorder = daemon.recordings.newest("s0")
    wait_until(lambda: recorder.frames >= 10, "10 frames")
    stopped, listed = asked(
        client_of(daemon), ("POST", f"{place}/stop", None), ("GET", place, None)
    )
    assert stopped.json()["ended"] == "stopped"
    names = {file["name"] for file in listed.json()["files"]}
    assert names == set(begun.json()["files"])
    video, lines = sorted(names, key=lambda name: name.endswith(".jsonl"))
    film, table, gone, missing = asked(
        client_of(daemon),
        ("GET", f"{place}/{video}", None),
        ("GET", f"{place}/{lines}", None),
        ("DELETE", f"{place}/{video}", None),
        ("GET", f"{place}/{video}", None),
    )
    assert film.content[4:8] == b"ftyp"
    assert f'filename="s0-{video}"' in film.headers["content-disposition"]
    assert len(table.text.splitlines()) == stopped.json()["frames"] + 1
    assert json.loads(table.text.splitlines()[0])["schema"] == "posetrack/1"
    assert (gone.status_code, missing.status_code) == (204, 404)


@pytest.mark.parametrize(
    "name",
    [
        "..%2fserve.yaml",
        "..%5c..%5cserve.yaml",
        "%2e%2e%2f%2e%2e%2fserve.yaml",
        "clip.mp4",
        "%00",
        "20260101T000000Z.mp4",
    ],
)
def test_a_download_never_leaves_its_folder(
    make_daemon: Make, client_of: Client, name: str
) -> None:
    daemon = make_daemon()
    folder = Path(daemon.config.media.root) / "recordings" / "s0"
    folder.mkdir(parents=True)
    (folder / "20260101T000000Z.mp4").symlink_to(folder.parent.parent / "clip.mp4")
    (answer,) = asked(client_of(daemon), ("GET", f"/v1/streams/s0/recordings/{name}", None))
    assert answer.status_code in (404, 422)
    assert "posetrack" not in answer.text or "there is no recording" in answer.text


def test_recordings_end_at_their_quota_and_their_time(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon(media={"recording_s": 1.5, "quota_mb": 1})
    running(daemon)
    place = "/v1/streams/s0/recordings"
    asked(client_of(daemon), ("POST", place, {"video": False}))
    wait_until(lambda: daemon.recordings.newest("s0").ended, "it ends by itself")
    assert daemon.recordings.newest("s0").ended == "the time is over"
    folder = Path(daemon.config.media.root) / "recordings" / "s0"
    (folder / "20260101T000000Z.mp4").write_bytes(b"0" * 1_000_000)
    (full,) = asked(client_of(daemon), ("POST", place, {}))
    assert (full.status_code, "delete some of them" in full.json()["error"]) == (507, True)


def test_without_a_media_root_there_are_no_recordings(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon(media={"root": None})
    (answer,) = asked(client_of(daemon), ("POST", "/v1/streams/s0/recordings", {}))
    assert (answer.status_code, "set media.root" in answer.json()["error"]) == (409, True)


def test_a_password_appears_in_no_answer_log_or_figure(
    make_daemon: Make, client_of: Client, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CAM_PW", "tiger-in-the-env")
    caplog.set_level(logging.DEBUG)
    secret = "viewer:tiger"
    daemon = make_daemon(
        streams=[
            {"id": "door", "url": "rtsp://viewer:{env:CAM_PW}@127.0.0.1:9/1"},
            {"id": "gate", "url": f"rtsp://{secret}@127.0.0.1:9/1?token=tiger"},
        ],
        security={"loopback_sources": True},
    )
    wait_until(lambda: all(s.error for s in daemon.supervisor.all()), "both fail")
    answers = asked(
        client_of(daemon),
        ("GET", "/v1/streams", None),
        ("GET", "/metrics", None),
        ("POST", "/v1/streams", {"id": "x", "url": f"gopher://{secret}@h/"}),
        ("PATCH", "/v1/streams/door", {"url": f"rtsp://{secret}@127.0.0.1:9/2"}),
    )
    said = "".join(answer.text for answer in answers) + caplog.text
    assert "tiger" not in said
    assert answers[0].json()["streams"][0]["error"]


def test_the_figures_have_their_names(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon()
    running(daemon)
    (answer,) = asked(client_of(daemon), ("GET", "/metrics", None))
    for name in (
        'posetrack_frames_total{stream="s0"}',
        'posetrack_frames_dropped_total{reason="late",stream="s0"}',
        'posetrack_stage_seconds_bucket{le="0.001",stage="pose",stream="s0"}',
        'posetrack_latency_seconds_count{stream="s0"}',
        'posetrack_people_gauge{stream="s0"} 1.0',
        'posetrack_tracks_total{stream="s0"} 1.0',
        'posetrack_reconnects_total{stream="s0"} 0.0',
        "posetrack_queue_depth",
        'posetrack_backend_info{ep="onnxruntime",precision="fp32"} 1.0',
        'posetrack_stream_state{state="running",stream="s0"} 1.0',
    ):
        assert name in answer.text
    daemon.supervisor.remove("s0")
    (after,) = asked(client_of(daemon), ("GET", "/metrics", None))
    assert 'stream="s0"' not in after.text


def test_the_description_has_every_setting(make_daemon: Make, client_of: Client) -> None:
    (answer,) = asked(client_of(make_daemon(0)), ("GET", "/openapi.json", None))
    assert "security" not in answer.json(), "this daemon needs no token"
    parts = answer.json()["components"]["schemas"]
    tracker = parts["StreamSettings"]["properties"]["tracker"]["properties"]
    assert tracker["min_cutoff_hz"]["exclusiveMinimum"] == 0
    assert "calmer" in tracker["min_cutoff_hz"]["description"]
    assert parts["StreamPatch"]["additionalProperties"] is False
    for operations in answer.json()["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert "description" in operation


def test_a_stream_can_be_switched_off_and_on(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon()
    running(daemon)
    stream = daemon.supervisor.get("s0")
    asked(client_of(daemon), ("PATCH", "/v1/streams/s0", {"enabled": False}))
    wait_until(lambda: stream.state == "stopped", "it stops")
    (ready,) = asked(client_of(daemon), ("GET", "/readyz", None))
    assert ready.status_code == 200
    asked(client_of(daemon), ("PATCH", "/v1/streams/s0", {"enabled": True}))
    running(daemon)


def test_a_file_that_is_over_stops_its_stream(make_daemon: Make, client_of: Client) -> None:
    daemon = make_daemon()
    asked(client_of(daemon), ("PATCH", "/v1/streams/s0", {"loop": False}))
    stream = daemon.supervisor.get("s0")
    wait_until(lambda: stream.state == "stopped", "it is over")
    assert stream.figures.frames + stream.figures.dropped >= 50
    assert stream.error is None
