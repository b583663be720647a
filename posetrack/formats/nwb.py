"""Neurodata Without Borders: one ``PoseEstimation`` a person in the module ``behavior`` (ndx-pose).

The session starts at the Unix epoch: records know media time only; lay it over your own clock.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.formats.dense import Dense, each_person
from posetrack.formats.place import part_of
from posetrack.records import Recording


def write(recording: Recording, path: Path) -> None:
    """Every keypoint as a time series in px, NaN with confidence 0 where it was not found."""
    from ndx_pose import Skeleton, Skeletons
    from pynwb import NWBHDF5IO, NWBFile

    header = recording.header
    file = NWBFile(
        session_description=f"poses of {header.source}, tracked by posetrack {header.version}",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_URL, header.to_json())),
        session_start_time=datetime.fromtimestamp(0, UTC),
    )
    names = list(header.skeleton.keypoints)
    edges = np.array(header.skeleton.limbs, np.uint8).reshape(-1, 2)
    skeleton = Skeleton(name=header.skeleton.name, nodes=names, edges=edges)
    module = file.create_processing_module("behavior", "poses of the people in the video")
    module.add(Skeletons(skeletons=[skeleton]))
    for track_id, one in each_person(recording):
        module.add(_estimation(track_id, one, skeleton))
    with part_of(path) as part:
        whole = part.with_name(part.name + ".nwb")  # the library wants its suffix
        with NWBHDF5IO(str(whole), "w") as out:
            out.write(file)
        whole.replace(part)


def _estimation(track_id: int, one: Dense, skeleton: Any) -> Any:
    from ndx_pose import PoseEstimation, PoseEstimationSeries

    header = one.header
    series = [
        PoseEstimationSeries(
            name=name,
            description=f"{name} of person {track_id}",
            data=one.keypoints[:, 0, index],
            unit="pixels",
            reference_frame="(0, 0) is the centre of the first pixel; x right, y down",
            timestamps=one.times_s,
            confidence=one.scores[:, 0, index],
            confidence_definition="score of the keypoint, 0 to 1",
        )
        for index, name in enumerate(header.skeleton.keypoints)
    ]
    return PoseEstimation(
        name=f"id{track_id}",
        pose_estimation_series=series,
        description=f"person {track_id} of {header.source}, {one.rate_hz:.6g} frames a second",
        original_videos=[header.source],
        dimensions=np.array([[header.size[1], header.size[0]]], np.uint16),
        scorer=str(dict(header.models).get("pose", "posetrack")),
        source_software="posetrack",
        source_software_version=header.version,
        skeleton=skeleton,
    )
