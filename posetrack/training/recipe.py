"""The training recipe: a YAML file, validated whole before anything runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from posetrack.datasets.scenes import LabelRules
from posetrack.documents import read_yaml, wording
from posetrack.errors import ConfigError
from posetrack.skeletons import load_skeleton
from posetrack.training.augment import PoseAugmentation, Positive
from posetrack.training.detection_data import DetectionAugmentation

Side = Annotated[int, Field(gt=0, multiple_of=32)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(_Section):
    """What is trained, and from what: modules are named as in ``backbone.stem``.

    `classes` are a detector's, by name; ``all`` are those of its first source. Without
    `joint_weights` every keypoint counts alike, whatever the set says. Modules of `fresh` take
    nothing from `init`, those of `freeze` keep what they have.
    """

    architecture: str
    input_size: tuple[Side, Side]
    skeleton: str = "coco"
    joint_weights: bool = True
    classes: tuple[str, ...] | Literal["all"] = ("person",)
    sigma: tuple[Positive, Positive] | None = None
    init: str | None = None
    fresh: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        from posetrack.networks import require_architecture

        return require_architecture(name)

    @field_validator("skeleton")
    @classmethod
    def _loads(cls, name: str) -> str:
        load_skeleton(name)
        return name


class SourceSection(_Section):
    """One COCO-format file. `repeat` is how often an epoch shows each of its rows.

    `keypoints` renames those of the file to those of the skeleton: ``{theirs: ours}``.
    """

    annotations: Path
    images: Path | None = None
    keypoints: dict[str, str] = {}
    repeat: Positive = 1.0
    repeat_by_source: dict[str, Positive] = {}
    pseudo_weight: float = Field(0.0, ge=0, le=1)


class DataSection(_Section):
    """Where the data is; relative paths start at `root`."""

    root: Path = Path()
    train: tuple[SourceSection, ...] = Field(min_length=1)
    val: tuple[SourceSection, ...] = Field(min_length=1)
    workers: int = Field(1, ge=0)


class ScheduleSection(_Section):
    """AdamW, linear warm-up, flat, then cosine to `final_lr_ratio`.

    With `base_batch_size` the rate is scaled to the samples that a step really has.
    """

    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    accumulate: int = Field(1, gt=0)
    lr: float = Field(gt=0)
    base_batch_size: int | None = Field(None, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warmup_iterations: int = Field(500, ge=0)
    flat_fraction: float = Field(0.5, ge=0, le=1)
    final_lr_ratio: float = Field(0.05, ge=0, le=1)
    clip_norm: float = Field(35.0, gt=0)
    stage2_epochs: int = Field(0, ge=0)
    evaluate_every: int = Field(1, gt=0)

    @model_validator(mode="after")
    def _stage2_is_a_part(self) -> ScheduleSection:
        if self.stage2_epochs > self.epochs:
            raise ValueError(f"stage2_epochs {self.stage2_epochs} of {self.epochs} epochs")
        return self


class EmaSection(_Section):
    """Weight averaging; `momentum` is the final one, reached with time constant `gamma`."""

    momentum: float = Field(2e-4, gt=0, lt=1)
    gamma: float = Field(2000.0, gt=0)


class TeacherSection(_Section):
    """A trained detector of the same priors, as ONNX, whose dense answers are labels too."""

    onnx: Path
    scores: str
    boxes: str
    weight: float = Field(1.0, gt=0)


class DistillSection(_Section):
    """A trained pose network as teacher; `fade` lets go of it towards the last epoch."""

    teacher: str
    feature_weight: float = Field(7e-5, ge=0)
    logit_weight: float = Field(0.1, ge=0)
    fade: bool = True


class PruneSection(_Section):
    """Down to a share of the multiplications, a few units every few steps."""

    flops: float = Field(gt=0, lt=1)
    interval: int = Field(10, gt=0)
    units: int = Field(1, gt=0)


class RuntimeSection(_Section):
    """How it runs; nothing here changes what is learned but rounding."""

    device: str = "cpu"
    threads: Annotated[int, Field(gt=0)] | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = True
    compile: bool = False
    seed: int = 21


_OTHERS = {
    "pose": ("detection_stage1", "detection_stage2", "labels", "teacher"),
    "detection": (
        "pose_stage1",
        "pose_stage2",
        "coarse_weight",
        "bone_weight",
        "distill",
        "prune",
    ),
}
"""What means nothing to a task."""


class Recipe(_Section):
    """A whole training."""

    name: str
    task: Literal["pose", "detection"]
    model: ModelSection
    data: DataSection
    schedule: ScheduleSection
    ema: EmaSection | None = None
    coarse_weight: float = Field(0.0, ge=0)
    bone_weight: float = Field(0.0, ge=0)
    distill: DistillSection | None = None
    prune: PruneSection | None = None
    pose_stage1: PoseAugmentation = PoseAugmentation()
    pose_stage2: PoseAugmentation = PoseAugmentation(
        shift=0.0, shift_probability=0.0, scale=(0.75, 1.25), rotation_deg=60.0, dropout=0.5
    )
    detection_stage1: DetectionAugmentation = DetectionAugmentation()
    detection_stage2: DetectionAugmentation = DetectionAugmentation(mosaic=0.0)
    labels: LabelRules = LabelRules()
    teacher: TeacherSection | None = None
    runtime: RuntimeSection = RuntimeSection()

    @model_validator(mode="after")
    def _means_something(self) -> Recipe:
        if self.model.architecture.startswith("rtmdet") != (self.task == "detection"):
            raise ValueError(f"{self.model.architecture} does not do the task {self.task}")
        for key in _OTHERS[self.task]:
            if getattr(self, key) != Recipe.model_fields[key].default:
                raise ValueError(f"{key} means nothing to the task {self.task}: leave it out")
        family = self.model.architecture.partition("-")[0]
        for key, needed in (("coarse_weight", "rtmpose"), ("bone_weight", "rtmw3d")):
            if getattr(self, key) and family != needed:
                raise ValueError(f"{key} is for {needed}, not for {self.model.architecture}")
        return self


def read_recipe(path: Path, overrides: list[str]) -> Recipe:
    """The validated recipe of `path` with ``section.key=value`` overrides.

    Raises:
        ConfigError: naming the file and line, or the override, and the key.
    """
    if not path.is_file():
        raise ConfigError(f"no recipe at {path}: see configs/train/ for some to copy")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {path} cannot be read: {error}") from error
    data, lines = read_yaml(text, name=str(path))
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no recipe: see configs/train/ for some to copy")
    origins: _Origins = {place: f"{path}:{line}" for place, line in lines.items()}
    for override in overrides:
        _override(data, override, origins)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_explain(error, origins)) from error


_Origins = dict[tuple[int | str, ...], str]


def _override(data: dict[str, Any], override: str, origins: _Origins) -> None:
    name, equals, value = override.partition("=")
    place = tuple(name.strip().split("."))
    if not equals or not all(place):
        raise ConfigError(f"--set {override}: write it as section.key=value")
    for depth, parent in enumerate(place[:-1], 1):
        if parent not in data:
            origins[place[:depth]] = f"--set {name}"
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {override}: {parent} is no section")
    data[place[-1]] = read_yaml(value, name=f"--set {name}")[0]
    for inner in [known for known in origins if known[: len(place)] == place]:
        del origins[inner]
    origins[place] = f"--set {name}"


def _explain(error: ValidationError, origins: _Origins) -> str:
    first = error.errors(include_url=False)[0]
    place: tuple[int | str, ...] = tuple(first["loc"])
    known = place
    while known and known not in origins:
        known = known[:-1]
    where, dotted = origins[known], ".".join(map(str, place))
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        names = _keys_at(place[:-1])
        near = difflib.get_close_matches(str(place[-1]), names, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        return f"{where}: unknown key {dotted}: {hint}"
    if first["type"] == "missing":
        return f"{where}: {dotted} is missing"
    message = wording(first)
    if not place:  # of the recipe as a whole
        return f"{where}: {message}"
    return f"{where}: {dotted}: {message}, got {first['input']!r:.60}"


def _keys_at(place: tuple[int | str, ...]) -> list[str]:
    """Names of the keys of the section at `place`."""
    section: Any = Recipe
    for part in place:
        if isinstance(part, str):
            section = get_type_hints(section)[part]
        while not hasattr(section, "__annotations__"):  # Optional[X] and tuple[X, ...]
            section = get_args(section)[0]
    return [name for name in get_type_hints(section) if not name.startswith(("_", "model_c"))]
