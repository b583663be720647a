"""Whether it lives, whether it is ready, its figures, and a browser's way in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from posetrack import __version__
from posetrack.serve.api import schemas
from posetrack.serve.api.errors import answers, error_response, json_body, strictly
from posetrack.serve.api.openapi import body_of
from posetrack.serve.daemon import Daemon
from posetrack.serve.gate import SESSION, address_of
from posetrack.serve.security import COOKIE, SESSION_S, Rate, guesses


def health_routes(daemon: Daemon) -> APIRouter:
    """The routes, for one daemon."""
    router = APIRouter(tags=["daemon"])
    wrong: Rate = guesses()

    @router.get("/healthz", summary="Does the process answer")
    def health() -> schemas.Health:
        """Without a token."""
        return schemas.Health(version=__version__)

    @router.get(
        "/readyz",
        summary="Do frames come",
        responses={503: {"model": schemas.Ready, "description": "None come"}},
    )
    def ready(response: Response) -> schemas.Ready:
        """Whether a stream is running, or none is wanted; without a token."""
        good = not daemon.ending and daemon.supervisor.is_ready()
        response.status_code = 200 if good else 503
        return schemas.Ready(ready=good)

    @router.get(
        "/metrics",
        summary="Figures for Prometheus",
        responses=answers() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    def metrics() -> Response:
        """Streams are labels; people never are."""
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return Response(daemon.metrics.text(), media_type=kind)

    @router.post(
        "/v1/session",
        status_code=204,
        summary="Let a browser in",
        responses=answers(422),
        response_class=Response,
        openapi_extra=body_of("Token"),
    )
    def begin(request: Request, given: Annotated[Any, Depends(json_body)]) -> Response:
        """The token for a cookie of twelve hours, which a page can use where it can send no
        header: in WebSockets and pictures.
        """
        token = strictly(schemas.Token, given).token
        address = address_of(request.scope)
        if wrong.is_empty(address):
            return error_response(429, "too many wrong tokens: wait a minute")
        if not daemon.guard.is_open and not daemon.guard.matches(token):
            wrong.allows(address)
            return error_response(401, "the token is wrong")
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            daemon.guard.begin_session(),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @router.delete("/v1/session", status_code=204, summary="Send a browser away")
    def end(request: Request, response: Response) -> None:
        """The cookie is forgotten."""
        daemon.guard.end_session(request.scope[SESSION] or "")
        response.delete_cookie(COOKIE)

    return router
