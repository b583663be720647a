"""From files to what the viewer shows."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from posetrack.errors import ConfigError
from posetrack.media.source import Source, is_live, open_source, redact
from posetrack.records import Header, Recording
from posetrack.view.app import Opened
from posetrack.view.corrections import Corrections
from posetrack.view.stills import Stills

_PLAYABLE = (".mp4", ".m4v", ".webm")


def open_view(recording: Recording, video: str | None, target: Path, visible: float) -> Opened:
    """A recording with its video.

    Args:
        recording: of a run.
        video: what it was made from; None shows people without pictures.
        target: where corrections are saved.
        visible: the score from which keypoints count.

    Raises:
        ConfigError: a video of another size than the records', or a live one.
    """
    corrections = Corrections(recording, target)
    if video is None:
        return Opened(corrections, visible)
    if is_live(video):
        raise ConfigError(f"{redact(video)} is live: name the file it was recorded to")
    header = recording.header
    made = header.settings.get("source", {})
    slow, flip = made.get("capture_fps"), bool(made.get("flip"))
    with open_source(video, capture_fps=slow, flip=flip) as source:
        if source.size != header.size:
            found, wanted = ("x".join(map(str, s)) for s in (source.size, header.size))
            raise ConfigError(f"{video} is {found}, the records are of {wanted}: name their source")
        scale, path, zero_s = source.time_scale, source.path, source.zero_s
        plays = source.kind == "video" and scale == 1 and not flip
    playable = path if plays and path is not None and path.suffix.lower() in _PLAYABLE else None
    open_at = partial(_open_at, video, slow, flip)
    return Opened(corrections, visible, Stills(open_at, recording, scale), playable, zero_s)


def _open_at(video: str, slow: float | None, flip: bool, start_s: float) -> Source:
    return open_source(video, start_s=start_s, capture_fps=slow, flip=flip)


def source_beside(file: Path, header: Header) -> str | None:
    """The source of records, where it lies beside them or in the working directory."""
    name = Path(header.source).name
    places = (Path(header.source), file.parent / name, Path(name))
    return next((str(each) for each in places if name and each.is_file()), None)
