"""The command line as a whole: lazy, quick, and one line for every error."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import posetrack
from posetrack.cli import main as cli
from posetrack.errors import (
    BackendMissing,
    ConfigError,
    ModelNotFound,
    PosetrackError,
    SinkError,
    SourceNotFound,
    StageError,
)

ROOT = Path(posetrack.__file__).parents[1]
resource = pytest.importorskip("resource")  # POSIX only
HEAVY = ("torch", "onnxruntime", "numpy", "cv2", "av", "scipy", "pydantic", "openvino")


def python(*args: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *args], env=environment, capture_output=True, text=True, check=False
    )


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from posetrack.cli.main import main\n"
        "status = main(['--help'])\n"
        f"found = [name for name in {HEAVY} if name in sys.modules]\n"
        "sys.exit(f'imported {found}' if found else status)"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    for name in cli.COMMANDS:
        assert f" {name} " in done.stdout


def test_help_answers_in_a_moment() -> None:
    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert python("-m", "posetrack", "--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time: the clock would measure what else this machine is doing.
    assert min(once() for _ in range(5)) < 0.3


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_shows_its_help(command: Callable[..., object], name: str) -> None:
    done = command(name, "--help")
    assert done.status == 0
    assert f"Usage: posetrack {name}" in done.out


def test_the_version_is_the_packages(command: Callable[..., object]) -> None:
    assert command("--version").out == f"posetrack {posetrack.__version__}\n"


@pytest.mark.parametrize(
    "words", [[name] for name in cli.COMMANDS] + [["tracks", "draw"], ["models", "pull"]]
)
def test_no_help_cuts_a_name_or_a_list_in_a_terminal_of_80_columns(
    command: Callable[..., object], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "…" not in command(*words, "--help").out


def test_without_a_command_the_help_is_shown(command: Callable[..., object]) -> None:
    done = command()
    assert done.status == 2
    assert "Usage: posetrack" in done.out + done.err


def test_an_unknown_command_is_one_line(command: Callable[..., object]) -> None:
    done = command("doctr")
    assert done.status == 2
    assert done.err == "posetrack: No such command 'doctr'. Did you mean 'doctor'?\n"


def staged(cause: Exception, frame: int | None) -> StageError:
    error = StageError("stage 'x' failed", stage="x", frame=frame)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (SourceNotFound("no such file"), 1, "no such file"),
        (ModelNotFound("no model"), 1, "no model"),
        (ConfigError("run.yaml:3: wrong\nreally"), 2, "run.yaml:3: wrong really"),
        (BackendMissing("no tensorrt"), 2, "no tensorrt"),
        (staged(SinkError("disk full"), None), 1, "disk full"),
        (staged(SinkError("disk full"), 7), 1, "disk full (at frame 7)"),
        (staged(ConfigError("17 keypoints"), 0), 2, "17 keypoints (at frame 0)"),
        (staged(KeyError("a"), 3), 1, "stage 'x' failed"),
        (PosetrackError("broken"), 1, "broken"),
        (KeyError("a"), 1, "internal error, KeyError: 'a': run again with --debug and report it"),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_an_error_becomes_one_line_and_its_status(
    command: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    line: str | None,
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    done = command("run", "a.mp4")
    assert done.status == status
    assert done.err == ("" if line is None else f"posetrack: {line}\n")


def test_debug_shows_the_trace_wherever_it_stands() -> None:
    for args in (("--debug", "run", "none.mp4"), ("run", "none.mp4", "--debug")):
        done = python("-m", "posetrack", *args)
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert "no such file or folder: none.mp4" in done.stderr
