"""`posetrack train`: a recipe in, a trained run folder out."""

from __future__ import annotations

from pathlib import Path

from posetrack.errors import ConfigError
from posetrack.training.loop import Trainer
from posetrack.training.progress import Progress
from posetrack.training.recipe import read_recipe
from posetrack.training.tasks import make_task


def train(config: Path, overrides: list[str], *, resume: bool, folder: Path | None = None) -> Path:
    """Train what `config` says and return the run's folder.

    Args:
        overrides: ``section.key=value``.
        resume: go on from the folder's ``last.pth`` (a fresh start where there is none).
        folder: where checkpoints go; ``runs/<recipe name>`` if None.

    Raises:
        ConfigError: recipe or data are not usable, or the folder holds another training.
    """
    recipe = read_recipe(config, overrides)
    folder = folder or Path("runs") / recipe.name
    if not resume and (folder / "last.pth").exists():
        raise ConfigError(f"{folder} holds a training: resume it, or train in another folder")
    task = make_task(recipe)
    trainer = Trainer(recipe, task, folder)
    resumed = resume and trainer.resume()
    if not resumed and recipe.model.init is not None:
        trainer.initialise(recipe.model.init)
    with Progress(folder) as progress:
        trainer.run(progress)
    return folder
