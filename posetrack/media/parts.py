"""Which keypoints of a set lie on the head, and which are too close together for full-size dots."""

from __future__ import annotations

import re
from functools import cache

from posetrack.skeletons import Skeleton

_HEAD = frozenset({"head", "face", "nose", "eye", "ear", "mouth", "chin", "jaw", "throat", "neck"})
_FINE = frozenset({"face", "hand", "thumb", "forefinger", "finger", "pinky"})
_NUMBERED = re.compile(r"kpt-?\d+")  # how the face sets call all of theirs


def _words(name: str) -> set[str]:
    """``L_EarBase`` is l, ear and base; no part of ``forearm`` is an ear."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)}


@cache
def head_keypoints(skeleton: Skeleton) -> tuple[int, ...]:
    """Indices of the keypoints from head to neck; all of a set of numbered face points."""
    names = skeleton.keypoints
    if all(_NUMBERED.fullmatch(name) for name in names):
        return tuple(range(len(names)))
    return tuple(i for i, name in enumerate(names) if _words(name) & _HEAD)


@cache
def outline_keypoints(skeleton: Skeleton) -> frozenset[int]:
    """Those of `head_keypoints` that lie on the outline of the head, not in the midst of it."""
    inner = {"nose", "eye", "ear", "mouth"}
    names = skeleton.keypoints
    return frozenset(i for i in head_keypoints(skeleton) if not _words(names[i]) & inner)


@cache
def fine_keypoints(skeleton: Skeleton) -> frozenset[int]:
    """Indices of fingers and face points beside a body; none where there is nothing else."""
    words = [_words(name) for name in skeleton.keypoints]
    if not any("shoulder" in each for each in words):
        return frozenset()
    return frozenset(i for i, each in enumerate(words) if each & _FINE)


@cache
def fine_limbs(skeleton: Skeleton) -> frozenset[int]:
    """Indices of the limbs with an end among `fine_keypoints`."""
    fine = fine_keypoints(skeleton)
    return frozenset(i for i, limb in enumerate(skeleton.limbs) if fine.intersection(limb))
