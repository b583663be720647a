"""What names a live source, what FFmpeg may open for it, and what must never be shown of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from posetrack.errors import ConfigError
from posetrack.media.source import SECRET, is_address, redact

Medium: TypeAlias = Literal["camera", "network", "stdin", "screen"]

_HTTP = "http,tcp,httpproxy,crypto"
_TLS = "https,tls,tcp,httpproxy,crypto"
PROTOCOLS = {
    "rtsp": "rtsp,tcp,udp,rtp",
    "rtsps": "rtsps,rtsp,tls,tcp,udp,rtp,srtp,crypto",
    "http": f"{_HTTP},https,tls",
    "https": _TLS,
    "udp": "udp",
    "srt": "srt",
    "tcp": "tcp",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
}
"""The schemes that are allowed, and for each what FFmpeg may open on its behalf: a playlist or a
redirection from the network never leads to a local file or to a protocol inside another."""

_QUERIES = {
    "udp": {"localaddr", "sources"},
    "tcp": set[str](),
    "srt": {"mode", "streamid", "passphrase", "latency", "pbkeylen"},
}
"""Where FFmpeg reads options of its own from the query, those that are allowed."""

_DEVICE = re.compile(r"/dev/(video[0-9]{1,4}|v4l/by-(id|path)/[\w.:+-]+)", re.ASCII)
_MAX_LENGTH = 2048
_SHORT = 4
"""Shorter secrets are hidden inside addresses only: they are part of ordinary words."""


@dataclass(frozen=True, slots=True)
class Address:
    """A live source as the user named it.

    Attributes:
        medium: what kind of thing it is.
        spec: what to open; may hold a password, so it is for `open_connection` only.
        name: what may be shown.
        scheme: of a network address, else empty.
        host: of a network address, else empty.
        region: (x, y, width, height) of a part of the screen, px; None is all of it.
    """

    medium: Medium
    spec: str
    name: str
    scheme: str = ""
    host: str = ""
    region: tuple[int, int, int, int] | None = None

    def __repr__(self) -> str:
        return f"Address({self.medium}, {self.name})"

    @property
    def protocols(self) -> str:
        """What FFmpeg may open, as its option ``protocol_whitelist`` takes it."""
        return PROTOCOLS[self.scheme]

    def hide(self, text: str) -> str:
        """`text` in one line, without the passwords of this address in any spelling."""
        if self.medium == "network":
            text = text.replace(self.spec, self.name)
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, "***")
        return " ".join(redact(text).split())

    def _secrets(self) -> Iterator[str]:
        """What `redact` took out, as it stands in the address and decoded."""
        if self.medium != "network":
            return
        parts = urlsplit(self.spec)
        user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
        values = [password if colon else user]
        values += [value for _, value in SECRET.findall(parts.path + "?" + parts.query)]
        for value in values:
            for word in (value, unquote(value)):
                if len(word) >= _SHORT:
                    yield word


def parse_address(spec: str) -> Address:
    """The live source that `spec` names.

    A number, ``/dev/video*`` or ``/dev/v4l/by-*/*`` is a camera, ``-`` stdin, ``screen`` or
    ``screen:x,y,w,h`` (px) the screen, everything else a network address of an allowed scheme.

    Raises:
        ConfigError: none of these; the message holds no password.
    """
    if spec == "-":
        return Address("stdin", spec, "stdin")
    if (spec.isascii() and spec.isdecimal() and len(spec) <= 4) or _DEVICE.fullmatch(spec):
        return Address("camera", spec, spec)
    if spec == "screen" or spec.startswith("screen:"):
        return _screen(spec)
    if not is_address(spec):
        raise ConfigError(
            f"{redact(spec)!r} is no live source: give a camera's number or /dev/video*, "
            "an address such as rtsp://..., screen, or - for stdin"
        )
    return _network(spec)


def _screen(spec: str) -> Address:
    if spec == "screen":
        return Address("screen", spec, spec)
    match = re.fullmatch(r"screen:(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})", spec, re.ASCII)
    x, y, width, height = map(int, match.groups()) if match else (0, 0, 0, 0)
    if not width or not height:
        raise ConfigError(f"{redact(spec)!r}: write screen:x,y,width,height in px")
    return Address("screen", spec, spec, region=(x, y, width, height))


def _network(spec: str) -> Address:
    name = redact(spec)
    if len(spec) > _MAX_LENGTH:
        raise ConfigError(f"address of {len(spec)} characters: {_MAX_LENGTH} are allowed")
    if re.search(r"[\x00-\x20\x7f]", spec):
        raise ConfigError(f"{name!r} has blanks or control characters: write them as %20, ...")
    try:
        parts = urlsplit(spec)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{name} is no address: check host and port") from None
    scheme = parts.scheme.lower()
    if scheme not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise ConfigError(f"{name}: addresses of scheme {scheme} are not allowed: use {known}")
    if not host and not (scheme == "udp" and spec.startswith("udp://@")):
        raise ConfigError(f"{name} names no host: write {scheme}://host/...")
    _check_query(name, scheme, parts.query)
    return Address("network", scheme + spec[len(scheme) :], name, scheme, host or "")


def _check_query(name: str, scheme: str, query: str) -> None:
    allowed = _QUERIES.get(scheme)
    if allowed is None:
        return  # it is the server's
    for key, _ in parse_qsl(query.replace("?", "&"), keep_blank_values=True):
        if key not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise ConfigError(f"{name}: {key} is not allowed after {scheme}://...?: {known}")
