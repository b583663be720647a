"""The streams: list, add, look at, change, remove."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from posetrack.serve.api import schemas
from posetrack.serve.api.errors import answers, json_body, strictly
from posetrack.serve.api.openapi import PATCH, STREAM, body_of
from posetrack.serve.daemon import Daemon
from posetrack.serve.message import Published
from posetrack.serve.pictures import jpeg, painter_of
from posetrack.serve.settings import NAME, StreamSettings

Name = Annotated[str, Path(description="the stream's id", pattern=NAME)]
Given = Annotated[Any, Depends(json_body)]


def stream_routes(daemon: Daemon) -> APIRouter:
    """The routes, for one daemon."""
    router = APIRouter(tags=["streams"])
    supervisor = daemon.supervisor

    @router.get("/v1/streams", summary="Every stream", responses=answers())
    def streams() -> schemas.Streams:
        """State, figures and settings of each."""
        return schemas.Streams.model_validate(
            {"streams": [stream.shown() for stream in supervisor.all()]}
        )

    @router.post(
        "/v1/streams",
        status_code=201,
        summary="Add a stream",
        responses=answers(409, 422),
        openapi_extra=body_of(STREAM),
    )
    def add(given: Given, response: Response) -> schemas.StreamStatus:
        """It is opened at once and lasts until it is removed or the daemon ends.

        The address must be of an allowed scheme and network, a file must lie in the media root.
        """
        stream = supervisor.add(strictly(StreamSettings, given))
        response.headers["location"] = f"/v1/streams/{stream.id}"
        return schemas.StreamStatus.model_validate(stream.shown())

    @router.get("/v1/streams/{stream}", summary="One stream", responses=answers(404, 422))
    def one(stream: Name) -> schemas.StreamStatus:
        """State, figures and settings."""
        return schemas.StreamStatus.model_validate(supervisor.get(stream).shown())

    @router.patch(
        "/v1/streams/{stream}",
        summary="Change settings of a stream",
        responses=answers(404, 409, 422),
        openapi_extra=body_of(PATCH),
    )
    def change(stream: Name, given: Given) -> schemas.Changed:
        """Only what is given changes. Detector interval, thresholds, smoothing, people, drawing,
        region and preview act on the next frame; address, models and a few settings of the tracker
        open the stream anew (`restarted`), and ids go on. null sets a section to its default.
        """
        if not isinstance(given, dict):
            raise HTTPException(422, "an object of settings was expected")
        changed, restarted = supervisor.change(stream, given)
        return schemas.Changed.model_validate({"restarted": restarted, "stream": changed.shown()})

    @router.delete(
        "/v1/streams/{stream}",
        status_code=204,
        summary="Remove a stream",
        responses=answers(404, 409, 422),
    )
    def remove(stream: Name) -> None:
        """It is stopped; its recordings stay. One of the file comes back at the next start."""
        if not daemon.config.security.api_streams:
            raise HTTPException(409, "streams are removed in the file only")
        supervisor.remove(stream)

    @router.get(
        "/v1/streams/{stream}/latest",
        summary="The people of the newest frame",
        responses=answers(404, 422, 503),
    )
    def latest(
        stream: Name,
        raw: Annotated[
            bool, Query(description="also the keypoints as the network gave them")
        ] = False,
    ) -> schemas.Poses:
        """The message that live clients get, of the newest frame there is."""
        message = _newest(daemon, stream).message
        text = message.raw_text if raw else message.text
        return Response(text, media_type="application/json")  # type: ignore[return-value]

    @router.get(
        "/v1/streams/{stream}/snapshot.jpg",
        summary="The newest frame as a picture",
        responses=answers(404, 422, 503)
        | {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
        response_class=Response,
    )
    async def snapshot(
        stream: Name,
        draw: Annotated[bool, Query(description="with the people drawn")] = True,
        width: Annotated[int | None, Query(ge=16, le=8192, description="px at most")] = None,
    ) -> Response:
        """As large as the frames, unless `width` says less."""
        frame, settings = _newest(daemon, stream), supervisor.get(stream).settings

        def picture() -> bytes:
            painter = painter_of(settings, None)
            image = painter(frame.result) if draw else painter.plain(frame.result)
            return jpeg(image, width=width)

        return Response(
            await run_in_threadpool(picture),
            media_type="image/jpeg",
            headers={"cache-control": "no-store"},
        )

    @router.get("/v1/models", summary="The networks that are loaded", responses=answers())
    def models() -> schemas.Models:
        """Those that a new stream may name."""
        return schemas.Models.model_validate({"models": daemon.models.names()})

    return router


def _newest(daemon: Daemon, stream: str) -> Published:
    frame = daemon.supervisor.get(stream).latest
    if frame is None:
        raise HTTPException(503, "no frame has come yet", {"retry-after": "1"})
    return frame
