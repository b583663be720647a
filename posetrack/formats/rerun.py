"""A Rerun recording: every person's keypoints with their limbs and his box, over frames and time.

Entities are ``people/id3/keypoints`` and ``people/id3/box`` under the timelines ``frame`` and
``time``. A frame in which somebody is not there holds nothing of him, so that the viewer does not
show where he was before.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.formats.place import part_of
from posetrack.media.palette import id_colour
from posetrack.records import Recording, Sightings
from posetrack.skeletons import Skeleton
from posetrack.types import Ints

PERSON = 0


def write(recording: Recording, path: Path) -> None:
    """One recording, named after the source."""
    import rerun as rr

    header = recording.header
    stream = rr.RecordingStream("posetrack")
    with part_of(path) as part:
        stream.save(part)
        stream.log("/", _annotation(header.skeleton), static=True)
        known = {
            "source": header.source,
            "fps": float(header.fps),
            "width": header.size[0],
            "height": header.size[1],
            "skeleton": header.skeleton.name,
            "units": "px, x right, y down; seconds",
        }
        stream.log("posetrack", rr.AnyValues(**known), static=True)
        for track_id in recording.ids():
            _log(stream, recording, track_id)
        stream.flush()
        stream.disconnect()


def _annotation(skeleton: Skeleton) -> object:
    import rerun as rr

    names = [rr.AnnotationInfo(id=i, label=name) for i, name in enumerate(skeleton.keypoints)]
    return rr.AnnotationContext(
        [
            rr.ClassDescription(
                info=rr.AnnotationInfo(id=PERSON, label="person"),
                keypoint_annotations=names,
                keypoint_connections=list(skeleton.limbs),
            )
        ]
    )


def _log(stream: object, recording: Recording, track_id: int) -> None:
    """One person's columns; frames without him, and the one after his last, are empty."""
    import rerun as rr

    rows = recording.track(track_id)
    first, last = np.searchsorted(recording.frames, (rows.frame[0], rows.frame[-1]))
    frames = recording.frames[first : last + 2]
    times = [
        rr.TimeColumn("frame", sequence=frames),
        rr.TimeColumn("time", duration=recording.times_s[first : last + 2]),
    ]
    there = np.isin(frames, rows.frame).astype(np.int64)
    found = rows.scores > 0
    counts = _spread(found.sum(axis=1), there)
    blue, green, red = id_colour(track_id)
    colour = np.array([red, green, blue, 255], np.uint8)
    place = f"people/id{track_id}"
    points = rr.Points2D.columns(
        positions=rows.keypoints[found],
        keypoint_ids=np.nonzero(found)[1].astype(np.uint16),
        class_ids=np.full(int(found.sum()), PERSON, np.uint16),
        colors=np.tile(colour, (int(found.sum()), 1)),
    )
    rr.send_columns(f"{place}/keypoints", times, points.partition(counts), recording=stream)
    scores = rr.AnyValues.columns(scores=rows.scores[found])
    rr.send_columns(f"{place}/keypoints", times, scores.partition(counts), recording=stream)
    boxes = rr.Boxes2D.columns(
        centers=(rows.boxes[:, :2] + rows.boxes[:, 2:]) / 2,
        half_sizes=(rows.boxes[:, 2:] - rows.boxes[:, :2]) / 2,
        labels=_labels(rows, track_id),
        colors=np.tile(colour, (len(rows), 1)),
    )
    rr.send_columns(f"{place}/box", times, boxes.partition(there), recording=stream)


def _spread(counts: Ints, there: Ints) -> Ints:
    """Lengths of every frame: those of the rows where he is there, else 0."""
    lengths = np.zeros(len(there), np.int64)
    lengths[there > 0] = counts
    return lengths


def _labels(rows: Sightings, track_id: int) -> list[str]:
    return [f"{track_id} {score:.2f}" for score in rows.box_scores.tolist()]
