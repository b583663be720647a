"""Row-aligned arrays: checked once, selected together."""

from __future__ import annotations

import numpy as np
import pytest

from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame, Mark, Poses, Result, Tracks

PAIR = Skeleton("pair", ("a", "b"))


def poses(n: int) -> Poses:
    keypoints = np.arange(n * 4, dtype=np.float32).reshape(n, 2, 2)
    return Poses(keypoints, np.ones((n, 2)), np.zeros((n, 4)), np.ones(n), PAIR)


def test_arrays_take_their_type_and_are_contiguous() -> None:
    found = Detections(np.zeros((4, 2), int).T, [0.5, 1], [0, 1])  # type: ignore[arg-type]
    assert (found.boxes.dtype, found.labels.dtype) == (np.float32, np.int64)
    assert found.boxes.flags.c_contiguous
    assert len(found) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"boxes": np.zeros((2, 5))}, r"boxes must have shape \(\*, 4\), got \(2, 5\)"),
        ({"scores": np.zeros(3)}, r"scores must have shape \(2\), got \(3,\)"),
        ({"scores": np.array([0.5, np.nan])}, "scores must be finite"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    fields: dict[str, np.ndarray], message: str
) -> None:
    good = {"boxes": np.zeros((2, 4)), "scores": np.zeros(2), "labels": np.zeros(2)}
    with pytest.raises(ValueError, match=message):
        Detections(**(good | fields))  # type: ignore[arg-type]


def test_keypoints_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="keypoints must be finite"):
        Poses(np.full((1, 2, 2), np.inf), np.ones((1, 2)), np.zeros((1, 4)), np.ones(1), PAIR)


def test_selection_takes_every_array_along() -> None:
    tracks = Tracks(poses(3), np.array([4, 7, 9]), np.ones(3), np.ones(3, bool))
    for index in (1, -2, slice(1, 2), np.array([False, True, False]), np.array([1])):
        one = tracks[index]
        assert one.ids.tolist() == [7]
        np.testing.assert_array_equal(one.poses.keypoints, poses(3).keypoints[1:2])
    assert [each.ids.tolist() for each in tracks] == [[4], [7], [9]]
    assert tracks[-1].ids.tolist() == [9]


def test_nobody_has_the_right_shapes() -> None:
    assert Poses.empty(PAIR).keypoints.shape == (0, 2, 2)
    assert len(Tracks.empty(PAIR)) == len(Detections.empty()) == 0
    assert len(Detections.from_boxes([])) == 0


def test_pictures_are_colour_and_bytes_and_tell_what_they_are() -> None:
    frame = Frame(np.zeros((20, 30, 3), np.uint8), 5, 0.2, 0.0, "a.mp4")
    assert frame.size == (30, 20)
    assert repr(frame) == "Frame('a.mp4' #5 30x20 at 0.200 s)"
    assert "keypoints=(3, 2, 2)" in repr(poses(3))
    for bad in (np.zeros((20, 30), np.uint8), np.zeros((20, 30, 3))):
        with pytest.raises(ValueError, match="uint8 BGR"):
            Frame(bad, 0, 0, 0)  # type: ignore[arg-type]


def test_what_a_capture_gives_at_its_end_is_no_picture() -> None:
    with pytest.raises(ValueError, match="uint8 BGR, got NoneType"):
        Frame(None, 0, 0, 0)  # type: ignore[arg-type]


def test_a_result_is_shown_by_shapes_and_ids() -> None:
    tracks = Tracks(poses(3), np.array([4, 7, 9]), np.ones(3), np.ones(3, bool))
    frame = Frame(np.zeros((20, 30, 3), np.uint8), 5, 0.2, 0.0, "a.mp4")
    marks = (Mark("pose", 0.0, 0.1),)
    shown = repr(Result(frame, tracks, poses(3).keypoints, True, marks))
    assert shown.startswith("Result(Frame('a.mp4' #5 30x20 at 0.200 s), ids=[4, 7, 9], tracks=")
    assert "array(" not in shown
    assert "Mark" not in shown


def test_boxes_by_corner_and_size_are_not_taken_for_two_corners() -> None:
    with pytest.raises(ValueError, match=r"box 1 is \(300, 40, 60, 120\): .* x1, y1, x2, y2"):
        Detections.from_boxes([[10, 10, 20, 20], [300, 40, 60, 120]])
