"""Reading what `torch.save` wrote without importing or calling anything the file names."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posetrack.errors import ModelError

# Bookkeeping that training frameworks pickle beside the weights. It is replaced by empty objects,
# never imported; `getattr` is how their pickles name methods and is replaced too, never called.
_INERT = re.compile(
    r"(mmengine|mmcv|mmdet|mmpose|mmcls|mmpretrain|mmrazor|argparse|pathlib|datetime)\."
    r"|(builtins|__builtin__)\.getattr$"
)


class _Inert:
    """Stands for a pickled object of a foreign class: takes anything, keeps nothing."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def read_plain(path: Path) -> Any:
    """The object in a file of `torch.save`, made of tensors, numpy arrays and plain values.

    Foreign bookkeeping objects come back empty; any other class or function raises ModelError.
    """
    allowed = _numpy_globals()
    try:
        return _load(path, allowed)
    except pickle.UnpicklingError as error:
        foreign = _foreign_globals(path, allowed)
        refused = [name for name in foreign if not _INERT.match(name)]
        if refused or not foreign:
            what = f"asks for {listed(refused)}" if refused else "is not a PyTorch checkpoint"
            raise ModelError(
                f"checkpoint {path}: {what}; only files of tensors and plain values are loaded"
            ) from error
    stubs = [(type("Inert", (_Inert,), {}), name) for name in foreign]
    try:
        return _load(path, [*allowed, *stubs])
    except pickle.UnpicklingError as error:
        raise ModelError(f"checkpoint {path}: cannot be read without running its code") from error


def _load(path: Path, allowed: list[tuple[Any, str]]) -> Any:
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, ValueError, LookupError, TypeError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"checkpoint {path}: damaged or not a checkpoint ({reason})") from error


def _foreign_globals(path: Path, allowed: list[tuple[Any, str]]) -> list[str]:
    """Names the pickle asks for beyond tensors and numpy; empty for files of no known format."""
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (ValueError, RuntimeError, pickle.UnpicklingError):
        return []


def _numpy_globals() -> list[tuple[Any, str]]:
    """What pickled numpy arrays and scalars name, under numpy 1.x and 2.x module paths."""
    functions = {
        "_reconstruct": np.empty(0).__reduce__()[0],
        "scalar": np.float64(0).__reduce__()[0],
    }
    dtypes = {type(np.dtype(code)) for code in np.typecodes["All"]}
    return [
        (np.ndarray, "numpy.ndarray"),
        (np.dtype, "numpy.dtype"),
        *((dtype, f"numpy.dtypes.{dtype.__name__}") for dtype in dtypes),
        *(
            (function, f"numpy.{core}.multiarray.{name}")
            for core in ("core", "_core")
            for name, function in functions.items()
        ),
    ]


def listed(names: Iterable[str], limit: int = 4) -> str:
    """The first `limit` names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
