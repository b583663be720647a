"""SLEAP's analysis HDF5: ``tracks`` (tracks, 2, nodes, frames), one frame for each of the video."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from posetrack.formats.dense import Dense
from posetrack.formats.place import part_of
from posetrack.records import Recording


def write(recording: Recording, path: Path) -> None:
    """What SLEAP exports as analysis; NaN where a point was not found."""
    import h5py

    dense = Dense.of(recording, every_frame=True)
    skeleton = dense.header.skeleton
    names = skeleton.keypoints
    found = {
        "tracks": dense.keypoints.transpose(1, 3, 2, 0),
        "track_occupancy": dense.present.astype(np.uint8),
        "point_scores": np.where(dense.scores > 0, dense.scores, np.nan).transpose(1, 2, 0),
        "instance_scores": dense.box_scores.T,
        "tracking_scores": np.where(dense.present, 1.0, np.nan).T,
        "edge_inds": np.array(skeleton.limbs, np.int64).reshape(-1, 2),
    }
    words = {
        "track_names": [f"id{each}" for each in dense.ids],
        "node_names": list(names),
        "edge_names": [[names[a], names[b]] for a, b in skeleton.limbs],
    }
    notes = {
        "posetrack": dense.header.version,
        "skeleton": skeleton.name,
        "fps": dense.rate_hz,
        "units": "px, x right, y down",
    }
    with part_of(path) as part, h5py.File(part, "w") as file:
        for name, values in found.items():
            file.create_dataset(name, data=values, compression="gzip")
        for name, text in words.items():
            file.create_dataset(name, data=np.array(text, "S"))
        file["labels_path"] = ""
        file["video_path"] = dense.header.source
        file["video_ind"] = 0
        file["provenance"] = json.dumps(notes)
