"""`posetrack demo`: a generated clip with people in it, and the loop run on it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from posetrack.cli import options

app = typer.Typer(add_completion=False)


@app.command(context_settings=options.CONTEXT)
@options.with_flags(without=("source", "output"))
def demo(
    ctx: typer.Context,
    output_dir: Annotated[
        Path, options.option("--output-dir", "-o", panel=options.OUTPUT, text="Where to write.")
    ] = Path(),
    seconds: Annotated[
        float, options.option("--seconds", panel=options.OUTPUT, text="Length; 8.", min=0.2, max=60)
    ] = 8.0,
    config: options.Config = None,  # noqa: ARG001 - `resolve` reads it
    set_: options.Set = None,  # noqa: ARG001
) -> None:
    """Make a clip with people in it and track them: demo.mp4, demo.posetrack.mp4 and .jsonl."""
    settings = options.resolve(ctx.params)
    from posetrack.cli import outputs, session
    from posetrack.cli.summary import print_summary
    from posetrack.demo import make_clip

    clip = output_dir / "demo.mp4"
    typer.echo(f"posetrack: drawing {clip}", err=True)
    make_clip(clip, seconds=seconds)
    with ExitStack() as stack:
        source = session.open_input(settings, str(clip))
        stack.callback(source.close)
        perception = stack.enter_context(session.open_perception(settings, source))
        chosen = outputs.places(settings, source, output=output_dir, records=None)
        header = session.make_header(settings, source, perception)
        size = session.output_size(settings, source)
        sinks = outputs.make_sinks(chosen, source, header, size=size)
        draw = session.make_painter(settings, perception.visible_score)
        summary = session.execute(source, perception, sinks, title=source.name, draw=draw)
    print_summary(summary, (clip, *chosen.written()) if summary.complete else ())
    session.exit_as(summary)
