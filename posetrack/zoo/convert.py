"""Official .pth checkpoints to ONNX, on the spot and checked; needs PyTorch."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from posetrack.cards import ModelCard, ModelFile
from posetrack.errors import BackendMissing, ModelError
from posetrack.zoo.conventions import card_for_detector, card_for_pose

EXTRA = "pip install posetrack[train]"


def can_convert() -> bool:
    """Whether the packages that a conversion needs are installed."""
    return find_spec("torch") is not None and find_spec("onnx") is not None


def card_for_checkpoint(path: Path) -> ModelCard:
    """A card for a bare checkpoint, its architecture read from the weights.

    Raises:
        BackendMissing: PyTorch is not installed.
        ModelError: not a checkpoint of a network this package has.
    """
    _require_torch(path)
    from posetrack.networks.checkpoint import infer_architecture, load_state

    spec = infer_architecture(load_state(path))
    file = ModelFile(format="pth", path=path.name)
    if spec.num_keypoints is not None:
        return card_for_pose(
            path.stem,
            file,
            size=spec.input_size,
            keypoints=spec.num_keypoints,
            architecture=spec.architecture,
        )
    return card_for_detector(
        path.stem,
        file,
        size=spec.input_size,
        classes=spec.num_classes or 1,
        architecture=spec.architecture,
    )


def convert(checkpoint: Path, card: ModelCard, target: Path) -> Path:
    """`target`, the checkpoint as an ONNX graph, made unless it is newer than the checkpoint.

    Raises:
        BackendMissing: PyTorch is not installed.
        ModelError: the checkpoint is of another network than the card says, or the graph differs.
    """
    if target.is_file() and target.stat().st_mtime >= checkpoint.stat().st_mtime:
        return target
    _require_torch(checkpoint)
    from posetrack.networks.checkpoint import load_model
    from posetrack.training.export import export_onnx

    network, spec = load_model(checkpoint)
    if card.architecture not in (spec.architecture, spec.architecture.partition("-")[0]):
        raise ModelError(
            f"{checkpoint} holds {spec.architecture}, its card says {card.architecture}: "
            "correct the card"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    export_onnx(network, part, input_size=card.input.size)
    part.replace(target)
    return target


def converted_name(checkpoint: Path) -> str:
    """A file name for the graph of a checkpoint that lies anywhere."""
    place = hashlib.sha256(str(checkpoint.resolve()).encode()).hexdigest()[:12]
    return f"{checkpoint.stem}-{place}.onnx"


def _require_torch(path: Path) -> None:
    if not can_convert():
        raise BackendMissing(
            f"{path.name} is a PyTorch checkpoint, reading it needs torch and onnx: {EXTRA}, or "
            "take an .onnx model"
        )
