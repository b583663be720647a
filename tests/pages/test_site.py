"""The site: its reference is what the code says, every page is in it, and it builds."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from page_blocks import ROOT

SETTINGS = (ROOT / "mkdocs.yml").read_text("utf-8")


def _module(name: str) -> ModuleType:
    """A file of docs/ as a module: the folder is no package."""
    place = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert place
    assert place.loader
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli", "settings", "python"])
def test_a_page_of_the_reference_is_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text("utf-8")
    assert _module("reference_pages").PAGES[page]() == written, (
        "run: python docs/reference_pages.py"
    )


def test_the_reference_tells_what_changes() -> None:
    """A setting, a command and a limit that exist are there, in their places."""
    pages = _module("reference_pages").PAGES
    assert "| `detector.interval` | whole number | `5` | detect on every n-th frame" in (
        pages["settings"]()
    )
    assert "### posetrack tracks swap" in pages["cli"]()
    assert "`Result`" in pages["python"]() or "## Result" in pages["python"]()


def test_every_page_is_in_the_navigation() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r": (\S+\.md)$", SETTINGS, re.MULTILINE)) == pages, "see mkdocs.yml: nav"


def test_a_link_out_of_the_pages_leads_into_the_repository_or_is_an_error() -> None:
    errors = pytest.importorskip("mkdocs.exceptions", reason="needs posetrack[docs]")
    page = SimpleNamespace(file=SimpleNamespace(src_uri="tutorials/daemon.md"))
    config = {"docs_dir": str(ROOT / "docs"), "extra": {"repository": "https://example.org/p"}}
    linked = _module("repository_links").on_page_markdown
    text = linked("[a](../../configs/run.yaml), [b](../faq.md)", page=page, config=config)
    assert text == "[a](https://example.org/p/blob/main/configs/run.yaml), [b](../faq.md)"
    with pytest.raises(errors.PluginError, match=r"none\.yaml, which does not exist"):
        linked("[a](../../none.yaml)", page=page, config=config)


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
