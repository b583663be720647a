"""What a model found, beside the truth, as one picture of many tiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from posetrack.datasets.annotations import Annotations, Person, Picture
from posetrack.errors import SinkError
from posetrack.evaluation.boxes import BoxTruth, match_boxes
from posetrack.evaluation.detection import DetectionEvaluation
from posetrack.evaluation.keypoints import Errors
from posetrack.evaluation.pose import PoseEvaluation
from posetrack.geometry import CropTransform, Letterbox
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats, Image

POSE_TILE, BOX_TILE = (240, 300), (360, 290)
SHEET_WIDTH, MOST = 1470, 24
MOST_SCORES = 8
SWAPPED = 0.2  # an answer whose OKS rises by this if left and right change places has them wrong
TRUE, FOUND, IGNORED = (240, 240, 240), (60, 110, 255), (160, 160, 160)  # white, orange, grey
LEAST_KEYPOINTS = 5


def worst_poses(evaluation: PoseEvaluation, path: Path, *, most: int = MOST) -> int:
    """Write the `most` people of lowest OKS: truth thin and white, what was found in orange.

    Only people with five or more annotated keypoints are shown; up to half of the sheet is for
    people who were not found. Whose OKS is much better with left and right exchanged is told.
    Returns how many are on it.
    """
    errors, order = evaluation.errors, evaluation.skeleton.flip_order
    swapped = Errors.of(evaluation.people, evaluation.keypoints[:, order], evaluation.skeleton).oks
    enough = np.flatnonzero(errors.seen.sum(axis=1) >= LEAST_KEYPOINTS)
    ranked = enough[np.argsort(errors.oks[enough], kind="stable")]
    there = np.isfinite(evaluation.keypoints[ranked]).all(axis=(1, 2))
    tiles = []
    for row in [*ranked[~there][: most // 2], *ranked[there]][:most]:
        person, points = evaluation.people[row], evaluation.keypoints[row]
        tile = _pose_tile(person, points, evaluation.skeleton)
        found = np.isfinite(points).all()
        text = f"OKS {errors.oks[row]:.2f}" if found else "not found"
        if swapped[row] > errors.oks[row] + SWAPPED:
            text += f", sides exchanged {swapped[row]:.2f}"
        tiles.append(_titled(tile, text, person.picture.name))
    _write(tiles, path)
    return len(tiles)


def worst_pictures(
    annotations: Annotations,
    evaluation: DetectionEvaluation,
    threshold: float,
    path: Path,
    *,
    most: int = MOST,
) -> int:
    """Write the `most` pictures with most misses and false boxes above `threshold`.

    True boxes are white, found ones orange (with their scores where they are few), ignore regions
    grey. Returns how many pictures are on the sheet.
    """
    wrong = {key: _mistakes(rows, threshold) for key, rows in evaluation.pictures.items()}
    order = sorted((k for k in wrong if sum(wrong[k])), key=lambda k: -sum(wrong[k]))[:most]
    tiles = []
    for key in order:
        picture = annotations.pictures[key]
        tile = _box_tile(picture, evaluation.pictures[key], threshold)
        missed, false = wrong[key]
        tiles.append(_titled(tile, f"{missed} missed, {false} false", picture.name))
    _write(tiles, path)
    return len(tiles)


def some_poses(people: Sequence[Person], keypoints: Floats, skeleton: Skeleton) -> Image:
    """A sheet of people from the whole of a set, always the same: keypoints (N, K, 2) found."""
    tiles = []
    for row in _spread(len(people)):
        tile = _pose_tile(people[row], keypoints[row], skeleton)
        tiles.append(_titled(tile, people[row].picture.source, people[row].picture.name))
    return _joined(tiles)


def some_pictures(
    pictures: Sequence[Picture], rows: Sequence[Sequence[BoxTruth]], threshold: float
) -> Image:
    """A sheet of pictures from the whole of a set, always the same; boxes above `threshold`."""
    tiles = []
    for place in _spread(len(pictures)):
        missed, false = _mistakes(rows[place], threshold)
        tile = _box_tile(pictures[place], rows[place], threshold)
        tiles.append(_titled(tile, f"{missed} missed, {false} false", pictures[place].name))
    return _joined(tiles)


def _spread(count: int) -> list[int]:
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, MOST))})


def _mistakes(rows: Sequence[BoxTruth], threshold: float) -> tuple[int, int]:
    """How many true boxes are missed and how many found ones are false, above `threshold`."""
    scores, hits, total = match_boxes(rows)
    above = scores > threshold
    return total - int(hits[above].sum()), int((1 - hits[above]).sum())


def _pose_tile(person: Person, points: Floats, skeleton: Skeleton) -> Image:
    crop = CropTransform.from_boxes(person.box[None], POSE_TILE, 1.4)
    tile = crop.crop(person.picture.load(), 0)
    truth = crop.forward(person.keypoints[None])[0]
    _draw(tile, truth, person.labelled > 0, skeleton, TRUE, 1)
    if np.isfinite(points).all():
        found = crop.forward(points[None])[0]
        _draw(tile, found, person.labelled > 0, skeleton, FOUND, 2)
    return tile


def _draw(
    tile: Image,
    points: Floats,
    seen: Bools,
    skeleton: Skeleton,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    for a, b in skeleton.limbs:
        if seen[a] and seen[b]:
            cv2.line(tile, _pixel(points[a]), _pixel(points[b]), colour, width, cv2.LINE_AA)
    for index in np.flatnonzero(seen):
        cv2.circle(tile, _pixel(points[index]), width + 1, colour, -1, cv2.LINE_AA)


def _box_tile(picture: Picture, rows: Sequence[BoxTruth], threshold: float) -> Image:
    box = Letterbox(picture.size, BOX_TILE)
    tile = box.resize(picture.load(), pad=20)
    stretch = np.tile(np.array(box.resized) / np.array(picture.size), 2)
    for row in rows:
        above = row.scores > threshold
        layers = ((row.ignored, IGNORED), (row.boxes[above], FOUND), (row.truth, TRUE))
        for boxes, colour in layers:
            for corners in boxes * stretch:
                cv2.rectangle(tile, _pixel(corners[:2]), _pixel(corners[2:]), colour, 1)
        few = above & (above.sum() <= MOST_SCORES)
        for corners, score in zip(row.boxes[few] * stretch, row.scores[few], strict=True):
            _text(tile, f"{score:.2f}", (int(corners[0]) + 2, int(corners[1]) + 12))
    return tile


def _pixel(point: Floats) -> tuple[int, int]:
    """Whole pixels, near enough for OpenCV to draw."""
    x, y = np.clip(np.rint(point), -10000, 10000)
    return int(x), int(y)


def _titled(tile: Image, text: str, name: str) -> Image:
    tile[-30:] = tile[-30:] // 3
    _text(tile, text, (4, tile.shape[0] - 18))
    _text(tile, name[-34:], (4, tile.shape[0] - 5))
    return tile


def _text(tile: Image, text: str, place: tuple[int, int]) -> None:
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, width, cv2.LINE_AA)


def _write(tiles: list[Image], path: Path) -> None:
    """Tiles side by side in a file. Raises SinkError where it cannot be written."""
    if not tiles:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(cv2.imencode(path.suffix, _joined(tiles))[1].tobytes())
    except OSError as error:
        raise SinkError(f"{path} cannot be written: check the folder and its free space") from error


def _joined(tiles: list[Image]) -> Image:
    height, width = tiles[0].shape[:2]
    columns = min(SHEET_WIDTH // (width + 4), len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * (height + 4), columns * (width + 4), 3), np.uint8)
    for number, tile in enumerate(tiles):
        y, x = (number // columns) * (height + 4), (number % columns) * (width + 4)
        sheet[y : y + height, x : x + width] = tile
    return sheet
