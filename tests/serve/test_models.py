"""The networks that the daemon's streams share."""

from __future__ import annotations

from typing import Any

import pytest
import tiny_models

from posetrack.config import BackendSettings
from posetrack.errors import BackendError
from posetrack.estimator import Estimator
from posetrack.serve.models import Models
from posetrack.serve.settings import BatchSettings, StreamSettings


def test_where_the_second_copy_cannot_be_loaded_the_first_is_freed(
    models: tiny_models.Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, opened, closed = Estimator.load, [], []

    def load_one(*args: Any, **options: Any) -> Estimator:
        if opened:
            raise BackendError("no memory for another")
        opened.append(load(*args, **options))
        return opened[0]

    monkeypatch.setattr(Estimator, "load", load_one)
    monkeypatch.setattr(Estimator, "close", lambda estimator: closed.append(estimator))
    settings = StreamSettings.model_validate(
        {
            "id": "s0",
            "url": "clip.mp4",
            "detector": {"model": str(models.det)},
            "pose": {"model": str(models.pose)},
        }
    )
    shared = Models(BackendSettings(threads=1), BatchSettings(copies=2))
    with pytest.raises(BackendError, match="no memory"), shared.perception(settings, fps=25):
        pass
    assert closed == opened
    shared.close()
