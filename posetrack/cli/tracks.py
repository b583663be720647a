"""`posetrack tracks`: look at what a run found, and put it right."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posetrack.cli import options
from posetrack.errors import ConfigError, PosetrackError
from posetrack.revision.relink import MAX_GAP_S
from posetrack.revision.smooth import CUTOFF_HZ, FILL_GAP_S

if TYPE_CHECKING:
    from posetrack.records import Recording

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=(
        "Show and repair the tracks of a record file. An edit changes the file and keeps the first "
        "version as NAME.original.jsonl, or writes elsewhere with -o."
    ),
)

File = Annotated[Path, typer.Argument(help="Records (.jsonl) of a run.", show_default=False)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write here; FILE stays as it is.")
]
At = Annotated[str, typer.Option("--at", help="First frame of the change, or 12.5s.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the table to this file.")]


@app.command()
def show(file: File, json: Json = None) -> None:
    """Everybody: when he was there, gaps, how well he was seen, how tall."""
    from rich.markup import escape
    from rich.table import Table

    from posetrack.cli.summary import wide_console
    from posetrack.revision.edits import spans

    recording = _read(file)
    found = spans(recording)
    table = Table(box=None, pad_edge=False)
    names = recording.header.names
    for column in ("id", "frames", "from s", "to s", "seen", "gaps", "score", "height px"):
        table.add_column(column, justify="right")
    if names:
        table.add_column("name")
    for each in found:
        table.add_row(
            str(each.track_id),
            f"{each.first_frame}-{each.last_frame}",
            f"{each.first_s:.2f}",
            f"{each.last_s:.2f}",
            str(each.frames),
            str(each.gaps) if each.gaps else "",
            f"{each.score:.2f}",
            f"{each.height_px:.0f}",
            *([escape(names.get(each.track_id, ""))] if names else []),
        )
    console = wide_console()
    console.print(f"{file}: {len(found)} tracks in {len(recording.frames)} frames", markup=False)
    console.print(table)
    if json is not None:
        from posetrack.evaluation.facts import write_json

        write_json(json, {"file": file.name, "tracks": [asdict(each) for each in found]})


@app.command()
def space(
    file: File,
    frame: Annotated[int, typer.Argument(help="Number of the frame.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .png, .svg or .pdf.")] = Path(
        "space.png"
    ),
) -> None:
    """Draw the people of a frame in space, from three sides; of a run with a 3D pose model."""
    from posetrack.media.space import plot_space
    from posetrack.records import read_records

    header, records = read_records(file)
    for record in records:
        if record.frame == frame:
            plot_space(header, record, output)
            typer.echo(f"wrote {output}")
            return
    raise ConfigError(f"{file} has no frame {frame}: see `posetrack tracks show {file}`")


@app.command()
def merge(
    file: File,
    into: Annotated[int, typer.Argument(help="The id that stays.")],
    others: Annotated[list[int], typer.Argument(help="Those that become part of it.")],
    output: Output = None,
) -> None:
    """One person has several ids: give him one."""
    from posetrack.revision import edits

    _write(edits.merge(_read(file), into, others), file, output)


@app.command()
def swap(
    file: File,
    a: Annotated[int, typer.Argument(help="One id.")],
    b: Annotated[int, typer.Argument(help="The other.")],
    at: At,
    output: Output = None,
) -> None:
    """Two people exchanged their ids: give them back from a frame on."""
    from posetrack.revision import edits

    recording = _read(file)
    _write(edits.swap(recording, a, b, _frame(recording, at)), file, output)


@app.command()
def cut(
    file: File,
    track: Annotated[int, typer.Argument(help="The id.")],
    at: At,
    output: Output = None,
) -> None:
    """One id went on to somebody else: a new one from a frame on."""
    from posetrack.revision import edits

    recording = _read(file)
    changed, new = edits.cut(recording, track, _frame(recording, at))
    _write(changed, file, output)
    typer.echo(f"track {track} goes on as {new}")


@app.command()
def delete(
    file: File,
    tracks: Annotated[list[int], typer.Argument(help="Ids of nobody.")],
    output: Output = None,
) -> None:
    """Something that is no person, or somebody who does not matter: leave it out."""
    from posetrack.revision import edits

    _write(edits.delete(_read(file), tracks), file, output)


@app.command()
def rename(
    file: File,
    track: Annotated[int, typer.Argument(help="The id.")],
    to: Annotated[str, typer.Argument(help="Another number, or a name; '' takes the name away.")],
    output: Output = None,
) -> None:
    """Give somebody another number, or a name."""
    from posetrack.revision import edits

    recording = _read(file)
    if re.fullmatch(r"\d+", to):
        _write(edits.renumber(recording, track, int(to)), file, output)
    else:
        _write(edits.name(recording, track, to), file, output)


@app.command()
def relink(
    file: File,
    max_gap: Annotated[
        float, typer.Option("--max-gap", help="Longest time out of sight, s.", min=0.0)
    ] = MAX_GAP_S,
    output: Output = None,
) -> None:
    """Join pieces of tracks that go on where another one ended."""
    from posetrack.cli.revised import joined
    from posetrack.revision.relink import relink as relinked

    changed, became = relinked(_read(file), max_gap)
    if became or output is not None:
        _write(changed, file, output)
    typer.echo(joined(became))


@app.command()
def smooth(
    file: File,
    cutoff: Annotated[
        float, typer.Option("--cutoff", help="Frequency that is halved, Hz.", min=0.1)
    ] = CUTOFF_HZ,
    fill_gap: Annotated[
        float, typer.Option("--fill-gap", help="Longest gap that is filled, s.", min=0.0)
    ] = FILL_GAP_S,
    output: Output = None,
) -> None:
    """Smooth without lag, from the raw keypoints, and fill short gaps."""
    from posetrack.cli.revised import visible_score
    from posetrack.revision.smooth import smooth_offline

    recording = _read(file)
    visible = visible_score(recording.header)
    changed = smooth_offline(recording, cutoff_hz=cutoff, fill_gap_s=fill_gap, visible=visible)
    _write(changed, file, output)


@app.command(context_settings=options.CONTEXT)
@options.with_flags(without=options.DRAWING_ONLY)
def draw(
    ctx: typer.Context,
    file: File,
    video: Annotated[str, typer.Argument(help="What the records were made from.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Annotated video.")] = None,
) -> None:
    """The annotated video of (repaired) records; no model runs.

    It looks as the run was told, but for the flags given here.
    """
    from posetrack.cli import outputs, session
    from posetrack.cli.revised import visible_score
    from posetrack.config import load_config
    from posetrack.runner import replay

    recording = _read(file)
    known = recording.header.settings
    made = {
        f"{section}.{name}": value
        for section in ("source", "drawing")
        for name, value in known.get(section, {}).items()
    }
    settings = load_config(flags=made | options.drawing_flags(ctx.params))
    source = session.open_input(settings, video)
    if source.size != recording.header.size:
        found, wanted = ("x".join(map(str, s)) for s in (source.size, recording.header.size))
        source.close()
        raise ConfigError(f"{video} is {found}, the records are of {wanted}: name their source")
    chosen = outputs.places(settings, source, output=output, records=None)
    chosen = outputs.Places(chosen.picture, None)
    size = session.output_size(settings, source)
    sinks = outputs.make_sinks(chosen, source, recording.header, size=size)
    painter = session.make_painter(settings, visible_score(recording.header))
    go = partial(replay, source, recording, sinks, draw=painter)
    summary = session.watched(f"drawing {source.name}", source, go)
    if summary.complete:
        for path in chosen.written():
            typer.echo(f"wrote {path}")
    session.exit_as(summary)


def _read(file: Path) -> Recording:
    from posetrack.records import Recording

    return Recording.read(file)


def _frame(recording: Recording, at: str) -> int:
    """The frame that `at` names: an index, or the first one from a time on."""
    import numpy as np

    if re.fullmatch(r"\d+", at):
        return int(at)
    time = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)s", at)
    if time is None:
        raise ConfigError(f"--at {at}: give a frame such as 240, or seconds such as 9.6s")
    late = np.flatnonzero(recording.times_s >= float(time[1]))
    if not len(late):
        raise ConfigError(f"--at {at}: the recording ends at {recording.times_s[-1]:.2f} s")
    return int(recording.frames[late[0]])


def _write(recording: Recording, file: Path, output: Path | None) -> None:
    """Write to `output`, or over `file` with its first version kept beside."""
    target = file if output is None else output
    if output is None:
        kept = file.with_name(f"{file.stem}.original{file.suffix}")
        if not kept.exists():
            try:
                shutil.copy2(file, kept)
            except OSError as error:
                raise PosetrackError(
                    f"cannot keep the original as {kept}: {error.strerror}; nothing was changed"
                ) from error
    recording.write(target)
    typer.echo(f"wrote {target}")
