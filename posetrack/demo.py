"""A generated clip with people in it: a portrait photograph that pans in its frame, and figures.

The photograph is Grace Hopper's portrait, a work of the U.S. Navy in the public domain, which
matplotlib carries. Everything else is drawn, so the truth about every frame is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from posetrack import figures, motions
from posetrack.stage import Figure, Picture, Truth, finished, populate, room, write_clip
from posetrack.types import Floats, Image

SIZE = (640, 480)
FPS = 25
SECONDS = 8.0

_FLOOR_Y = 350
PORTRAIT = (34, 44, 214, 288)  # x0, y0, x1, y1 of the picture on the wall


_STROLLER = figures.Outfit(
    skin=(150, 175, 215), hair=(35, 45, 60), top=(62, 70, 168), trousers=(104, 74, 52),
    shoes=(40, 40, 45),
)  # fmt: skip
_COMER = figures.Outfit(
    skin=(95, 120, 165), hair=(20, 22, 28), top=(112, 138, 72), trousers=(62, 60, 64),
    shoes=(196, 198, 200), long_sleeves=False, long_hair=True, build=0.94,
)  # fmt: skip
_WAVER = figures.Outfit(
    skin=(165, 190, 225), hair=(58, 92, 145), top=(150, 104, 58), trousers=(88, 106, 116),
    shoes=(32, 36, 60), stripes=True,
)  # fmt: skip


def _cast(t: float) -> list[Figure]:
    """The figures at `t` seconds."""
    # One walks to and fro along the wall and turns on the way, one comes nearer, one waves.
    half = 4.0
    way = (t % (2 * half)) / half
    there = way if way < 1 else 2 - way
    ease = there * there * (3 - 2 * there)
    turn = math.tanh(9 * min(way % 1, 1 - way % 1))
    yaw = (-1.15 if way < 1 else 1.15) * turn
    stroller = Figure(
        1, motions.walking(2 * math.pi * t / 1.45, 0.30), _STROLLER, 466 - 110 * ease, 424, 254, yaw
    )
    near = min(t / 7.0, 1.0)
    comer = Figure(
        2,
        motions.walking(2 * math.pi * t / 1.1 + 1.0) if near < 1 else motions.exercising(4 * t),
        _COMER,
        292 - 32 * near,
        402 + 54 * near,
        214 + 70 * near,
        -0.30,
    )
    waver = Figure(3, motions.waving(2 * math.pi * t / 0.9), _WAVER, 534, 462, 288, -0.12)
    return [stroller, comer, waver]


def frames(
    seconds: float = SECONDS, *, size: tuple[int, int] = SIZE, fps: int = FPS
) -> Iterator[Picture]:
    """Pictures of the scene, BGR, with the truth about each; the same at every call."""
    noise = np.random.default_rng(7)
    background = room(SIZE, _FLOOR_Y, noise)
    photo = _photograph()
    grain = noise.normal(0, 3.0, (8, SIZE[1], SIZE[0], 1)).astype(np.float32)
    for index in range(round(seconds * fps)):
        t = index / fps
        image = background.copy()
        _hang(image, photo, t)
        truth = populate(image, _cast(t), floor_y=_FLOOR_Y)
        picture = finished(image, grain[index % len(grain)])
        if size != SIZE:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            truth = truth.scaled((size[0] / SIZE[0], size[1] / SIZE[1]))
        yield np.asarray(picture, np.uint8), truth


def make_clip(
    path: Path, *, seconds: float = SECONDS, size: tuple[int, int] = SIZE, fps: int = FPS
) -> list[Truth]:
    """The truth about each frame of the clip written to `path` (H.264).

    Raises:
        SinkError: the file cannot be written.
    """
    return write_clip(path, frames(seconds, size=size, fps=fps), size=size, fps=fps)


def _photograph() -> Image:
    """Grace Hopper's portrait, BGR."""
    from matplotlib import cbook

    path = Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _hang(image: Floats, photo: Image, t: float) -> None:
    """Put the portrait into its frame on the wall, panned and zoomed as at `t` seconds."""
    x0, y0, x1, y1 = PORTRAIT
    width, height = x1 - x0, y1 - y0
    shade = np.zeros(image.shape[:2], np.float32)
    shade[y0 - 2 : y1 + 22, x0 - 2 : x1 + 22] = 0.45
    image *= 1 - cv2.GaussianBlur(shade, (0, 0), 7)[..., None]
    image[y0 - 12 : y1 + 12, x0 - 12 : x1 + 12] = (46, 62, 84)
    image[y0 - 4 : y1 + 4, x0 - 4 : x1 + 4] = (214, 222, 226)
    # The window on the photograph keeps the head and shoulders while it moves.
    scale = 0.46 + 0.05 * math.sin(2 * math.pi * t / 8)
    centre_x = photo.shape[1] / 2 + 32 * math.sin(2 * math.pi * t / 6.5)
    centre_y = photo.shape[0] * 0.47 + 16 * math.cos(2 * math.pi * t / 8)
    centre_x = min(max(centre_x, width / 2 / scale), photo.shape[1] - width / 2 / scale)
    centre_y = min(max(centre_y, height / 2 / scale), photo.shape[0] - height / 2 / scale)
    matrix = np.array(
        [[scale, 0, width / 2 - scale * centre_x], [0, scale, height / 2 - scale * centre_y]]
    )
    image[y0:y1, x0:x1] = cv2.warpAffine(
        photo, matrix, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
