from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import pytest

from posetrack.errors import ConfigError
from posetrack.serve import logs
from posetrack.serve.gate import network_of
from posetrack.serve.security import Doors, Guard, Rate, read_token
from posetrack.serve.settings import ListenSettings, SecuritySettings, ServeConfig

LONG = "0123456789abcdef"


def config(host: str = "127.0.0.1", **security: object) -> ServeConfig:
    return ServeConfig(
        listen=ListenSettings(host=host), security=SecuritySettings.model_validate(security)
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "poses.example.org"])
def test_a_public_address_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="can be reached by others and there is no token"):
        read_token(config(host), {})
    assert read_token(config(host), {"POSETRACK_TOKEN": LONG}) == LONG
    assert read_token(config(host, insecure_no_auth=True), {}) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_needs_none(host: str) -> None:
    assert read_token(config(host), {}) is None


def test_a_token_comes_from_a_file_and_must_be_long(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{LONG}\n")
    assert read_token(config(token_file=str(file)), {}) == LONG
    assert read_token(config(), {"POSETRACK_TOKEN_FILE": str(file)}) == LONG
    file.write_text("short")
    with pytest.raises(ConfigError, match="16 ASCII characters"):
        read_token(config(token_file=str(file)), {})
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(config(token_file=str(tmp_path / "none")), {})


def test_the_guard_knows_the_token_and_its_sessions() -> None:
    guard = Guard(LONG)
    assert guard.knows(f"Bearer {LONG}", None)
    assert guard.knows(f"bearer  {LONG} ", None)
    for wrong in (None, "", LONG, "Bearer", f"Bearer {LONG}x", "Bearer é", f"Basic {LONG}"):
        assert not guard.knows(wrong, None)
    session = guard.begin_session()
    assert guard.knows(None, session)
    assert not guard.knows(None, session + "x")
    guard.end_session(session)
    assert not guard.knows(None, session)
    assert Guard(None).knows(None, None)


def test_doors_know_their_hosts_and_origins() -> None:
    doors = Doors.of(ListenSettings(hosts=("Poses.example.org",), origins=("https://wall.org",)))
    for host in ("localhost:8791", "127.0.0.1:8791", "[::1]:8791", "poses.example.org"):
        assert doors.is_host(host)
    for host in ("evil.org", "127.0.0.1.evil.org", "", "[::1"):
        assert not doors.is_host(host)
    assert doors.is_origin("http://localhost:8791", "localhost:8791")
    assert doors.is_origin("https://wall.org", "localhost:8791")
    for origin in ("http://evil.org", "null", "http://localhost:1", "https://wall.org.evil.org"):
        assert not doors.is_origin(origin, "localhost:8791")


def test_without_a_token_no_page_can_make_a_name_point_here() -> None:
    listen = ListenSettings(host="0.0.0.0")
    assert Doors.of(listen).is_host("any.name:8791"), "the token protects it"
    doors = Doors.of(listen, has_token=False)
    for host in ("192.168.1.9:8791", "[fd00::1]:8791", "localhost", socket.gethostname()):
        assert doors.is_host(host)
    for host in ("rebound.evil.org:8791", "192.168.1.9.evil.org", ""):
        assert not doors.is_host(host)


def test_a_line_of_the_log_stays_one_line() -> None:
    said = "GET /\nfake\r\x1b[2J\u2028\ud800\x85"
    record = logging.LogRecord("posetrack.serve", logging.INFO, "", 0, "%s", (said,), None)
    for formatter in (logs._Line(), logs._Json()):
        line = formatter.format(record)
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        assert "fake" in line
    assert json.loads(logs._Json().format(record))["message"].startswith("GET /\nfake")


def test_clients_of_ipv6_are_told_apart_by_their_network() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("") == "unknown"


def test_an_address_may_ask_so_often() -> None:
    rate = Rate(per_s=0.001, burst=3)
    assert [rate.allows("a") for _ in range(5)] == [True, True, True, False, False]
    assert rate.allows("b")
    assert rate.is_empty("a")
    for number in range(10_000):
        rate.allows(str(number))
    assert len(rate._buckets) == 4096
