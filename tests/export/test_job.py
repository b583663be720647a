"""Exported folders run as every model does; what contradicts itself or drifts is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import graphs
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from posetrack import backends, demo, zoo
from posetrack.backends import open_backend
from posetrack.backends.onnx_header import read_header
from posetrack.detector import Detector
from posetrack.errors import BackendMissing, ConfigError, ModelError
from posetrack.estimator import Estimator
from posetrack.export import graph, job, parity
from posetrack.export.graph import simplified
from posetrack.export.half import cast_half, kept_in_full
from posetrack.export.job import Plan, export
from posetrack.export.parity import Parity, compare


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of the demo."""
    folder = tmp_path_factory.mktemp("pictures")
    for index, (image, _) in enumerate(list(demo.frames(0.5))[::2]):
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return folder


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (Plan(precision="int8"), "precision int8 asked, which needs --calibrate"),
        (Plan(calibrate=Path("a")), "precision fp32 asked, which does not calibrate"),
        (Plan(target="ncnn", fold="input"), "ncnn files are float graphs"),
        (Plan(nms=True), "is a pose model, it has no NMS"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(plan: Plan, text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=text):
        export(zoo.find(task="pose"), tmp_path / "out", plan, name="m")
    assert not (tmp_path / "out").exists()


def test_a_folded_model_is_not_exported_again(tmp_path: Path) -> None:
    export(zoo.find(task="detection"), tmp_path, Plan(fold="input"), name="m")
    with pytest.raises(ConfigError, match="m is folded already"):
        export(zoo.find(tmp_path), tmp_path / "again", Plan(), name="again")


def test_without_onnx_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r"needs onnx.*posetrack\[export\]"):
        export(zoo.find(task="pose"), tmp_path / "out", Plan(fold="all"), name="m")


def test_a_runtime_that_is_not_installed_is_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = backends.Installed("tensorrt", None, False, "pip install posetrack[trt]")
    monkeypatch.setattr(job, "installed", lambda: (none,))
    with pytest.raises(BackendMissing, match=r"--to trt needs tensorrt, not installed: pip inst"):
        export(zoo.find(task="pose"), tmp_path / "out", Plan(target="trt"), name="m")


def test_figures_and_facts_go_with_the_model_they_are_true_of(tmp_path: Path) -> None:
    model = zoo.find(task="pose")
    card, _ = export(model, tmp_path / "same", Plan(fold="all"), name="same")
    assert card.accuracy == model.card.accuracy, "the same answers"
    assert (card.licence, card.thresholds) == (model.card.licence, model.card.thresholds)
    half, _ = export(model, tmp_path / "half", Plan(precision="fp16"), name="half")
    assert not half.accuracy
    assert half.notes.endswith(f"Exported from {model.name} (onnx, fp16).")
    assert zoo.find(tmp_path / "half").card == half


# float16


def test_half_keeps_the_tail_and_what_sums_in_full() -> None:
    model = simplified(zoo.find(task="pose").path)
    kept = kept_in_full(model)
    kinds = {node.name: node.op_type for node in model.graph.node}
    assert not any(kinds[name] == "Conv" for name in kept)
    assert {name for name, kind in kinds.items() if kind in {"MatMul", "ReduceL2"}} <= kept
    assert {name for name, kind in kinds.items() if kind == "GlobalAveragePool"} <= kept


@pytest.mark.parametrize("task", ["pose", "detection"])
def test_the_cast_graph_is_well_typed_smaller_and_near(task: str, tmp_path: Path) -> None:
    found = zoo.find(task=task)  # type: ignore[arg-type]
    model = simplified(found.path)
    whole = len(model.SerializeToString())
    cast_half(model)
    onnx.checker.check_model(model, full_check=True)
    assert len(model.SerializeToString()) < 0.65 * whole
    path = tmp_path / "half.onnx"
    onnx.save(model, path)
    assert read_header(path).precision == "fp16"
    weights = [numpy_helper.to_array(t) for t in model.graph.initializer if len(t.dims) == 4]
    assert all(values.dtype == np.float16 for values in weights)
    kind = Estimator if task == "pose" else Detector
    half = open_backend("ort", path, precision="fp16")
    near = compare(kind.load(threads=1, precision="fp32"), kind(found.card, half))
    assert near.within(parity.TOLERANCES["fp16"]), str(near)
    full = open_backend("ort", found.path)
    spec, name = full.inputs[0], full.outputs[0].name
    width, height = found.card.input.size
    noise = np.random.default_rng(0).normal(size=(1, 3, height, width)).astype(np.float32)
    one, other = (graph.run({spec.name: noise})[name] for graph in (full, half))
    assert np.abs(one - other).max() > 0, "something was rounded"


# int8


def test_int8_is_smaller_says_so_and_finds_the_same_people(clip: Path, tmp_path: Path) -> None:
    plan = Plan(precision="int8", fold="all", calibrate=clip)
    model = zoo.find(task="pose")
    card, near = export(model, tmp_path, plan, name="small")
    assert near.mean > 0.95
    assert card.files[0].precision == "int8"
    assert f"calibrated on {clip.name}" in card.notes
    path = tmp_path / "model.onnx"
    assert open_backend("ort", path).precision == "int8"
    scales = [t for t in onnx.load(path).graph.initializer if t.name.endswith("_scale")]
    assert any(len(t.dims) == 1 and t.dims[0] > 1 for t in scales), "per channel"


def test_the_file_of_the_asked_precision_is_taken(tmp_path: Path) -> None:
    model = zoo.find(task="pose")
    export(model, tmp_path / "half", Plan(precision="fp16"), name="half")
    (file,) = zoo.find(tmp_path / "half").card.files
    both = tmp_path / "both"
    both.mkdir()
    (both / "half.onnx").write_bytes((tmp_path / "half" / "model.onnx").read_bytes())
    (both / "model.onnx").write_bytes(model.path.read_bytes())
    files = (file.model_copy(update={"path": "half.onnx"}), model.card.files[0])
    card = model.card.model_copy(update={"files": files})
    (both / "card.yaml").write_text(card.to_yaml(), "utf-8")
    assert Estimator.load(both, threads=1).backend.precision == "fp32"
    assert Estimator.load(both, threads=1, precision="fp16").backend.precision == "fp16"


def test_nobody_to_calibrate_on_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "grey.png"), np.full((120, 160, 3), 90, np.uint8))
    plan = Plan(precision="int8", calibrate=tmp_path / "in")
    with pytest.raises(ConfigError, match=r"calibration data .*in shows nobody"):
        export(zoo.find(task="pose"), tmp_path / "out", plan, name="m")


# the gate


def test_a_model_that_drifts_is_refused_with_the_numbers_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = parity.Tolerance(px=-1.0, oks=1.0, iou=1.0, cosine=1.0)  # nothing is so near
    monkeypatch.setitem(parity.TOLERANCES, "fp16", strict)
    with pytest.raises(ModelError, match=r"m refused: it is \d+\.\d+ px, mean OKS \d\.\d+ over 32"):
        export(zoo.find(task="pose"), tmp_path / "out", Plan(precision="fp16"), name="m")
    assert not (tmp_path / "out").exists()


def test_a_broken_network_is_far_away(tmp_path: Path) -> None:
    found = zoo.find(task="pose")
    model = simplified(found.path)
    weights = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    tensor = weights[len(weights) // 2]
    values = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(values * np.float32(-1), tensor.name))
    onnx.save(model, tmp_path / "broken.onnx")
    broken = Estimator(found.card, open_backend("ort", tmp_path / "broken.onnx", threads=1))
    assert not compare(Estimator.load(threads=1, precision="fp32"), broken).within(
        parity.TOLERANCES["int8"]
    )


def test_a_detector_that_finds_nobody_any_more_is_far_away(tmp_path: Path) -> None:
    empty = graphs.detector(tmp_path / "det.onnx", [[0, 0, 9, 9]], [[0.0]])
    near = compare(Detector.load(threads=1), Detector.load(empty, threads=1))
    assert near.mean == 0
    assert not near.within(parity.TOLERANCES["int8"])
    assert not Parity(float("nan"), 1.0, "OKS", 1).within(parity.TOLERANCES["int8"])
