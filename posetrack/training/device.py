"""Where a training runs, and where its chance begins."""

from __future__ import annotations

import random

import numpy as np
import torch

from posetrack.errors import ConfigError, DeviceError
from posetrack.training.distributed import ALONE, World


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


def seed_all(seed: int) -> None:
    """Seed every generator that a training draws from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries we call may draw from it)
    torch.manual_seed(seed)
