"""Built engines kept on disk, under a name that changes with everything they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from posetrack.errors import BackendError


def engines_cache() -> Path:
    """Where engines are kept: ``$XDG_CACHE_HOME/posetrack/engines``, or in ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "posetrack" / "engines"


def engine_path(folder: Path, model: Path, facts: Mapping[str, Any]) -> Path:
    """The file of the engine that `model` gives under `facts` (versions, device, shapes, ...)."""
    whole = {"model": hashlib.sha256(model.read_bytes()).hexdigest(), **facts}
    key = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    return folder / f"{model.stem}-{key[:16]}.engine"


def load_or_build(path: Path, build: Callable[[], bytes]) -> tuple[bytes, bool]:
    """The engine, and whether it was built now; a file appears under its name when it is whole.

    Raises:
        BackendError: it cannot be written.
    """
    if path.is_file():
        return path.read_bytes(), False
    engine = build()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(engine)
        part.replace(path)
    except OSError as error:
        raise BackendError(f"the engine cannot be kept at {path}: {error}") from error
    return engine, True
