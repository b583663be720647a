"""What every benchmark shares: where the data is, and a result file that says how it came about."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("posetrack", "numpy", "onnxruntime", "opencv-python", "opencv-python-headless", "av")


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


def machine() -> dict[str, Any]:
    """Processor, cores and system."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Python and those of `PACKAGES` that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write(path: Path, figures: dict[str, Any]) -> None:
    """Write `figures` below the machine, versions, commit, date and command."""
    facts = {
        "command": command(sys.argv),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(facts | figures), indent=2) + "\n", "utf-8")
    Console(stderr=True, highlight=False).print(f"wrote {path}", markup=False, soft_wrap=True)


def command(argv: Sequence[str]) -> str:
    """The command line; of an absolute path, which holds on one machine only, the last name."""
    words = [re.sub(r"(?<![\w.])/(?:[^/\s@=]+/)*", "", word) for word in argv[1:]]
    return " ".join(["python", f"benchmarks/{Path(argv[0]).name}", *words])


def commit() -> str:
    """The commit that was measured; ``-dirty`` where tracked code differs from it."""
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--exclude=*", "--dirty"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def sha256(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


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


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, 5) if isinstance(value, float) else value
