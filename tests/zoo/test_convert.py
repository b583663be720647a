"""Checkpoints converted on the spot: the graph answers as the network does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from posetrack import zoo  # noqa: E402
from posetrack.backends import open_backend  # noqa: E402
from posetrack.errors import ModelError  # noqa: E402
from posetrack.networks import build  # noqa: E402
from posetrack.zoo import convert as conversion  # noqa: E402


def _checkpoint(path: Path, architecture: str, **outputs: int) -> Path:
    torch.manual_seed(0)
    network = build(architecture, input_size=(64, 64), **outputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("architecture", "task", "outputs"),
    [
        ("rtmpose-t", "pose", {"num_keypoints": 17}),
        ("rtmw3d-t", "pose", {"num_keypoints": 133}),
        ("rtmdet-nano", "detection", {}),
    ],
)
def test_a_bare_checkpoint_is_converted_once_and_answers_as_torch_does(
    architecture: str,
    task: str,
    outputs: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkpoint = _checkpoint(tmp_path / "given" / "mine.pth", architecture, **outputs)
    model = zoo.find(checkpoint, task=task)  # type: ignore[arg-type]
    assert model.card.architecture == architecture
    backend = open_backend("ort", model.path)
    batch = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    answer = backend.run({backend.inputs[0].name: batch})
    for name, expected in open_backend("torch", checkpoint).run({"input": batch}).items():
        np.testing.assert_allclose(answer[name], expected, atol=1e-3 * np.abs(expected).max())
    monkeypatch.setattr(conversion, "can_convert", lambda: False)
    again = zoo.find(checkpoint)
    assert (again.path, again.card) == (model.path, model.card)


@pytest.mark.timeout(60)
def test_the_scores_of_rtmw_are_brought_to_those_of_the_others(tmp_path: Path) -> None:
    scales = {
        family: zoo.find(
            _checkpoint(tmp_path / f"{family}.pth", f"{family}-t", num_keypoints=133),
            formats=("pth",),
        ).card.score_scale
        for family in ("rtmpose", "rtmw", "rtmw3d")
    }
    assert scales == {"rtmpose": 1.0, "rtmw": 10.0, "rtmw3d": 1.0}


@pytest.mark.timeout(60)
def test_a_checkpoint_of_another_network_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"state_dict": {"fc.weight": torch.zeros(3, 3)}}, path)
    with pytest.raises(ModelError, match=r"other\.pth cannot be converted to ONNX: ") as caught:
        zoo.find(path)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(60)
def test_a_card_of_another_network_is_refused(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path / "mine.pth", "rtmpose-t")
    card = zoo.find(path, formats=("pth",)).card
    wrong = card.model_copy(update={"architecture": "rtmpose-m"})
    path.with_name("mine.card.yaml").write_text(wrong.to_yaml())
    with pytest.raises(ModelError, match="it holds rtmpose-t, its card says rtmpose-m"):
        zoo.find(path)


def test_the_torch_backend_gets_the_checkpoint_itself(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path / "mine.pth", "rtmpose-t")
    model = zoo.find(path, task="pose", formats=("pth",))
    assert model.path == path


def test_a_network_of_any_size_runs_at_the_size_it_was_trained_for(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path / "mine.pth", "cspnext-t", num_keypoints=17)
    content = torch.load(path) | {"recipe": {"model": {"input_size": [64, 96]}}}
    torch.save(content, path)
    assert conversion.card_for_checkpoint(path).input.size == (64, 96)
    assert open_backend("torch", path).inputs[0].shape == (None, 3, 96, 64)
