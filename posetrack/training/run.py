"""`posetrack train`: a recipe in, a trained run folder out."""

from __future__ import annotations

from pathlib import Path

from posetrack.errors import ConfigError
from posetrack.training.distributed import ALONE, World, from_first, join, leave
from posetrack.training.loop import Trainer
from posetrack.training.progress import Progress
from posetrack.training.recipe import Recipe, read_recipe
from posetrack.training.tasks import make_task
from posetrack.training.warmstart import weights_of


def train(config: Path, overrides: list[str], *, resume: bool, folder: Path | None = None) -> Path:
    """Train what `config` says and return the run's folder.

    Started by ``torchrun``, the processes share every batch; the first one reads and writes the
    folder, so that machines need not share it.

    Args:
        overrides: ``section.key=value``.
        resume: go on from the folder's ``last.pth`` (a fresh start where there is none).
        folder: where checkpoints go; ``runs/<recipe name>`` if None.

    Raises:
        ConfigError: recipe or data are not usable, or the folder holds another training.
    """
    recipe = read_recipe(config, overrides)
    folder = folder or Path("runs") / recipe.name
    world = join(recipe.runtime.device)
    try:
        if not resume and from_first((folder / "last.pth").exists):
            raise ConfigError(f"{folder} holds a training: resume it, or train in another folder")
        _train(recipe, folder, world, resume=resume)
    finally:
        leave()
    return folder


def _train(recipe: Recipe, folder: Path, world: World = ALONE, *, resume: bool) -> None:
    trainer = Trainer(recipe, make_task(recipe), folder, world=world)
    resumed = resume and trainer.resume()
    with Progress(folder, quiet=not world.is_first) as progress:
        if not resumed and recipe.model.init is not None:
            start = trainer.initialise(weights_of(recipe.model.init, recipe.task))
            progress.say(f"{recipe.model.init}: {start.report()}")
        trainer.run(progress)
