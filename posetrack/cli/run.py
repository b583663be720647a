"""`posetrack run`: a file in, an annotated video and records out."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from posetrack.cli import options

app = typer.Typer(add_completion=False)


@app.command(
    cls=options.MMDeployCommand, context_settings=options.CONTEXT | {"allow_extra_args": True}
)
@options.with_flags()
def run(
    ctx: typer.Context,
    input: Annotated[  # noqa: A002 - the name users see
        str, typer.Argument(help="A video, an image, a folder of images or a quoted pattern.")
    ] = "",
    output: options.Output = None,
    json: options.Json = None,
    boxes: options.Boxes = None,
    show: Annotated[
        bool,
        options.option("--show/--no-show", panel=options.OUTPUT, text="Open a window meanwhile."),
    ] = False,
    allow_unverified: options.AllowUnverified = False,
    config: options.Config = None,  # noqa: ARG001 - `resolve` reads it
    set_: options.Set = None,  # noqa: ARG001
    print_config: options.PrintConfig = False,
) -> None:
    """Track people in a video, an image or a folder of images.

    Writes NAME.posetrack.mp4 and NAME.posetrack.jsonl into the working directory. Flags beat
    POSETRACK_* variables, those the --config file, that the defaults.
    """
    settings = options.resolve(ctx.params)
    if print_config:
        typer.echo(settings.to_yaml().rstrip())
        return
    if ctx.args:  # a pattern that the shell has resolved
        raise typer.BadParameter(
            f"one at a time, here are {1 + len(ctx.args)}: posetrack batch takes many videos; "
            "quote a pattern of images",
            param_hint="INPUT",
        )
    if not input:
        raise typer.BadParameter("name a video, an image or a folder", param_hint="INPUT")
    from posetrack.boxes import BoxFile
    from posetrack.cli import outputs, session
    from posetrack.cli.once import track_once
    from posetrack.cli.summary import print_summary
    from posetrack.media.window import WindowSink

    stop = session.Quit()
    with ExitStack() as stack:
        known = None if boxes is None else BoxFile(boxes)
        source = session.open_input(settings, input)
        stack.callback(source.close)
        chosen = outputs.places(settings, source, output=output, records=json)
        perception = stack.enter_context(
            session.open_perception(
                settings,
                source,
                detect=known is None,
                allow_unverified=allow_unverified,
            )
        )
        windows = [WindowSink(on_quit=stop)] if show else []
        summary = track_once(
            settings, input, source, perception, chosen, boxes=known, windows=windows
        )
    print_summary(summary, chosen.written() if summary.complete else ())
    session.exit_as(summary, stop)
