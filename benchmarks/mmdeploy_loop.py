"""A video through MMDeploy's C++ PoseTracker: another side of `pipeline.py`.

    pip install mmdeploy-runtime==1.3.1 opencv-python-headless "numpy<2"      # Python 3.11 at most
    python benchmarks/mmdeploy_loop.py IN.mp4 OUT.mp4 --det DET.onnx --pose POSE.onnx

`cv2.VideoCapture` -> `PoseTracker` -> limbs drawn with OpenCV -> `cv2.VideoWriter` with mp4v, the
tracker at its defaults but for what the options name. The model folders that it wants are written
here from the plain exports. Prints one JSON object as the last line of stdout. Imports nothing of
posetrack: it runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
from mmdeploy_runtime import PoseTracker  # type: ignore[import-not-found]

LIMBS = ((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7))
LIMBS += ((6, 8), (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6))
SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062)
SIGMAS += (0.107, 0.107, 0.087, 0.087, 0.089, 0.089)
BGR = {"mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395], "to_rgb": False}
RGB = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375], "to_rgb": True}


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("video")
    parser.add_argument("output")
    parser.add_argument("--det", required=True, type=Path)
    parser.add_argument("--pose", required=True, type=Path)
    parser.add_argument("--det-size", type=int, default=320)
    parser.add_argument("--det-interval", type=int, default=5)
    parser.add_argument("--threshold", type=float, default=0.3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        det = model_folder(folder / "det", chosen.det, "Detector", detection(chosen.det_size))
        pose = model_folder(folder / "pose", chosen.pose, "PoseDetector", estimation())
        tracker = PoseTracker(det_model=str(det), pose_model=str(pose), device_name="cpu")
        state = tracker.create_state(
            det_interval=chosen.det_interval, det_thr=chosen.threshold, keypoint_sigmas=SIGMAS
        )
        frames, poses, seconds = loop(tracker, state, chosen)
    found = {
        "frames": frames,
        "loop_s": seconds,
        "people_mean": poses / max(frames, 1),
        "detector_runs": -(-frames // chosen.det_interval),
        "versions": {"mmdeploy-runtime": version("mmdeploy-runtime")},
    }
    print(json.dumps(found), flush=True)
    os._exit(0)  # its threads do not end by themselves


def loop(tracker: Any, state: Any, chosen: argparse.Namespace) -> tuple[int, int, float]:
    """Frames, poses, and seconds from the first read to the closed file."""
    begin = perf_counter()
    capture = cv2.VideoCapture(chosen.video)
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(chosen.output, codec, capture.get(cv2.CAP_PROP_FPS), size)
    frames = poses = 0
    while True:
        success, frame = capture.read()
        if not success:
            break
        keypoints, _, _ = tracker(state, frame, detect=-1)  # (N, K, 3)
        picture = frame.copy()
        for person in keypoints:
            draw(picture, person, chosen.threshold)
        writer.write(picture)
        frames, poses = frames + 1, poses + len(keypoints)
    capture.release()
    writer.release()
    return frames, poses, perf_counter() - begin


def draw(picture: Any, person: Any, threshold: float) -> None:
    """The limbs of a person (K, 3) whose ends are both seen."""
    points = [(int(x), int(y)) for x, y, _ in person]
    for a, b in LIMBS:
        if min(person[a][2], person[b][2]) > threshold:
            cv2.line(picture, points[a], points[b], (0, 255, 0), 2)


def model_folder(folder: Path, graph: Path, task: str, steps: list[Any]) -> Path:
    """An MMDeploy model folder with the graph in it."""
    folder.mkdir()
    shutil.copyfile(graph, folder / "end2end.onnx")
    model = {"name": "net", "net": "end2end.onnx", "weights": "", "backend": "onnxruntime"}
    model |= {"precision": "FP32", "batch_size": 1, "dynamic_shape": True}  # type: ignore[dict-item]
    deploy = {"version": "1.3.1", "task": task, "models": [model], "customs": []}
    pipeline = {"input": ["img"], "output": ["post_output"], "tasks": steps}
    (folder / "deploy.json").write_text(json.dumps(deploy), "utf-8")
    (folder / "pipeline.json").write_text(json.dumps({"pipeline": pipeline}), "utf-8")
    (folder / "detail.json").write_text(json.dumps({"version": "1.3.1"}), "utf-8")
    return folder


def tasks(transforms: list[Any], after: dict[str, Any]) -> list[Any]:
    """Transforms, the network, and what comes after it."""
    ends: list[Any] = [{"type": "LoadImageFromFile"}, *transforms, {"type": "DefaultFormatBundle"}]
    ends.append({"type": "Collect", "keys": ["img"], "meta_keys": META})
    common = {"type": "Task"}
    before = {"module": "Transform", "name": "Preprocess", "transforms": ends}
    net = {"module": "Net", "name": "net", "is_batched": True, "input_map": {"img": "input"}}
    return [
        common | before | {"input": ["img"], "output": ["prep_output"]},
        common | net | {"output_map": {}, "input": ["prep_output"], "output": ["infer_output"]},
        common
        | after
        | {"name": "postprocess", "input": ["prep_output", "infer_output"]}
        | {"output": ["post_output"]},
    ]


META = ["img_shape", "ori_shape", "scale_factor", "pad_shape", "img_norm_cfg", "flip", "center"]
META += ["scale", "rotation", "flip_pairs", "valid_ratio", "bbox_score", "flip_direction"]


def detection(side: int) -> list[Any]:
    """The pipeline of a detector that gives ``dets`` and ``labels``."""
    transforms = [
        {"type": "Resize", "keep_ratio": True, "size": [side, side]},
        {"type": "Pad", "size": [side, side], "pad_val": {"img": [114, 114, 114]}},
        {"type": "Normalize", **BGR},
    ]
    params = {"score_thr": 0.05, "nms": {"type": "nms", "iou_threshold": 0.6}, "max_per_img": 100}
    return tasks(transforms, {"module": "mmdet", "component": "ResizeBBox", "params": params})


def estimation() -> list[Any]:
    """The pipeline of a SimCC pose network for crops of 192 x 256."""
    size = [192, 256]
    transforms = [
        {"type": "TopDownGetBboxCenterScale", "padding": 1.25, "image_size": size},
        {"type": "TopDownAffine", "image_size": size},
        {"type": "Normalize", **RGB},
    ]
    params = {"input_size": size, "simcc_split_ratio": 2.0, "normalize": False}
    params |= {"type": "SimCCLabel", "flip_test": False, "use_dark": False}
    return tasks(
        transforms, {"module": "mmpose", "component": "SimCCLabelDecode", "params": params}
    )


if __name__ == "__main__":
    main()
