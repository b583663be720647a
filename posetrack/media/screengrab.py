"""The screen as raw pictures on stdout: a process of its own, started by `posetrack.media.live`.

    python -m posetrack.media.screengrab x11grab :0 '{"framerate": "30"}'

PyAV's and OpenCV's wheels bring X libraries of the same names that do not fit each other, so that
grabbing in a process that has loaded OpenCV first would crash it. Here only PyAV is loaded.
"""

from __future__ import annotations

import json
import sys

import av


def main(grabber: str, screen: str, options: str) -> int:
    """Write pictures until nobody reads them any more."""
    try:
        with (
            av.open(screen, format=grabber, options=json.loads(options)) as seen,
            av.open(sys.stdout.buffer, "w", format="nut", options={"flush_packets": "1"}) as out,
        ):
            copied = out.add_stream_from_template(seen.streams.video[0])
            for packet in seen.demux(video=0):
                if packet.size:
                    packet.stream = copied
                    out.mux(packet)
    except BrokenPipeError:
        return 0
    except (av.error.FFmpegError, OSError) as error:
        print(getattr(error, "strerror", None) or type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
