"""`posetrack view`: a page on which a run is looked at and its tracks are put right."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posetrack.errors import BackendMissing, ConfigError

if TYPE_CHECKING:
    from posetrack.media.source import Source
    from posetrack.records import Header, Recording
    from posetrack.view.app import Opened

app = typer.Typer(add_completion=False)

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")
_PLAYABLE = (".mp4", ".m4v", ".webm")


@app.command(no_args_is_help=True)
def view(
    file: Annotated[Path, typer.Argument(help="Records (.jsonl) of a run.", show_default=False)],
    video: Annotated[
        str | None,
        typer.Argument(help="What they were made from; else looked for beside FILE."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Save corrections here, not as FILE.edited.jsonl."),
    ] = None,
    port: Annotated[int, typer.Option(help="Of this machine; 0 takes a free one.", max=65535)] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page at once.")
    ] = True,
) -> None:
    """Look at a run frame by frame, and merge, split, swap, rename and delete its tracks.

    The page is for this machine only. FILE stays as it is. Ctrl-C ends it.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BackendMissing(
            f"posetrack view needs {', '.join(missing)}: pip install posetrack[serve]"
        )
    from posetrack.records import Recording
    from posetrack.view.corrections import target_of
    from posetrack.view.server import serve

    recording = Recording.read(file)
    if not len(recording.frames):
        raise ConfigError(f"{file} has no frames: there is nothing to look at")
    target = target_of(file, output)
    opened = _opened(recording, target, video or _beside(file, recording.header))

    def tell(address: str) -> None:
        typer.echo(address)
        if browser:
            import webbrowser

            webbrowser.open(address)

    try:
        serve(opened, port, tell)
    finally:
        if opened.stills is not None:
            opened.stills.close()
        if not opened.corrections.is_saved:
            typer.echo("corrections that were not saved are gone", err=True)


def _beside(file: Path, header: Header) -> str | None:
    """The source of the records, where it lies beside them or in the working directory."""
    name = Path(header.source).name
    places = (Path(header.source), file.parent / name, Path(name))
    return next((str(each) for each in places if name and each.exists()), None)


def _opened(recording: Recording, target: Path, video: str | None) -> Opened:
    """The recording with its video, whose pictures are of the size the records are of."""
    from posetrack.cli.revised import visible_score
    from posetrack.media.source import is_live, open_source, redact
    from posetrack.view.app import Opened
    from posetrack.view.corrections import Corrections
    from posetrack.view.stills import Stills

    header = recording.header
    corrections, visible = Corrections(recording, target), visible_score(header)
    if video is None:
        return Opened(corrections, visible)
    if is_live(video):
        raise ConfigError(f"{redact(video)} is live: name the file it was recorded to")
    made = header.settings.get("source", {})
    slow, flip = made.get("capture_fps"), bool(made.get("flip"))

    def open_at(start_s: float) -> Source:
        return open_source(video, start_s=start_s, capture_fps=slow, flip=flip)

    with open_at(0.0) as source:
        if source.size != header.size:
            found, wanted = ("x".join(map(str, s)) for s in (source.size, header.size))
            raise ConfigError(f"{video} is {found}, the records are of {wanted}: name their source")
        scale, path = source.time_scale, source.path
        plays = source.kind == "video" and scale == 1 and not flip
    playable = path if plays and path is not None and path.suffix.lower() in _PLAYABLE else None
    return Opened(corrections, visible, Stills(open_at, recording, scale), playable)
