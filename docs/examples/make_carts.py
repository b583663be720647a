"""Drawn carts with eight annotated corners: a data set and a clip to try a training with.

    python docs/examples/make_carts.py FOLDER [PICTURES]

writes FOLDER/carts.json (COCO format), FOLDER/images/ and FOLDER/clip.mp4.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

CORNERS = [
    f"{end}_{side}_{level}"
    for end in ("front", "rear")
    for side in ("left", "right")
    for level in ("bottom", "top")
]
# The cart looks at the camera: its left is on our right.
MODEL = np.array(
    [
        [x, y, z]
        for z in (0.9, -0.9)  # front, rear
        for x in (0.6, -0.6)  # left, right
        for y in (0.5, -0.5)  # bottom, top: y is down
    ]
)
FACES = {  # corners in order around the face, BGR
    "front": ([0, 2, 3, 1], (60, 60, 220)),
    "left": ([0, 1, 5, 4], (200, 120, 40)),
    "right": ([2, 6, 7, 3], (60, 180, 60)),
    "top": ([1, 3, 7, 5], (200, 200, 210)),
}
SIZE = (320, 240)

Points = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]


def corners(center: tuple[float, float], size: float, turn_deg: float) -> Points:
    """(8, 2) px of a cart of `size` px, turned about the vertical and seen from a little above."""
    turn, tilt = np.deg2rad(turn_deg), np.deg2rad(18)
    about_y = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    about_x = [[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]]
    x, y, z = np.array(about_x) @ np.array(about_y) @ MODEL.T
    nearer = 6 / (6 - z)
    return np.stack([center[0] + size * x * nearer, center[1] + size * y * nearer], axis=1)


def draw(image: Picture, points: Points, shade: float) -> None:
    """The faces that look at us, far ones first, then lamps on the front."""
    for name, (face, colour) in FACES.items():
        outline = points[face]
        a, b = outline[1] - outline[0], outline[2] - outline[1]
        if name != "top" and a[0] * b[1] - a[1] * b[0] < 0:
            continue  # it looks away
        shape = np.round(outline * 16).astype(np.int32)
        tone = tuple(float(c * shade) for c in colour)
        cv2.fillPoly(image, [shape], tone, cv2.LINE_AA, 4)
        cv2.polylines(image, [shape], True, (25, 25, 25), 1, cv2.LINE_AA, 4)
    for side in (0, 2):  # lamps, near the lower corners of the front
        lamp = points[side] * 0.75 + points[[1, 3][side // 2]] * 0.1 + points[2 - side] * 0.15
        middle = (round(lamp[0]), round(lamp[1]))
        cv2.circle(image, middle, 3, (120, 240, 255), -1, cv2.LINE_AA)


def scenery(rng: np.random.Generator) -> Picture:
    """A floor, a wall and some clutter."""
    wall, floor = rng.integers(70, 190, 3), rng.integers(40, 140, 3)
    image = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    horizon = int(rng.integers(60, 130))
    image[:horizon], image[horizon:] = wall, floor
    for _ in range(12):
        x, y = (int(v) for v in rng.integers(0, SIZE))
        end = (x + int(rng.integers(5, 50)), y + int(rng.integers(5, 40)))
        cv2.rectangle(image, (x, y), end, tuple(float(v) for v in rng.integers(0, 255, 3)), -1)
    noise = rng.integers(-12, 13, image.shape)
    return np.clip(cv2.GaussianBlur(image, (5, 5), 0) + noise, 0, 255).astype(np.uint8)


def annotation(number: int, image: int, points: Points) -> dict[str, Any]:
    """One cart as COCO writes it: every corner lies in the picture and is known (v = 2)."""
    low, high = points.min(0), points.max(0)
    width, height = (float(v) for v in high - low)
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [float(low[0]), float(low[1]), width, height],
        "area": width * height,
        "keypoints": [v for x, y in points for v in (float(x), float(y), 2)],
        "num_keypoints": len(points),
    }


def write_set(folder: Path, count: int) -> None:
    """`count` pictures of one or two carts each."""
    rng = np.random.default_rng(7)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, rows = [], []
    for number in range(count):
        image = scenery(rng)
        for place in range(int(rng.integers(1, 3))):
            size = rng.uniform(28, 48)
            center = (rng.uniform(75, 105) + 140 * place, rng.uniform(80, 160))
            points = corners(center, size, rng.uniform(-55, 55))
            draw(image, points, rng.uniform(0.6, 1.1))
            rows.append(annotation(len(rows) + 1, number, points))
        name = f"{number:04}.jpg"
        cv2.imwrite(str(folder / "images" / name), image)
        images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
    category = {"id": 1, "name": "cart", "keypoints": CORNERS}
    data = {"images": images, "annotations": rows, "categories": [category]}
    (folder / "carts.json").write_text(json.dumps(data))


def write_clip(path: Path, frames: int = 75) -> None:
    """Two carts that pass and turn."""
    background = scenery(np.random.default_rng(99))
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for step in range(frames):
            image, along = background.copy(), step / frames
            draw(image, corners((70 + 40 * along, 100), 32, -45 + 90 * along), 1.0)
            draw(image, corners((250 - 50 * along, 150), 40, 40 - 70 * along), 0.8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    where = Path(sys.argv[1])
    write_set(where, int(sys.argv[2]) if len(sys.argv) > 2 else 240)
    write_clip(where / "clip.mp4")
