"""The same commands as `rtsp_server.py`, from GStreamer's RTSP server and a test picture.

Needs Debian's python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-{base,good,ugly};
run by the system's Python. ``mute`` is not known here.
"""

import argparse
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

CODECS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 ! rtph264pay name=pay0",
    "mjpeg": "video/x-raw,format=I420 ! jpegenc ! rtpjpegpay name=pay0",
}


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes the pipeline of each session from the size and codec that hold now."""

    def __init__(self, size, codec):
        super().__init__()
        self.size, self.codec = size, codec
        self.filters = []

    def do_create_element(self, url):
        pipeline = Gst.parse_launch(
            "( videotestsrc is-live=true ! capsfilter name=size ! videoconvert "
            f"! {CODECS[self.codec]} pt=96 )"
        )
        caps = pipeline.get_by_name("size")
        self.filters = [*self.filters[-3:], caps]
        self.resize(self.size)
        return pipeline

    def resize(self, size):
        self.size = size
        width, height = size.split("x")
        text = f"video/x-raw,width={width},height={height},framerate=25/1"
        for caps in self.filters:
            caps.set_property("caps", Gst.Caps.from_string(text))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--codec", default="h264")
    args = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(args.port)
    factory = Factory(args.size, args.codec)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    threading.Thread(target=commands, args=(server, factory), daemon=True).start()
    print("ready", flush=True)
    GLib.MainLoop().run()


def commands(server, factory):
    for line in sys.stdin:
        GLib.idle_add(command, server, factory, line)


def command(server, factory, line):
    word, _, value = line.strip().partition(" ")
    if word == "size":
        factory.resize(value)
    elif word == "codec":
        factory.codec = value
    if word in ("codec", "drop"):
        for client in server.client_filter(None):
            client.close()
    return False


if __name__ == "__main__":
    main()
