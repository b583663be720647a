"""Detector samples: boxes stay on their objects; what is unsure becomes an ignore region."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from training import drawn

from posetrack.datasets.annotations import Annotations, Picture
from posetrack.datasets.images import ImageStore
from posetrack.datasets.scenes import LabelRules, Scene, scenes
from posetrack.training.detection_data import (
    DetectionAugmentation,
    DetectionSamples,
    mosaic,
    resize_and_crop,
)
from posetrack.training.loader import make_loader
from posetrack.training.tasks import make_task

Image = npt.NDArray[np.uint8]


class Painted(ImageStore):
    """Pictures from memory."""

    def __init__(self, images: dict[str, Image]) -> None:
        self.images = images
        self.path = Path("memory")

    def read(self, name: str) -> Image:
        return self.images[name]


def rectangles(seed: int, colours: Sequence[Sequence[int]], size: tuple[int, int]) -> Scene:
    """A grey picture with one filled rectangle a colour, side by side, boxed."""
    rng = np.random.default_rng(seed)
    image = np.full((size[1], size[0], 3), 114, np.uint8)
    boxes, column = [], size[0] // len(colours)
    for i, colour in enumerate(colours):
        left = i * column + int(rng.integers(2, 12))
        right = left + int(rng.integers(column // 2, column - 14))
        top = int(rng.integers(0, size[1] // 2))
        bottom = top + int(rng.integers(size[1] // 4, size[1] // 2))
        image[top:bottom, left:right] = colour
        boxes.append([left, top, right, bottom])
    picture = Picture(Painted({"p": image}), "p", size, "painted", {})
    return Scene(picture, np.array(boxes, np.float32), np.empty((0, 4), np.float32), complete=True)


def extent(image: Image, colour: Sequence[int]) -> npt.NDArray[np.float32] | None:
    """The box around the pixels of a colour (its middle is not blended with the grey)."""
    near = np.abs(image.astype(int) - np.array(colour)).max(2) < 60
    if near.sum() < 12:
        return None
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


PALETTE = [
    [(255, 0, 0), (0, 255, 0), (0, 0, 255)],
    [(255, 255, 0), (255, 0, 255), (0, 255, 255)],
    [(255, 255, 255), (0, 0, 0), (255, 128, 0)],
    [(0, 255, 128), (128, 0, 255), (0, 128, 255)],
]


def check(
    image: Image,
    boxes: npt.NDArray[np.float32],
    ignored: npt.NDArray[np.float32],
    colours: Sequence[Sequence[int]],
) -> int:
    """Every box is the extent of one colour; colours without one are ignored. Counts boxes."""
    found = {tuple(c): extent(image, c) for c in colours}
    boxes_left = list(boxes)
    for place in found.values():
        if place is None:
            continue
        gaps = [np.abs(b - place).max() for b in boxes_left]
        if gaps and min(gaps) <= 2.5:
            boxes_left.pop(int(np.argmin(gaps)))
            continue
        assert len(ignored), f"{place} has no box among {boxes}"
        assert min(np.abs(b - place).max() for b in ignored) <= 2.5
    assert not boxes_left, "a box without an object"
    return len(boxes)


def test_boxes_stay_on_their_objects_when_scaled_and_cut() -> None:
    total = 0
    for seed in range(60):
        scene = rectangles(seed, PALETTE[seed % 4], (240, 160))
        rng = np.random.default_rng(seed)
        image, boxes, ignored = resize_and_crop(scene, (128, 96), (0.4, 3.0), rng)
        assert image.shape == (96, 128, 3)
        total += check(image, boxes, ignored, PALETTE[seed % 4])
    assert total > 80


def test_boxes_stay_on_their_objects_in_mosaics() -> None:
    total = 0
    for seed in range(40):
        parts = [rectangles(4 * seed + i, PALETTE[i], (200, 160)) for i in range(4)]
        image, boxes, ignored = mosaic(parts, (256, 192), np.random.default_rng(seed))
        total += check(image, boxes, ignored, [c for part in PALETTE for c in part])
    assert total > 150


def test_boxes_mirror_with_the_picture() -> None:
    scene = rectangles(1, PALETTE[0], (128, 96))
    how = DetectionAugmentation(flip=1.0, scale=(1.0, 1.0), mosaic=0.0, photometric=0.0)
    data = DetectionSamples([scene], [0], (128, 96), how, seed=0, epoch=0)
    image, boxes, ignored, complete = data[0]
    check(image.numpy().transpose(1, 2, 0), boxes.numpy(), ignored.numpy(), PALETTE[0])
    assert boxes[0, 0] > boxes[2, 2], "the leftmost is now the rightmost"
    assert complete


def test_a_sliver_of_a_person_is_ignored_rather_than_background() -> None:
    scene = rectangles(0, [(255, 0, 0)], (100, 100))
    scene.boxes[0] = [0, 0, 100, 100]
    slivers = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        _, boxes, ignored = resize_and_crop(scene, (100, 100), (3.0, 3.0), rng)
        assert len(boxes) + len(ignored) == 1
        slivers += len(ignored)
    assert slivers > 100, "a ninth of the person is visible"


def test_ignore_regions_stay_however_little_of_them_is_left() -> None:
    scene = rectangles(0, [(255, 0, 0)], (100, 100))
    region = np.array([[0, 0, 100, 100]], np.float32)
    scene = Scene(scene.picture, np.empty((0, 4), np.float32), region, complete=False)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        _, boxes, ignored = resize_and_crop(scene, (100, 100), (3.0, 3.0), rng)
        assert not len(boxes)
        np.testing.assert_allclose(ignored, [[0, 0, 100, 100]])


def read_scene(tmp_path: Path, record: dict, rows: list[dict], **rules: float) -> Scene:
    image = {"id": 0, "file_name": "a.png", "width": 100, "height": 100} | record
    rows = [{"id": i, "image_id": 0} | row for i, row in enumerate(rows)]
    path = drawn.write_json(tmp_path / "a.json", [image], rows)
    (scene,) = scenes(Annotations.read(path, tmp_path), LabelRules(**rules))
    return scene


def test_machine_boxes_are_labels_regions_or_nothing_by_their_score(tmp_path: Path) -> None:
    dets = [[0, 0, 10, 10, 0.9], [20, 0, 10, 10, 0.3], [40, 0, 10, 10, 0.1]]
    true = {"bbox": [60, 60, 20, 20]}
    scene = read_scene(tmp_path, {"pseudo_dets": dets}, [true])
    assert scene.boxes.tolist() == [[60, 60, 80, 80], [0, 0, 10, 10]]
    assert scene.ignored.tolist() == [[20, 0, 30, 10]]
    assert not scene.complete
    rows = [{"bbox": d[:4], "pseudo": 1, "score": d[4]} for d in dets]
    scene = read_scene(tmp_path, {}, rows)
    assert scene.boxes.tolist() == [[0, 0, 10, 10]]
    assert scene.ignored.tolist() == [[20, 0, 30, 10]]


def test_completely_boxed_pictures_need_no_machine_boxes(tmp_path: Path) -> None:
    record = {"pseudo_dets": [[0, 0, 10, 10, 0.9]], "boxes_complete": True}
    scene = read_scene(tmp_path, record, [{"bbox": [50, 50, 20, 20]}])
    assert scene.boxes.tolist() == [[50, 50, 70, 70]]
    assert not len(scene.ignored)
    assert scene.complete


def test_a_machine_box_on_a_true_one_is_dropped_and_crowds_are_ignored(tmp_path: Path) -> None:
    rows = [{"bbox": [0, 0, 20, 20]}, {"bbox": [50, 0, 40, 40], "iscrowd": 1}]
    scene = read_scene(tmp_path, {"pseudo_dets": [[1, 1, 20, 20, 0.9]]}, rows)
    assert scene.boxes.tolist() == [[0, 0, 20, 20]]
    assert scene.ignored.tolist() == [[50, 0, 90, 40]]


@pytest.mark.parametrize("workers", [1, 2])
def test_samples_do_not_depend_on_the_number_of_workers(tmp_path: Path, workers: int) -> None:
    drawn.write_set(tmp_path, 8)
    found = []
    for count in (0, workers):
        recipe = drawn.recipe(
            tmp_path,
            "detection",
            data={"workers": count},
            detection_stage1={"flip": 0.5, "scale": [0.5, 1.5], "mosaic": 0.5, "photometric": 0.5},
        )
        found.append(list(make_loader(make_task(recipe), recipe, 1, stage2=False)))
    for batch, same in zip(*found, strict=True):
        torch.testing.assert_close(batch[0], same[0], rtol=0, atol=0)
        torch.testing.assert_close(batch[1], same[1], rtol=0, atol=0)
        assert batch[3] == same[3]
