"""A small RTSP server, run as a process of its own that tests can kill, freeze and command.

    python rtsp_server.py PORT [--size WxH] [--codec h264] [--clip FILE] [--fps N] [--password P]

Every client gets its own encoder (so it begins with a key frame) and RTP over the RTSP connection
(RFC 2326, RFC 6184 for H.264, RFC 6416 for MPEG-4). Pictures are those of `clips.picture`, or a
clip's in a loop, 25 a second. Commands come as lines on stdin: ``size 640x480`` (in the middle of
the stream), ``codec mpeg4`` (ends the connections, as a camera does), ``drop`` (the same), ``mute``
and ``speak`` (connections stay, nothing is sent).
"""

from __future__ import annotations

import argparse
import base64
import itertools
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator

import av
import cv2
import numpy as np

PAYLOAD = 1300
OPTIONS = {"preset": "ultrafast", "tune": "zerolatency"}


class Show:
    """What all clients see, and what was commanded."""

    def __init__(
        self, size: tuple[int, int], codec: str, pictures: list[np.ndarray], fps: int
    ) -> None:
        self.size, self.codec, self.pictures, self.fps = size, codec, pictures, fps
        self.epoch, self.muted = 0, False

    def command(self, line: str) -> None:
        word, _, value = line.strip().partition(" ")
        if word == "size":
            width, height = map(int, value.split("x"))
            self.size = (width, height)
        elif word == "codec":
            self.codec = value
        if word in ("codec", "drop"):
            self.epoch += 1
        if word in ("mute", "speak"):
            self.muted = word == "mute"

    def picture(self, index: int) -> np.ndarray:
        picture = self.pictures[index % len(self.pictures)]
        if (picture.shape[1], picture.shape[0]) != self.size:
            picture = cv2.resize(picture, self.size)
        return picture


def make_encoder(codec: str, size: tuple[int, int], fps: int) -> av.VideoCodecContext:
    encoder = av.CodecContext.create({"h264": "libx264"}.get(codec, codec), "w")
    encoder.width, encoder.height, encoder.pix_fmt = size[0], size[1], "yuv420p"
    encoder.framerate, encoder.gop_size = fps, 12
    encoder.thread_count = 1
    if codec == "h264":
        encoder.options = OPTIONS
    else:
        encoder.bit_rate = 2_000_000
        encoder.flags |= int(av.codec.context.Flags.global_header)
    encoder.open()
    return encoder


class Client(threading.Thread):
    """One connection: answers requests, and sends once it was told to play."""

    def __init__(self, connection: socket.socket, show: Show, password: str | None) -> None:
        super().__init__(daemon=True)
        self.connection, self.show, self.password = connection, show, password
        self.epoch, self.codec = show.epoch, show.codec
        self.received = b""
        self.playing = False
        self.sequence = itertools.count()

    def run(self) -> None:
        try:
            with self.connection:
                self.serve()
        except OSError:
            pass  # the client went away

    def serve(self) -> None:
        encoder = make_encoder(self.codec, self.show.size, self.show.fps)
        size, index, due = self.show.size, 0, time.monotonic()
        while self.epoch == self.show.epoch:
            wait = max(due - time.monotonic(), 0) if self.playing else 0.1
            if select.select([self.connection], [], [], wait)[0]:
                data = self.connection.recv(65536)
                if not data:
                    return
                self.received += data
                self.answer(encoder)
            if not self.playing or time.monotonic() < due:
                continue
            due = max(due + 1 / self.show.fps, time.monotonic() - 0.5)
            if self.show.size != size:
                size = self.show.size
                encoder = make_encoder(self.codec, size, self.show.fps)
            frame = av.VideoFrame.from_ndarray(self.show.picture(index), format="bgr24")
            frame = frame.reformat(format="yuv420p")
            frame.pts = index
            for packet in encoder.encode(frame):
                if not self.show.muted:
                    self.send(bytes(packet), index * 90_000 // self.show.fps)
            index += 1

    def answer(self, encoder: av.VideoCodecContext) -> None:
        while self.received:
            if self.received[:1] == b"$":  # RTCP
                if len(self.received) < 4:
                    return
                length = 4 + struct.unpack(">H", self.received[2:4])[0]
                if len(self.received) < length:
                    return
                self.received = self.received[length:]
                continue
            head, found, rest = self.received.partition(b"\r\n\r\n")
            if not found:
                return
            self.received = rest
            lines = head.decode().split("\r\n")
            method, url, _ = lines[0].split()
            headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:])}
            self.reply(method, url, headers, encoder)

    def reply(self, method: str, url: str, headers: dict[str, str], encoder: object) -> None:
        lines, body, status = [f"CSeq: {headers['cseq']}"], b"", "200 OK"
        if self.password is not None and not self.knows(headers.get("authorization", "")):
            status = "401 Unauthorized"
            lines.append('WWW-Authenticate: Basic realm="test"')
        elif method == "OPTIONS":
            lines.append("Public: DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = self.description(encoder).encode()
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            if "TCP" not in headers["transport"]:
                status = "461 Unsupported Transport"
            lines += ["Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"]
        elif method == "PLAY":
            lines.append("Session: 1")
        self.connection.sendall("\r\n".join([f"RTSP/1.0 {status}", *lines, "", ""]).encode() + body)
        self.playing |= method == "PLAY"

    def knows(self, authorization: str) -> bool:
        word = authorization.removeprefix("Basic ")
        return base64.b64decode(word).decode().rpartition(":")[2] == self.password

    def description(self, encoder: av.VideoCodecContext) -> str:
        name, extra = "H264", "packetization-mode=1"
        if self.codec == "mpeg4":
            name, extra = "MP4V-ES", f"config={encoder.extradata.hex()}"
        session = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "c=IN IP4 0.0.0.0", "t=0 0"]
        video = ["m=video 0 RTP/AVP 96", f"a=rtpmap:96 {name}/90000", f"a=fmtp:96 {extra}"]
        return "\r\n".join(
            [*session, *video, f"a=framerate:{self.show.fps}", "a=control:track", ""]
        )

    def send(self, data: bytes, stamp: int) -> None:
        parts = list(self.payloads(data))
        for number, part in enumerate(parts):
            marker = 0x80 if number == len(parts) - 1 else 0
            sequence = next(self.sequence) & 0xFFFF
            packet = struct.pack(">BBHII", 0x80, 96 | marker, sequence, stamp & 0xFFFFFFFF, 7)
            packet += part
            self.connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    def payloads(self, data: bytes) -> Iterator[bytes]:
        if self.codec == "mpeg4":
            yield from (data[i : i + PAYLOAD] for i in range(0, len(data), PAYLOAD))
            return
        for unit in units(data):
            if len(unit) <= PAYLOAD:
                yield unit
                continue
            head = bytes([unit[0] & 0xE0 | 28])  # FU-A
            body = unit[1:]
            for i in range(0, len(body), PAYLOAD):
                start, end = i == 0, i + PAYLOAD >= len(body)
                yield head + bytes([start << 7 | end << 6 | unit[0] & 0x1F]) + body[i : i + PAYLOAD]


def units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B byte stream."""
    for piece in data.split(b"\0\0\1"):
        unit = piece.rstrip(b"\0")
        if unit:
            yield unit


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--clip")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--password")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    if args.clip:
        with av.open(args.clip) as container:
            pictures = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    else:
        import clips

        pictures = [clips.picture(i) for i in range(256)]
    show = Show((width, height), args.codec, pictures, args.fps)
    server = socket.create_server(("127.0.0.1", args.port), reuse_port=False)
    threading.Thread(target=accept, args=(server, show, args.password), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        show.command(line)


def accept(server: socket.socket, show: Show, password: str | None) -> None:
    while True:
        connection, _ = server.accept()
        Client(connection, show, password).start()


if __name__ == "__main__":
    main()
