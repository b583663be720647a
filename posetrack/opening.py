"""A model by name in, the model and its loaded graph out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from posetrack.backends.protocol import Backend
    from posetrack.zoo import ResolvedModel


def open_model(
    name_or_path: str | Path | None,
    task: Literal["detection", "pose"],
    *,
    backend: str = "onnxruntime",
    device: str = "cpu",
    threads: int | None = None,
    precision: str = "fp32",
    options: Mapping[str, Any] | None = None,
    allow_unverified: bool = False,
) -> tuple[ResolvedModel, Backend]:
    """What `posetrack.zoo.find` finds, opened by `posetrack.backends.open_backend`.

    None is the embedded model of the task.
    """
    from posetrack import zoo
    from posetrack.backends import model_formats, open_backend

    model = zoo.find(
        name_or_path,
        task=task,
        formats=model_formats(backend),
        precision=precision,
        allow_unverified=allow_unverified,
    )
    opened = open_backend(
        backend,
        model.path,
        device=device,
        threads=threads,
        precision=precision,
        options=options,
    )
    return model, opened
