"""Tiny models, and a daemon without a web server in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import daemons
import httpx
import pytest
import yaml
from tiny_models import Models, make_models

from posetrack.serve.api.app import make_app
from posetrack.serve.daemon import Daemon
from posetrack.serve.settings import load_serve_config


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def make_daemon(models: Models, tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """A daemon that has begun, with settings over those of `daemons.settings`."""
    made: list[Daemon] = []

    def make(number: int = 1, **sections: Any) -> Daemon:
        data = daemons.settings(models, tmp_path / "media", number, **sections)
        file = tmp_path / "serve.yaml"
        file.write_text(yaml.safe_dump(data))
        daemon = Daemon.of(load_serve_config(file))
        daemon.start()
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.stop()


@pytest.fixture
def client_of() -> Callable[..., httpx.AsyncClient]:
    """A client of a daemon's application, without a socket."""

    def make(daemon: Daemon, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(make_app(daemon), client=("192.0.2.7", 1))
        return httpx.AsyncClient(
            transport=transport, base_url="http://localhost:8791", headers=headers
        )

    return make
