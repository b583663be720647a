from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posetrack.errors import ConfigError
from posetrack.serve.addresses import AddressRules
from posetrack.serve.redaction import redacted

SCHEMES = ("rtsp", "rtsps", "http", "https", "file")
NAMES = {
    "camera": ["192.168.1.20"],
    "metadata": ["169.254.169.254"],
    "both": ["192.168.1.20", "169.254.1.1"],
    "six": ["fe80::1"],
    "mapped": ["::ffff:169.254.169.254"],
    "nat": ["64:ff9b::a9fe:a9fe"],
    "local": ["127.0.0.1"],
    "nowhere": ["0.0.0.0"],
    "crowd": ["239.1.1.1"],
}


def look_up(host: str, port: int) -> list[str]:
    if host[:1].isdigit() or ":" in host:
        return [host]
    if host not in NAMES:
        raise OSError("unknown")
    return NAMES[host]


def rules(root: Path | None = None, *, loopback: bool = False) -> AddressRules:
    return AddressRules(SCHEMES, root, loopback, look_up)


def test_the_address_of_a_camera_comes_back_with_the_number_that_was_checked() -> None:
    assert rules().check("rtsp://u:p@camera/1") == "rtsp://u:p@192.168.1.20:554/1"
    assert rules().check("http://camera:8080/x.m3u8") == "http://camera:8080/x.m3u8"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("gopher://camera/", "scheme 'gopher' is not allowed"),
        ("concat://camera/", "scheme 'concat' is not allowed"),
        ("ffrtmphttp://camera/", "not allowed"),
        ("http://metadata/latest", "metadata addresses"),
        ("http://169.254.169.254/", "metadata addresses"),
        ("http://both/", "link-local addresses"),
        ("http://six/", "link-local addresses"),
        ("http://[fe80::1]/", "link-local addresses"),
        ("http://mapped/", "metadata addresses"),
        ("http://nat/", "metadata addresses"),
        ("rtsp://local/", "loopback addresses"),
        ("http://nowhere/", "unspecified"),
        ("http://crowd/", "multicast"),
        ("http://unknown/", "host is not found"),
        ("http://:80/", "names no host"),
        ("http://camera:99999/", "is no address"),
        ("http://camera/x -i /etc/passwd", "no blanks"),
        ("http://camera/a|b", "no blanks"),
        ("http://127.0.0.1:80[2001:db8::1]/", "write user:password@host:port"),
        ("rtsp://u:p@127.0.0.1:80[2001:db8::1]/", "write user:password@host:port"),
        ("http://１２７.0.0.1/", "write user:password@host:port"),
        ("http://[fe80::1%25lo]/", "write user:password@host:port"),
        ("http://%31%32%37.0.0.1/", "write user:password@host:port"),
        ("http://192.168.1.20@127.0.0.1/", "loopback"),
        ("http://127.0.0.1#@192.168.1.20/", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "loopback"),
        ("http://[::127.0.0.1]/", "reserved"),
        ("http://[64:ff9b:1::7f00:1]/", "reserved"),
        ("http://[2002:7f00:1::]/", "loopback"),
        ("http://[fd00:ec2::23]/", "metadata"),
        ("http://192.0.0.192/", "metadata"),
        ("http://0.1.2.3/", "reserved"),
        ("http://255.255.255.255/", "reserved"),
        ("file:///etc/passwd", "media root"),
        ("0", "media root"),
        ("/dev/video0", "media root"),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        rules().check(url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1"])
def test_other_spellings_of_a_number_are_looked_up_as_the_system_does(host: str) -> None:
    with pytest.raises(ConfigError, match="loopback addresses"):
        AddressRules(SCHEMES).check(f"http://{host}/")


def test_this_machine_by_another_of_its_addresses_is_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        own = probe.getsockname()[0]
    with pytest.raises(ConfigError, match="this machine's own addresses"):
        rules().check(f"http://{own}/")
    assert rules(loopback=True).check(f"http://{own}/")


def test_this_machine_is_allowed_where_it_is_said() -> None:
    assert rules(loopback=True).check("http://local:80/") == "http://local:80/"
    with pytest.raises(ConfigError, match="metadata"):
        rules(loopback=True).check("http://metadata/")


def test_files_must_lie_in_the_media_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "media", tmp_path / "secret.mp4"
    root.mkdir()
    (root / "in.mp4").touch()
    outside.touch()
    (root / "link.mp4").symlink_to(outside)
    assert rules(root).check("in.mp4") == str(root / "in.mp4")
    assert rules(root).check(f"file://{root}/in.mp4") == str(root / "in.mp4")
    for url in ("../secret.mp4", str(outside), "link.mp4", "file://%2e%2e/secret.mp4"):
        with pytest.raises(ConfigError, match="outside the media root"):
            rules(root).check(url)


@given(st.text(max_size=80) | st.from_regex(r"[a-z]{1,6}://[^ ]{0,40}"))
def test_no_text_gets_past_the_rules(text: str) -> None:
    try:
        allowed = rules().check(text)
    except ConfigError:
        return
    assert allowed.partition("://")[0].lower() in SCHEMES


@given(
    st.text("abcXYZ019-_.~!$*+,;=%", min_size=8, max_size=20),
    st.sampled_from(
        [
            "rtsp://user:{}@camera/1",
            "cannot open 'http://{}@camera/x': refused",
            "http://camera/x?token={}&a=1",
            "http://camera/x?user=a&password={}",
            "Authorization: Bearer {}",
        ]
    ),
)
def test_a_password_never_comes_through(secret: str, sentence: str) -> None:
    if ";" in secret and "?" in sentence:
        secret = secret.replace(";", "")
    assert sentence.format("Q" + secret.replace(",", "")) != redacted(
        sentence.format("Q" + secret.replace(",", ""))
    )
    assert "Qsecret0" not in redacted(sentence.format("Qsecret0"))
