"""Whatever is sent, there is an answer: no request fails inside, none gets past the rules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posetrack.errors import ConfigError
from posetrack.serve.daemon import Daemon
from posetrack.serve.security import Doors, Guard
from posetrack.serve.settings import ListenSettings, load_serve_config, parse_stream
from posetrack.tracking.settings import TrackerSettings

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
sections = st.sampled_from(
    ["source", "live", "detector", "pose", "reid", "tracker", "drawing", "preview", "watch"]
)
names = st.sampled_from(
    [
        *("url", "id", "loop", "enabled", "interval", "threshold", "model", "region", "layers"),
        *("preset", "width", "fps", *TrackerSettings.__dataclass_fields__),
    ]
)
patches = st.dictionaries(sections | names, plain | st.dictionaries(names, plain), max_size=4)
headers = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
QUIET = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(patches | plain)
def test_settings_are_taken_or_refused(data: Any) -> None:
    try:
        parse_stream(data)
    except (ValidationError, ConfigError):
        return


@given(patches)
def test_a_changed_stream_is_a_stream(patch: dict[str, Any]) -> None:
    before = parse_stream({"id": "a", "url": "x"})
    try:
        after = before.changed(patch)
    except (ValidationError, ConfigError):
        return
    assert parse_stream(after.model_dump(mode="json")) == after


@given(text=st.text(max_size=200))
@QUIET
def test_any_file_is_a_configuration_or_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(text, "utf-8", "surrogatepass")
    try:
        load_serve_config(file)
    except ConfigError:
        return


@given(headers, headers)
def test_no_header_is_the_token_and_no_name_is_ours(one: str, two: str) -> None:
    guard = Guard("the-token-is-this-one")
    assert not guard.knows(one, two)
    doors = Doors.of(ListenSettings())
    if doors.is_host(one):
        assert any(name in one.lower() for name in ("localhost", "127.0.0.1", "::1"))
    if doors.is_origin(one, "localhost:8791"):
        assert "localhost:8791" in one.lower()


@pytest.mark.timeout(120)
def test_no_request_fails_inside(
    make_daemon: Callable[..., Daemon], client_of: Callable[..., httpx.AsyncClient]
) -> None:
    daemon = make_daemon(1, limits={"streams": 3})
    loop = asyncio.new_event_loop()
    client = client_of(daemon)
    paths = st.sampled_from(
        [
            *("/v1/streams", "/v1/streams/s0", "/v1/streams/s0/recordings", "/v1/session"),
            *("/v1/streams/s0/latest", "/v1/streams/s0/snapshot.jpg", "/metrics", "/openapi.json"),
            *("/v1/streams/s0/recordings/stop", "/v1/models", "/page/index.html"),
        ]
    ) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30).map(
        lambda text: "/" + text.replace("#", "")
    )
    methods = st.sampled_from(["GET", "POST", "PATCH", "PUT", "OPTIONS", "HEAD"])
    bodies = st.binary(max_size=60) | (patches | plain).map(lambda data: json.dumps(data).encode())

    @given(methods, paths, bodies, st.dictionaries(names, headers, max_size=2))
    @QUIET
    def ask(method: str, path: str, body: bytes, query: dict[str, str]) -> None:
        if path.endswith(("/poses", "/events", ".mjpg")):
            return  # they do not end
        try:
            request = client.build_request(method, path, content=body, params=query)
        except httpx.InvalidURL:
            return
        answer = loop.run_until_complete(client.send(request))
        assert answer.status_code < 500 or answer.status_code in (503, 507)
        if answer.status_code >= 400 and method != "HEAD":
            assert set(answer.json()) == {"error"}

    try:
        ask()
        assert [stream.id for stream in daemon.supervisor.all()] == ["s0"]
    finally:
        loop.run_until_complete(client.aclose())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
