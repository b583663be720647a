"""Training a top-down pose network."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from posetrack.codecs import SimCC
from posetrack.geometry import CropTransform
from posetrack.skeletons import load_skeleton
from posetrack.training.loader import read_source, require, shuffled
from posetrack.training.losses import coarse_cross_entropy, simcc_kl
from posetrack.training.metrics import by_source
from posetrack.training.pose_data import PoseGeometry, PoseSamples
from posetrack.training.recipe import Recipe
from posetrack.training.task import Metrics, normalise


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
        require(recipe, "person with keypoints", *pictures)

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
