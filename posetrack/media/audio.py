"""Sound of the source, copied packet by packet beside the new pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from posetrack.media.tags import TOLERANT

PRIMING_S = 0.1
"""Encoders start this much (at most) before 0; those packets belong to the sound at 0."""


class AudioCopy:
    """Copies the first audio stream of a file into an output container, without re-encoding.

    Attributes:
        warning: why the sound cannot be kept; None while it can.
    """

    def __init__(self, path: Path, output: Any) -> None:
        self.warning: str | None = None
        self._output = output
        self._next: Any = None
        self._unit = 0.0
        self._source = av.open(str(path), **TOLERANT)
        sounds = self._source.streams.audio
        if not sounds:
            self._packets: Any = iter(())
            return
        sound = sounds[0]
        try:
            self._stream = output.add_stream_from_template(sound)
        except (ValueError, av.error.FFmpegError):
            codec = sound.codec_context.name if sound.codec_context else "unknown"
            self.warning = (
                f"the sound ({codec}) does not fit into {output.format.name}: "
                "it is left out; name an .mkv output to keep it"
            )
            self._packets = iter(())
            return
        self._unit = float(sound.time_base)
        self._packets = self._source.demux(sound)

    def begin(self, file_s: float, *, at_start: bool) -> None:
        """Set the time in the file that becomes 0 in the output.

        Args:
            file_s: time in the file of the first picture written.
            at_start: whether the file begins there.
        """
        if self._unit:
            self._origin_s = file_s
            self._shift = round(file_s / self._unit)
            self._first_s = -PRIMING_S if at_start else -self._unit

    def copy_until(self, end_s: float) -> None:
        """Write the packets that begin before `end_s` of the output."""
        while True:
            packet = self._next or self._take()
            self._next = None
            if packet is None:
                return
            if packet.pts * self._unit - self._origin_s >= end_s:
                self._next = packet
                return
            packet.pts -= self._shift
            packet.dts = packet.pts
            packet.stream = self._stream
            self._output.mux(packet)

    def _take(self) -> Any:
        """The next packet at or after the origin, or None at the end."""
        try:
            for packet in self._packets:
                if packet.pts is None or packet.size == 0:
                    continue
                if packet.pts * self._unit - self._origin_s >= self._first_s:
                    return packet
        except av.error.FFmpegError:  # the source breaks off here; so do its pictures
            pass
        self._packets = iter(())
        return None

    def close(self) -> None:
        """Close the source of the sound."""
        self._source.close()
