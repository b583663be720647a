"""What several commands let one choose of a recording: people, and a scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from posetrack.errors import ConfigError

if TYPE_CHECKING:
    from posetrack.records import Recording

Height = Annotated[
    float | None,
    typer.Option(
        "--height", help="Standing height of the one person, m: gives metres.", min=0.3, max=3
    ),
]
PxPerM = Annotated[float | None, typer.Option("--px-per-m", help="Scale: gives metres.", min=1e-6)]


def numbers(words: str | None) -> tuple[int, ...] | None:
    """The ids in ``1,3``; None of nothing."""
    if words is None:
        return None
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError:
        raise ConfigError(f"--ids {words}: give numbers such as 1,3") from None


def scale_of(recording: Recording, height_m: float | None, px_per_m: float | None) -> float | None:
    """Pixels a metre: as given, or by the height of the one person; None without either."""
    from posetrack.kinematics import measures

    if height_m is None:
        return px_per_m
    if px_per_m is not None:
        raise ConfigError("--height and --px-per-m both give a scale: drop one")
    people = recording.ids()
    if len(people) != 1:
        raise ConfigError(
            f"--height is of one person, here are {len(people)}: choose with --ids, "
            "or give --px-per-m"
        )
    rows = recording.rows
    found = measures.px_per_m(recording.header.skeleton, rows.keypoints, rows.scores, height_m)
    typer.echo(f"posetrack: {found:.1f} px a metre", err=True)
    return found
