"""What every benchmark shares: where the data is, and a result file that says how it came about."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from posetrack.evaluation.facts import facts, write_json

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"


def add_options(parser: argparse.ArgumentParser, *, result: str) -> None:
    """`--data`, the folder of reference data, and `--json`, where the figures go."""
    shared = Path(os.environ.get("POSETRACK_SHARED", REPOSITORY.parent / "shared"))
    parser.add_argument(
        "--data",
        type=Path,
        default=shared / "data",
        help="reference data (default: $POSETRACK_SHARED/data, or ../shared/data by the checkout)",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=RESULTS / result,
        help=f"result file (default: benchmarks/results/{result})",
    )


def check_data(parser: argparse.ArgumentParser, data: Path) -> None:
    """End with a usage error where the reference data is not there."""
    if not data.is_dir():
        parser.error(f"no reference data at {data}: give --data, or set POSETRACK_SHARED")


def write(path: Path, figures: dict[str, Any]) -> None:
    """Write `figures` below the machine, versions, commit, date and command."""
    said = {
        **facts(f"python benchmarks/{Path(sys.argv[0]).name}", sys.argv[1:]),
        "commit": commit(),
    }
    write_json(path, said | figures)
    Console(stderr=True, highlight=False).print(f"wrote {path}", markup=False, soft_wrap=True)


def commit() -> str:
    """The commit that was measured; ``-dirty`` where tracked code differs from it."""
    if shutil.which("git") is None:
        return "unknown"
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--exclude=*", "--dirty"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout; numbers to the right."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, str) else f"{cell:g}" for cell in row))
    Console(highlight=False, width=120 if not sys.stdout.isatty() else None).print(table)
    sys.stdout.flush()


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f}"
