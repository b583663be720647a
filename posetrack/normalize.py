"""Pictures to network input: normalised here, or as they are where the graph does it itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.errors import ModelError
from posetrack.types import Floats, Image

if TYPE_CHECKING:
    from posetrack.backends.protocol import TensorSpec
    from posetrack.cards import Input, ModelCard
    from posetrack.geometry import CropTransform

Sides = tuple[int | None, int | None]


class Normalizer:
    """BGR uint8 (h, w, 3) -> float32 (3, h, w) of ``(value - mean) / std``.

    `mean` and `std` are in the order of `color`, the order the network wants. The planes of the
    picture are split into buffers that are kept, so one size after the other costs no allocation.
    """

    def __init__(
        self,
        color: Literal["bgr", "rgb"],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        self._order = (0, 1, 2) if color == "bgr" else (2, 1, 0)
        self._mean = np.array(mean, np.float32)
        self._factor = (1 / np.array(std, np.float64)).astype(np.float32)
        self._planes: list[Image] = []

    def __call__(self, image: Image, out: Floats) -> Floats:
        """`out` (3, h, w), filled."""
        if not self._planes or self._planes[0].shape != image.shape[:2]:
            self._planes = [np.empty(image.shape[:2], np.uint8) for _ in range(3)]
        cv2.split(image, self._planes)
        for channel, source in enumerate(self._order):
            plane = out[channel]
            np.subtract(self._planes[source], self._mean[channel], out=plane)
            np.multiply(plane, self._factor[channel], out=plane)
        return out


class InputBatch:
    """What one run of a network is fed, a row a picture, made once and filled again and again.

    Float rows are (3, h, w), normalised from a canvas that all share. A graph that normalises by
    itself (`Input.folded`) takes uint8 rows (h, w, 3), and a picture is drawn straight into its.

    Args:
        form: what the card says about the input.
        size: (width, height).
        rows: the most pictures of a run.
    """

    def __init__(self, form: Input, size: tuple[int, int], rows: int) -> None:
        width, height = size
        # Untouched pages cost nothing: memory follows the number of people there really are.
        if form.folded:
            self._rows: npt.NDArray[Any] = np.zeros((rows, height, width, 3), np.uint8)
            self._normalize = None
        else:
            self._rows = np.zeros((rows, 3, height, width), np.float32)
            self._normalize = Normalizer(form.color, form.mean, form.std)
            self._canvas = np.empty((height, width, 3), np.uint8)

    def canvas(self, row: int) -> Image:
        """Where the picture (h, w, 3) BGR of a row is to be drawn; then call `fill`."""
        return self._rows[row] if self._normalize is None else self._canvas

    def fill(self, row: int) -> None:
        """Take what was drawn on the row's canvas as that row."""
        if self._normalize is not None:
            self._normalize(self._canvas, self._rows[row])

    def crop(self, images: Iterable[Image], transform: CropTransform) -> None:
        """Fill a row for each crop of `transform`: bilinear, black outside the picture.

        `images` is the picture of each crop, in their order.
        """
        for row, (image, matrix) in enumerate(zip(images, transform.matrices(), strict=False)):
            crop = self.canvas(row)
            cv2.warpAffine(image, matrix, transform.input_size, dst=crop, flags=cv2.INTER_LINEAR)
            self.fill(row)

    def first(self, count: int) -> npt.NDArray[Any]:
        """The first `count` rows; they change when they are filled again."""
        return self._rows[:count]

    def mirrored(self, count: int) -> npt.NDArray[Any]:
        """The first `count` rows with left and right exchanged."""
        across = 3 if self._normalize is not None else 2
        return np.ascontiguousarray(np.flip(self._rows[:count], across))


def picture_sides(card: ModelCard, spec: TensorSpec) -> Sides:
    """(width, height) that a graph's input takes, None where it takes any.

    Raises:
        ModelError: the input is none of pictures, or not of the form the card says.
    """
    shape: Sequence[int | None] = spec.shape
    of_pixels = spec.dtype == np.uint8
    if of_pixels != card.input.folded:
        raise ModelError(
            f"{card.name}: the card says input.folded {card.input.folded}, the graph takes "
            f"{spec.dtype}: a folded graph takes uint8, correct the card"
        )
    if len(shape) == 3 and not of_pixels:  # one picture, no batch: some detectors of other makers
        shape = (1, *shape)
    channels = 3 if of_pixels else 1
    if len(shape) != 4 or shape[channels] not in (3, None):
        wanted = "(N, H, W, 3)" if of_pixels else "(N, 3, H, W)"
        raise ModelError(f"{card.name} takes {tuple(shape)}: a model of pictures takes {wanted}")
    height, width = shape[1:3] if of_pixels else shape[2:4]
    return width, height


def require_size(card: ModelCard, spec: TensorSpec) -> None:
    """Refuse a graph's input that is not of the card's size.

    Raises:
        ModelError: it is not, or as for `picture_sides`.
    """
    (width, height), sides = card.input.size, picture_sides(card, spec)
    if sides[0] not in (width, None) or sides[1] not in (height, None):
        raise ModelError(
            f"{card.name}: the card says {width}x{height}, the graph takes {sides[0]}x{sides[1]}: "
            "correct the card's input size"
        )
