"""An avatar moved by VMC: what a real OSC server hears is where the body's limbs are."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import avatars
import numpy as np
import pytest
from marionette import Heard, frames_of, marionette, turns_of
from scipy.spatial.transform import Rotation
from waiting import wait_until

from posetrack.errors import SinkError
from posetrack.osc.datagrams import parse_place
from posetrack.osc.sink import VmcSink
from posetrack.osc.vmc import Performer
from posetrack.skeletons import load_skeleton
from posetrack.types import Frame, Poses, Result, Tracks

IMAGE = np.zeros((avatars.SIZE[1], avatars.SIZE[0], 3), np.uint8)


def result(t_s: float, *people: tuple[int, avatars.Seen], depth: bool = True) -> Result:
    """A frame with some people, by id."""
    n, k = len(people), len(avatars.SKELETON)
    seen = [each for _, each in people]
    poses = Poses(
        np.array([each.keypoints for each in seen]).reshape(n, k, 2),
        np.array([each.scores for each in seen]).reshape(n, k),
        np.zeros((n, 4)),
        np.ones(n),
        avatars.SKELETON,
        np.array([each.depths for each in seen]).reshape(n, k) if depth else None,
    )
    ids = np.array([track_id for track_id, _ in people], np.int64)
    tracks = Tracks(poses, ids, np.ones(n), np.ones(n, np.bool_))
    return Result(Frame(IMAGE, round(t_s * 30), t_s, 0.0), tracks, poses.keypoints, True)


def perform(*results: Result, **options: Any) -> list[Heard]:
    """What a server hears of these frames."""
    with marionette() as (port, heard), ExitStack() as stack:
        sink = VmcSink(("127.0.0.1", port), avatars.SKELETON, **options)
        sink.open()
        stack.callback(sink.finish)
        for count, each in enumerate(results, 1):
            sink.write(each, IMAGE)
            wait_until(lambda n=count: len(frames_of(heard)) == n and heard[-1][1], "it is heard")
    return frames_of(heard)


def test_limbs_of_the_avatar_point_where_those_of_the_body_do() -> None:
    times_s = np.arange(0, 4, 0.2)
    heard = perform(*(result(t, (1, avatars.seen(avatars.dance(t)))) for t in times_s))
    assert len(heard) == len(times_s)
    for t, frame in zip(times_s, heard, strict=True):
        assert frame[0] == ("/VMC/Ext/OK", (1, 3, 0, 1))
        assert frame[1] == ("/VMC/Ext/T", (pytest.approx(t),))
        assert frame[2] == ("/VMC/Ext/Root/Pos", ("root", 0, 0, 0, 0, 0, 0, 1))
        truth = avatars.seen(avatars.dance(t)).places
        found = avatars.world(turns_of(frame))
        rest = avatars.seen({}).places
        for bone, (begin, end) in avatars.LIMBS.items():
            body = truth[end] - truth[begin]
            limb = found[bone][0].apply(rest[end] - rest[begin])
            cosine = body @ limb / np.linalg.norm(body) / np.linalg.norm(limb)
            assert np.degrees(np.arccos(min(cosine, 1.0))) < 1, (bone, t)
        head = avatars.world(avatars.dance(t))["Head"][0]
        assert np.degrees((head.inv() * found["Head"][0]).magnitude()) < 1


def test_who_faces_the_camera_looks_along_z_and_moves_to_the_same_side() -> None:
    right_arm_up = {"RightUpperArm": Rotation.from_euler("z", 80, degrees=True)}  # Unity's right
    still = avatars.seen(right_arm_up, at_px=(1000, 300))
    (frame,) = perform(result(0, (1, still)))
    turns = turns_of(frame)
    assert turns["Hips"].magnitude() < 0.02
    assert np.degrees(turns["RightUpperArm"].magnitude()) == pytest.approx(80, abs=1)
    assert turns["RightUpperArm"].apply((1, 0, 0))[1] > 0.9
    places = {values[0]: np.array(values[1:4]) for address, values in frame if "Bone" in address}
    x, y, z = places["Hips"]
    # To the right in the picture is to the left of who looks out of it: -x in Unity.
    assert x == pytest.approx(-(1000 - 639.5) / avatars.PX_PER_M, rel=0.02)
    assert y == pytest.approx(0.53 * avatars.HEIGHT_M, rel=0.03)
    assert z == 0
    assert places["LeftLowerLeg"][1] == pytest.approx(-0.4165, abs=0.001)


def test_one_person_drives_until_gone_for_a_while() -> None:
    one, two = avatars.seen(avatars.dance(0.0)), avatars.seen(avatars.dance(0.7))
    heard = perform(
        result(0.0, (7, two), (4, one)),
        result(0.1, (7, two), (2, two), (4, one)),  # a lower id takes nothing from him
        result(0.5, (7, two)),
        result(1.0, (4, one), (7, two)),
        result(2.1, (7, two)),
        result(2.2),
    )
    first, second, away, back, other, nobody = (turns_of(frame) for frame in heard)
    for turns in (second, back):
        for bone, turn in first.items():
            assert (turn.inv() * turns[bone]).magnitude() < 0.01
    assert away == nobody == {}
    assert [frame[0][1][3] for frame in heard] == [1, 1, 0, 1, 1, 0]
    assert (first["LeftUpperArm"].inv() * other["LeftUpperArm"]).magnitude() > 0.1


def test_a_person_of_whom_only_the_upper_half_is_seen_stands() -> None:
    whole = avatars.seen(avatars.dance(0.3))
    low = [i for i, n in enumerate(avatars.SKELETON.keypoints) if "knee" in n or "ankle" in n]
    scores = whole.scores.copy()
    scores[low] = 0.1
    half = avatars.Seen(whole.keypoints, scores, whole.depths, {})
    (frame,) = perform(result(0, (1, half)))
    turns = turns_of(frame)
    assert turns["LeftUpperLeg"].magnitude() == turns["LeftLowerLeg"].magnitude() == 0
    assert turns["LeftUpperArm"].magnitude() > 0.3


def test_frames_of_a_file_are_not_sent_before_their_time() -> None:
    import time

    figure = avatars.seen({})
    begin = time.perf_counter()
    perform(*(result(10 + t, (1, figure)) for t in (0, 0.2, 0.4)), paced=True)
    assert time.perf_counter() - begin > 0.4


def test_without_depth_or_a_body_nothing_is_driven() -> None:
    with pytest.raises(SinkError, match="VMC needs depths, and the pose model has none: take"):
        perform(result(0, (1, avatars.seen({})), depth=False))
    with pytest.raises(SinkError, match="the keypoints of lapa have no hips and shoulders"):
        Performer(load_skeleton("lapa"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1", ("127.0.0.1", 39539)),
        ("studio.local:39540", ("studio.local", 39540)),
        ("[::1]:9", ("::1", 9)),
        ("::1", None),
        ("a:b", None),
        ("", None),
        ("host/path", None),
        ("u:p@host", None),
        ("host:0", None),
        ("host:99999", None),
    ],
)
def test_an_address_has_a_host_and_perhaps_a_port(text: str, place: tuple[str, int] | None) -> None:
    if place is None:
        with pytest.raises(ValueError, match="write HOST or HOST:PORT, such as 127"):
            parse_place(text, 39539)
    else:
        assert parse_place(text, 39539) == place
