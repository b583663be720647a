"""The three dependency rules of the house (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import posetrack

PACKAGE = Path(posetrack.__file__).parent
HEAVY = ("torch", "onnxruntime", "tensorrt", "openvino")


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(prefix: str) -> set[str]:
    """Files of the package, outside `prefix` itself, that import it."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        module = "posetrack." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not module.startswith(prefix) and any(
            name == prefix or name.startswith(prefix + ".") for name in imported(path)
        ):
            found.add(path.relative_to(PACKAGE).as_posix())
    return found


def test_what_the_package_offers_is_listed() -> None:
    assert set(posetrack.__all__) <= set(dir(posetrack))


def test_importing_the_package_and_asking_for_help_load_no_backend() -> None:
    script = (
        "import sys, posetrack; from posetrack.cli.main import main\n"
        "sys.argv = ['posetrack', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_help_answers_at_once() -> None:
    def once(*command: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        return time.perf_counter() - begin

    # What Python itself takes to start is not ours, and tells how busy the machine is just then.
    took_s = [
        (once("-c", "import typing, re, enum"), once("-m", "posetrack", "--help")) for _ in range(4)
    ]
    assert any(ours - bare < max(0.3, 3 * bare) for bare, ours in took_s), f"bare, help: {took_s}"


def test_backends_know_tensors_and_not_people() -> None:
    for path in (PACKAGE / "backends").glob("*.py"):
        ours = {m for m in imported(path) if m.startswith("posetrack.")}
        allowed = ("posetrack.errors", "posetrack.backends")
        if path.name == "torch.py":
            allowed += ("posetrack.networks",)
        strangers = {m for m in ours if not m.startswith(allowed)}
        assert not strangers, f"{path.name} imports {sorted(strangers)}"


def test_the_daemon_is_reached_only_from_its_command() -> None:
    # The viewer has the same page style and keeps others out in the same way.
    viewer = {"view/app.py", "view/door.py"}
    assert importers("posetrack.serve") == {"cli/serve.py"} | viewer
    assert importers("posetrack.view") == {"cli/view.py"}


def test_training_and_networks_are_reached_only_from_their_own_doors() -> None:
    doors = {"backends/torch.py", "zoo/convert.py"}
    for prefix in ("posetrack.training", "posetrack.networks"):
        found = {
            f for f in importers(prefix) if not f.startswith(("training/", "networks/", "cli/"))
        }
        assert found <= doors, f"{prefix} is imported by {sorted(found - doors)}"
