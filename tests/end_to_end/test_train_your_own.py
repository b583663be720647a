"""The tutorial, block by block, as a reader would run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "train-your-own.md"


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each fenced block."""
    return re.findall(
        r"^```(\w+)\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


def follow(folder: Path) -> str:
    """Write the files and run the commands in order; what they printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    (folder / "docs").symlink_to(ROOT / "docs")
    told = []
    known = blocks()
    for language, text in known:
        if language == "yaml":
            name = re.match(r"# (\S+)\n", text)
            assert name
            (folder / name[1]).write_text(text)
    for language, text in known:
        for line in text.splitlines() if language == "sh" else ():
            program, rest = line.split(" ", 1)
            command = {"python": [sys.executable], "posetrack": [sys.executable, "-m", "posetrack"]}
            done = subprocess.run(
                [*command[program], *rest.split()],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            told.append(f"$ {line}\n{done.stdout}{done.stderr}")
    return "\n".join(told)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_makes_a_model_that_tracks_carts(tmp_path: Path) -> None:
    told = follow(tmp_path)
    print(told)
    assert (tmp_path / "carts" / "sheet.png").stat().st_size > 10_000
    text = (tmp_path / "carts" / "tracked.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    header, frames = lines[0], lines[1:]
    assert header["skeleton"]["name"] == "cart"
    assert len(frames) == 75
    counts = [len(frame["people"]) for frame in frames[10:]]
    assert np.mean(counts) == pytest.approx(2, abs=0.5)
    with av.open(str(tmp_path / "carts" / "tracked.mp4")) as container:
        assert container.streams.video[0].frames == 75
