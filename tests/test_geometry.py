"""Coordinates: crops, letterboxes, boxes and similarities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posetrack.geometry import (
    CropTransform,
    Letterbox,
    box_area,
    clip_boxes,
    greedy_nms,
    iou_matrix,
    keypoints_to_boxes,
    oks_matrix,
    rotated_crop_matrix,
    transform_points,
    xywh_to_xyxy,
)

SIZE = (192, 256)
corners = arrays(np.float32, (3, 4), elements=st.floats(0, 500, width=32))


def boxes_of(rows: np.ndarray) -> np.ndarray:
    low, high = np.minimum(rows[:, :2], rows[:, 2:]), np.maximum(rows[:, :2], rows[:, 2:])
    return np.concatenate([low, high + 1], axis=1)


@given(corners, arrays(np.float32, (3, 5, 2), elements=st.floats(-100, 600, width=32)))
def test_crops_are_undone_by_their_inverse(rows: np.ndarray, points: np.ndarray) -> None:
    crops = CropTransform.from_boxes(boxes_of(rows), SIZE)
    there = crops.forward(points)
    error = np.abs(crops.inverse(there) - points).max(axis=(1, 2))
    assert (error <= 1e-4 * crops.scales.max(axis=1) + 1e-3).all()
    for row, matrix in enumerate(crops.matrices()):
        np.testing.assert_allclose(
            transform_points(points[row], matrix), there[row], rtol=1e-3, atol=0.05
        )


@given(corners)
def test_a_crop_has_the_inputs_aspect_and_holds_the_padded_box(rows: np.ndarray) -> None:
    boxes = boxes_of(rows)
    crops = CropTransform.from_boxes(boxes, SIZE, 1.25)
    np.testing.assert_allclose(crops.scales[:, 0] / crops.scales[:, 1], 0.75, rtol=1e-5)
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (crops.scales >= 1.25 * sides * (1 - 1e-5)).all()
    assert np.isclose(crops.scales, 1.25 * sides, rtol=1e-5).any(axis=1).all()


def test_an_unturned_crop_is_the_crop_of_inference() -> None:
    crops = CropTransform.from_boxes(np.array([[10, 20, 90, 200]], np.float32), SIZE)
    matrix = rotated_crop_matrix(crops.centers[0], crops.scales[0], 0, SIZE)
    np.testing.assert_allclose(matrix, crops.matrices()[0], atol=1e-4)
    turned = rotated_crop_matrix(crops.centers[0], crops.scales[0], 90, SIZE)
    np.testing.assert_allclose(transform_points(crops.centers[0], turned), (96, 128), atol=1e-4)


def test_a_crop_of_a_picture_shows_what_its_matrix_says() -> None:
    image = np.zeros((300, 200, 3), np.uint8)
    image[150:154, 100:104] = 255
    crops = CropTransform.from_boxes(np.array([[60, 90, 140, 210]], np.float32), SIZE)
    crop = crops.crop(image, 0)
    assert crop.shape == (256, 192, 3)
    rows, columns = np.nonzero(crop[..., 0] > 128)
    centre = crops.forward(np.array([[[101.5, 151.5]]], np.float32))[0, 0]
    np.testing.assert_allclose((columns.mean(), rows.mean()), centre, atol=0.6)
    outside = CropTransform.from_boxes(np.array([[500, 500, 600, 700]], np.float32), SIZE)
    assert not outside.crop(image, 0).any()


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(320, 320), (640, 384)]))
def test_a_letterbox_keeps_the_aspect_and_is_undone(
    width: int, height: int, size: tuple[int, int]
) -> None:
    box = Letterbox((width, height), size)
    w, h = box.resized
    assert w <= size[0]
    assert h <= size[1]
    assert w == size[0] or h == size[1]
    edge = box.inverse(np.array([[0, 0, w, h]], np.float32))
    np.testing.assert_allclose(edge, [[0, 0, width, height]], rtol=1e-4, atol=1e-2)


def test_a_letterboxed_picture_lies_top_left_on_the_pad() -> None:
    image = np.full((100, 400, 3), 7, np.uint8)
    out = Letterbox((400, 100), (320, 320)).resize(image, pad=114)
    assert out.shape == (320, 320, 3)
    assert (out[:80] == 7).all()
    assert (out[80:] == 114).all()


def test_iou_is_overlap_over_union() -> None:
    a = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    b = np.array([[5, 0, 15, 10], [0, 0, 10, 10], [40, 40, 40, 40]], np.float32)
    np.testing.assert_allclose(iou_matrix(a, b), [[1 / 3, 1, 0], [0, 0, 0]], atol=1e-6)
    assert iou_matrix(a[:0], b).shape == (0, 3)


@given(corners)
def test_iou_is_symmetric_and_one_with_itself(rows: np.ndarray) -> None:
    boxes = boxes_of(rows)
    iou = iou_matrix(boxes, boxes)
    np.testing.assert_allclose(iou, iou.T, atol=1e-5)
    np.testing.assert_allclose(np.diag(iou), 1, atol=1e-4)
    assert ((iou >= 0) & (iou <= 1 + 1e-5)).all()


@pytest.mark.parametrize("size", [(1920, 1080), (320, 320), (37, 1000), (640, 427), (1000, 601)])
def test_a_letterbox_without_its_padding_keeps_the_scale_to_half_a_pixel(
    size: tuple[int, int],
) -> None:
    whole = Letterbox(size, (320, 320))
    cropped = whole.cropped(32)
    for side, most, content, same in zip(
        cropped.input_size, whole.input_size, cropped.resized, whole.resized, strict=True
    ):
        assert side % 32 == 0
        assert content <= side <= most
        assert side - content < 32
        assert abs(content - same) <= 1
    corners = np.array([[0, 0, *cropped.resized]], np.float32)
    np.testing.assert_allclose(cropped.inverse(corners), [[0, 0, *size]], rtol=1e-6)


def test_boxes_are_clipped_to_the_picture() -> None:
    boxes = np.array([[-5, -5, 50, 20], [90, 90, 200, 200]], np.float32)
    np.testing.assert_array_equal(clip_boxes(boxes, (100, 95)), [[0, 0, 50, 20], [90, 90, 100, 95]])
    np.testing.assert_array_equal(box_area(boxes), [55 * 25, 110 * 110])
    np.testing.assert_array_equal(xywh_to_xyxy([[1, 2, 3, 4]]), [[1, 2, 4, 6]])
    assert xywh_to_xyxy([]).shape == (0, 4)


def test_nms_keeps_the_best_of_each_pile() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    keep = greedy_nms(np.array([0.5, 0.9, 0.1]), iou_matrix(boxes, boxes), 0.5)
    assert keep.tolist() == [False, True, True]
    assert greedy_nms(np.array([1.0, 1.0]), np.ones((2, 2)), 0.5).tolist() == [True, False]


def test_boxes_around_keypoints_hold_the_visible_ones() -> None:
    points = np.array([[[10, 20], [30, 60], [500, 500]], [[0, 0], [1, 1], [2, 2]]], np.float32)
    visible = np.array([[True, True, False], [False, False, False]])
    boxes = keypoints_to_boxes(points, visible, expand=1.5, size=(35, 400))
    np.testing.assert_allclose(boxes, [[5, 10, 35, 70], [0, 0, 0, 0]])


def test_oks_is_cocos_formula() -> None:
    a, b = np.zeros((1, 2, 2), np.float32), np.array([[[3, 4], [0, 0]]], np.float32)
    variance = (2 * np.array([0.05, 0.1], np.float32)) ** 2
    area = np.array([[400.0]], np.float32)
    expected = (np.exp(-25 / (2 * 400 * variance[0])) + 1) / 2
    both = oks_matrix(a, b, variance=variance, scale_sq=area)
    assert both.item() == pytest.approx(float(expected), rel=1e-5)
    one = np.array([[[True, False]]])
    only = oks_matrix(a, b, variance=variance, scale_sq=area, visible=one)
    assert only.item() == pytest.approx(float(2 * expected - 1), rel=1e-4)
    none = oks_matrix(a, b, variance=variance, scale_sq=area, visible=~one & one)
    assert none.item() == 0
