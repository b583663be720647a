"""Detector, pose estimator and tracker as one object without threads: frames in, people out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError
from posetrack.schedule import Schedule, schedule_of
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Floats, Frame, Image, Mark, Poses, Result, Tracks

if TYPE_CHECKING:
    from posetrack.region import Region
    from posetrack.tracking import TrackerSettings

EMBEDDED = "embedded"
"""Stands for the model that comes with the package."""

_NOMINAL_FPS = 30.0

BoxesOf: TypeAlias = Callable[[Frame], Detections | None]
"""People of a frame known from elsewhere; None where nothing is known about that frame."""


class AnyDetector(Protocol):
    """What finds people, such as `posetrack.detector.Detector`."""

    @property
    def threshold(self) -> float:
        """Detections score above this."""
        ...

    def __call__(self, image: Image, /) -> Detections:
        """Who is in the picture."""
        ...


class AnyEstimator(Protocol):
    """What reads poses, such as `posetrack.estimator.Estimator`."""

    @property
    def skeleton(self) -> Skeleton:
        """What the keypoints are."""
        ...

    @property
    def keypoint_threshold(self) -> float:
        """A keypoint counts as visible from this score on."""
        ...

    def __call__(self, image: Image, boxes: Floats, /, *, box_scores: Floats) -> Poses:
        """One pose a box (N, 4), in their order."""
        ...


class AnyEmbedder(Protocol):
    """What tells people apart by how they look, such as `posetrack.embedder.Embedder`."""

    @property
    def similarity(self) -> float:
        """Cosine from which two embeddings are of one person."""
        ...

    def __call__(self, image: Image, boxes: Floats, /) -> Floats:
        """(N, D) of length 1, one a box (N, 4), in their order; all 0 where nothing is seen."""
        ...


class Perception:
    """People with lasting ids in the frames of one stream.

    `perception(frame)` is one step; `detect` and `track` are its two halves, which may run in two
    threads if each sees the frames in order. Closing frees the models that it loaded.

    Attributes:
        schedule: when the detector runs.
        known: the people of the last frame; None before the first.
        detector: None where boxes come from elsewhere.
        estimator: reads the poses.
        embedder: knows lost people again; None where only what they wear does.
        tracker: keeps the identities.
        parts: adds hands and faces to whoever is tracked; None where none were asked for.
        skeleton: what the keypoints are.
        region: where people count; None is everywhere.
        detector_runs: how often the detector ran so far.
    """

    def __init__(
        self,
        *,
        det: str | Path | AnyDetector | None = EMBEDDED,
        pose: str | Path | AnyEstimator = EMBEDDED,
        reid: str | Path | AnyEmbedder | None = None,
        backend: str = "onnxruntime",
        device: str = "cpu",
        threads: int | None = None,
        detector_threads: int | None = None,
        precision: str = "auto",
        det_interval: int | Schedule = 1,
        max_people: int | None = None,
        tracker: TrackerSettings | str = "default",
        region: Region | None = None,
        hands: AnyEstimator | None = None,
        face: AnyEstimator | None = None,
    ) -> None:
        """Load and warm the models.

        Args:
            det: name, path or address of a detector, or an object that detects; None for none.
            pose: name, alias, path or address of a pose model, or an object that estimates. An
                alias (`posetrack.zoo.aliases`) names hands, face and, where `det` is not given, a
                detector as well.
            reid: name, path or address of a re-identification model, or an object that embeds.
            backend: what runs the models that are loaded here.
            device: e.g. ``cpu`` or ``cuda:0``.
            threads: of the backend; None is its own choice.
            detector_threads: of the detector's backend, where they are to be others.
            precision: ``auto``, ``fp32``, ``fp16``, ``bf16`` or ``int8``.
            det_interval: 1 is every frame, 5 every fifth; or `posetrack.schedule.WhenNeeded`.
            max_people: poses a frame at most; the seen before the new, then the largest.
            tracker: settings, or the name of a preset.
            region: where people count; the detector sees no more than it needs to.
            hands: reads the hands at the wrists of whoever is tracked.
            face: reads their faces.

        Raises:
            ModelNotFound, ModelError, BackendError, ConfigError: a model or setting is not usable.
        """
        from posetrack.detector import Detector
        from posetrack.embedder import Embedder
        from posetrack.estimator import Estimator
        from posetrack.parts import Parts
        from posetrack.tracking import Tracker, preset
        from posetrack.zoo.aliases import choose

        schedule = schedule_of(det_interval)
        settings = preset(tracker) if isinstance(tracker, str) else tracker
        if max_people is not None:
            settings = replace(settings, max_boxes=max_people)
        options: dict[str, Any] = {
            "backend": backend,
            "device": device,
            "threads": threads,
            "precision": precision,
        }
        with ExitStack() as loaded:
            if isinstance(pose, str) and pose != EMBEDDED:
                chosen = choose(pose, detector=det not in (None, EMBEDDED))
                pose, det = chosen.pose or pose, _partner(det, chosen.detector)
                hands = hands or _loaded(chosen.hands, options, loaded)
                face = face or _loaded(chosen.face, options, loaded)
            if isinstance(det, str | Path):
                name = None if det == EMBEDDED else det
                own = options | {"threads": detector_threads or threads}
                det = Detector.load(name, **own, **_detector_settings(settings))
                loaded.callback(det.close)
            if isinstance(pose, str | Path):
                pose = Estimator.load(None if pose == EMBEDDED else pose, **options)
                loaded.callback(pose.close)
            if isinstance(reid, str | Path):
                reid = Embedder.load(reid, **options)
                loaded.callback(reid.close)
            self.detector = det
            self.estimator = pose
            self.embedder = reid
            resolved = self.resolved(settings)
            self.tracker = Tracker(resolved, pose.skeleton, reid)
            self.parts = None
            if hands is not None or face is not None:
                self.parts = Parts(pose.skeleton, resolved, hands=hands, face=face)
            self._loaded = loaded.pop_all()
        self.skeleton = pose.skeleton if self.parts is None else self.parts.skeleton
        self.schedule = schedule
        self.region = region
        self.detector_runs = 0
        self.known: Tracks | None = None
        self._image_count = 0

    def __call__(
        self,
        image: Frame | Image,
        t_s: float | None = None,
        *,
        boxes: npt.ArrayLike | None = None,
        detect: bool | None = None,
    ) -> Result:
        """Who is in this frame and where their keypoints are.

        Args:
            image: (H, W, 3) BGR uint8, or a `Frame`, which brings its own time.
            t_s: time of the image in seconds; without it, images are 1/30 s apart.
            boxes: (N, 4) xyxy of the people, in place of the detector; (0, 4) is nobody.
            detect: force the detector to run, or not to; None is by `det_interval`.
        """
        frame = image if isinstance(image, Frame) else self._frame(image, t_s)
        self._image_count += 1
        if boxes is not None:
            found = Detections.from_boxes(boxes)
            return self.track(frame, found, detector_ran=False)
        begin = perf_counter()
        detections = self.detect(frame, force=detect)
        ran = () if detections is None else (Mark("detect", begin, perf_counter()),)
        return self.track(frame, detections, marks=ran)

    def detect(self, frame: Frame, *, force: bool | None = None) -> Detections | None:
        """Who the detector sees; None where it did not run, which is not the same as nobody.

        Call it once a frame. `force` True or False decides for this frame, and the schedule's
        rhythm goes on.
        """
        due = self.due(frame)
        if force is not None:
            due = force
        if self.detector is None and force:
            raise ConfigError("detection asked, but there is no detector: give det=, or boxes=")
        return self.look(frame) if due and self.detector is not None else None

    def due(self, frame: Frame) -> bool:
        """Whether the detector is to run on this frame; to be asked once a frame."""
        return self.schedule.due(frame, self.known)

    def look(self, frame: Frame) -> Detections:
        """Who the detector sees in this frame, whether it is due or not."""
        assert self.detector is not None, "there is no detector"
        self.schedule.looked(frame)
        self.detector_runs += 1
        if self.region is None:
            return self.detector(frame.image)
        left, top, right, bottom = self.region.window(frame.size)
        found = self.detector(frame.image[top:bottom, left:right])
        moved = found.boxes + np.array([left, top, left, top], np.float32)
        return replace(found, boxes=moved)

    def track(
        self,
        frame: Frame,
        detections: Detections | None,
        *,
        detector_ran: bool | None = None,
        marks: tuple[Mark, ...] = (),
    ) -> Result:
        """The people of the next frame: one batch of poses, then identities and smoothing.

        Args:
            frame: later than the one before.
            detections: None where the detector did not run.
            detector_ran: for the result, where the detections come from elsewhere.
            marks: of the stages before, for the result.
        """
        size, t_s = frame.size, frame.pts_s
        begin = perf_counter()
        self.tracker.follow_camera(frame.image)
        proposals = self.tracker.propose(detections, t_s=t_s, size=size)
        if self.region is not None:
            proposals = proposals[self.region.contains(proposals.boxes, size)]
        proposed = perf_counter()
        poses = self.estimator(frame.image, proposals.boxes, box_scores=proposals.scores)
        take_heat = getattr(self.estimator, "take_heat", None)  # one of the caller's need not
        heat = None if take_heat is None else take_heat()
        estimated = perf_counter()
        tracks, raw = self.tracker.update(poses, proposals, t_s=t_s, size=size, image=frame.image)
        associated = perf_counter()
        here = [
            Mark("propose", begin, proposed),
            Mark("pose", proposed, estimated),
            Mark("associate", estimated, associated),
        ]
        ran = detections is not None if detector_ran is None else detector_ran
        self.known = tracks
        if self.parts is not None:
            tracks, raw = self.parts(frame.image, tracks, raw, t_s)
            here.append(Mark("parts", associated, perf_counter()))
        return Result(frame, tracks, raw, ran, (*marks, *here), heat)

    @property
    def visible_score(self) -> float | None:
        """Score from which a keypoint counts as seen."""
        return self.tracker.settings.keypoint_threshold

    def retune(self, tracker: TrackerSettings) -> None:
        """Track with other settings from the next frame on; everybody keeps the id.

        Raises:
            ConfigError: a setting that only a new perception can take.
        """
        self.tracker.retune(self.resolved(tracker))

    def resolved(self, settings: TrackerSettings) -> TrackerSettings:
        """Settings with what is open taken from the models."""
        return settings.resolved(
            keypoint_threshold=self.estimator.keypoint_threshold,
            detection_threshold=None if self.detector is None else self.detector.threshold,
            # A detector of the caller's own need not know it.
            birth_detection=getattr(self.detector, "birth_threshold", None),
            reid_similarity=None if self.embedder is None else self.embedder.similarity,
        )

    def reset(self) -> None:
        """Begin another stream: nobody is known, the next frame is a detector frame."""
        self.tracker.reset()
        self.schedule.reset()
        if self.parts is not None:
            self.parts.reset()
        self.known, self._image_count = None, 0

    def close(self) -> None:
        """Free the models that were loaded here; those that were given stay open."""
        self._loaded.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _frame(self, image: Image, t_s: float | None) -> Frame:
        index = self._image_count
        return Frame(image, index, index / _NOMINAL_FPS if t_s is None else t_s, perf_counter())


def _detector_settings(settings: TrackerSettings) -> dict[str, Any]:
    """What the detector must let through for the tracker's settings to mean something."""
    chosen: dict[str, Any] = {}
    if settings.detection_threshold is not None:
        chosen["threshold"] = settings.detection_threshold
    if settings.detection_label is not None:
        chosen["labels"] = (settings.detection_label,)
    return chosen


def _partner(det: Any, named: str | None) -> Any:
    """The detector, or that of the pose model's alias where none was chosen."""
    return named if named is not None and isinstance(det, str) and det == EMBEDDED else det


def _loaded(name: str | None, options: dict[str, Any], loaded: ExitStack) -> AnyEstimator | None:
    """The pose model of that name, warm; closed with the others."""
    if name is None:
        return None
    from posetrack.estimator import Estimator

    estimator = Estimator.load(name, **options)
    loaded.callback(estimator.close)
    return estimator
