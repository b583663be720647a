"""`posetrack compare`: how two runs of a video differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from posetrack.comparison import Comparison

app = typer.Typer(add_completion=False)


@app.command(no_args_is_help=True)
def compare(
    a: Annotated[Path, typer.Argument(help="Records (.jsonl) of one run.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="Those of another.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for plots of the differences.")
    ] = None,
    kind: Annotated[str, typer.Option("--format", help="Of the plots: png or svg.")] = "png",
    json: Annotated[Path | None, typer.Option("--json", help="Write the tables here.")] = None,
    min_score: Annotated[
        float | None,
        typer.Option(help="Keypoints below count as not found; else as in A's run.", min=0, max=1),
    ] = None,
) -> None:
    """Measure how two runs of a video differ: by joint, by person, over time.

    People are paired by where they are; their ids may differ.
    """
    from posetrack.cli.revised import visible_score
    from posetrack.comparison import compare as compared
    from posetrack.errors import ConfigError
    from posetrack.records import Recording

    if kind not in ("png", "svg"):
        raise ConfigError(f"--format {kind}: known are png, svg")
    if output is not None and output.is_file():
        raise ConfigError(f"--output {output} is a file: name a folder for the plots")
    one, other = Recording.read(a), Recording.read(b)
    least = visible_score(one.header) if min_score is None else min_score
    found = compared(one, other, min_score=least)
    # Runs of one video have one file name, in two folders.
    name_a, name_b = (a.name, b.name) if a.name != b.name else (str(a), str(b))
    typer.echo(f"A {name_a}\nB {name_b}")
    _print(found)
    if json is not None:
        from posetrack.evaluation.facts import write_json

        write_json(json, {"a": name_a, "b": name_b, "min_score": least, **found.as_dict()})
        typer.echo(f"wrote {json}")
    if output is not None:
        from posetrack.plots import canvas, differences

        title = f"A {name_a}, B {name_b}"
        drawings = {"joints": differences.by_joint, "time": differences.over_time}
        for name, draw in drawings.items():
            made = draw(found, title)
            if made is not None:
                path = output / f"differences.{name}.{kind}"
                canvas.save(made, path)
                typer.echo(f"wrote {path}")


def _print(found: Comparison) -> None:
    from posetrack.cli.summary import wide_console

    console = wide_console()
    console.print(_table(("A", "B"), found.people(), ("a", "b")))
    console.print(_table(("keypoint",), found.rows(), ("keypoint",)))
    for name, ids in zip("AB", found.alone, strict=True):
        if ids:
            console.print(f"only in {name}: {', '.join(map(str, ids))}", markup=False)


def _table(heads: tuple[str, ...], rows: list[dict[str, Any]], keys: tuple[str, ...]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in (*heads, "compared", "median px", "p95", "max", "% height", "dx", "dy"):
        table.add_column(name, justify="left" if name == "keypoint" else "right")
    for name in ("only A %", "only B %"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = [f"{row[key]:.2f}" for key in ("median", "p95", "max")]
        numbers += [f"{100 * row['share']:.2f}", f"{row['dx']:+.2f}", f"{row['dy']:+.2f}"]
        numbers += [f"{100 * row[key]:.1f}" for key in ("only_a", "only_b")]
        table.add_row(*(str(row[key]) for key in keys), str(row["compared"]), *numbers)
    return table
