"""Poses as Open Sound Control, for Max, TouchDesigner, Unity and the like.

A frame is one bundle (or several, where it is large) of

    /pose/STREAM/frame  frame people        (two int32)
    /pose/STREAM/ID/KEYPOINT  x y score     (three float32)

What moves avatars is VMC: `posetrack.serve.sinks.vmc`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from posetrack.osc.datagrams import Datagrams
from posetrack.osc.packets import bundles, encode
from posetrack.serve.hub import Item, Kind
from posetrack.serve.message import Message
from posetrack.serve.sinks.settings import OscSettings
from posetrack.skeletons import load_skeleton


class Osc:
    """One or more bundles a frame, sent to one place."""

    kinds: Sequence[Kind] = ("poses",)

    def __init__(self, settings: OscSettings) -> None:
        self._normalized = settings.normalized
        self._datagrams = Datagrams(settings.host, settings.port)

    def open(self) -> None:
        """Find the host."""
        self._datagrams.open()

    def send(self, items: Sequence[Item]) -> None:
        """The bundles of each frame."""
        for item in items:
            assert isinstance(item.content, Message)
            for bundle in bundles(list(self._messages(item.content.data))):
                self._datagrams.send(bundle)

    def tick(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        """Give the socket back."""
        self._datagrams.close()

    def _messages(self, message: dict[str, Any]) -> Iterator[bytes]:
        base, people = f"/pose/{message['stream']}", message["people"]
        yield encode(f"{base}/frame", message["frame"] & 0x7FFFFFFF, len(people))
        width, height = message["size"] if self._normalized else (1, 1)
        names = _names(message["skeleton"])
        for person in people:
            for number, (x, y, score) in enumerate(person["keypoints"]):
                name = names[number] if number < len(names) else str(number)
                where = f"{base}/{person['id']}/{name}"
                yield encode(where, float(x) / width, float(y) / height, float(score))


def _names(skeleton: str) -> Sequence[str]:
    """Those of a keypoint set; none where it is one of the user's own."""
    from posetrack.errors import ConfigError

    try:
        return load_skeleton(skeleton).keypoints
    except ConfigError:
        return ()
