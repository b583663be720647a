"""What `posetrack export` brings: time of each stage and accuracy, beside the model as it is.

    python benchmarks/exports.py --data PATH
    python benchmarks/exports.py --data PATH --no-accuracy --only plain folded int8

Every variant is exported from the embedded pair (int8 is calibrated on the training pictures), then
timed as the loop calls it: one picture into the detector, one person and five people into the pose
model, from the BGR picture to boxes and keypoints, on one thread. The variants take turns, call by
call, and are quoted as ratios to ``plain``: CPU time, which holds on a busy machine, and wall time.
Accuracy is that of the validation splits: AP and PCK in true boxes, AP50 on completely boxed
pictures. ``drift`` is what the parity gate measured.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import accuracy
import numpy as np
import report

from posetrack import demo, zoo
from posetrack.datasets.annotations import Annotations
from posetrack.detector import Detector
from posetrack.estimator import Estimator
from posetrack.evaluation.pose import evaluate_pose
from posetrack.export.job import Plan, export
from posetrack.export.parity import compare

ROUNDS = 150
Part = Estimator | Detector


@dataclass(frozen=True)
class Variant:
    """A way to run a model: exported by `plan` (None: as it is), on `backend`."""

    plan: Plan | None
    backend: str = "onnxruntime"
    precision: str = "fp32"


def variants(calibrate: Path, *, pose: bool) -> dict[str, Variant]:
    """By name; those whose packages are not installed are left out."""
    decoded = Plan(fold="all", nms=not pose)
    eight = Plan(fold="all", precision="int8", calibrate=calibrate)
    rows = {
        "plain": Variant(None),
        "input folded": Variant(Plan(fold="input")),
        "all folded": Variant(decoded),
        "int8": Variant(Plan(precision="int8", calibrate=calibrate)),
        "int8, folded": Variant(eight),
        "openvino fp32": Variant(None, "openvino"),
        "openvino bf16": Variant(None, "openvino", "bf16"),
        "openvino bf16, folded": Variant(decoded, "openvino", "bf16"),
        "openvino int8, folded": Variant(eight, "openvino"),
        "ncnn": Variant(Plan(target="ncnn"), "ncnn"),
    }
    return {name: row for name, row in rows.items() if find_spec(row.backend)}


def main() -> None:
    """Export, time, evaluate, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="exports.json")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", help="names of variants; plain is always there")
    parser.add_argument("--accuracy", action=argparse.BooleanOptionalAction, default=True)
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    figures: dict[str, Any] = {}
    for task, pose in (("detection", False), ("pose", True)):
        folder = chosen.data / ("pose" if pose else "det")
        rows = variants(folder / "train.json", pose=pose)
        if chosen.only:
            rows = {name: row for name, row in rows.items() if name in ("plain", *chosen.only)}
        with tempfile.TemporaryDirectory() as place:
            parts = {name: opened(task, row, Path(place) / name) for name, row in rows.items()}
            found = timed(parts, chosen.rounds)
            for name, part in parts.items():
                near = compare(parts["plain"], part)
                found[name]["drift"] = {"px": near.px, near.measure: near.mean}
                if chosen.accuracy:
                    found[name] |= judged(part, chosen.data)
            show(task, found)
        figures[task] = found
    report.write(chosen.json, figures)


def opened(task: Any, row: Variant, folder: Path) -> Part:
    """The variant, ready to run on one thread."""
    model: str | Path | None = None
    if row.plan is not None:
        export(zoo.find(task=task), folder, row.plan, name="variant")
        model = folder
    kind: type[Part] = Estimator if task == "pose" else Detector
    return kind.load(model, backend=row.backend, precision=row.precision, threads=1)


def timed(parts: Mapping[str, Part], rounds: int) -> dict[str, dict[str, Any]]:
    """Median milliseconds of a call and median ratio to ``plain``, CPU and wall."""
    image, truth = next(iter(demo.frames(0.1)))
    many = np.concatenate([truth.boxes, truth.boxes + 8])[:5]
    figures: dict[str, dict[str, Any]] = {name: {} for name in parts}
    pose = isinstance(parts["plain"], Estimator)
    for count in (1, 5) if pose else (1,):
        calls = {name: call(part, image, many[:count]) for name, part in parts.items()}
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
        for turn in range(rounds + 10):
            for name, run in calls.items():
                begin = perf_counter(), process_time()
                run()
                if turn >= 10:  # warm
                    samples[name].append((process_time() - begin[1], perf_counter() - begin[0]))
        plain = np.array(samples["plain"])
        for name, values in samples.items():
            mine = np.array(values)
            cpu, wall = np.median(mine, axis=0) * 1e3
            ratio = np.median(plain / mine, axis=0)
            key = f"{count} people" if pose else "picture"
            figures[name][key] = {
                "cpu_ms": float(cpu),
                "wall_ms": float(wall),
                "cpu_x": float(ratio[0]),
                "wall_x": float(ratio[1]),
            }
    return figures


def call(part: Part, image: Any, boxes: Any) -> Callable[[], object]:
    """One call as the loop makes it."""
    if isinstance(part, Estimator):
        return lambda: part(image, boxes)
    return lambda: part(image)


def judged(part: Part, data: Path) -> dict[str, float]:
    """Accuracy on the validation split, in percent."""
    if isinstance(part, Estimator):
        people = Annotations.read(data / "pose" / "val.json", data / "pose" / "val.tar")
        found = evaluate_pose(people, part, sources=False).figures["all"]
        return {key: 100 * float(found[key] or 0) for key in ("ap", "pck@0.1", "pck@0.2", "oks")}
    threshold, part.threshold = part.threshold, accuracy.LOWEST_SCORE
    found = accuracy.detector_figures(data, part, threshold)["complete"]
    part.threshold = threshold
    return {key: 100 * found[key] for key in ("ap50", "recall", "card_recall")}


def show(task: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """A row a variant."""
    timings = [key for key, value in found["plain"].items() if "people" in key or key == "picture"]
    scores = [key for key, value in found["plain"].items() if isinstance(value, float)]
    rows = []
    for name, row in found.items():
        cells = [name]
        for key in timings:
            cells += [f"{row[key]['cpu_ms']:.2f}", f"{row[key]['cpu_x']:.2f}"]
        cells += [" ".join(f"{value:.3f}" for value in row["drift"].values())]
        rows.append((*cells, *(f"{row[key]:.1f}" for key in scores)))
    heads = [head for key in timings for head in (f"{key}: CPU ms", "x")]
    report.print_table(task, ("variant", *heads, "drift (px, OKS/IoU)", *scores), rows)


if __name__ == "__main__":
    main()
