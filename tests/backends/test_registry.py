"""Backends by name: what is asked is opened or refused in one line."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest

from posetrack import backends
from posetrack.backends import cores
from posetrack.errors import BackendError, BackendMissing, ModelNotFound


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.brightest_pixel(tmp_path / "model.onnx")


class Echo:
    """A backend of somebody else."""

    kind, device, precision = "echo", "nowhere", "fp32"

    def __init__(self, model: Path, **settings: object) -> None:
        self.model, self.settings = model, settings


def test_an_alias_opens_the_backend_it_stands_for(model: Path) -> None:
    assert backends.open_backend("ort", model).kind == "onnxruntime"


def test_a_dotted_path_opens_a_backend_of_your_own(model: Path) -> None:
    opened = backends.open_backend(f"{__name__}:Echo", model, threads=3)
    assert opened.kind == "echo"
    assert opened.settings["threads"] == 3  # type: ignore[attr-defined]


def test_an_unknown_name_gets_the_nearest_one(model: Path) -> None:
    with pytest.raises(BackendError, match=r"no backend named 'openvimo': did you mean openvino\?"):
        backends.open_backend("openvimo", model)


def test_a_backend_without_its_package_says_so_in_one_line(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r"tensorrt asked, not installed: pip install .*trt"):
        backends.open_backend("trt", model)


def test_a_missing_package_names_the_extra_to_install(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r"not installed: pip install posetrack\[openvino\]"):
        backends.open_backend("openvino", model)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"none\.onnx not found"):
        backends.open_backend("ort", tmp_path / "none.onnx")


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"threads": 0}, "0 threads asked"), ({"precision": "fp8"}, "precision 'fp8' is not known")],
)
def test_settings_out_of_range_are_refused(
    settings: dict[str, object], text: str, model: Path
) -> None:
    with pytest.raises(BackendError, match=text):
        backends.open_backend("ort", model, **settings)  # type: ignore[arg-type]


def test_installed_names_every_backend_and_imports_none() -> None:
    rows = {row.name: row for row in backends.installed()}
    assert set(rows) == set(backends.BACKENDS)
    assert rows["onnxruntime"].runs
    assert rows["onnxruntime"].version


def test_every_installed_backend_gives_the_same_answer(model: Path) -> None:
    batch = np.random.default_rng(1).normal(size=(3, 3, 256, 192)).astype(np.float32)
    answers = []
    for row in backends.installed():
        if row.runs and backends.model_formats(row.name) == ("onnx",):
            opened = backends.open_backend(row.name, model)
            answers.append(opened.run({"input": batch}))
            opened.close()
    for answer in answers[1:]:
        for name, value in answers[0].items():
            np.testing.assert_allclose(answer[name], value, atol=1e-4)


def test_a_detector_that_runs_ahead_takes_half_of_the_threads() -> None:
    assert backends.threads_ahead("ort", 8) == 4
    assert backends.threads_ahead("onnxruntime", 1) == 1
    assert backends.threads_ahead("onnxruntime", None) == max(1, cores.usable_cores() // 2)
    assert backends.threads_ahead("openvino", 8) == 8  # one pool for all its models
    assert backends.threads_ahead("torch", None) is None
