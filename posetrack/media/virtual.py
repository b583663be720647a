"""A virtual camera: pictures that other programs see as a camera's (Linux, v4l2loopback)."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import av

from posetrack.errors import SinkError
from posetrack.media.colour import encoder_frame, even
from posetrack.media.video import fit
from posetrack.types import Image, Result


class VirtualCameraSink:
    """Writes raw yuv420p pictures to a loopback device such as ``/dev/video10``.

    Such a device comes from the kernel module v4l2loopback: ``modprobe v4l2loopback video_nr=10``.

    Args:
        device: the loopback device.
        size: (width, height) that other programs see.
        fps: nominal rate.

    Raises:
        SinkError: from `open`, where the device is none.
    """

    def __init__(self, device: Path, *, size: tuple[int, int], fps: float) -> None:
        self._device, self._size, self._fps = device, even(size), fps
        self._container: Any = None
        self._written = 0

    def open(self) -> None:
        """Open the device for writing."""
        if sys.platform != "linux":
            raise SinkError(
                f"virtual camera {self._device}: only Linux has one here (v4l2loopback); "
                "elsewhere let OBS capture the preview window"
            )
        if not self._device.exists() or not stat.S_ISCHR(self._device.stat().st_mode):
            raise SinkError(
                f"virtual camera {self._device} is no device: modprobe v4l2loopback video_nr=10, "
                "then name /dev/video10"
            )
        try:
            self._container = av.open(str(self._device), "w", format="v4l2")
            stream = self._container.add_stream("rawvideo", rate=max(round(self._fps), 1))
            stream.width, stream.height = self._size
            stream.pix_fmt = "yuv420p"
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError) as error:
            self.abort()
            reason = getattr(error, "strerror", None) or str(error)
            raise SinkError(f"virtual camera {self._device} cannot be written: {reason}") from error
        self._stream = stream

    def write(self, result: Result, image: Image, /) -> None:  # noqa: ARG002 - as every sink
        """Hand one picture on."""
        try:
            frame = encoder_frame(fit(image, self._size))
            frame.pts, self._written = self._written, self._written + 1
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"virtual camera {self._device} was lost: {error}") from error

    def finish(self) -> None:
        """Give back the device."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def abort(self) -> None:
        """Give back the device."""
        self.finish()
