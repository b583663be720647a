"""The site: its reference is what the code says, every page is in it, and it builds."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from page_blocks import ROOT

SETTINGS = (ROOT / "mkdocs.yml").read_text("utf-8")


def _writer() -> ModuleType:
    place = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "reference_pages.py")
    assert place
    assert place.loader
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli", "settings", "python"])
def test_a_page_of_the_reference_is_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text("utf-8")
    assert _writer().PAGES[page]() == written, "run: python docs/reference_pages.py"


def test_the_reference_tells_what_changes() -> None:
    """A setting, a command and a limit that exist are there, in their places."""
    pages = _writer().PAGES
    assert "| `detector.interval` | whole number | `5` | detect on every n-th frame" in (
        pages["settings"]()
    )
    assert "### posetrack tracks swap" in pages["cli"]()
    assert "`Result`" in pages["python"]() or "## Result" in pages["python"]()


def test_every_page_is_in_the_navigation() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r": (\S+\.md)$", SETTINGS, re.MULTILINE)) == pages, "see mkdocs.yml: nav"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed: pip install .[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    # Its makers announce their next program in each build.
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert "Track a video" in (tmp_path / "index.html").read_text("utf-8")
    # What lies outside docs/ is linked in the repository.
    assert "/blob/main/configs/serve.yaml" in (tmp_path / "serve.html").read_text("utf-8")
