"""Training a person detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from posetrack.datasets.scenes import STRICT, Scene, scenes
from posetrack.errors import ConfigError
from posetrack.evaluation.boxes import BoxTruth, detection_metrics
from posetrack.geometry import Letterbox, greedy_nms, iou_matrix
from posetrack.training.assigner import assign
from posetrack.training.detection_data import DetectionSamples, collate
from posetrack.training.distributed import summed
from posetrack.training.loader import read_source, require, shuffled
from posetrack.training.losses import generalized_iou, quality_focal
from posetrack.training.recipe import Recipe
from posetrack.training.task import Metrics, normalise
from posetrack.training.teacher import Teacher


class DetectionTask:
    """One-class RTMDet: dynamic soft labels, quality focal and GIoU losses."""

    headline = ("complete", "recall")
    reduction: Literal["sum", "mean"] = "mean"
    mean, std = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.scenes: list[Scene] = []
        self.repeats: list[float] = []
        for section in recipe.data.train:
            for scene in scenes(read_source(recipe.data.root, section), recipe.labels):
                by = section.repeat_by_source.get(scene.picture.source, 1.0)
                self.scenes.append(scene)
                self.repeats.append(section.repeat * by)
        self.val = [
            scene
            for section in recipe.data.val
            for scene in scenes(read_source(recipe.data.root, section), STRICT)
        ]
        require(recipe, "picture", *([s.picture for s in part] for part in (self.scenes, self.val)))
        if not any(scene.complete for scene in self.val):
            self.headline = ("all", "recall")
        self.teacher: Teacher | None = None
        if (teacher := recipe.teacher) is not None:
            path = recipe.data.root / teacher.onnx
            self.teacher = Teacher(path, teacher.scores, teacher.boxes)

    def build(self) -> nn.Module:
        """A fresh network."""
        from posetrack.networks import build

        model = self.recipe.model
        return build(model.architecture, input_size=model.input_size, num_classes=1)

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
        images, truth, ignored, complete = batch
        pixels = normalise(images, self.mean, self.std)
        levels, distances = model(pixels)
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        priors = model.priors(sizes, device=pixels.device)  # type: ignore[operator]
        logits = torch.cat([x.flatten(2).transpose(1, 2) for x in levels], 1).float()
        ltrb = torch.cat([x.flatten(2).transpose(1, 2) for x in distances], 1)
        boxes = torch.cat((priors[:, :2] - ltrb[..., :2], priors[:, :2] + ltrb[..., 2:]), -1)
        advice = self._advice(pixels, logits) if self.teacher is not None else None
        losses = self._label_loss(logits, boxes, priors, truth, ignored, complete, advice)
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
        truth: list[Tensor],
        ignored: list[Tensor],
        complete: list[bool],
        advice: tuple[Tensor, Tensor] | None,
    ) -> dict[str, Tensor]:
        quality = torch.zeros_like(logits[..., 0])
        weight = torch.ones_like(quality)
        giou_sum, iou_sum = logits.new_zeros(()), logits.new_zeros(())
        for i, (wanted, regions) in enumerate(zip(truth, ignored, strict=True)):
            labels = torch.zeros(len(wanted), dtype=torch.long, device=wanted.device)
            chosen = assign(logits[i].detach(), boxes[i].detach(), priors, wanted, labels)
            positive = chosen.box >= 0
            quality[i, positive] = chosen.iou[positive]
            unsure = inside_any(priors, regions)
            if advice is not None and not complete[i]:
                unsure |= advice[0][i] > 0.1
            weight[i, unsure & ~positive] = 0
            if positive.any():
                _, giou = generalized_iou(boxes[i, positive], wanted[chosen.box[positive]])
                giou_sum = giou_sum + ((1 - giou) * chosen.iou[positive]).sum()
                iou_sum = iou_sum + chosen.iou[positive].sum()
        norm = summed(iou_sum).clamp(min=1)
        focal = (quality_focal(logits[..., 0], quality) * weight).sum()
        return {"class": focal / norm, "box": 2 * giou_sum / norm}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> Metrics:
        """AP50 and recall, on completely boxed pictures, all pictures, and each source."""
        size = self.recipe.model.input_size
        found = []
        for start in range(0, len(self.val), 32):
            part = self.val[start : start + 32]
            images = [s.picture.load() for s in part]
            boxed = [Letterbox((im.shape[1], im.shape[0]), size) for im in images]
            stack = np.stack([b.resize(im) for b, im in zip(boxed, images, strict=True)])
            device = next(model.parameters()).device
            pixels = torch.from_numpy(np.ascontiguousarray(stack.transpose(0, 3, 1, 2))).to(device)
            boxes, scores = model.predict(normalise(pixels, self.mean, self.std))  # type: ignore[operator]
            answers = zip(part, boxed, boxes.cpu(), scores.cpu(), strict=True)
            for scene, letterbox, b, s in answers:
                rows = (s[:, 0] > 0.05).nonzero()[:, 0]
                b, s = b[rows].numpy(), s[rows, 0].numpy()
                keep = greedy_nms(s, iou_matrix(b, b), 0.6)
                found.append(
                    BoxTruth(scene.boxes, scene.ignored, letterbox.inverse(b[keep]), s[keep])
                )
        groups: dict[str, list[BoxTruth]] = {"complete": [], "all": found}
        for scene, picture in zip(self.val, found, strict=True):
            groups.setdefault(scene.picture.source, []).append(picture)
            if scene.complete:
                groups["complete"].append(picture)
        return {
            name: detection_metrics(rows, false_per_image=1.0)
            for name, rows in groups.items()
            if rows
        }


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
