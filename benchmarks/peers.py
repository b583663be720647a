"""Our tracker beside others, on the same detections and poses.

    pip install "posetrack[eval]" && pip install --no-deps rtmlib==0.0.16
    python benchmarks/peers.py --data PATH

What the models say is computed once for each clip and then asked for by every tracker:

* real clips (MOTChallenge): detections of the embedded detector in every frame, and poses of the
  embedded pose network in those boxes and in the true ones, so that a box propagated onto somebody
  whom the detector misses finds a pose there, as it would in the loop;
* generated scenes (`posetrack synth`): the true people, with noise of 1 % of their height on boxes
  and keypoints; hidden keypoints score low, the detector sees who shows by more than three tenths
  and misses one of twenty.

A box that is looked at gets the known pose that lies in it (IoU .3 of the boxes, the best one), or
a pose of no score. The detector runs on every K-th frame. Box trackers (ByteTrack, OC-SORT,
BoT-SORT of the package `trackers`) get the same loop as ours: detections and the boxes of the last
frame's poses, doubles removed, then poses in all of them, doubles removed. They run at the defaults
of their package but for the scores, which are those of our detector (a track begins at its birth
score), and for the frame rate. rtmlib's tracker brings its own loop; where it fails with an
IndexError, it is reset and the frame shows nobody. Whoever is reported is
scored with the box that belongs to the pose, so that ids and presence decide and nothing else:
HOTA, AssA, IDF1 and switches at IoU .5. `ms` is the tracker's own time a frame, the median, in one
thread, without the networks.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import report

from posetrack.detector import Detector
from posetrack.estimator import Estimator
from posetrack.evaluation.trackfiles import TrackedFrame, TrackFile, read_tracks
from posetrack.evaluation.tracking import tracking_figures
from posetrack.geometry import box_centers, greedy_nms, iou_matrix
from posetrack.media.source import open_source
from posetrack.skeletons import load_skeleton
from posetrack.synth import HIDDEN, SCENES, Scene, make_scene, pictures, times
from posetrack.tracking import Tracker, TrackerSettings, preset
from posetrack.types import Detections, Floats, Image, Ints, Poses

COCO = load_skeleton("coco")
CLIPS = ("TUD-Campus", "TUD-Stadtmitte", "PETS09-S2L1")
KINDS = {"real": CLIPS, "generated": tuple(SCENES), "all": (*CLIPS, *SCENES)}
INTERVALS = (1, 5, 10, 20)
SAME = 0.3  # IoU of a box and the pose in it
DOUBLE = 0.7
FEWEST = 5  # visible keypoints of a pose that is passed on
VISIBLE, BIRTH, LEAST = 0.33, 0.45, 0.245  # the thresholds of the embedded models' cards
NOISE, MISSED = 0.01, 0.05

Row = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """What the models say about one frame."""

    t_s: float
    detections: Detections
    poses: Poses

    def pose_rows(self, boxes: Floats) -> Ints:
        """(N,) which known pose lies in each box, -1 where none does."""
        if not len(self.poses) or not len(boxes):
            return np.full(len(boxes), -1)
        iou = iou_matrix(np.asarray(boxes, np.float32), self.poses.boxes)
        best = iou.argmax(axis=1)
        return np.where(iou[np.arange(len(best)), best] >= SAME, best, -1)

    def poses_in(self, boxes: Floats, scores: Floats) -> Poses:
        """One a box; of no score where nobody is known."""
        rows = self.pose_rows(boxes)
        centres = box_centers(boxes)
        keypoints = np.repeat(centres[:, None], len(COCO), axis=1)
        values = np.zeros((len(rows), len(COCO)), np.float32)
        known = rows >= 0
        keypoints[known] = self.poses.keypoints[rows[known]]
        values[known] = self.poses.scores[rows[known]]
        return Poses(keypoints, values, boxes, scores, COCO)


@dataclass(frozen=True)
class Clip:
    """Frames with what is known about them."""

    name: str
    real: bool
    fps: float
    size: tuple[int, int]
    images: Sequence[Image]
    looks: Sequence[Look]
    truth: TrackFile


Reports = list[list[tuple[int, int]]]
"""For each frame (id, row of the known pose)."""
Follow = Callable[[Clip, int], tuple[Reports, list[float]]]
"""Clip, detector interval -> reports, the tracker's seconds of each frame."""


def real_clip(name: str, data: Path, keep: Path | None) -> Clip:
    """A clip of the reference data through the embedded models."""
    folder = data / "video" / name
    truth = read_tracks(folder / "gt.txt", truth=True)
    source = open_source(folder / f"{name}.mp4")
    frames = list(source)
    kept = None if keep is None else keep / f"{name}.pickle"
    if kept is not None and kept.is_file():
        looks = pickle.loads(kept.read_bytes())
    else:
        detector, estimator = Detector.load(), Estimator.load()
        looks = []
        for frame in frames:
            found = detector(frame.image)
            boxes = np.concatenate([found.boxes, truth.at(frame.index).boxes.astype(np.float32)])
            scores = np.concatenate([found.scores, np.full(len(boxes) - len(found), BIRTH)])
            free = _without_doubles(boxes, np.arange(len(boxes))[::-1])
            poses = estimator(frame.image, boxes[free], box_scores=scores[free].astype(np.float32))
            looks.append(Look(frame.pts_s, found, poses))
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(pickle.dumps(looks))
    images = [frame.image for frame in frames]
    return Clip(name, True, float(source.fps), source.size, images, looks, truth)


def drawn_clip(name: str, scene: Scene, seed: int = 0) -> Clip:
    """A generated scene, seen with some noise."""
    rng = np.random.default_rng(seed + 1)
    images, looks, truth = [], [], {}
    for index, (tick, (image, one)) in enumerate(
        zip(times(scene, seed), pictures(scene, seed), strict=True)
    ):
        images.append(image)
        tall = (one.boxes[:, 3] - one.boxes[:, 1])[:, None]
        boxes = one.boxes + rng.normal(0, NOISE, one.boxes.shape) * tall
        points = one.keypoints + rng.normal(0, NOISE, one.keypoints.shape) * tall[..., None]
        scores = np.choose(one.visible, [0.05, 0.3, 0.8])
        there = one.shown > HIDDEN
        seen = (one.shown > 0.3) & (rng.random(len(one.ids)) >= MISSED)
        sure = np.full(len(boxes), 0.8)
        looks.append(
            Look(
                tick / scene.fps,
                Detections(boxes[seen], sure[seen], np.zeros(seen.sum(), np.int64)),
                Poses(points[there], scores[there], boxes[there], sure[there], COCO),
            )
        )
        rows = [
            {"id": int(n), "box": box.tolist()} | ({} if shown else {"kind": "ignored"})
            for n, box, shown in zip(one.ids, one.boxes, there, strict=True)
            if min(box[2:] - box[:2]) > 2
        ]
        truth[index] = TrackedFrame.from_rows(rows, 0)
    return Clip(name, False, scene.fps, scene.size, images, looks, TrackFile(Path(name), truth))


def _without_doubles(boxes: Floats, rank: Ints) -> Ints:
    """Rows that stay when of two that overlap the lower rank goes."""
    return np.flatnonzero(greedy_nms(rank.astype(float), iou_matrix(boxes, boxes), DOUBLE))


def tracker_of(settings: TrackerSettings) -> Tracker:
    """Ours, ready, with the thresholds of the embedded models."""
    resolved = settings.resolved(
        keypoint_threshold=VISIBLE, detection_threshold=LEAST, birth_detection=BIRTH
    )
    tracker = Tracker(resolved, COCO)
    tracker.warm_up()
    return tracker


def ours(settings: TrackerSettings) -> Follow:
    """Our tracker."""

    def follow(clip: Clip, interval: int) -> tuple[Reports, list[float]]:
        tracker, reports, spent = tracker_of(settings), [], []
        for index, (image, look) in enumerate(zip(clip.images, clip.looks, strict=True)):
            found = look.detections if index % interval == 0 else None
            begin = perf_counter()
            asked = tracker.propose(found, t_s=look.t_s, size=clip.size)
            proposed = perf_counter()
            poses = look.poses_in(asked.boxes, asked.scores)
            estimated = perf_counter()
            tracks, raw = tracker.update(poses, asked, t_s=look.t_s, size=clip.size, image=image)
            spent.append(perf_counter() - estimated + proposed - begin)
            reports.append([*zip(tracks.ids.tolist(), _rows_of(raw, look), strict=True)])
        return reports, spent

    return follow


def _rows_of(raw: Floats, look: Look) -> list[int]:
    """Which known pose each keypoint set (N, K, 2) is."""
    away = np.abs(look.poses.keypoints[None, :, 0] - raw[:, None, 0]).sum(axis=2)
    return [int(row) for row in away.argmin(axis=1)] if len(raw) else []


def boxes_only(make: Callable[[float], Any], *, looks_on: bool = False) -> Follow:
    """A tracker of boxes in our loop."""

    def follow(clip: Clip, interval: int) -> tuple[Reports, list[float]]:
        import supervision as sv

        tracker, reports, spent = make(clip.fps), [], []
        boxes, scores = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        for index, (image, look) in enumerate(zip(clip.images, clip.looks, strict=True)):
            if index % interval == 0:
                found = look.detections
                boxes = np.concatenate([boxes, found.boxes])
                scores = np.concatenate([scores, found.scores])
                rank = np.arange(len(boxes))  # a detection is fresher than a propagated box
                free = _without_doubles(boxes, rank)
                boxes, scores = boxes[free], scores[free]
            rows = look.pose_rows(boxes)
            best: dict[int, float] = {}
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
                if row >= 0 and (look.poses.scores[row] >= VISIBLE).sum() >= FEWEST:
                    best[row] = max(score, best.get(row, 0.0))
            rows = np.array(list(best), np.int64)
            rows = rows[_without_doubles(look.poses.boxes[rows], np.arange(len(rows))[::-1])]
            boxes = look.poses.boxes[rows]
            scores = np.array([best[row] for row in rows.tolist()], np.float32)
            seen = sv.Detections(
                xyxy=boxes.reshape(-1, 4).astype(np.float64),
                confidence=scores,
                class_id=np.zeros(len(rows), int),
                data={"row": rows},
            )
            begin = perf_counter()
            tracked = tracker.update(seen, **({"frame": image} if looks_on else {}))
            spent.append(perf_counter() - begin)
            ids = [] if tracked.tracker_id is None else tracked.tracker_id.tolist()
            pairs = zip(ids, np.asarray(tracked.data.get("row", [])).tolist(), strict=True)
            reports.append([(number, row) for number, row in pairs if number >= 0])
        return reports, spent

    return follow


def rtmlib(clip: Clip, interval: int) -> tuple[Reports, list[float]]:
    """rtmlib's PoseTracker with what is known in place of its networks."""
    from rtmlib import PoseTracker  # type: ignore[import-not-found]

    now: list[Look] = []

    class Known:
        """What it takes for its solution, its detector and its pose model."""

        det_mode = "human"

        def __init__(self, **_: Any) -> None:
            self.det_model, self.pose_model = self, self

        def __call__(self, _image: Image, bboxes: Any = None) -> Any:
            if bboxes is None:
                return now[0].detections.boxes
            asked = np.asarray(bboxes, np.float32).reshape(-1, 4)
            self.rows = now[0].pose_rows(asked)
            poses = now[0].poses_in(asked, np.ones(len(asked), np.float32))
            return poses.keypoints, poses.scores

    class Watched(PoseTracker):  # type: ignore[misc]
        """Tells which id each pose got."""

        def track_by_iou(self, bbox: Any) -> Any:
            found = super().track_by_iou(bbox)
            self.given.append(found[0])
            return found

    with redirect_stdout(StringIO()):
        tracker = Watched(Known, det_frequency=interval)
    reports: Reports = []
    spent: list[float] = []
    for image, look in zip(clip.images, clip.looks, strict=True):
        now[:], tracker.given = [look], []
        begin = perf_counter()
        try:
            tracker(image)
        except IndexError:  # its lists of boxes and ids do not always have one length
            tracker.reset()
            reports.append([])
            continue
        spent.append(perf_counter() - begin)
        rows = tracker.pose_model.rows.tolist()
        reports.append(
            [
                (number, row)
                for number, row in zip(tracker.given, rows, strict=True)
                if number >= 0 and row >= 0 and (look.poses.scores[row] >= VISIBLE).sum() >= FEWEST
            ]
        )
    return reports, spent


def peers() -> dict[str, Follow]:
    """Everybody by name."""
    from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker

    levels = {"track_activation_threshold": BIRTH, "high_conf_det_threshold": BIRTH}
    return {
        "posetrack": ours(TrackerSettings()),
        "preset iou": ours(preset("iou")),
        "preset mmdeploy": ours(preset("mmdeploy")),
        "rtmlib": rtmlib,
        "ByteTrack": boxes_only(lambda fps: ByteTrackTracker(frame_rate=fps, **levels)),
        "OC-SORT": boxes_only(
            lambda fps: OCSORTTracker(frame_rate=fps, high_conf_det_threshold=BIRTH)
        ),
        "BoT-SORT": boxes_only(lambda fps: BoTSORTTracker(frame_rate=fps, **levels), looks_on=True),
    }


def score(clip: Clip, reports: Reports) -> Row:
    """The figures of one run."""
    frames = {}
    for index, (look, reported) in enumerate(zip(clip.looks, reports, strict=True)):
        rows = [{"id": n, "box": look.poses.boxes[row].tolist()} for n, row in reported]
        frames[index] = TrackedFrame.from_rows(rows, 0)
    found = tracking_figures(TrackFile(Path("found"), frames), clip.truth, similarity="iou")
    keys = ("hota", "assa", "idf1", "mota", "recall", "precision", "id_switches", "ids")
    return {key: found[key] for key in keys}


def clips(names: Sequence[str], data: Path, keep: Path | None) -> Iterator[Clip]:
    """Those asked for, one at a time in memory."""
    for name in names:
        yield real_clip(name, data, keep) if name in CLIPS else drawn_clip(name, make_scene(name))


def means(rows: Sequence[Row]) -> list[Row]:
    """Over clips: real ones, generated ones, and all; switches are added up."""
    made = []
    for kind, names in KINDS.items():
        for name in dict.fromkeys(row["tracker"] for row in rows):
            for interval in dict.fromkeys(row["det_interval"] for row in rows):
                some = [
                    row
                    for row in rows
                    if (row["tracker"], row["det_interval"]) == (name, interval)
                    and row["clip"] in names
                ]
                if some:
                    mean = {key: fmean(r[key] for r in some) for key in ("hota", "assa", "idf1")}
                    total = sum(r["id_switches"] for r in some)
                    made.append(
                        {"clips": kind, "tracker": name, "det_interval": interval}
                        | {**mean, "id_switches": total, "ms": fmean(r["ms"] for r in some)}
                    )
    return made


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="peers.json")
    parser.add_argument("--clips", nargs="+", default=KINDS["all"])
    parser.add_argument("--trackers", nargs="+", default=None, help="default: all")
    parser.add_argument("--keep", type=Path, help="folder that keeps what the models said")
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    cv2.setNumThreads(1)
    known = peers()
    rows: list[Row] = []
    for clip in clips(chosen.clips, chosen.data, chosen.keep):
        for interval in INTERVALS:
            for name in chosen.trackers or known:
                reports, spent = known[name](clip, interval)
                head = {"clip": clip.name, "det_interval": interval, "tracker": name}
                rows.append(head | score(clip, reports) | {"ms": 1e3 * median(spent)})
        print_clip([row for row in rows if row["clip"] == clip.name])
    summary = means(rows)
    for kind in KINDS:
        print_means(kind, [row for row in summary if row["clips"] == kind])
    report.write(chosen.json, {"mean": summary, "rows": rows})


def print_clip(rows: Sequence[Row]) -> None:
    """One clip's IDF1 and switches by interval."""
    columns = ["tracker", *(f"IDF1 / switches, K = {k}" for k in INTERVALS)]
    lines = [
        [name]
        + [
            f"{report.percent(row['idf1'])} / {row['id_switches']:.0f}"
            for row in rows
            if row["tracker"] == name
        ]
        for name in dict.fromkeys(row["tracker"] for row in rows)
    ]
    report.print_table(rows[0]["clip"], columns, lines)


def print_means(kind: str, rows: Sequence[Row]) -> None:
    """HOTA, AssA, IDF1, switches by tracker and interval."""
    keys = ("hota", "assa", "idf1")
    lines = [
        (
            *(row["tracker"], row["det_interval"]),
            *(report.percent(row[k]) for k in keys),
            *(row["id_switches"], f"{row['ms']:.2f}"),
        )
        for row in sorted(rows, key=lambda row: (row["det_interval"], -row["idf1"]))
    ]
    if lines:
        title = f"{kind} clips, mean"
        columns = ["tracker", "K", "HOTA", "AssA", "IDF1", "switches", "ms"]
        report.print_table(title, columns, lines)


if __name__ == "__main__":
    main()
