"""`posetrack models`: what there is, what is known of it, fetching and verifying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from posetrack.errors import ModelError

if TYPE_CHECKING:
    from posetrack.zoo import Entry

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="List, describe, fetch and verify models."
)

Name = Annotated[str, typer.Argument(help="A name of `posetrack models list`.")]


@app.command("list")
def list_models() -> None:
    """Every model known by name: those that ship with the package first."""
    from rich.table import Table

    from posetrack import zoo
    from posetrack.cli.summary import wide_console

    table = Table(box=None, pad_edge=False)
    for column in ("name", "task", "input", "accuracy", "here", "licence"):
        table.add_column(column, no_wrap=column == "name")
    for entry in zoo.list_models():
        card = entry.card
        if not card.files:
            here = "NAME@FILE"
        elif entry.origin == "embedded":
            here = "embedded"
        else:
            here = "yes" if entry.ready else "pull"
        width, height = card.input.size
        best = card.accuracy[0] if card.accuracy else None
        accuracy = f"{best.metric} {best.value:g}" if best else "-"
        row = (card.name, card.task, f"{width}x{height}", accuracy, here)
        table.add_row(*row, card.licence or "-")
    wide_console().print(table)


@app.command()
def info(name: Name) -> None:
    """All that the card of a model says."""
    from posetrack import zoo

    entry = zoo.entry(name)
    typer.echo(entry.card.to_yaml().rstrip())
    typer.echo(f"# from: {entry.origin}, {entry.folder}")
    typer.echo(f"# {_terms(entry)}")


def _terms(entry: Entry) -> str:
    if entry.origin == "embedded":
        return (
            "These weights were trained on research data, which the licence of the code does not "
            f"cover: see WEIGHTS-LICENSE in {entry.folder.parent}."
        )
    return "The weights are their makers': check the licence and the terms of the training data."


@app.command()
def pull(
    name: Name,
    allow_unverified: Annotated[
        bool, typer.Option(help="Take a file of which no digest is known.")
    ] = False,
) -> None:
    """Fetch a model, verify it, and keep it for later runs without a network."""
    from posetrack import zoo
    from posetrack.cli.progress import Downloads

    with Downloads() as downloads:
        model = zoo.pull(name, allow_unverified=allow_unverified, progress=downloads.update)
    typer.echo(f"{model.name}: {model.path}")


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names; without any, every model that is here.")
    ] = None,
) -> None:
    """Compare the files of models with the digests known of them."""
    from posetrack import zoo

    bad = 0
    for name in names or [entry.name for entry in zoo.list_models() if entry.ready]:
        for check in zoo.verify(name):
            word = {True: "ok", False: "WRONG", None: "unknown"}[check.ok]
            bad += check.ok is False
            typer.echo(f"{word:8}{name}: {check.path} ({check.message})")
    if bad:
        raise ModelError(f"{bad} file(s) are not what they should be: delete and pull them again")
