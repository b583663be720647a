"""Predictions as MMPose's demos save them: ``meta_info`` and a list ``instance_info``.

Frames count from 1 there, as in ``topdown_demo_with_mmdet.py --save-predictions``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posetrack.formats.place import write_json
from posetrack.records import Recording
from posetrack.records.schema import Record


def write(recording: Recording, path: Path) -> None:
    """Every frame, those without people included; ``track_id`` is added to each instance."""
    header, skeleton = recording.header, recording.header.skeleton
    names = skeleton.keypoints
    meta = {
        "dataset_name": skeleton.name,
        "num_keypoints": len(names),
        "keypoint_id2name": {str(index): name for index, name in enumerate(names)},
        "keypoint_name2id": {name: index for index, name in enumerate(names)},
        "flip_pairs": [list(pair) for pair in skeleton.flip_pairs],
        "skeleton_links": [list(limb) for limb in skeleton.limbs],
        "sigmas": list(skeleton.sigmas),
        "source": header.source,
        "fps": header.fps,
        "image_size": list(header.size),
        "units": "px, x right, y down",
    }
    frames = [
        {
            "frame_id": record.frame + 1,
            "pts_s": round(record.pts_s, 6),
            "instances": _instances(record),
        }
        for record in recording.records()
    ]
    write_json(path, {"meta_info": meta, "instance_info": frames})


def _instances(record: Record) -> list[dict[str, Any]]:
    def listed(values: Any, decimals: int) -> Any:
        return np.round(np.asarray(values, np.float64), decimals).tolist()

    return [
        {
            "keypoints": listed(record.keypoints[index], 2),
            "keypoint_scores": listed(record.scores[index], 4),
            "bbox": [listed(record.boxes[index], 2)],
            "bbox_score": listed(record.box_scores[index], 4),
            "track_id": track_id,
        }
        for index, track_id in enumerate(record.ids.tolist())
    ]
