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
            screen_stream = seen.streams.video[0]
            stream = out.add_stream("rawvideo", rate=screen_stream.average_rate or 30)
            stream.width, stream.height = screen_stream.width, screen_stream.height
            stream.pix_fmt = "bgr24"
            for frame in seen.decode(video=0):
                out.mux(stream.encode(frame.reformat(format="bgr24")))
    except BrokenPipeError:
        return 0
    except (av.error.FFmpegError, OSError) as error:
        print(getattr(error, "strerror", None) or type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
