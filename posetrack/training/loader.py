"""Annotated sources in, shuffled batches out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from posetrack.datasets.annotations import Annotations, Picture
from posetrack.errors import ConfigError
from posetrack.training.distributed import ALONE, World
from posetrack.training.recipe import Recipe, SourceSection
from posetrack.training.task import Task


def read_source(root: Path, section: SourceSection) -> Annotations:
    """Annotations with their pictures, all paths from `root` on."""
    images = None if section.images is None else root / section.images
    return Annotations.read(root / section.annotations, images, root=root)


def require(recipe: Recipe, what: str, train: Sequence[Picture], val: Sequence[Picture]) -> None:
    """Raises ConfigError where a split is empty or lacks a picture, before hours are spent."""
    for split, pictures in (("training", train), ("validation", val)):
        if not pictures:
            raise ConfigError(f"{recipe.name}: the {split} data holds no {what}: check data")
        for picture in pictures:
            if picture.name not in picture.store:
                raise ConfigError(
                    f"image {picture.name} is annotated, but not in {picture.store.path}"
                )


def shuffled(repeats: Sequence[float], seed: int, epoch: int) -> list[int]:
    """Row numbers of one epoch: each row `repeats` times (fractions by chance), shuffled."""
    rng = np.random.default_rng((seed, epoch, 0x5EED))
    wanted = np.asarray(repeats)
    counts = np.floor(wanted).astype(int) + (rng.random(len(wanted)) < wanted % 1)
    order = np.repeat(np.arange(len(wanted)), counts)
    rng.shuffle(order)
    return [int(i) for i in order]


def make_loader(
    task: Task, recipe: Recipe, epoch: int, *, stage2: bool, skip: int = 0, world: World = ALONE
) -> DataLoader[Any]:
    """Batches of one epoch, from the `skip`-th on; whole optimiser steps, the rest is dropped.

    Each process of `world` gets its own part of what one process would have as a larger batch.
    """
    batch, workers = recipe.schedule.batch_size, recipe.data.workers
    dataset = task.samples(epoch, stage2=stage2)
    together = batch * world.size
    step = together * recipe.schedule.accumulate
    whole = len(dataset) // step * step  # type: ignore[arg-type]
    starts = range(skip * together + world.rank * batch, whole, together)
    rows = [row for start in starts for row in range(start, start + batch)]
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
