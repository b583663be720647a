"""Poses as Open Sound Control, for Max, TouchDesigner, Unity and the like.

A frame is one bundle (or several, where it is large) of

    /pose/STREAM/frame  frame people        (two int32)
    /pose/STREAM/ID/KEYPOINT  x y score     (three float32)

Source: the OSC 1.0 specification. VMC for avatars needs rotations of bones, so a model with depths;
none is here yet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from posetrack.serve.hub import Item, Kind
from posetrack.serve.message import Message
from posetrack.serve.sinks.settings import OscSettings
from posetrack.serve.sinks.udp import Datagrams
from posetrack.skeletons import load_skeleton

_BUNDLE = b"#bundle\0" + struct.pack(">Q", 1)  # time tag 1: now
_LARGEST = 8192


def encode(address: str, *values: float) -> bytes:
    """One OSC message; whole numbers are int32, others float32."""
    tags = "," + "".join("i" if isinstance(value, int) else "f" for value in values)
    data = b"".join(struct.pack(">i" if isinstance(v, int) else ">f", v) for v in values)
    return _padded(address) + _padded(tags) + data


def _padded(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)


def bundles(messages: Sequence[bytes]) -> Iterator[bytes]:
    """The messages in bundles that fit a datagram."""
    bundle = _BUNDLE
    for message in messages:
        element = struct.pack(">i", len(message)) + message
        if len(bundle) + len(element) > _LARGEST and len(bundle) > len(_BUNDLE):
            yield bundle
            bundle = _BUNDLE
        bundle += element
    if len(bundle) > len(_BUNDLE):
        yield bundle


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
