"""A running daemon stands what somebody with bad intentions sends; benchmarks/daemon_fuzz.py sends
more of the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from daemons import TOKEN, running, settings
from intruders import Intruder
from tiny_models import Models

CASES = 12


@pytest.fixture(scope="module")
def intruder(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intruder]:
    folder = tmp_path_factory.mktemp("intruder")
    data = settings(models, folder / "media", 1, limits={"streams": 4})
    with running(data, folder / "run", environment={"POSETRACK_TOKEN": TOKEN}) as daemon:
        daemon.wait_running("s0")
        yield Intruder(daemon, folder / "media")


@pytest.mark.parametrize(
    "kind",
    [
        *("http", "handshake", "messages", "queries", "bodies", "addresses", "recordings"),
        *("passers-by", "reload"),
    ],
)
def test_nothing_comes_of_it(intruder: Intruder, kind: str) -> None:
    for seed in range(CASES):
        assert intruder.try_one(kind, seed) == [], seed


def test_every_kind_is_tried_and_nothing_is_left_of_it(intruder: Intruder) -> None:
    assert len(intruder.kinds) == 9
    assert intruder.aftermath() == []
