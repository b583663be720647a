"""Live data: WebSocket, server-sent events, and pictures one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, WebSocket
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, StreamingResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

from posetrack.serve.api.clients import Clients, Listener, listening
from posetrack.serve.api.errors import answers
from posetrack.serve.daemon import Daemon
from posetrack.serve.gate import address_of
from posetrack.serve.hub import Item, Kind, Picture
from posetrack.serve.supervisor import NoStream

_SILENCE_S = 15.0
"""Without anything to say for so long, a comment keeps proxies from closing the connection."""
_BOUNDARY = "posetrack-frame"
_GOING_AWAY, _TRY_LATER = 1001, 1013

Raw = Annotated[bool, Query(description="also the keypoints as the network gave them")]
Events = Annotated[bool, Query(description="also the events of tracks and of the stream")]


def live_routes(daemon: Daemon) -> APIRouter:
    """The routes, for one daemon."""
    router = APIRouter(tags=["live"])
    limits, clients = daemon.config.limits, Clients(daemon.config.limits)

    async def send_all(
        websocket: WebSocket, kinds: list[Kind], stream: str | None, *, raw: bool
    ) -> None:
        """Send what comes until one side ends it."""
        streams = None if stream is None else [stream]
        with ExitStack() as stack:
            try:
                if stream is not None:
                    daemon.supervisor.get(stream)
                stack.enter_context(clients.admitted(address_of(websocket.scope)))
            except (NoStream, HTTPException) as refusal:
                status = getattr(refusal, "status_code", 404)
                reason = str(getattr(refusal, "detail", refusal))
                await websocket.send_denial_response(JSONResponse({"error": reason}, status))
                return
            await websocket.accept()
            async with listening(daemon.hub, "websocket", kinds, streams, limits.queue) as listener:
                for item in _snapshot(daemon, stream, kinds):
                    await websocket.send_text(item.text(raw=raw))
                await _until_either_ends(websocket, listener, raw=raw)

    async def _until_either_ends(websocket: WebSocket, listener: Listener, *, raw: bool) -> None:
        reader = asyncio.create_task(_read_away(websocket))
        writer = asyncio.create_task(_write(websocket, listener, raw=raw))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _write(websocket: WebSocket, listener: Listener, *, raw: bool) -> None:
        while not listener.is_over:
            item = await listener.next()
            if item is None:
                continue
            try:
                await asyncio.wait_for(
                    websocket.send_text(item.text(raw=raw)), limits.client_stall_s
                )
            except TimeoutError:
                daemon.metrics.client_cut.labels("websocket").inc()
                return
        if websocket.application_state is WebSocketState.CONNECTED:
            await websocket.close(_GOING_AWAY, "the daemon is stopping")

    @router.websocket("/v1/streams/{stream}/poses")
    async def poses(
        websocket: WebSocket, stream: str, raw: Raw = False, events: Events = False
    ) -> None:
        kinds: list[Kind] = ["poses", "events", "status"] if events else ["poses"]
        await send_all(websocket, kinds, stream, raw=raw)

    @router.websocket("/v1/streams/{stream}/events")
    async def events_of(websocket: WebSocket, stream: str) -> None:
        await send_all(websocket, ["events", "status"], stream, raw=False)

    @router.websocket("/v1/events")
    async def events_of_all(websocket: WebSocket) -> None:
        await send_all(websocket, ["events", "status"], None, raw=False)

    def sse(request: Request, kinds: list[Kind], stream: str | None, *, raw: bool) -> object:
        if stream is not None:
            daemon.supervisor.get(stream)
        stack = ExitStack()
        stack.enter_context(clients.admitted(address_of(request.scope)))
        streams = None if stream is None else [stream]

        async def lines() -> AsyncIterator[str]:
            with stack:
                async with listening(daemon.hub, "sse", kinds, streams, limits.queue) as listener:
                    for item in _snapshot(daemon, stream, kinds):
                        yield _event(item, raw=raw)
                    while not listener.is_over:
                        new = await listener.next(_SILENCE_S)
                        yield ": nothing new\n\n" if new is None else _event(new, raw=raw)

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)

    text: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
    }

    @router.get(
        "/v1/streams/{stream}/poses",
        summary="Poses as server-sent events",
        responses=answers(404, 503) | text,
        response_class=StreamingResponse,
    )
    async def poses_sse(
        request: Request, stream: str, raw: Raw = False, events: Events = False
    ) -> object:
        """The messages of a WebSocket at the same address, as ``event: poses`` and so on.

        Without an end: read it line by line.
        """
        kinds: list[Kind] = ["poses", "events", "status"] if events else ["poses"]
        return sse(request, kinds, stream, raw=raw)

    @router.get(
        "/v1/streams/{stream}/events",
        summary="Events of a stream as server-sent events",
        responses=answers(404, 503) | text,
        response_class=StreamingResponse,
    )
    async def events_sse(request: Request, stream: str) -> object:
        """``new``, ``update`` and ``end`` of every track, and ``status`` of the stream."""
        return sse(request, ["events", "status"], stream, raw=False)

    @router.get(
        "/v1/events",
        summary="Events of all streams as server-sent events",
        responses=answers(503) | text,
        response_class=StreamingResponse,
    )
    async def all_events_sse(request: Request) -> object:
        """The same of every stream, those to come too."""
        return sse(request, ["events", "status"], None, raw=False)

    @router.get(
        "/v1/streams/{stream}/preview.mjpg",
        summary="Pictures one after the other (MJPEG)",
        responses=answers(404, 503)
        | {200: {"content": {"multipart/x-mixed-replace": {"schema": {"type": "string"}}}}},
        response_class=StreamingResponse,
    )
    async def preview(
        request: Request,
        stream: str,
        draw: Annotated[bool, Query(description="with the people drawn")] = True,
    ) -> object:
        """What an ``img`` element shows; size and rate are settings of the stream (preview).

        ``X-Frame`` in the head of each picture is the ``frame`` of its message.
        """
        daemon.supervisor.get(stream)
        stack = ExitStack()
        stack.enter_context(clients.admitted(address_of(request.scope)))
        kind: Literal["drawn", "plain"] = "drawn" if draw else "plain"

        async def parts() -> AsyncIterator[bytes]:
            with stack:
                # One picture waits at most: an old one is of no use.
                async with listening(daemon.hub, "mjpeg", [kind], [stream], 1) as listener:
                    while not listener.is_over:
                        item = await listener.next(_SILENCE_S)
                        if item is not None:
                            assert isinstance(item.content, Picture)
                            yield _part(item.content)

        return StreamingResponse(
            parts(),
            media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}",
            headers={"cache-control": "no-store"},
        )

    return router


def _snapshot(daemon: Daemon, stream: str | None, kinds: list[Kind]) -> list[Item]:
    """What somebody who comes now should know first: the states."""
    if "status" not in kinds:
        return []
    from posetrack.serve.message import status_message

    streams = daemon.supervisor.all()
    return [
        Item("status", each.id, status_message(each.id, each.state, each.error))
        for each in streams
        if stream in (None, each.id)
    ]


async def _read_away(websocket: WebSocket) -> None:
    """Until the client goes; what it says is of no matter."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return


def _event(item: Item, *, raw: bool) -> str:
    return f"event: {item.kind}\ndata: {item.text(raw=raw)}\n\n"


def _part(picture: Picture) -> bytes:
    """Of a multipart stream; `X-Frame` is the `frame` of the message that belongs to it."""
    head = (
        f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
        f"X-Frame: {picture.frame}\r\n\r\n"
    )
    return head.encode() + picture.jpeg + b"\r\n"
