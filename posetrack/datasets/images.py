"""Pictures of a data set, from a folder or an uncompressed tar."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posetrack.errors import ConfigError
from posetrack.types import Image


class ImageStore:
    """Pictures by name, read by offset so that forked workers share one open tar."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, tuple[int, int]] = {}
        self._file = -1
        if path.is_dir():
            return
        if not path.is_file():
            raise ConfigError(f"no images at {path}: give a folder or an uncompressed .tar")
        try:
            with tarfile.open(path, "r:") as tar:
                self._members = {m.name: (m.offset_data, m.size) for m in tar if m.isfile()}
        except tarfile.TarError as error:
            raise ConfigError(f"{path} is not an uncompressed tar of images: {error}") from error
        self._open()

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_file": min(self._file, 0)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._file >= 0:  # a spawned worker inherits no descriptors
            self._open()

    def __contains__(self, name: str) -> bool:
        return name in self._members if self._file >= 0 else (self.path / name).is_file()

    def read_bytes(self, name: str) -> bytes:
        """The file as it is stored; empty where it is missing."""
        if self._file < 0:
            found = self.path / name
            return found.read_bytes() if found.is_file() else b""
        offset, size = self._members.get(name, (0, 0))
        return self._pread(offset, size)

    def read(self, name: str) -> Image:
        """The picture, BGR uint8. Raises ConfigError where it is missing or not a picture."""
        data = self.read_bytes(name)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            raise ConfigError(f"image {name} in {self.path} is missing or unreadable")
        return np.asarray(image, np.uint8)

    def _pread(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file, size, offset)
        os.lseek(self._file, offset, os.SEEK_SET)  # Windows; each worker has its own descriptor
        return os.read(self._file, size)
