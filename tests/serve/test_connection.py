"""Connections of strangers to a real web server: slow ones, endless ones, and too many."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import uvicorn
from waiting import wait_until

from posetrack.serve import connection
from posetrack.serve.connection import HEAD_BYTES, bounded_connections
from posetrack.serve.settings import LimitSettings

Connect = Callable[[], socket.socket]
ASKING_S = 1.0
PATIENCE_S = 15.0
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """An answer that does not wait for the body, as to a wrong token."""
    head = {"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"2")]}
    await send(head)
    await send({"type": "http.response.body", "body": b"no"})


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Connects to a server for eight clients, four of an address."""
    monkeypatch.setattr(connection, "ASKING_S", ASKING_S)
    protocol = bounded_connections(LimitSettings(clients=8, clients_per_address=4))
    options = uvicorn.Config(
        refuse, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=3
    )
    server = uvicorn.Server(options)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    with ExitStack() as stack:

        def made() -> socket.socket:
            client = stack.enter_context(socket.create_connection(listener.getsockname()))
            client.settimeout(PATIENCE_S)
            return client

        yield made
    server.should_exit = True
    thread.join()
    listener.close()


def end_of(client: socket.socket) -> tuple[bytes, float]:
    """All that came until the server closed, and how many seconds that took."""
    begin, got = time.monotonic(), b""
    try:
        while part := client.recv(65536):
            got += part
    except ConnectionError:
        pass
    return got, time.monotonic() - begin


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HT",
        GET,
        GET + b"X-Slow: ",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        GET + b"\r\n" + GET,
        GET + b"\r\n\r\n\r\n",
    ],
)
def test_whoever_does_not_finish_asking_is_cut_off(connect: Connect, said: bytes) -> None:
    client = connect()
    client.sendall(said)
    _, took_s = end_of(client)
    assert took_s < ASKING_S + PATIENCE_S


def test_whoever_asks_in_time_is_answered_again_and_again(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking_s = 4.0  # of which a busy machine may lose some
    monkeypatch.setattr(connection, "ASKING_S", asking_s)
    client = connect()
    for _ in range(5):
        client.sendall(GET)
        time.sleep(asking_s / 4)
        client.sendall(b"\r\n")
        answer = b""
        while not answer.endswith(b"no"):
            part = client.recv(65536)
            assert part, "it was cut off"
            answer += part


@pytest.mark.parametrize("piece", [b"X-A: b\r\n", b"x", b"\r\n "])
def test_headers_without_an_end_are_cut_off(connect: Connect, piece: bytes) -> None:
    client = connect()
    # Little waits on the way to a server that holds its breath.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    client.sendall(GET + b"X-Long: ")
    sent = 0
    try:
        while sent < 8_000_000:
            sent += client.send(piece * 4096)
    except OSError:
        pass
    assert sent < 8_000_000
    answer, _ = end_of(client)
    assert not answer or answer.startswith(b"HTTP/1.1 4")


def test_an_address_has_room_for_so_many_connections_and_gets_it_back(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ASKING_S", PATIENCE_S)  # none is cut off before it has asked

    def answered(client: socket.socket) -> bool:
        try:
            client.sendall(GET + b"\r\n")
            return b"401" in client.recv(65536)
        except ConnectionError:
            return False

    clients = [connect() for _ in range(12)]
    assert sum(map(answered, clients)) == 8, "twice the four live clients of an address"
    for client in clients:
        client.close()
    wait_until(lambda: answered(connect()), "those who went make room")


def test_a_long_head_that_has_an_end_is_taken(connect: Connect) -> None:
    client = connect()
    client.sendall(GET + b"Connection: close\r\nX-A: " + b"x" * (HEAD_BYTES - 100) + b"\r\n\r\n")
    assert b"401" in end_of(client)[0]
