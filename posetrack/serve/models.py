"""The models of the daemon: each loaded once, and shared by every stream that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from typing import Any, TypeAlias

from posetrack.backends import Backend
from posetrack.cli.session import make_schedule
from posetrack.config import BackendSettings
from posetrack.detector import Detector
from posetrack.embedder import Embedder
from posetrack.estimator import Estimator
from posetrack.perception import Perception
from posetrack.region import open_region
from posetrack.serve.batching import SharedEstimator
from posetrack.serve.settings import BatchSettings, StreamSettings
from posetrack.types import Detections, Floats, Image


class SharedDetector:
    """A detector that several streams ask by turns, each with thresholds of its own."""

    def __init__(self, detector: Detector, lock: Any) -> None:
        self._detector, self._lock = detector, lock
        self.card = detector.card
        self.tune(None, None, None)

    def tune(self, threshold: float | None, nms: float | None, labels: Any) -> None:
        """From the next frame on; None is the card's."""
        thresholds = self.card.thresholds
        self.threshold = thresholds.detection if threshold is None else threshold
        self.birth_threshold = thresholds.birth if threshold is None else threshold
        self._nms = nms
        self._labels = self.card.kept_labels if labels is None else labels

    def __call__(self, image: Image) -> Detections:
        """Who is in the picture."""
        with self._lock:
            detector = self._detector
            detector.threshold, detector.nms = self.threshold, self._nms
            detector.labels = self._labels
            return detector(image)


class SharedEmbedder:
    """A re-identification network that several streams ask by turns."""

    def __init__(self, embedder: Embedder, lock: Any) -> None:
        self._embedder, self._lock = embedder, lock
        self.similarity, self.card = embedder.similarity, embedder.card

    def __call__(self, image: Image, boxes: Floats) -> Floats:
        """An embedding a box."""
        with self._lock:
            return self._embedder(image, boxes)


Key: TypeAlias = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """One model, and how it is freed."""

    model: Any
    lock: Any
    close: Callable[[], None]
    backend: Backend


class Models:
    """Loads each model when a stream first needs it, and frees all at the end.

    Args:
        backend: what runs them.
        batching: how the pose networks are shared.
        on_batch: told the frames and people of each run of a pose network.
        on_load: told what runs each model.
    """

    def __init__(
        self,
        backend: BackendSettings,
        batching: BatchSettings,
        on_batch: Callable[[int, int], None] | None = None,
        on_load: Callable[[Backend], None] = lambda backend: None,  # noqa: ARG005
    ) -> None:
        self.backend = backend
        self._on_load = on_load
        self._batching, self._on_batch = batching, on_batch
        self._loaded: dict[Key, Loaded] = {}
        self._loading = RLock()
        self._closing = ExitStack()

    @contextmanager
    def perception(self, settings: StreamSettings, fps: float) -> Iterator[Perception]:
        """A perception that knows nobody yet, on the shared models.

        Raises:
            ModelNotFound, ModelError, BackendError, ConfigError: a model or setting is not usable.
        """
        detector = self._detector(settings)
        pose = self._get("pose", settings.pose.model).model
        reid = None
        if settings.reid.model is not None:
            found = self._get("reid", settings.reid.model)
            reid = SharedEmbedder(found.model, found.lock)
        tracker = settings.run_config().tracker_settings(fps)
        part = settings.source
        made = Perception(
            det=detector,
            pose=pose,
            reid=reid,
            det_interval=make_schedule(settings.detector),
            tracker=tracker,
            region=open_region(part.region, None if part.mask is None else Path(part.mask)),
        )
        made.tracker.warm_up()
        with self._loading:
            pose.users += 1
        try:
            with made:
                yield made
        finally:
            with self._loading:
                pose.users -= 1

    def names(self) -> list[dict[str, Any]]:
        """What is loaded: task, name and what runs it."""
        return [
            {
                "task": task,
                "name": getattr(each.model.card, "name", name or "embedded"),
                "backend": each.backend.kind,
                "device": each.backend.device,
                "precision": each.backend.precision,
            }
            for (task, name), each in list(self._loaded.items())
        ]

    def waiting(self) -> int:
        """Frames that wait for a pose network."""
        loaded = list(self._loaded.items())  # without the lock: loading a model takes long
        return sum(each.model.waiting for (task, _), each in loaded if task == "pose")

    def knows(self, task: str, name: str | None) -> bool:
        """Whether a model is the package's own or is loaded already."""
        return name is None or (task, name) in self._loaded

    def close(self) -> None:
        """Free every model; no stream may be running."""
        self._closing.close()

    def _detector(self, settings: StreamSettings) -> SharedDetector:
        found = self._get("detection", settings.detector.model)
        shared = SharedDetector(found.model, found.lock)
        tune_detector(shared, settings)
        return shared

    def _get(self, task: str, name: str | None) -> Loaded:
        with self._loading:  # two streams that ask at once get one model
            if (task, name) not in self._loaded:
                self._loaded[task, name] = loaded = self._load(task, name)
                self._closing.callback(loaded.close)
                self._on_load(loaded.backend)
            return self._loaded[task, name]

    def _load(self, task: str, name: str | None) -> Loaded:
        chosen = self.backend
        options: dict[str, Any] = {
            "backend": chosen.kind,
            "device": chosen.device,
            "threads": chosen.threads,
            "precision": chosen.precision,
        }
        if task == "pose":
            batching = self._batching
            with ExitStack() as opened:  # one that cannot be loaded leaves none behind
                copies = [
                    opened.enter_context(closing(Estimator.load(name, **options)))
                    for _ in range(batching.copies)
                ]
                opened.pop_all()
            shared = SharedEstimator(
                *copies,
                wait_s=batching.wait_ms / 1e3,
                max_boxes=batching.max_boxes,
                on_batch=self._on_batch,
            )
            return Loaded(shared, None, shared.close, copies[0].backend)
        model: Detector | Embedder
        if task == "reid":
            assert name is not None
            model = Embedder.load(name, **options)
        else:
            model = Detector.load(name, **options)
        return Loaded(model, Lock(), model.close, model.backend)


def tune_detector(detector: SharedDetector, settings: StreamSettings) -> None:
    """Give a stream's view of the detector its thresholds."""
    tracker = settings.run_config().tracker_settings()
    threshold = settings.detector.threshold
    if threshold is None:
        threshold = tracker.detection_threshold
    labels = None if tracker.detection_label is None else (tracker.detection_label,)
    detector.tune(threshold, settings.detector.nms, labels)
