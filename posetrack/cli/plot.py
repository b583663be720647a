"""`posetrack plot`: pictures of what a run found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posetrack.cli.choosing import Height, PxPerM, numbers, scale_of
from posetrack.errors import ConfigError
from posetrack.plots.report import KINDS

app = typer.Typer(add_completion=False)

FORMATS = ("png", "svg", "html")


@app.command(no_args_is_help=True)
def plot(
    file: Annotated[Path, typer.Argument(help="Records (.jsonl) of a run.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; beside FILE without it.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", help=f"Which figures, as in paths,angles: {', '.join(KINDS)}."),
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="Of png, svg, html (one page).")] = "png",
    ids: Annotated[
        str | None,
        typer.Option("--ids", help="Of whom: 1,3; else of all, and the 4 seen most by themselves."),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(help="Keypoints below are left out; else as in the run.", min=0, max=1),
    ] = None,
    height: Height = None,
    px_per_m: PxPerM = None,
) -> None:
    """Draw paths, who was there when, angles, speeds, symmetry, skeletons of a run."""
    kinds = list(KINDS) if only is None else _words("--only", only, KINDS)
    wanted = _words("--format", formats, FORMATS)
    from posetrack.cli.progress import Steps
    from posetrack.cli.revised import visible_score
    from posetrack.formats.conversion import Chosen
    from posetrack.plots import canvas, report
    from posetrack.plots.subject import Subject
    from posetrack.records import Recording

    if output is not None and output.is_file():
        raise ConfigError(f"--output {output} is a file: name a folder for the figures")
    recording = Recording.read(file)
    least = visible_score(recording.header) if min_score is None else min_score
    recording = Chosen(numbers(ids), least).of(recording)
    subject = Subject(recording, scale_of(recording, height, px_per_m))
    most = len(recording.ids()) if ids is not None else report.PEOPLE
    people = canvas.most_seen(subject.frames_of(), most)
    stem = (output / file.name if output is not None else file).with_suffix("")
    total = sum(kind in report.OF_ALL for kind in kinds)
    total += len(people) * (len(kinds) - total)
    with Steps(f"drawing {file.name}", total) as step:
        written = report.write(
            subject, stem, kinds=kinds, formats=wanted, people=people, on_figure=step
        )
    for path in written:
        typer.echo(f"wrote {path}")


def _words(option: str, text: str, known: tuple[str, ...]) -> list[str]:
    """The words of a list, in the order of `known`."""
    words = {word.strip() for word in text.split(",")}
    unknown = sorted(words - set(known))
    if unknown:
        raise ConfigError(f"{option} {unknown[0]}: known are {', '.join(known)}")
    return [word for word in known if word in words]
