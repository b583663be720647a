"""Media made by the tests: clips, sound and pictures whose content is known exactly.

Every generated picture carries its frame number as black and white blocks along the top, so that
a test can say which frame it got back: `frame_number(picture(7, (320, 240))) == 7`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

Image = npt.NDArray[np.uint8]
BITS = 8


def picture(index: int, size: tuple[int, int] = (320, 240)) -> Image:
    """(h, w, 3) BGR: smooth gradients, a moving red square, and the frame number."""
    width, height = size
    x = np.linspace(40, 215, width, dtype=np.float32)
    y = np.linspace(40, 215, height, dtype=np.float32)[:, None]
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = x, y, 128
    side = max(1, min(size) // 6)
    left, top = (index * 3) % max(1, width - side), height // 2
    image[top : top + side, left : left + side] = (30, 30, 220)
    block = width // BITS
    if block >= 4 and height >= 16:
        for bit in range(BITS):
            value = 235 if index >> bit & 1 else 20
            image[: height // 8, bit * block : (bit + 1) * block] = value
    return image


def frame_number(image: Image) -> int:
    """The number that `picture` wrote into an upright image."""
    height, width = image.shape[:2]
    block = width // BITS
    centres = [bit * block + block // 2 for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(centres) if image[height // 16, x].mean() > 128)


def make_clip(
    path: Path | str,
    *,
    frames: int = 30,
    size: tuple[int, int] = (320, 240),
    fps: Fraction | float = 25,
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    audio_s: float = 0.0,
    image: Callable[[int], Image] | None = None,
    gop: int = 12,
    colorspace: int | None = None,
    full_range: bool = False,
    format: str | None = None,  # noqa: A002 - PyAV's own word
) -> Path:
    """Write a clip and return its path.

    Args:
        size: (width, height) as stored, before `rotation`.
        times_s: one time a frame for variable frame rate; None means a constant `fps`.
        rotation: degrees counter-clockwise the player shall turn the stored picture.
        audio_s: seconds of a 440 Hz tone.
        image: BGR picture of a frame index; `picture` by default.
        colorspace: FFmpeg's number (1 BT.709, 5 BT.601) to tag and convert with.
    """
    rate = Fraction(fps).limit_denominator(60_000)
    path = Path(path)
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        if times_s is not None:
            stream.codec_context.time_base = Fraction(1, 90_000)
        if colorspace is not None:
            stream.codec_context.colorspace = colorspace
        if full_range:
            stream.codec_context.color_range = 2
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "qp": "12"}
        if rotation:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot write rotation metadata (17 and later can)")
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=48_000) if audio_s else None
        if sound is not None:
            sound.layout = "mono"
        for index in range(frames):
            bgr = picture(index, size) if image is None else image(index)
            frame = av.VideoFrame.from_ndarray(bgr, format="bgr24")
            matrix = {1: "itu709", 5: "itu601"}.get(colorspace or 5, "itu601")
            frame = frame.reformat(
                format=pix_fmt,
                dst_colorspace=matrix,
                dst_color_range="JPEG" if full_range else "MPEG",
            )
            if times_s is None:
                frame.time_base, frame.pts = 1 / rate, index
            else:
                frame.time_base, frame.pts = Fraction(1, 90_000), round(times_s[index] * 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for frame in _tone(audio_s):
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def make_sound(path: Path | str, seconds: float = 1.0) -> Path:
    """An audio file without video."""
    path = Path(path)
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48_000)
        sound.layout = "mono"
        for frame in _tone(seconds):
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def make_images(
    folder: Path, *, frames: int = 5, size: tuple[int, int] = (320, 240), suffix: str = ".png"
) -> Path:
    """A folder of numbered pictures without leading zeros (frame_0, ..., frame_10)."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        cv2.imwrite(str(folder / f"frame_{index}{suffix}"), picture(index, size))
    return folder


def _tone(seconds: float) -> list[av.AudioFrame]:
    total, step = round(seconds * 48_000), 1024
    wave = (np.sin(np.arange(total) * (2 * np.pi * 440 / 48_000)) * 0.3).astype(np.float32)
    made = []
    for start in range(0, total, step):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + step], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        made.append(frame)
    return made
