"""People, identities and keypoints through the whole loop, on clips with ground truth.

    pip install trackers
    python benchmarks/tracking.py --data PATH
    python benchmarks/tracking.py --data PATH --scores-python /other/venv/bin/python

Every clip goes through `posetrack.track`, as `posetrack run` does it, with the detector on every
fifth frame and on every frame:

* three MOTChallenge clips, for each detector: recall, precision, IDF1, MOTA, HOTA and identity
  switches of the tracks' boxes at IoU .5 (true boxes with flag and class 1). True boxes hold the
  whole body with arms and bags, ours follow the keypoints;
* the JHMDB clips: PCK at 0.2 (and 0.1) of the longer side of the true box over the annotated
  joints, of the track whose box overlaps the true one most in that frame; without any, every joint
  of the frame is wrong;
* a clip without people, made of photographs without people that are moved slowly, each for ten
  frames: on how many frames somebody is tracked, and how many ids there are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import report

import posetrack
from posetrack.datasets.images import ImageStore
from posetrack.geometry import iou_matrix, xywh_to_xyxy
from posetrack.types import Floats, Image, Result

MOT_CLIPS = ("TUD-Campus", "TUD-Stadtmitte", "PETS09-S2L1")
REAL_DETECTOR = "rtmdet-nano-person-sdk@{data}/weights/rtmdet-nano-nms-dynamic.onnx"
PARTS = ("mot", "jhmdb", "nobody")
NOBODY_SIZE, NOBODY_FRAMES, NOBODY_FPS = (640, 480), 10, 25

Row = dict[str, Any]


@dataclass(frozen=True)
class Loop:
    """Which models, and how often the detector runs."""

    name: str
    det: str
    pose: str
    interval: int

    def results(self, clip: Path) -> Iterator[Result]:
        """One a frame."""
        return posetrack.track(clip, det=self.det, pose=self.pose, det_interval=self.interval)

    @property
    def labels(self) -> Row:
        """The beginning of each of its rows."""
        return {"detector": self.name, "det_interval": self.interval}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="tracking.json")
    parser.add_argument("--det", default="embedded", help="detector (default: the embedded one)")
    parser.add_argument("--pose", default="embedded", help="pose model (default: embedded)")
    parser.add_argument("--real-det", default=REAL_DETECTOR, help="a pretrained detector beside it")
    parser.add_argument("--intervals", type=int, nargs="+", default=[5, 1])
    parser.add_argument("--scores-python", default=sys.executable, help="has `trackers` installed")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    real = chosen.real_det.format(data=chosen.data)
    loops = [
        Loop(name, det, chosen.pose, interval)
        for name, det in (("ours", chosen.det), ("pretrained", real))
        for interval in chosen.intervals
    ]
    figures: dict[str, Any] = {"pose": chosen.pose}
    with tempfile.TemporaryDirectory() as name:
        folder, video = Path(name), chosen.data / "video"
        if "mot" in chosen.parts:
            clips = [video / clip / f"{clip}.mp4" for clip in MOT_CLIPS]
            rows = [(loop, clip) for clip in clips for loop in loops]
            scored = [mot_row(*row, folder, chosen.scores_python) for row in rows]
            figures["mot"] = scored
            print_mot(scored)
        if "jhmdb" in chosen.parts:
            figures["jhmdb"] = [row for loop in loops for row in jhmdb_rows(loop, video / "jhmdb")]
            print_jhmdb(figures["jhmdb"])
        if "nobody" in chosen.parts:
            make_nobody(chosen.data, folder / "nobody.mp4")
            figures["nobody"] = [ghost_row(loop, folder / "nobody.mp4") for loop in loops]
            print_ghosts(figures["nobody"])
    report.write(chosen.json, figures)


def mot_row(loop: Loop, clip: Path, folder: Path, python: str) -> Row:
    """Scores of one clip; the MOTChallenge files lie in `folder`."""
    truth, found = folder / f"{clip.stem}.gt.txt", folder / f"{clip.stem}.txt"
    lines = (clip.parent / "gt.txt").read_text("utf-8").splitlines()
    kept = [line for line in lines if [float(v) for v in line.split(",")[6:8]] == [1, 1]]
    truth.write_text("\n".join(kept) + "\n", "utf-8")
    rows, frames = [], 0
    for result in loop.results(clip):
        frames += 1
        tracks = result.tracks
        for number, (x1, y1, x2, y2) in zip(tracks.ids, tracks.poses.boxes, strict=True):
            rows.append(f"{frames},{number},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},1,-1,-1")
    ids = len({row.split(",")[1] for row in rows})
    row: Row = {"clip": clip.stem} | loop.labels | {"frames": frames, "ids": ids}
    if not rows:  # the scorer does not read empty files
        nothing = dict.fromkeys(("recall", "precision", "idf1", "mota", "hota"), 0.0)
        return row | nothing | {"id_switches": 0}
    found.write_text("\n".join(rows) + "\n", "utf-8")
    script = Path(__file__).with_name("mot_scores.py")
    command = [python, str(script), str(truth), str(found)]
    scored = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    scores: Row = json.loads(scored.stdout)
    return row | scores


def jhmdb_rows(loop: Loop, folder: Path) -> list[Row]:
    """PCK of every clip, and pooled over all joints."""
    rows, distances = [], []
    for clip in sorted(folder.glob("*.avi")):
        relative, matched = clip_distances(loop, clip)
        distances.append(relative)
        rows.append(loop.labels | {"clip": clip.stem, "matched": matched} | pck(relative))
    pooled = {"clip": "all", "matched": float(np.mean([row["matched"] for row in rows]))}
    return [*rows, loop.labels | pooled | pck(np.concatenate(distances))]


def clip_distances(loop: Loop, clip: Path) -> tuple[Floats, float]:
    """(joints, 2) error of smoothed and raw keypoints over the box's longer side; matched share."""
    frames = json.loads(clip.with_suffix(".json").read_text("utf-8"))["frames"]
    truths = {frame["frame"]: frame["persons"] for frame in frames}
    errors, people, matched = [], 0, 0
    for result in loop.results(clip):
        for person in truths.get(result.frame.index, ()):
            points = np.reshape(person["keypoints"], (-1, 3))
            box = xywh_to_xyxy(person["bbox"])
            seen, side = points[:, 2] > 0, float((box[0, 2:] - box[0, :2]).max())
            overlap = iou_matrix(box, result.tracks.poses.boxes)[0]
            people += 1
            if not len(overlap) or overlap.max() <= 0:
                errors.append(np.full((int(seen.sum()), 2), np.inf))
                continue
            matched += 1
            best = int(overlap.argmax())
            both = np.stack([result.tracks.poses.keypoints[best], result.raw[best]], axis=1)
            gaps = np.linalg.norm(both - points[:, None, :2], axis=-1)  # (K, 2)
            errors.append(gaps[seen] / side)
    return np.concatenate(errors), matched / max(people, 1)


def pck(relative: Floats) -> Row:
    """Shares of joints within 0.1 and 0.2, smoothed and raw."""
    near = {f"pck@{limit}": (relative <= limit).mean(axis=0) for limit in (0.1, 0.2)}
    smoothed = {name: float(values[0]) for name, values in near.items()}
    raw = {f"raw_{name}": float(values[1]) for name, values in near.items()}
    return smoothed | raw | {"joints": len(relative)}


def make_nobody(data: Path, path: Path) -> None:
    """A clip of the validation photographs without people, each moved slowly."""
    listed = json.loads((data / "det" / "val.json").read_text("utf-8"))["images"]
    negatives = [image for image in listed if image["source"] == "coco_negative"]
    stores = {tar: ImageStore(data / tar) for tar in {image["tar"] for image in negatives}}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=NOBODY_FPS, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = *NOBODY_SIZE, "yuv420p"
        for image in negatives:
            picture = stores[image["tar"]].read(image["file_name"])
            for step in range(NOBODY_FRAMES):
                frame = av.VideoFrame.from_ndarray(panned(picture, step), format="bgr24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


def panned(picture: Image, step: int) -> Image:
    """The middle of the picture, filling the frame, `step` times 3 px to the right."""
    (width, height), margin = NOBODY_SIZE, 3 * NOBODY_FRAMES
    ratio = max((width + margin) / picture.shape[1], height / picture.shape[0])
    size = round(picture.shape[1] * ratio), round(picture.shape[0] * ratio)
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    left, top = (size[0] - width - margin) // 2 + 3 * step, (size[1] - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def ghost_row(loop: Loop, clip: Path) -> Row:
    """Frames, those with somebody in them, photographs with somebody, and ids."""
    results = [(r.frame.index, set(r.tracks.ids.tolist())) for r in loop.results(clip)]
    haunted = [index for index, ids in results if ids]
    return loop.labels | {
        "frames": len(results),
        "frames_with_people": len(haunted),
        "photographs": len(results) // NOBODY_FRAMES,
        "photographs_with_people": len({index // NOBODY_FRAMES for index in haunted}),
        "ids": len(set().union(*(ids for _, ids in results))),
    }


def print_mot(rows: list[Row]) -> None:
    """A row a clip and loop."""
    shares = ("recall", "precision", "idf1", "mota", "hota")
    columns = ("clip", "detector", "every", *(f"{s} %" for s in shares), "switches", "ids")
    report.print_table(
        "MOTChallenge clips, IoU .5",
        columns,
        [
            (
                *(row[key] for key in ("clip", "detector", "det_interval")),
                *(report.percent(row[share]) for share in shares),
                row["id_switches"],
                row["ids"],
            )
            for row in rows
        ],
    )


def print_jhmdb(rows: list[Row]) -> None:
    """A row a loop, then the clips of the first."""
    keys = ("matched", "pck@0.1", "pck@0.2", "raw_pck@0.1", "raw_pck@0.2")
    first = rows[0]["detector"], rows[0]["det_interval"]
    shown = [row for row in rows if row["clip"] == "all"]
    shown += [r for r in rows if (r["detector"], r["det_interval"]) == first and r not in shown]
    columns = ("clip", "detector", "every", "tracked", "PCK@0.1", "PCK@0.2", "raw 0.1", "raw 0.2")
    report.print_table(
        "JHMDB clips, %",
        columns,
        [
            (
                *(row[key] for key in ("clip", "detector", "det_interval")),
                *(report.percent(row[key]) for key in keys),
            )
            for row in shown
        ],
    )


def print_ghosts(rows: list[Row]) -> None:
    """A row a loop."""
    keys = ("frames", "frames_with_people", "photographs", "photographs_with_people", "ids")
    columns = ("detector", "every", "frames", "with people", "photographs", "with people", "ids")
    report.print_table(
        "A clip without people",
        columns,
        [(row["detector"], row["det_interval"], *(row[key] for key in keys)) for row in rows],
    )


if __name__ == "__main__":
    main()
