"""Swapped left and right: what is put in is found, what is sound is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from datasets import sets

from posetrack.datasets.checks.check import check
from posetrack.datasets.checks.sides import candidates, face_sense, left_first, suspect_pairs
from posetrack.datasets.stores import Stores

PAIRS = {
    sets.COCO.keypoints[a].removeprefix("left_"): p
    for p, (a, _) in enumerate(left_first(sets.COCO))
}
SEEN = np.ones((400, 17), bool)


def swapped(people: Any, row: int, *names: str) -> None:
    for name in names:
        a, b = left_first(sets.COCO)[PAIRS[name]]
        people[row, [a, b]] = people[row, [b, a]]


def test_sound_people_at_any_angle_and_from_behind_are_not_suspect() -> None:
    assert suspect_pairs(sets.crowd(400), SEEN, sets.COCO) == []


@pytest.mark.parametrize(
    "names",
    [
        ("wrist",),
        ("shoulder",),
        ("hip",),
        ("ankle",),
        ("elbow", "wrist"),
        ("knee", "ankle"),
        ("hip", "knee", "ankle"),
    ],
)
def test_swapped_pairs_are_found_and_named(names: tuple[str, ...]) -> None:
    people = sets.crowd(400)
    swapped(people, 7, *names)
    (suspect,) = suspect_pairs(people, SEEN, sets.COCO)
    assert suspect.person == 7
    assert suspect.pairs == tuple(sorted(PAIRS[name] for name in names))


def test_pairs_that_are_not_labelled_do_not_vote() -> None:
    people, seen = sets.crowd(400), SEEN.copy()
    swapped(people, 7, "wrist")
    seen[7, 9] = False
    assert suspect_pairs(people, seen, sets.COCO) == []


def test_a_small_set_says_nothing() -> None:
    people = sets.crowd(40)
    swapped(people, 7, "wrist")
    assert suspect_pairs(people, SEEN[:40], sets.COCO) == []
    assert suspect_pairs(people[:0], SEEN[:0], sets.COCO) == []


def test_pairs_swap_alone_or_with_all_beyond_them() -> None:
    names = {frozenset(k for k, p in PAIRS.items() if p in swap) for swap in candidates(sets.COCO)}
    together = {n for n in names if len(n) > 1}
    assert together == {
        frozenset({"eye", "ear"}),
        frozenset({"elbow", "wrist"}),
        frozenset({"knee", "ankle"}),
        frozenset({"hip", "knee", "ankle"}),
    }


def test_a_face_tells_left_from_right_whatever_way_up() -> None:
    people = sets.crowd(400, noise=0.5)
    front = np.arange(400) % 2 == 1
    sense = face_sense(people, SEEN, sets.COCO)
    # The even ones are drawn from behind with a face as if seen: a mirrored face.
    assert (sense[front] >= 0).all()
    assert (sense[~front] <= 0).all()
    assert (sense != 0).mean() > 0.5
    hidden = SEEN.copy()
    hidden[:, 0] = False
    assert not face_sense(people, hidden, sets.COCO).any()


@pytest.mark.parametrize(("mirrored", "kind"), [(3, "suspect-face"), (60, "viewer-sides")])
def test_a_few_mirrored_faces_are_suspects_and_most_an_error(mirrored: int, kind: str) -> None:
    people = sets.crowd(160, noise=0.5)[1::2]  # all from the front
    for row in range(mirrored):
        swapped(people, row, *PAIRS)
    rows = []
    for i, joints in enumerate(people):
        flat = [float(v) for x, y in joints for v in (x, y, 2)]
        rows.append(sets.person(i, bbox=[0, i / 100, 159, 158], area=5000, keypoints=flat))
    file = sets.document(rows)
    groups = dict(check(file, Stores(file.path, file.images), sets.COCO).groups())
    assert set(groups) & {"suspect-face", "viewer-sides", "suspect-pairs"} == {kind}
    assert {f.row for f in groups[kind]} <= set(range(mirrored))
    assert len(groups[kind]) == mirrored
