"""A generated clip with people in it: a portrait photograph that pans in its frame, and figures.

The photograph is Grace Hopper's portrait, a work of the U.S. Navy in the public domain, which
matplotlib carries. Everything else is drawn, so the truth about every frame is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from posetrack import figures, motions
from posetrack.errors import SinkError
from posetrack.types import Floats, Image, Ints

SIZE = (640, 480)
FPS = 25
SECONDS = 8.0

_FLOOR_Y = 350
PORTRAIT = (34, 44, 214, 288)  # x0, y0, x1, y1 of the picture on the wall


@dataclass(frozen=True, slots=True)
class Truth:
    """The figures of one frame, not the portrait: ids (N,), boxes (N, 4), keypoints (N, 17, 2)."""

    ids: Ints
    boxes: Floats
    keypoints: Floats


@dataclass(frozen=True, slots=True)
class _Placed:
    """A figure at a moment: where its feet are (px), how tall it is (px), how it is turned."""

    track_id: int
    joints: motions.Joints
    outfit: figures.Outfit
    x: float
    y: float
    height: float
    yaw: float


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


def _cast(t: float) -> list[_Placed]:
    """The figures at `t` seconds, the farthest first."""
    # One walks to and fro along the wall and turns on the way, one comes nearer, one waves.
    half = 4.0
    way = (t % (2 * half)) / half
    there = way if way < 1 else 2 - way
    ease = there * there * (3 - 2 * there)
    turn = math.tanh(9 * min(way % 1, 1 - way % 1))
    yaw = (-1.15 if way < 1 else 1.15) * turn
    stroller = _Placed(
        1, motions.walking(2 * math.pi * t / 1.45, 0.30), _STROLLER, 466 - 110 * ease, 424, 254, yaw
    )
    near = min(t / 7.0, 1.0)
    comer = _Placed(
        2,
        motions.walking(2 * math.pi * t / 1.1 + 1.0) if near < 1 else motions.exercising(4 * t),
        _COMER,
        292 - 32 * near,
        402 + 54 * near,
        214 + 70 * near,
        -0.30,
    )
    waver = _Placed(3, motions.waving(2 * math.pi * t / 0.9), _WAVER, 534, 462, 288, -0.12)
    return sorted((stroller, comer, waver), key=lambda one: one.y)


def frames(
    seconds: float = SECONDS, *, size: tuple[int, int] = SIZE, fps: int = FPS
) -> Iterator[tuple[Image, Truth]]:
    """Pictures of the scene, BGR, with the truth about each; the same at every call."""
    noise = np.random.default_rng(7)
    room = _room(noise)
    photo = _photograph()
    grain = noise.normal(0, 3.0, (8, SIZE[1], SIZE[0], 1)).astype(np.float32)
    for index in range(round(seconds * fps)):
        t = index / fps
        image = room.copy()
        _hang(image, photo, t)
        truth = _populate(image, _cast(t))
        image += grain[index % len(grain)]
        picture = np.clip(image, 0, 255).astype(np.uint8)
        if size != SIZE:
            scale = np.array([size[0] / SIZE[0], size[1] / SIZE[1]], np.float32)
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            truth = Truth(truth.ids, truth.boxes * np.tile(scale, 2), truth.keypoints * scale)
        yield np.asarray(picture, np.uint8), truth


def make_clip(
    path: Path, *, seconds: float = SECONDS, size: tuple[int, int] = SIZE, fps: int = FPS
) -> list[Truth]:
    """The truth about each frame of the clip written to `path` (H.264).

    Raises:
        SinkError: the file cannot be written.
    """
    import av

    truths = []
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(part), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=fps, options={"crf": "18"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.time_base = Fraction(1, fps)
            for picture, truth in frames(seconds, size=size, fps=fps):
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                container.mux(stream.encode(frame))
                truths.append(truth)
            container.mux(stream.encode(None))
        part.replace(path)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if part.is_file():
            part.unlink()
    return truths


def _photograph() -> Image:
    """Grace Hopper's portrait, BGR."""
    from matplotlib import cbook

    path = Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _room(noise: np.random.Generator) -> Floats:
    """A plastered wall with a skirting board above a wooden floor, (H, W, 3) float."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    plaster = cv2.GaussianBlur(noise.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.2)
    blotches = cv2.GaussianBlur(noise.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 40)
    wall = 168 + 9 * plaster + 220 * blotches
    wall -= 46 * np.hypot((x - 380) / width, (y - 60) / height)
    room = wall[..., None] * np.array([0.93, 0.98, 1.0], np.float32)
    depth = 1 / np.maximum(y - _FLOOR_Y + 60, 1)
    plank = (x - width / 2) * depth * 9
    tone = noise.normal(0, 1, 64).astype(np.float32)[np.floor(plank).astype(int) % 64]
    grain = np.sin(3800 * depth + 40 * np.sin(plank * 3.1) + tone * 9)
    floor = 104 + 9 * tone + 4 * grain + 0.16 * (y - _FLOOR_Y)
    floor *= np.where(np.abs(plank - np.round(plank)) < 0.03, 0.72, 1.0)
    boards = floor[..., None] * np.array([0.62, 0.86, 1.08], np.float32)
    room[_FLOOR_Y:] = boards[_FLOOR_Y:]
    room[_FLOOR_Y - 16 : _FLOOR_Y] = np.array([205, 212, 216], np.float32)
    room[_FLOOR_Y - 17] *= 0.7
    room[_FLOOR_Y : _FLOOR_Y + 3] *= 0.55
    return np.asarray(room, np.float32)


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


def _populate(image: Floats, cast: list[_Placed]) -> Truth:
    """Draw the figures with their shadows into `image`; the truth about them."""
    ids, boxes, keypoints = [], [], []
    for one in cast:
        sprite = figures.draw(one.joints, one.outfit, yaw=one.yaw, height_px=one.height)
        height, width = sprite.alpha.shape
        corner = np.array([round(one.x - width / 2), round(one.y - 0.97 * height)])
        _cast_shadow(image, sprite, one)
        _paste(image, sprite, corner)
        ids.append(one.track_id)
        boxes.append(sprite.box + np.tile(corner, 2))
        keypoints.append(sprite.keypoints + corner)
    limits = np.array([SIZE[0] - 1, SIZE[1] - 1] * 2, np.float32)
    return Truth(
        np.array(ids, np.int64),
        np.clip(np.array(boxes, np.float32), 0, limits),
        np.array(keypoints, np.float32),
    )


def _cast_shadow(image: Floats, sprite: figures.Sprite, one: _Placed) -> None:
    """Darken the floor where the figure stands and where it keeps the light away."""
    height, width = sprite.alpha.shape
    foot = 0.97 * height
    # Sheared to the right and flattened: the light comes from the upper left, the front.
    matrix = np.array(
        [[1.0, -0.50, one.x - width / 2 + 0.50 * foot], [0.0, 0.16, one.y - 0.16 * foot]]
    )
    shadow = cv2.warpAffine(sprite.alpha, matrix, SIZE)
    contact = np.zeros(SIZE[::-1], np.float32)
    axes = (int(0.13 * one.height), int(0.035 * one.height))
    cv2.ellipse(contact, (round(one.x), round(one.y - 2)), axes, 0, 0, 360, 1.0, -1)
    shadow = np.maximum(0.38 * shadow, 0.45 * contact)
    shadow[:_FLOOR_Y] = 0
    image *= 1 - cv2.GaussianBlur(shadow, (0, 0), 4)[..., None]


def _paste(image: Floats, sprite: figures.Sprite, corner: Ints) -> None:
    """Lay the sprite over the image with its upper left corner at `corner`, cut at the border."""
    height, width = sprite.alpha.shape
    x, y = int(corner[0]), int(corner[1])
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, image.shape[1]), min(y + height, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    cut = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    image[y0:y1, x0:x1] *= 1 - sprite.alpha[cut][..., None]
    image[y0:y1, x0:x1] += sprite.image[cut]
