"""`posetrack dataset`: check, split and convert annotated pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posetrack.datasets.checks.report import Report

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Check, split and convert annotated pictures."
)

EXAMPLES = 3
ImagesOption = Annotated[
    Path | None, typer.Option("--images", help="Folder or tar; looked for beside the file.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


@app.command()
def check(
    data: Annotated[Path, typer.Argument(help="Annotations in COCO format.")],
    images: ImagesOption = None,
    skeleton: Annotated[
        str | None, typer.Option(help="A set or a file; by the keypoint names if left out.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw suspects and a sample into this picture.")
    ] = None,
    cells: Annotated[int, typer.Option(min=1, help="People on the sheet.")] = 48,
    json: Annotated[Path | None, typer.Option(help="Write every finding to this file.")] = None,
) -> None:
    """Find what makes a training fail or learn the wrong thing; status 1 where there is any."""
    from posetrack.cli.progress import Steps
    from posetrack.datasets.checks.check import check as run_check
    from posetrack.datasets.coco import CocoFile, write_json
    from posetrack.datasets.names import skeleton_of
    from posetrack.datasets.stores import Stores

    document = CocoFile.read(data)
    pictures = Stores(document.path, document.images, images)
    chosen = skeleton_of(document, skeleton)
    with Steps("pictures", len(document.images)) as steps:
        report = run_check(document, pictures, chosen, progress=steps)
    _print_report(report)
    if sheet is not None:
        from posetrack.datasets.checks.sheet import choose, write_sheet

        write_sheet(sheet, choose(report, document, cells), document, pictures, chosen)
        typer.echo(f"wrote {sheet}")
    if json is not None:
        write_json(json, report.to_dict(), force=True, indent=1)
        typer.echo(f"wrote {json}")
    if report.count("error"):
        raise typer.Exit(1)


def _print_report(report: Report) -> None:
    """A table of findings, and one line of totals, on stdout."""
    from rich.markup import escape
    from rich.table import Table

    from posetrack.cli.summary import wide_console
    from posetrack.datasets.checks.report import KINDS

    console = wide_console()
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("what, and where first", overflow="fold")
    for kind, findings in report.groups():
        share = report.share(kind, findings)
        examples = "".join(f"\n  {escape(str(f)[:140])}" for f in findings[:EXAMPLES])
        percent = "" if share is None else f"{100 * share:.1f} %"
        row = (KINDS[kind].severity, str(len(findings)), percent)
        table.add_row(*row, f"{KINDS[kind].what} ({kind}){examples}")
    if report.findings:
        console.print(table)
    console.print(
        f"{report.pictures} pictures, {report.people} annotations: "
        f"{report.count('error')} errors, {report.count('warning')} warnings"
    )


@app.command("split")
def split_set(
    data: Annotated[Path, typer.Argument(help="Annotations in COCO format.")],
    val: Annotated[float, typer.Option(help="Share of the pictures for validation.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share for a test set; 0: none.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Another number gives another split.")] = 0,
    by: Annotated[
        str | None, typer.Option(help="Keep pictures together that agree in this field.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; that of the file by default.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write train.json, val.json and test.json; no picture and no group is in two of them."""
    from posetrack.datasets.coco import CocoFile, refuse_existing, write_json
    from posetrack.datasets.split import split

    document = CocoFile.read(data)
    shares = {"val": val} | ({"test": test} if test else {})
    parts = split(document, shares, seed=seed, by=by)
    folder = data.parent if output is None else output
    files = {name: folder / f"{name}.json" for name in parts}
    refuse_existing(files.values(), source=data, force=force)
    for name, records in parts.items():
        part = document.with_images(records)
        write_json(files[name], part, force=force)
        people = len(part["annotations"])
        typer.echo(f"wrote {files[name]}: {len(records)} pictures, {people} annotations")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A file or a folder.")],
    output: Annotated[Path, typer.Argument(help="A .json for COCO, else a folder.")],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="coco, yolo, labelme, cvat, h3wb, mpii, wflw or lapa; found out if absent.",
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="coco, yolo or labelme; coco for an OUTPUT.json.")
    ] = None,
    images: ImagesOption = None,
    skeleton: Annotated[
        str | None, typer.Option(help="Names of the keypoints where INPUT has none.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="hand or face: of each person of a whole-body set.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Convert between COCO keypoints, YOLO-pose, labelme and (reading) formats of public sets."""
    from posetrack.datasets import convert as formats
    from posetrack.datasets.coco import refuse_existing
    from posetrack.datasets.stores import Stores

    target = to or ("coco" if output.suffix.lower() == ".json" else None)
    if target is None:
        raise typer.BadParameter("say --to yolo or --to labelme", param_hint="OUTPUT")
    document = formats.read(source, from_ or formats.detect(source), skeleton, images)
    if part is not None:
        from posetrack.datasets.parts import part_of

        document = part_of(document, part)
    refuse_existing([output] if output.is_file() else [], source=source, force=force)
    pictures = None
    if target != "coco":
        place = images or (document.path if document.path.is_dir() else None)
        pictures = Stores(document.path, document.images, place)
        if not pictures.known:
            typer.echo("posetrack: no pictures found, none copied: use --images", err=True)
    for note in formats.write(document, output, target, pictures=pictures, force=force):
        typer.echo(f"posetrack: {note}", err=True)
    counts = f"{len(document.images)} pictures, {len(document.annotations)} annotations"
    typer.echo(f"wrote {output}: {counts}")
