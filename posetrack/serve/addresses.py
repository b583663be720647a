"""Which addresses a stream may be read from: schemes, folders and networks that are allowed."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from posetrack.errors import ConfigError
from posetrack.serve.redaction import redacted

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "srt": 9000}
_METADATA = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("169.254.169.254/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
        *("fd00:ec2::/32", "fd20:ce::254/128"),
    )
)
"""Of AWS, Azure, Google, Alibaba and Oracle."""
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_OPTIONS = re.compile(r"[\x00-\x20\x7f\\|]")
"""What an address of FFmpeg or a shell would take as more than an address."""
_AUTHORITY = re.compile(
    r"(?:[^\[\]]*@)?(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE
)
"""User, host and port in the one form that Python and FFmpeg read alike."""


class NotAllowed(ConfigError):
    """What is asked for is kept from whoever asks."""


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host name. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(row[4][0]).partition("%")[0] for row in found})


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What is allowed.

    Attributes:
        schemes: of addresses.
        root: files must lie in it; None: no files.
        loopback: whether this machine itself may be named.
        resolve: names to addresses.
    """

    schemes: tuple[str, ...]
    root: Path | None = None
    loopback: bool = False
    resolve: Resolve = resolve

    def check(self, url: str) -> str:
        """The address or path that may be opened now.

        Of a name that is looked up, every address must be allowed. RTSP and SRT addresses come
        back with the number that was checked, so that a second look-up cannot give another.

        Raises:
            NotAllowed: what is not allowed, and why; never with a password.
        """
        shown = redacted(url)
        scheme, separator, _ = url.partition("://")
        if not separator or scheme.lower() == "file":
            return self._file(url, shown)
        scheme = scheme.lower()
        if scheme not in self.schemes:
            raise NotAllowed(
                f"{shown}: the scheme {scheme!r} is not allowed: use {', '.join(self.schemes)}"
            )
        if _OPTIONS.search(url):
            raise NotAllowed(f"{shown}: an address has no blanks, backslashes or bars")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS[scheme]
        except ValueError as problem:
            raise NotAllowed(f"{shown} is no address: {problem}") from problem
        if not host:
            raise NotAllowed(f"{shown} names no host")
        if not _AUTHORITY.fullmatch(parts.netloc):
            raise NotAllowed(
                f"{shown}: write user:password@host:port, the host with letters, digits, dots "
                "and hyphens (xn--... for others), or [...] around an IPv6 address"
            )
        numbers = self._numbers(host, port, shown)
        if scheme in ("rtsp", "srt") and not is_number(host):
            number = numbers[0] if ":" not in numbers[0] else f"[{numbers[0]}]"
            user, at, _ = parts.netloc.rpartition("@")
            return parts._replace(netloc=f"{user}{at}{number}:{port}").geturl()
        return url

    def _numbers(self, host: str, port: int, shown: str) -> Sequence[str]:
        try:
            numbers = self.resolve(host, port)
        except (OSError, UnicodeError) as problem:
            raise NotAllowed(f"{shown}: the host is not found: check the name") from problem
        for number in numbers:
            if reason := self._refusal(_plain(ipaddress.ip_address(number))):
                raise NotAllowed(f"{shown}: {reason} addresses are not allowed")
        if not numbers:
            raise NotAllowed(f"{shown}: the host has no address")
        return numbers

    def _refusal(self, address: Address) -> str | None:
        if any(address in network for network in _METADATA):
            return "metadata"
        if address.is_link_local:
            return "link-local"
        if address.is_unspecified or address.is_multicast:
            return "unspecified and multicast"
        if address.is_loopback:
            return None if self.loopback else "loopback"
        if address.is_reserved or address in _THIS_NETWORK:
            return "reserved"
        return "this machine's own" if not self.loopback and _is_own(address) else None

    def _file(self, url: str, shown: str) -> str:
        if "file" not in self.schemes:
            raise NotAllowed(f"{shown}: files are not allowed: use {', '.join(self.schemes)}")
        if self.root is None:
            raise NotAllowed(f"{shown}: files must lie in the media root: set media.root")
        text = unquote(url[len("file://") :]) if url.lower().startswith("file://") else url
        root = self.root.resolve()
        try:
            path = (root / text).resolve()
            is_file = path.is_file()
        except (OSError, ValueError, RuntimeError) as problem:  # too long, NUL, links in a circle
            raise NotAllowed(f"{shown} is no path") from problem
        if not path.is_relative_to(root):
            raise NotAllowed(f"{shown} lies outside the media root")
        if not is_file:
            raise NotAllowed(f"{shown}: there is no such file in the media root")
        return str(path)


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def _is_own(address: Address) -> bool:
    """Whether this machine goes by it: what is sent to it would come from it. Sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(probe.getsockname()[0]) == address
    except OSError:  # no way there
        return False


def is_number(host: str) -> bool:
    """Whether it is an address of a network, so that nobody has to look it up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
