"""What draws an avatar, as far as a network goes: a real OSC server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from scipy.spatial.transform import Rotation

Heard = list[tuple[str, tuple[Any, ...]]]


@contextmanager
def marionette() -> Iterator[tuple[int, Heard]]:
    """The port of a real OSC server on this machine, and what it hears."""
    server = pytest.importorskip("pythonosc.osc_server", reason="python-osc is not installed")
    from pythonosc.dispatcher import Dispatcher

    heard: Heard = []
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: heard.append((address, values)))
    with server.BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as made:
        made.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made.server_address[1], heard
        finally:
            made.shutdown()
            thread.join()


def frames_of(heard: Heard) -> list[Heard]:
    """What was heard, frame by frame."""
    starts = [i for i, (address, _) in enumerate(heard) if address == "/VMC/Ext/OK"]
    return [heard[i:j] for i, j in pairwise([*starts, len(heard)])]


def turns_of(frame: Heard) -> dict[str, Rotation]:
    """Bone -> its turn against its parent, in Unity's axes."""
    bones = [values for address, values in frame if address == "/VMC/Ext/Bone/Pos"]
    return {name: Rotation.from_quat(rest[3:]) for name, *rest in bones}
