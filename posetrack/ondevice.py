"""Detector and estimator whose pictures are uploaded once and prepared on the device (PyTorch).

Letterbox, crops, normalisation, network and SimCC decoding run where the network does; one small
tensor comes back a call. For `Perception(det=..., pose=...)`:

    uploads = Uploads()
    how = {"backend": "torch", "device": "cuda", "precision": "fp16", "uploads": uploads}
    det, pose = DeviceDetector.load(a, **how), DeviceEstimator.load(b, **how)

Written and tested on the CPU device; not yet run on a GPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from posetrack.backends.torch import TorchBackend
from posetrack.cards import Input, ModelCard
from posetrack.codecs import Decoded, SimCC
from posetrack.detector import MAX_CANDIDATES, Detector
from posetrack.errors import BackendError
from posetrack.estimator import Estimator
from posetrack.geometry import CropTransform, Letterbox
from posetrack.types import Detections, Floats, Image, Poses

if TYPE_CHECKING:
    from posetrack.backends.protocol import Array, Backend
    from posetrack.zoo import ResolvedModel


class Uploads:
    """Pictures on the device, each copied there once for all that look at it.

    A copy is kept as long as its picture lives. Two threads may ask.
    """

    def __init__(self) -> None:
        self._there: dict[tuple[int, str], Tensor] = {}

    def __call__(self, image: Image | Tensor, device: str) -> Tensor:
        """(H, W, 3) uint8 on `device`; a tensor that is there already is returned as it is."""
        if isinstance(image, Tensor):
            return image.to(device)
        key = id(image), device
        there = self._there.get(key)
        if there is None:
            plain = image.flags.writeable and image.flags.c_contiguous  # as PyTorch wants it
            # A copy on the CPU too: the picture may be drawn on before the device has looked.
            there = torch.from_numpy(image if plain else image.copy()).to(device, copy=True)
            self._there[key] = there
            weakref.finalize(image, self._there.pop, key, None)
        return there

    def __len__(self) -> int:
        return len(self._there)


def letterboxed(picture: Tensor, box: Letterbox, pad: int) -> Tensor:
    """(1, 3, h, w) float32 of a picture (H, W, 3): `Letterbox.resize`, but not rounded to bytes."""
    (width, height), (w, h) = box.input_size, box.resized
    planes = _planes(picture)
    while planes.shape[3] >= 2 * w and planes.shape[2] >= 2 * h and w > 1 and h > 1:
        half = (planes.shape[2] // 2, planes.shape[3] // 2)
        planes = functional.interpolate(planes, half, mode="area")
    planes = functional.interpolate(planes, (h, w), mode="bilinear", align_corners=False)
    return functional.pad(planes, (0, width - w, 0, height - h), value=pad)


def cropped(picture: Tensor, transform: CropTransform, rows: int | None = None) -> Tensor:
    """(rows, 3, h, w) float32 crops of a picture (H, W, 3): bilinear, black outside the picture.

    `CropTransform.crop` rounds positions to 1/32 px and values to bytes; here neither is rounded.
    Rows beyond those of `transform` show anything.
    """
    height, width = picture.shape[:2]
    w, h = transform.input_size
    count = len(transform) if rows is None else rows
    theta = np.zeros((count, 2, 3), np.float32)
    theta[: len(transform)] = _sampling(transform.matrices(), (width, height), (w, h))
    places = torch.from_numpy(theta).to(picture.device)
    grid = functional.affine_grid(places, [count, 3, h, w], align_corners=False)
    # The crops one below the other are one sampling of one picture, which thus is not repeated.
    column = grid.reshape(1, count * h, w, 2)
    values = functional.grid_sample(
        _planes(picture), column, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return values.view(3, count, h, w).transpose(0, 1)


def decoded(simcc_x: Tensor, simcc_y: Tensor, split: float) -> Tensor:
    """(N, K, 3) x, y in crop px and the lower of the two peaks, as of `codecs.SimCC.decode`."""
    (x_peak, x), (y_peak, y) = simcc_x.max(-1), simcc_y.max(-1)
    return torch.stack((x / split, y / split, torch.minimum(x_peak, y_peak)), -1)


class DeviceDetector(Detector):
    """A `Detector` that also takes a tensor (H, W, 3) uint8 on the device for a picture.

    Of all boxes the best `MAX_CANDIDATES`, which are those that enter NMS, are copied back.

    Args:
        model: as for `Detector`, like `settings`.
        backend: of PyTorch.
        uploads: shared with an estimator, so that a picture is uploaded once.
    """

    def __init__(
        self,
        model: ResolvedModel | ModelCard,
        backend: Backend,
        *,
        uploads: Uploads | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(model, backend, **settings)
        self._torch = _of_torch(backend)
        self._uploads = Uploads() if uploads is None else uploads
        self._normalize = _Normalize(self.card.input, self._torch.device)
        self._kept = torch.tensor(self.labels, device=self._torch.device)

    def __call__(self, image: Image | Tensor) -> Detections:
        """What is in the picture, as of `Detector`."""
        return super().__call__(cast(Image, image))

    def _look(self, image: Image | Tensor, letterbox: Letterbox) -> Mapping[str, Array]:
        with torch.inference_mode():
            picture = self._uploads(image, self._torch.device)
            batch = self._normalize(letterboxed(picture, letterbox, self.card.input.pad))
            boxes, scores = self._torch.infer(batch)
            strongest = scores[0].index_select(1, self._kept).amax(1)  # (A,)
            best = strongest.topk(min(MAX_CANDIDATES, len(strongest))).indices
            best = best.sort().values  # equal scores keep the order in which NMS would meet them
            rows = torch.cat((boxes[0, best], scores[0, best]), 1).cpu().numpy()
        return {"boxes": rows[None, :, :4], "scores": rows[None, :, 4:]}


class DeviceEstimator(Estimator):
    """An `Estimator` that also takes a tensor (H, W, 3) uint8 on the device for a picture.

    SimCC is decoded on the device; what other codecs read, a flip test averages or a heat map
    shows is copied.

    Args:
        model: as for `Estimator`, like `settings`.
        backend: of PyTorch.
        uploads: shared with a detector, so that a picture is uploaded once.
        sizes: rising numbers of crops that the network is run on, each at once when it is loaded; a
            batch is filled up to the next of them. For CUDA graphs, which are captured for each
            number. None runs as many crops as there are.
    """

    def __init__(
        self,
        model: ResolvedModel | ModelCard,
        backend: Backend,
        *,
        uploads: Uploads | None = None,
        sizes: Sequence[int] | None = None,
        **settings: Any,
    ) -> None:
        if sizes:
            settings["max_batch"] = sizes[-1]
        super().__init__(model, backend, **settings)
        self._torch = _of_torch(backend)
        self._uploads = Uploads() if uploads is None else uploads
        self._sizes = sizes or ()
        self._normalize = _Normalize(self.card.input, self._torch.device)
        self._split: float | None = None
        if type(self._codec) is SimCC and not self.flip_test and self._heat is None:
            self._split = self._codec.split
            self._codec = Decoded(self.input_size, self._codec.score_scale)

    def __call__(
        self,
        image: Image | Tensor,
        boxes: npt.ArrayLike,
        *,
        box_scores: npt.ArrayLike | None = None,
    ) -> Poses:
        """One pose a box, as of `Estimator`."""
        return super().__call__(cast(Image, image), boxes, box_scores=box_scores)

    def warm_up(self) -> None:
        """Run every size once on an empty picture."""
        width, height = self.input_size
        image = np.zeros((height, width, 3), np.uint8)
        for size in self._sizes or (1,):
            self(image, np.array([[0, 0, width, height]] * size, np.float32))
        self.take_heat()

    def _look(
        self, images: Sequence[Image] | Sequence[Tensor], transform: CropTransform
    ) -> list[Floats]:
        rows = next((size for size in self._sizes if size >= len(transform)), len(transform))
        with torch.inference_mode():
            batch = self._normalize(self._crops(images, transform, rows))
            answers = self._torch.infer(batch)
            if self._split is not None:
                simcc_x, simcc_y = answers
                return [decoded(simcc_x, simcc_y, self._split).cpu().numpy()]
            found = [answer.cpu().numpy() for answer in answers]
            if self.flip_test:
                mirrored = [answer.cpu().numpy() for answer in self._torch.infer(batch.flip(3))]
                found = self._codec.average(found, mirrored, self.skeleton.flip_order)
        return found

    def _crops(
        self, images: Sequence[Image] | Sequence[Tensor], transform: CropTransform, rows: int
    ) -> Tensor:
        """(rows, 3, h, w): a crop of each picture; those of one picture follow each other."""
        runs = [list(run) for _, run in groupby(range(len(images)), lambda row: id(images[row]))]
        missing = rows - len(images)
        parts = []
        for run in runs:
            own = replace(transform, centers=transform.centers[run], scales=transform.scales[run])
            picture = self._uploads(images[run[0]], self._torch.device)
            filled = len(run) + (missing if run is runs[-1] else 0)
            parts.append(cropped(picture, own, filled))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class _Normalize:
    """BGR (N, 3, h, w) -> ``(value - mean) / std`` in the colour order of the card."""

    def __init__(self, form: Input, device: str) -> None:
        self._reverse = form.color == "rgb"
        mean, std = (
            torch.tensor(value, device=device).view(1, 3, 1, 1) for value in (form.mean, form.std)
        )
        self._mean, self._factor = mean, 1 / std

    def __call__(self, batch: Tensor) -> Tensor:
        ordered = batch.flip(1) if self._reverse else batch
        return (ordered - self._mean) * self._factor


def _of_torch(backend: Backend) -> TorchBackend:
    if not isinstance(backend, TorchBackend):
        raise BackendError(
            f"pictures prepared on the device asked of {backend.kind}: only torch can, or use "
            "Detector and Estimator"
        )
    return backend


def _planes(picture: Tensor) -> Tensor:
    """(1, 3, H, W) float32 of a picture (H, W, 3)."""
    return picture.permute(2, 0, 1)[None].float()


def _sampling(
    matrices: npt.NDArray[np.float64], source: tuple[int, int], target: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """(N, 2, 3) for `affine_grid`: places in the crop to places in the picture, both -1 to 1.

    PyTorch counts from the outer edges of the first and the last pixel (``align_corners=False``).

    Args:
        matrices: (N, 2, 3) source px -> crop px.
        source: (width, height) of the picture.
        target: (width, height) of a crop.
    """
    whole = np.zeros((len(matrices), 3, 3))
    whole[:, :2], whole[:, 2, 2] = matrices, 1
    back = np.linalg.inv(whole)  # crop px -> source px
    return np.asarray((_shares(source) @ back @ np.linalg.inv(_shares(target)))[:, :2])


def _shares(size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """(3, 3) px of a picture of `size` (width, height) -> -1 to 1."""
    width, height = size
    return np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
