"""A headless Chromium for tests of pages; without one they are skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 60  # a browser on a busy machine
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def headless() -> Iterator[Any]:
    """The browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with playwright.sync_playwright() as player:
        path = found or player.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("no Chromium here: install one to test the page")
        # A sandbox inside a container's root account cannot be had.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        made = player.chromium.launch(executable_path=path, args=flags)
        yield made
        made.close()


def drawn(page: Any, canvas: str) -> str:
    """The pixels of a canvas; empty where nothing is drawn."""
    return page.evaluate(
        """id => {
          const canvas = document.getElementById(id);
          if (!canvas.width) return "";
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.some((value) => value) ? canvas.toDataURL() : "";
        }""",
        canvas,
    )


def is_complaint(line: Any) -> bool:
    """Whether a line of the console is a fault of the page.

    Answers that refuse, and a server that is gone, are told there too.
    """
    refused = line.text.startswith(("Failed to load resource", "WebSocket connection to"))
    return line.type == "error" and not refused
