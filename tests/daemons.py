"""The daemon as a process, and a camera on this machine that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import httpx
import yaml
from clips import make_clip, picture
from tiny_models import Models
from waiting import wait_until

TOKEN = "a-token-that-is-long-enough"


def settings(models: Models, root: Path, number: int, **sections: Any) -> dict[str, Any]:
    """A configuration with tiny models and a number of streams of one clip, played for ever."""
    root.mkdir(exist_ok=True)
    clip = root / "clip.mp4"
    if not clip.exists():
        make_clip(clip, frames=50)
    data = {
        "listen": {"port": 0},
        "media": {"root": str(root)},
        "backend": {"threads": 1},
        "limits": {"requests_per_s": 10_000, "burst": 10_000},
        "defaults": {
            "detector": {"model": str(models.det)},
            "pose": {"model": str(models.pose)},
            # A machine that holds its breath for some seconds is no stall.
            "watch": {"stall_s": 10.0, "backoff_s": 0.2, "longest_backoff_s": 0.5},
        },
        "streams": [{"id": f"s{i}", "url": str(clip)} for i in range(number)],
    }
    for name, section in sections.items():
        if isinstance(section, dict):
            data.setdefault(name, {}).update(section)
        else:
            data[name] = section
    return data


@dataclass
class RunningDaemon:
    """A daemon in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    http: httpx.Client
    config: Path
    log: Path

    def stream(self, name: str) -> dict[str, Any]:
        return self.http.get(f"/v1/streams/{name}").raise_for_status().json()

    def wait_running(self, *names: str) -> None:
        for name in names:
            wait_until(lambda name=name: self.stream(name)["state"] == "running", f"{name} runs")

    def stop(self, number: int = signal.SIGTERM, *, patience_s: float = 20) -> float:
        """Seconds until it has ended."""
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(patience_s)
        return time.monotonic() - begin

    @property
    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    @property
    def files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@contextmanager
def running(
    data: dict[str, Any], folder: Path, *flags: str, environment: dict[str, str] | None = None
) -> Iterator[RunningDaemon]:
    """A daemon with these settings, until the block ends."""
    folder.mkdir(exist_ok=True)
    config, log = folder / "serve.yaml", folder / "log.txt"
    config.write_text(yaml.safe_dump(data))
    command = [sys.executable, "-m", "posetrack", "serve", str(config), *flags]
    env = {k: v for k, v in os.environ.items() if not k.startswith("POSETRACK_")}
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=env | {"PYTHONUNBUFFERED": "1"} | (environment or {}),
        )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http"), log.read_text()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        # Shorter than the server's five seconds, or a request meets a connection that is closing.
        kept = httpx.Limits(keepalive_expiry=2)
        with httpx.Client(base_url=address, headers=headers, timeout=30, limits=kept) as http:
            yield RunningDaemon(process, address, http, config, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class FakeCamera:
    """A camera that sends JPEG by HTTP, until it is killed; it can come back at its port."""

    port: int = 0
    rate_hz: float = 25.0
    size: tuple[int, int] = (320, 240)
    frozen: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None
    _dead: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/camera.mjpg"

    def start(self) -> FakeCamera:
        self._dead = dead = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                index = 0
                while not dead.wait(1 / camera.rate_hz):
                    if camera.frozen.is_set():
                        continue
                    data = cv2.imencode(".jpg", picture(index % 250, camera.size))[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}"
                    try:
                        self.wfile.write(head.encode() + b"\r\n\r\n" + data + b"\r\n")
                    except OSError:
                        return
                    index += 1

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def kill(self) -> None:
        self._dead.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
