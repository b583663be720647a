"""What differs between training a pose network and a detector: data, loss, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from posetrack.codecs import SimCC
from posetrack.errors import ConfigError
from posetrack.geometry import CropTransform, Letterbox, greedy_nms, iou_matrix
from posetrack.skeletons import load_skeleton
from posetrack.training.annotations import Annotations, ImageStore, Picture
from posetrack.training.assigner import assign
from posetrack.training.detection_data import DetectionSamples, Scene, collate, scenes
from posetrack.training.losses import coarse_cross_entropy, generalized_iou, quality_focal, simcc_kl
from posetrack.training.metrics import BoxTruth, by_source, detection_metrics
from posetrack.training.pose_data import PoseGeometry, PoseSamples
from posetrack.training.recipe import Recipe, SourceSection
from posetrack.training.teacher import Teacher

Metrics = dict[str, dict[str, float]]


class Task(Protocol):
    """One kind of training.

    `headline` names the metric (group, key) that ranks checkpoints; `reduction` tells whether the
    loss of a batch is a sum over its samples or a mean, so that accumulation can add up right.
    """

    headline: tuple[str, str]
    reduction: Literal["sum", "mean"]

    def build(self) -> nn.Module:
        """A fresh network."""
        ...

    def samples(self, epoch: int, *, stage2: bool) -> Dataset[Any]:
        """The samples of one epoch, in its order."""
        ...

    def collate(self) -> Callable[[list[Any]], Any] | None:
        """What makes a batch of samples; None for plain stacking."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named scalars whose sum is minimised."""
        ...

    def evaluate(self, model: nn.Module) -> Metrics:
        """Figures on the validation data, by group."""
        ...


def make_task(recipe: Recipe) -> Task:
    """The task a recipe asks for; reads its annotations and looks for every picture it needs."""
    family = {"pose": "rtmpose", "detection": "rtmdet"}[recipe.task]
    architecture = recipe.model.architecture
    if not architecture.startswith(family):
        raise ConfigError(
            f"{recipe.name}: task {recipe.task} with architecture {architecture}: "
            f"name an {family} architecture or change task"
        )
    return PoseTask(recipe) if recipe.task == "pose" else DetectionTask(recipe)


def _require(recipe: Recipe, what: str, train: Sequence[Picture], val: Sequence[Picture]) -> None:
    """Raises ConfigError where a split is empty or lacks a picture, before hours are spent."""
    for split, pictures in (("training", train), ("validation", val)):
        if not pictures:
            raise ConfigError(f"{recipe.name}: the {split} data holds no {what}: check data")
        for picture in pictures:
            if picture.name not in picture.store:
                raise ConfigError(
                    f"image {picture.name} is annotated, but not in {picture.store.path}"
                )


def read_source(root: Path, section: SourceSection) -> Annotations:
    """Annotations with their pictures; without `images` each record's ``tar`` field says where."""
    path = root / section.annotations
    if section.images is not None:
        return Annotations.read(path, root / section.images)
    return Annotations.read(path, _Stores(root))


class _Stores(dict[str, ImageStore]):
    """Image stores opened when a record first names them."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __missing__(self, key: str) -> ImageStore:
        self[key] = ImageStore(self._root / key)
        return self[key]


def shuffled(repeats: Sequence[float], seed: int, epoch: int) -> list[int]:
    """Row numbers of one epoch: each row `repeats` times (fractions by chance), shuffled."""
    rng = np.random.default_rng((seed, epoch, 0x5EED))
    wanted = np.asarray(repeats)
    counts = np.floor(wanted).astype(int) + (rng.random(len(wanted)) < wanted % 1)
    order = np.repeat(np.arange(len(wanted)), counts)
    rng.shuffle(order)
    return [int(i) for i in order]


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 (B, 3, H, W) -> float32, channels last."""
    middle, spread = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (mean, std))
    scaled = (images.float() - middle) / spread
    return scaled.contiguous(memory_format=torch.channels_last)


class PoseTask:
    """Top-down pose: SimCC labels, KL loss, PCK and OKS."""

    headline = ("all", "pck@0.1")
    reduction: Literal["sum", "mean"] = "sum"

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.skeleton = load_skeleton(recipe.model.skeleton)
        self.geometry = PoseGeometry(SimCC(recipe.model.input_size), self.skeleton)
        self.people, self.repeats = [], []
        for section in recipe.data.train:
            annotations = read_source(recipe.data.root, section)
            for person in annotations.people(self.skeleton, pseudo_weight=section.pseudo_weight):
                by = section.repeat_by_source.get(person.picture.source, 1.0)
                self.people.append(person)
                self.repeats.append(section.repeat * by)
        self.val = [
            person
            for section in recipe.data.val
            for person in read_source(recipe.data.root, section).people(self.skeleton)
        ]
        pictures = ([p.picture for p in people] for people in (self.people, self.val))
        _require(recipe, "person with keypoints", *pictures)

    def build(self) -> nn.Module:
        """A fresh network."""
        from posetrack.networks import build

        model = self.recipe.model
        return build(
            model.architecture, input_size=model.input_size, num_keypoints=len(self.skeleton)
        )

    def samples(self, epoch: int, *, stage2: bool) -> Dataset[Any]:
        """This epoch's crops."""
        seed = self.recipe.runtime.seed
        how = self.recipe.pose_stage2 if stage2 else self.recipe.pose_stage1
        order = shuffled(self.repeats, seed, epoch)
        return PoseSamples(self.people, order, self.geometry, how, seed=seed, epoch=epoch)

    def collate(self) -> None:
        """Plain stacking."""
        return

    def loss(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """KL of both axes, and where in the maps the keypoints are if the recipe asks."""
        images, x, y, weights = batch
        pixels = normalise(images, self.geometry.mean, self.geometry.std)
        if not self.recipe.coarse_weight:
            return {"kl": simcc_kl(model(pixels), (x, y), weights)}
        head: Any = model.head
        maps = head.final_layer(model.backbone(pixels)[-1])  # type: ignore[operator]
        coarse = coarse_cross_entropy(maps, (x, y), weights)
        return {
            "kl": simcc_kl(head.classify(maps), (x, y), weights),
            "coarse": self.recipe.coarse_weight * coarse,
        }

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> Metrics:
        """PCK and OKS on the validation people, ground-truth boxes, no flip test."""
        codec = self.geometry.codec
        found = []
        for start in range(0, len(self.val), 64):
            people = self.val[start : start + 64]
            crops = CropTransform.from_boxes(np.stack([p.box for p in people]), codec.input_size)
            images = [crops.crop(p.picture.load(), i) for i, p in enumerate(people)]
            rgb = np.ascontiguousarray(np.stack(images)[..., ::-1].transpose(0, 3, 1, 2))
            device = next(model.parameters()).device
            uint8 = torch.from_numpy(rgb).to(device)
            x, y = model(normalise(uint8, self.geometry.mean, self.geometry.std))
            keypoints, _ = codec.decode(x.float().cpu().numpy(), y.float().cpu().numpy())
            found.append(crops.inverse(keypoints))
        return by_source(self.val, np.concatenate(found), self.skeleton)


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
        # Whatever a real detector sees on an incompletely boxed picture may be a person.
        strict = type(recipe.labels)(label_score=1.0, ignore_score=0.2)
        self.val = [
            scene
            for section in recipe.data.val
            for scene in scenes(read_source(recipe.data.root, section), strict)
        ]
        _require(
            recipe, "picture", *([s.picture for s in part] for part in (self.scenes, self.val))
        )
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

    def loss(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
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
        norm = iou_sum.clamp(min=1)
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
    norm = scores[scores > 0.05].sum().clamp(min=1)
    focal = quality_focal(logits, scores).sum() / norm
    rows = scores > 0.05
    _, giou = generalized_iou(boxes[rows], wanted[rows])
    return {"t_class": focal, "t_box": 2 * ((1 - giou) * scores[rows]).sum() / norm}


def make_loader(
    task: Task, recipe: Recipe, epoch: int, *, stage2: bool, skip: int = 0
) -> DataLoader[Any]:
    """Batches of one epoch, from the `skip`-th on; whole optimiser steps, the rest is dropped."""
    batch, workers = recipe.schedule.batch_size, recipe.data.workers
    dataset = task.samples(epoch, stage2=stage2)
    step = batch * recipe.schedule.accumulate
    rows = range(skip * batch, len(dataset) // step * step)  # type: ignore[arg-type]
    return DataLoader(
        dataset,
        batch_size=batch,
        sampler=rows,
        num_workers=workers,
        collate_fn=task.collate(),
        worker_init_fn=_quiet_worker,
        prefetch_factor=3 if workers else None,
    )


def batches(loader: DataLoader[Any], device: torch.device) -> Iterator[Any]:
    """The loader's batches on `device`; a worker's expected error is one line again."""
    try:
        for batch in loader:
            yield _on(device, batch)
    except ConfigError as error:
        # It crosses the process boundary as the text of its whole trace.
        line = str(error).strip().splitlines()[-1]
        raise ConfigError(line.partition("ConfigError: ")[2] or line) from error


def _on(device: torch.device, value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    return [_on(device, v) for v in value] if isinstance(value, list | tuple) else value


def _quiet_worker(worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    del worker
