"""A zoo of its own for every test: nothing is read from or written to the user's cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack.zoo import catalog, download


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched models; retries do not wait."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("POSETRACK_MODELS", str(folder))
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Empty folders (engines, cards) in place of those of the package."""
    engines, cards = tmp_path / "engines", tmp_path / "configs" / "models"
    engines.mkdir()
    cards.mkdir(parents=True)
    monkeypatch.setattr(catalog, "engines_dir", lambda: engines)
    monkeypatch.setattr(catalog, "configs_dir", lambda: cards.parent)
    return engines, cards
