"""Suspects of swapped left and right, by what the set itself shows.

Each flip pair of a person is a vector from right to left. For two pairs, the dot product of their
vectors is how much longer the limbs between them would be if one were swapped (the difference of
the squared lengths, halved). How often that product is positive, and how it depends on its size, is
learned from the whole set, most of which is taken to be right; it gives each two pairs of a person
a vote for "the same way round" in log odds. A pair that the other pairs together vote against is
suspect.

A person who is swapped as a whole agrees with themselves. Where the face is labelled its own
handedness tells: seen from the front, the left eye, the right eye and the nose lie in one sense of
rotation, whatever way up the person is; in the other sense only if left is right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Floats

MIN_PEOPLE = 100
"""Fewer people who show both pairs give two pairs no vote."""
BINS = 12
CERTAIN = 3.0
"""Log odds (20 to 1) of the votes against a pair from which on it is suspect."""
MAX_PAIRS = 24
"""Of more pairs, only the first vote (whole-body sets list the body first): memory grows with the
square."""
MIN_FACE = 0.03
"""Faces smaller than this (eye distance times nose distance, against the body's extent) say
nothing."""
MIN_FACES = 20


class Suspect(NamedTuple):
    """One person: index, the pairs that look swapped (empty: the whole person), log odds."""

    person: int
    pairs: tuple[int, ...]
    odds: float


def pair_vectors(points: Floats, seen: Bools, skeleton: Skeleton) -> tuple[Floats, Bools]:
    """Vectors from right to left as shares of each person's extent: (N, P, 2), and where both
    ends are labelled: (N, P).
    """
    pairs = left_first(skeleton)
    low = np.where(seen[..., None], points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen[..., None], points, -np.inf).max(axis=1, initial=-np.inf)
    extent = np.where(seen.any(axis=1), (high - low).max(axis=1), 1)
    extent = np.maximum(extent, 1e-3)[:, None, None]
    left, right = pairs[:, 0], pairs[:, 1]
    both = seen[:, left] & seen[:, right]
    vectors = np.where(both[..., None], (points[:, left] - points[:, right]) / extent, 0)
    return vectors.astype(np.float32), both


def left_first(skeleton: Skeleton) -> npt.NDArray[np.int64]:
    """(P, 2) flip pairs, the left keypoint first."""
    sides = skeleton.sides
    pairs = [(b, a) if sides[a] == "right" else (a, b) for a, b in skeleton.flip_pairs]
    return np.asarray(pairs, np.int64).reshape(-1, 2)


def votes(vectors: Floats, both: Bools) -> Floats:
    """(N, P, P) log odds that two pairs of a person are the same way round; symmetric, 0 where one
    of them is not labelled and where the set is too small to say.
    """
    n, p = both.shape
    found = np.zeros((n, p, p), np.float32)
    for a in range(p):
        for b in range(a):
            shown = both[:, a] & both[:, b]
            if shown.sum() < MIN_PEOPLE:
                continue
            product = (vectors[shown, a] * vectors[shown, b]).sum(axis=-1)
            found[shown, a, b] = found[shown, b, a] = _log_odds(product)
    return found


def _log_odds(product: Floats) -> Floats:
    """(M,) log odds that each was made by pairs the same way round.

    Swapping one pair turns the sign, so of products of one size, the positive ones and the
    negative ones in this set tell how likely a negative one is right.
    """
    size = np.abs(product)
    bins = min(BINS, len(size) // (MIN_PEOPLE // 2))
    edges = np.quantile(size, np.linspace(0, 1, bins + 1)[1:-1])
    place = np.searchsorted(edges, size)
    positive = np.bincount(place[product > 0], minlength=bins)
    negative = np.bincount(place[product <= 0], minlength=bins)
    odds = np.log((positive + 1) / (negative + 1))
    return np.asarray(np.sign(product) * odds[place], np.float32)


def suspect_pairs(points: Floats, seen: Bools, skeleton: Skeleton) -> list[Suspect]:
    """People (N, K, 2) of whom some pairs disagree with the others, the most certain first."""
    if not skeleton.flip_pairs or not len(points):
        return []
    skeleton = replace(skeleton, flip_pairs=skeleton.flip_pairs[:MAX_PAIRS])
    vectors, both = pair_vectors(points, seen, skeleton)
    ballots = votes(vectors, both)
    swaps = candidates(skeleton)
    sums = np.stack([_across(ballots, both, swap) for swap in swaps], axis=1)
    certain = np.stack([_calibrated(column) for column in sums.T], axis=1)
    found = []
    for person in np.flatnonzero(certain.min(axis=1) <= -CERTAIN).tolist():
        # Of the swaps that are likely, the one that explains most votes.
        gain = np.where(certain[person] <= -CERTAIN, -sums[person], -np.inf)
        best = int(gain.argmax())
        shown = tuple(pair for pair in swaps[best] if both[person, pair])
        found.append(Suspect(person, shown, float(-certain[person, best])))
    return sorted(found, key=lambda suspect: -suspect.odds)


def candidates(skeleton: Skeleton) -> list[tuple[int, ...]]:
    """Sets of pairs that get swapped together: each alone, and all beyond a joint (the whole leg,
    the lower arm), found by cutting one limb.
    """
    pair_of = {int(k): p for p, pair in enumerate(left_first(skeleton)) for k in pair}
    ends = ((pair_of.get(a), pair_of.get(b)) for a, b in skeleton.limbs)
    edges = {(min(p, q), max(p, q)) for p, q in ends if p is not None and q is not None and p != q}
    found: set[tuple[int, ...]] = {(p,) for p in pair_of.values()}
    for cut in edges:
        sides = [_reached(start, edges - {cut}) for start in cut]
        beyond = min(sides, key=len)
        if cut[0] not in sides[1] and len(beyond) > 1:
            found.add(tuple(sorted(beyond)))
    return sorted(found)


def _reached(start: int, edges: set[tuple[int, int]]) -> set[int]:
    """Everything connected to `start`."""
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        near = {q if p == here else p for p, q in edges if here in (p, q)} - found
        found |= near
        waiting += near
    return found


def _across(ballots: Floats, both: Bools, swap: tuple[int, ...]) -> Floats:
    """(N,) votes between the pairs of `swap` and the others; 0 where not all of them are shown."""
    others = [pair for pair in range(both.shape[1]) if pair not in swap]
    total = ballots[:, list(swap)][:, :, others].sum(axis=(1, 2))
    return np.where(both[:, list(swap)].all(axis=1), total, 0).astype(np.float32)


def _calibrated(sums: Floats) -> Floats:
    """(N,) log odds that a person is right by the sum of votes, whose sizes are taken from the set
    once more: the votes of one person are not independent, and some pairs cross naturally.
    """
    found = np.zeros_like(sums)
    shown = sums != 0
    if shown.sum() >= MIN_PEOPLE:
        found[shown] = _log_odds(sums[shown])
    return found


def face_sense(points: Floats, seen: Bools, skeleton: Skeleton) -> npt.NDArray[np.int64]:
    """(N,) 1 where the face has its left on its left, -1 where mirrored, 0 where unclear."""
    none = np.zeros(len(points), np.int64)
    lower = [name.lower().replace(" ", "_") for name in skeleton.keypoints]
    eyes = [(a, b) for a, b in left_first(skeleton).tolist() if _is_eye(lower[a])]
    if "nose" not in lower or len(eyes) != 1:
        return none
    nose, (left, right) = lower.index("nose"), eyes[0]
    shown = seen[:, [nose, left, right]].all(axis=1)
    across = points[:, left] - points[:, right]
    down = points[:, nose] - (points[:, left] + points[:, right]) / 2
    cross = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    low = np.where(seen[..., None], points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen[..., None], points, -np.inf).max(axis=1, initial=-np.inf)
    extent = np.where(seen.any(axis=1), (high - low).max(axis=1), np.inf)
    clear = shown & (np.sqrt(np.abs(cross)) > MIN_FACE * extent)
    return np.where(clear, np.sign(cross), none).astype(np.int64)


def _is_eye(name: str) -> bool:
    return name.strip("_").replace("left", "").replace("right", "").strip("_lr") == "eye"
