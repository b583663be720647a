"""A trained detector whose dense answers a student of the same priors learns from."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from posetrack.errors import ModelError


class Teacher:
    """Scores and boxes of every prior, from an ONNX graph cut before its NMS.

    Args:
        path: an RTMDet ONNX graph.
        scores: name of the tensor (B, A, 1) of scores.
        boxes: name of the tensor (B, A, 4) of xyxy boxes in input px.
        threads: for ONNX Runtime.
    """

    def __init__(self, path: Path, scores: str, boxes: str, threads: int = 1) -> None:
        import onnx

        from posetrack.backends import open_backend

        if not path.is_file():
            raise ModelError(f"no teacher at {path}: set teacher.onnx or leave the teacher out")
        graph = onnx.load(str(path))
        known = {name for node in graph.graph.node for name in node.output}
        if missing := {scores, boxes} - known:
            raise ModelError(f"the teacher {path.name} has no tensors {sorted(missing)}")
        name = graph.graph.input[0].name
        part = onnx.utils.Extractor(graph).extract_model([name], [scores, boxes])
        with tempfile.TemporaryDirectory() as folder:
            cut = Path(folder) / "teacher.onnx"
            onnx.save(part, str(cut))
            self._backend = open_backend("onnxruntime", cut, threads=threads)
        self._input, self._scores, self._boxes = name, scores, boxes

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised pictures (B, 3, H, W) -> scores (B, A), boxes (B, A, 4)."""
        feed = np.ascontiguousarray(images.cpu().numpy(), np.float32)
        found = self._backend.run({self._input: feed})
        scores, boxes = (torch.from_numpy(found[name]) for name in (self._scores, self._boxes))
        return scores[..., 0].to(images.device), boxes.to(images.device)
