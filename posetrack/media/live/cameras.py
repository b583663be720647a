"""Which cameras a machine has, and what they can send, as far as the system tells."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import av.logging

SYSFS = Path("/sys/class/video4linux")
DRIVERS = {"win32": "dshow", "darwin": "avfoundation"}
"""FFmpeg's input device by platform; Linux is read from `SYSFS`, whose names need no opening."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way a camera can send.

    Attributes:
        format: ``mjpeg``, ``yuyv422``, ...
        sizes: (width, height) of each picture size.
    """

    format: str
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera as `posetrack webcam` takes it.

    Attributes:
        spec: its number or device path.
        name: as the system calls it.
        modes: empty where the system does not tell.
    """

    spec: str
    name: str
    modes: tuple[Mode, ...] = ()


def list_cameras(sysfs: Path = SYSFS) -> list[Camera]:
    """The cameras of this machine, in the order of their numbers."""
    if sys.platform == "linux":
        return _on_linux(sysfs)
    from av.device import enumerate_input_devices

    try:
        devices = enumerate_input_devices(DRIVERS[sys.platform])
    except (KeyError, ValueError, OSError, av.error.FFmpegError):
        return []
    films = [each for each in devices if not each.media_types or "video" in each.media_types]
    return [Camera(str(number), each.description) for number, each in enumerate(films)]


def _on_linux(sysfs: Path) -> list[Camera]:
    found = []
    for entry in sorted(sysfs.glob("video*"), key=lambda path: int("0" + path.name[5:])):
        # A camera has further nodes with another index, for what is no picture.
        if _text(entry / "index") in ("", "0"):
            device = f"/dev/{entry.name}"
            found.append(Camera(device, _text(entry / "name") or entry.name, _modes(device)))
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _modes(device: str) -> tuple[Mode, ...]:
    """What FFmpeg logs when it is asked for the formats of a device."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        # It always ends with an error: it was only asked.
        failing = suppress(av.error.FFmpegError, OSError, ValueError)
        with av.logging.Capture(local=False) as log, failing:
            av.open(device, format="v4l2", options={"list_formats": "all"}).close()
    finally:
        av.logging.set_level(before)
    return parse_modes("".join(message for _, _, message in log))


def parse_modes(log: str) -> tuple[Mode, ...]:
    """The modes in FFmpeg's list of formats (its option ``list_formats``)."""
    modes = []
    for line in re.split(r"(?=\b(?:Raw|Compressed)\s*:)", log):
        match = re.match(r"(?:Raw|Compressed)\s*:\s*(\S+)\s*:[^:]*:(.*)", line, re.DOTALL)
        if match is not None and match[1] != "Unsupported":
            pairs = re.findall(r"(\d+)x(\d+)", match[2])
            modes.append(Mode(match[1], tuple((int(w), int(h)) for w, h in pairs)))
    return tuple(modes)
