"""What systemd is told: ready, alive, reloading, stopping. Does nothing where nobody listens."""

from __future__ import annotations

import os
import socket
import time


def notify(*states: str) -> bool:
    """Send states such as ``READY=1`` to the socket of NOTIFY_SOCKET; whether one is there."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return False
    if place.startswith("@"):
        place = "\0" + place[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(place)
            sender.sendall("\n".join(states).encode())
    except OSError:
        return False
    return True


def watchdog_s() -> float | None:
    """How often systemd wants to hear that we live, half of its patience; None: not at all."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(micros) / 2e6 if micros.isdigit() and meant else None


def reloading() -> bool:
    """Say that the configuration is being read again; ``READY=1`` ends it."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
