"""A recording with its numbered clip, and the viewer as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from revision.paths import line, recording, walker

FRAMES = 60


@dataclass(frozen=True)
class Case:
    """Two pieces of one walk (1, then 2) and somebody else (3), and what was filmed."""

    file: Path
    video: Path


@pytest.fixture
def case(tmp_path: Path) -> Case:
    path = line(60, 200, 150)
    walkers = [
        walker(1, path, np.arange(20)),
        walker(2, path, np.arange(30, FRAMES)),
        walker(3, line(60, 380, 150), np.arange(FRAMES)),
    ]
    file = tmp_path / "walk.jsonl"
    recording(walkers, FRAMES).write(file)
    return Case(file, make_clip(tmp_path / "walk.mp4", frames=FRAMES, size=(640, 480)))


@pytest.fixture
def viewer() -> Iterator[Callable[..., str]]:
    """Starts `posetrack view` with arguments; the address it prints."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: Path | str) -> str:
        command = [sys.executable, "-m", "posetrack", "view", *map(str, arguments), "--no-browser"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield start
    for process in started:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
