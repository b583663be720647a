"""Pixel formats: decoded frames to BGR, and BGR to what the encoder takes."""

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from posetrack.types import Image

BT601 = 5
"""FFmpeg's number of the matrix that `encoder_frame` converts with (``bt470bg``)."""

# One thread: starting more costs more than a picture. Before PyAV 17 there was nothing to choose.
_ONE_THREAD = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}

_MATRICES = {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}
"""FFmpeg's numbers of the matrices that are not BT.601, and swscale's for them."""


class ToBgr:
    """Converts decoded frames of any pixel format; keeps its scaler from frame to frame.

    Matrix (BT.601, 709, 2020) and range follow the frame's own tags; a frame without tags counts
    as BT.601 limited range, as FFmpeg and OpenCV read it. Used by one thread only.
    """

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def __call__(self, frame: Any) -> Image:
        """(H, W, 3) BGR uint8, writable and C-contiguous; alpha is dropped."""
        # `frame.to_ndarray(format="bgr24")` would build a new scaler for every frame.
        picture = self._scaler.reformat(
            frame,
            format="bgr24",
            src_colorspace=_MATRICES.get(frame.colorspace, BT601),  # PyAV 16 ignores the tag
            dst_colorspace=BT601,
            **_ONE_THREAD,
        )
        plane: Any = picture.planes[0]
        width, height = picture.width, picture.height
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, : 3 * width]
        if picture is frame:  # nothing was converted: the buffer still belongs to the decoder
            rows = rows.copy()
        return np.ascontiguousarray(rows).reshape(height, width, 3)


def even(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) rounded up to even numbers, which 4:2:0 needs."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def encoder_frame(image: Image) -> Any:
    """A yuv420p `av.VideoFrame` (BT.601, limited range) of a BGR image.

    An odd side is padded by repeating its last row or column, so no pixel is lost.
    """
    height, width = image.shape[:2]
    if width % 2 or height % 2:
        image = np.asarray(
            cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8
        )
    # OpenCV's conversion costs a fifth of swscale's and knows BT.601 only, hence the tags.
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    if image.shape[0] % 4:  # PyAV's zero-copy way rounds such heights down
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    else:
        frame = av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
    frame.colorspace, frame.color_range = BT601, 1
    return frame
