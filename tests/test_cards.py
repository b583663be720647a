"""Model cards: strict, complete, and the same after a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from posetrack.cards import ModelCard, load_card
from posetrack.errors import ModelError
from posetrack.resources import configs_dir, engines_dir
from posetrack.skeletons import load_skeleton
from posetrack.zoo.download import Address

CARD = """
name: my-pose
task: pose
architecture: rtmpose-t
skeleton: coco
input: {size: [192, 256], color: rgb, mean: [123.675, 116.28, 103.53], std: [58.4, 57.1, 57.4]}
files:
  - {format: onnx, path: model.onnx}
accuracy:
  - {metric: AP, value: 68.5, on: COCO val2017}
"""


def _load(tmp_path: Path, text: str) -> ModelCard:
    path = tmp_path / "card.yaml"
    path.write_text(text)
    return load_card(path)


def test_a_card_written_and_read_again_is_equal(tmp_path: Path) -> None:
    card = _load(tmp_path, CARD)
    assert _load(tmp_path, card.to_yaml()) == card


def test_defaults_are_those_of_the_family(tmp_path: Path) -> None:
    card = _load(tmp_path, CARD)
    assert (card.codec.split, card.codec.padding, card.score_scale) == (2.0, 1.25, 1.0)
    assert card.decoder().bins == (384, 512)
    assert len(card.keypoints) == 17


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("skeleton: coco\n", "", "a pose model's card needs a skeleton"),
        (
            "skeleton",
            "skelleton",
            r"card\.yaml:5: unknown key 'skelleton': did you mean 'skel",
        ),
        ("task: pose", "task: depth", r"card\.yaml:3: task: "),
        ("task: pose", "task: detection", "a detector's card needs labels"),
        ("[58.4, 57.1, 57.4]", "[58.4, 0, 57.4]", "input: std must be above 0"),
        ("[58.4, 57.1, 57.4]", "[58.4, 57.1]", r"card\.yaml:6: 'input.std.2' is missing"),
        ("color: rgb", "color: grey", r"card\.yaml:6: input.color"),
        ("path: model.onnx", "path: ../model.onnx", "path must stay inside the card's folder"),
        (", path: model.onnx", "", "a file needs a path or a url"),
        ("path: model.onnx", "path: m.onnx, sha256: abc", r"card\.yaml:8: files.0.sha256"),
        ("name: my-pose", "name: my/pose", r"card\.yaml:2: name"),
    ],
)
def test_a_mistake_in_a_card_is_one_line_with_its_place(
    old: str, new: str, text: str, tmp_path: Path
) -> None:
    assert old in CARD
    with pytest.raises(ModelError, match=text) as caught:
        _load(tmp_path, CARD.replace(old, new))
    assert "\n" not in str(caught.value)


def test_kept_labels_must_be_labels(tmp_path: Path) -> None:
    detector = CARD.replace("task: pose", "task: detection\nlabels: [dog, person]\nkeep: [{}]")
    assert _load(tmp_path, detector.replace("{}", "person")).kept_labels == (1,)
    with pytest.raises(ModelError, match="keep names 'cat', which is not in labels"):
        _load(tmp_path, detector.replace("{}", "cat"))


def _shipped() -> list[Path]:
    return [*(configs_dir() / "models").glob("*.yaml"), *engines_dir().glob("*/card.yaml")]


@pytest.mark.parametrize("path", _shipped(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_card_that_ships_is_valid_and_says_what_it_must(path: Path) -> None:
    card = load_card(path)
    assert card.licence
    assert card.training_data
    assert card.source
    assert card.accuracy or card.notes or not card.files
    if card.task == "pose":
        load_skeleton(card.skeleton or "")
    for file in card.files:
        if file.format == "pth" and file.url:
            assert file.sha8 == Address.parse(file.url).digest, "the digest in its name, if any"
        if file.path:
            assert file.sha256, "what ships is verified"
    if path.parent.name == "models":
        assert path.stem == card.name


def test_a_card_says_the_same_to_a_plain_yaml_reader(tmp_path: Path) -> None:
    card = _load(tmp_path, CARD)
    assert yaml.safe_load(card.to_yaml())["accuracy"][0]["on"] == "COCO val2017"
