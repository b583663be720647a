"""Models by what they are needed for: ``body``, ``wholebody:fast``, ``body+hands+face``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from posetrack.errors import ModelNotFound

TIERS = ("tiny", "fast", "balanced", "accurate")
"""From the quickest to the most accurate; ``balanced`` where none is named."""

_NANO, _MEDIUM = "rtmdet-nano-person", "rtmdet-m-person"
_HAND, _ANIMAL = "rtmdet-nano-hand", ("rtmdet-tiny-animal", "rtmdet-m-animal")
_PEOPLE = (_NANO, _NANO, _MEDIUM, _MEDIUM)

# For each need the pose model and the detector of every tier.
_NEEDS: dict[str, tuple[tuple[str, str], ...]] = {
    need: tuple(zip(poses, detectors, strict=True))
    for need, poses, detectors in (
        (
            "body",
            ("rtmpose-t-body8", "rtmpose-s-body8", "rtmpose-m-body8", "rtmpose-x-body8-384"),
            _PEOPLE,
        ),
        (
            "body26",
            (
                "rtmpose-t-halpe26",
                "rtmpose-s-halpe26",
                "rtmpose-m-halpe26",
                "rtmpose-x-halpe26-384",
            ),
            _PEOPLE,
        ),
        ("wholebody", ("dwpose-t", "dwpose-s", "dwpose-m", "rtmw-x-384"), _PEOPLE),
        ("3d", ("rtmw3d-l", "rtmw3d-l", "rtmw3d-l", "rtmw3d-x"), _PEOPLE),
        ("hands", ("rtmpose-m-hand21",) * 4, (_HAND,) * 4),
        ("face", ("rtmpose-t-face106", "rtmpose-s-face106", *("rtmpose-m-face106",) * 2), _PEOPLE),
        ("animal", ("rtmpose-m-ap10k",) * 4, (_ANIMAL[0], _ANIMAL[0], _ANIMAL[1], _ANIMAL[1])),
    )
}
PARTS = ("hands", "face")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the words of `--pose` stand for, each a name or path; None is none of its own.

    Attributes:
        pose: of the whole person (or of the hand, where a hand detector finds it).
        detector: that goes with it.
        hands: of the hands at the body's wrists.
        face: of the face at the body's head.
    """

    pose: str | None = None
    detector: str | None = None
    hands: str | None = None
    face: str | None = None


def choose(words: str | None, *, detector: bool = False) -> Choice:
    """The models of ``NEED``, ``TIER``, ``NEED:TIER`` or a name, with ``+hands`` and ``+face``.

    Faces have no detector of their own in the zoo: ``face`` alone is that of a body, unless the
    caller names a `detector`.

    Raises:
        ModelNotFound: no such tier, or no such part after a +.
    """
    if words is None or Path(words).exists():
        return Choice(words)
    first, *more = words.split("+")
    kinds = [part.partition(":")[0] for part in more]
    if more and not set(kinds) & set(PARTS):  # an address or a path with a + in it
        return Choice(words)
    need, _, tier = first.partition(":")
    if need == "face" and not detector and not more:
        tier = tier or "balanced"
        return choose(f"body:{tier}+face:{tier}")
    for kind in kinds:
        if kind not in PARTS or kinds.count(kind) > 1:
            raise ModelNotFound(
                f"{words}: after a + comes hands or face, each once, got {'+'.join(kinds)}"
            )
    pose, partner = _named(first) or (first, None)
    parts = {kind: (_named(part) or (None,))[0] for kind, part in zip(kinds, more, strict=True)}
    return Choice(pose, partner, parts.get("hands"), parts.get("face"))


def _named(word: str) -> tuple[str, str] | None:
    """Pose model and detector of an alias; None where it is none."""
    need, colon, tier = word.partition(":")
    if need in TIERS and not colon:
        need, tier = "body", need
    if need not in _NEEDS:
        return None
    tier = tier or "balanced"
    if tier not in TIERS:
        near = difflib.get_close_matches(tier, TIERS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(TIERS)}"
        raise ModelNotFound(f"{word}: no tier {tier!r}: {hint}")
    return _NEEDS[need][TIERS.index(tier)]


def models_of(words: str) -> tuple[str, ...]:
    """Every zoo name that an alias needs, for fetching; the word itself where it is none."""
    chosen = choose(words)
    if chosen == Choice(words):
        return (words,)
    names = (chosen.detector, chosen.pose, chosen.hands, chosen.face)
    return tuple(name for name in names if name)


def needs() -> dict[str, tuple[tuple[str, str], ...]]:
    """For each need the pose model and the detector of every tier."""
    return dict(_NEEDS)
