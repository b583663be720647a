"""Pose samples: keypoints stay on their pixels, mirror to their names, and repeat exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from training import drawn

from posetrack.codecs import SimCC
from posetrack.datasets.annotations import Annotations, Person
from posetrack.geometry import CropTransform
from posetrack.skeletons import load_skeleton
from posetrack.training.augment import (
    PoseAugmentation,
    half_body,
    lower_edge,
    part_above,
    photometric,
    truncated_normal,
)
from posetrack.training.loader import make_loader, shuffled
from posetrack.training.pose_data import PoseGeometry, PoseSamples, crop_size
from posetrack.training.tasks import make_task

COCO = load_skeleton("coco")
GEOMETRY = PoseGeometry(SimCC((96, 128)), COCO)
ONLY_GEOMETRY = {"photometric": 0.0, "blur": 0.0, "dropout": 0.0}


@pytest.fixture
def dots(tmp_path: Path) -> list[Person]:
    """One figure as large discs far apart, one colour a joint."""
    joints = drawn.UPRIGHT * (300, 400) + 50
    joints[:5] += [(0, -20), (60, -40), (-60, -40), (110, 0), (-110, 0)]
    image = np.zeros((500, 400, 3), np.uint8)
    for joint, colour in zip(joints, drawn.COLOURS, strict=True):
        cv2.circle(image, tuple(int(v) for v in joint), 14, colour, -1)  # type: ignore[arg-type]
    cv2.imwrite(str(tmp_path / "dots.png"), image)
    flat = [float(v) for x, y in joints.astype(int) for v in (x, y, 2)]
    path = drawn.write_json(
        tmp_path / "dots.json",
        [{"id": 7, "file_name": "dots.png", "width": 400, "height": 500}],
        [
            {"id": 1, "image_id": 7, "bbox": [20, 0, 360, 480], "area": 9e4, "iscrowd": 0}
            | {"keypoints": flat, "num_keypoints": 17}
        ],
    )
    return list(Annotations.read(path, tmp_path).people(COCO))


def samples(people: Sequence[Person], count: int, **how: object) -> PoseSamples:
    augmentation = PoseAugmentation(**how)  # type: ignore[arg-type]
    return PoseSamples(people, [0] * count, GEOMETRY, augmentation, seed=3, epoch=0)


def check_colours(
    crop: npt.NDArray[np.uint8], points: npt.NDArray[np.float32], colours: Sequence[Sequence[int]]
) -> int:
    """How many keypoints lie in the crop, each on a pixel of its colour."""
    seen = 0
    for point, colour in zip(points, colours, strict=True):
        x, y = (round(float(v)) for v in point)
        if 2 <= x < crop.shape[1] - 2 and 2 <= y < crop.shape[0] - 2:
            assert np.abs(crop[y, x].astype(int) - colour).max() <= 12, (x, y, crop[y, x], colour)
            seen += 1
    return seen


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_turned_scaled_shifted_and_mirrored_keypoints_stay_on_their_pixels(
    dots: list[Person], flip: float
) -> None:
    data = samples(dots, 40, flip=flip, rotation_probability=1.0, **ONLY_GEOMETRY)
    # In a mirrored picture the left shoulder is what was the right one.
    order = COCO.flip_order if flip else np.arange(17)
    colours = [drawn.COLOURS[i] for i in order]
    seen = 0
    for i in range(len(data)):
        crop, points, weights = data.crop(dots[0], np.random.default_rng(i))
        seen += check_colours(crop, points, colours)
        assert weights.all()
    assert seen > 300


def test_mirroring_is_exact_to_the_pixel(dots: list[Person]) -> None:
    straight, mirrored = (
        samples(dots, 1, **(drawn.STILL | {"flip": flip})).crop(dots[0], np.random.default_rng(0))
        for flip in (0.0, 1.0)
    )
    np.testing.assert_array_equal(mirrored[0][:, ::-1], straight[0])
    expected = straight[1][COCO.flip_order] * (-1, 1) + (95, 0)
    np.testing.assert_allclose(mirrored[1], expected, atol=1e-3)


def test_the_next_epoch_changes_each_picture_anew(dots: list[Person]) -> None:
    how = PoseAugmentation(rotation_probability=1.0)
    first, second = (
        PoseSamples(dots, [0], GEOMETRY, how, seed=3, epoch=epoch)[0][0] for epoch in (0, 1)
    )
    assert (first != second).any()


def test_weights_move_with_their_keypoints_when_mirrored(dots: list[Person]) -> None:
    person = dots[0]
    left_only = np.ones(17, np.float32)
    left_only[6] = 0  # the right shoulder is not annotated
    person = Person(person.picture, person.box, person.keypoints, left_only, 1.0, left_only)
    data = samples([person], 1, **(drawn.STILL | {"flip": 1.0}))
    _, _, weights = data.crop(person, np.random.default_rng(0))
    assert weights[5] == 0
    assert weights[6] == 1


def test_without_augmentation_the_crop_is_that_of_inference(dots: list[Person]) -> None:
    plain = PoseSamples(dots, [0], GEOMETRY, None, seed=0, epoch=0)
    crop, points, _ = plain.crop(dots[0], np.random.default_rng(0))
    transform = CropTransform.from_boxes(dots[0].box[None], (96, 128))
    np.testing.assert_array_equal(crop, transform.crop(dots[0].picture.load(), 0))
    np.testing.assert_allclose(points, transform.forward(dots[0].keypoints[None])[0], atol=1e-3)
    np.testing.assert_allclose(crop_size(dots[0].box, (96, 128)), transform.scales[0], rtol=1e-6)


def test_a_sample_is_rgb_with_labels_that_peak_at_the_keypoints(dots: list[Person]) -> None:
    data = samples(dots, 1, **drawn.STILL)
    image, x, y, weights = data[0]
    crop, points, _ = data.crop(dots[0], np.random.default_rng((3, 0, 0)))
    np.testing.assert_array_equal(image.numpy().transpose(1, 2, 0)[..., ::-1], crop)
    np.testing.assert_array_equal(x.argmax(1), np.round(points[:, 0] * 2))
    np.testing.assert_array_equal(y.argmax(1), np.round(points[:, 1] * 2))
    assert x.shape == (17, 192)
    assert y.shape == (17, 256)
    np.testing.assert_allclose(weights, COCO.weights)


def test_an_absent_joint_has_no_weight(tmp_path: Path) -> None:
    path = drawn.write_set(tmp_path, 3, absent=(0, 9))
    people = list(Annotations.read(path, tmp_path / "people.tar").people(COCO))
    for person in people:
        assert person.weights[[0, 9]].tolist() == [0, 0]
        assert person.weights.sum() == 15
        assert person.labelled.sum() == 15
    weights = samples(people, 1, **drawn.STILL)[0][3]
    assert weights[[0, 9]].tolist() == [0, 0]
    assert (weights[1:9] > 0).all()


def test_a_joint_far_outside_the_crop_has_no_weight(dots: list[Person]) -> None:
    person = dots[0]
    keypoints = person.keypoints.copy()
    keypoints[4] = -5000
    person = Person(person.picture, person.box, keypoints, person.weights, 1.0, person.labelled)
    weights = samples([person], 1, **drawn.STILL)[0][3]
    assert weights[4] == 0
    assert weights[3] > 0


def test_machine_made_joints_weigh_less_and_are_no_truth(tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 0, "bbox": [10, 10, 50, 90], "area": 900, "num_keypoints": 17}
    row["keypoints"] = [v for _ in range(17) for v in (30.0, 40.0, 2)]
    image = {"id": 0, "file_name": "a.png", "width": 100, "height": 100}
    machine = row | {"pseudo_kp": 1, "kp_conf": [0.3] * 17}
    path = drawn.write_json(tmp_path / "a.json", [image], [machine])
    source = Annotations.read(path, tmp_path)
    assert list(source.people(COCO)) == []
    (person,) = source.people(COCO, pseudo_weight=0.5)
    np.testing.assert_allclose(person.weights, 0.5 * 0.7)
    assert not person.labelled.any()


def test_machine_made_faces_go_to_the_joints_of_that_name(tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 0, "bbox": [10, 10, 50, 90], "area": 900, "num_keypoints": 1}
    names = ["right_ankle", "nose", "left_ear"]  # not where COCO has them
    row["keypoints"] = [30, 80, 2, 0, 0, 0, 0, 0, 0]
    row["pseudo_face"] = [1, 2, 0.9, 0, 0, 0, 0, 0, 0, 7, 8, 0.8, 0, 0, 0]
    image = {"id": 0, "file_name": "a.png", "width": 100, "height": 100}
    path = drawn.write_json(tmp_path / "a.json", [image], [row], names)
    skeleton_file = tmp_path / "three.yaml"
    skeleton_file.write_text("keypoints: [right_ankle, nose, left_ear]\n")
    (person,) = Annotations.read(path, tmp_path).people(
        load_skeleton(str(skeleton_file)), pseudo_weight=1.0
    )
    assert person.keypoints.tolist() == [[30, 80], [1, 2], [7, 8]]
    np.testing.assert_allclose(person.weights, [1, 0.6, 0.6])
    assert person.labelled.tolist() == [1, 0, 0]


class Draws:
    """A generator whose next draw is known."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value


def half(visible: Sequence[int], draw: float) -> tuple[npt.NDArray, npt.NDArray] | None:
    points = (drawn.UPRIGHT * 100).astype(np.float32)
    weights = np.zeros(17, np.float32)
    weights[list(visible)] = 1
    return half_body(points, weights, COCO, Draws(draw))  # type: ignore[arg-type]


def test_half_bodies_prefer_the_upper_half_and_need_enough_joints() -> None:
    points = drawn.UPRIGHT * 100
    everything = range(17)
    centre, size = half(everything, 0.1)  # type: ignore[misc]
    upper = points[list(COCO.upper)]
    np.testing.assert_allclose(centre, (upper.min(0) + upper.max(0)) / 2, rtol=1e-5)
    np.testing.assert_allclose(size, (upper.max(0) - upper.min(0)) * 1.5, rtol=1e-5)
    centre, _ = half(everything, 0.9)  # type: ignore[misc]
    lower = points[list(COCO.lower)]
    np.testing.assert_allclose(centre, (lower.min(0) + lower.max(0)) / 2, rtol=1e-5)
    assert half(range(8), 0.1) is None, "eight of the nine that it takes"
    legs_missing = [i for i in everything if i not in COCO.lower][:11]
    centre, _ = half(legs_missing, 0.9)  # type: ignore[misc]
    assert centre[1] < 50, "the lower half was wanted, but only the upper is there"


def test_a_truncated_picture_ends_between_the_halves_and_its_crop_fits_what_is_left(
    dots: list[Person],
) -> None:
    data = samples(dots, 1, **(drawn.STILL | {"truncate": 1.0}))
    person, cuts = dots[0], set()
    transform = CropTransform.from_boxes(person.box[None], (96, 128))
    whole = transform.forward(person.keypoints[None])[0]
    for i in range(20):
        crop, points, weights = data.crop(person, np.random.default_rng(i))
        assert weights.all()
        above = (points > 0).all(axis=1)
        lit = points[above]
        check_colours(crop, lit, [drawn.COLOURS[i] for i in np.flatnonzero(above)])
        assert above[:7].all(), "head and shoulders are above the middle of the upper body"
        assert not above[13:].any(), "knees and ankles are below that of the lower"
        assert points[~above].max() < -1000, "far outside of every crop"
        assert lit[:, 1].mean() > whole[above, 1].mean() + 2, "what is left is in the middle"
        scale = lit[1] - lit[0]  # of the crop, by how far the nose is from an eye
        scale = np.linalg.norm(scale) / np.linalg.norm(whole[1] - whole[0])
        ankles = lit[0, 1] + scale * (whole[15, 1] - whole[0, 1])
        rows = np.flatnonzero(crop.any((1, 2)))
        assert rows.max() < ankles - 10, "nothing is left of what is below"
        cuts.add(int(above.sum()))
    assert len(cuts) > 1, "it ends here and there"


@pytest.mark.parametrize("absent", [0.0, 0.5])
def test_joints_that_the_crop_does_not_show_are_left_out_or_learned_as_flat(
    dots: list[Person], absent: float
) -> None:
    data = samples(dots, 1, **(drawn.STILL | {"truncate": 1.0, "absent": absent}))
    _, x, y, weights = data[0]
    knees = [13, 14, 15, 16]
    joint = torch.tensor(COCO.weights)
    torch.testing.assert_close(weights[knees], absent * joint[knees])
    torch.testing.assert_close(weights[:7], joint[:7])
    assert not x[knees].any()
    assert not y[knees].any()
    assert (x[:7].amax(1) == 1).all()


@pytest.mark.parametrize(("weighted", "turned"), [(range(17), True), (range(11), False)])
def test_who_is_upside_down_or_shows_one_half_is_not_truncated(
    weighted: Sequence[int], turned: bool
) -> None:
    points = (drawn.UPRIGHT * (100, -100 if turned else 100)).astype(np.float32)
    weights = np.zeros(17, np.float32)
    weights[list(weighted)] = 1
    assert lower_edge(points, weights, COCO, np.random.default_rng(0)) is None


def test_a_part_of_a_few_pixels_or_one_joint_is_nobody() -> None:
    box, points = np.array([0, 0, 50, 100], np.float32), drawn.UPRIGHT.astype(np.float32) * 100
    everything = np.ones(17, np.float32)
    assert part_above(box, points, everything, 31.0) is None
    assert part_above(box, points, everything * (np.arange(17) == 0), 60.0) is None
    assert part_above(box, points, everything, 60.0) is not None


def test_samples_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 8)
    found = []
    for workers in (0, 1, 2):
        recipe = drawn.recipe(
            tmp_path,
            data={"workers": workers},
            pose_stage1={"flip": 0.5, "rotation_probability": 1.0, "photometric": 1.0, "blur": 0.5},
        )
        found.append(list(make_loader(make_task(recipe), recipe, 2, stage2=False)))
    for other in found[1:]:
        for batch, same in zip(found[0], other, strict=True):
            for a, b in zip(batch, same, strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_skipped_batches_are_those_that_were_done(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 8)
    recipe = drawn.recipe(tmp_path, schedule={"batch_size": 2}, pose_stage1={"flip": 0.5})
    task = make_task(recipe)
    whole = list(make_loader(task, recipe, 0, stage2=False))
    rest = list(make_loader(task, recipe, 0, stage2=False, skip=3))
    assert len(whole) == 4
    torch.testing.assert_close(rest, whole[3:], rtol=0, atol=0)


def test_epochs_differ_and_repeat_each_row_as_asked() -> None:
    first, second = shuffled([1, 2, 0.5, 0] * 100, 0, 0), shuffled([1, 2, 0.5, 0] * 100, 0, 1)
    assert first != second
    assert first == shuffled([1, 2, 0.5, 0] * 100, 0, 0)
    counts = np.bincount(first, minlength=400).reshape(100, 4)
    assert (counts[:, 0] == 1).all()
    assert (counts[:, 1] == 2).all()
    assert not counts[:, 3].any()
    assert 30 <= counts[:, 2].sum() <= 70


def test_colour_changes_leave_size_and_type_and_stay_in_range() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for seed in range(20):
        changed = photometric(image, np.random.default_rng(seed))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
    draws = [truncated_normal(np.random.default_rng(seed)) for seed in range(300)]
    assert min(draws) >= -1
    assert max(draws) <= 1
