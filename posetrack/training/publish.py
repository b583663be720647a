"""A checkpoint to hand on: the weights that count, and a name that tells their digest."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from posetrack.errors import ConfigError
from posetrack.networks.checkpoint import read_checkpoint


def publish(checkpoint: Path, folder: Path, *, name: str | None = None) -> Path:
    """Write ``<name>-<first 8 digits of its SHA-256>.pth`` and return its path.

    `name` is the recipe's if not given, else the file's. The file holds the averaged weights,
    where there are any, and what is needed to use them and to make them again (architecture,
    recipe, commit), but no optimiser, no second set of weights and no path of this machine.
    `read_checkpoint` verifies the digest in the name.

    Raises:
        ModelError: no checkpoint of a network this package has.
        ConfigError: the file is there already.
    """
    trained = read_checkpoint(checkpoint)
    state = trained.state
    content: dict[str, Any] = {
        "state_dict": {key: value.contiguous().clone() for key, value in sorted(state.items())},
        "architecture": trained.spec.architecture,
        "slim": trained.slim is not None,
    }
    if recipe := trained.recipe:
        content["recipe"] = {k: recipe[k] for k in ("name", "task", "model", "schedule", "ema")}
        content["recipe"]["model"] = recipe["model"] | {"init": None}
        content["facts"] = trained.content.get("facts", {})
        content["commit"] = str(trained.content.get("commit", ""))
        name = name or str(recipe["name"])
    buffer = io.BytesIO()
    torch.save(content, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or checkpoint.stem}-{digest}.pth"
    if path.exists():
        raise ConfigError(f"{path} is there already: remove it, or publish elsewhere")
    part = path.with_suffix(".part")
    part.write_bytes(buffer.getvalue())
    part.replace(path)
    return path
