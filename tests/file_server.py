"""A file server on this machine that can be told to misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Files:
    """What is served and how; `requests` notes (path, range) of every request."""

    content: dict[str, bytes]
    cut_first: dict[str, int] = field(default_factory=dict)
    """path -> bytes sent before the connection of the first answer breaks"""
    refuse_first: dict[str, int] = field(default_factory=dict)
    """path -> status of the first answer"""
    stall: set[str] = field(default_factory=set)
    """paths whose answer never goes on after its headers"""
    slow_s: dict[str, float] = field(default_factory=dict)
    """path -> pause after each 10,000 bytes of its answer"""
    ranges: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(files: Files) -> Iterator[str]:
    """The base address, without the last slash."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, wanted = self.path, self.headers.get("Range", "")
            files.requests.append((path, wanted))
            status = files.refuse_first.pop(path, None if path in files.content else 404)
            if status is not None:
                self.send_error(status)
                return
            self._send(path, wanted)

        def _send(self, path: str, wanted: str) -> None:
            body = files.content[path]
            start = int(wanted[6:-1]) if wanted and files.ranges else 0
            if start >= len(body) > 0:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if path in files.stall:
                files.released.wait(10)
                return
            end = files.cut_first.pop(path, len(body))
            for at in range(start, end, 10_000):
                self.wfile.write(body[at : min(at + 10_000, end)])
                time.sleep(files.slow_s.get(path, 0))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        files.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
