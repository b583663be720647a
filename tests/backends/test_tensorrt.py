"""TensorRT's documented interface, kept to on a double that records the calls; no hardware."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from tensorrt_double import Memory, TensorRt

from posetrack import backends, zoo
from posetrack.backends import cuda, open_backend
from posetrack.backends.engines import engine_path, load_or_build
from posetrack.errors import BackendError, BackendMissing, DeviceError, ModelError
from posetrack.export import parity
from posetrack.export.job import Plan, export
from posetrack.opening import open_model

Open = Callable[..., Any]


@pytest.fixture(params=["10.13.3", "11.4.0"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[TensorRt]:
    """The double in the place of the package, for one test."""
    memory = Memory()
    double = TensorRt(request.param, memory)
    monkeypatch.setitem(sys.modules, "tensorrt", double)
    monkeypatch.delitem(sys.modules, "posetrack.backends.tensorrt", raising=False)
    monkeypatch.setattr(backends, "_version", lambda name: "double")
    monkeypatch.setattr(cuda, "open_memory", lambda number: memory)
    yield double
    sys.modules.pop("posetrack.backends.tensorrt", None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.brightest_pixel(tmp_path / "model.onnx", keypoints=5, size=(32, 64))


@pytest.fixture
def opened(library: TensorRt, model: Path, tmp_path: Path) -> Iterator[Any]:
    backend = open_backend("trt", model, device="cuda", options={"cache": tmp_path / "cache"})
    yield backend
    backend.close()
    assert library.memory.closed


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, 3, 64, 32)).astype(np.float32)


def test_the_calls_come_in_the_documented_order(library: TensorRt, opened: Any) -> None:
    names = [call[0] for call in library.calls]
    order = ["create_network", "parse", "clear_flag", "build", "deserialize"]
    assert [name for name in names if name in order] == order
    strongly_typed = 1 << 3 if library.__version__.startswith("10") else 0
    assert library.calls[0] == ("create_network", strongly_typed), "always on from 11"
    assert ("build", 3) in library.calls, "a profile for 1, 8 and 32 rows"
    assert (opened.device, opened.precision, opened.built) == ("cuda:0", "fp32", True)


@pytest.mark.parametrize("count", [1, 2, 8, 9, 32, 33, 70])
def test_every_batch_size_answers_as_the_graph(
    count: int, library: TensorRt, opened: Any, model: Path
) -> None:
    batch = pixels(count)
    found = opened.run({"input": batch})
    expected = open_backend("ort", model).run({"input": batch})
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    rows = [call[1][0] for call in library.calls if call[0] == "execute"]
    assert rows == [32] * (count // 32) + ([count % 32] if count % 32 else [])


def test_a_batch_takes_the_smallest_profile_that_holds_it(library: TensorRt, opened: Any) -> None:
    for count in (1, 5, 8, 20, 1):
        opened.run({"input": pixels(count)})
    profiles = [call[1] for call in library.calls if call[0] == "profile"]
    assert profiles == [0, 1, 2], "one context each, made when it is first needed"


def test_memory_grows_and_is_kept(library: TensorRt, opened: Any) -> None:
    opened.run({"input": pixels(2)})
    held = len(library.memory.blocks)
    opened.run({"input": pixels(8)})
    first = set(library.memory.blocks)
    opened.run({"input": pixels(3)})
    assert set(library.memory.blocks) == first, "nothing is allocated for a smaller batch"
    assert len(first) == held


def test_an_engine_is_kept_and_found_again(library: TensorRt, opened: Any, model: Path) -> None:
    cache = opened._folder
    again = open_backend("trt", model, device="cuda", options={"cache": cache})
    assert not again.built  # type: ignore[attr-defined]
    assert [call[0] for call in library.calls].count("build") == 1
    library.__version__ = "10.99"
    other = open_backend("trt", model, device="cuda", options={"cache": cache})
    assert other.built, "another version builds its own"  # type: ignore[attr-defined]
    for backend in (again, other):
        with library.memory.current():
            backend._engines.clear()  # type: ignore[attr-defined]


def test_the_key_changes_with_everything_an_engine_depends_on(model: Path, tmp_path: Path) -> None:
    facts = {"tensorrt": "11.4", "device": "A sm_90", "precision": "fp16", "shapes": [[1, 3]]}
    paths = {engine_path(tmp_path, model, facts)}
    for key in facts:
        paths.add(engine_path(tmp_path, model, facts | {key: "other"}))
    model.write_bytes(model.read_bytes() + b"\0")
    paths.add(engine_path(tmp_path, model, facts))
    assert len(paths) == 6


def test_a_build_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise ModelError("no")

    with pytest.raises(ModelError):
        load_or_build(tmp_path / "a.engine", fail)
    assert not list(tmp_path.iterdir())


def test_a_graph_of_one_fixed_batch_is_filled_up(library: TensorRt, tmp_path: Path) -> None:
    path = graphs.brightest_pixel(tmp_path / "two.onnx", keypoints=5, size=(32, 64), batch=2)
    backend = open_backend("trt", path, device="cuda:0", options={"cache": tmp_path / "cache"})
    assert ("build", 1) in library.calls
    assert backend.run({"input": pixels(3)})["simcc_x"].shape == (3, 5, 64)
    backend.close()


def test_free_sides_are_built_at_first_use_for_the_size_that_comes(
    library: TensorRt, tmp_path: Path
) -> None:
    path = graphs.detector(tmp_path / "det.onnx", [[0, 0, 9, 9]], [[0.5]])
    backend = open_backend("trt", path, device="cuda", options={"cache": tmp_path / "cache"})
    assert not [call for call in library.calls if call[0] == "build"]
    for side in (32, 32, 64):
        backend.run({"input": np.zeros((1, 3, side, side), np.float32)})
    assert [call[0] for call in library.calls].count("build") == 2
    backend.close()


def test_what_goes_wrong_is_one_line(library: TensorRt, model: Path, tmp_path: Path) -> None:
    options = {"cache": tmp_path / "cache"}
    with pytest.raises(DeviceError, match="device 'cpu' asked of tensorrt"):
        open_backend("trt", model, device="cpu", options=options)
    with pytest.raises(BackendError, match="networks are strongly typed"):
        open_backend("trt", model, device="cuda", precision="fp16", options=options)
    library.plan_fails = True
    with pytest.raises(ModelError, match=r"cannot build .*no implementation for node X"):
        open_backend("trt", model, device="cuda", options=options)


def test_a_new_engine_is_compared_with_its_graph_and_refused_where_it_drifts(
    library: TensorRt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    export(zoo.find(task="pose"), tmp_path / "half", Plan(precision="fp16", fold="all"), name="m")
    library.memory.closed = False
    model, backend = open_model(
        tmp_path / "half", "pose", backend="trt", device="cuda", precision="fp16"
    )
    assert (backend.kind, backend.precision, model.name) == ("tensorrt", "fp16", "m")
    backend.close()
    kept = list((tmp_path / "cache").rglob("*.engine"))
    assert len(kept) == 1
    kept[0].unlink()
    monkeypatch.setattr(parity, "compare", lambda a, b: parity.Parity(40.0, 0.5, "OKS", 32))
    with pytest.raises(ModelError, match=r"m refused: it is 40\.00 px, mean OKS 0\.5000"):
        open_model(tmp_path / "half", "pose", backend="trt", device="cuda", precision="fp16")
    assert not list((tmp_path / "cache").rglob("*.engine")), "it is not found again"


def test_without_a_cuda_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r"cuda-python or pycuda.*posetrack\[trt\]"):
        cuda.open_memory(0)


@pytest.mark.skipif(find_spec("cuda") is None, reason="cuda-python is not installed")
def test_without_a_driver_no_gpu_answers() -> None:
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is a driver")
    with pytest.raises(DeviceError, match="device 'cuda:0' asked, no GPU answers"):
        cuda.open_memory(0)


def test_export_for_tensorrt_builds_the_engine_and_compares_it(
    library: TensorRt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plan = Plan(target="trt", precision="fp16", fold="all")
    card, near = export(zoo.find(task="pose"), tmp_path / "out", plan, name="m")
    assert near.within(parity.TOLERANCES["fp16"])
    assert [(file.format, file.precision) for file in card.files] == [("onnx", "fp16")]
    model = zoo.find(tmp_path / "out", precision="fp16")
    again = open_backend("trt", model.path, device="cuda", precision="fp16")
    assert not again.built, "found in the cache"  # type: ignore[attr-defined]
    again.close()
