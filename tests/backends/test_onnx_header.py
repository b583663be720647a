"""What an ONNX file declares, read without a runtime."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posetrack.backends.onnx_header import read_header
from posetrack.errors import ModelError


def test_the_header_tells_names_shapes_and_operators(tmp_path: Path) -> None:
    path = graphs.detector_with_nms(tmp_path / "m.onnx", [[0, 0, 5, 5, 0.9]], [0])
    header = read_header(path)
    assert [spec.name for spec in header.inputs] == ["input"]
    assert header.inputs[0].shape == (None, 3, None, None)
    assert [(spec.name, spec.shape) for spec in header.outputs] == [
        ("dets", (1, 1, 5)),
        ("labels", (1, 1)),
    ]
    assert header.outputs[1].dtype == np.int64
    assert {"ReduceMean", "Mul", "Add"} <= header.operators


@given(content=st.binary(min_size=1, max_size=200))
def test_no_content_does_more_than_raise_a_model_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("junk") / "junk.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        read_header(path)
