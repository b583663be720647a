"""Official .pth checkpoints to ONNX, on the spot and checked; needs PyTorch.

The work is done by a process of its own (``python -m posetrack.zoo.convert``): PyTorch stays out of
the one that tracks, and so do the threads with which the exported graph is checked.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.cards import ModelCard, ModelFile, load_card
from posetrack.documents import parse_document
from posetrack.errors import BackendMissing, ModelError, PosetrackError
from posetrack.zoo.conventions import card_for_detector, card_for_pose

if TYPE_CHECKING:
    from posetrack.networks.checkpoint import Spec

EXTRA = "pip install posetrack[train]"
LIMIT_S = 600


def can_convert() -> bool:
    """Whether the packages that a conversion needs are installed."""
    return find_spec("torch") is not None and find_spec("onnx") is not None


def convert(checkpoint: Path, target: Path, card: ModelCard | None = None) -> ModelCard:
    """The card of `target`, the checkpoint as an ONNX graph, made unless it is there already.

    Without `card` one is inferred from the weights and kept beside the graph.

    Raises:
        BackendMissing: PyTorch is not installed.
        ModelError: no checkpoint of a network this package has, or of another than the card says.
    """
    noted = target.with_name(f"{target.stem}.card.yaml")
    current = target.is_file() and target.stat().st_mtime >= checkpoint.stat().st_mtime
    if not current or (card is None and not noted.is_file()):
        _require_torch(checkpoint)
        _in_a_process_of_its_own(checkpoint, target, card)
    return card or load_card(noted)


def card_for_checkpoint(path: Path) -> ModelCard:
    """A card for a bare checkpoint, its architecture read from the weights.

    Raises:
        BackendMissing: PyTorch is not installed.
        ModelError: not a checkpoint of a network this package has.
    """
    _require_torch(path)
    from posetrack.networks.checkpoint import read_checkpoint

    return _card_for_spec(path, read_checkpoint(path).spec)


def converted_name(checkpoint: Path) -> str:
    """A file name for the graph of a checkpoint that lies anywhere."""
    place = hashlib.sha256(str(checkpoint.resolve()).encode()).hexdigest()[:12]
    return f"{checkpoint.stem}-{place}.onnx"


def main(arguments: list[str]) -> int:
    """Convert CHECKPOINT to TARGET with the card on standard input, if there is one."""
    checkpoint, target = map(Path, arguments)
    text = sys.stdin.read()
    try:
        card = parse_document(text, ModelCard, name="card", error=ModelError) if text else None
        _convert_here(checkpoint, target, card)
    except PosetrackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _in_a_process_of_its_own(checkpoint: Path, target: Path, card: ModelCard | None) -> None:
    command = [sys.executable, "-m", __spec__.name, str(checkpoint), str(target)]
    try:
        done = subprocess.run(
            command,
            input="" if card is None else card.to_yaml(),
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{checkpoint} was not converted within {LIMIT_S} s: try again") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ModelError(f"{checkpoint.name} cannot be converted to ONNX: {lines[-1]}")


def _convert_here(checkpoint: Path, target: Path, card: ModelCard | None) -> None:
    from posetrack.networks.checkpoint import load_model
    from posetrack.training.export import export_onnx

    network, spec = load_model(checkpoint)
    if card is None:
        card = _card_for_spec(checkpoint, spec)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f"{target.stem}.card.yaml").write_text(card.to_yaml(), "utf-8")
    elif card.architecture not in (spec.architecture, spec.architecture.partition("-")[0]):
        raise ModelError(
            f"it holds {spec.architecture}, its card says {card.architecture}: correct the card"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    export_onnx(network, part, input_size=card.input.size)
    part.replace(target)


def _card_for_spec(path: Path, spec: Spec) -> ModelCard:
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


def _require_torch(path: Path) -> None:
    if not can_convert():
        raise BackendMissing(
            f"{path.name} is a PyTorch checkpoint, reading it needs torch and onnx: {EXTRA}, or "
            "take an .onnx model"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
