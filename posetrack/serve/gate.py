"""The gate before the routes, as ASGI middleware: refuses, limits, and counts."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException

from posetrack.serve.logs import log
from posetrack.serve.metrics import Metrics
from posetrack.serve.redaction import redacted
from posetrack.serve.security import COOKIE, Doors, Guard, Rate, guesses

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/", "/v1/session"})
"""What needs no token; nothing there tells anything about a stream."""
OPEN_FOLDERS = ("/page/",)
SESSION = "posetrack.session"
"""Where the routes find the session of a request, in its scope."""

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"media-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    b"base-uri 'none'"
)
SAFETY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", _POLICY),
]
"""Of every answer."""


@dataclass
class Gate:
    """Lets a request through, or answers it.

    Attributes:
        app: what is behind.
        guard: knows the token.
        doors: the names and origins.
        rate: of requests.
        body_bytes: the largest body.
        metrics: what is counted.
    """

    app: App
    guard: Guard
    doors: Doors
    rate: Rate
    body_bytes: int
    metrics: Metrics
    _wrong: Rate = field(default_factory=guesses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await self._refuse(scope, receive, send, *refusal)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        scope = _with_session(scope, _headers(scope))
        await _Exchange(self, scope, receive, send).run()

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason, None where it may pass."""
        headers = _headers(scope)
        address, path = address_of(scope), scope["path"]
        if not self.rate.allows(address):
            return 429, "too many requests: wait a second"
        host = headers.get("host", "")
        if not self.doors.is_host(host):
            return 421, "the daemon does not go by this host name: see listen.hosts"
        origin = headers.get("origin")
        if origin is not None and not self.doors.is_origin(origin, host):
            return 403, "pages of this origin may not connect: see listen.origins"
        if _too_long(headers, self.body_bytes):
            return 413, f"the body is larger than {self.body_bytes} bytes"
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return None
        if "authorization" in headers and self._wrong.is_empty(address):
            return 429, "too many wrong tokens: wait a minute"
        if not self.guard.knows(headers.get("authorization"), cookie_of(headers)):
            if "authorization" in headers:
                self._wrong.allows(address)
            return 401, "a token is needed: Authorization: Bearer ..."
        return None

    def wrong_token(self, address: str) -> bool:
        """Count a wrong token; whether that address may try again."""
        return self._wrong.allows(address)

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, status: int, reason: str
    ) -> None:
        self.metrics.requests.labels(str(status)).inc()
        log.debug("%s %s: %s", status, redacted(scope["path"]), reason)
        body = json.dumps({"error": reason}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *SAFETY_HEADERS,
        ]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if status == 429:
            headers.append((b"retry-after", b"1"))
        if scope["type"] == "websocket":
            await receive()  # the handshake is answered, never begun
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1008})
                return
            prefix = "websocket.http.response"
        else:
            prefix = "http.response"
        await send({"type": f"{prefix}.start", "status": status, "headers": headers})
        await send({"type": f"{prefix}.body", "body": body})


class _Exchange:
    """One request that passed: its body is counted, its answer gets the safety headers."""

    def __init__(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        self._gate, self._scope, self._receive, self._send = gate, scope, receive, send
        self._received = 0

    async def run(self) -> None:
        await self._gate.app(self._scope, self._counted, self._finished)

    async def _counted(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._gate.body_bytes:
            raise HTTPException(413, f"the body is larger than {self._gate.body_bytes} bytes")
        return message

    async def _finished(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *SAFETY_HEADERS]}
            self._gate.metrics.requests.labels(str(message["status"])).inc()
        await self._send(message)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def address_of(scope: Scope) -> str:
    """The address at the other end, as `network_of` has it."""
    client = scope.get("client")
    return network_of(client[0] if client else "")


def network_of(host: str) -> str:
    """What one client can be told from another by: of IPv6 the first half, the rest is his own."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        return str(inner or ipaddress.ip_network((address, 64), strict=False))
    return host


def cookie_of(headers: MutableMapping[str, str], name: str = COOKIE) -> str | None:
    """The session of a request.

    Not by `http.cookies`, whose quoted values cost seconds of every request (CVE-2024-7592).
    """
    for pair in headers.get("cookie", "").split(";"):
        given, _, value = pair.strip().partition("=")
        if given == name:
            return value
    return None


def _with_session(scope: Scope, headers: MutableMapping[str, str]) -> Scope:
    """The request with its session as `SESSION`, and no cookies that anybody else would read."""
    kept = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
    return {**scope, "headers": kept, SESSION: cookie_of(headers)}


def _too_long(headers: MutableMapping[str, str], most: int) -> bool:
    length = headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length[:20]) > most
