"""Messages and bundles of Open Sound Control, as bytes. Source: the OSC 1.0 specification."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

_BUNDLE = b"#bundle\0" + struct.pack(">Q", 1)  # time tag 1: now
_LARGEST = 8192


def encode(address: str, *values: str | float) -> bytes:
    """One message; whole numbers are int32, others float32."""
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _padded(value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _padded(address) + _padded(tags) + data


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


def _padded(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)
