"""What somebody with bad intentions sends to a running daemon, by chance and by rule.

Each case is drawn from a seed. It returns what is wrong with how the daemon took it; nothing, as a
rule. What only shows in the end (memory, files, threads, the log) `Intruder.aftermath` looks at.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import malformed
from daemons import TOKEN, RunningDaemon

PATHS = (
    *("/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/page/index.html", "/v1/session"),
    *("/v1/streams", "/v1/streams/s0", "/v1/streams/s0/latest", "/v1/streams/s0/tracking"),
    *("/v1/streams/s0/snapshot.jpg", "/v1/streams/s0/recordings", "/v1/models"),
)
LIVE = ("/v1/streams/s0/poses", "/v1/streams/s0/events", "/v1/events")
OPEN = ("/", "/healthz", "/readyz", "/v1/session")
SLOW_S = 5.0
PASSWORD = "Hunter2Hunter2"
"""Of addresses that are sent; it must be seen nowhere."""

_DENIED = (
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "0.0.0.0", "0"),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0::1]"),
    *("169.254.169.254", "0xa9fea9fe", "2852039166", "[fe80::1]", "[::ffff:169.254.169.254]"),
    *("[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "100.100.100.200"),
    *("224.0.0.1", "[ff02::1]", "255.255.255.255", "240.0.0.1", "0.1.2.3", "168.63.129.16"),
    *("127.0.0.1:80[2001:db8::1]", "１２７.0.0.1", "%31%32%37.0.0.1", "[fe80::1%25lo]"),
)
_SCHEMES = ("http", "https", "rtsp", "rtsps", "HTTP", "RtSp")
_STRANGE = (
    *("file:///etc/passwd", "FILE:/etc/passwd", "file://localhost/etc/passwd", "/etc/passwd"),
    *("../../etc/passwd", "recordings/../../secret.mp4", "secret.mp4/../../secret.mp4", "~/x"),
    *("concat:/etc/passwd|/etc/passwd", "concat://a", "subfile,,start,0,end,9,,:/etc/passwd"),
    *(
        "crypto:http://a",
        "data:,x",
        "pipe:0",
        "fd:0",
        "tee:a",
        "gopher://10.0.0.1/",
        "tcp://10.0.0.1:1",
    ),
    *(
        "udp://@:1",
        "rtmp://10.0.0.1/",
        "ftp://10.0.0.1/",
        "smb://a/b",
        "sftp://a/b",
        "0",
        "screen",
        "-",
    ),
    *("/dev/video0", "/dev/zero", "/proc/self/environ", "lavfi:testsrc", "{env:POSETRACK_TOKEN}"),
    *("http://10.0.0.1/{env:HOME}", "http://10.0.0.1/ -i /etc/passwd", "http://10.0.0.1/a\r\nX: y"),
    *(
        "javascript:alert(1)",
        "http://",
        "http://:80/",
        "://",
        "http:///x",
        "\x00",
        "clip.mp4\x00.jpg",
    ),
)
_CLIMBING = (
    *("../../secret.txt", "..%2f..%2fsecret.txt", "%2e%2e/%2e%2e/secret.txt", "..\\..\\secret.txt"),
    *("%252e%252e%252fsecret.txt", "/etc/passwd", "//etc/passwd", "secret.txt", ".", "..", "%00"),
    *("20260101T000000Z.mp4%00.jsonl", "20260101T000000Z.mp4/../../secret.txt", "CON", "NUL.mp4"),
    *("20260101T000000Z.mp4", "20260101T000000Z.jsonl.part", "link.mp4", "20260101T000001Z.mp4"),
    *(
        "２０２６0101T000000Z.mp4",
        "20260101T000000Z.mp4%0a",
        "a" * 5000,
        "%c0%ae%c0%ae/x",
        "*",
        "?",
    ),
)


class Intruder:
    """Attacks on one daemon that has a token, whose media root lies beside a ``secret.txt``.

    Args:
        daemon: running, with stream ``s0``.
        root: its media root.
    """

    def __init__(self, daemon: RunningDaemon, root: Path) -> None:
        self._daemon, self._root = daemon, root
        host, port = daemon.address.removeprefix("http://").split(":")
        self._where = (host, int(port))
        self._secret = root.parent / "secret.txt"
        self._secret.write_text("the secret")
        folder = root / "recordings" / "s0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "20260101T000001Z.mp4").unlink(missing_ok=True)
        (folder / "20260101T000001Z.mp4").symlink_to(self._secret)
        self._good_settings = daemon.config.read_text()
        self._before = (daemon.files, daemon.threads, self._memory_mib())
        self.kinds: dict[str, Callable[[random.Random], Iterator[str]]] = {
            "http": self._http,
            "handshake": self._handshake,
            "messages": self._messages,
            "queries": self._queries,
            "bodies": self._bodies,
            "addresses": self._addresses,
            "recordings": self._recordings,
            "passers-by": self._passers_by,
            "reload": self._reload,
        }

    def try_one(self, kind: str, seed: int) -> list[str]:
        """What is wrong after case `seed` of a kind."""
        before_s = self._processor_s()
        found = list(self.kinds[kind](random.Random(f"{kind}:{seed}")))
        if (took_s := self._processor_s() - before_s) > SLOW_S:
            found.append(f"it cost {took_s:.0f} s of the daemon's processor time")
        if self._daemon.process.poll() is not None:
            found.append("the daemon has ended")
        return found

    def aftermath(self) -> list[str]:
        """What is wrong in the end; waits for connections to be cut off."""
        found = []
        daemon = self._daemon
        until = time.monotonic() + 40
        while time.monotonic() < until and (self._clients() or daemon.files > self._before[0] + 8):
            time.sleep(0.5)
        if self._clients():
            found.append(f"{self._clients():g} live clients are left")
        for what, before, now in zip(
            ("files", "threads"), self._before, (daemon.files, daemon.threads), strict=False
        ):
            if now > before + 8:
                found.append(f"{what}: {before} before, {now} after")
        if (grown := self._memory_mib() - self._before[2]) > 64:
            found.append(f"memory has grown by {grown:.0f} MiB")
        log = daemon.log.read_text("utf-8", "replace")
        found += [f"the log has {word}" for word in (PASSWORD, TOKEN, "Traceback") if word in log]
        told = daemon.http.get("/v1/streams").text + daemon.http.get("/metrics").text
        found += [f"an answer has {word}" for word in (PASSWORD, TOKEN) if word in told]
        if self._secret.read_text() != "the secret":
            found.append("a file outside the media root was changed")
        first, until = daemon.stream("s0")["frames"], time.monotonic() + 15
        while daemon.stream("s0")["frames"] <= first and time.monotonic() < until:
            time.sleep(0.1)
        if daemon.stream("s0")["frames"] <= first:
            found.append("the stream stands still")
        return found

    # what is sent

    def _http(self, rng: random.Random) -> Iterator[str]:
        """A request that is damaged, from nobody."""
        body = rng.randbytes(rng.choice((0, 5, 70_000)))
        path = rng.choice(
            (*PATHS, *LIVE, "/" + "pass" * rng.choice((10, 6000)), "*", "//x", "/%0a")
        )
        method = rng.choice(("GET", "POST", "HEAD", "PUT", "TRACE", "CONNECT", "ÄÖ", ""))
        head = [
            f"{method} {path} HTTP/{rng.choice(('1.1', '1.1', '1.0', '2', '9' * 40))}",
            f"Host: {rng.choice(('localhost', 'evil.org', '', '[::1', 'localhost' * 900))}",
            f"Content-Length: {rng.choice((len(body), -1, '0x10', '9' * 30, '1, 1'))}",
            *rng.choices(
                (
                    *(
                        "Transfer-Encoding: chunked",
                        "Transfer-Encoding: xchunked",
                        "Expect: 100-continue",
                    ),
                    *(
                        "Upgrade: websocket",
                        "Connection: Upgrade",
                        "Authorization: Bearer " + "x" * 99,
                    ),
                    *(
                        "Authorization: \xff",
                        "Cookie: posetrack_session=" + "x" * 4000,
                        "X" * 40_000,
                    ),
                    *(
                        "Cookie: ;;=;\x00",
                        'Cookie: a="' + "\\" * 30_000 + '"',
                        "Origin: http://evil.org",
                        "X: y\r\n folded",
                        ": empty",
                    ),
                ),
                k=rng.randrange(6),
            ),
        ]
        data = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
        answer = self._exchange(malformed.damaged(rng, data) if rng.random() < 0.5 else data)
        yield from self._judged(answer, path)

    def _handshake(self, rng: random.Random) -> Iterator[str]:
        """A WebSocket that may not be opened: no token, a wrong one, or a page of elsewhere."""
        wrong = rng.choice(
            (
                "",
                f"Authorization: Bearer {TOKEN[:-1]}\r\n",
                "Cookie: posetrack_session=x\r\n",
                f"Authorization: Bearer {TOKEN}\r\nOrigin: {rng.choice(_ORIGINS)}\r\n",
            )
        )
        key = rng.choice(("dGhlIHNhbXBsZSBub25jZQ==", "", "x", "=" * 3000))
        version = rng.choice(("13", "8", "", "13, 8"))
        data = self._upgrade(rng.choice(LIVE), wrong, key, version)
        answer = self._exchange(malformed.damaged(rng, data) if rng.random() < 0.3 else data)
        if b" 101 " in answer[:20]:
            yield f"a WebSocket was opened for {wrong!r}"

    def _messages(self, rng: random.Random) -> Iterator[str]:
        """Frames that make no sense, on a WebSocket that may be there."""
        with self._socket() as client:
            client.sendall(self._upgrade(rng.choice(LIVE), f"Authorization: Bearer {TOKEN}\r\n"))
            client.settimeout(5)
            answer = client.recv(4096)
            if b" 101 " not in answer[:20]:
                yield f"no WebSocket for the token: {answer[:40]!r}"
                return
            with suppress(OSError):
                for _ in range(rng.randint(1, 6)):
                    client.sendall(_frame(rng))
                client.settimeout(0.3)
                client.recv(65536)

    def _queries(self, rng: random.Random) -> Iterator[str]:
        """Questions with strange parameters, to what streams live data and what does not."""
        path = rng.choice((*LIVE, "/v1/streams/s0/preview.mjpg", *PATHS))
        names = ("raw", "events", "draw", "width", "token", "x", "", "raw[]", "width;")
        values = (
            "1",
            "true",
            "-1",
            "9" * 400,
            "NaN",
            "\x00",
            "%",
            "\ud800",
            "<script>",
            "x" * 9000,
        )
        query = "&".join(
            f"{quote(rng.choice(names))}={quote(rng.choice(values), errors='surrogatepass')}"
            for _ in range(rng.randrange(4))
        )
        head = f"GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        answer = self._exchange(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        yield from self._judged(answer, path, known=True)

    def _bodies(self, rng: random.Random) -> Iterator[str]:
        """Settings that are none, to what takes settings."""
        stream = {"id": rng.choice(("s0", "new")), "url": "clip.mp4", "enabled": False}
        data = self._daemon.stream("s0")["settings"] | stream
        data["url"] = "clip.mp4"
        kind = rng.randrange(4)
        if kind == 0:
            body = malformed.damaged(rng, json.dumps(data).encode())
        elif kind == 1:
            depth = rng.choice((50, 400, 700, 900, 1000, 20_000))
            body = b'{"source":' + b"[" * depth + b"]" * depth + b"}"
        else:
            body = json.dumps(malformed.twisted(rng, data)).encode()
        method, path = rng.choice(
            (
                *(("POST", "/v1/streams"), ("PATCH", "/v1/streams/none"), ("POST", "/v1/session")),
                ("POST", "/v1/streams/s0/recordings/stop"),
            )
        )
        answer = self._daemon.http.request(method, path, content=body)
        if answer.status_code >= 500:
            yield f"{method} {path}: {answer.status_code} for {body[:200]!r}"
        if answer.status_code == 201:
            self._daemon.http.delete(f"/v1/streams/{answer.json()['id']}")

    def _addresses(self, rng: random.Random) -> Iterator[str]:
        """An address that no stream may have."""
        user = rng.choice(("", "", f"u:{PASSWORD}@", f"10.0.0.1@u:{PASSWORD}@", f"{PASSWORD}@"))
        port, tail = rng.choice(("", ":80", ":0")), rng.choice(("", "/", "/x?y=1", "#@10.0.0.1/"))
        url = f"{rng.choice(_SCHEMES)}://{user}{rng.choice(_DENIED)}{port}{tail}"
        if rng.random() < 0.4:
            url = rng.choice(_STRANGE)
        ways = (
            ("POST", "/v1/streams", {"id": "bad", "url": url}),
            ("PATCH", "/v1/streams/s0", {"url": url}),
        )
        method, path, body = rng.choice(ways)
        answer = self._daemon.http.request(method, path, json=body)
        if answer.status_code not in (403, 422):
            yield f"{method} {url!r}: {answer.status_code}"
        if PASSWORD in answer.text:
            yield f"{method} {url!r}: the password is in the answer"

    def _recordings(self, rng: random.Random) -> Iterator[str]:
        """A file that is no recording."""
        stream, name = (
            rng.choice(("s0", "..", "%2e%2e", "S0", "s0%2f..", ".")),
            rng.choice(_CLIMBING),
        )
        if rng.random() < 0.3:
            name = malformed.damaged(rng, name.encode()).decode("latin-1")
        path = f"/v1/streams/{stream}/recordings/{name}"
        line = f"{rng.choice(('GET', 'DELETE', 'HEAD'))} {path} HTTP/1.1\r\nHost: localhost\r\n"
        head = f"{line}Connection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        answer = self._exchange(head.encode("utf-8", "replace"))
        if answer[9:10] in (b"2", b"5") or b"the secret" in answer or b"root:" in answer:
            yield f"{line!r}: {answer[:60]!r}"

    def _passers_by(self, rng: random.Random) -> Iterator[str]:
        """Many who come and go at once, in the middle of everything."""
        path = rng.choice((*LIVE, "/v1/streams/s0/preview.mjpg"))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        upgrade = self._upgrade(path, f"Authorization: Bearer {TOKEN}\r\n")
        clients = []
        for _ in range(rng.randint(2, 20)):
            with suppress(OSError):
                client = self._socket()
                clients.append(client)
                data = rng.choice((head.encode(), upgrade))
                client.sendall(data[: rng.choice((len(data), len(data), 40))])
        for client in clients:
            if rng.random() < 0.5:  # a reset, not an end
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        answer = self._daemon.http.get("/healthz")
        if answer.status_code != 200:
            yield f"/healthz: {answer.status_code} beside passers-by"

    def _reload(self, rng: random.Random) -> Iterator[str]:
        """A configuration that is none, and the signal to read it."""
        before = self._daemon.http.get("/v1/streams").json()["streams"]
        said = self._said()
        data = malformed.damaged(rng, self._good_settings.encode())
        self._daemon.config.write_bytes(
            data + rng.choice((b"\nx: [", b"\n- ", b"\nlisten: 3\n", b"\x00"))
        )
        self._daemon.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while self._said() == said and time.monotonic() < until:
            time.sleep(0.02)
        if self._said() == said:
            yield f"not refused: {data[-80:]!r}"
        after = self._daemon.http.get("/v1/streams").json()["streams"]
        if [(s["id"], s["settings"]) for s in before] != [(s["id"], s["settings"]) for s in after]:
            yield f"taken in part: {data[-80:]!r}"
        self._daemon.config.write_text(self._good_settings)

    # how it is sent

    def _said(self) -> int:
        return self._daemon.log.read_text("utf-8", "replace").count("configuration not taken")

    def _socket(self) -> socket.socket:
        return socket.create_connection(self._where, timeout=5)

    def _exchange(self, data: bytes, wait_s: float = 1.0) -> bytes:
        """What comes back: the first of it within the time, the rest without a pause."""
        got = b""
        with suppress(OSError), self._socket() as client:
            client.settimeout(wait_s)
            client.sendall(data)
            while len(got) < 65536 and (part := client.recv(65536)):
                got += part
                client.settimeout(0.05)
        return got

    def _upgrade(
        self, path: str, headers: str, key: str = "dGhlIHNhbXBsZSBub25jZQ==", version: str = "13"
    ) -> bytes:
        return (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n"
        ).encode("latin-1")

    def _judged(self, answer: bytes, path: str, *, known: bool = False) -> Iterator[str]:
        """What is wrong with an answer: a failure inside, or data for nobody."""
        status = answer[9:12]
        if status[:1] == b"5" and status != b"503":
            yield f"{path}: {answer[:300]!r}"
        if not known and status == b"200" and path not in OPEN and not path.startswith("/page/"):
            yield f"{path}: 200 without a token"

    def _clients(self) -> float:
        text = self._daemon.http.get("/metrics").text
        rows = [row for row in text.splitlines() if row.startswith("posetrack_clients{")]
        return sum(float(row.split()[-1]) for row in rows)

    def _processor_s(self) -> float:
        stat = Path(f"/proc/{self._daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def _memory_mib(self) -> float:
        status = Path(f"/proc/{self._daemon.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


_ORIGINS = (
    *("http://evil.org", "null", "http://localhost.evil.org", "http://localhost:1", "file://", ""),
    *(
        "http://127.0.0.1",
        "https://localhost:1",
        "localhost",
        "http://[::1",
        "http://a@localhost:1",
    ),
)


def _frame(rng: random.Random) -> bytes:
    """One WebSocket frame of a client, or what is none."""
    if rng.random() < 0.2:
        return rng.randbytes(rng.choice((1, 2, 14, 4000)))
    data = rng.randbytes(rng.choice((0, 1, 125, 126, 70_000)))
    if rng.random() < 0.3:
        data = json.dumps(rng.choice(malformed.HOSTILE)).encode()
    size = rng.choice((len(data), len(data), len(data), 2**31, 2**63 - 1, 2**64 - 1))
    head = bytes([rng.choice((0x80, 0x80, 0x00, 0xF0, 0xC0)) | rng.randrange(16)])
    masked = 0x80 if rng.random() < 0.8 else 0
    if size < 126:
        head += bytes([masked | size])
    elif size < 2**16:
        head += bytes([masked | 126]) + struct.pack("!H", size)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", size)
    return head + (bytes(4) if masked else b"") + data  # a mask of zeros changes nothing
