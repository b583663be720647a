"""Fixtures that several test packages share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure: the limit is the test's. Nor is a draw of chance: every run of a
# commit tries the same examples; ``pytest --hypothesis-profile=searching`` looks for others.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("searching", _PATIENT)
settings.register_profile("patient", _PATIENT, derandomize=True)
settings.load_profile("patient")

REPOSITORY = Path(__file__).parent.parent
REAL_TIME = {"batch", "cli", "end_to_end", "media", "pages", "pipeline", "serve", "view"}
"""Where tests wait for threads, processes, sockets and clocks that other work may hold up."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A second try for what depends on the machine; the summary names each that took it."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference data beside the checkout; the test is skipped where it is absent."""
    folder = Path(os.environ.get("POSETRACK_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no reference data at {folder}; set POSETRACK_SHARED to run this test")
    return folder


@pytest.fixture
def no_search_for_cycles() -> Iterator[None]:
    """What is not used any more is freed at once, or not at all."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
