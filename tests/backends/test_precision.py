from __future__ import annotations

import pytest

from posetrack.backends import open_backend, precision
from posetrack.backends.precision import fastest_precision
from posetrack.estimator import Estimator
from posetrack.export.parity import require_parity
from posetrack.opening import open_model

VNNI, BF16 = frozenset({"avx2", "avx512_vnni"}), frozenset({"avx512_bf16"})


def processor(monkeypatch: pytest.MonkeyPatch, *instructions: str) -> None:
    monkeypatch.setattr(precision, "cpu_instructions", lambda: frozenset(instructions))


@pytest.mark.parametrize(
    ("backend", "device", "instructions", "expected"),
    [
        ("onnxruntime", "cpu", VNNI, "int8"),
        ("onnxruntime", "cpu", {"avx_vnni"}, "int8"),
        ("onnxruntime", "cpu", {"avx2"}, "fp32"),
        ("onnxruntime", "cpu", (), "fp32"),
        ("onnxruntime", "cuda:0", VNNI, "fp32"),
        ("openvino", "cpu", BF16 | VNNI, "bf16"),
        ("openvino", "cpu", VNNI, "fp32"),
        ("torch", "cpu", BF16 | VNNI, "fp32"),
    ],
)
def test_auto_takes_what_the_processor_computes_in(
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    device: str,
    instructions: frozenset[str],
    expected: str,
) -> None:
    processor(monkeypatch, *instructions)
    assert fastest_precision(backend, device) == expected


@pytest.mark.parametrize(("instructions", "expected"), [(VNNI, "int8"), ({"avx2"}, "fp32")])
def test_the_embedded_pose_model_runs_in_int8_where_that_pays(
    monkeypatch: pytest.MonkeyPatch, instructions: frozenset[str], expected: str
) -> None:
    processor(monkeypatch, *instructions)
    _, backend = open_model(None, "pose")
    assert backend.precision == expected


def test_a_model_without_an_int8_file_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, *VNNI)
    _, backend = open_model(None, "detection")
    assert backend.precision == "fp32"


def test_a_precision_asked_by_name_is_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, *VNNI)
    _, backend = open_model(None, "pose", precision="fp32")
    assert backend.precision == "fp32"
    processor(monkeypatch)
    _, backend = open_model(None, "pose", precision="int8")
    assert backend.precision == "int8"


@pytest.mark.skipif(
    fastest_precision("onnxruntime", "cpu") != "int8",
    reason="int8 products saturate on this processor",
)
def test_int8_sees_what_fp32_sees() -> None:
    require_parity(
        "int8", Estimator.load(precision="fp32"), Estimator.load(precision="int8"), "int8"
    )


def test_auto_of_one_file_is_what_the_file_is_in() -> None:
    from posetrack.zoo import find

    backend = open_backend("onnxruntime", find(task="pose").path, precision="auto")
    assert backend.precision == "fp32"
