"""What `posetrack evaluate` shows and writes: progress, tables, JSON, plots."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from posetrack.evaluation.pose import PoseEvaluation
    from posetrack.zoo import ResolvedModel


def watch(keys: Sequence[int], text: str) -> Iterable[int]:
    """The keys, with a bar on stderr where somebody looks."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(keys, text, console=console, transient=True, disable=not console.is_terminal)


def print_tables(*parts: tuple[str, Any, Any]) -> None:
    """Tables on stdout; those without rows are left out."""
    from posetrack.cli.summary import wide_console
    from posetrack.evaluation.tables import figure_table

    console = wide_console()
    for title, figures, columns in parts:
        if figures:
            console.print(figure_table(title, figures, columns))


def print_poses(title: str, found: PoseEvaluation, columns: Any) -> None:
    """The tables of a pose or pipeline evaluation."""
    from posetrack.evaluation.tables import PARTS

    print_tables((title, found.figures, columns), ("parts, %", found.parts, PARTS))


def pose_content(found: PoseEvaluation, backend: str, *, flip_test: bool) -> dict[str, Any]:
    """What the file of a pose or pipeline evaluation holds."""
    from posetrack.evaluation.keypoints import per_keypoint

    rows = zip(found.skeleton.keypoints, per_keypoint(found.errors), strict=True)
    return {
        "backend": backend,
        "flip_test": flip_test,
        "figures": found.figures,
        "parts": found.parts,
        "keypoints": dict(rows),
    }


def write(
    path: Path | None, data: Path, models: dict[str, ResolvedModel], content: dict[str, Any]
) -> None:
    """The figures as JSON, below what they are of."""
    if path is None:
        return
    from posetrack.evaluation.facts import facts, file_facts, sha256, write_json

    named = {
        task: {
            "name": model.name,
            "input": list(model.card.input.size),
            "sha256": sha256(model.path),
        }
        for task, model in models.items()
    }
    said = {**facts("posetrack", sys.argv[1:]), "data": file_facts(data), "models": named}
    write_json(path, said | content)
    say(f"wrote {path}")


def plot_poses(folder: Path | None, title: str, found: PoseEvaluation, *, worst: int) -> None:
    """Curves, bars and the `worst` people into a folder, if one was named."""
    if folder is None:
        return
    from posetrack.evaluation.plots import keypoint_bars, precision_recall
    from posetrack.evaluation.sheets import worst_poses

    precision_recall(found.curves, folder / "precision.png", title=title, similarity="OKS")
    keypoint_bars(found.errors, found.skeleton, folder / "keypoints.png", title=title)
    worst_poses(found, folder / "worst.png", most=worst)
    say(f"wrote {folder}")


def say(text: str) -> None:
    """A line on stderr."""
    typer.echo(text, err=True)
