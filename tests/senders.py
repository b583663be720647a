"""RTSP servers for tests, each in a process that can be killed, frozen and commanded."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent


def free_port() -> int:
    """A TCP port of this machine that nobody uses, and that the system gives nobody by itself.

    From its own range the system could give it to another client while a server is away, or to the
    very client that looks for that server: which then is connected to itself.
    """
    ports = random.sample(range(10_000, 16_000), 100)
    for port in ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"none of {len(ports)} ports is free")


class Sender:
    """The server of `rtsp_server.py` at an address that stays the same over restarts."""

    def __init__(self, *options: str, script: str = "rtsp_server.py") -> None:
        self.port = free_port()
        self.address = f"rtsp://127.0.0.1:{self.port}/live"
        self._script, self._process = script, None
        self.start(*options)

    def start(self, *options: str) -> None:
        """Begin to serve; returns when it does."""
        python = sys.executable if self._script == "rtsp_server.py" else "/usr/bin/python3"
        self._process = subprocess.Popen(
            [python, str(HERE / self._script), str(self.port), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def command(self, line: str) -> None:
        """One of the commands of `rtsp_server.py`."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def freeze(self) -> None:
        """It does nothing any more, and its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """It is gone, without a farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def has_gstreamer() -> bool:
    """Whether the system's Python has gst-rtsp-server (Debian: gir1.2-gst-rtsp-server-1.0)."""
    if shutil.which("/usr/bin/python3") is None:
        return False
    check = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0');"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
        "assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('jpegenc')"
    )
    done = subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True, check=False)
    return done.returncode == 0
