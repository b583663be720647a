"""How calm, how late and how right each setting of the smoothing makes keypoints.

    python benchmarks/smoothing.py --data PATH --plot docs/images/smoothing.png

* Generated: people of three `posetrack synth` scenes (walking, sprinting, exercising and waving),
  their true keypoints with noise of 0.8 % of the person's height on each frame.
* Real: the JHMDB clips, the embedded pose network in the annotated boxes, judged by the annotated
  joints.

Each One-Euro setting is run over the raw keypoints of whole tracks, as the tracker does it, beside
MMDeploy's filter and the smoothing of `--smooth offline`. Lengths are in sizes of the person (the
longer side of the box): `error` is the mean distance from the truth, `jerk` the mean third
derivative as a share of the raw one's, `lag_ms` how much later than the raw one's the velocities
are. A setting is chosen where less jerk begins to cost much error.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import report

from posetrack.estimator import Estimator
from posetrack.evaluation.motion import Series, lag_ms
from posetrack.geometry import xywh_to_xyxy
from posetrack.media.source import open_source
from posetrack.revision.smooth import Curve
from posetrack.synth import make_scene, pictures, times
from posetrack.tracking import TrackerSettings, preset
from posetrack.tracking.smoothing import Smoothed, one_euro
from posetrack.types import Bools, Floats

SCENES = ("crossing", "sport", "leaving")
CUTOFFS = (0.5, 1.0, 1.5, 2.5, 4.0, 7.0)
BETAS = (0.0, 1.0, 2.5, 5.0, 10.0, 20.0)
OFFLINE = (2.0, 4.0, 6.0, 10.0)
NOISE = 0.008

Row = dict[str, Any]
Filter = Callable[["Track"], Floats]


@dataclass(frozen=True)
class Track:
    """One person over T frames: keypoints found and true ones, (T, K, 2) px, where shown (T, K)."""

    raw: Floats
    truth: Floats
    shown: Bools
    size: float
    fps: float

    def series(self, points: Floats) -> Series:
        """`points` as the motion figures want them."""
        return Series(points.astype(np.float64) / self.size, self.shown, 1 / self.fps)


def drawn_tracks() -> Iterator[Track]:
    """People of generated scenes."""
    rng = np.random.default_rng(0)
    for name in SCENES:
        scene = make_scene(name)
        known: dict[int, list[tuple[Floats, Floats, Bools]]] = {}
        for _, truth in zip(times(scene), _truths(name), strict=True):
            for row, number in enumerate(truth.ids.tolist()):
                there = truth.visible[row] > 0
                known.setdefault(number, []).append((truth.keypoints[row], truth.boxes[row], there))
        for frames in known.values():
            keypoints, boxes, there = (np.stack(part) for part in zip(*frames, strict=True))
            size = float(np.median(boxes[:, 3] - boxes[:, 1]))
            raw = keypoints + rng.normal(0, NOISE * size, keypoints.shape)
            yield Track(raw.astype(np.float32), keypoints, there, size, scene.fps)


def _truths(name: str) -> Iterator[Any]:
    return (truth for _, truth in pictures(make_scene(name)))


def real_tracks(folder: Path) -> Iterator[Track]:
    """The JHMDB clips."""
    with closing(Estimator.load()) as estimator:
        for clip in sorted(folder.glob("*.avi")):
            frames = json.loads(clip.with_suffix(".json").read_text("utf-8"))["frames"]
            people = {frame["frame"]: frame["persons"][0] for frame in frames if frame["persons"]}
            raw, truth, boxes = [], [], []
            source = open_source(clip)
            for frame in source:
                if (person := people.get(frame.index)) is not None:
                    box = xywh_to_xyxy(person["bbox"])
                    one = np.ones(1, np.float32)
                    raw.append(estimator(frame.image, box, box_scores=one).keypoints[0])
                    truth.append(np.reshape(person["keypoints"], (-1, 3)))
                    boxes.append(box[0])
            points = np.stack(truth)
            sides = np.stack(boxes)
            size = float(np.median((sides[:, 2:] - sides[:, :2]).max(axis=1)))
            shown = points[..., 2] > 0
            yield Track(np.stack(raw), points[..., :2], shown, size, float(source.fps))


def euro(settings: TrackerSettings) -> Filter:
    """The tracker's filter, run over a track."""

    def smooth(track: Track) -> Floats:
        counted = settings.clock == "frames"
        dt_s = 1.0 if counted else 1 / track.fps
        state, smoothed = Smoothed.start(track.raw[:1], 0.0), [track.raw[0]]
        # A person's size is the square root of the box's area; these stand: about two thirds.
        person_px = np.full(1, track.size * 0.65, np.float32)
        for index, points in enumerate(track.raw[1:], 1):
            state = one_euro(
                state, points[None], settings, dt_s=dt_s, now_s=index * dt_s, person_px=person_px
            )
            smoothed.append(state.points[0])
        return np.stack(smoothed)

    return smooth


def offline(cutoff_hz: float) -> Filter:
    """What `--smooth offline` does."""

    def smooth(track: Track) -> Floats:
        curve = Curve(np.arange(len(track.raw)) / track.fps, cutoff_hz)
        columns = range(track.raw.shape[1])
        one = np.ones(len(track.raw))
        return np.stack([curve.through(track.raw[:, k], one) for k in columns], axis=1)

    return smooth


def measure(tracks: list[Track], smooth: Filter) -> Row:
    """Error, jerk and lag over all of them."""
    smoothed = [smooth(track) for track in tracks]
    later = [t.series(points) for t, points in zip(tracks, smoothed, strict=True)]
    earlier = [track.series(track.raw) for track in tracks]
    apart = [
        np.linalg.norm(points - t.truth, axis=-1)[t.shown] / t.size
        for t, points in zip(tracks, smoothed, strict=True)
    ]
    return {
        "error": float(np.concatenate(apart).mean()),
        "jerk": _jerk(later) / _jerk(earlier),
        "lag_ms": lag_ms(later, earlier),
    }


def _jerk(series: list[Series]) -> float:
    return float(np.concatenate([np.linalg.norm(s.difference(3), axis=-1) for s in series]).mean())


def plot(rows: list[Row], path: Path) -> None:
    """Error over remaining jerk, one line a beta, ours and the others marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    ours = TrackerSettings()
    for axes, kind in zip(figure.subplots(1, 2), ("generated", "real"), strict=True):
        some = [row for row in rows if row["clips"] == kind]
        for number, beta in enumerate(BETAS):
            line = [r for r in some if r["filter"] == "one-euro" and r["beta"] == beta]
            shade = 0.2 + 0.8 * number / (len(BETAS) - 1)
            axes.plot(
                [100 * r["jerk"] for r in line],
                [100 * r["error"] for r in line],
                "o-",
                color="#2f6db5",
                alpha=shade,
                markersize=3,
                label=f"beta {beta:g}",
            )
        marks = (
            ("ours", "*", "#d9822b"),
            ("mmdeploy", "s", "#555555"),
            ("offline", "^", "#2a9d5c"),
            ("raw", "x", "black"),
        )
        for name, marker, colour in marks:
            line = [r for r in some if r["filter"] == name]
            axes.plot(
                [100 * r["jerk"] for r in line],
                [100 * r["error"] for r in line],
                marker,
                color=colour,
                markersize=13 if name == "ours" else 7,
                label=name,
            )
        axes.set(xlabel="jerk, % of the raw keypoints'", ylabel="error, % of the person's size")
        axes.set_title(f"{kind} clips")
        shown = [100 * r["error"] for r in some if r.get("beta") != 0]  # beta 0 lags without end
        axes.set_ylim(min(shown) - 0.1 * np.ptp(shown), max(shown) + 0.1 * np.ptp(shown))
        axes.grid(alpha=0.3)
    figure.axes[1].legend(fontsize=8, ncols=2)
    figure.suptitle(
        f"One-Euro by beta; along a line min_cutoff {CUTOFFS[0]:g} to {CUTOFFS[-1]:g} Hz; "
        f"ours is {ours.min_cutoff_hz:g} Hz, beta {ours.beta:g}"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="smoothing.json")
    parser.add_argument("--plot", type=Path, help="PNG with the curves")
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    base = TrackerSettings()
    filters: list[tuple[Row, Filter]] = [
        ({"filter": "raw"}, lambda track: track.raw),
        ({"filter": "ours", "min_cutoff_hz": base.min_cutoff_hz, "beta": base.beta}, euro(base)),
        ({"filter": "mmdeploy"}, euro(preset("mmdeploy"))),
        *(({"filter": "offline", "cutoff_hz": hz}, offline(hz)) for hz in OFFLINE),
        *(
            (
                {"filter": "one-euro", "min_cutoff_hz": hz, "beta": beta},
                euro(replace(base, min_cutoff_hz=hz, beta=beta)),
            )
            for beta in BETAS
            for hz in CUTOFFS
        ),
    ]
    rows = []
    kinds = {"generated": drawn_tracks(), "real": real_tracks(chosen.data / "video" / "jhmdb")}
    for kind, found in kinds.items():
        tracks = list(found)
        rows += [{"clips": kind} | label | measure(tracks, each) for label, each in filters]
        print_rows(kind, [row for row in rows if row["clips"] == kind])
    if chosen.plot is not None:
        plot(rows, chosen.plot)
    report.write(chosen.json, {"rows": rows})


def print_rows(kind: str, rows: list[Row]) -> None:
    """One table."""
    columns = ["filter", "Hz", "beta", "error %", "jerk %", "lag ms"]
    lines = [
        [
            row["filter"],
            *(f"{row[k]:g}" if k in row else "" for k in ("min_cutoff_hz", "beta")),
            *(f"{100 * row[k]:.2f}" for k in ("error", "jerk")),
            f"{row['lag_ms']:.0f}",
        ]
        for row in rows
    ]
    report.print_table(f"{kind} clips", columns, lines)


if __name__ == "__main__":
    main()
