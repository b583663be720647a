"""What a stream's settings and models come to: keypoint set, and every value as it holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException

from posetrack.serve.api import schemas
from posetrack.serve.api.errors import answers
from posetrack.serve.daemon import Daemon
from posetrack.serve.pictures import painter_of
from posetrack.serve.settings import NAME

Name = Annotated[str, Path(description="the stream's id", pattern=NAME)]


def tracking_routes(daemon: Daemon) -> APIRouter:
    """The routes, for one daemon."""
    router = APIRouter(tags=["streams"])

    @router.get(
        "/v1/streams/{stream}/tracking",
        summary="Keypoint set, and the tracker's settings as they hold",
        responses=answers(404, 422, 503),
    )
    def tracking(stream: Name) -> schemas.Tracking:
        """What the keypoints of the messages are and which of them to connect, and what is not
        said in the settings: the preset's values and the model cards' thresholds.
        """
        found = daemon.supervisor.get(stream)
        perception = found.perception
        if perception is None:
            raise HTTPException(503, "the models are not loaded yet", {"retry-after": "1"})
        own = perception.skeleton
        style = painter_of(found.settings, None).style
        drawn = style.skeleton or own
        detector = perception.detector
        return schemas.Tracking(
            skeleton=schemas.Skeleton(
                name=own.name,
                keypoints=list(own.keypoints),
                limbs=list(drawn.limbs),
                sides=list(drawn.sides),
            ),
            detection_threshold=None if detector is None else detector.threshold,
            tracker=asdict(perception.tracker.settings),
            drawing=schemas.Drawing(
                layers=sorted(style.layers), colours=style.scheme, thickness=style.thickness
            ),
        )

    return router
