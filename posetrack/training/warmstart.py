"""Starting a network from the weights of another: what fits is taken, the rest stays fresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from posetrack.errors import ConfigError, ModelError
from posetrack.networks.slim import narrow
from posetrack.training.recipe import Recipe

_HEADS = ("head.", "bbox_head.")
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What became of the tensors: names of the network's own, and of the checkpoint's left over.

    Attributes:
        state: the network's tensors, taken or fresh.
        taken: names of those from the checkpoint.
        fresh: names of those it had nothing fitting for.
        unused: names in the checkpoint that the network does not have.
    """

    state: dict[str, Tensor]
    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    def report(self) -> str:
        """One line: how much was taken, and which modules stay fresh or were not used."""
        # A batch norm's counter of batches matters to nothing; exported graphs do not have it.
        counters = [name for name in self.fresh if name.endswith("num_batches_tracked")]
        fresh = [name for name in self.fresh if name not in counters]
        text = f"{len(self.taken)} of {len(self.state) - len(counters)} tensors taken"
        if fresh:
            text += f"; fresh: {_modules(fresh)}"
        if self.unused:
            text += f"; not used: {_modules(self.unused)}"
        return text


def weights_of(name: str, task: Literal["detection", "pose"]) -> Path:
    """The file of a checkpoint named by path, zoo name or address.

    Raises:
        ModelNotFound, ModelError: it cannot be found or fetched.
    """
    from posetrack import zoo

    path = Path(name)
    if path.is_file():
        return path
    model = zoo.find(name, formats=("pth", "onnx"))
    if model.card.task not in (task, "backbone"):
        raise ModelError(
            f"{name} is a {model.card.task} model, a {task} model or a backbone was asked"
        )
    return model.path


def adapt(
    state: dict[str, Tensor], target: dict[str, Tensor], *, without: Sequence[str] = ()
) -> WarmStart:
    """`target` with every tensor replaced by that of `state` where name and shape fit.

    Nothing is taken for the modules `without`.

    A head of which any tensor misfits (another input size, other keypoints or classes) stays fresh
    as a whole: its parts only work together, and half of one gives answers far off the scale.
    """
    fits = {
        n
        for n, wanted in target.items()
        if n in state
        and state[n].shape == wanted.shape
        and not any(n.startswith(f"{module}.") for module in without)
    }
    for head in _HEADS:
        if any(name.startswith(head) and name not in fits for name in target):
            fits = {name for name in fits if not name.startswith(head)}
    mixed = {n: (state[n] if n in fits else wanted).clone() for n, wanted in target.items()}
    return WarmStart(
        mixed,
        tuple(n for n in target if n in fits),
        tuple(n for n in target if n not in fits),
        tuple(n for n in state if n not in target),
    )


def _modules(names: Iterable[str]) -> str:
    """The modules of tensor names, each once, as many as fit in a line."""
    modules = [module for module, _ in groupby(n.rpartition(".")[0] for n in names)]
    more = f" and {len(modules) - _SHOWN} more" if len(modules) > _SHOWN else ""
    return ", ".join(modules[:_SHOWN]) + more


def narrow_as_before(model: nn.Module, recipe: Recipe, last: Mapping[str, Any] | None) -> bool:
    """Whether the checkpoint to go on from, else ``model.init``, is pruned; `model` is cut to its
    width.

    Raises:
        ConfigError: it is a pruned network of another architecture.
    """
    from posetrack.networks.checkpoint import read_checkpoint

    if last is not None:
        if slim := bool(last.get("slim")):
            narrow(model, last["raw"])
        return slim
    if recipe.model.init is None:
        return False
    path = weights_of(recipe.model.init, recipe.task)
    start = read_checkpoint(path)
    named = start.slim
    if named is None:
        return False
    if named != recipe.model.architecture:
        raise ConfigError(f"model.init {path} is a pruned {named}: set model.architecture={named}")
    narrow(model, start.state)
    return True
