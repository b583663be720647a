"""Where a training runs, and where its chance begins."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn

from posetrack.errors import ConfigError, DeviceError
from posetrack.training.distributed import ALONE, World
from posetrack.training.recipe import Recipe


def choose_device(name: str, world: World = ALONE) -> torch.device:
    """The device of a name; several processes on one machine take one GPU each.

    Raises:
        ConfigError: no name of a device.
        DeviceError: it is not there.
    """
    if name == "cuda" and world.size > 1:
        name = f"cuda:{world.local_rank}"
    if name == "cpu":
        return torch.device("cpu")
    if not name.startswith("cuda"):
        raise ConfigError(f"runtime.device {name!r}: cpu, cuda or cuda:N was expected")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = name.partition(":")[2] or "0"
    if not index.isdecimal() or int(index) >= found:
        raise DeviceError(
            f"runtime.device {name}: PyTorch sees {found} CUDA devices: check the driver and that "
            "PyTorch is built with CUDA, or set runtime.device=cpu"
        )
    return torch.device("cuda", int(index))


def check_precision(model: nn.Module, recipe: Recipe, device: torch.device) -> None:
    """Refuse what bfloat16 cannot train on the CPU.

    Where a kernel reaches over more than the whole height of its map, oneDNN (3.12, in PyTorch
    2.13) leaves the gradient of its outer rows as it found the memory: now and then NaN.

    Raises:
        ConfigError: the input is that low.
    """
    if recipe.runtime.precision != "bf16" or device.type != "cpu":
        return
    dense = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.groups == 1]
    lowest = 32 * max((m.kernel_size[0] // 2 for m in dense), default=0)
    height = recipe.model.input_size[1]
    if height < lowest:
        raise ConfigError(
            f"runtime.precision bf16 trains no input of {height} px height on the CPU: "
            f"take {lowest} px or more in model.input_size, or precision fp32"
        )


def seed_all(seed: int) -> None:
    """Seed every generator that a training draws from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries we call may draw from it)
    torch.manual_seed(seed)
