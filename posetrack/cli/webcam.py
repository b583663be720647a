"""`posetrack webcam`: a camera or a stream, the newest frame first, shown or written."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posetrack.cli import options
from posetrack.errors import ConfigError

if TYPE_CHECKING:
    from posetrack.config import RunConfig
    from posetrack.media.live import Status
    from posetrack.media.source import Source

app = typer.Typer(add_completion=False)

_NOT_LIVE = ("source.start_s", "source.duration_s", "source.capture_fps", "output.video")


@app.command(cls=options.MMDeployCommand, context_settings=options.CONTEXT)
@options.with_flags(without=(*_NOT_LIVE, "output.records", "revision"), also=options.LIVE_FLAGS)
def webcam(
    ctx: typer.Context,
    live: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A camera's number or path, an address, screen[:x,y,w,h], or - (stdin).",
        ),
    ] = "0",
    output: options.Output = None,
    json: options.Json = None,
    show: Annotated[
        bool | None,
        options.option("--show/--no-show", panel=options.OUTPUT, text="Window; default if it can."),
    ] = None,
    mirror: Annotated[
        bool, options.option("--mirror", panel=options.OUTPUT, text="Show it as a mirror does.")
    ] = False,
    record: Annotated[
        Path | None,
        options.option("--record", panel=options.OUTPUT, text="Record here; r stops and resumes."),
    ] = None,
    virtual_camera: Annotated[
        Path | None,
        options.option("--virtual-camera", panel=options.OUTPUT, text="A v4l2loopback device."),
    ] = None,
    allow_unverified: options.AllowUnverified = False,
    config: options.Config = None,  # noqa: ARG001 - `resolve` reads it
    set_: options.Set = None,  # noqa: ARG001
    print_config: options.PrintConfig = False,
) -> None:
    """Track people live: a camera, a stream, stdin or the screen.

    Shows a window where there is a display. Keys: q quit, space pause, s snapshot, r record,
    d drawing on or off, + and - detector interval. --output, --record and --json keep what is
    seen. Frames that come faster than they can be worked on are dropped, and counted.
    """
    settings = options.resolve(ctx.params)
    if print_config:
        typer.echo(settings.to_yaml().rstrip())
        return
    from posetrack.cli import outputs, session
    from posetrack.cli.controls import LiveControls
    from posetrack.cli.summary import print_summary
    from posetrack.media.preview import PreviewWindow
    from posetrack.media.recorder import Recorder
    from posetrack.media.virtual import VirtualCameraSink
    from posetrack.media.window import no_window

    reason = None if show is False else no_window()
    if show is None:
        show = reason is None
    if not (show or output or json or record or virtual_camera or settings.output.vmc):
        why = reason or "--no-show was given"
        raise ConfigError(f"no window, {why}: keep what is seen with --record, --output or --json")
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
        source = open_camera(settings, live)
        stack.callback(source.close)
        chosen = outputs.places(settings, source, output=output, records=json)
        if record is not None and record.absolute() in [p.absolute() for p in chosen.written()]:
            raise ConfigError(
                f"--record {record} is also the name of another output: name it apart"
            )
        header = session.make_header(settings, source, perception)
        size = session.output_size(settings, source)
        sinks = outputs.make_sinks(chosen, source, header, size=size)
        sinks += outputs.make_avatar(settings, source, perception)
        recorder = Recorder(
            record or Path(f"{outputs.stem_of(source)}.recording.mp4"),
            source,
            size=size,
            on=record is not None,
        )
        sinks.append(recorder)
        if virtual_camera is not None:
            sinks.append(VirtualCameraSink(virtual_camera, size=size, fps=float(source.fps)))
        controls = LiveControls(
            source,
            perception.schedule,
            painter=session.make_painter(settings, perception.visible_score),
            recorder=recorder,
            quit_=stop,
            mirror=mirror,
            stride=settings.source.stride,
        )
        if show:
            sinks.append(PreviewWindow(controls, title=f"posetrack {source.name}"))
        seen = show or output or record or virtual_camera
        summary = session.execute(
            source,
            perception,
            sinks,
            title=source.name,
            draw=controls.draw if seen else None,
            late_detector=settings.detector.asynchronous,
        )
    written = [*chosen.written(), *recorder.written] if summary.complete else recorder.written
    print_summary(summary, written)
    session.exit_as(summary, stop)


def open_camera(settings: RunConfig, camera: str) -> Source:
    """The source, with a line on stderr for each change of a live one's state."""
    from posetrack.cli import session
    from posetrack.media.live import open_live
    from posetrack.media.source import is_live

    if not is_live(camera):
        return session.open_input(settings, camera)

    def tell(status: Status) -> None:
        if status.state in ("stalled", "connecting") or status.reconnects:
            why = f": {status.error}" if status.error and status.state != "running" else ""
            typer.echo(f"posetrack: {status.state}{why}", err=True)

    chosen = settings.source
    return open_live(camera, settings.live, stride=chosen.stride, flip=chosen.flip, on_status=tell)
