"""`posetrack batch --ray local`: the same unit of work on a Ray cluster of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip

Run = Callable[..., "Outcome"]  # noqa: F821
ROOT = Path(__file__).parents[2]
BATCH = [sys.executable, "-m", "posetrack", "batch"]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(240)  # a cluster takes its time to start on a busy machine
def test_a_ray_cluster_does_what_the_pool_does(command: Run, models, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_clip(tmp_path / "in" / "good.mp4", frames=7)
    make_clip(
        tmp_path / "in" / "kills.mp4",
        frames=3,
        image=lambda index: np.full((240, 320, 3), 255, np.uint8),
    )
    (tmp_path / "in" / "empty.mp4").touch()
    flags = [*models.flags, "--backend", "lethal:Lethal", "--retries", "0", "--no-video"]
    # A process of its own: Ray starts servers and changes logging and signal handlers.
    done = subprocess.run(
        [*BATCH, "in", "-o", "ray", "--ray", "local", *flags],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = (tmp_path / "ray" / "manifest.jsonl").read_text().splitlines()
    found = {e["name"]: e for e in map(json.loads, lines) if "name" in e}
    assert {n: e["status"] for n, e in found.items()} == {
        "good": "done",
        "kills": "failed",
        "empty": "failed",
    }
    assert "is empty (0 bytes)" in found["empty"]["error"]
    assert "its Ray task was lost" in found["kills"]["error"]
    assert command("run", tmp_path / "in" / "good.mp4", *flags[:6], "--no-video").status == 0
    name = "good.posetrack.jsonl"
    assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / name).read_bytes()
    assert sorted(p.name for p in (tmp_path / "ray").iterdir()) == [name, "manifest.jsonl"]


@needs_ray
def test_a_cluster_that_is_not_there_is_one_line(command: Run, models, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "x.mp4", frames=2)
    done = subprocess.run(
        [*BATCH, str(clip), "-o", "ray", "--ray", "auto", *models.flags],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "--ray auto: no such cluster" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_extra_is_named(command: Run, models, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "x.mp4", frames=2)
    done = command("batch", clip, *models.flags, "-o", "out", "--ray", "local")
    assert done.status == 2
    assert "pip install posetrack[ray]" in done.err
