"""Recordings: start, stop, list, download, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import FileResponse

from posetrack.serve.api import schemas
from posetrack.serve.api.errors import answers, optional_json_body, strictly
from posetrack.serve.api.openapi import body_of
from posetrack.serve.daemon import Daemon
from posetrack.serve.settings import NAME

Name = Annotated[str, Path(description="the stream's id", pattern=NAME)]
File = Annotated[str, Path(description="one of the list", max_length=64)]
_TYPES = {".mp4": "video/mp4", ".jsonl": "application/x-ndjson"}


def recording_routes(daemon: Daemon) -> APIRouter:
    """The routes, for one daemon."""
    router = APIRouter(tags=["recordings"])
    recordings, supervisor = daemon.recordings, daemon.supervisor

    @router.get(
        "/v1/streams/{stream}/recordings",
        summary="What is recorded of a stream",
        responses=answers(409, 422),
    )
    def listed(stream: Name) -> schemas.RecordingList:
        """The finished files, also of a stream that is gone, and the newest recording."""
        newest = recordings.newest(stream)
        return schemas.RecordingList.model_validate(
            {"newest": newest and newest.shown(), "files": recordings.files(stream)}
        )

    @router.post(
        "/v1/streams/{stream}/recordings",
        status_code=201,
        summary="Start a recording",
        responses=answers(404, 409, 422, 507),
        openapi_extra=body_of("RecordingWish", required=False),
    )
    def start(
        stream: Name, given: Annotated[Any, Depends(optional_json_body)]
    ) -> schemas.Recording:
        """Video and records from the next frame on, until it is stopped, for an hour at most
        (media.recording_s), or until the quota is spent.
        """
        wish = strictly(schemas.RecordingWish, given)
        recorder = recordings.start(
            supervisor.get(stream), drawn=wish.drawn, video=wish.video, records=wish.records
        )
        return schemas.Recording.model_validate(recorder.shown())

    @router.post(
        "/v1/streams/{stream}/recordings/stop",
        summary="Stop a recording",
        responses=answers(404, 409, 422),
    )
    def stop(stream: Name) -> schemas.Recording:
        """The files are finalised, and in the list afterwards."""
        supervisor.get(stream)
        return schemas.Recording.model_validate(recordings.stop(stream).shown())

    @router.get(
        "/v1/streams/{stream}/recordings/{name}",
        summary="Download a recording",
        responses=answers(404, 409, 422)
        | {200: {"content": {kind: {"schema": {"type": "string"}} for kind in _TYPES.values()}}},
        response_class=FileResponse,
    )
    def download(stream: Name, name: File) -> FileResponse:
        """A file of the list."""
        path = recordings.path(stream, name)
        return FileResponse(path, media_type=_TYPES[path.suffix], filename=f"{stream}-{path.name}")

    @router.delete(
        "/v1/streams/{stream}/recordings/{name}",
        status_code=204,
        summary="Delete a recording",
        responses=answers(404, 409, 422),
    )
    def delete(stream: Name, name: File) -> None:
        """For good."""
        recordings.delete(stream, name)

    return router
