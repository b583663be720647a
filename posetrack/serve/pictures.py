"""JPEG of what a stream shows: previews at their own rate and size, and snapshots."""

from __future__ import annotations

import cv2
import numpy as np

from posetrack.cli.session import make_painter
from posetrack.media.painter import Painter
from posetrack.serve.hub import Hub, Item, Kind, Picture
from posetrack.serve.settings import PreviewSettings, StreamSettings
from posetrack.types import Image, Result


def jpeg(image: Image, *, width: int | None = None, quality: int = 85) -> bytes:
    """A picture as JPEG, made smaller where it is wider than `width`."""
    if width is not None and image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def painter_of(settings: StreamSettings, threshold: float | None) -> Painter:
    """What draws a stream's people."""
    return make_painter(settings.run_config(), threshold)


class Preview:
    """Publishes pictures while somebody looks, each made once for all who do."""

    def __init__(self, hub: Hub, stream: str) -> None:
        self._hub, self._stream = hub, stream
        self._due_s: dict[Kind, float] = {"plain": 0.0, "drawn": 0.0}
        self._painter: tuple[StreamSettings, Painter] | None = None

    def show(self, result: Result, settings: StreamSettings, threshold: float | None) -> None:
        """The pictures of one frame, where they are wanted and due."""
        now_s, chosen = result.frame.captured_at, settings.preview
        for kind in ("plain", "drawn"):
            if now_s < self._due_s[kind] or not self._hub.wanted(kind, self._stream):
                continue
            # A little early counts as due: the rate is then kept on average.
            self._due_s[kind] = max(self._due_s[kind], now_s - 0.5 / chosen.fps) + 1 / chosen.fps
            painter = self._painter_of(settings, threshold)
            image = painter(result) if kind == "drawn" else painter.plain(result)
            picture = Picture(result.frame.index, _encoded(image, chosen))
            self._hub.publish(Item(kind, self._stream, picture))

    def _painter_of(self, settings: StreamSettings, threshold: float | None) -> Painter:
        """The painter of before, while the settings are: trails and labels have a history."""
        if self._painter is None or self._painter[0] is not settings:
            self._painter = (settings, painter_of(settings, threshold))
        return self._painter[1]


def _encoded(image: Image, chosen: PreviewSettings) -> bytes:
    return jpeg(image, width=chosen.width, quality=chosen.quality)
