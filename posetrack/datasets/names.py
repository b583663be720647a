"""The skeleton of a COCO file: chosen, recognised by its names, or made from them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from posetrack.datasets.coco import CocoFile
from posetrack.skeletons import Skeleton, load_skeleton, skeleton_names

_WORDS = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))
_LETTER = re.compile(r"(?:^|(?<=[ _.-]))([lLrR])(?=$|[ _.-])")
_OTHER = {"l": "r", "r": "l", "L": "R", "R": "L"}


def skeleton_of(document: CocoFile, name: str | None = None) -> Skeleton | None:
    """The skeleton `name` (built in or a file), else the one of the file's keypoint names.

    A built-in set with exactly these names is taken, else one is made of them, with the limbs of
    the file and pairs by left and right in the names. None for a set of boxes.

    Raises:
        ConfigError: `name` is not known.
    """
    if name is not None:
        return load_skeleton(name)
    category = document.posed_category
    if category is None:
        return None
    names = document.keypoint_names
    known = known_skeleton(names)
    if known is not None:
        return known
    limbs = [
        (int(a) - 1, int(b) - 1)
        for a, b in category.get("skeleton") or ()
        if 1 <= int(a) <= len(names) and 1 <= int(b) <= len(names)
    ]
    label = str(category.get("name", "keypoints"))
    return Skeleton(label, names, flip_pairs=named_pairs(names), limbs=tuple(limbs))


def known_skeleton(names: Sequence[str]) -> Skeleton | None:
    """The built-in set with these names in this order: ``coco`` before sets that share them."""
    for known in ("coco", *skeleton_names()):
        skeleton = load_skeleton(known)
        if skeleton.keypoints == tuple(names):
            return skeleton
    return None


def other_side(name: str) -> str | None:
    """The name of the same keypoint on the other side; None where the name has no side."""
    for left, right in _WORDS:
        if left in name or right in name:
            return re.sub(f"{left}|{right}", lambda m: right if m[0] == left else left, name)  # noqa: B023
    swapped = _LETTER.sub(lambda match: _OTHER[match[1]], name)
    return None if swapped == name else swapped


def named_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Index pairs of keypoints that differ only in their side, the left one first."""
    pairs = []
    for i, name in enumerate(names):
        other = other_side(name)
        if other in names and i < names.index(other):
            j = names.index(other)
            is_right = "right" in name.lower() or re.search(r"(^|[ _.-])[rR]($|[ _.-])", name)
            pairs.append((j, i) if is_right else (i, j))
    return tuple(pairs)
