"""Starting a network from the weights of another: what fits is taken, the rest stays fresh."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor

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
        text = f"{len(self.taken)} of {len(self.state)} tensors taken"
        if self.fresh:
            text += f"; fresh: {_modules(self.fresh)}"
        if self.unused:
            text += f"; not used: {_modules(self.unused)}"
        return text


def adapt(state: dict[str, Tensor], target: dict[str, Tensor]) -> WarmStart:
    """`target` with every tensor replaced by that of `state` where name and shape fit.

    A head of which any tensor misfits (another input size, other keypoints or classes) stays fresh
    as a whole: its parts only work together, and half of one gives answers far off the scale.
    """
    fits = {n for n, wanted in target.items() if n in state and state[n].shape == wanted.shape}
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
