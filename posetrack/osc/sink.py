"""A run's people as an avatar's bones, sent by VMC while it runs."""

from __future__ import annotations

import time

from posetrack.osc.datagrams import Datagrams
from posetrack.osc.vmc import VISIBLE, Performer
from posetrack.skeletons import Skeleton
from posetrack.types import Image, Result


class VmcSink:
    """Sends a bundle a frame.

    Args:
        place: (host, port) of what draws the avatar.
        skeleton: the keypoint set.
        visible: score from which a keypoint counts as found.
        paced: frames are those of a file: none is sent before its time.
    """

    def __init__(
        self,
        place: tuple[str, int],
        skeleton: Skeleton,
        *,
        visible: float | None = None,
        paced: bool = False,
    ) -> None:
        self._datagrams = Datagrams(*place)
        self._performer = Performer(skeleton, VISIBLE if visible is None else visible)
        self._paced = paced
        self._began: float | None = None

    def open(self) -> None:
        """Find the host."""
        self._datagrams.open()

    def write(self, result: Result, image: Image, /) -> None:  # noqa: ARG002 - as every sink
        """Send one frame, when it is due."""
        frame, poses = result.frame, result.tracks.poses
        data = self._performer.bundle(
            frame.pts_s,
            result.tracks.ids.tolist(),
            poses.keypoints,
            poses.scores,
            poses.depths,
            width=frame.size[0],
        )
        if self._paced:
            self._wait(frame.pts_s)
        self._datagrams.send(data)

    def _wait(self, t_s: float) -> None:
        now = time.perf_counter()
        if self._began is None:
            self._began = now - t_s
        time.sleep(max(0.0, self._began + t_s - now))

    def finish(self) -> None:
        """Give the socket back."""
        self._datagrams.close()

    def abort(self) -> None:
        """Give the socket back."""
        self._datagrams.close()
