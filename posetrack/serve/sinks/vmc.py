"""An avatar that one person of a stream moves, by the VMC protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from posetrack.errors import ConfigError, SinkError
from posetrack.osc.datagrams import Datagrams
from posetrack.osc.vmc import Performer
from posetrack.serve.hub import Item, Kind
from posetrack.serve.message import Message
from posetrack.serve.sinks.settings import VmcSettings
from posetrack.skeletons import load_skeleton


class Vmc:
    """A bundle a frame, sent to one place."""

    kinds: Sequence[Kind] = ("poses",)

    def __init__(self, settings: VmcSettings) -> None:
        self._datagrams = Datagrams(settings.host, settings.port)
        self._performer: Performer | None = None
        self._skeleton = ""

    def open(self) -> None:
        """Find the host."""
        self._datagrams.open()

    def send(self, items: Sequence[Item]) -> None:
        """The bundle of each frame."""
        for item in items:
            assert isinstance(item.content, Message)
            self._datagrams.send(self._bundle(item.content.data))

    def tick(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        """Give the socket back."""
        self._datagrams.close()

    def _bundle(self, message: dict[str, Any]) -> bytes:
        people = message["people"]
        points = np.array([each["keypoints"] for each in people] or np.zeros((0, 1, 3)))
        depths = [each["depths"] for each in people if "depths" in each]
        return self._performer_of(message["skeleton"]).bundle(
            message["pts_ns"] / 1e9,
            [each["id"] for each in people],
            points[..., :2],
            points[..., 2],
            np.array(depths) if depths else None,
            width=message["size"][0],
        )

    def _performer_of(self, skeleton: str) -> Performer:
        """The one at work; another for another keypoint set."""
        if self._performer is None or self._skeleton != skeleton:
            try:
                self._performer = Performer(load_skeleton(skeleton))
            except ConfigError as error:
                raise SinkError(
                    f"VMC asked, the keypoint set {skeleton} is not one of those known by name: "
                    "take a model of one of them"
                ) from error
            self._skeleton = skeleton
        return self._performer
