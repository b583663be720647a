"""What a result file says of how it came about."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from posetrack.backends.cores import usable_cores

PACKAGES = (
    "posetrack",
    "numpy",
    "onnxruntime",
    "opencv-python",
    "opencv-python-headless",
    "av",
    "faster-coco-eval",
)


def facts(program: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Command, date, machine and versions."""
    return {
        "command": command(program, arguments),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
    }


def command(program: str, arguments: Sequence[str]) -> str:
    """The command line; of an absolute path, which holds on one machine only, the last name."""
    words = [re.sub(r"(?<![\w.])/(?:[^/\s@=]+/)*", "", word) for word in arguments]
    return " ".join([program, *words])


def machine() -> dict[str, Any]:
    """Processor, cores and system."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
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


def sha256(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_facts(path: Path) -> dict[str, str]:
    """Name and digest of a file."""
    return {"name": path.name, "sha256": sha256(path)}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` with numbers of five decimals; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(content), indent=2) + "\n", "utf-8")


def rounded(value: Any) -> Any:
    """`value` with floats of five decimals, what is not finite as None."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
