"""Drawn people with known joints, written as COCO-format training data."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.skeletons import load_skeleton
from posetrack.training.recipe import Recipe

COCO = load_skeleton("coco")
# Where the joints of an upright person lie, as shares of a 60 x 120 box (its left is our right).
UPRIGHT = np.array(
    [
        *[(0.5, 0.1), (0.56, 0.07), (0.44, 0.07), (0.62, 0.1), (0.38, 0.1)],
        *[(0.7, 0.25), (0.3, 0.25), (0.8, 0.4), (0.2, 0.4), (0.85, 0.55), (0.15, 0.55)],
        *[(0.62, 0.55), (0.38, 0.55), (0.64, 0.75), (0.36, 0.75), (0.66, 0.95), (0.34, 0.95)],
    ]
)
COLOURS = [
    tuple(int(c) for c in cv2.cvtColor(np.uint8([[[10 * k, 255, 255]]]), cv2.COLOR_HSV2BGR)[0, 0])  # type: ignore[call-overload]
    for k in range(17)
]
"""One colour a joint (BGR), all different."""

Points = npt.NDArray[np.float64]


def person(rng: np.random.Generator, size: tuple[int, int] = (160, 160)) -> Points:
    """Joints (17, 2) in px of a figure somewhere in a picture of (width, height)."""
    height = rng.uniform(0.6, 0.85) * size[1]
    shape = UPRIGHT * (height / 2, height) + rng.normal(0, 0.02 * height, (17, 2))
    room = np.array(size) - (height / 2, height)
    return np.asarray(shape + rng.uniform(0.1, 0.9, 2) * room)


def draw(image: npt.NDArray[np.uint8], joints: Points, radius: int = 5) -> None:
    """Limbs in white, one disc a joint in its colour; whole discs unless joints are near."""
    for a, b in COCO.limbs:
        ends = [tuple(round(v) for v in joints[i]) for i in (a, b)]
        cv2.line(image, *ends, (255, 255, 255), 3)
    for joint, colour in zip(joints, COLOURS, strict=True):
        cv2.circle(image, tuple(round(v) for v in joint), radius, colour, -1)  # type: ignore[arg-type]


def picture(joints: Sequence[Points], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """160 x 160 of dim noise with the figures on it."""
    image = rng.integers(0, 60, (160, 160, 3), dtype=np.uint8)
    for figure in joints:
        draw(image, figure)
    return image


def box(joints: Points, margin: float = 6) -> list[float]:
    """x, y, w, h around the joints."""
    low, high = joints.min(0) - margin, joints.max(0) + margin
    return [float(v) for v in (*low, *(high - low))]


def write_set(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    absent: Sequence[int] = (),
    name: str = "people",
    ghosts: bool = False,
) -> Path:
    """`folder`/people.json and people.tar: `count` pictures of one figure each; the JSON's path.

    The joints in `absent` are drawn, but not annotated. With `ghosts` every other picture is a
    negative, and its figure of a second category.
    """
    rng = np.random.default_rng(seed)
    images, rows, pictures = [], [], {}
    for i in range(count):
        joints = person(rng)
        ghost = ghosts and bool(i % 2)
        image = picture([joints], rng)
        pictures[f"{i:03}.png"] = cv2.imencode(".png", 255 - image if ghost else image)[1].tobytes()
        images.append(
            {"id": i, "file_name": f"{i:03}.png", "width": 160, "height": 160}
            | {"source": "drawn" if i % 2 else "painted", "boxes_complete": True}
        )
        seen = [0 if k in absent else 2 for k in range(17)]
        flat = [float(v) for k in range(17) for v in (*(joints[k] * bool(seen[k])), seen[k])]
        around = box(joints)
        rows.append(
            {"id": i, "image_id": i, "category_id": 1 + ghost, "bbox": around, "keypoints": flat}
            | {"area": around[2] * around[3] * 0.6, "iscrowd": 0}
            | {"num_keypoints": sum(map(bool, seen))}
        )
    write_tar(folder / f"{name}.tar", pictures)
    others = ("ghost",) if ghosts else ()
    return write_json(folder / f"{name}.json", images, rows, others=others)


def write_json(
    path: Path,
    images: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]],
    keypoints: Sequence[str] = COCO.keypoints,
    others: Sequence[str] = (),
) -> Path:
    """A COCO annotation file of people, category 1, and of `others`."""
    categories = [{"id": 1, "name": "person", "keypoints": list(keypoints)}]
    categories += [{"id": 2 + i, "name": other} for i, other in enumerate(others)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    """A tar of `files`; mode ``w:gz`` compresses it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


STILL = {
    "flip": 0.0,
    "half_body": 0.0,
    "shift_probability": 0.0,
    "scale": [1.0, 1.0],
    "rotation_probability": 0.0,
    "photometric": 0.0,
    "blur": 0.0,
    "dropout": 0.0,
}
"""A pose augmentation that changes nothing."""

PLAIN = {"flip": 0.0, "scale": [1.0, 1.0], "mosaic": 0.0, "photometric": 0.0}
"""A detector augmentation that only places the picture."""


def recipe_dict(root: Path, task: str = "pose", **changes: Any) -> dict[str, Any]:
    """A recipe on the set that `write_set` wrote, as its file would say; sections are merged."""
    pose = task == "pose"
    source = {"annotations": "people.json", "images": "people.tar"}
    data: dict[str, Any] = {
        "name": f"small-{task}",
        "task": task,
        "model": {
            "architecture": "rtmpose-t" if pose else "rtmdet-nano",
            "input_size": [64, 64] if pose else [128, 128],
        },
        "data": {"root": str(root), "train": [source], "val": [source], "workers": 0},
        "schedule": {"epochs": 1, "batch_size": 4, "lr": 1e-3, "warmup_iterations": 2},
        "runtime": {"threads": 1},
    }
    if pose:
        data |= {"pose_stage1": dict(STILL), "pose_stage2": dict(STILL)}
    else:
        data |= {"detection_stage1": dict(PLAIN), "detection_stage2": dict(PLAIN)}
    for section, values in changes.items():
        merge = isinstance(values, dict) and section in data
        data[section] = data[section] | values if merge else values
    return data


def recipe(root: Path, task: str = "pose", **changes: Any) -> Recipe:
    """`recipe_dict`, validated."""
    return Recipe.model_validate(recipe_dict(root, task, **changes))


class Recorder:
    """Stands where `Progress` does: keeps the losses, and can stop the run after some batches."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.losses: list[dict[str, float]] = []
        self.rates: list[float] = []
        self.metrics: list[dict[str, dict[str, float]]] = []
        self.stop_after = stop_after

    def batch(
        self, epoch: int, batch: int, total: int, size: int, lr: float, losses: dict[str, float]
    ) -> None:
        self.losses.append(losses)
        self.rates.append(lr)
        if len(self.losses) == self.stop_after:
            raise KeyboardInterrupt

    def evaluated(
        self,
        epoch: int,
        metrics: dict[str, dict[str, float]],
        sheet: npt.NDArray[np.uint8],
        *,
        headline: tuple[str, str],
    ) -> None:
        self.metrics.append(metrics)
        self.sheet = sheet

    def say(self, text: str) -> None:
        self.said = text
