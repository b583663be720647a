"""Training a top-down pose network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from posetrack.codecs import Heatmap, SimCC, SimCC3D
from posetrack.errors import ConfigError
from posetrack.evaluation.keypoints import by_source
from posetrack.evaluation.sheets import some_poses
from posetrack.evaluation.space import space_metrics
from posetrack.geometry import CropTransform
from posetrack.networks.rtmpose import RTMPose
from posetrack.skeletons import load_skeleton
from posetrack.training.distillation import Distillation, feature_distance, logit_distance
from posetrack.training.loader import read_source, require, shuffled
from posetrack.training.losses import (
    bone_loss,
    coarse_cross_entropy,
    expected_bins,
    heatmap_mse,
    simcc_kl,
)
from posetrack.training.pose_data import PoseGeometry, PoseSamples
from posetrack.training.recipe import Recipe
from posetrack.training.task import Metrics, normalise
from posetrack.training.warmstart import weights_of
from posetrack.types import Image


class PoseTask:
    """Top-down pose: SimCC labels and KL loss, or heatmaps and squared error; PCK and OKS."""

    headline = ("all", "pck@0.1")

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        model, self.skeleton = recipe.model, load_skeleton(recipe.model.skeleton)
        self.reduction: Literal["sum", "mean"] = "sum"
        codec: SimCC | Heatmap = SimCC(model.input_size, sigma=model.sigma)
        if model.architecture.startswith("rtmw3d"):
            codec = SimCC3D(model.input_size, sigma=model.sigma)
        if model.architecture.startswith("cspnext"):
            self.reduction = "mean"
            codec = Heatmap(model.input_size, sigma=(model.sigma or (2.0,))[0])
        alike = replace(self.skeleton, weights=())
        self.geometry = PoseGeometry(codec, self.skeleton if model.joint_weights else alike)
        self.teacher: RTMPose | None = None
        if recipe.distill is not None:
            self.teacher = self._load_teacher(recipe.distill.teacher)
        self.people, self.repeats = [], []
        for section in recipe.data.train:
            annotations = read_source(recipe.data.root, section)
            for person in annotations.people(
                self.skeleton, pseudo_weight=section.pseudo_weight, rename=section.keypoints
            ):
                by = section.repeat_by_source.get(person.picture.source, 1.0)
                self.people.append(person)
                self.repeats.append(section.repeat * by)
        self.val = [
            person
            for section in recipe.data.val
            for person in read_source(recipe.data.root, section).people(
                self.skeleton, rename=section.keypoints
            )
        ]
        pictures = ([p.picture for p in people] for people in (self.people, self.val))
        require(recipe, "person with keypoints", *pictures)

    @property
    def facts(self) -> dict[str, Any]:
        """Nothing: the recipe tells it all."""
        return {}

    def build(self) -> nn.Module:
        """A fresh network, beside its teacher where there is one."""
        from posetrack.networks import build

        model = self.recipe.model
        network = build(
            model.architecture, input_size=model.input_size, num_keypoints=len(self.skeleton)
        )
        if self.teacher is None:
            return network
        assert isinstance(network, RTMPose)
        return Distillation(network, self.teacher)

    def _load_teacher(self, name: str) -> RTMPose:
        from posetrack.networks.checkpoint import load_model

        teacher, spec = load_model(weights_of(name, "pose"))
        wanted = (self.recipe.model.input_size, len(self.skeleton))
        if (
            not isinstance(teacher, RTMPose)
            or (spec.input_size, spec.num_keypoints) != wanted
            or not self.recipe.model.architecture.startswith("rtmpose")
        ):
            raise ConfigError(
                f"distill.teacher {name} is {spec.architecture} for {spec.input_size} and "
                f"{spec.num_keypoints} keypoints, the student {self.recipe.model.architecture} for "
                f"{wanted[0]} and {wanted[1]}: both must be rtmpose of the same size and keypoints"
            )
        device = self.recipe.runtime.device
        return teacher.to(device).requires_grad_(False)

    def samples(self, epoch: int, *, stage2: bool) -> Dataset[Any]:
        """This epoch's crops."""
        seed = self.recipe.runtime.seed
        how = self.recipe.pose_stage2 if stage2 else self.recipe.pose_stage1
        order = shuffled(self.repeats, seed, epoch)
        return PoseSamples(self.people, order, self.geometry, how, seed=seed, epoch=epoch)

    def collate(self) -> None:
        """Plain stacking."""
        return

    def loss(self, model: nn.Module, batch: Any, epoch: int = 0) -> dict[str, Tensor]:
        """Of the keypoints; of their cells and of the teacher's opinion if the recipe asks."""
        images, *labels = batch
        pixels = normalise(images, self.geometry.mean, self.geometry.std)
        codec = self.geometry.codec
        if isinstance(codec, Heatmap):
            return {"mse": heatmap_mse(model(pixels), *labels)}
        if isinstance(codec, SimCC3D):
            return self._loss_in_space(model(pixels), labels, codec)
        x, y, weights = labels
        if self.recipe.model.architecture.startswith("rtmw"):
            return {"kl": simcc_kl(model(pixels), (x, y), weights)}
        network: Any = model.student if isinstance(model, Distillation) else model
        features = network.backbone(pixels)[-1]
        losses = {}
        if self.recipe.coarse_weight:
            maps = network.head.final_layer(features)
            logits = network.head.classify(maps)
            coarse = coarse_cross_entropy(maps, (x, y), weights)
            losses["coarse"] = self.recipe.coarse_weight * coarse
        else:  # in one call, which is what `runtime.compile` compiles
            logits = network.head(features)
        losses = {"kl": simcc_kl(logits, (x, y), weights), **losses}
        if isinstance(model, Distillation):
            losses |= self._opinion(model.align(features), logits, pixels, epoch)
        return losses

    def _loss_in_space(
        self, logits: tuple[Tensor, ...], labels: list[Tensor], codec: SimCC3D
    ) -> dict[str, Tensor]:
        """KL on three axes, z masked where it is not known, and bone lengths."""
        x, y, weights, z, weights_z = labels
        losses = {"kl": simcc_kl(logits, (x, y, z), (weights, weights, weights_z))}
        if self.recipe.bone_weight:
            places = [
                torch.stack([expected_bins(line) for line in lines], dim=-1)
                for lines in (logits, (x, y, z))
            ]
            bones = bone_loss(places[0], places[1], weights_z, self.skeleton.limbs)
            losses["bone"] = self.recipe.bone_weight * bones / codec.bins[0]
        return losses

    def _opinion(
        self, features: Tensor, logits: tuple[Tensor, Tensor], pixels: Tensor, epoch: int
    ) -> dict[str, Tensor]:
        """How far the student is from its teacher."""
        how = self.recipe.distill
        assert how is not None
        assert self.teacher is not None
        with torch.no_grad():
            theirs = self.teacher.backbone(pixels)[-1]
            answer = self.teacher.head(theirs)
        left = 1 - epoch / self.recipe.schedule.epochs if how.fade else 1.0
        losses = {}
        if how.feature_weight:
            losses["feature"] = left * how.feature_weight * feature_distance(features, theirs)
        if how.logit_weight:
            losses["logit"] = left * how.logit_weight * logit_distance(logits, answer)
        return losses

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> tuple[Metrics, Image]:
        """PCK and OKS on the validation people in their true boxes, and some of them."""
        codec = self.geometry.codec
        found, depths = [], []
        many = self.recipe.schedule.batch_size
        for start in range(0, len(self.val), many):
            people = self.val[start : start + many]
            boxes = np.stack([p.box for p in people])
            crops = CropTransform.from_boxes(boxes, codec.input_size, udp=codec.udp)
            images = [crops.crop(p.picture.load(), i) for i, p in enumerate(people)]
            rgb = np.ascontiguousarray(np.stack(images)[..., ::-1].transpose(0, 3, 1, 2))
            device = next(model.parameters()).device
            uint8 = torch.from_numpy(rgb).to(device)
            answer = model(normalise(uint8, self.geometry.mean, self.geometry.std))
            parts = answer if isinstance(answer, tuple) else (answer,)
            keypoints, _ = codec.decode(*(part.float().cpu().numpy() for part in parts))
            found.append(crops.inverse(np.ascontiguousarray(keypoints[..., :2])))
            depths.append(keypoints[..., 2:])
        keypoints = np.concatenate(found)
        metrics = by_source(self.val, keypoints, self.skeleton)
        if isinstance(codec, SimCC3D):
            z = np.concatenate(depths)[..., 0]
            metrics["all"] |= space_metrics(self.val, keypoints, z, self.skeleton)
        return metrics, some_poses(self.val, keypoints, self.skeleton)
