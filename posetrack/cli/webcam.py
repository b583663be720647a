"""`posetrack webcam`: a camera or a stream, the newest frame first, shown or written."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from posetrack.cli import options
from posetrack.errors import ConfigError

app = typer.Typer(add_completion=False)

_NOT_LIVE = ("source.start_s", "source.duration_s", "source.capture_fps", "output.video")


@app.command(cls=options.MMDeployCommand, context_settings=options.CONTEXT)
@options.with_flags(without=(*_NOT_LIVE, "output.records", "revision"))
def webcam(
    ctx: typer.Context,
    camera: Annotated[
        str, typer.Argument(help="A device index or path, or an address (rtsp://...).")
    ] = "0",
    output: options.Output = None,
    json: options.Json = None,
    show: Annotated[
        bool | None,
        options.option("--show/--no-show", panel=options.OUTPUT, text="Window; default if it can."),
    ] = None,
    allow_unverified: options.AllowUnverified = False,
    config: options.Config = None,  # noqa: ARG001 - `resolve` reads it
    set_: options.Set = None,  # noqa: ARG001
    print_config: options.PrintConfig = False,
) -> None:
    """Track people live: a camera or a stream.

    Shows a window where there is a display (q or escape ends); --output and --json record what is
    seen. Frames that come faster than they can be worked on are dropped, and counted.
    """
    settings = options.resolve(ctx.params)
    if print_config:
        typer.echo(settings.to_yaml().rstrip())
        return
    from posetrack.cli import outputs, session
    from posetrack.cli.summary import print_summary
    from posetrack.media.window import WindowSink, no_window

    reason = None if show is False else no_window()
    if show is None:
        show = reason is None
    if not (show or output or json):
        why = reason or "--no-show was given"
        raise ConfigError(f"nothing to do, {why}: record with --output or --json")
    # Without --output nothing but the records is written, and the other way round.
    wanted = settings.output.model_copy(
        update={"video": output is not None, "records": json is not None}
    )
    settings = settings.model_copy(update={"output": wanted})
    stop = session.Quit()
    with ExitStack() as stack:
        # The models first: a camera that waits for them would deliver old frames.
        perception = stack.enter_context(
            session.open_perception(settings, allow_unverified=allow_unverified)
        )
        source = session.open_input(settings, camera)
        stack.callback(source.close)
        chosen = outputs.places(settings, source, output=output, records=json)
        header = session.make_header(settings, source, perception)
        size = session.output_size(settings, source)
        sinks = outputs.make_sinks(chosen, source, header, size=size)
        if show:
            sinks.append(WindowSink(title=f"posetrack {source.name}", on_quit=stop))
        draw = session.make_painter(settings, perception.visible_score) if show or output else None
        summary = session.execute(
            source,
            perception,
            sinks,
            title=source.name,
            draw=draw,
            late_detector=settings.detector.asynchronous,
        )
    print_summary(summary, chosen.written() if summary.complete else ())
    session.exit_as(summary, stop)
