"""A video through rtmlib's PoseTracker, as its own examples do it: the other side of `pipeline.py`.

    pip install rtmlib==0.0.16
    python benchmarks/rtmlib_loop.py IN.mp4 OUT.mp4 --det DET.onnx --pose POSE.onnx

`cv2.VideoCapture` -> `PoseTracker` -> `draw_skeleton` -> `cv2.VideoWriter` with mp4v, everything at
its defaults but for what the options name. Prints one JSON object as the last line of stdout.
Imports nothing of posetrack: it runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from importlib.metadata import version
from time import perf_counter
from typing import Any

import cv2
from rtmlib import (  # type: ignore[import-not-found]
    Custom,
    PoseTracker,
    draw_skeleton,
)


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("video")
    parser.add_argument("output")
    parser.add_argument("--det", required=True)
    parser.add_argument("--pose", required=True)
    parser.add_argument("--det-size", type=int, default=320)
    parser.add_argument("--det-interval", type=int, default=5)
    parser.add_argument("--threshold", type=float, default=0.3)
    parser.add_argument("--tracking", action="store_true")
    chosen = parser.parse_args()

    solution = partial(
        Custom,
        det_class="RTMDet",
        det=chosen.det,
        det_input_size=(chosen.det_size, chosen.det_size),
        pose_class="RTMPose",
        pose=chosen.pose,
        pose_input_size=(192, 256),
    )
    tracker = PoseTracker(solution, det_frequency=chosen.det_interval, tracking=chosen.tracking)
    tracker.det_model.score_thr = chosen.threshold
    detections = count_calls(tracker)
    frames, poses, seconds = loop(tracker, chosen.video, chosen.output, chosen.threshold)
    found = {
        "frames": frames,
        "loop_s": seconds,
        "people_mean": poses / max(frames, 1),
        "detector_runs": detections[0],
        "versions": {name: version(name) for name in ("rtmlib", "onnxruntime", "opencv-python")},
    }
    print(json.dumps(found))


def count_calls(tracker: Any) -> list[int]:
    """A number that grows with every run of the detector."""
    count, detect = [0], tracker.det_model.postprocess

    def counted(*args: Any) -> Any:
        count[0] += 1
        return detect(*args)

    tracker.det_model.postprocess = counted
    return count


def loop(tracker: Any, video: str, output: str, threshold: float) -> tuple[int, int, float]:
    """Frames, poses, and seconds from the first read to the closed file."""
    begin = perf_counter()
    capture = cv2.VideoCapture(video)
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(output, codec, capture.get(cv2.CAP_PROP_FPS), size)
    frames = poses = 0
    while True:
        success, frame = capture.read()
        if not success:
            break
        keypoints, scores = tracker(frame)
        picture = draw_skeleton(frame.copy(), keypoints, scores, kpt_thr=threshold)
        writer.write(picture)
        frames, poses = frames + 1, poses + len(keypoints)
    capture.release()
    writer.release()
    return frames, poses, perf_counter() - begin


if __name__ == "__main__":
    main()
