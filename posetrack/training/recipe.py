"""The training recipe: a YAML file, validated whole before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from posetrack.errors import ConfigError
from posetrack.training.augment import PoseAugmentation
from posetrack.training.detection_data import DetectionAugmentation, LabelRules


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(_Section):
    """What is trained."""

    architecture: str
    input_size: tuple[int, int]
    skeleton: str = "coco"
    init: Path | None = None


class SourceSection(_Section):
    """One COCO-format file. `repeat` is how often an epoch shows each of its rows."""

    annotations: Path
    images: Path | None = None
    repeat: float = Field(1.0, gt=0)
    repeat_by_source: dict[str, float] = {}
    pseudo_weight: float = Field(0.0, ge=0, le=1)


class DataSection(_Section):
    """Where the data is; relative paths start at `root`."""

    root: Path = Path()
    train: tuple[SourceSection, ...]
    val: tuple[SourceSection, ...]
    workers: int = Field(1, ge=0)


class ScheduleSection(_Section):
    """AdamW, linear warm-up, flat, then cosine to `final_lr_ratio`."""

    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    accumulate: int = Field(1, gt=0)
    lr: float = Field(gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warmup_iterations: int = Field(500, ge=0)
    flat_fraction: float = Field(0.5, ge=0, le=1)
    final_lr_ratio: float = Field(0.05, ge=0, le=1)
    clip_norm: float = Field(35.0, gt=0)
    stage2_epochs: int = Field(0, ge=0)
    evaluate_every: int = Field(1, gt=0)


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


class RuntimeSection(_Section):
    """How it runs; nothing here changes what is learned but rounding."""

    device: str = "cpu"
    threads: int | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = True
    seed: int = 21


class Recipe(_Section):
    """A whole training."""

    name: str
    task: Literal["pose", "detection"]
    model: ModelSection
    data: DataSection
    schedule: ScheduleSection
    ema: EmaSection | None = None
    pose_stage1: PoseAugmentation = PoseAugmentation()
    pose_stage2: PoseAugmentation = PoseAugmentation(
        shift=0.0, shift_probability=0.0, scale=(0.75, 1.25), rotation_deg=60.0, dropout=0.5
    )
    detection_stage1: DetectionAugmentation = DetectionAugmentation()
    detection_stage2: DetectionAugmentation = DetectionAugmentation(mosaic=0.0)
    labels: LabelRules = LabelRules()
    teacher: TeacherSection | None = None
    runtime: RuntimeSection = RuntimeSection()


def read_recipe(path: Path, overrides: list[str]) -> Recipe:
    """The validated recipe of `path` with ``section.key=value`` overrides.

    Raises:
        ConfigError: naming the file, the line where it is known, and the key.
    """
    if not path.is_file():
        raise ConfigError(f"no recipe at {path}: see configs/train/ for some to copy")
    text = path.read_text("utf-8")
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {str(error).splitlines()[-1].strip()}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no recipe: see configs/train/ for some to copy")
    for override in overrides:
        _override(data, override)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        line = _line_of(text, first["loc"])
        raise ConfigError(f"{path}:{line}: {where}: {first['msg']}") from error


def _override(data: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}: write it as section.key=value")
    *parents, last = key.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {override}: {parent} is no section")
    data[last] = yaml.safe_load(value)


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """Line of the deepest part of `location` that the file names (1 where it names none)."""
    node, line = yaml.compose(text), 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == part]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            found = [(v, v) for v in node.value[part : part + 1]]
        else:
            break
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return line
