"""Channels taken out of a network while it trains, the least useful first.

Group Fisher pruning (Liu et al., ICML 2021): channels that only exist together (through identities,
depthwise convolutions, attention) form one unit; what the loss would lose without a unit is
estimated by the square of its gradient, for each sample, and divided by the activations it costs.
A unit that is taken out is silenced (its batch norms give exactly 0) and `slimmed` cuts it away.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from posetrack.errors import ConfigError
from posetrack.training.distributed import summed

LEAST = 8
"""Channels that every group keeps."""


@dataclass(slots=True)
class Ends:
    """Where the units of a group are in one module: channel `at` (n,) belongs to `unit` (n,)."""

    name: str
    at: Tensor
    unit: Tensor


@dataclass(slots=True)
class Group:
    """Channels that exist together or not at all.

    Attributes:
        alive: (U,) which units are left.
        outputs: modules that make them; `inputs`: modules that read them.
        norms: the batch norms among the outputs.
        fisher: (U,) sum so far of squared gradients.
        cost: (U,) activations a picture that a unit takes.
    """

    alive: Tensor
    outputs: list[Ends] = field(default_factory=list)
    inputs: list[Ends] = field(default_factory=list)
    norms: list[Ends] = field(default_factory=list)
    fisher: Tensor = field(default_factory=lambda: torch.zeros(0))
    cost: Tensor = field(default_factory=lambda: torch.zeros(0))


def find_groups(model: nn.Module, example: Tensor) -> list[Group]:
    """The groups of a network's convolutions; what its head puts out stays whole.

    Raises:
        ConfigError: torch-pruning, which traces the network, is not installed.
    """
    tracer = _tracer()
    names = {module: name for name, module in model.named_modules()}
    fixed = [m for name, m in model.named_modules() if name.startswith(("head.", "bbox_head."))]
    training, groups = model.training, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of parameters of the head, which stays whole
        traced = tracer.DependencyGraph().build_dependency(model.eval(), example_inputs=example)
    for found in traced.get_all_groups(ignored_layers=fixed, root_module_types=[nn.Conv2d]):
        units = max(max(item.root_idxs) for item in found) + 1
        group = Group(torch.ones(units, dtype=torch.bool), fisher=torch.zeros(units))
        for item in found:
            module = item.dep.target.module
            ends = Ends(
                names.get(module, ""), torch.tensor(item.idxs), torch.tensor(item.root_idxs)
            )
            if isinstance(module, nn.BatchNorm2d):
                group.norms.append(ends)
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                makes = item.dep.handler.__name__ == "prune_out_channels"
                (group.outputs if makes else group.inputs).append(ends)
        groups.append(group)
    model.train(training)
    return [group for group in groups if group.norms]


def _tracer() -> Any:
    try:
        import torch_pruning
    except ImportError as error:
        raise ConfigError(
            "a recipe with prune needs torch-pruning: pip install posetrack[train]"
        ) from error
    return torch_pruning


class Pruner:
    """Silences units of a network every few steps until it has so much less to compute.

    Args:
        model: trained with ordinary steps; `watch` its losses, call `after_step`.
        example: one input (1, 3, H, W).
        flops: the share of multiplications to come down to.
        interval: steps over which the gradients are gathered.
        units: how many are taken out then.
    """

    def __init__(
        self, model: nn.Module, example: Tensor, *, flops: float, interval: int, units: int
    ) -> None:
        self.model, self.flops, self.interval, self.units = model, flops, interval, units
        self.modules = dict(model.named_modules())
        self.groups = find_groups(model, example)
        self.areas = _areas(model, example)
        for group in self.groups:
            group.cost = torch.zeros(len(group.alive))
            for ends in group.norms:
                area = torch.full((len(ends.at),), float(self.areas[_conv_of(ends.name)]))
                group.cost.index_add_(0, ends.unit, area)
            # A run that goes on: a batch norm without weight is silent.
            for ends in group.norms:
                weight: Tensor = self.modules[ends.name].weight.detach().cpu()
                group.alive[ends.unit[weight[ends.at] == 0]] = False
        self.whole = _multiplications(model, example)
        self._rest = self.whole - self._count(whole=True)
        self._steps = 0
        self._hooks = [
            self.modules[ends.name].register_forward_hook(self._listen(number, ends))
            for number, group in enumerate(self.groups)
            for ends in group.norms
        ]
        self._felt: dict[int, Tensor] = {}

    @property
    def share(self) -> float:
        """What is left of the multiplications."""
        return (self._count() + self._rest) / self.whole

    @property
    def done(self) -> bool:
        """Whether the network is as small as was asked."""
        return self.share <= self.flops

    def after_step(self) -> None:
        """Count the gradients of this step, take units out when it is time, keep them silent."""
        for number, felt in self._felt.items():
            self.groups[number].fisher += summed(felt.square().sum(0)).cpu()
        self._felt.clear()
        self._steps += 1
        if self._steps % self.interval == 0 and not self.done:
            for _ in range(self.units):
                self._take_one()
            for group in self.groups:
                group.fisher.zero_()
        self._silence()

    def slimmed(self) -> nn.Module:
        """A copy of the network without the channels that were taken out."""
        model = copy.deepcopy(self.model)
        for hooked in model.modules():
            hooked._forward_hooks.clear()
        keep_out: dict[str, Tensor] = {}
        keep_in: dict[str, Tensor] = {}
        for group in self.groups:
            for kept, part in ((keep_out, group.outputs + group.norms), (keep_in, group.inputs)):
                for ends in part:
                    known = kept.setdefault(ends.name, self._all(ends.name, kept is keep_out))
                    known[ends.at[~group.alive[ends.unit]]] = False
        for name in keep_out.keys() | keep_in.keys():
            _cut(model.get_submodule(name), keep_out.get(name), keep_in.get(name))
        return model

    def _listen(self, number: int, ends: Ends) -> Callable[..., None]:
        units = len(self.groups[number].alive)

        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:  # noqa: ARG001
            if not output.requires_grad or not module.training:
                return
            seen = output.detach()

            def felt(gradient: Tensor) -> None:
                each = (seen * gradient).float().sum((2, 3))  # (B, C)
                total = self._felt.setdefault(number, each.new_zeros(len(each), units))
                total.index_add_(1, ends.unit.to(each.device), each[:, ends.at.to(each.device)])

            output.register_hook(felt)  # type: ignore[no-untyped-call]

        return hook

    def _take_one(self) -> None:
        """The unit of the least use for its cost, of all groups that can spare one."""
        best: tuple[float, Group, int] | None = None
        for group in self.groups:
            if int(group.alive.sum()) <= LEAST:
                continue
            use = torch.where(group.alive, group.fisher / group.cost, torch.inf)
            unit = int(use.argmin())
            if best is None or float(use[unit]) < best[0]:
                best = float(use[unit]), group, unit
        if best is not None:
            best[1].alive[best[2]] = False

    @torch.no_grad()
    def _silence(self) -> None:
        for group in self.groups:
            for ends in group.norms:
                module: Any = self.modules[ends.name]
                dead = ends.at[~group.alive[ends.unit]].to(module.weight.device)
                module.weight[dead] = 0
                module.bias[dead] = 0

    def _all(self, name: str, outputs: bool) -> Tensor:
        module: Any = self.modules[name]
        if isinstance(module, nn.BatchNorm2d):
            return torch.ones(module.num_features, dtype=torch.bool)
        size = module.out_channels if outputs else module.in_channels
        return torch.ones(size, dtype=torch.bool)

    def _count(self, *, whole: bool = False) -> float:
        """Multiplications of the convolutions for one picture."""
        dead_out: dict[str, int] = {}
        dead_in: dict[str, int] = {}
        for group in () if whole else self.groups:
            for dead, part in ((dead_out, group.outputs), (dead_in, group.inputs)):
                for ends in part:
                    gone = int((~group.alive[ends.unit]).sum())
                    dead[ends.name] = dead.get(ends.name, 0) + gone
        total = 0.0
        for name, area in self.areas.items():
            conv: Any = self.modules[name]
            outputs = conv.out_channels - dead_out.get(name, 0)
            inputs = conv.in_channels - dead_in.get(name, 0) if conv.groups == 1 else 1
            total += area * outputs * inputs * conv.kernel_size[0] * conv.kernel_size[1]
        return total


def _multiplications(model: nn.Module, example: Tensor) -> float:
    """Of the whole network for one picture; the head's linear maps stay as they are."""
    training = model.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(example)
    model.train(training)
    return float(counter.get_total_flops() / 2)  # it counts additions too


def _conv_of(norm: str) -> str:
    """The convolution before a batch norm, as `ConvModule` names them."""
    return norm.removesuffix("bn") + "conv"


def _areas(model: nn.Module, example: Tensor) -> dict[str, int]:
    """How many places each convolution is applied to; a transposed one, those that it reads."""
    areas: dict[str, int] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):

            def note(module: nn.Module, inputs: Any, output: Tensor, name: str = name) -> None:
                places = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
                areas[name] = places.shape[2] * places.shape[3]

            hooks.append(module.register_forward_hook(note))
    training = model.training
    with torch.no_grad():
        model.eval()(example)
    model.train(training)
    for hook in hooks:
        hook.remove()
    return areas


def _cut(module: nn.Module, outputs: Tensor | None, inputs: Tensor | None) -> None:
    """Keep the channels marked, in place."""
    if isinstance(module, nn.BatchNorm2d):
        assert outputs is not None
        for name in ("weight", "bias"):
            setattr(module, name, nn.Parameter(getattr(module, name).data[outputs]))
        assert module.running_mean is not None
        assert module.running_var is not None
        module.running_mean = module.running_mean[outputs]
        module.running_var = module.running_var[outputs]
        module.num_features = int(outputs.sum())
        return
    if isinstance(module, nn.ConvTranspose2d):
        assert inputs is not None
        module.weight = nn.Parameter(module.weight.data[inputs])
        module.in_channels = len(module.weight)
        return
    assert isinstance(module, nn.Conv2d)
    weight = module.weight.data
    if outputs is not None:
        weight = weight[outputs]
        module.out_channels = len(weight)
        if module.bias is not None:
            module.bias = nn.Parameter(module.bias.data[outputs])
    if module.groups > 1:
        module.groups = module.in_channels = module.out_channels
    elif inputs is not None:
        weight = weight[:, inputs]
        module.in_channels = weight.shape[1]
    module.weight = nn.Parameter(weight.contiguous())
