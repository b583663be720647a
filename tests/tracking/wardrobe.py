"""People of grey, red, blue and green who stand, come and go, in real pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from tracking.walkers import COCO, STANDING

from posetrack.figures import Colour
from posetrack.tracking import Proposals, Tracker, TrackerSettings
from posetrack.tracking.embeddings import Embed
from posetrack.types import Detections, Floats, Image, Poses

SIZE = (640, 480)
RED, BLUE, GREEN = (40, 40, 190), (180, 70, 40), (60, 150, 60)


Wearer = tuple[float, Colour, Colour] | tuple[float, Colour, Colour, Colour]
"""Who stands at x px, in a top and trousers, perhaps with a sign on both."""


def stand(x: float, height: float = 200.0) -> Floats:
    return np.asarray(STANDING * height + np.array([x, 240.0]), np.float32)


def picture(*people: Wearer, light: float = 1.0) -> Image:
    """Everybody, on grey. The signs lie between the limbs, where `look` takes no colour."""
    image = np.full((SIZE[1], SIZE[0], 3), 128.0)
    for x, top, trousers, *sign in people:
        left, right = max(int(x - 42), 0), max(int(x + 42), 0)
        image[150:244, left:right] = top
        image[244:340, left:right] = trousers
        if sign:
            image[182:238, int(x - 10) : int(x + 10)] = sign[0]
            image[254:332, int(x - 10) : int(x + 10)] = sign[0]
    return np.clip(image * light, 0, 255).astype(np.uint8)


class Stage:
    """People who stand, come and go; every frame is a detector frame unless said otherwise."""

    def __init__(self, embed: Embed | None = None, **settings: float) -> None:
        asked: dict[str, Any] = {"revive_s": 10.0, "likeness_weight": 0.5} | settings
        chosen = TrackerSettings(keypoint_threshold=0.3, **asked)
        self.tracker = Tracker(chosen, COCO, embed)

    def at(
        self, t_s: float, *people: Wearer, blind: bool = False, detect: bool = True
    ) -> dict[float, int]:
        """The id of whoever is at each place."""
        image = picture(*people)
        keypoints = [stand(x) for x, *_ in people]
        boxes = [np.concatenate([k.min(axis=0), k.max(axis=0)]) for k in keypoints]
        found = Detections.from_boxes(np.array(boxes, np.float32).reshape(-1, 4))
        proposals: Proposals = self.tracker.propose(found if detect else None, t_s=t_s, size=SIZE)
        poses = self._read(proposals.boxes, keypoints)
        tracks, _ = self.tracker.update(
            poses, proposals, t_s=t_s, size=SIZE, image=None if blind else image
        )
        where = {x: stand(x)[0, 0] for x, *_ in people}
        return {
            x: int(tracks.ids[np.abs(tracks.poses.keypoints[:, 0, 0] - nose).argmin()])
            for x, nose in where.items()
        }

    def _read(self, boxes: Floats, people: list[Floats]) -> Poses:
        """Of whoever is nearest to the middle of each box, if he is inside."""
        keypoints = np.zeros((len(boxes), 17, 2), np.float32)
        scores = np.zeros((len(boxes), 17), np.float32)
        for row, box in enumerate(boxes):
            middle = (box[0] + box[2]) / 2
            near = min(people, key=lambda k: abs(k[:, 0].mean() - middle), default=None)
            if near is not None and abs(near[:, 0].mean() - middle) < 40:
                keypoints[row], scores[row] = near, 0.9
        return Poses(keypoints, scores, boxes, np.full(len(boxes), 0.9, np.float32), COCO)
