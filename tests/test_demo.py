"""The generated clip: the same at every call, readable, with the truth about every frame."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from posetrack import demo, figures, motions
from posetrack.errors import SinkError

OUTFIT = figures.Outfit((150, 175, 215), (30, 30, 30), (60, 70, 160), (100, 70, 50), (40, 40, 40))


def test_the_clip_is_the_same_at_every_call() -> None:
    one, two = (list(demo.frames(0.12)) for _ in range(2))
    assert len(one) == 3
    for (a, truth_a), (b, truth_b) in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(truth_a.keypoints, truth_b.keypoints)


def test_people_keep_their_ids_and_their_joints_lie_in_their_boxes() -> None:
    for picture, truth in demo.frames(4, fps=1):
        assert picture.shape == (480, 640, 3)
        assert picture.dtype == np.uint8
        assert sorted(truth.ids) == [1, 2, 3]
        low = truth.boxes[:, None, :2] - 3
        high = truth.boxes[:, None, 2:] + 3
        joints = truth.keypoints
        inside = (joints >= low) & (joints <= high)
        assert inside[joints[..., 0] < 639].all()


def test_the_clip_written_is_h264_with_the_asked_length_and_size(tmp_path: Path) -> None:
    path = tmp_path / "demo.mp4"
    truths = demo.make_clip(path, seconds=0.4, size=(320, 240))
    assert len(truths) == 10
    assert [p.name for p in tmp_path.iterdir()] == ["demo.mp4"]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (320, 240)
        assert stream.average_rate == 25
        assert sum(1 for _ in container.decode(video=0)) == 10
    assert truths[0].boxes[:, 2].max() < 320


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"cannot write .*demo.mp4: "):
        demo.make_clip(tmp_path / "file" / "demo.mp4", seconds=0.1)


def test_left_is_the_figures_own_left() -> None:
    front = figures.draw(motions.walking(0.0), OUTFIT, yaw=0.0, height_px=120)
    back = figures.draw(motions.walking(0.0), OUTFIT, yaw=np.pi, height_px=120)
    left, right = 5, 6
    assert front.keypoints[left, 0] > front.keypoints[right, 0]
    assert back.keypoints[left, 0] < back.keypoints[right, 0]


def test_a_figure_is_as_tall_as_asked_and_stands_on_the_ground() -> None:
    sprite = figures.draw(motions.walking(1.0), OUTFIT, yaw=0.3, height_px=200)
    assert sprite.box[3] - sprite.box[1] == pytest.approx(200, abs=14)
    assert sprite.box[3] == pytest.approx(0.97 * 270, abs=4)


@pytest.mark.shared
def test_a_real_detector_finds_everybody(shared_dir: Path) -> None:
    from posetrack.detector import Detector

    path = shared_dir / "data" / "weights" / "rtmdet-nano-nms-dynamic.onnx"
    detector = Detector.load(f"rtmdet-nano-person-sdk@{path}", threshold=0.4)
    for picture, truth in demo.frames(8, fps=1):
        boxes = detector(picture).boxes
        everybody = np.vstack([truth.boxes, np.array([demo.PORTRAIT], np.float32)])
        for person in everybody:
            assert max(_iou(person, box) for box in boxes) > 0.5
    detector.close()


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0))
    return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common))
