"""A picture and the boxes of its people in, an embedding of each out: who looks like whom."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from posetrack.cards import ModelCard
from posetrack.errors import ModelError
from posetrack.geometry import CropTransform, box_area, clip_boxes
from posetrack.normalize import InputBatch, require_size
from posetrack.types import Floats, Image

if TYPE_CHECKING:
    from posetrack.backends.protocol import Backend
    from posetrack.zoo import ResolvedModel


class Embedder:
    """A re-identification network with what its card says about it. Used by one thread only.

    Attributes:
        length: D, the numbers in an embedding.
        similarity: cosine from which two embeddings are of one person.

    Args:
        model: a card, or what `posetrack.zoo.find` returned.
        backend: the loaded graph, one input (N, 3, H, W) -> one output (N, D).
        max_batch: crops a run; more people are split over several.
    """

    def __init__(
        self, model: ResolvedModel | ModelCard, backend: Backend, *, max_batch: int = 32
    ) -> None:
        card = model if isinstance(model, ModelCard) else model.card
        if card.task != "reid":
            raise ModelError(f"{card.name} is a {card.task} model: give a re-identification model")
        assert card.thresholds.similarity is not None  # the card was checked for it
        self.card, self.backend = card, backend
        self.similarity = card.thresholds.similarity
        require_size(card, backend.inputs[0])
        self.length = _length(card, backend)
        self._fixed_batch = backend.inputs[0].shape[0]
        self.max_batch = self._fixed_batch or max(1, max_batch)
        self._batch = InputBatch(card.input, card.input.size, self.max_batch)

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        *,
        backend: str = "onnxruntime",
        device: str = "cpu",
        threads: int | None = None,
        precision: str = "auto",
        options: Mapping[str, Any] | None = None,
        allow_unverified: bool = False,
        **settings: Any,
    ) -> Self:
        """A model found by `posetrack.zoo.find`, opened and run once to be warm.

        `settings` go to the constructor.
        """
        from posetrack.opening import open_model

        model, opened = open_model(
            name_or_path,
            "reid",
            backend=backend,
            device=device,
            threads=threads,
            precision=precision,
            options=options,
            allow_unverified=allow_unverified,
        )
        embedder = cls(model, opened, **settings)
        embedder.warm_up()
        return embedder

    def __call__(self, image: Image, boxes: npt.ArrayLike) -> Floats:
        """(N, D) of length 1, one a box (N, 4) xyxy in source px, in their order.

        Of a box is seen what lies in the picture, stretched to the input's size, as such networks
        are trained. Where that is nothing the embedding is all 0, like nobody's.

        Raises:
            ModelError: the network puts out what is no number.
        """
        rows = np.asarray(boxes, np.float32).reshape(-1, 4)
        embeddings = np.zeros((len(rows), self.length), np.float32)
        inside = clip_boxes(rows, (image.shape[1], image.shape[0]))
        (visible,) = np.nonzero(box_area(inside) > 0)
        for start in range(0, len(visible), self.max_batch):
            part = visible[start : start + self.max_batch]
            embeddings[part] = self._run(image, inside[part])
        return embeddings

    def warm_up(self) -> None:
        """Run once on an empty picture; what fails here would fail on the first frame."""
        width, height = self.card.input.size
        self(np.zeros((height, width, 3), np.uint8), np.array([[0, 0, width, height]]))

    def close(self) -> None:
        """Free the network."""
        self.backend.close()

    def _run(self, image: Image, boxes: Floats) -> Floats:
        """(n, D) of at most `max_batch` boxes that lie in the picture."""
        self._batch.crop(repeat(image), CropTransform.stretching(boxes, self.card.input.size))
        batch = self._batch.first(self._fixed_batch or len(boxes))
        spec, (answer,) = self.backend.inputs[0], self.backend.outputs
        outputs = self.backend.run({spec.name: batch.astype(spec.dtype, copy=False)})
        found = np.asarray(outputs[answer.name], np.float32)[: len(boxes)]
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        if not np.isfinite(norms).all():
            raise ModelError(
                f"{self.card.name} puts out embeddings that are no numbers: run it with "
                "--backend onnxruntime at fp32, and check the card's mean and std"
            )
        return np.asarray(found / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def _length(card: ModelCard, backend: Backend) -> int:
    """D of a graph with one output (N, D)."""
    shapes = [spec.shape for spec in backend.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
        shown = " and ".join("x".join("?" if n is None else str(n) for n in s) for s in shapes)
        raise ModelError(
            f"{card.name} puts out {shown}: a re-identification model has one output (N, D), D "
            "fixed; export it without its classifier"
        )
    return shapes[0][1]
