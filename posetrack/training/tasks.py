"""The task that a recipe asks for."""

from __future__ import annotations

from posetrack.training.detection_task import DetectionTask
from posetrack.training.pose_task import PoseTask
from posetrack.training.recipe import Recipe
from posetrack.training.task import Task


def make_task(recipe: Recipe) -> Task:
    """The task a recipe asks for; reads its annotations and looks for every picture it needs."""
    return PoseTask(recipe) if recipe.task == "pose" else DetectionTask(recipe)
