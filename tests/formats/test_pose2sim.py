"""From the pictures of several cameras to points in space: posetrack, then Pose2Sim.

Pose2Sim brings an OpenCV of its own: run this in an environment that has both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from formats.cameras import CAMERAS, FPS, LIMBS, SIZE, Camera, Points, pictures, walk
from page_blocks import ROOT, blocks

from posetrack.cli.main import main
from posetrack.formats.conversion import convert
from posetrack.records import Header, Record, Recording
from posetrack.skeletons import load_skeleton
from posetrack.stage import write_clip

pytestmark = [
    pytest.mark.skipif(not find_spec("Pose2Sim"), reason="Pose2Sim is not installed"),
    pytest.mark.timeout(120),
    pytest.mark.slow,
]
TUTORIAL = blocks(ROOT / "docs" / "tutorials" / "pose2sim.md")


def tutorial(language: str, *, having: str = "") -> str:
    """The tutorial's block of a language."""
    return next(b.text for b in TUTORIAL if b.language == language and having in b.text)


def exact(camera: Camera, project: Path) -> None:
    """The true keypoints, as the records of a run would have them."""
    skeleton = load_skeleton("coco")
    header = Header(f"{camera.name}.mp4", SIZE, FPS, skeleton)
    certain = np.ones((1, len(skeleton)), np.float32)
    records = (
        Record(
            frame=index,
            pts_s=index / FPS,
            detector_ran=True,
            ids=truth.ids,
            boxes=truth.boxes,
            box_scores=certain[:, 0],
            states=("tracked",),
            keypoints=truth.keypoints,
            scores=certain,
            raw=truth.keypoints,
        )
        for index, (_, truth) in enumerate(pictures(camera))
    )
    convert(Recording.of(header, records), "openpose-own", project / f"pose/{camera.name}_json")


def found(camera: Camera, project: Path) -> None:
    """What posetrack makes of the pictures, by the commands of the tutorial."""
    clip, records = (project.parent / f"{camera.name}{end}" for end in (".mp4", ".posetrack.jsonl"))
    write_clip(clip, pictures(camera), size=SIZE, fps=FPS)
    flags = ["--threads", "1", "--no-video", "--smooth", "offline"]
    assert main(["run", str(clip), "--json", str(records), *flags]) == 0
    folder = project / f"pose/{camera.name}_json"
    assert main(["convert", str(records), "--to", "openpose-own", "-o", str(folder)]) == 0


@pytest.mark.parametrize(("make", "median_m", "most_m"), [(exact, 0.005, 0.01), (found, 0.08, 1)])
def test_pose2sim_finds_the_points_in_space(
    make: Callable[[Camera, Path], None], median_m: float, most_m: float, tmp_path: Path
) -> None:
    for camera in CAMERAS:
        make(camera, tmp_path / "project")
    points = _triangulated(tmp_path / "project")
    truth = np.array([moment.world() for moment in walk()])
    away_m = np.linalg.norm(points - truth, axis=-1)
    assert np.median(away_m) < median_m
    assert away_m.max() < most_m


def _triangulated(project: Path) -> Points:
    """(F, 12, 3) metres, Z up: what the tutorial's Python leaves, before its filter."""
    (project / "calibration").mkdir()
    (project / "calibration" / "cameras.toml").write_text("\n".join(c.toml() for c in CAMERAS))
    (project / "Config.toml").write_text(tutorial("toml"))
    command = [sys.executable, "-c", tutorial("python", having="Pose2Sim")]
    environment = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(project.glob("pose-3d/*_filt_*.trc"))
    (path,) = (each for each in project.glob("pose-3d/*.trc") if "_filt_" not in each.name)
    return _read(path)


def _read(path: Path) -> Points:
    from Pose2Sim import common

    table, _, times_s, names, _ = common.read_trc(path)
    assert np.allclose(times_s, np.arange(len(table)) / FPS)
    y_up = table.to_numpy(float).reshape(len(table), -1, 3)
    return y_up[:, [names.index(_short(name)) for _, name in LIMBS]][..., [2, 0, 1]]


def _short(name: str) -> str:
    """left_elbow -> LElbow."""
    side, joint = name.split("_")
    return side[0].upper() + joint.capitalize()
