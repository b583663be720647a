"""A small picture of the ways to draw people, on the clip of the demo.

    python benchmarks/styles.py docs/images/styles.jpg

Detector and pose model are those that ship; the frame is the same in every tile.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from posetrack import Perception, demo
from posetrack.estimator import Estimator
from posetrack.media.overlay import write_words
from posetrack.media.painter import Painter
from posetrack.media.styles import STYLES
from posetrack.types import Frame, Image

SIZE = (1280, 960)
PART = (slice(250, 940), slice(390, 1280))  # rows and columns: the figures
TILE = (296, 230)
COLUMNS = 4

DEFAULT, ONLY_HEAT = STYLES["default"], frozenset({"heatmap"})
LOOKS = {
    "default": DEFAULT,
    "--style openpose": STYLES["openpose"],
    "--style mmpose": STYLES["mmpose"],
    "--style minimal": STYLES["minimal"],
    "--colours id": replace(DEFAULT, scheme="id"),
    "--style openpose --background black": replace(STYLES["openpose"], background="black"),
    "--style minimal --blur-faces": replace(STYLES["minimal"], blur_faces=True),
    "--draw heatmap": replace(DEFAULT, layers=ONLY_HEAT),
}


def tiles(seconds: float) -> list[Image]:
    """One picture for each of `LOOKS`, of the frame at `seconds`."""
    painters = {words: Painter(style) for words, style in LOOKS.items()}
    count = round(seconds * demo.FPS) + 1
    estimator = Estimator.load(keep_heat=True)
    with Perception(pose=estimator, det_interval=5) as perception:
        for index, (image, _) in enumerate(islice(demo.frames(seconds + 1, size=SIZE), count)):
            result = perception(Frame(image, index, index / demo.FPS, 0.0))
    estimator.close()
    made = []
    for words, painter in painters.items():
        part = np.ascontiguousarray(painter(result)[PART])
        tile = np.asarray(cv2.resize(part, TILE, interpolation=cv2.INTER_AREA), np.uint8)
        write_words(tile, [words])
        made.append(tile)
    return made


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--at", type=float, default=3.6, help="second of the clip")
    chosen = parser.parse_args()
    made = tiles(chosen.at)
    rows = [np.hstack(made[i : i + COLUMNS]) for i in range(0, len(made), COLUMNS)]
    data = cv2.imencode(".jpg", np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    chosen.output.write_bytes(data.tobytes())
    print(f"wrote {chosen.output}, {len(data) / 1024:.0f} KB")


if __name__ == "__main__":
    main()
