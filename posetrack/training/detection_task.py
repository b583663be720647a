"""Training a detector of one or several classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from posetrack.datasets.scenes import STRICT, LabelRules, Scene, scenes
from posetrack.errors import ConfigError
from posetrack.evaluation.boxes import BoxTruth, detection_metrics
from posetrack.evaluation.sheets import some_pictures
from posetrack.geometry import Letterbox, greedy_nms, iou_matrix
from posetrack.training.assigner import assign
from posetrack.training.detection_data import DetectionSamples, collate
from posetrack.training.distributed import summed
from posetrack.training.loader import read_source, require, shuffled
from posetrack.training.losses import generalized_iou, quality_focal
from posetrack.training.recipe import Recipe, SourceSection
from posetrack.training.task import Metrics, normalise
from posetrack.training.teacher import Teacher
from posetrack.types import Floats, Image


class DetectionTask:
    """RTMDet: dynamic soft labels, quality focal and GIoU losses."""

    headline = ("complete", "recall")
    reduction: Literal["sum", "mean"] = "mean"
    mean, std = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.scenes: list[Scene] = []
        self.repeats: list[float] = []
        self.classes = recipe.model.classes
        for section in recipe.data.train:
            for scene in self._read(section, recipe.labels):
                by = section.repeat_by_source.get(scene.picture.source, 1.0)
                self.scenes.append(scene)
                self.repeats.append(section.repeat * by)
        self.val = [s for section in recipe.data.val for s in self._read(section, STRICT)]
        require(recipe, "picture", *([s.picture for s in part] for part in (self.scenes, self.val)))
        if not any(scene.complete for scene in self.val):
            self.headline = ("all", "recall")
        self.teacher: Teacher | None = None
        if (teacher := recipe.teacher) is not None:
            if len(self.classes) > 1:
                raise ConfigError(f"{recipe.name}: a teacher knows one class: leave out teacher")
            path = recipe.data.root / teacher.onnx
            self.teacher = Teacher(path, teacher.scores, teacher.boxes)

    def _read(self, section: SourceSection, rules: LabelRules) -> list[Scene]:
        """The scenes of a source, its categories found by name; the first one says what all are."""
        annotations = read_source(self.recipe.data.root, section)
        named = {name: number for number, name in annotations.categories.items()}
        if self.classes == "all":
            self.classes = tuple(named)
        if len(self.classes) == 1 and len(named) == 1:
            return scenes(annotations, rules)  # whatever its name
        missing = [name for name in self.classes if name not in named]
        if missing:
            raise ConfigError(
                f"{annotations.path} has no category {missing[0]!r} but {', '.join(named)}: "
                "correct model.classes"
            )
        return scenes(annotations, rules, [named[name] for name in self.classes])

    @property
    def facts(self) -> dict[str, Any]:
        """The names of the classes."""
        return {"labels": list(self.classes)}

    def build(self) -> nn.Module:
        """A fresh network."""
        from posetrack.networks import build

        model, count = self.recipe.model, len(self.classes)
        return build(model.architecture, input_size=model.input_size, num_classes=count)

    def samples(self, epoch: int, *, stage2: bool) -> Dataset[Any]:
        """This epoch's pictures."""
        seed, size = self.recipe.runtime.seed, self.recipe.model.input_size
        how = self.recipe.detection_stage2 if stage2 else self.recipe.detection_stage1
        order = shuffled(self.repeats, seed, epoch)
        return DetectionSamples(self.scenes, order, size, how, seed=seed, epoch=epoch)

    def collate(self) -> Callable[[list[Any]], Any]:
        """Boxes stay lists."""
        return collate

    def loss(self, model: nn.Module, batch: Any, epoch: int = 0) -> dict[str, Tensor]:  # noqa: ARG002
        """Quality focal (weight 1) and GIoU (weight 2), plus the teacher's where there is one."""
        images, truth, labels, ignored, complete = batch
        pixels = normalise(images, self.mean, self.std)
        levels, distances = model(pixels)
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        priors = model.priors(sizes, device=pixels.device)  # type: ignore[operator]
        logits = torch.cat([x.flatten(2).transpose(1, 2) for x in levels], 1).float()
        ltrb = torch.cat([x.flatten(2).transpose(1, 2) for x in distances], 1)
        boxes = torch.cat((priors[:, :2] - ltrb[..., :2], priors[:, :2] + ltrb[..., 2:]), -1)
        advice = self._advice(pixels, logits) if self.teacher is not None else None
        known = list(zip(truth, labels, ignored, complete, strict=True))
        losses = self._label_loss(logits, boxes, priors, known, advice)
        if advice is not None and self.recipe.teacher is not None:
            for name, value in _teacher_loss(logits[..., 0], boxes, *advice).items():
                losses[name] = value * self.recipe.teacher.weight
        return losses

    def _advice(self, pixels: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        assert self.teacher is not None
        scores, boxes = self.teacher(pixels)
        if scores.shape != logits.shape[:2]:
            raise ConfigError(
                f"the teacher gives {scores.shape[1]} scores a picture, the student "
                f"{logits.shape[1]}: take a teacher of the same priors, or none"
            )
        return scores, boxes

    def _label_loss(
        self,
        logits: Tensor,
        boxes: Tensor,
        priors: Tensor,
        known: list[tuple[Tensor, Tensor, Tensor, bool]],
        advice: tuple[Tensor, Tensor] | None,
    ) -> dict[str, Tensor]:
        quality = torch.zeros_like(logits)
        weight = torch.ones_like(logits[..., :1])
        giou_sum, iou_sum = logits.new_zeros(()), logits.new_zeros(())
        for i, (wanted, labels, regions, complete) in enumerate(known):
            chosen = assign(logits[i].detach(), boxes[i].detach(), priors, wanted, labels)
            positive = chosen.box >= 0
            quality[i, positive, labels[chosen.box[positive]]] = chosen.iou[positive]
            unsure = inside_any(priors, regions)
            if advice is not None and not complete:
                unsure |= advice[0][i] > 0.1
            weight[i, unsure & ~positive] = 0
            if positive.any():
                _, giou = generalized_iou(boxes[i, positive], wanted[chosen.box[positive]])
                giou_sum = giou_sum + ((1 - giou) * chosen.iou[positive]).sum()
                iou_sum = iou_sum + chosen.iou[positive].sum()
        norm = summed(iou_sum).clamp(min=1)
        focal = (quality_focal(logits, quality) * weight).sum()
        return {"class": focal / norm, "box": 2 * giou_sum / norm}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> tuple[Metrics, Image]:
        """AP50 and recall, on completely boxed pictures, all pictures, and each source; some."""
        groups: dict[str, list[list[BoxTruth]]] = {"complete": [], "all": []}
        many = self.recipe.schedule.batch_size
        for start in range(0, len(self.val), many):
            part = self.val[start : start + many]
            for scene, found in zip(part, self._answers(model, part), strict=True):
                groups["all"].append(found)
                groups.setdefault(scene.picture.source, []).append(found)
                if scene.complete:
                    groups["complete"].append(found)
        metrics = {name: _mean_over_classes(rows) for name, rows in groups.items() if rows}
        threshold = metrics[self.headline[0]]["threshold"]
        pictures = [scene.picture for scene in self.val]
        return metrics, some_pictures(pictures, groups["all"], threshold)

    def _answers(self, model: nn.Module, part: list[Scene]) -> Iterator[list[BoxTruth]]:
        """What is and what was found in each picture, a row a class."""
        images = [scene.picture.load() for scene in part]
        size = self.recipe.model.input_size
        boxed = [Letterbox((im.shape[1], im.shape[0]), size) for im in images]
        stack = np.stack([b.resize(im) for b, im in zip(boxed, images, strict=True)])
        device = next(model.parameters()).device
        pixels = torch.from_numpy(np.ascontiguousarray(stack.transpose(0, 3, 1, 2))).to(device)
        boxes, scores = model.predict(normalise(pixels, self.mean, self.std))  # type: ignore[operator]
        for scene, letterbox, b, s in zip(part, boxed, boxes.cpu(), scores.cpu(), strict=True):
            yield [
                BoxTruth(
                    scene.boxes[scene.labels == kind],
                    scene.ignored,
                    letterbox.inverse(found),
                    trust,
                )
                for kind in range(len(self.classes))
                for found, trust in [_strongest(b.numpy(), s[:, kind].numpy())]
            ]


def _strongest(boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Boxes (D, 4) and scores (D,) of one class that NMS leaves, as at a run of the model."""
    rows = scores > 0.05
    boxes, scores = boxes[rows], scores[rows]
    keep = greedy_nms(scores, iou_matrix(boxes, boxes), 0.6)
    return boxes[keep], scores[keep]


def _mean_over_classes(pictures: list[list[BoxTruth]]) -> dict[str, float]:
    """The figures of each class over all pictures, averaged; classes that never occur left out."""
    classes = [list(rows) for rows in zip(*pictures, strict=True)]
    present = [rows for rows in classes if any(len(row.truth) for row in rows)] or classes[:1]
    each = [detection_metrics(rows, false_per_image=1.0) for rows in present]
    return {key: float(np.mean([row[key] for row in each])) for key in each[0]}


def inside_any(priors: Tensor, regions: Tensor) -> Tensor:
    """(A,) whether each prior's point lies in one of the regions (I, 4)."""
    points = priors[:, None, :2]
    reach = torch.cat([points - regions[None, :, :2], regions[None, :, 2:] - points], -1)
    return (reach > 0).all(-1).any(-1)


def _teacher_loss(
    logits: Tensor, boxes: Tensor, scores: Tensor, wanted: Tensor
) -> dict[str, Tensor]:
    """Every prior's score and box as the teacher gives them; boxes count by their score."""
    norm = summed(scores[scores > 0.05].sum()).clamp(min=1)
    focal = quality_focal(logits, scores).sum() / norm
    rows = scores > 0.05
    _, giou = generalized_iou(boxes[rows], wanted[rows])
    return {"t_class": focal, "t_box": 2 * ((1 - giou) * scores[rows]).sum() / norm}
