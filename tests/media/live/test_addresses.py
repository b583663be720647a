"""What may name a live source, and what is never shown of it."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posetrack.errors import ConfigError
from posetrack.media.live.addresses import PROTOCOLS, parse_address
from posetrack.media.source import open_source, redact

WORDS = st.text(string.ascii_letters + string.digits + "!$%&'()*+,;=:@/?-._~ ", min_size=1)
SECRETS = st.text(string.ascii_letters + string.digits + "!$&'()*+,;=:@-._~", min_size=8)


@pytest.mark.parametrize(
    ("spec", "medium"),
    [
        ("0", "camera"),
        ("/dev/video2", "camera"),
        ("/dev/v4l/by-id/usb-Cam_1-video-index0", "camera"),
        ("-", "stdin"),
        ("screen", "screen"),
        ("screen:10,20,640,480", "screen"),
        ("rtsp://cam:554/live", "network"),
        ("HTTPS://[::1]/a.m3u8?x=1", "network"),
        ("udp://@:1234", "network"),
        ("srt://host:9?mode=caller&latency=200", "network"),
    ],
)
def test_a_spec_says_what_medium_it_is(spec, medium):
    assert parse_address(spec).medium == medium


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gopher://host/x", "scheme gopher are not allowed"),
        ("subfile,,start,0,end,9,,:/etc/passwd", "no live source"),
        ("concat:a.ts|b.ts", "no live source"),
        ("crypto+http://host/x", "not allowed"),
        ("rtsp:///x", "names no host"),
        ("rtsp://host:port/x", "check host and port"),
        ("http://host/a b", "blanks or control characters"),
        ("http://host/\r\nX-Header: 1", "blanks or control characters"),
        ("udp://239.0.0.1:5000?fifo_size=9", "fifo_size is not allowed"),
        ("tcp://host:1?listen", "listen is not allowed"),
        ("http://host/" + "a" * 3000, "2048 are allowed"),
        ("screen:1,2,0,9", "write screen:x,y,width,height"),
        ("", "no live source"),
        ("/dev/../etc/passwd", "no live source"),
        ("/dev/v4l/by-id/../../../etc/passwd", "no live source"),
    ],
)
def test_anything_else_is_refused_in_one_line(spec, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_address(spec)
    assert "\n" not in str(caught.value)


def test_no_protocol_may_open_local_files():
    for allowed in PROTOCOLS.values():
        words = set(allowed.split(","))
        assert not words & {"file", "pipe", "fd", "concat", "subfile", "cache", "async", "data"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://bob:s3cr3t@cam:554/x", "rtsp://bob:***@cam:554/x"),
        ("rtsp://bob:p@ss:w/rd@cam/x", "rtsp://bob:***@cam/x"),
        ("rtsp://t0ken@cam/x", "rtsp://***@cam/x"),
        ("http://cam/x?user=a&pwd=b&n=1", "http://cam/x?user=a&pwd=***&n=1"),
        ("http://cam/x?access_token=b#c", "http://cam/x?access_token=***#c"),
        ("rtsp://cam/user=a_password=b_channel=1/", "rtsp://cam/user=a_password=***/"),
        ("http://cam:8080/a@b", "http://cam:8080/a@b"),
        ("rtsp://a:b@cam/x and rtsp://c:d@cam/y", "rtsp://a:***@cam/x and rtsp://c:***@cam/y"),
        ("no=1 ApiKey.two=b", "no=1 ApiKey.two=***"),
    ],
)
def test_passwords_are_taken_out_of_addresses(address, shown):
    assert redact(address) == shown


@pytest.mark.timeout(5)
@pytest.mark.parametrize("word", ["pass", "key-", "://a:", "://a@", "://", "a:", "@", "bearer "])
def test_text_that_strangers_chose_is_looked_through_in_no_time(word):
    for text in (word * 12_000, word * 12_000 + "="):
        redact(text)


@given(
    st.text(max_size=80) | st.builds("{}://{}".format, st.sampled_from([*PROTOCOLS, "file"]), WORDS)
)
def test_any_text_is_an_address_or_one_line(text):
    told = told_of(text)
    assert told
    assert all("\n" not in line for line in told)


def told_of(spec: str) -> list[str]:
    """All that may be shown of `spec`: its error, or what its address says."""
    try:
        address = parse_address(spec)
    except ConfigError as error:
        return [str(error)]
    return [address.name, repr(address), address.hide(f"cannot open '{spec}' of bob")]


@given(SECRETS, st.booleans(), st.sampled_from(sorted(PROTOCOLS)), st.booleans())
def test_a_password_is_nowhere_in_what_is_shown(secret, quoted, scheme, in_query):
    written = quote(secret, safe="") if quoted else secret
    spec = f"{scheme}://bob:{written}@host:9/x"
    if in_query and scheme in ("http", "https", "rtsp") and "&" not in written:
        spec = f"{scheme}://host:9/x?password={written}"
    told = told_of(spec)
    assert all(secret not in line and written not in line for line in told)


def test_a_live_source_has_no_start():
    with pytest.raises(ConfigError, match="is live: start and duration apply to files only"):
        open_source("0", start_s=3)
