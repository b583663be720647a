"""Model cards: everything about a model but its weights, read from one ``card.yaml``.

Preprocessing is read from nowhere else, and an unknown or misspelt key is an error with its line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from posetrack.codecs import Z_RANGE_M, Decoded, Heatmap, SimCC, SimCC3D
from posetrack.codecs import Codec as AnyCodec
from posetrack.documents import load_document
from posetrack.errors import ModelError
from posetrack.heads import Head
from posetrack.skeletons import SKELETON_FILES, Skeleton, load_skeleton

Task = Literal["detection", "pose", "reid", "backbone"]
"""What a model does; a backbone does nothing by itself, trainings start from it."""

Score = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(gt=0)]


_COCO = """
person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign
parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella
handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat baseball_glove skateboard
surfboard tennis_racket bottle wine_glass cup fork knife spoon bowl banana apple sandwich orange
broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed dining_table toilet tv laptop
mouse remote keyboard cell_phone microwave oven toaster sink refrigerator book clock vase scissors
teddy_bear hair_drier toothbrush
"""
COCO_LABELS = tuple(name.replace("_", " ") for name in _COCO.split())
"""The 80 classes of COCO; ``labels: coco`` in a card."""


def _named_labels(value: Any) -> Any:
    if value == "coco":
        return COCO_LABELS
    return tuple(value) if isinstance(value, list) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Input(_Strict):
    """What the network is fed: mean, std and pad are in the order of `color`, on 0..255.

    `folded`: the graph does all that by itself and takes uint8 (N, H, W, 3) BGR.
    """

    size: tuple[Side, Side]
    color: Literal["bgr", "rgb"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pad: Annotated[int, Field(ge=0, le=255)] = 114
    folded: bool = False

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if min(self.std) <= 0:
            raise ValueError("std must be above 0")
        return self


class Codec(_Strict):
    """How keypoints are written in the output, and how much a box is grown for the crop.

    `split` is of SimCC, `z_range_m` of SimCC with depth; `stride`, `sigma` and `udp` are of
    heatmaps, see `posetrack.codecs`. A `decoded` graph gives x, y in crop px and the raw score of
    each keypoint.
    """

    kind: Literal["simcc", "simcc3d", "heatmap", "decoded"] = "simcc"
    split: Annotated[float, Field(gt=0)] = 2.0
    padding: Annotated[float, Field(gt=0)] = 1.25
    stride: Side = 4
    sigma: Annotated[float, Field(gt=0)] = 2.0
    udp: bool = True
    z_range_m: Annotated[float, Field(gt=0)] = Z_RANGE_M


class View(_Strict):
    """The camera that a 3D model is read with where none is named: focal length (fx, fy) px, and
    how far away people are taken to be. See `posetrack.camera.Camera`.
    """

    focal: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    distance_m: Annotated[float, Field(gt=0)]


class Thresholds(_Strict):
    """Scores below which a detection or a keypoint is not to be believed; IoU for NMS.

    `birth` is the detection score from which a tracker starts a new person, `similarity` the cosine
    of two embeddings from which they are of one person.
    """

    detection: Score = 0.3
    nms: Score = 0.6
    keypoint: Score = 0.3
    birth: Score | None = None
    similarity: Score | None = None


class ModelFile(_Strict):
    """One file: `path` is relative to the card's folder, `url` is where the zoo fetches it, or
    else `mirrors`.

    Of files of several precisions the one asked for is taken. ``weights`` is what another file of
    the card needs beside it.
    """

    format: Literal["onnx", "pth", "sdk-zip", "openvino", "ncnn", "weights"]
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    path: str | None = None
    url: str | None = None
    mirrors: tuple[str, ...] = ()
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    sha8: Annotated[str, Field(pattern=r"^[0-9a-f]{7,8}$")] | None = None
    bytes: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not (self.path or self.url):
            raise ValueError("a file needs a path or a url")
        if self.path and (Path(self.path).is_absolute() or ".." in Path(self.path).parts):
            raise ValueError("path must stay inside the card's folder")
        return self

    @property
    def name(self) -> str:
        """The file's own name."""
        return (self.path or self.url or "").rsplit("/", 1)[-1]

    @property
    def digest(self) -> str | None:
        """What the file's SHA-256 must begin with, if anything is known of it."""
        return self.sha256 or self.sha8


class Accuracy(_Strict):
    """One figure; `command` measured it, without one it is as the source published it."""

    metric: str
    value: float
    on: str
    command: str | None = None


class ModelCard(_Strict):
    """Everything about a model but its weights."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    task: Task
    architecture: str
    input: Input
    skeleton: str | None = None
    labels: Annotated[tuple[str, ...], BeforeValidator(_named_labels)] = ()
    keep: tuple[str, ...] | None = None
    head: Head = "rtmdet"
    codec: Codec = Codec()
    score_scale: Annotated[float, Field(gt=0)] = 1.0
    camera: View | None = None
    thresholds: Thresholds = Thresholds()
    files: tuple[ModelFile, ...] = ()
    licence: str = ""
    training_data: tuple[str, ...] = ()
    recipe: str = ""
    source: str = ""
    parameters: int | None = None
    accuracy: tuple[Accuracy, ...] = ()
    notes: str = ""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.task == "pose" and not self.skeleton:
            raise ValueError("a pose model's card needs a skeleton")
        if self.task == "detection" and not self.labels:
            raise ValueError("a detector's card needs labels, the names of its classes")
        if self.task == "reid" and self.thresholds.similarity is None:
            raise ValueError(
                "a re-identification model's card needs thresholds.similarity, the cosine from "
                "which two pictures are of one person"
            )
        if self.camera is not None and self.codec.kind != "simcc3d":
            raise ValueError("camera means nothing to a model without depth: leave it out")
        strangers = set(self.keep or ()) - set(self.labels)
        if strangers:
            raise ValueError(f"keep names {min(strangers)!r}, which is not in labels")
        return self

    @property
    def keypoints(self) -> Skeleton:
        """The skeleton of a pose model. Raises ConfigError where its name is not known."""
        assert self.skeleton is not None
        return load_skeleton(self.skeleton)

    @property
    def kept_labels(self) -> tuple[int, ...]:
        """Indices of the classes that count; all of them unless `keep` says otherwise."""
        if self.keep is None:
            return tuple(range(len(self.labels)))
        return tuple(i for i, label in enumerate(self.labels) if label in self.keep)

    def decoder(self) -> AnyCodec:
        """What reads a pose model's output."""
        codec, size, scale = self.codec, self.input.size, self.score_scale
        if codec.kind == "decoded":
            return Decoded(size, score_scale=scale)
        if codec.kind == "simcc":
            return SimCC(size, split=codec.split, score_scale=scale)
        if codec.kind == "simcc3d":
            return SimCC3D(size, codec.split, None, scale, codec.z_range_m)
        return Heatmap(size, codec.stride, codec.sigma, udp=codec.udp, score_scale=scale)

    def to_yaml(self) -> str:
        """The card as its file is written; reading it back gives an equal card."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100))


def load_card(path: Path) -> ModelCard:
    """The card in a file; a skeleton file that lies beside it is named by its whole path.

    Raises:
        ModelError: it is not a valid card, with file and line.
    """
    if not path.is_file():
        raise ModelError(f"model card {path} not found: check the path")
    card = load_document(path, ModelCard, error=ModelError)
    beside = path.parent / (card.skeleton or "")
    if beside.suffix in SKELETON_FILES and beside.is_file():
        card = card.model_copy(update={"skeleton": str(beside)})
    return card
