"""What a source of pictures is, and how one is found from what the user typed."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

from posetrack.errors import ConfigError, SourceError, SourceNotFound
from posetrack.types import Frame

if TYPE_CHECKING:
    from posetrack.media.live import LiveSettings

Kind: TypeAlias = Literal["video", "images", "image", "live"]

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".dib", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm"}
    | {".ppm", ".tif", ".tiff", ".webp"}
)

SECRET = re.compile(
    r"(?<![\w.-])(?=[\w.-]*(?:pass|pwd|token|secret|key|auth|sig|credential))([\w.-]++=)([^&#\s/]+)",
    re.IGNORECASE,
)
"""A part of an address that holds a password, by the name before the equals sign.

Strangers choose what it is searched in: each word is looked at once, from its beginning.
"""


class Source(Protocol):
    """An opened sequence of frames, read once, by one thread.

    Attributes:
        name: short name for messages and records; never holds a password.
        kind: what it is: a video, a sequence of images, one image, or live.
        path: the file or folder, None for live sources.
        size: (width, height) of the first frame, after rotation.
        fps: average frames a second that come out, in the time of `Frame.pts_s`; never rounded.
        frame_count: how many frames will come as the file says, None if unknown.
        duration_s: length of what will be read, None if unknown.
        is_live: frames come when they come, and those nobody takes in time are dropped.
        has_audio: whether there is sound to keep.
        time_base: unit of the stored time stamps; the encoder keeps it.
        time_scale: seconds of `Frame.pts_s` in a second of the file; not 1 only in slow motion.
        zero_s: time in the file at which `Frame.pts_s` is 0, for the sound.
        sample_aspect: width over height of one pixel.
        dropped: frames read but never given out.
        warning: one line about what was wrong, known at the end; None if nothing was.
    """

    name: str
    kind: Kind
    path: Path | None
    size: tuple[int, int]
    fps: Fraction | float
    frame_count: int | None
    duration_s: float | None
    is_live: bool
    has_audio: bool
    time_base: Fraction
    time_scale: float
    zero_s: float
    sample_aspect: Fraction
    dropped: int
    warning: str | None

    def __iter__(self) -> Iterator[Frame]:
        """The frames, in order; a second iteration goes on where the first stopped."""
        ...

    def close(self) -> None:
        """Give back the file or device; closing twice does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ClosesItself:
    """Leaving the ``with`` block closes."""

    def close(self) -> None:
        """Give back what is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_source(
    spec: str | Path,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    stride: int = 1,
    capture_fps: float | None = None,
    flip: bool = False,
    threads: int | None = None,
    live: LiveSettings | None = None,
) -> Source:
    """The source that `spec` names: a video, an image, a folder or glob of images, a camera.

    A number or ``/dev/video*`` is a camera; an address (``rtsp://...``), ``screen`` and ``-`` for
    stdin are live too.

    Args:
        start_s: where to begin, seconds of the file.
        duration_s: how much to read, seconds of the file; None means to the end.
        stride: take every n-th frame.
        capture_fps: the rate at which slow motion was recorded; time then runs as it did before
            the camera. For images: their rate (25 if not given).
        flip: mirror every picture left to right.
        threads: decoder threads; None lets the decoder choose.
        live: how a live source is opened, watched and opened again.

    Raises:
        SourceNotFound: nothing there. SourceError: there, but not readable.
        ConfigError: a number that makes no sense.
    """
    _check_numbers(start_s, duration_s, stride, capture_fps)
    text = str(spec)
    if is_live(text):
        from posetrack.media.live import open_live

        if start_s or duration_s is not None:
            raise ConfigError(f"{redact(text)} is live: start and duration apply to files only")
        return open_live(text, live, stride=stride, flip=flip)
    if not text:
        raise SourceNotFound("no input named: give a video, an image, a folder or a camera")
    path = Path(text.removeprefix("file://"))
    images = _image_paths(path, text)
    if images is not None:
        from posetrack.media.images import ImageSource

        return ImageSource(
            images,
            path=path,
            start_s=start_s,
            duration_s=duration_s,
            stride=stride,
            fps=capture_fps,
            flip=flip,
        )
    from posetrack.media.file import FileSource

    return FileSource(
        path,
        start_s=start_s,
        duration_s=duration_s,
        stride=stride,
        capture_fps=capture_fps,
        flip=flip,
        threads=threads,
    )


def is_live(text: str) -> bool:
    """Whether `text` names a live source: a camera, an address, the screen or stdin."""
    local = ("/dev/video", "/dev/v4l/", "screen:")
    if text.isdecimal() or text.startswith(local) or text in ("-", "screen"):
        return True
    return is_address(text)


def is_address(text: str) -> bool:
    """Whether `text` is a network address rather than a path."""
    return bool(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text)) and not text.startswith("file://")


def redact(text: str) -> str:
    """`text` without the passwords and tokens of addresses in it."""
    text = re.sub(r"\S+", lambda word: _without_password(word[0]), text)
    text = re.sub(r"://[^/@:\s]+@", "://***@", text)
    return re.sub(SECRET, r"\1***", text)


def _without_password(word: str) -> str:
    """One word, in which everything from the first password's colon to the last @ is starred."""
    before, at, after = word.rpartition("@")
    begin = re.search(r"://[^/@:]*:(?!\d+/)", before)
    return f"{before[: begin.end()]}***{at}{after}" if begin else word


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts ``frame_2`` before ``frame_10``."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in parts]


def _image_paths(path: Path, text: str) -> list[Path] | None:
    """The images that a path stands for, in order; None where it is a video."""
    if path.is_dir():
        found = [p for p in path.iterdir() if _is_image(p)]
        if not found:
            raise SourceNotFound(
                f"folder {path} has no images: expected files such as .jpg or .png"
            )
        return sorted(found, key=natural_order)
    if path.exists():
        return [path] if path.suffix.lower() in IMAGE_SUFFIXES else None
    if not glob.has_magic(text):
        raise SourceNotFound(f"no such file or folder: {path}; check the path")
    matches = [Path(match) for match in glob.glob(text, recursive=True)]  # noqa: PTH207 - absolute too
    found = [p for p in matches if _is_image(p)]
    if found:
        return sorted(found, key=natural_order)
    if matches:
        raise SourceError(
            f"pattern {text} matches {len(matches)} files but no image: "
            "a pattern reads images; name a single video"
        )
    raise SourceNotFound(f"pattern {text} matches nothing: check it, and quote it in the shell")


def _is_image(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file()


def _check_numbers(
    start_s: float, duration_s: float | None, stride: int, capture_fps: float | None
) -> None:
    if not 0 <= start_s < float("inf"):
        raise ConfigError(f"start must be 0 or more seconds, got {start_s}")
    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise ConfigError(f"duration must be more than 0 seconds, got {duration_s}")
    if stride < 1:
        raise ConfigError(f"stride must be 1 or more, got {stride}")
    if capture_fps is not None and not 0 < capture_fps < float("inf"):
        raise ConfigError(f"capture fps must be more than 0, got {capture_fps}")
