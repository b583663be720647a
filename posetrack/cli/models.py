"""`posetrack models`: what there is, what is known of it, fetching and verifying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from posetrack.errors import (
    ConfigError,
    DownloadError,
    ModelError,
    PosetrackError,
    Unreachable,
)

if TYPE_CHECKING:
    from posetrack.zoo import Entry

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="List, describe, fetch and verify models."
)

Name = Annotated[str, typer.Argument(help="A name of `posetrack models list`.")]
Task = Annotated[str | None, typer.Option("--task", help="Only detection, pose, reid, backbone.")]


@app.command("list")
def list_models(task: Task = None) -> None:
    """Every model known by name: those that ship with the package first."""
    from rich.table import Table

    from posetrack.cli.summary import wide_console

    table = Table(box=None, pad_edge=False)
    for column in ("name", "task", "input", "accuracy", "here", "licence"):
        table.add_column(column, no_wrap=column == "name")
    for entry in _entries(task):
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
def aliases() -> None:
    """What `--pose` takes in place of names: by need and, after a colon, by tier."""
    from rich.table import Table

    from posetrack.cli.summary import wide_console
    from posetrack.zoo.aliases import TIERS, needs

    table = Table(box=None, pad_edge=False)
    for column in ("need", *TIERS):
        table.add_column(column, no_wrap=True)
    for need, tiers in needs().items():
        table.add_row(need, *(pose for pose, _ in tiers))
    console = wide_console()
    console.print(table)
    console.print("NEED:TIER, balanced where none is named; a tier alone is of body;")
    console.print("+hands and +face after a body look for them at its wrists and head.")


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names, aliases or addresses; or --all.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every model of the zoo.")] = False,
    task: Task = None,
    allow_unverified: Annotated[
        bool, typer.Option("--allow-unverified", help="Take a file of which no digest is known.")
    ] = False,
) -> None:
    """Fetch models, verify them, and keep them for later runs without a network."""
    from posetrack import zoo
    from posetrack.cli.progress import Downloads
    from posetrack.zoo.aliases import models_of

    if everything == bool(names):
        raise typer.BadParameter("name models, or ask for --all", param_hint="NAMES")
    wanted = [each for name in names or () for each in models_of(name)]
    if everything:
        wanted = [e.name for e in _entries(task) if e.origin == "zoo" and e.card.files]
    failed = 0
    with Downloads() as downloads:
        for at, name in enumerate(wanted):
            try:
                model = zoo.pull(name, allow_unverified=allow_unverified, progress=downloads.update)
            except PosetrackError as error:
                if len(wanted) == 1:
                    raise
                if isinstance(error, Unreachable):  # the others would not be reached either
                    raise _offline(error, wanted[at:]) from error
                failed += 1
                typer.echo(f"{name}: {error}", err=True)
            else:
                typer.echo(f"{model.name}: {model.path}")
    if failed:
        raise DownloadError(f"{failed} of {len(wanted)} models were not fetched, see above")


def _offline(error: Unreachable, left: list[str]) -> Unreachable:
    """The error of the first of `left`, with all that would have been fetched."""
    named = ", ".join(left[:8]) + (f" and {len(left) - 8} more" if len(left) > 8 else "")
    return Unreachable(f"{error}; to be fetched were {len(left)} models: {named}")


def _entries(task: str | None) -> list[Entry]:
    """The models of a task, or all.

    Raises:
        ConfigError: there is no such task.
    """
    from posetrack import zoo

    found = [entry for entry in zoo.list_models() if task in (None, entry.card.task)]
    if not found:
        raise ConfigError(f"--task {task}: known are detection, pose, reid and backbone")
    return found


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
