"""The task that a recipe asks for."""

from __future__ import annotations

from posetrack.errors import ConfigError
from posetrack.training.detection_task import DetectionTask
from posetrack.training.pose_task import PoseTask
from posetrack.training.recipe import Recipe
from posetrack.training.task import Task


def make_task(recipe: Recipe) -> Task:
    """The task a recipe asks for; reads its annotations and looks for every picture it needs."""
    families = {"pose": ("rtmpose", "cspnext"), "detection": ("rtmdet",)}[recipe.task]
    architecture = recipe.model.architecture
    if not architecture.startswith(families):
        raise ConfigError(
            f"{recipe.name}: task {recipe.task} with architecture {architecture}: "
            f"name an {' or '.join(families)} architecture or change task"
        )
    return PoseTask(recipe) if recipe.task == "pose" else DetectionTask(recipe)
