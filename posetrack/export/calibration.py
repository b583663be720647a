"""What a network sees in pictures like those it will be used on, for its value ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from posetrack.cards import ModelCard
from posetrack.datasets.annotations import Annotations
from posetrack.detector import Detector
from posetrack.errors import ConfigError
from posetrack.estimator import Estimator
from posetrack.media.source import open_source
from posetrack.types import Floats, Image

if TYPE_CHECKING:
    from posetrack.backends.protocol import Array, Backend

COUNT = 200
"""Crops or pictures that are looked at, spread evenly; more change the ranges by little."""

PEOPLE = 2
"""Of each picture that has no annotations, so that many pictures are seen."""

T = TypeVar("T")


class Recorder:
    """A backend that keeps a copy of what it is fed."""

    def __init__(self, backend: Backend) -> None:
        self.kind, self.device, self.precision = backend.kind, backend.device, backend.precision
        self.inputs, self.outputs = backend.inputs, backend.outputs
        self.fed: list[dict[str, Array]] = []
        self._backend = backend

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """What the backend answers."""
        self.fed.append({name: value.copy() for name, value in inputs.items()})
        return self._backend.run(inputs)

    def close(self) -> None:
        """Free the backend; what was recorded stays."""
        self._backend.close()


def recorded(
    card: ModelCard, backend: Backend, data: Path, count: int = COUNT
) -> list[dict[str, Array]]:
    """Inputs of the network on `count` crops or pictures of `data`, one each.

    Args:
        data: COCO-format annotations with their pictures, or anything that `posetrack run` reads;
            there the embedded detector says where the people are.

    Raises:
        ConfigError: there is nothing of use in it.
    """
    recorder = Recorder(backend)
    if card.task == "detection":
        detector = Detector(card, recorder, rect=False)  # one shape, for all calibrators
        for image in _pictures(data, count):
            detector(image)
    else:
        estimator = Estimator(card, recorder)
        for image, box in islice(_people(data, estimator, count), count):
            estimator(image, box[None])
    if not recorder.fed:
        raise ConfigError(f"calibration data {data} shows nobody: give pictures with people")
    return recorder.fed


def _pictures(data: Path, count: int) -> Iterator[Image]:
    if data.suffix == ".json":
        for picture in spread(list(Annotations.read(data).pictures.values()), count):
            yield picture.load()
        return
    with open_source(data) as source:
        step = max(1, (source.frame_count or count) // count)
        for frame in islice(source, 0, step * count, step):
            yield frame.image


def _people(data: Path, estimator: Estimator, count: int) -> Iterator[tuple[Image, Floats]]:
    if data.suffix == ".json":
        for person in spread(list(Annotations.read(data).people(estimator.skeleton)), count):
            yield person.picture.load(), person.box
        return
    detector = Detector.load()
    for image in _pictures(data, count):
        for box in detector(image).boxes[:PEOPLE]:
            yield image, box
    detector.close()


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly from first to last."""
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]
