"""Files of a set, read with one clear line where they cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from posetrack.datasets.checks.pictures import decoded_size
from posetrack.datasets.coco import CocoFile, Row
from posetrack.errors import ConfigError


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        ConfigError: it is absent or no text.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read {path}: {reason}") from error


def read_any_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ConfigError: it is absent or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error


def read_json(path: Path) -> Row:
    """The object in a JSON file.

    Raises:
        ConfigError: it is absent, not JSON, or no object.
    """
    data = read_any_json(path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return data


def read_yaml(path: Path) -> Row:
    """The mapping in a YAML file.

    Raises:
        ConfigError: it is absent, not YAML, or no mapping.
    """
    import yaml

    try:
        data: Any = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no YAML mapping")
    return data


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture as trainings see it.

    Raises:
        ConfigError: it is missing or unreadable.
    """
    size = decoded_size(path.read_bytes()) if path.is_file() else None
    if size is None:
        raise ConfigError(f"image {path} is missing or unreadable")
    return size


def by_image(document: CocoFile) -> dict[Any, list[Row]]:
    """Annotations by image id."""
    found: dict[Any, list[Row]] = {}
    for row in document.annotations:
        found.setdefault(row["image_id"], []).append(row)
    return found
