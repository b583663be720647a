"""The processes of one training, as ``torchrun`` starts them; alone without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn import functional as across

from posetrack.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """This process among `size` that train together.

    Attributes:
        rank: number of the process, 0 writes the files.
        size: how many there are.
        local_rank: number on this machine, which is its GPU.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0


ALONE = World()


def join(device: str) -> World:
    """The world that ``torchrun`` describes in the environment, joined; else a world of one.

    Raises:
        ConfigError: the environment is not whole.
    """
    if "WORLD_SIZE" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        return ALONE
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local = int(os.environ.get("LOCAL_RANK", rank))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"WORLD_SIZE is set, but not {error}: start it with torchrun") from error
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return World(rank, size, local)


def leave() -> None:
    """Leave the world that `join` entered."""
    if dist.is_initialized():
        dist.destroy_process_group()


def wait() -> None:
    """Until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


def from_first(make: Callable[[], T]) -> T:
    """What `make` returns in the first process, in every process: others may have no such file."""
    if not dist.is_initialized():
        return make()
    box = [make() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(box)
    return cast(T, box[0])


def summed(value: Tensor) -> Tensor:
    """The sum of `value` over all processes, without gradient."""
    if not dist.is_initialized():
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total


def synchronise_norms(model: nn.Module, device: torch.device) -> nn.Module:
    """`model` whose batch norms see the samples of all processes; state_dict names stay."""
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SyncedBatchNorm
    return model


class _SyncedBatchNorm(nn.BatchNorm2d):
    """Batch norm over all processes on the CPU, where PyTorch's own does not run."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if not self.training or not dist.is_initialized():
            return super().forward(x)
        wide = x.float()
        count = torch.tensor([x.numel() / x.shape[1]], device=x.device)
        sums = torch.cat([wide.sum((0, 2, 3)), (wide * wide).sum((0, 2, 3)), count])
        sums = across.all_reduce(sums)  # type: ignore[no-untyped-call]
        total, squares, count = sums.split([x.shape[1], x.shape[1], 1])
        mean = total / count
        variance = squares / count - mean * mean
        self._remember(mean.detach(), (variance * count / (count - 1)).detach())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        out: Tensor = wide * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
        return out.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        momentum = self.momentum or 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
