"""The viewer as a web server of this machine only, until Ctrl-C."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable

import uvicorn

from posetrack.errors import ConfigError
from posetrack.view.app import Opened, make_app
from posetrack.view.door import Door

_HOST = "127.0.0.1"
_CLOSING_S = 1


def serve(opened: Opened, port: int, on_address: Callable[[str], None]) -> None:
    """Serve the page until SIGINT or SIGTERM.

    Args:
        opened: what is looked at.
        port: 0 takes a free one.
        on_address: told the address with its token, once somebody can connect to it.

    Raises:
        ConfigError: the port cannot be had.
    """
    try:
        listener = socket.create_server((_HOST, port))
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {_HOST}:{port}: {error.strerror}; choose another --port, 0 is free"
        ) from error
    token = secrets.token_urlsafe(24)
    with contextlib.closing(listener):
        port = listener.getsockname()[1]
        options = uvicorn.Config(
            Door(make_app(opened), token, port),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=_CLOSING_S,
        )
        on_address(f"http://{_HOST}:{port}/?token={token}")  # who connects now waits in the queue
        uvicorn.Server(options).run(sockets=[listener])
