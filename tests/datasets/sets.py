"""Small sets with people who stand, lean and hang, for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from training import drawn

from posetrack.datasets.coco import CocoFile
from posetrack.skeletons import load_skeleton

COCO = load_skeleton("coco")


def person(number: int = 1, image: int = 1, **fields: Any) -> dict[str, Any]:
    """A sound annotation of all 17 joints in a picture of 160 x 160."""
    joints = drawn.UPRIGHT * (60, 120) + (50, 20)
    flat = [float(v) for x, y in joints for v in (x, y, 2)]
    row = {"id": number, "image_id": image, "category_id": 1, "bbox": [45.0, 15.0, 70.0, 130.0]}
    return row | {"area": 4823.0, "iscrowd": 0, "keypoints": flat, "num_keypoints": 17} | fields


def picture(number: int = 1, **fields: Any) -> dict[str, Any]:
    """An image record."""
    return {"id": number, "file_name": f"{number}.png", "width": 160, "height": 160} | fields


def document(
    rows: list[dict[str, Any]],
    images: list[dict[str, Any]] | None = None,
    categories: list[dict[str, Any]] | None = None,
) -> CocoFile:
    """A file that was never written."""
    names = [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}]
    return CocoFile(Path("set.json"), images or [picture()], rows, categories or names)


def write(path: Path, file: CocoFile) -> Path:
    """`file` as JSON."""
    path.write_text(json.dumps(file.to_dict()))
    return path


def crowd(
    count: int, *, seed: int = 0, noise: float = 2.5
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(count, 17, 2) people turned by any angle, half of them seen from behind, a little noisy."""
    rng = np.random.default_rng(seed)
    shape = drawn.UPRIGHT * (60, 120) - (30, 60)
    people = np.repeat(shape[None], count, axis=0)
    people[::2, :, 0] *= -1
    angle = rng.uniform(-np.pi, np.pi, count)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    people = np.einsum("ijn,nkj->nki", turn, people) + rng.normal(0, noise, people.shape)
    return np.asarray(people + 80, np.float32)
