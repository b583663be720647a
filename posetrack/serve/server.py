"""The web server around the daemon: sockets, signals, the watchdog, and the order of the end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Generator

import cv2
import uvicorn

from posetrack.errors import ConfigError, PosetrackError
from posetrack.serve.api.app import make_app
from posetrack.serve.connection import bounded_connections
from posetrack.serve.daemon import Daemon
from posetrack.serve.logs import log, start_logging
from posetrack.serve.notify import notify, reloading, watchdog_s
from posetrack.serve.settings import ServeConfig

_CLOSING_S = 1
_BACKLOG = 256


class _Server(uvicorn.Server):
    """Leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def serve(
    config: ServeConfig,
    read_again: Callable[[], ServeConfig],
    *,
    on_address: Callable[[str], None] = lambda address: None,  # noqa: ARG005
) -> None:
    """Run until SIGTERM or SIGINT, then drain within ten seconds.

    Args:
        config: what to do.
        read_again: the configuration as it is now, at SIGHUP.
        on_address: told where the daemon answers, once it does.

    Raises:
        ConfigError: an address that cannot be had, no token where one is needed.
    """
    # Streams are threads already: OpenCV's own, for pictures this small, only wait for work.
    cv2.setNumThreads(1)
    daemon = Daemon.of(config)
    with contextlib.closing(listening_socket(config)) as listener:
        start_logging(config.log)  # what is wrong before this is one line of the command's
        options = uvicorn.Config(
            make_app(daemon),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws_max_size=config.limits.body_kb * 1024,
            ws_per_message_deflate=False,  # costs each client's share of a core, for little
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            timeout_graceful_shutdown=_CLOSING_S,
            http=bounded_connections(config.limits),
            ssl_certfile=config.listen.certificate,
            ssl_keyfile=config.listen.key,
        )
        host, port = listener.getsockname()[:2]
        scheme = "https" if config.listen.certificate else "http"
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        asyncio.run(_run(_Server(options), daemon, listener, read_again, address, on_address))


def listening_socket(config: ServeConfig) -> socket.socket:
    """A socket that listens where the settings say. Raises ConfigError."""
    listen = config.listen
    try:
        family, _, _, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {listen.host}:{listen.port}: {error.strerror}; "
            "choose another listen.port, or end what uses it"
        ) from error
    if sys.platform == "linux":
        # A client that takes nothing keeps its connection open for ever: the kernel ends it.
        patience_ms = round(2 * config.limits.client_stall_s * 1e3)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)
    return made


async def _run(
    server: _Server,
    daemon: Daemon,
    listener: socket.socket,
    read_again: Callable[[], ServeConfig],
    address: str,
    on_address: Callable[[str], None],
) -> None:
    loop = asyncio.get_running_loop()
    stop, again = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        _on_signal(loop, number, stop.set)
    if hasattr(signal, "SIGHUP"):
        _on_signal(loop, signal.SIGHUP, again.set)
    await asyncio.to_thread(daemon.start)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    log.info("listening at %s", address)
    on_address(address)
    notify("READY=1", f"STATUS={address}")
    tasks = [asyncio.create_task(_reload(daemon, again, read_again))]
    if (period_s := watchdog_s()) is not None:
        tasks.append(asyncio.create_task(_watchdog(period_s)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    notify("STOPPING=1")
    log.info("stopping")
    await asyncio.to_thread(daemon.stop)
    server.should_exit = True
    await serving
    for task in (*tasks, stopping):
        task.cancel()
    log.info("stopped")


def _on_signal(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, act: Callable[[], object]
) -> None:
    """`act` in the loop at each signal; Windows has no handlers in its loop."""
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))


async def _reload(
    daemon: Daemon, again: asyncio.Event, read_again: Callable[[], ServeConfig]
) -> None:
    """Take the configuration anew at each SIGHUP; one that is wrong changes nothing."""
    while True:
        await again.wait()
        again.clear()
        reloading()
        try:
            config = await asyncio.to_thread(read_again)
            await asyncio.to_thread(daemon.reload, config)
        except PosetrackError as error:
            log.error("configuration not taken: %s", error)
        except Exception:  # noqa: BLE001 - a daemon outlives a bad reload
            log.exception("configuration not taken")
        notify("READY=1")


async def _watchdog(period_s: float) -> None:
    """Tell systemd that the event loop turns."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(period_s)
