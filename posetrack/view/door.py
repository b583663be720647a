"""Who may use the viewer: the browser it was opened in, and nobody else."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.responses import JSONResponse, RedirectResponse, Response

from posetrack.serve.gate import SAFETY_HEADERS, App, Message, Receive, Scope, Send, cookie_of
from posetrack.serve.security import Doors, Guard
from posetrack.serve.settings import ListenSettings


class Door:
    """ASGI middleware: the token of the opened address is changed for a cookie, once a browser.

    A page of another site can neither name this server otherwise (``Host``) nor ask across sites
    (``Origin``), and does not know the token.

    Args:
        app: what is behind.
        token: of the opened address.
        port: cookies do not tell ports apart, so that the cookie's name does.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app, self._guard = app, Guard(token)
        self._doors = Doors.of(ListenSettings())
        self._cookie = f"posetrack_view_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *SAFETY_HEADERS]}
            await send(message)

        await (self._answer(scope) or self._app)(scope, receive, safely)

    def _answer(self, scope: Scope) -> Response | None:
        """A refusal or the way in; None where the request may pass."""
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._doors.is_host(host):
            return _refusal(421, "the viewer does not go by this host name")
        if origin is not None and not self._doors.is_origin(origin, host):
            return _refusal(403, "pages of this origin may not ask")
        if scope["path"] == "/" and scope["method"] == "GET":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
            if given and self._guard.matches(given[0]):
                return self._let_in()
        session = cookie_of(headers, self._cookie)
        if self._guard.knows(headers.get("authorization"), session):
            return None
        return _refusal(401, "open the address that `posetrack view` printed")

    def _let_in(self) -> Response:
        """The page without the token in its address."""
        answer = RedirectResponse("/", 303)
        session = self._guard.begin_session()
        answer.set_cookie(self._cookie, session, httponly=True, samesite="strict")
        return answer


def _refusal(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
