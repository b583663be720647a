"""Who may ask: token, session, host, origin, and how often. All of it before any route."""

from __future__ import annotations

import hmac
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from posetrack.errors import ConfigError
from posetrack.serve.addresses import is_number
from posetrack.serve.settings import ListenSettings, ServeConfig

COOKIE = "posetrack_session"
SESSION_S = 12 * 3600
_LEAST_TOKEN = 16
_ADDRESSES = 4096
_SESSIONS = 256
_GUESSES_PER_S, _GUESSES = 0.2, 10


def read_token(config: ServeConfig, environment: Mapping[str, str]) -> str | None:
    """The bearer token: of POSETRACK_TOKEN, else of the file; None where there is none.

    Raises:
        ConfigError: a file that cannot be read, a token that is too short, or a public address
            without a token.
    """
    token = environment.get("POSETRACK_TOKEN")
    origin, file = "POSETRACK_TOKEN", environment.get("POSETRACK_TOKEN_FILE")
    if token is None and (file := file or config.security.token_file) is not None:
        origin = f"token file {file}"
        try:
            token = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{origin} cannot be read: {error}") from error
    if token is not None and (len(token) < _LEAST_TOKEN or not token.isascii()):
        raise ConfigError(
            f"{origin}: a token has {_LEAST_TOKEN} ASCII characters or more: "
            "make one with `openssl rand -hex 32`"
        )
    listen = config.listen
    if token is None and listen.is_public and not config.security.insecure_no_auth:
        raise ConfigError(
            f"listen.host {listen.host} can be reached by others and there is no token: set "
            "security.token_file or POSETRACK_TOKEN, or --insecure-no-auth if that is meant"
        )
    return token


class Guard:
    """Tokens and sessions.

    Args:
        token: None lets everybody in.
    """

    def __init__(self, token: str | None) -> None:
        self.is_open = token is None
        self._token = (token or secrets.token_hex(32)).encode()
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def knows(self, authorization: str | None, cookie: str | None) -> bool:
        """Whether the header or the cookie of a request lets it in."""
        if self.is_open:
            return True
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and self.matches(given.strip()):
            return True
        return cookie is not None and self._has_session(cookie)

    def matches(self, token: str) -> bool:
        """Whether it is the token; the time this takes says nothing about it."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def begin_session(self) -> str:
        """A cookie for a browser, which cannot send headers for pictures and WebSockets."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[name] = time.monotonic() + SESSION_S
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return name

    def end_session(self, name: str) -> None:
        """Forget a cookie."""
        with self._lock:
            self._sessions.pop(name, None)

    def _has_session(self, name: str) -> bool:
        with self._lock:
            return self._sessions.get(name, 0.0) > time.monotonic()


@dataclass(frozen=True, slots=True)
class Doors:
    """By which names the daemon may be reached, and from which pages.

    A page of another site that a browser was led to cannot talk to it: not by a name that points
    here (``Host``), and not across sites (``Origin``).
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    any_host: bool = False
    any_number: bool = False

    @classmethod
    def of(cls, listen: ListenSettings, *, has_token: bool = True) -> Doors:
        """Those of the settings."""
        hosts = {"localhost", "127.0.0.1", "::1", listen.host, *listen.hosts}
        origins = frozenset(origin.rstrip("/").lower() for origin in listen.origins)
        # A wildcard address is reached by every name of the machine: the token protects it.
        # Without one, by its numbers and its own name, which no page can make point here.
        wildcard = listen.host in ("0.0.0.0", "::", "") and not listen.hosts  # noqa: S104
        if wildcard:
            hosts.add(socket.gethostname())
        known = frozenset(host.lower() for host in hosts)
        return cls(known, origins, wildcard and has_token, wildcard)

    def is_host(self, header: str) -> bool:
        """Whether the daemon goes by the name in a ``Host`` header."""
        try:
            name = urlsplit(f"//{header}").hostname
        except ValueError:
            return False
        return self.any_host or name in self.hosts or (self.any_number and is_number(name or ""))

    def is_origin(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may connect: the daemon's own, or one of the list."""
        if origin.lower() in self.origins:
            return True
        try:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
        except ValueError:
            return False


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass
class Rate:
    """How often each address may ask: `per_s` on average, `burst` at once."""

    per_s: float
    burst: float
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def allows(self, address: str) -> bool:
        """Count one request; whether there was room for it."""
        now = time.monotonic()
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = self._buckets[address] = _Bucket(self.burst, now)
            while len(self._buckets) > _ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(address)
        bucket.level = min(self.burst, bucket.level + (now - bucket.at) * self.per_s)
        bucket.at = now
        if bucket.level < 1:
            return False
        bucket.level -= 1
        return True

    def is_empty(self, address: str) -> bool:
        """Whether an address has nothing left, without counting."""
        bucket = self._buckets.get(address)
        if bucket is None:
            return False
        return bucket.level + (time.monotonic() - bucket.at) * self.per_s < 1


def guesses() -> Rate:
    """How often an address may be wrong about the token."""
    return Rate(_GUESSES_PER_S, _GUESSES)
