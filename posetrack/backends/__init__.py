"""Inference backends by name; each is imported only when it is opened."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from posetrack.backends.cores import usable_cores
from posetrack.backends.precision import fastest_precision
from posetrack.backends.protocol import Array, Backend, TensorSpec
from posetrack.errors import BackendError, BackendMissing, ModelNotFound

__all__ = [
    "BACKENDS",
    "Array",
    "Backend",
    "Installed",
    "TensorSpec",
    "backend_name",
    "fastest_precision",
    "installed",
    "model_formats",
    "open_backend",
    "threads_ahead",
]

BACKENDS = {
    "onnxruntime": "posetrack.backends.onnxruntime:OnnxRuntimeBackend",
    "openvino": "posetrack.backends.openvino:OpenVinoBackend",
    "torch": "posetrack.backends.torch:TorchBackend",
    "ncnn": "posetrack.backends.ncnn:NcnnBackend",
    "tensorrt": "posetrack.backends.tensorrt:TensorRtBackend",
}
"""Name -> ``module:Class``. The class is called like `open_backend`, without the kind."""

ALIASES = {"ort": "onnxruntime", "onnx": "onnxruntime", "ov": "openvino", "pytorch": "torch"}
ALIASES |= {"trt": "tensorrt"}

EXTRAS = {"torch": "torch", "openvino": "openvino", "ncnn": "ncnn", "tensorrt": "trt"}
UNPROVEN = {"tensorrt": "not yet run on hardware"}
"""What is written against a documented interface and nobody has run."""
FORMATS = {"torch": ("pth",), "openvino": ("openvino", "onnx"), "ncnn": ("ncnn",)}
"""What a backend loads if that is not ``onnx`` alone, the preferred one first."""
PRECISIONS = ("auto", "fp32", "fp16", "bf16", "int8")


@dataclass(frozen=True, slots=True)
class Installed:
    """One row of what ``doctor`` and ``bench`` show.

    Attributes:
        name: the backend.
        version: of its package, None where it is not installed.
        runs: whether this version of posetrack can run it here.
        hint: what to do where it cannot, or what to know where it can.
    """

    name: str
    version: str | None
    runs: bool
    hint: str


def installed() -> tuple[Installed, ...]:
    """Every known backend and whether its package is here; nothing heavy is imported."""
    rows = []
    for name in BACKENDS:
        version = _version(name)
        hint = UNPROVEN.get(name, "") if version else _install_hint(name)
        rows.append(Installed(name, version, version is not None, hint))
    return tuple(rows)


def backend_name(kind: str) -> str:
    """The full name of an alias (``ort`` -> ``onnxruntime``); dotted paths stay as they are.

    Raises:
        BackendError: no backend of that name.
    """
    name = ALIASES.get(kind.lower(), kind.lower())
    if name in BACKENDS:
        return name
    if ":" in kind:
        return kind
    known = tuple(BACKENDS)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}, or module:Class"
    raise BackendError(f"no backend named {kind!r}: {hint}")


def model_formats(kind: str) -> tuple[str, ...]:
    """File formats the backend loads, as model cards name them, the preferred one first."""
    return FORMATS.get(backend_name(kind), ("onnx",))


def threads_ahead(kind: str, threads: int | None) -> int | None:
    """Of `threads` those for a detector that runs ahead of the poses: half, where models have own.

    Nobody waits for its answer; as wide as the pose network it would keep that one waiting.
    The other backends share one pool among their models.
    """
    if backend_name(kind) != "onnxruntime":
        return threads
    return max(1, (threads or usable_cores()) // 2)


def open_backend(
    kind: str,
    model: Path,
    *,
    device: str = "cpu",
    threads: int | None = None,
    precision: str = "fp32",
    options: Mapping[str, Any] | None = None,
) -> Backend:
    """A graph loaded on one device, ready to run.

    Args:
        kind: a name of `BACKENDS`, an alias, or ``module:Class`` of your own.
        model: an .onnx file, or what else the backend loads (`model_formats`).
        device: ``cpu``, ``cuda``, ``cuda:1``, ... is used or refused; only ``auto`` chooses.
        threads: for the CPU; None takes every core this process may use.
        precision: what to compute in; refused where the backend cannot. ``auto`` chooses by the
            processor, see `fastest_precision`.
        options: settings of that one backend, see docs/backends.md.

    Raises:
        BackendMissing: its package is not installed.
        DeviceError: the device is not there.
        ModelError: the file is not a graph this backend reads.
        BackendError: anything else that keeps it from loading.
    """
    name = backend_name(kind)
    if not Path(model).is_file():
        raise ModelNotFound(f"model file {model} not found: check the path")
    if precision not in PRECISIONS:
        raise BackendError(f"precision {precision!r} is not known: use {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise BackendError(f"{threads} threads asked: use 1 or more, or none for every core")
    if precision == "auto":
        precision = fastest_precision(name, device)
        if precision == "int8":
            precision = "fp32"  # a graph in int8 says so itself, and another runs as it is
    make = _load(name)
    backend = make(
        Path(model), device=device, threads=threads, precision=precision, options=options or {}
    )
    return cast(Backend, backend)


def _load(name: str) -> Any:
    module, _, attribute = BACKENDS.get(name, name).partition(":")
    if name in BACKENDS and _version(name) is None:
        raise BackendMissing(f"backend {name} asked, not installed: {_install_hint(name)}")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        raise BackendMissing(f"backend {name} cannot be imported ({error}): repair it") from error
    except AttributeError as error:
        raise BackendError(f"backend {name}: {module} has no {attribute!r}") from error


def _version(package: str) -> str | None:
    if find_spec(package) is None:
        return None
    names = [package, f"{package}-gpu"]  # onnxruntime-gpu is imported as onnxruntime
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def _install_hint(name: str) -> str:
    extra = EXTRAS.get(name)
    return f"pip install posetrack[{extra}]" if extra else f"pip install {name}"
