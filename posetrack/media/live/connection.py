"""One open connection: pictures until it ends or breaks, every wait bounded."""

from __future__ import annotations

import ssl
import time
from collections.abc import Generator
from typing import Any, Protocol

import av

from posetrack.errors import SourceError
from posetrack.media.colour import ToBgr
from posetrack.media.live.addresses import Address
from posetrack.media.live.settings import LiveSettings
from posetrack.types import Image

FORMATS = (
    "rtsp,hls,mpegts,mov,matroska,flv,avi,ogg,asf,mpjpeg,mjpeg,jpeg_pipe,h264,hevc,m4v,ivf,obu,"
    "mpeg,mpegvideo,nut,yuv4mpegpipe,aac,mp3,webvtt"
)
"""FFmpeg's demuxers that data from outside may choose; none that opens other files, but for HLS,
whose addresses `Address.protocols` bounds."""


class Connection(Protocol):
    """An open source.

    Attributes:
        fps: as the sender says it; None where it does not.
        codec: how the pictures are coded.
        finite: the end of its data is the end of it, not a loss.
    """

    fps: float | None
    codec: str | None
    finite: bool

    def read(self) -> Image | None:
        """The next picture; None at the end. Raises SourceError, within the read timeout."""
        ...

    def close(self) -> None:
        """Give back sockets and devices."""
        ...


def open_connection(address: Address, settings: LiveSettings) -> Connection:
    """A connection to `address`.

    Raises:
        SourceError: it cannot be opened within the time allowed; the message holds no password.
    """
    if address.medium == "camera":
        from posetrack.media.live.device import DeviceConnection

        return DeviceConnection(address.spec, settings)
    if address.medium == "network":
        return NetworkConnection(address, settings)
    raise SourceError(f"{address.name} cannot be read yet")


class StreamConnection:
    """Pictures of a container that FFmpeg opened."""

    def __init__(
        self, container: Any, address: Address, settings: LiveSettings, *, finite: bool, pace: bool
    ) -> None:
        self.finite = finite
        self._container, self._address = container, address
        self._stall_s = max(settings.stall_s, settings.read_timeout_s)
        self._pace = pace if settings.pace is None else settings.pace
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would hold pictures back
        rate = stream.average_rate or stream.guessed_rate
        self.fps: float | None = float(rate) if rate else None
        self.codec: str | None = stream.codec_context.name
        self._to_bgr = ToBgr()
        self._pictures = self._decode(stream)

    def _decode(self, stream: Any) -> Generator[Any]:
        """Pictures as they are decoded; None, without a picture, when time has passed."""
        for packet in self._container.demux():  # all streams: time passes with sound alone too
            if packet.stream is not stream:
                yield None
                continue
            try:
                yield from packet.decode() or (None,)
            except av.error.InvalidDataError:
                yield None

    def read(self) -> Image | None:
        """The next picture; None at the end."""
        reason = self._try()
        if not isinstance(reason, str):
            return reason
        raise SourceError(f"{self._address.name}: {self._address.hide(reason)}")

    def _try(self) -> Image | str | None:
        """A picture, None at the end, or what went wrong.

        The exceptions of FFmpeg hold the whole address, so none of them is let out, not even as
        the cause of ours.
        """
        begin = time.perf_counter()
        try:
            for picture in self._pictures:
                if picture is not None:
                    return self._to_bgr(picture)
                if time.perf_counter() - begin > self._stall_s:
                    return f"data without a picture for {self._stall_s:g} s"
        except (av.error.FFmpegError, OSError, ValueError) as error:
            return reason_of(error)
        return None

    def close(self) -> None:
        """Close the container and its sockets."""
        self._pictures.close()
        self._container.close()


class NetworkConnection(StreamConnection):
    """A stream by its address."""

    def __init__(self, address: Address, settings: LiveSettings) -> None:
        container = self._open(address, settings)
        if isinstance(container, str):
            raise SourceError(f"{address.name} cannot be opened: {address.hide(container)}")
        if not container.streams.video:
            container.close()
            raise SourceError(f"{address.name} has no video stream: give a stream with a picture")
        finite = bool(container.duration)
        bursts = finite or container.format.name == "hls"
        super().__init__(container, address, settings, finite=finite, pace=bursts)

    @staticmethod
    def _open(address: Address, settings: LiveSettings) -> Any:
        """The container, or why it cannot be opened."""
        try:
            return av.open(
                address.spec,
                options=network_options(address, settings),
                timeout=(settings.open_timeout_s, settings.read_timeout_s),
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            return reason_of(error)


def network_options(address: Address, settings: LiveSettings) -> dict[str, str]:
    """FFmpeg's options for an address: what it may open, and no buffering."""
    options = {
        "protocol_whitelist": address.protocols,
        "format_whitelist": FORMATS,
        "fflags": "nobuffer",
    }
    if address.scheme in ("rtsp", "rtsps"):
        options["rtsp_transport"] = settings.transport
    if "tls" in address.protocols.split(","):
        options["tls_verify"] = str(int(settings.verify_tls))
        authorities = ssl.get_default_verify_paths().cafile
        if settings.verify_tls and authorities:
            options["ca_file"] = authorities
    return options


def reason_of(error: BaseException) -> str:
    """What FFmpeg means, in words."""
    if isinstance(error, av.error.ExitError):
        return "no answer within the time allowed"
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "this FFmpeg does not speak the protocol, or may not follow where it leads"
    return str(getattr(error, "strerror", None) or type(error).__name__)
