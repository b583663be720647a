"""`posetrack evaluate`: how accurate models are on annotated pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from posetrack.cli import figures
from posetrack.errors import ConfigError

if TYPE_CHECKING:
    from posetrack.backends.protocol import Backend
    from posetrack.skeletons import Skeleton
    from posetrack.zoo import ResolvedModel

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Accuracy of a pose model, a detector, or both together on annotated pictures.",
)

LOWEST_SCORE, LOWEST_PERSON = 0.001, 0.05

Data = Annotated[Path, typer.Argument(help="Annotations, COCO's format.", show_default=False)]
Images = Annotated[
    Path | None, typer.Option("--images", help="Folder or tar; default beside the annotations.")
]
Det = Annotated[str | None, typer.Option("--det", help="Detector: a name, a path or an address.")]
Pose = Annotated[str | None, typer.Option("--pose", help="Pose model: name, path or address.")]
Kind = Annotated[str, typer.Option("--backend", help="What runs the networks.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ... or auto.")]
Computed = Annotated[
    str, typer.Option("--precision", help="fp32, fp16, bf16, int8, or auto as `run` has it.")
]
Threads = Annotated[int | None, typer.Option("--threads", help="Threads; default all.", min=1)]
Flip = Annotated[
    bool, typer.Option("--flip-test", help="Average with the answer to the mirrored picture.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Plots = Annotated[
    Path | None, typer.Option("--plots", help="Folder for curves, bars and the worst cases.")
]
Worst = Annotated[
    int, typer.Option("--worst", help="How many of the worst cases are drawn.", min=1, max=500)
]
Sources = Annotated[
    bool, typer.Option("--by-source/--no-by-source", help="Tell the figures of each source apart.")
]
Nme = Annotated[
    str | None,
    typer.Option("--nme", help="Two keypoints whose distance divides: left_eye,right_eye."),
]
Found = Annotated[Path, typer.Argument(help="Tracks: .jsonl, .txt (MOT) or .json (COCO).")]
Truth = Annotated[Path, typer.Argument(help="The true ones, in any of these formats.")]
Threshold = Annotated[
    float, typer.Option("--threshold", help="Overlap or OKS of a match.", min=0.05, max=1.0)
]
Video = Annotated[
    str | None, typer.Option("--video", help="Which video of the truth, where it holds several.")
]
CONTEXT = {"token_normalize_func": lambda name: name.replace("_", "-")}


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs the networks."""

    backend: str
    device: str
    threads: int | None
    precision: str

    def open(
        self, name: str | None, task: Literal["detection", "pose"]
    ) -> tuple[ResolvedModel, Backend]:
        """The model and its loaded graph."""
        from posetrack.opening import open_model

        return open_model(
            name,
            task,
            backend=self.backend,
            device=self.device,
            threads=self.threads,
            precision=self.precision,
        )


@app.command(context_settings=CONTEXT)
def pose(
    data: Data,
    images: Images = None,
    pose: Pose = None,
    backend: Kind = "onnxruntime",
    device: Device = "cpu",
    precision: Computed = "fp32",
    threads: Threads = None,
    flip_test: Flip = False,
    nme: Nme = None,
    by_source: Sources = True,
    json: Json = None,
    plots: Plots = None,
    worst: Worst = 24,
) -> None:
    """A pose model in the true boxes: COCO's AP, PCK, PCKh, AUC, EPE, NME, OKS."""
    from posetrack.estimator import Estimator
    from posetrack.evaluation import coco, tables
    from posetrack.evaluation.pose import evaluate_pose

    coco.require_evaluator()
    annotations = _annotations(data, images)
    model, opened = Engine(backend, device, threads, precision).open(pose, "pose")
    estimator = Estimator(model, opened, flip_test=flip_test)
    pair = _pair(nme, estimator.skeleton)
    found = evaluate_pose(annotations, estimator, sources=by_source, pair=pair, watch=figures.watch)
    estimator.close()
    title = f"{model.name} in the true boxes of {data.name}, %"
    figures.print_poses(title, found, tables.POSE)
    figures.write(
        json, data, {"pose": model}, figures.pose_content(found, backend, flip_test=flip_test)
    )
    figures.plot_poses(plots, f"{model.name}, {data.name}", found, worst=worst)


@app.command(context_settings=CONTEXT)
def detection(
    data: Data,
    images: Images = None,
    det: Det = None,
    backend: Kind = "onnxruntime",
    device: Device = "cpu",
    precision: Computed = "fp32",
    threads: Threads = None,
    by_source: Sources = True,
    json: Json = None,
    plots: Plots = None,
    worst: Worst = 24,
) -> None:
    """A detector: box AP, and recall where one false box an image is left."""
    from posetrack.detector import Detector
    from posetrack.evaluation import coco, tables
    from posetrack.evaluation.detection import evaluate_detection, shared_classes

    coco.require_evaluator()
    annotations = _annotations(data, images)
    model, opened = Engine(backend, device, threads, precision).open(det, "detection")
    detector = Detector(model, opened, threshold=LOWEST_SCORE)
    classes = shared_classes(annotations, model.card)
    threshold = model.card.thresholds.detection
    found = evaluate_detection(
        annotations, detector, classes, threshold=threshold, sources=by_source, watch=figures.watch
    )
    detector.close()
    title = f"{model.name} on {data.name}, %; its threshold is {threshold:g}"
    figures.print_tables(
        (title, found.figures, tables.DETECTION), ("classes", found.classes, tables.PARTS)
    )
    content = {"figures": found.figures, "classes": found.classes, "threshold": threshold}
    figures.write(json, data, {"detection": model}, {"backend": backend, **content})
    if plots is not None:
        from posetrack.evaluation.plots import precision_recall
        from posetrack.evaluation.sheets import worst_pictures

        name = f"{model.name}, {data.name}"
        precision_recall(found.curves, plots / "precision.png", title=name, similarity="IoU")
        worst_pictures(annotations, found, threshold, plots / "worst.png", most=worst)
        figures.say(f"wrote {plots}")


@app.command(context_settings=CONTEXT)
def pipeline(
    data: Data,
    images: Images = None,
    det: Det = None,
    pose: Pose = None,
    backend: Kind = "onnxruntime",
    device: Device = "cpu",
    precision: Computed = "fp32",
    threads: Threads = None,
    flip_test: Flip = False,
    nme: Nme = None,
    by_source: Sources = True,
    json: Json = None,
    plots: Plots = None,
    worst: Worst = 24,
) -> None:
    """Detector and pose model together: COCO's AP, the share found, PCK end to end."""
    from posetrack.detector import Detector
    from posetrack.estimator import Estimator
    from posetrack.evaluation import coco, tables
    from posetrack.evaluation.pipeline import evaluate_pipeline

    coco.require_evaluator()
    annotations = _annotations(data, images)
    engine = Engine(backend, device, threads, precision)
    finder, opened = engine.open(det, "detection")
    detector = Detector(finder, opened, threshold=LOWEST_PERSON)
    model, opened = engine.open(pose, "pose")
    estimator = Estimator(model, opened, flip_test=flip_test)
    found = evaluate_pipeline(
        annotations,
        detector,
        estimator,
        threshold=finder.card.thresholds.detection,
        label=_person(finder),
        sources=by_source,
        pair=_pair(nme, estimator.skeleton),
        watch=figures.watch,
    )
    detector.close()
    estimator.close()
    title = f"{finder.name} + {model.name} on {data.name}"
    figures.print_poses(f"{title}, %", found, tables.PIPELINE)
    content = figures.pose_content(found, backend, flip_test=flip_test)
    figures.write(json, data, {"detection": finder, "pose": model}, content)
    figures.plot_poses(plots, title, found, worst=worst)


@app.command(context_settings=CONTEXT)
def tracking(
    found: Found,
    truth: Truth,
    threshold: Threshold = 0.5,
    video: Video = None,
    json: Json = None,
) -> None:
    """Tracks against the truth: HOTA, IDF1, MOTA, switches by boxes and keypoints; jitter, lag."""
    from posetrack.evaluation.motion import motion_figures
    from posetrack.evaluation.tables import MOTION, TRACKING
    from posetrack.evaluation.trackfiles import read_tracks
    from posetrack.evaluation.tracking import require_scorer, tracking_figures

    require_scorer()
    ours, true = read_tracks(found, truth=False), read_tracks(truth, truth=True, video=video)
    rows = {"boxes, IoU": tracking_figures(ours, true, similarity="iou", threshold=threshold)}
    motion = {}
    if ours.skeleton and true.skeleton:
        rows["keypoints, OKS"] = tracking_figures(ours, true, similarity="oks", threshold=threshold)
    if ours.skeleton:
        motion[found.name] = motion_figures(ours, true)
    title = f"{found.name} against {truth.name}, matched from {threshold:g} on, %"
    figures.print_tables((title, rows, TRACKING), ("motion", motion, MOTION))
    content = {"found": found.name, "threshold": threshold, "figures": rows}
    figures.write(json, truth, {}, content | {"motion": motion.get(found.name, {})})


def _annotations(data: Path, images: Path | None) -> Any:
    from posetrack.datasets.annotations import Annotations

    return Annotations.read(data, images)


def _person(finder: ResolvedModel) -> int:
    """The label of people: the class of that name, or the first one kept."""
    labels = finder.card.labels
    return labels.index("person") if "person" in labels else finder.card.kept_labels[0]


def _pair(names: str | None, skeleton: Skeleton) -> tuple[int, int] | None:
    """The two keypoints of --nme. Raises ConfigError where the skeleton has no such pair."""
    if names is None:
        return None
    chosen = [name.strip() for name in names.split(",")]
    unknown = [name for name in chosen if name not in skeleton.keypoints]
    if len(chosen) != 2 or unknown:
        known = ", ".join(skeleton.keypoints[:6])
        raise ConfigError(f"--nme {names}: give two keypoints of {skeleton.name} ({known}, ...)")
    first, second = (skeleton.keypoints.index(name) for name in chosen)
    return first, second
