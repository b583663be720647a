"""ncnn, where it is installed: a converted model finds what the ONNX graph finds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

from posetrack import zoo
from posetrack.backends import open_backend
from posetrack.detector import Detector
from posetrack.errors import BackendError, DeviceError, ModelError
from posetrack.estimator import Estimator
from posetrack.export.convert import to_ncnn
from posetrack.export.fold import append_nms
from posetrack.export.graph import simplified
from posetrack.export.job import Plan, export
from posetrack.export.parity import TOLERANCES, compare

pytest.importorskip("ncnn")

PARAM = """7767517
3 4
Input input 0 1 input 0=4 1=2 2=3
Split split 1 2 input a b
BinaryOp sum 2 1 a b doubled 0=0
"""


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """A network without weights: its input, doubled."""
    path = tmp_path / "double.param"
    path.write_text(PARAM)
    path.with_suffix(".bin").write_bytes(bytes(4))
    return path


def test_specs_come_from_the_file_and_a_first_run(doubler: Path) -> None:
    backend = open_backend("ncnn", doubler)
    assert (backend.kind, backend.device, backend.precision) == ("ncnn", "cpu", "fp32")
    (taken,), (given,) = backend.inputs, backend.outputs
    assert (taken.name, taken.shape) == ("input", (None, 3, 2, 4))
    assert (given.name, given.shape) == ("doubled", (None, 3, 2, 4))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_rows_of_a_batch_are_run_in_turn(count: int, doubler: Path) -> None:
    batch = np.random.default_rng(0).normal(size=(count, 3, 2, 4)).astype(np.float32)
    backend = open_backend("ncnn", doubler)
    first = backend.run({"input": batch})["doubled"]
    backend.run({"input": np.zeros((1, 3, 2, 4), np.float32)})
    np.testing.assert_allclose(first, 2 * batch, rtol=1e-6)


def test_a_wrong_input_is_refused(doubler: Path) -> None:
    with pytest.raises(BackendError, match=r"ncnn takes input \(None, 3, 2, 4\), got"):
        open_backend("ncnn", doubler).run({"input": np.zeros((1, 3, 9, 4), np.float32)})


def test_what_is_missing_is_named(doubler: Path) -> None:
    with pytest.raises(DeviceError, match="device 'cuda' asked, ncnn here offers cpu"):
        open_backend("ncnn", doubler, device="cuda")
    with pytest.raises(BackendError, match="precision int8 asked of ncnn"):
        open_backend("ncnn", doubler, precision="int8")
    doubler.write_text(PARAM.replace(" 0=4 1=2 2=3", ""))
    with pytest.raises(ModelError, match="does not say its input's shape"):
        open_backend("ncnn", doubler)
    doubler.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"no double\.bin beside it"):
        open_backend("ncnn", doubler)


@pytest.mark.parametrize(("task", "precision"), [("pose", "fp32"), ("detection", "fp16")])
def test_a_converted_model_finds_the_same(task: str, precision: str, tmp_path: Path) -> None:
    if find_spec("pnnx") is None:
        pytest.skip("pnnx is not installed")
    model = zoo.find(task=task)  # type: ignore[arg-type]
    plan = Plan(target="ncnn", precision=precision)  # type: ignore[arg-type]
    card, parity = export(model, tmp_path, plan, name="small")
    assert parity.within(TOLERANCES[precision])
    assert [file.format for file in card.files] == ["ncnn", "weights"]
    kind = Estimator if task == "pose" else Detector
    again = kind.load(tmp_path, backend="ncnn", threads=1)
    plain = kind.load(threads=1, precision="fp32")  # of itself it would take int8
    assert compare(plain, again).within(TOLERANCES[precision])
    (tmp_path / "model.bin").write_bytes(b"others")
    with pytest.raises(ModelError, match="the card says"):
        zoo.find(tmp_path, formats=("ncnn",))


def test_what_ncnn_cannot_compute_is_told(tmp_path: Path) -> None:
    if find_spec("pnnx") is None:
        pytest.skip("pnnx is not installed")
    found = zoo.find(task="detection")
    model = simplified(found.path)
    append_nms(model, 0.3, 0.6)
    onnx.save(model, tmp_path / "nms.onnx")
    with pytest.raises(ModelError, match=r"(pnnx|ncnn) .*: give a graph without NMS"):
        to_ncnn(tmp_path / "nms.onnx", tmp_path / "out", found.card, "fp32")
