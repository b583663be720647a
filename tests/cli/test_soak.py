"""The soak of `make soak`, short: 2,000 frames with the small models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from clips import make_clip

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.timeout(120)
def test_memory_stays_flat_over_two_thousand_frames(models, tmp_path: Path) -> None:
    make_clip(tmp_path / "clip.mp4", frames=50, size=(160, 120))
    script = [sys.executable, str(REPOSITORY / "benchmarks/soak.py"), "--frames", "2000"]
    files = ["--clip", str(tmp_path / "clip.mp4"), "--json", str(tmp_path / "soak.json")]
    done = subprocess.run([*script, *models.flags, *files], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads((tmp_path / "soak.json").read_text())
    assert found["frames"] == 2000
    assert found["people_mean"] == 1
    assert found["memory_flat"]
    assert found["files"][1] <= found["files"][0]
    assert len(found["rows"]) == 100
