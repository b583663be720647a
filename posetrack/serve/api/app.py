"""The application: routes, errors, description, page, and the gate before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles

from posetrack import __version__
from posetrack.serve.api import schemas
from posetrack.serve.api.errors import add_error_handlers
from posetrack.serve.api.health import health_routes
from posetrack.serve.api.live import live_routes
from posetrack.serve.api.openapi import settings_schemas
from posetrack.serve.api.recordings import recording_routes
from posetrack.serve.api.streams import stream_routes
from posetrack.serve.api.tracking import tracking_routes
from posetrack.serve.daemon import Daemon
from posetrack.serve.gate import Gate

PAGE = Path(__file__).parent.parent / "page"
_TEXT = """Poses of people with lasting ids, live. Every route but /healthz, /readyz and /v1/session
needs `Authorization: Bearer TOKEN` where the daemon has a token. Live data come by WebSocket or
as server-sent events from the same addresses: `/v1/streams/{stream}/poses` and `.../events`."""

_FRESH = {"cache-control": "no-cache"}


class _Page(StaticFiles):
    """Files that a browser asks about each time, so that an upgrade never mixes two pages."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_FRESH)
        return response


def make_app(daemon: Daemon) -> Gate:
    """The daemon's ASGI application."""
    app = FastAPI(
        title="posetrack",
        version=__version__,
        description=_TEXT,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    for routes in (health_routes, stream_routes, tracking_routes, live_routes, recording_routes):
        app.include_router(routes(daemon))
    add_error_handlers(app)
    app.mount("/page", _Page(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=_FRESH)

    needs_token = not daemon.guard.is_open
    app.openapi = lambda: _description(app, needs_token=needs_token)  # type: ignore[method-assign]
    return Gate(
        app,
        daemon.guard,
        daemon.doors,
        daemon.rate,
        daemon.config.limits.body_kb * 1024,
        daemon.metrics,
    )


def _description(app: FastAPI, *, needs_token: bool) -> dict[str, Any]:
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        found = made.setdefault("components", {}).setdefault("schemas", {})
        found |= settings_schemas()
        for model in (schemas.RecordingWish, schemas.Token):
            found[model.__name__] = model.model_json_schema()
        if needs_token:
            made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            made["security"] = [{"token": []}]
            for path in ("/healthz", "/readyz", "/v1/session"):
                for operation in made["paths"][path].values():
                    operation["security"] = []
        app.openapi_schema = made
    return app.openapi_schema
