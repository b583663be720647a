"""Models by need and tier."""

from __future__ import annotations

import pytest

from posetrack import zoo
from posetrack.errors import ModelError, ModelNotFound
from posetrack.zoo.aliases import TIERS, Choice, choose, models_of, needs


def test_every_model_an_alias_stands_for_has_a_card_of_the_right_task() -> None:
    for tiers in needs().values():
        for pose, detector in tiers:
            assert zoo.entry(pose).card.task == "pose"
            assert zoo.entry(detector).card.task == "detection"


def test_what_an_alias_stands_for_can_be_verified() -> None:
    names = {name for tiers in needs().values() for pair in tiers for name in pair}
    unverified = [n for n in names if not any(f.digest for f in zoo.entry(n).card.files)]
    assert not unverified


@pytest.mark.parametrize(
    ("words", "pose", "detector"),
    [
        ("body", "rtmpose-m-body8", "rtmdet-m-person"),
        ("tiny", "rtmpose-t-body8", "rtmdet-nano-person"),
        ("accurate", "rtmpose-x-body8-384", "rtmdet-m-person"),
        ("body26:fast", "rtmpose-s-halpe26", "rtmdet-nano-person"),
        ("wholebody:accurate", "rtmw-x-384", "rtmdet-m-person"),
        ("hands", "rtmpose-m-hand21", "rtmdet-nano-hand"),
        ("animal", "rtmpose-m-ap10k", "rtmdet-m-animal"),
        ("3d", "rtmw3d-l", "rtmdet-m-person"),
        ("rtmpose-s-body", "rtmpose-s-body", None),
        ("my+model.onnx", "my+model.onnx", None),
        (None, None, None),
    ],
)
def test_words_stand_for_models(words: str | None, pose: str | None, detector: str | None) -> None:
    assert choose(words) == Choice(pose, detector)


def test_hands_and_faces_are_added_after_a_plus() -> None:
    chosen = choose("body26:fast+hands+face:tiny")
    assert chosen == Choice(
        "rtmpose-s-halpe26", "rtmdet-nano-person", "rtmpose-m-hand21", "rtmpose-t-face106"
    )
    assert choose("own.onnx+hands") == Choice("own.onnx", None, "rtmpose-m-hand21")
    assert set(models_of("body+face")) == {
        "rtmpose-m-body8", "rtmdet-m-person", "rtmpose-m-face106",
    }  # fmt: skip


def test_faces_are_found_by_the_body_unless_a_detector_is_named() -> None:
    assert choose("face").face == "rtmpose-m-face106"
    assert choose("face").pose == "rtmpose-m-body8"
    assert choose("face", detector=True).pose == "rtmpose-m-face106"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("body:fsat", r"no tier 'fsat': did you mean fast\?"),
        ("body+hands+hands", r"after a \+ comes hands or face, each once"),
        ("body+hands+feet", r"got hands\+feet"),
    ],
)
def test_a_word_that_is_none_is_told(words: str, told: str) -> None:
    with pytest.raises(ModelNotFound, match=told):
        choose(words)


def test_find_takes_an_alias_of_one_model_only() -> None:
    with pytest.raises(ModelError, match="is several models, one was asked"):
        zoo.find("body+hands")


def test_tiers_rise_in_size() -> None:
    for need in ("body", "body26"):
        sizes = [zoo.entry(pose).card.parameters or 0 for pose, _ in needs()[need]]
        assert len(sizes) == len(TIERS)
        assert sizes == sorted(sizes)
