"""A picture and the boxes of its people in, their keypoints out: one batch for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from posetrack.cards import ModelCard
from posetrack.codecs import Codec, Decoded, SimCC3D
from posetrack.errors import ConfigError, ModelError, NotANumber
from posetrack.geometry import CropTransform, box_area, box_centers, clip_boxes
from posetrack.normalize import InputBatch, require_size
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats, Heat, Image, Poses

if TYPE_CHECKING:
    from posetrack.backends.protocol import Array, Backend
    from posetrack.zoo import ResolvedModel


class Estimator:
    """A top-down pose network with what its card says about it. Used by one thread only.

    Args:
        model: a card, or what `posetrack.zoo.find` returned.
        backend: the loaded graph, ``input`` (N, 3, H, W) -> ``simcc_x``, ``simcc_y``, or what the
            card's codec says; uint8 (N, H, W, 3) where the card says that it is folded.
        max_batch: crops a run; more people are split over several.
        flip_test: average with the answer to the mirrored crops: a little better, twice as long.
        keep_heat: keep what `take_heat` gives.
    """

    def __init__(
        self,
        model: ResolvedModel | ModelCard,
        backend: Backend,
        *,
        max_batch: int = 32,
        flip_test: bool = False,
        keep_heat: bool = False,
    ) -> None:
        card = model if isinstance(model, ModelCard) else model.card
        if card.task != "pose":
            raise ModelError(f"{card.name} is a {card.task} model: give a pose model")
        self.card, self.backend = card, backend
        self.skeleton: Skeleton = card.keypoints
        self.input_size = card.input.size
        self.keypoint_threshold = card.thresholds.keypoint
        self._fixed_batch = _check_graph(card, self.skeleton, backend)
        self.max_batch = self._fixed_batch or max(1, max_batch)
        self.flip_test = flip_test
        self._codec = card.decoder()
        if keep_heat and isinstance(self._codec, Decoded):
            raise ConfigError(
                f"a heat map asked, but the graph of {card.name} gives keypoints only: take a "
                "model that is not folded"
            )
        self._heat: list[Heat] | None = [] if keep_heat else None
        self._has_depth = isinstance(self._codec, SimCC3D)
        self._outputs = output_names(card, self._codec, backend)
        self._batch = InputBatch(card.input, self.input_size, self.max_batch)

    @classmethod
    def load(
        cls,
        name_or_path: str | Path | None = None,
        *,
        backend: str = "onnxruntime",
        device: str = "cpu",
        threads: int | None = None,
        precision: str = "auto",
        options: Mapping[str, Any] | None = None,
        allow_unverified: bool = False,
        **settings: Any,
    ) -> Self:
        """A pose model found by `posetrack.zoo.find`, opened and run once to be warm.

        None is the embedded pose model; `settings` go to the constructor.
        """
        from posetrack.opening import open_model

        model, opened = open_model(
            name_or_path,
            "pose",
            backend=backend,
            device=device,
            threads=threads,
            precision=precision,
            options=options,
            allow_unverified=allow_unverified,
        )
        estimator = cls(model, opened, **settings)
        estimator.warm_up()
        return estimator

    def __call__(
        self, image: Image, boxes: npt.ArrayLike, *, box_scores: npt.ArrayLike | None = None
    ) -> Poses:
        """One pose a box (N, 4) xyxy in source px, in their order; `box_scores` default to 1.

        A box without area or wholly outside the picture has nothing to look at: its keypoints lie
        at its centre with score 0.
        """
        rows = np.asarray(boxes, np.float32).reshape(-1, 4)
        if not len(rows):
            return Poses.empty(self.skeleton)
        trusted = np.ones(len(rows), np.float32)
        if box_scores is not None:
            trusted = np.asarray(box_scores, np.float32)
        return self.many([(image, rows, trusted)])[0]

    def many(self, requests: Sequence[tuple[Image, Floats, Floats]]) -> list[Poses]:
        """The poses of several pictures, their people in one batch.

        Args:
            requests: a picture, the boxes (N, 4) in it and their scores (N,), as for a call.
        """
        rows = np.concatenate([boxes for _, boxes, _ in requests])
        count = len(self.skeleton)
        keypoints = np.repeat(box_centers(rows)[:, None], count, axis=1)  # (N, K, 2)
        scores = np.zeros((len(rows), count), np.float32)
        depths = np.zeros_like(scores) if self._has_depth else None
        owners = [image for image, boxes, _ in requests for _ in boxes]
        visible = np.flatnonzero(np.concatenate([_looked_at(i, boxes) for i, boxes, _ in requests]))
        for start in range(0, len(visible), self.max_batch):
            part = visible[start : start + self.max_batch]
            found, scores[part] = self._run([owners[row] for row in part.tolist()], rows[part])
            keypoints[part] = found[..., :2]
            if depths is not None:
                depths[part] = found[..., 2]
        poses, end = [], 0
        for _, boxes, trusted in requests:
            own = slice(end, end := end + len(boxes))
            depth = None if depths is None else depths[own]
            poses.append(Poses(keypoints[own], scores[own], boxes, trusted, self.skeleton, depth))
        return poses

    def warm_up(self) -> None:
        """Run once on an empty picture; what fails here would fail on the first frame."""
        width, height = self.input_size
        image = np.zeros((height, width, 3), np.uint8)
        self(image, np.array([[0, 0, width, height]], np.float32))
        self.take_heat()

    def take_heat(self) -> Heat | None:
        """What the network answered since the last time, a map for each box that was looked at;
        None unless it is kept.
        """
        if not self._heat:
            return None
        kept = self._heat.copy()
        self._heat.clear()
        maps, placements = ([getattr(h, name) for h in kept] for name in ("maps", "placements"))
        return Heat(np.concatenate(maps), np.concatenate(placements))

    def close(self) -> None:
        """Free the network."""
        self.backend.close()

    def _run(self, images: Sequence[Image], boxes: Floats) -> tuple[Floats, Floats]:
        """Keypoints (n, K, 2) in source px and scores (n, K) of at most `max_batch` boxes, each in
        its own of n pictures.

        Of a 3D model the keypoints have a third column, their depth in metres.
        """
        transform = CropTransform.from_boxes(
            boxes, self.input_size, self.card.codec.padding, udp=self._codec.udp
        )
        answers = [part[: len(boxes)] for part in self._look(images, transform)]
        if self._heat is not None and not isinstance(self._codec, Decoded):
            maps = self._codec.heat(*answers)
            self._heat.append(Heat(maps, transform.placements(maps.shape[:0:-1])))
        keypoints_crop, scores = self._codec.decode(*answers)
        if not (np.isfinite(keypoints_crop).all() and np.isfinite(scores).all()):
            raise NotANumber(self.card.name)
        keypoints = transform.inverse(np.ascontiguousarray(keypoints_crop[..., :2]))
        return np.concatenate([keypoints, keypoints_crop[..., 2:]], axis=-1), scores

    def _look(self, images: Sequence[Image], transform: CropTransform) -> list[Floats]:
        """What the codec reads, for one crop of each picture; rows beyond them mean nothing."""
        self._batch.crop(images, transform)
        count = self._fixed_batch or len(transform)
        answers = self._answer(self._batch.first(count))
        if self.flip_test:
            mirrored = self._answer(self._batch.mirrored(count))
            answers = self._codec.average(answers, mirrored, self.skeleton.flip_order)
        return answers

    def _answer(self, batch: Array) -> list[Floats]:
        """What the codec reads, for the crops of an `InputBatch`."""
        spec = self.backend.inputs[0]
        outputs = self.backend.run({spec.name: batch.astype(spec.dtype, copy=False)})
        return [np.asarray(outputs[name], np.float32) for name in self._outputs]


def _looked_at(image: Image, boxes: Floats) -> Bools:
    """(N,) which boxes have an area, some of it in the picture."""
    size = (image.shape[1], image.shape[0])
    return np.asarray((box_area(clip_boxes(boxes, size)) > 0) & (box_area(boxes) > 0))


def _check_graph(card: ModelCard, skeleton: Skeleton, backend: Backend) -> int | None:
    """The batch size of a graph that takes no other, after checking size and keypoint count."""
    require_size(card, backend.inputs[0])
    answer = backend.outputs[0].shape
    found = answer[1] if len(answer) > 2 else None
    if found is not None and found != len(skeleton):
        raise ModelError(
            f"{card.name}: the graph has {found} keypoints, skeleton {skeleton.name!r} has "
            f"{len(skeleton)}: correct the card's skeleton"
        )
    return backend.inputs[0].shape[0]


def output_names(card: ModelCard, codec: Codec, backend: Backend) -> list[str]:
    """The names of what the codec reads; a foreign graph may call them otherwise.

    Raises:
        ModelError: the graph puts out something else.
    """
    expected = codec.outputs
    wanted, names = [name for name, _ in expected], [spec.name for spec in backend.outputs]
    if set(wanted) <= set(names):
        return wanted
    shapes = [spec.shape[2:] for spec in backend.outputs[: len(expected)]]
    if shapes == [shape for _, shape in expected]:
        return names[: len(expected)]
    raise ModelError(
        f"{card.name} puts out {', '.join(names)}: a pose model has {' and '.join(wanted)}"
    )
