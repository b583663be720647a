"""Local cameras through OpenCV."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from posetrack.errors import SourceError, SourceNotFound
from posetrack.media.live.settings import LiveSettings
from posetrack.types import Image

FORMATS = {"mjpeg": "MJPG", "yuyv": "YUYV"}
"""How a camera can be asked to send, and OpenCV's code for it."""


class DeviceConnection:
    """A camera by its number or device path; see `Connection`.

    Raises:
        SourceNotFound: no such device. SourceError: it cannot be opened.
    """

    finite = False
    paced = False
    stamp_s: float | None = None

    def __init__(self, spec: str, settings: LiveSettings) -> None:
        self._spec = spec
        if settings.format is not None and settings.format not in FORMATS:
            known = " or ".join(FORMATS)
            raise SourceError(f"camera {spec}: format {settings.format} asked, use {known}")
        driver = cv2.CAP_ANY
        if sys.platform == "linux":
            _require(Path(f"/dev/video{spec}" if spec.isdecimal() else spec))
            driver = cv2.CAP_V4L2  # and nothing that would read a file of that name
        self._capture = cv2.VideoCapture(int(spec) if spec.isdecimal() else spec, driver)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                f"camera {spec} cannot be opened: another program may use it, "
                "or you may not read it (on Linux: the group 'video')"
            )
        self._ask(settings)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps: float | None = rate if 1 <= rate <= 1000 else None
        self.codec: str | None = fourcc(int(self._capture.get(cv2.CAP_PROP_FOURCC)))

    def _ask(self, settings: LiveSettings) -> None:
        """Tell the camera what is wanted; it takes the nearest it can do."""
        capture = self._capture
        if settings.format is not None:  # first: sizes and rates depend on it
            code = cv2.VideoWriter.fourcc(*FORMATS[settings.format])
            capture.set(cv2.CAP_PROP_FOURCC, code)
        if settings.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.size[1])
        if settings.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, settings.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def read(self) -> Image | None:
        """The next picture."""
        try:
            ok, image = self._capture.read()
        except cv2.error as error:
            raise SourceError(f"camera {self._spec} was lost: {error.err}") from error
        if not ok or image is None:
            raise SourceError(f"camera {self._spec} gives no picture: is it in use elsewhere?")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        """Give back the device."""
        self._capture.release()


def fourcc(code: int) -> str | None:
    """The four letters of a pixel format; None where there are none."""
    word = code.to_bytes(4, "little", signed=code < 0).decode("ascii", "replace").strip("\0 ")
    return word.lower() if word.isascii() and word.isprintable() and word else None


def _require(device: Path) -> None:
    if not device.exists():
        there = sorted(str(path) for path in Path("/dev").glob("video*"))
        found = f"found {', '.join(there)}" if there else "no camera found"
        raise SourceNotFound(f"no camera at {device}: {found}; plug one in or name another")
