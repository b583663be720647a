"""The files that ship with the package are found wherever it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack import resources
from posetrack.errors import ModelNotFound


def test_a_checkout_has_both_folders() -> None:
    assert resources.configs_dir().joinpath("models").is_dir()
    assert resources.engines_dir().name == "engines"


def test_an_installed_wheel_has_them_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "posetrack"
    (package / "_data" / "engines").mkdir(parents=True)
    (package.parent / "configs").mkdir()  # of some other package
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.engines_dir() == package / "_data" / "engines"
    with pytest.raises(ModelNotFound, match="own configs folder is missing: install posetrack"):
        resources.configs_dir()
