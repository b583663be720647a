"""Detector samples: boxes stay on their objects; what is unsure becomes an ignore region."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    Piece,
    mixup,
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
    labels = np.arange(len(colours)) + seed % 4 * len(colours)
    return Scene(picture, np.array(boxes, np.float32), labels, NOTHING, complete=True)


NOTHING = np.empty((0, 4), np.float32)


def whole(scene: Scene) -> Piece:
    return Piece(
        scene.picture.load(), scene.boxes, scene.labels, scene.ignored, complete=scene.complete
    )


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


ALL = [colour for part in PALETTE for colour in part]


def check(piece: Piece, colours: Sequence[Sequence[int]]) -> int:
    """Every box is the extent of one colour; colours without one are ignored. Counts boxes."""
    image, boxes, ignored = piece.image, piece.boxes, piece.ignored
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
        piece = resize_and_crop(whole(scene), (128, 96), (0.4, 3.0), rng)
        assert piece.image.shape == (96, 128, 3)
        total += check(piece, PALETTE[seed % 4])
    assert total > 80


def test_boxes_stay_on_their_objects_in_mosaics() -> None:
    total = 0
    for seed in range(40):
        parts = [whole(rectangles(4 * seed + i, PALETTE[i], (200, 160))) for i in range(4)]
        piece = mosaic(parts, (256, 192), (0.5, 1.5), np.random.default_rng(seed))
        total += check(piece, ALL)
        for box, label in zip(piece.boxes, piece.labels, strict=True):
            place = extent(piece.image, ALL[label])
            assert place is not None
            assert np.abs(place - box).max() <= 2.5, "the class of another box"
    assert total > 150


def test_the_scale_is_that_of_each_picture_in_a_mosaic() -> None:
    parts = [whole(rectangles(i, PALETTE[i], (128, 96))) for i in range(4)]
    drawn_sizes = np.concatenate([part.boxes[:, 2:] - part.boxes[:, :2] for part in parts])
    for scale in (0.5, 1.0):
        found = 0
        for seed in range(20):
            piece = mosaic(parts, (128, 96), (scale, scale), np.random.default_rng(seed))
            uncut = (piece.boxes > 1).all(axis=1) & (piece.boxes[:, 2:] < [127, 95]).all(axis=1)
            sizes = piece.boxes[uncut, 2:] - piece.boxes[uncut, :2]
            expected = scale * drawn_sizes[piece.labels[uncut]]
            # Some are cut by the canvas; nobody is larger than the scale makes them.
            assert (sizes <= expected + 1).all()
            found += int((np.abs(sizes - expected) <= 1).all(axis=1).sum())
        assert found > 20


def test_boxes_mirror_with_the_picture() -> None:
    scene = rectangles(1, PALETTE[0], (128, 96))
    how = DetectionAugmentation(flip=1.0, scale=(1.0, 1.0), mosaic=0.0, photometric=0.0)
    data = DetectionSamples([scene], [0], (128, 96), how, seed=0, epoch=0)
    image, boxes, labels, ignored, complete = data[0]
    pixels = image.numpy().transpose(1, 2, 0)
    check(Piece(pixels, boxes.numpy(), labels.numpy(), ignored.numpy(), complete), PALETTE[0])
    assert boxes[0, 0] > boxes[2, 2], "the leftmost is now the rightmost"
    assert complete


def test_mixup_shows_both_pictures_with_the_boxes_of_both() -> None:
    parts = [whole(rectangles(i, PALETTE[i], (120, 90))) for i in (0, 1)]
    unsure = replace(parts[1], ignored=np.array([[1, 2, 3, 4]], np.float32), complete=False)
    both = mixup(parts[0], unsure)
    mean = (parts[0].image.astype(int) + parts[1].image) / 2
    assert np.abs(both.image - mean).max() <= 0.5
    np.testing.assert_array_equal(both.boxes, np.concatenate([p.boxes for p in parts]))
    assert both.labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert both.ignored.tolist() == [[1, 2, 3, 4]]
    assert not both.complete


def test_with_a_cache_the_other_pictures_are_recent_ones_and_stay_decoded() -> None:
    scenes_ = [rectangles(i, PALETTE[i % 4], (120, 64)) for i in range(40)]
    reads: list[int] = []
    for i, scene in enumerate(scenes_):
        store: Any = scene.picture.store
        store.read = lambda name, i=i, store=store: (reads.append(i), store.images[name])[1]
    how = DetectionAugmentation(mosaic=1.0, mixup=1.0, photometric=0.0, cache=10)
    order = list(np.random.default_rng(0).permutation(40))
    data = DetectionSamples(scenes_, order, (64, 64), how, seed=0, epoch=0)
    for index in range(20, 40):
        before = len(reads)
        assert data[index][0].shape == (3, 64, 64)
        recent = set(order[index - 10 : index + 1])
        assert set(reads[before:]) <= recent
    assert len(reads) < 0.5 * 5 * 20, "of five pictures a sample most are there already"


def test_a_sliver_of_a_person_is_ignored_rather_than_background() -> None:
    scene = rectangles(0, [(255, 0, 0)], (100, 100))
    scene.boxes[0] = [0, 0, 100, 100]
    slivers = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        piece = resize_and_crop(whole(scene), (100, 100), (3.0, 3.0), rng)
        assert len(piece.boxes) + len(piece.ignored) == 1
        slivers += len(piece.ignored)
    assert slivers > 100, "a ninth of the person is visible"


def test_ignore_regions_stay_however_little_of_them_is_left() -> None:
    scene = rectangles(0, [(255, 0, 0)], (100, 100))
    region = np.array([[0, 0, 100, 100]], np.float32)
    scene = Scene(scene.picture, NOTHING, np.empty(0, np.int64), region, complete=False)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        piece = resize_and_crop(whole(scene), (100, 100), (3.0, 3.0), rng)
        assert not len(piece.boxes)
        np.testing.assert_allclose(piece.ignored, [[0, 0, 100, 100]])


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


def test_classes_are_those_asked_for_in_their_order(tmp_path: Path) -> None:
    images = [{"id": 0, "file_name": "a.png", "width": 100, "height": 100}]
    rows = [
        {"id": i, "image_id": 0, "category_id": kind, "bbox": [10 * i, 0, 5, 5]}
        for i, kind in enumerate((7, 3, 9))
    ]
    data = {"images": images, "annotations": rows}
    data["categories"] = [{"id": 3, "name": "car"}, {"id": 7, "name": "dog"}, {"id": 9}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(data))
    annotations = Annotations.read(path, tmp_path)
    assert annotations.categories == {3: "car", 7: "dog", 9: ""}
    (scene,) = scenes(annotations, LabelRules(), [3, 7])
    assert scene.labels.tolist() == [1, 0]
    assert scene.boxes[:, 0].tolist() == [0, 10], "the third class is not learned"


def test_a_machine_box_on_a_true_one_is_dropped_and_crowds_are_ignored(tmp_path: Path) -> None:
    rows = [{"bbox": [0, 0, 20, 20]}, {"bbox": [50, 0, 40, 40], "iscrowd": 1}]
    scene = read_scene(tmp_path, {"pseudo_dets": [[1, 1, 20, 20, 0.9]]}, rows)
    assert scene.boxes.tolist() == [[0, 0, 20, 20]]
    assert scene.ignored.tolist() == [[50, 0, 90, 40]]


@pytest.mark.parametrize(("workers", "cache"), [(1, 0), (2, 3)])
def test_samples_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, workers: int, cache: int
) -> None:
    drawn.write_set(tmp_path, 8)
    found = []
    for count in (0, workers):
        recipe = drawn.recipe(
            tmp_path,
            "detection",
            data={"workers": count},
            detection_stage1={"flip": 0.5, "scale": [0.5, 1.5], "mosaic": 0.5, "mixup": 0.5}
            | {"photometric": 0.5, "cache": cache},
        )
        found.append(list(make_loader(make_task(recipe), recipe, 1, stage2=False)))
    for batch, same in zip(*found, strict=True):
        torch.testing.assert_close(batch[0], same[0], rtol=0, atol=0)
        torch.testing.assert_close(batch[1], same[1], rtol=0, atol=0)
        torch.testing.assert_close(batch[2], same[2], rtol=0, atol=0)
        assert batch[4] == same[4]
