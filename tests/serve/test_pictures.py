"""Faces are hidden in every picture of a stream that is told to, drawn or not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from posetrack.config import DrawingSettings
from posetrack.serve.hub import Hub
from posetrack.serve.pictures import Preview
from posetrack.serve.settings import StreamSettings
from posetrack.skeletons import load_skeleton
from posetrack.types import Frame, Poses, Result, Tracks

BOX = (100, 60, 220, 300)


def somebody() -> Result:
    """Noise all over, and a person whose head was not found."""
    skeleton = load_skeleton("coco")
    image = np.random.default_rng(0).integers(0, 255, (360, 480, 3), np.uint8)
    keypoints, scores = np.zeros((1, 17, 2)), np.zeros((1, 17))
    poses = Poses(keypoints, scores, np.array([BOX]), np.ones(1), skeleton)
    tracks = Tracks(poses, np.zeros(1), np.ones(1), np.ones(1, bool))
    return Result(Frame(image, 0, 0.0, 0.0), tracks, poses.keypoints, True)


@pytest.mark.parametrize("kind", ["plain", "drawn"])
@pytest.mark.parametrize("hidden", [True, False])
def test_a_preview_hides_faces_where_it_is_told_to(kind, hidden) -> None:
    drawing = DrawingSettings(blur_faces=hidden, layers=())
    settings = StreamSettings(id="hall", url="clip.mp4", drawing=drawing)
    hub = Hub()
    with hub.subscription("viewer", [kind], ["hall"]) as viewer:
        Preview(hub, "hall").show(somebody(), settings, 0.3)
        item = viewer.ring.take(1)
    data = np.frombuffer(item.content.jpeg, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    scale = picture.shape[1] / 480
    left, top, right, bottom = (round(side * scale) for side in (110, 70, 210, 130))
    spread = picture[top:bottom, left:right].std()
    assert spread < 12 if hidden else spread > 25
