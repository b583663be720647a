"""`posetrack convert`: the records of a run in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posetrack.cli.choosing import Height, PxPerM, numbers, scale_of
from posetrack.errors import ConfigError
from posetrack.formats.table import FORMATS

app = typer.Typer(add_completion=False)

EPILOG = "Formats: " + ", ".join(FORMATS) + ". --list tells what each is and what it needs."


def _list(wanted: bool) -> None:
    """The table of formats, and the end."""
    if not wanted:
        return
    from rich.table import Table

    from posetrack.cli.summary import wide_console

    table = Table(box=None, pad_edge=False)
    for column in ("format", "suffix", "what", "extra", "not found", "lost"):
        table.add_column(column)
    for each in FORMATS.values():
        suffix = f".idN{each.suffix}" if each.each else each.suffix
        row = (each.name, suffix, each.title, each.extra or "", each.missing, each.lost)
        table.add_row(*row)
    wide_console().print(table)
    raise typer.Exit


@app.command(no_args_is_help=True, epilog=EPILOG)
def convert(
    file: Annotated[Path, typer.Argument(help="Records (.jsonl) of a run.", show_default=False)],
    to: Annotated[
        str, typer.Option("--to", "-t", help="Format, or several: trc,coco.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File, or a folder for everything; beside FILE."),
    ] = None,
    ids: Annotated[
        str | None, typer.Option("--ids", help="Only these people: 1,3.", show_default=False)
    ] = None,
    min_score: Annotated[
        float, typer.Option(help="Keypoints below count as not found.", min=0, max=1)
    ] = 0.0,
    raw: Annotated[bool, typer.Option("--raw", help="Keypoints before smoothing.")] = False,
    observed: Annotated[
        bool, typer.Option("--observed", help="Leave out people who were predicted (lost).")
    ] = False,
    height: Height = None,
    px_per_m: PxPerM = None,
    list_formats: Annotated[  # noqa: ARG001 - answered by its callback
        bool,
        typer.Option("--list", callback=_list, is_eager=True, help="Show the formats and stop."),
    ] = False,
) -> None:
    """Write the records of a run in another tool's format.

    Without -o, files go beside FILE, named after it.
    """
    from posetrack.cli.progress import Steps
    from posetrack.formats import conversion
    from posetrack.records import Recording

    metres = height is not None or px_per_m is not None
    names = [conversion.choose(name.strip(), metres=metres).name for name in to.split(",")]
    targets = {name: _target(file, name, output, many=len(names) > 1) for name in names}
    chosen = conversion.Chosen(numbers(ids), min_score, raw, observed)
    recording = chosen.of(Recording.read(file))
    scale = scale_of(recording, height, px_per_m)
    with Steps(f"converting {file.name}", len(names)) as step:
        for done, (name, path) in enumerate(targets.items()):
            step(done)
            for written in conversion.convert(recording, name, path, px_per_m=scale):
                typer.echo(f"wrote {written}")


def _target(file: Path, name: str, output: Path | None, *, many: bool) -> Path:
    """Where one format goes."""
    from posetrack.formats.conversion import default_path

    beside = default_path(file, name)
    if output is None:
        return beside
    if FORMATS[name].folder and not many:
        return output
    if output.is_dir() or not output.suffix:
        return output / beside.name
    if many:
        raise ConfigError(f"--output {output}: several formats go into a folder")
    wanted = Path(f"name{FORMATS[name].suffix}").suffix
    if output.suffix.lower() != wanted:
        raise ConfigError(f"--output {output}: {name} files end with {wanted}")
    return output
