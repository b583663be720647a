"""An ONNX graph as the files another runtime reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from posetrack.backends.onnx_header import read_header
from posetrack.cards import ModelCard
from posetrack.errors import BackendMissing, ModelError

LIMIT_S = 600
ADVICE = "give a graph without NMS inside, or another runtime"


def to_onnx(graph: Path, target: Path, card: ModelCard, precision: str) -> list[Path]:  # noqa: ARG001
    """The graph itself."""
    target.mkdir()
    return [Path(shutil.copyfile(graph, target / "model.onnx"))]


def to_openvino(graph: Path, target: Path, card: ModelCard, precision: str) -> list[Path]:  # noqa: ARG001
    """``model.xml`` and ``model.bin``; in fp16 the weights are stored in 16 bits."""
    import openvino as ov

    target.mkdir()
    path = target / "model.xml"
    ov.save_model(ov.convert_model(graph), path, compress_to_fp16=precision == "fp16")
    return [path, path.with_suffix(".bin")]


def to_ncnn(graph: Path, target: Path, card: ModelCard, precision: str) -> list[Path]:
    """``model.param`` and ``model.bin`` for one picture of the card's size, made by pnnx.

    Raises:
        BackendMissing: pnnx is not installed.
        ModelError: pnnx fails, or leaves an operator that ncnn does not have.
    """
    if find_spec("pnnx") is None:
        raise BackendMissing(
            "--to ncnn needs the converter pnnx, which is not installed: pip install --no-deps pnnx"
        )
    target.mkdir()
    copy = Path(shutil.copyfile(graph, target / "model.onnx"))
    width, height = card.input.size
    half = int(precision == "fp16")
    command = [_pnnx(), copy.name, f"inputshape=[1,3,{height},{width}]", f"fp16={half}"]
    try:
        done = subprocess.run(
            command, cwd=target, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"pnnx did not end within {LIMIT_S} s: try again") from error
    made, weights = target / "model.ncnn.param", target / "model.ncnn.bin"
    if done.returncode or not weights.is_file():
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise ModelError(f"pnnx stopped ({' '.join(said[-1].split())}): {ADVICE}")
    header = read_header(graph)
    names = [spec.name for spec in header.outputs]
    text = _named(made.read_text("utf-8"), header.inputs[0].name, names, (width, height))
    left = sorted({line.split()[0] for line in text.splitlines() if "." in line.split()[0]})
    if left:  # ncnn's own layers have no dot in their names
        raise ModelError(
            f"ncnn has no layer for {', '.join(left)}: give a graph without NMS inside"
        )
    path = target / "model.param"
    path.write_text(text, "utf-8")
    return [path, weights.replace(target / "model.bin")]


TARGETS: dict[str, Callable[[Path, Path, ModelCard, str], list[Path]]] = {
    "onnx": to_onnx,
    "openvino": to_openvino,
    "ncnn": to_ncnn,
    "trt": to_onnx,
}
"""Each takes the graph, a folder to make, the card and the precision; the main file comes first."""


def _pnnx() -> str:
    """The converter's program. Its Python module is not imported: that would load PyTorch."""
    spec = find_spec("pnnx")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx"))


def _named(param: str, input_: str, outputs: list[str], size: tuple[int, int]) -> str:
    """pnnx's text with the graph's names for its ``in0``, ``out0``, ... and the input's shape."""
    layer = f"Input {input_} 0 1 in0 0={size[0]} 1={size[1]} 2=3"
    text, found = re.subn(r"^Input +in0 .*$", layer, param, flags=re.MULTILINE)
    if found != 1:
        raise ModelError("pnnx wrote a network without one input: it cannot be used")
    text = re.sub(r"\bin0\b", input_, text)
    return re.sub(r"\bout(\d+)\b", lambda match: outputs[int(match[1])], text)
