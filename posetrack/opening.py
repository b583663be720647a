"""A model by name in, the model and its loaded graph out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetrack.errors import ModelError

if TYPE_CHECKING:
    from posetrack.backends.protocol import Backend
    from posetrack.cards import Task
    from posetrack.zoo import Progress, ResolvedModel


def find_model(
    name_or_path: str | Path | None,
    task: Task,
    *,
    backend: str,
    device: str,
    precision: str,
    allow_unverified: bool = False,
    progress: Progress | None = None,
) -> ResolvedModel:
    """What `posetrack.zoo.find` finds for that backend; ``auto`` is the fastest precision."""
    from posetrack import zoo
    from posetrack.backends import backend_name, fastest_precision, model_formats

    if precision == "auto":
        precision = fastest_precision(backend_name(backend), device)
    return zoo.find(
        name_or_path,
        task=task,
        formats=model_formats(backend),
        precision=precision,
        allow_unverified=allow_unverified,
        progress=progress,
    )


def open_model(
    name_or_path: str | Path | None,
    task: Task,
    *,
    backend: str = "onnxruntime",
    device: str = "cpu",
    threads: int | None = None,
    precision: str = "auto",
    options: Mapping[str, Any] | None = None,
    allow_unverified: bool = False,
    progress: Progress | None = None,
) -> tuple[ResolvedModel, Backend]:
    """What `find_model` finds, opened by `posetrack.backends.open_backend`.

    None is the embedded model of the task.
    """
    from posetrack.backends import open_backend

    model = find_model(
        name_or_path,
        task,
        backend=backend,
        device=device,
        precision=precision,
        allow_unverified=allow_unverified,
        progress=progress,
    )
    opened = open_backend(
        backend,
        model.path,
        device=device,
        threads=threads,
        precision=precision,
        options=options,
    )
    prove(model, opened)
    return model, opened


def prove(model: ResolvedModel, opened: Backend) -> None:
    """Compare an engine that was built just now with its ONNX graph.

    Only a backend that builds engines has `built`; the others answer for their files.

    Raises:
        ModelError: it differs more than its precision may; it is then removed, see
            `posetrack.export.parity`.
    """
    if not hasattr(opened, "built"):
        return
    from posetrack.backends import open_backend
    from posetrack.export.parity import PARTS, require_parity

    part = PARTS[model.card.task]
    engine = part(model, opened)
    engine.warm_up()  # an engine whose sides were free is built now
    if not opened.built:
        return
    plain = open_backend("onnxruntime", model.path)
    try:
        require_parity(model.name, part(model, plain), engine, opened.precision)
    except ModelError:
        opened.discard()  # type: ignore[attr-defined]
        raise
    finally:
        plain.close()
