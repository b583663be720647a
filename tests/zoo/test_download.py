"""Downloads from a server that is good, cut, corrupt, slow, rude or not there."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from file_server import Files, serving

from posetrack.errors import DownloadError
from posetrack.zoo.download import Address, fetch, record_path, redact

BODY = bytes(range(256)) * 500
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m.onnx"


def _left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def test_a_good_file_is_verified_placed_and_recorded(target: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    with serving(Files({"/m.onnx": BODY})) as base:
        fetch(Address(f"{base}/m.onnx", SHA), target, progress=lambda *now: seen.append(now))
    assert target.read_bytes() == BODY
    assert record_path(target).read_text() == f"{SHA}  m.onnx\n"
    assert _left(target) == ["m.onnx", "m.onnx.sha256"]
    assert seen[-1] == ("m.onnx", len(BODY), len(BODY))


def test_eight_digits_are_enough_to_verify(target: Path) -> None:
    with serving(Files({"/m.onnx": BODY})) as base:
        fetch(Address(f"{base}/m.onnx", SHA[:8]), target)
    assert target.is_file()


def test_a_cut_answer_is_resumed_where_it_broke(target: Path) -> None:
    files = Files({"/m.onnx": BODY}, cut_first={"/m.onnx": 50_000})
    with serving(files) as base:
        fetch(Address(f"{base}/m.onnx", SHA), target)
    assert target.read_bytes() == BODY
    assert files.requests == [("/m.onnx", ""), ("/m.onnx", "bytes=50000-")]


def test_a_server_without_ranges_sends_the_whole_again(target: Path) -> None:
    files = Files({"/m.onnx": BODY}, cut_first={"/m.onnx": 50_000}, ranges=False)
    with serving(files) as base:
        fetch(Address(f"{base}/m.onnx", SHA), target)
    assert target.read_bytes() == BODY


def test_a_file_that_cannot_be_verified_is_never_resumed(target: Path) -> None:
    files = Files({"/m.onnx": BODY})
    target.parent.mkdir()
    target.with_name("m.onnx.part").write_bytes(b"half of something else")
    with serving(files) as base:
        fetch(Address(f"{base}/m.onnx"), target, allow_unverified=True)
    assert files.requests == [("/m.onnx", "")]
    assert target.read_bytes() == BODY


def test_half_a_file_of_an_earlier_try_is_used(target: Path) -> None:
    target.parent.mkdir()
    target.with_name("m.onnx.part").write_bytes(BODY[:1000])
    files = Files({"/m.onnx": BODY})
    with serving(files) as base:
        fetch(Address(f"{base}/m.onnx", SHA), target)
    assert files.requests == [("/m.onnx", "bytes=1000-")]
    assert target.read_bytes() == BODY


def test_too_much_of_an_earlier_try_begins_again(target: Path) -> None:
    target.parent.mkdir()
    target.with_name("m.onnx.part").write_bytes(BODY + b"more")
    with serving(Files({"/m.onnx": BODY})) as base:
        fetch(Address(f"{base}/m.onnx", SHA), target)
    assert target.read_bytes() == BODY


def test_a_corrupt_file_is_refused_and_nothing_is_kept(target: Path) -> None:
    with (
        serving(Files({"/m.onnx": BODY[:-1] + b"!"})) as base,
        pytest.raises(DownloadError, match=r"does not match its digest .* nothing was kept"),
    ):
        fetch(Address(f"{base}/m.onnx", SHA), target)
    assert _left(target) == []


def test_a_server_that_stalls_is_given_up_in_time(target: Path) -> None:
    with (
        serving(Files({"/m.onnx": BODY}, stall={"/m.onnx"})) as base,
        pytest.raises(DownloadError, match=r"the connection broke .*timed out"),
    ):
        fetch(Address(f"{base}/m.onnx", SHA), target, timeout_s=1, attempts=2)


def test_a_busy_server_is_asked_again(target: Path) -> None:
    files = Files({"/m.onnx": BODY}, refuse_first={"/m.onnx": 503})
    with serving(files) as base:
        fetch(Address(f"{base}/m.onnx", SHA), target)
    assert len(files.requests) == 2


def test_a_refusal_is_final(target: Path) -> None:
    files = Files({})
    with serving(files) as base, pytest.raises(DownloadError, match="the server answers 404"):
        fetch(Address(f"{base}/m.onnx", SHA), target)
    assert len(files.requests) == 1


def test_no_network_is_one_line_that_says_what_is_missing(target: Path) -> None:
    with serving(Files({})) as base:
        pass  # the server is gone now
    with pytest.raises(DownloadError) as caught:
        fetch(Address(f"{base}/m.onnx", SHA, 12_000_000), target, timeout_s=1)
    message = str(caught.value)
    assert message.startswith(f"{base}/m.onnx (12 MB) could not be fetched: no connection")
    assert message.endswith(f"with no network, put the file at {target}")
    assert "\n" not in message


def test_a_file_without_digest_is_refused_before_any_connection(target: Path) -> None:
    files = Files({"/m.onnx": BODY})
    with serving(files) as base, pytest.raises(DownloadError, match="has no known SHA-256"):
        fetch(Address(f"{base}/m.onnx"), target)
    assert files.requests == []


def test_a_file_larger_than_it_should_be_is_not_taken(target: Path) -> None:
    with (
        serving(Files({"/m.onnx": BODY})) as base,
        pytest.raises(DownloadError, match="it is larger than 1000 bytes"),
    ):
        fetch(Address(f"{base}/m.onnx", SHA, 1000), target)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder is due")
    with (
        serving(Files({"/m.onnx": BODY})) as base,
        pytest.raises(DownloadError, match=r"models.m\.onnx cannot be written"),
    ):
        fetch(Address(f"{base}/m.onnx", SHA), tmp_path / "models" / "m.onnx")


def test_other_schemes_are_refused(target: Path) -> None:
    with pytest.raises(DownloadError, match=r"use an http\(s\) address"):
        fetch(Address("ftp://host/m.onnx", SHA), target)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("http://h/m.onnx", None),
        (f"http://h/m.onnx#sha256={SHA}", SHA),
        ("http://h/rtmdet_nano-person-05d8511e.pth", "05d8511e"),
        ("http://h/rtmpose-t_420e-256x192-cfc8f33d_20230126.pth?x=1", "cfc8f33d"),
        ("http://h/rtmpose-m_simcc-hand5_256x256-74fb594_20230320.pth", "74fb594"),
        ("http://h/rtmw-dw-l-m_simcc-cocktail14_270e-256x192-20231122.pth", None),
        ("http://h/rtmpose-t_420e-256x192-026a1439_20230504.zip", None),
    ],
)
def test_the_digest_in_an_official_name_counts(text: str, digest: str | None) -> None:
    assert Address.parse(text).digest == digest


def test_secrets_never_reach_a_message(target: Path) -> None:
    assert redact("https://me:secret@host:8/m.onnx?token=abc#x") == "https://host:8/m.onnx"
    with pytest.raises(DownloadError) as caught:
        fetch(Address("https://me:secret@host/m.onnx?token=abc"), target)
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_slow_server_is_waited_for_as_long_as_something_comes(target: Path) -> None:
    files = Files({"/m.onnx": BODY}, slow_s={"/m.onnx": 0.2})  # 13 times
    begin = time.monotonic()
    with serving(files) as base:
        fetch(Address(f"{base}/m.onnx", SHA), target, timeout_s=2)
    assert target.read_bytes() == BODY
    assert time.monotonic() - begin > 2, "the whole took longer than the patience with silence"
    assert len(files.requests) == 1


def test_a_mirror_of_the_card_is_asked_first_and_the_origin_after_it(target: Path) -> None:
    files = Files({"/origin/m.onnx": BODY, "/mirror/m.onnx": b"another file"})
    with serving(files) as base:
        address = Address(f"{base}/origin/m.onnx", SHA, mirrors=(f"{base}/mirror/m.onnx",))
        fetch(address, target)
    assert target.read_bytes() == BODY
    assert [path for path, _ in files.requests] == ["/mirror/m.onnx", "/origin/m.onnx"]


def test_mirrors_of_the_user_hold_the_same_paths(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files({"/here/a/m.onnx": BODY})
    with serving(files) as base:
        monkeypatch.setenv("POSETRACK_MIRRORS", f"{base}/nothing {base}/here/")
        fetch(Address("http://far.invalid/a/m.onnx", SHA), target)
    assert target.read_bytes() == BODY
    assert [path for path, _ in files.requests] == ["/nothing/a/m.onnx", "/here/a/m.onnx"]
