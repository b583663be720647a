"""Who was lost is known again by a re-identification model, which is asked no more than needed."""

from __future__ import annotations

from collections.abc import Callable

import graphs
import numpy as np
import pytest
from test_embedder import CARD
from tracking.walkers import COCO
from tracking.wardrobe import BLUE, GREEN, RED, Stage, Wearer

from posetrack.embedder import Embedder
from posetrack.errors import ConfigError
from posetrack.geometry import covered_share
from posetrack.skeletons import load_skeleton
from posetrack.tracking import Tracker, TrackerSettings
from posetrack.tracking.embeddings import Embeddings
from posetrack.tracking.looks import broad_limbs
from posetrack.types import Detections, Floats, Image, Poses

GREY = (128, 128, 128)
WHITE = np.full((480, 640, 3), 255, np.uint8)


class Watched:
    """An embedder that notes how many crops it was given, call by call."""

    def __init__(self, embed: Callable[[Image, Floats], Floats]) -> None:
        self.embed, self.calls = embed, list[int]()

    def __call__(self, image: Image, boxes: Floats) -> Floats:
        self.calls.append(len(boxes))
        return self.embed(image, boxes)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = tmp_path_factory.mktemp("reid")
    graphs.mean_colour(folder / "model.onnx")
    (folder / "card.yaml").write_text(CARD)
    return Embedder.load(folder)


def stage_of(embed: Callable[[Image, Floats], Floats] | None, **settings: float) -> Stage:
    return Stage(embed, reid_similarity=0.8, **settings)


def at(x: float, sign: tuple[int, int, int]) -> Wearer:
    """Everybody is grey; the signs are where no colour is taken for a look."""
    return (x, GREY, GREY, sign)


@pytest.mark.parametrize("away_s", [0.6, 1.2, 3.0])
def test_two_who_come_back_in_each_others_place_keep_their_ids(
    away_s: float, network: Embedder
) -> None:
    """Up to 1.5 s the place alone would swap them; later they would be new."""
    alone = {500: 2, 100: 1} if away_s < 1.5 else {500: 3, 100: 4}
    for embed, wanted in ((network, {500: 1, 100: 2}), (None, alone)):
        stage = stage_of(embed)
        assert stage.at(0.0, at(100, RED), at(500, BLUE)) == {100: 1, 500: 2}
        for t_s in np.arange(0.1, away_s, 0.1):
            stage.at(float(t_s))
        assert stage.at(away_s, at(500, RED), at(100, BLUE)) == wanted
        assert stage.at(away_s + 0.1, at(500, RED), at(100, BLUE)) == wanted


def test_one_of_two_who_comes_back_in_the_others_place_keeps_the_id(network: Embedder) -> None:
    for embed, wanted in ((network, 1), (None, 2)):
        stage = stage_of(embed)
        stage.at(0.0, at(100, RED), at(500, BLUE))
        stage.at(0.1)
        assert stage.at(1.0, at(500, RED)) == {500: wanted}
        assert stage.at(1.1, at(500, RED), at(100, BLUE)) == {500: wanted, 100: 3 - wanted}


def test_who_wears_the_same_and_is_somebody_else_is_somebody_new(network: Embedder) -> None:
    for embed, wanted in ((network, 2), (None, 1)):
        stage = stage_of(embed)
        stage.at(0.0, at(100, RED))
        stage.at(0.1)
        assert stage.at(4.0, at(300, GREEN)) == {300: wanted}


def test_where_the_model_knows_nobody_the_place_decides_as_before(network: Embedder) -> None:
    stage = stage_of(network)
    stage.at(0.0, at(100, RED), at(500, BLUE))
    stage.at(0.1)
    assert stage.at(0.9, at(500, GREEN), at(100, GREEN)) == {100: 1, 500: 2}


def test_two_lost_who_look_the_same_to_the_model_are_not_taken_for_each_other(
    network: Embedder,
) -> None:
    stage = stage_of(network)
    stage.at(0.0, at(100, RED), at(500, RED))
    stage.at(0.1)
    assert stage.at(4.0, at(300, RED)) == {300: 3}


def test_nobody_the_model_knows_comes_back_from_farther_than_he_can_have_gone(
    network: Embedder,
) -> None:
    stage = stage_of(network)
    stage.at(0.0, at(60, RED))
    stage.at(0.1)
    assert stage.at(0.2, at(600, RED)) == {600: 2}


def test_the_similarity_that_is_needed_is_the_settings(network: Embedder) -> None:
    pink = (80, 80, 190)  # cosine with red, seen among grey: about 0.9
    for similarity, wanted in ((0.8, 1), (0.97, 2)):
        stage = Stage(network, reid_similarity=similarity)
        stage.at(0.0, at(100, RED))
        stage.at(0.1)
        assert stage.at(4.0, at(300, pink)) == {300: wanted}


def blind(image: Image, boxes: Floats) -> Floats:
    """A model that sees nothing."""
    return np.zeros((len(boxes), 4), np.float32)


def test_a_model_that_sees_nothing_changes_nothing() -> None:
    """To the bit: colours and places decide as without one."""
    shown = []
    for embed in (None, blind):
        stage = stage_of(embed)
        for frame in range(60):
            x = 80 + 8 * frame
            people: list[Wearer] = [(x, RED, BLUE), (560 - x / 2, GREEN, BLUE), at(300, RED)]
            stage.at(frame / 10, *people[: 1 + frame % 3], detect=frame % 2 == 0)
        (last,) = stage.tracker._recent
        shown.append(last)
    np.testing.assert_array_equal(shown[0].ids, shown[1].ids)
    np.testing.assert_array_equal(shown[0].poses.keypoints, shown[1].poses.keypoints)


def test_where_the_model_sees_nothing_clothes_decide_far_away_and_the_place_near() -> None:
    for embed in (None, blind):
        stage = stage_of(embed, likeness_weight=0.0)
        stage.at(0.0, (100, RED, BLUE), (500, GREEN, BLUE))
        stage.at(0.1)
        assert stage.at(1.0, (500, RED, BLUE), (100, GREEN, BLUE)) == {500: 2, 100: 1}
        stage.at(1.1)
        assert stage.at(4.0, (300, GREEN, RED)) == {300: 3}
        stage.at(4.1)
        assert stage.at(8.0, (100, GREEN, RED)) == {100: 3}


def test_who_appears_where_somebody_was_lost_who_is_elsewhere_is_somebody_new(
    network: Embedder,
) -> None:
    stage = stage_of(network)
    stage.at(0.0, at(100, RED))
    stage.at(0.1)
    assert stage.at(0.9, at(100, GREEN), at(300, RED)) == {100: 2, 300: 1}


def test_who_is_hidden_when_he_comes_back_is_known_when_he_can_be_seen(network: Embedder) -> None:
    stage = stage_of(network, revive_likeness=1.0)
    stage.at(0.0, at(100, RED))
    stage.at(0.1)
    darker = (450, (120, 120, 120), (120, 120, 120), RED)
    assert stage.at(0.4, darker, at(485, GREEN))[450] != 1
    for t_s in (0.5, 0.6, 0.7):
        assert stage.at(t_s, darker) == {450: 1}


def test_who_has_no_limbs_is_known_by_the_model(network: Embedder) -> None:
    faces = load_skeleton("300w")
    assert not len(broad_limbs(faces))
    for embed, wanted in ((network, 1), (None, 2)):
        chosen = TrackerSettings(keypoint_threshold=0.3, reid_similarity=0.8)
        tracker = Tracker(chosen, faces, embed)
        for t_s, x in ((0.0, 100.0), (0.1, None), (3.0, None), (4.0, 150.0)):
            boxes = np.array([] if x is None else [[x, 100, x + 80, 200]], np.float32)
            found = Detections.from_boxes(boxes.reshape(-1, 4))
            asked = tracker.propose(found, t_s=t_s, size=(640, 480))
            spread = np.linspace(0.05, 0.95, 68, dtype=np.float32)[:, None]
            corners = asked.boxes.reshape(-1, 2, 1, 2)
            keypoints = corners[:, 0] + spread * (corners[:, 1] - corners[:, 0])
            scores = np.full((len(asked), 68), 0.0 if x is None else 0.9, np.float32)
            poses = Poses(keypoints, scores, asked.boxes, asked.scores, faces)
            tracks, _ = tracker.update(poses, asked, t_s=t_s, size=(640, 480), image=WHITE)
        assert tracks.ids.tolist() == [wanted]


def test_who_is_followed_costs_a_crop_a_second(network: Embedder) -> None:
    embed = Watched(network)
    stage = stage_of(embed)
    for frame in range(31):
        stage.at(frame / 10, at(100, RED), at(500, BLUE))
    assert embed.calls == [2, 2, 2, 2]  # at 0, 1, 2 and 3 s
    often = Watched(network)
    stage = stage_of(often, reid_every_s=0.5)
    for frame in range(31):
        stage.at(frame / 10, at(100, RED))
    assert often.calls == [1] * 7


def test_between_two_looks_of_the_detector_nobody_costs_a_crop(network: Embedder) -> None:
    embed = Watched(network)
    stage = stage_of(embed, reid_every_s=0.1)
    for frame in range(10):
        stage.at(frame / 10, at(100, RED), detect=frame % 5 == 0)
    assert embed.calls == [1, 1]


def test_who_is_covered_costs_no_crop(network: Embedder) -> None:
    embed = Watched(network)
    stage = stage_of(embed)
    stage.at(0.0, at(300, RED), at(330, BLUE), at(500, GREEN))
    assert embed.calls == [1]


def test_who_is_lost_and_found_in_his_own_place_costs_no_further_crop(network: Embedder) -> None:
    embed = Watched(network)
    stage = stage_of(embed)
    stage.at(0.0, at(100, RED))
    stage.at(0.1)
    stage.at(0.2, at(100, RED))
    assert embed.calls == [1]


def seen(embeddings: Embeddings, boxes: Floats) -> None:
    everybody = np.ones(len(boxes), np.bool_)
    embeddings.look(WHITE, boxes, everybody, everybody)


def boxes_of(count: int) -> Floats:
    return np.array([[30 * i, 0, 30 * i + 20, 50] for i in range(count)], np.float32)


def test_a_candidate_costs_a_crop_only_where_somebody_lost_may_be_he(network: Embedder) -> None:
    embed = Watched(network)
    embeddings = Embeddings(embed, 1.0)
    seen(embeddings, boxes_of(1))
    embeddings.remember(np.array([7]), np.array([0]), 0.0)
    assert embed.calls == [1]
    seen(embeddings, boxes_of(2))
    new, rows, lost = np.array([-1, -1]), np.array([0, 1]), np.array([7, 8])
    nobody = embeddings.cosines(rows, new, lost, np.zeros((2, 2), np.bool_))
    unknown = embeddings.cosines(rows, new, lost, np.array([[False, True]] * 2))
    assert np.isnan(nobody).all()
    assert np.isnan(unknown).all()
    assert embed.calls == [1]
    embeddings.cosines(rows, new, lost, np.array([[True, True], [False, False]]))
    assert embed.calls == [1, 1]
    embeddings.cosines(rows, new, lost, np.array([[True, True], [False, False]]))
    assert embed.calls == [1, 1]  # once a frame


def test_what_is_remembered_of_a_track_stands_for_a_pose_that_is_covered() -> None:
    def embed(image: Image, boxes: Floats) -> Floats:
        return np.eye(2, dtype=np.float32)[: len(boxes)]

    embeddings = Embeddings(embed, 1.0)
    seen(embeddings, boxes_of(2))
    embeddings.remember(np.array([3, 4]), np.array([0, 1]), 0.0)
    covered = np.array([[0, 0, 20, 50], [5, 0, 25, 50]], np.float32)
    seen(embeddings, covered)
    cosines = embeddings.cosines(
        np.array([0, 1]), np.array([4, -1]), np.array([3, 4]), np.ones((2, 2), np.bool_)
    )
    np.testing.assert_array_equal(cosines[0], [0, 1])
    assert np.isnan(cosines[1]).all()


def test_the_memory_is_a_mean_of_length_one_that_forgets_slowly() -> None:
    said = [np.array([1, 0], np.float32)]
    embeddings = Embeddings(lambda image, boxes: np.stack(said), 1.0)

    def known() -> Floats:
        said[0], kept = np.array([1, 0], np.float32), said[0]
        seen(embeddings, boxes_of(1))
        one, pair = np.array([0]), np.ones((1, 1), np.bool_)
        along = embeddings.cosines(one, np.array([-1]), np.array([5]), pair)[0, 0]
        said[0] = kept
        return along

    for second in range(30):
        seen(embeddings, boxes_of(1))
        embeddings.remember(np.array([5]), np.array([0]), float(second))
    assert known() == pytest.approx(1)
    said[0] = np.array([0, 1], np.float32)
    seen(embeddings, boxes_of(1))
    embeddings.remember(np.array([5]), np.array([0]), 40.0)
    assert known() == pytest.approx(0.9 / np.hypot(0.9, 0.1))
    embeddings.remember(np.array([6]), np.array([-1]), 41.0)
    assert not embeddings.known(np.array([5]))[0]  # who is gone is forgotten


def test_a_full_picture_is_spread_over_frames_the_longest_unseen_first() -> None:
    embed = Watched(lambda image, boxes: boxes / np.linalg.norm(boxes, axis=1, keepdims=True))
    embeddings, ids = Embeddings(embed, 0.1), np.arange(1, 21)
    known = []
    for frame in range(4):
        seen(embeddings, boxes_of(20))
        embeddings.remember(ids, np.arange(20), frame / 10)
        known.append(int(embeddings.known(ids).sum()))
    assert known == [8, 16, 20, 20]
    assert embed.calls == [8, 8, 8, 8]


def test_the_share_of_a_box_that_another_covers() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 25, 10], [40, 0, 50, 10]], np.float32)
    np.testing.assert_allclose(covered_share(boxes), [0.5, 0.25, 0])
    assert covered_share(boxes[:0]).shape == (0,)


def test_a_model_that_could_do_nothing_is_refused(network: Embedder) -> None:
    settings = TrackerSettings(keypoint_threshold=0.3, reid_similarity=0.8, revive_s=0.0)
    with pytest.raises(ConfigError, match="revive_s is 0, so nobody would be known again"):
        Tracker(settings, COCO, network)
    with pytest.raises(ConfigError, match="reid_similarity is not known: set it, or take it"):
        Tracker(TrackerSettings(keypoint_threshold=0.3), COCO, network)
