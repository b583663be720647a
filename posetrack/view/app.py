"""The routes of the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from posetrack import serve
from posetrack.errors import ConfigError, PosetrackError, SourceError
from posetrack.records import LOST, Recording
from posetrack.view.corrections import Corrections, Edit
from posetrack.view.curves import curve, known_curves
from posetrack.view.stills import Stills

PAGE = Path(__file__).parent / "page"
SHARED_PAGE = Path(serve.__file__).parent / "page"
"""Styles and drawing, which the daemon's page has too."""
MOST_FRAMES = 500
"""Of one answer about people."""
_FRESH = {"cache-control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Opened:
    """What is looked at.

    Attributes:
        corrections: the recording.
        visible: the score from which keypoints count.
        stills: pictures of the video; None without one.
        playable: a file that the browser may play by itself; None for others.
        zero_s: the time in that file at which the recording's is 0.
    """

    corrections: Corrections
    visible: float
    stills: Stills | None = None
    playable: Path | None = None
    zero_s: float = 0.0


def make_app(opened: Opened) -> FastAPI:
    """The application, without the door before it."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _add_reading(app, opened)
    _add_pictures(app, opened)
    _add_changing(app, opened.corrections)
    app.mount("/page/view", StaticFiles(directory=PAGE), name="view")
    app.mount("/page", StaticFiles(directory=SHARED_PAGE), name="page")
    app.add_exception_handler(PosetrackError, _failed)
    app.add_exception_handler(RequestValidationError, _unfit)

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=_FRESH)

    return app


def _add_reading(app: FastAPI, opened: Opened) -> None:
    corrections = opened.corrections

    @app.get("/v1/clip")
    def clip() -> dict[str, Any]:
        """What does not change: frames, times, skeleton."""
        known = corrections.original
        header, skeleton = known.header, known.header.skeleton
        return {
            "source": header.source,
            "size": header.size,
            "fps": float(header.fps),
            "frames": known.frames.tolist(),
            "times_s": np.round(known.times_s, 4).tolist(),
            "threshold": opened.visible,
            "skeleton": {
                "keypoints": skeleton.keypoints,
                "limbs": skeleton.limbs,
                "sides": list(skeleton.sides),
            },
            "curves": known_curves(skeleton),
            "pictures": opened.stills is not None,
            "video": opened.playable is not None,
            "zero_s": opened.zero_s,
        }

    @app.get("/v1/tracks")
    def tracks() -> dict[str, Any]:
        """What edits change: who is there when, and the edits."""
        return told(corrections)

    @app.get("/v1/people")
    def people(
        first: Annotated[int, Query(ge=0)], count: Annotated[int, Query(ge=1, le=MOST_FRAMES)]
    ) -> dict[str, Any]:
        """Everybody in a range of the recording's frames, by their place in it."""
        return {"people": people_in(corrections.recording, first, first + count)}

    @app.get("/v1/curve")
    def curve_of(track: int, name: str) -> dict[str, Any]:
        """One quantity of one person along time."""
        return curve(corrections.recording, track, name, opened.visible).to_json()


def _add_pictures(app: FastAPI, opened: Opened) -> None:
    @app.get("/v1/frames/{index}")
    def frame(index: int) -> Response:
        """A frame of the video by its index in the source."""
        if opened.stills is None:
            raise SourceError("there is no video: name it after the records")
        data = opened.stills.jpeg(index)
        kept = {"cache-control": "private, max-age=3600"}
        return Response(data, media_type="image/jpeg", headers=kept)

    @app.get("/v1/video")
    def video() -> Response:
        """The file itself, in ranges."""
        if opened.playable is None:
            raise SourceError("there is no video that a browser plays")
        return FileResponse(opened.playable)


def _add_changing(app: FastAPI, corrections: Corrections) -> None:
    @app.post("/v1/edits")
    def edit(wanted: Edit) -> dict[str, Any]:
        """Change the tracks."""
        corrections.make(wanted)
        return told(corrections)

    @app.post("/v1/undo")
    def undo() -> dict[str, Any]:
        """Take the last edit back."""
        corrections.undo()
        return told(corrections)

    @app.post("/v1/redo")
    def redo() -> dict[str, Any]:
        """Make it again."""
        corrections.redo()
        return told(corrections)

    @app.post("/v1/save")
    def save() -> dict[str, Any]:
        """Write the correction beside the original."""
        corrections.save()
        return told(corrections)


def told(corrections: Corrections) -> dict[str, Any]:
    """The tracks and the edits, as the page has them."""
    recording = corrections.recording
    done, undone = corrections.history()
    names = recording.header.names
    return {
        "version": corrections.version,
        "tracks": [{**each, "name": names.get(each["id"], "")} for each in _tracks(recording)],
        "done": done,
        "undone": undone,
        "saved": corrections.is_saved,
        "target": corrections.target.name,
    }


def _tracks(recording: Recording) -> Iterator[dict[str, Any]]:
    """Of each id its runs of frames ``[first place, last place, predicted]``, and how well seen."""
    rows = recording.rows
    order = np.lexsort((rows.frame, rows.ids))
    ids, starts = np.unique(rows.ids[order], return_index=True)
    places = np.searchsorted(recording.frames, rows.frame[order])
    lost, scores = (rows.states == LOST)[order], rows.scores.mean(axis=1)[order]
    if not len(ids):
        return
    breaks = (np.diff(places) != 1) | (lost[1:] != lost[:-1])
    for track_id, begin, end in zip(ids, starts, [*starts[1:], len(order)], strict=True):
        cuts = begin + 1 + np.flatnonzero(breaks[begin : end - 1])
        firsts, lasts = np.append(begin, cuts), np.append(cuts, end) - 1
        runs = np.stack([places[firsts], places[lasts], lost[firsts]], axis=-1)
        yield {
            "id": int(track_id),
            "runs": runs.tolist(),
            "frames": int(end - begin),
            "score": round(float(scores[begin:end].mean()), 3),
        }


def people_in(recording: Recording, first: int, last: int) -> list[list[dict[str, Any]]]:
    """Everybody, by frame, in places ``first`` to ``last - 1``; px with 1 decimal."""
    frames = recording.frames[first:last]
    if not len(frames):
        return []
    rows = recording.rows
    begins = np.searchsorted(rows.frame, frames, "left")
    ends = np.searchsorted(rows.frame, frames, "right")
    begin = int(begins[0])
    some = rows[begin : int(ends[-1])]
    points = np.empty((*some.scores.shape, 3))  # float64: 0.1 is then written as 0.1
    points[..., :2], points[..., 2] = some.keypoints, some.scores
    points[..., :2] = np.round(points[..., :2], 1)
    points = np.round(points, 3)
    boxes = np.round(some.boxes.astype(np.float64), 1)
    columns = zip(
        some.ids.tolist(), some.states.tolist(), boxes.tolist(), points.tolist(), strict=True
    )
    found = [
        {"id": who, "state": state, "bbox": box, "keypoints": keypoints}
        for who, state, box, keypoints in columns
    ]
    return [found[b - begin : e - begin] for b, e in zip(begins, ends, strict=True)]


def _failed(_: Request, error: Exception) -> Response:
    status = 422 if isinstance(error, ConfigError) else 404
    if not isinstance(error, ConfigError | SourceError):
        status = 500
    return JSONResponse({"error": str(error)}, status)


def _unfit(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"error": f"{place}: {first['msg']}"}, 422)
