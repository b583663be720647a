"""Edits by hand change what they are asked to change, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from revision.paths import line, recording, walker

from posetrack.errors import ConfigError
from posetrack.records import NEW, Recording
from posetrack.revision import edits


def three() -> Recording:
    """1 in frames 0 to 39, 2 goes on as 1 did from 50 on, 3 is there all the time."""
    path = line(50, 200, 60)
    return recording(
        [
            walker(1, path, np.arange(40)),
            walker(2, path, np.arange(50, 100)),
            walker(3, line(50, 400, 60), np.arange(100)),
        ]
    )


def frames_of(found: Recording, track_id: int) -> list[int]:
    return found.track(track_id).frame.tolist()


def test_spans_tell_when_and_how_everybody_was_seen() -> None:
    found = edits.merge(three(), 1, [2])
    first, third = edits.spans(found)
    assert (first.track_id, first.first_frame, first.last_frame) == (1, 0, 99)
    assert (first.frames, first.gaps, third.gaps) == (90, 1, 0)
    assert (first.first_s, first.last_s) == (0.0, pytest.approx(99 / 25))
    assert first.score == pytest.approx(0.8)
    assert first.height_px == pytest.approx(100)


def test_merged_tracks_are_one_and_new_once() -> None:
    found = edits.merge(three(), 1, [2])
    assert found.ids() == [1, 3]
    assert frames_of(found, 1) == [*range(40), *range(50, 100)]
    assert (found.track(1).states == NEW).sum() == 1


def test_people_of_the_same_frame_are_not_merged() -> None:
    with pytest.raises(ConfigError, match=r"1, 3 are there together in frames 0-39: .*cut"):
        edits.merge(three(), 1, [3])


def test_swapped_tracks_trade_places_from_the_frame_on() -> None:
    before = three()
    found = edits.swap(before, 1, 3, 20)
    assert np.allclose(found.track(1).boxes[:20], before.track(1).boxes[:20])
    assert np.allclose(found.track(1).boxes[20:], before.track(3).boxes[20:])
    again = edits.swap(found, 1, 3, 20)
    assert np.array_equal(again.rows.ids, before.rows.ids)
    assert np.array_equal(again.rows.boxes, before.rows.boxes)


def test_a_cut_gives_the_rest_a_new_id() -> None:
    found, new = edits.cut(three(), 3, 60)
    assert new == 4
    assert frames_of(found, 3) == list(range(60))
    assert frames_of(found, 4) == list(range(60, 100))
    assert found.track(4).states[0] == NEW


@pytest.mark.parametrize("frame", [0, 100])
def test_a_cut_that_changes_nothing_is_refused(frame: int) -> None:
    with pytest.raises(ConfigError, match=r"3 is there from frame 0 to 99: cutting it at"):
        edits.cut(three(), 3, frame)


def test_deleted_tracks_are_gone_and_their_frames_stay() -> None:
    found = edits.delete(three(), [1, 2])
    assert found.ids() == [3]
    assert len(found.frames) == 100


@pytest.mark.parametrize(
    "edit",
    [
        lambda found: edits.merge(found, 1, [9]),
        lambda found: edits.swap(found, 9, 1, 3),
        lambda found: edits.cut(found, 9, 3),
        lambda found: edits.delete(found, [9]),
    ],
)
def test_an_unknown_id_is_named_with_those_that_are_known(edit) -> None:
    with pytest.raises(ConfigError, match="no track 9: known are 1, 2, 3"):
        edit(three())


def test_a_track_gets_another_number_and_keeps_its_name() -> None:
    named = edits.name(three(), 3, " Ana ")
    assert named.header.names == {3: "Ana"}
    found = edits.renumber(named, 3, 0)
    assert found.ids() == [0, 1, 2]
    assert frames_of(found, 0) == list(range(100))
    assert found.header.names == {0: "Ana"}
    with pytest.raises(ConfigError, match="there is a track 2 already: merge them"):
        edits.renumber(named, 3, 2)
    with pytest.raises(ConfigError, match="ids are 0 or more"):
        edits.renumber(named, 3, -1)


def test_names_go_with_merges_and_with_those_who_are_deleted() -> None:
    named = edits.name(edits.name(three(), 2, "Bo"), 3, "Ana")
    assert edits.merge(named, 1, [2]).header.names == {1: "Bo", 3: "Ana"}
    assert edits.merge(edits.name(named, 1, "Cy"), 1, [2]).header.names == {1: "Cy", 3: "Ana"}
    assert edits.cut(named, 3, 50)[0].header.names == {2: "Bo", 3: "Ana"}
    assert edits.delete(named, [2]).header.names == {3: "Ana"}
    assert edits.name(named, 2, "").header.names == {3: "Ana"}
    with pytest.raises(ConfigError, match="one line of at most 60 characters"):
        edits.name(named, 2, "x" * 61)


def test_names_are_kept_in_the_file_and_nothing_is_where_there_are_none(tmp_path: Path) -> None:
    file = tmp_path / "named.jsonl"
    edits.name(three(), 3, "Ana").write(file)
    assert Recording.read(file).header.names == {3: "Ana"}
    three().write(file)
    assert '"names"' not in file.read_text("utf-8")
