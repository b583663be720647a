"""Relinking joins what is one person, and only that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from revision.paths import FPS, line, recording, walker

from posetrack.revision.relink import relink


def test_a_walker_who_was_hidden_is_one_person_again() -> None:
    path = line(50, 200, 80)
    found, became = relink(
        recording([walker(4, path, np.arange(40)), walker(7, path, np.arange(60, 100))])
    )
    assert became == {7: 4}
    assert found.ids() == [4]
    assert len(found.rows) == 80, "nobody is invented for the gap"


def test_chains_take_the_first_id() -> None:
    path = line(50, 200, 40)
    pieces = [walker(i, path, np.arange(i * 20, i * 20 + 15)) for i in (1, 2, 3, 4)]
    found, became = relink(recording(pieces))
    assert became == {2: 1, 3: 1, 4: 1}
    assert found.ids() == [1]


def test_two_who_cross_behind_something_go_on_their_way() -> None:
    right, left = line(100, 200, 80), line(420, 200, -80)
    early, late = np.arange(40), np.arange(60, 100)  # they meet at 2 s, frame 50
    before = [walker(1, right, early), walker(2, left, early)]
    after = [walker(3, left, late), walker(4, right, late)]
    found, became = relink(recording(before + after))
    assert became == {3: 2, 4: 1}
    assert found.ids() == [1, 2]


@pytest.mark.parametrize(
    "second",
    [
        walker(2, line(500, 400), np.arange(60, 100)),  # far away
        walker(2, line(50, 200), np.arange(30, 100)),  # both at once
        walker(2, line(50, 200), np.arange(199, 240)),  # too long after
    ],
)
def test_what_does_not_go_on_stays_two(second) -> None:
    found, became = relink(recording([walker(1, line(50, 200), np.arange(40)), second], 300))
    assert became == {}
    assert found.ids() == [1, 2]


def test_of_two_who_fit_as_well_none_is_taken() -> None:
    gone = walker(1, line(300, 200), np.arange(40))
    a = walker(2, line(280, 200), np.arange(50, 100))
    b = walker(3, line(320, 200), np.arange(50, 100))
    assert relink(recording([gone, a, b]))[1] == {}


@given(
    start=st.tuples(st.floats(100, 500), st.floats(100, 400)),
    speed=st.tuples(st.floats(-90, 90), st.floats(-90, 90)),
    gap=st.integers(1, 50),
)
@settings(max_examples=40, deadline=None)
def test_constant_speed_is_carried_over_a_gap(start, speed, gap) -> None:
    path = line(*start, *speed)
    size, gone_s = np.sqrt(40 * 100), gap / FPS
    # Beyond a second the speed is no longer trusted: slow walkers only.
    if gone_s > 1 and np.hypot(*speed) * (gone_s - 1) / size > 0.5:
        return
    first, second = np.arange(30), np.arange(30 + gap, 60 + gap)
    found, became = relink(recording([walker(1, path, first), walker(2, path, second)], 120))
    assert became == {2: 1}
    assert found.ids() == [1]


def test_one_or_nobody_is_left_alone() -> None:
    alone = recording([walker(1, line(50, 200), np.arange(40))])
    assert relink(alone)[1] == {}
    nobody = alone.with_rows(alone.rows[:0])
    assert relink(nobody) == (nobody, {})
