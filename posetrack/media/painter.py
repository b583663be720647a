"""From a result to its picture: hidden faces, background, heat map, trails, people."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import cv2
import numpy as np

from posetrack.media.drawing import draw
from posetrack.media.heat import draw_heat
from posetrack.media.labels import Spots
from posetrack.media.overlay import write_words
from posetrack.media.palette import INK, id_colour
from posetrack.media.privacy import hide_heads
from posetrack.media.styles import Style
from posetrack.types import Floats, Image, Result, Tracks

_SHIFT = 4


class Trails:
    """Where each identity was during the last `length_s` seconds.

    A trail follows the middle of the box's lower edge, so that it lies on the ground and not
    across the body.
    """

    def __init__(self, length_s: float = 1.5) -> None:
        self.length_s = length_s
        self._paths: dict[int, deque[tuple[float, float, float]]] = {}

    def update(self, tracks: Tracks, pts_s: float) -> None:
        """Add where people are now; forget what is too old."""
        feet = _feet(tracks)
        for number, (x, y) in zip(tracks.ids.tolist(), feet.tolist(), strict=True):
            self._paths.setdefault(number, deque()).append((pts_s, x, y))
        oldest = pts_s - self.length_s
        for number in list(self._paths):
            path = self._paths[number]
            while path and path[0][0] < oldest:
                path.popleft()
            if not path:
                del self._paths[number]

    def draw(self, image: Image, *, thickness: float = 1.0) -> None:
        """Draw the trails into `image`, in place; the older a piece, the thinner."""
        reach = 4 * max(image.shape[:2])
        widest = max(2, round(min(image.shape[:2]) / 200 * thickness))
        for number, path in self._paths.items():
            if len(path) < 2:
                continue
            xy = np.clip(np.array(path)[:, 1:], -reach, reach)
            line = np.round(xy * (1 << _SHIFT)).astype(np.int32)
            cv2.polylines(image, [line], False, INK, widest + 2, cv2.LINE_AA, _SHIFT)
            for piece in range(3):
                part = line[piece * len(line) // 3 : (piece + 1) * len(line) // 3 + 1]
                pen = max(1, round(widest * (piece + 1) / 3))
                cv2.polylines(image, [part], False, id_colour(number), pen, cv2.LINE_AA, _SHIFT)


class Painter:
    """The picture of each result in turn; keeps the history that trails and labels need.

    The frame's own image is never touched.
    """

    def __init__(self, style: Style | None = None) -> None:
        self.style = Style() if style is None else style
        self._trails = Trails(self.style.trail_s) if "trails" in self.style.layers else None
        self._spots: Spots = {}
        self._raw_spots: Spots = {}

    def __call__(self, result: Result) -> Image:
        """(H, W, 3) a new picture with the tracks of `result`; twice as wide to compare."""
        style = self.style
        plain = self.plain(result)
        picture = background(plain, style.background)
        left = picture
        if style.compare == "source":
            left = plain.copy()
        elif style.compare == "raw":
            left = picture.copy()
            poses = replace(result.tracks.poses, keypoints=result.raw)
            draw(left, replace(result.tracks, poses=poses), style, self._raw_spots)
        if result.heat is not None and "heatmap" in style.layers:
            draw_heat(picture, result.heat)
        if self._trails is not None:
            self._trails.update(result.tracks, result.frame.pts_s)
            self._trails.draw(picture, thickness=style.thickness)
        draw(picture, result.tracks, style, self._spots)
        if style.compare is None:
            return picture
        write_words(left, [style.compare])
        write_words(picture, ["smoothed" if style.compare == "raw" else "tracked"])
        return np.hstack((left, picture))

    def plain(self, result: Result) -> Image:
        """The picture with nobody drawn; faces are hidden all the same.

        The frame's own image where there is nothing to hide.
        """
        image = result.frame.image
        if self.style.blur_faces and len(result.tracks):
            image = image.copy()
            hide_heads(image, result, threshold=self.style.threshold)
        return image


def background(image: Image, kind: str) -> Image:
    """A new picture to draw on: a copy of the image, black, or the image blurred."""
    if kind == "black":
        return np.zeros_like(image)
    if kind == "blur":
        height, width = image.shape[:2]
        small = cv2.resize(
            image, (max(1, width // 24), max(1, height // 24)), interpolation=cv2.INTER_AREA
        )
        smooth = cv2.GaussianBlur(small, (0, 0), 1.0)
        return np.asarray(cv2.resize(smooth, (width, height)), np.uint8)
    return image.copy()


def _feet(tracks: Tracks) -> Floats:
    """(N, 2) the middle of the box's lower edge."""
    boxes = tracks.poses.boxes
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
