"""Where the files that ship with the package are: from a checkout or an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

from posetrack.errors import ModelNotFound

_PACKAGE = Path(__file__).parent


def engines_dir() -> Path:
    """The folder of ready-to-run models, one folder a model."""
    return _data("engines")


def configs_dir() -> Path:
    """The folder of configuration files; ``models/`` in it holds the zoo's cards."""
    return _data("configs")


def _data(name: str) -> Path:
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir() and (folder.parent.name == "_data" or _is_checkout(folder.parent)):
            return folder
    raise ModelNotFound(f"posetrack's own {name} folder is missing: install posetrack again")


def _is_checkout(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file()
