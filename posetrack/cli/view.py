"""`posetrack view`: a page on which a run is looked at and its tracks are put right."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from posetrack.errors import BackendMissing, ConfigError

app = typer.Typer(add_completion=False)

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")


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
    from posetrack.cli.revised import visible_score
    from posetrack.records import Recording
    from posetrack.view.corrections import target_of
    from posetrack.view.opening import open_view, source_beside
    from posetrack.view.server import serve

    recording = Recording.read(file)
    if not len(recording.frames):
        raise ConfigError(f"{file} has no frames: there is nothing to look at")
    target = target_of(file, output)
    header = recording.header
    opened = open_view(
        recording, video or source_beside(file, header), target, visible_score(header)
    )

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
