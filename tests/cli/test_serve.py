from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = "streams:\n- {id: door, url: 'rtsp://camera/1'}\nlisten: {port: 9}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "serve.yaml"
    made.write_text(GOOD)
    return made


def test_check_only_reads_the_file(command: Callable, file: Path) -> None:
    done = command("serve", file, "--check")
    assert (done.status, done.out.strip()) == (0, f"{file}: 1 streams, 0 sinks")


def test_print_config_shows_every_setting_as_it_is_used(
    command: Callable, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSETRACK_LIMITS_CLIENTS", "3")
    done = command("serve", file, "--port", "77", "--print-config")
    assert "port: 77" in done.out
    assert "clients: 3" in done.out
    again = file.with_name("again.yaml")
    again.write_text(done.out)
    assert command("serve", again, "--print-config").out == done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "--port: listen.port: "),
        (["--host", "0.0.0.0"], "listen.host 0.0.0.0 can be reached by others"),
        (["--token-file", "none"], "token file none cannot be read"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: Callable, file: Path, arguments: list[str], message: str
) -> None:
    done = command("serve", file, *arguments)
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_missing_package_says_what_to_install(
    command: Callable, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name)
    )
    done = command("serve", file)
    assert done.status == 2
    assert "needs uvicorn: pip install posetrack[serve]" in done.err
