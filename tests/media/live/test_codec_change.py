"""A sender that changes its codec and tells nobody, as an encoder that is set anew does."""

from __future__ import annotations

import io
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import av
import clips
import pytest

from posetrack.media.live import LiveSettings, LiveSource
from posetrack.media.live import damage as damage_module
from posetrack.media.live.damage import Damage

FPS = 25


def transport_stream(codec: str, size: tuple[int, int], pid: int) -> bytes:
    """A second of pictures."""
    data = io.BytesIO()
    data.name = "a.ts"
    options = {"mpegts_start_pid": str(pid)}
    with av.open(data, "w", format="mpegts", options=options) as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", 5
        for index in range(FPS):
            frame = av.VideoFrame.from_ndarray(clips.picture(index, size), format="bgr24")
            frame = frame.reformat(format="yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data.getvalue()


class Channel:
    """What is on."""

    def __init__(self, program: bytes) -> None:
        self.program = program

    def serve(self, connection: socket.socket) -> None:
        """The programme of now, in a loop, at its own speed."""
        with connection, suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
            while True:
                program = self.program
                step = -(-len(program) // FPS // 188) * 188
                for at in range(0, len(program), step):
                    connection.sendall(program[at : at + step])
                    time.sleep(1 / FPS)


@contextmanager
def broadcasting(channel: Channel) -> Iterator[str]:
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=channel.serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/live"
    finally:
        server.close()


@pytest.mark.parametrize("pid", [256, 400], ids=["same stream number", "another stream number"])
def test_another_codec_in_a_transport_stream_is_noticed_and_read(pid):
    channel = Channel(transport_stream("mpeg2video", (320, 240), 256))
    settings = LiveSettings(reconnects=None, read_timeout_s=1.5, backoff_s=0.1, stall_s=0.5)
    with broadcasting(channel) as address, LiveSource(address, settings) as source:
        frames = iter(source)
        next(frames)
        assert source.status.codec == "mpeg2video"
        channel.program = transport_stream("libx264", (640, 480), pid)
        began = time.monotonic()
        for _ in frames:
            if source.status.size == (640, 480):
                break
            assert time.monotonic() - began < 20
        assert source.status.codec == "h264"
        assert len(list(itertools.islice(frames, 5))) == 5


def test_damage_is_too_much_only_after_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(damage_module.time, "perf_counter", lambda: now[0])
    fields, lossy, foreign = Damage(), Damage(), Damage()
    for index in range(1000):
        now[0] += 1 / FPS
        fields.note(bad=index % 2 == 0)  # two packets to a picture
        lossy.note(bad=index % 10 < 3)
        assert not fields.is_too_much()
        assert not lossy.is_too_much()
        foreign.note(bad=index % 3 > 0)
        assert index > 2 * FPS or not foreign.is_too_much()
    assert foreign.is_too_much()
