"""COCO, PoseTrack, MOT, OpenPose, MMPose and supervision."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from formats.people import AT, FRAMES, IDS, recording

from posetrack.errors import ConfigError, SinkError
from posetrack.evaluation.trackfiles import read_tracks
from posetrack.formats.conversion import convert
from posetrack.formats.openpose import BODY_25, BODY_135, FACE

ROWS = sum(map(len, AT.values()))


def evaluated(truth: Path, found: Path, library: str) -> float:
    """AP of COCO's keypoint evaluation."""
    if library == "pycocotools":
        coco = pytest.importorskip("pycocotools.coco").COCO
        evaluation = pytest.importorskip("pycocotools.cocoeval").COCOeval
    else:
        coco = pytest.importorskip("faster_coco_eval").COCO
        evaluation = pytest.importorskip("faster_coco_eval").COCOeval_faster
    known = coco(str(truth))
    judged = evaluation(known, known.loadRes(str(found)), "keypoints")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    return float(judged.stats[0])


@pytest.mark.parametrize("library", ["pycocotools", "faster_coco_eval"])
def test_coco_results_of_the_same_recording_have_an_ap_of_one(tmp_path: Path, library: str) -> None:
    convert(recording(), "coco-video", tmp_path / "truth.json")
    convert(recording(), "coco", tmp_path / "found.json")
    assert evaluated(tmp_path / "truth.json", tmp_path / "found.json", library) == 1.0
    away = recording(seed=1)
    away.rows.keypoints[:] += 15
    convert(away, "coco", tmp_path / "away.json")
    assert evaluated(tmp_path / "truth.json", tmp_path / "away.json", library) < 0.9


def test_coco_video_keeps_ids_frames_and_gaps(tmp_path: Path) -> None:
    rec = recording("halpe26")
    convert(rec, "coco-video", tmp_path / "a.json")
    read = read_tracks(tmp_path / "a.json", truth=True)
    assert read.skeleton == rec.header.skeleton
    for record in rec.records():
        frame = read.at(record.frame)
        assert frame.ids.tolist() == record.ids.tolist()
        found = record.scores > 0
        assert np.allclose(frame.keypoints[found], record.keypoints[found], atol=1e-3)
        assert np.array_equal(frame.visible, found)
    info = json.loads((tmp_path / "a.json").read_text())
    assert info["videos"][0]["fps"] == rec.header.fps
    assert "px" in info["info"]["units"]


def test_sleap_io_reads_coco(tmp_path: Path) -> None:
    sio = pytest.importorskip("sleap_io")
    convert(recording(), "coco-video", tmp_path / "a.json")
    picture = cv2.imencode(".jpg", np.zeros((720, 1280), np.uint8))[1].tobytes()
    (tmp_path / "gänge").mkdir()
    for frame in range(FRAMES):
        (tmp_path / "gänge" / f"{frame:06d}.jpg").write_bytes(picture)
    labels = sio.load_coco(str(tmp_path / "a.json"), dataset_root=str(tmp_path))
    assert sum(len(frame.instances) for frame in labels) == ROWS
    assert labels.skeletons[0].node_names == list(recording().header.skeleton.keypoints)


def test_posetrack_has_its_own_keypoints(tmp_path: Path) -> None:
    rec = recording("coco")
    convert(rec, "posetrack", tmp_path / "a.json")
    read = read_tracks(tmp_path / "a.json", truth=True)
    assert read.skeleton is not None
    assert read.skeleton.name == "posetrack18"
    names = read.skeleton.keypoints
    two = rec.track(2)
    at = read.at(0)
    assert np.allclose(at.keypoints[0, names.index("left_knee")], two.keypoints[0, 13], atol=1e-2)
    middle = two.keypoints[0, 5:7].mean(axis=0)
    assert np.allclose(at.keypoints[0, names.index("head_bottom")], middle, atol=0.02)
    assert not at.visible[:, names.index("head_top")].any()


@pytest.mark.filterwarnings("ignore")  # its own, of pandas
def test_mot_is_read_by_motmetrics(tmp_path: Path) -> None:
    mm = pytest.importorskip("motmetrics")
    rec = recording()
    convert(rec, "mot", tmp_path / "a.txt")
    table = mm.io.loadtxt(tmp_path / "a.txt", fmt="mot15-2D").reset_index()
    assert len(table) == ROWS
    seven = table[table.Id == 7]
    assert (seven.FrameId - 1).tolist() == AT[7].tolist()
    boxes = rec.track(7).boxes
    assert np.allclose(seven[["Width", "Height"]], boxes[:, 2:] - boxes[:, :2], atol=0.02)


def test_mot_is_read_by_our_own_evaluation(tmp_path: Path) -> None:
    rec = recording()
    convert(rec, "mot", tmp_path / "a.txt")
    read = read_tracks(tmp_path / "a.txt", truth=False)
    for record in rec.records():
        assert read.at(record.frame).ids.tolist() == record.ids.tolist()
        assert np.allclose(read.at(record.frame).boxes, record.boxes, atol=0.02)


def people(folder: Path, frame: int) -> list[dict]:
    text = (folder / f"gänge_{frame:012d}_keypoints.json").read_text()
    return json.loads(text)["people"]


def test_openpose_writes_a_file_a_frame_with_body_25(tmp_path: Path) -> None:
    rec = recording("halpe26")
    convert(rec, "openpose", tmp_path / "json")
    assert len(list((tmp_path / "json").iterdir())) == FRAMES
    assert [each["person_id"] for each in people(tmp_path / "json", 6)] == [[2], [7]]
    assert [each["person_id"] for each in people(tmp_path / "json", 16)] == [[2]]
    body = np.reshape(people(tmp_path / "json", 6)[1]["pose_keypoints_2d"], (25, 3))
    own, names = rec.track(7), rec.header.skeleton.keypoints
    for place, name in ((8, "hip"), (4, "right_wrist"), (21, "left_heel"), (1, "neck")):
        assert BODY_25[place] == name
        assert np.allclose(body[place, :2], own.keypoints[1, names.index(name)], atol=1e-3)
    assert (body[BODY_25.index("left_ear")] == 0).all()


def test_openpose_has_hands_and_face_of_whole_body_models(tmp_path: Path) -> None:
    rec = recording("coco_wholebody")
    convert(rec, "openpose", tmp_path / "a")
    convert(rec, "openpose-135", tmp_path / "b")
    one, other = people(tmp_path / "a", 0)[0], people(tmp_path / "b", 0)[0]
    own, names = rec.track(2).keypoints[0], rec.header.skeleton.keypoints
    face = np.reshape(one["face_keypoints_2d"], (70, 3))
    assert np.allclose(face[:68, :2], own[23:91], atol=1e-3)
    hand = np.reshape(one["hand_right_keypoints_2d"], (21, 3))
    assert np.allclose(hand[:, :2], own[112:133], atol=1e-3)
    body = np.reshape(other["pose_keypoints_2d"], (135, 3))
    assert np.allclose(body[:17, :2], own[:17], atol=1e-3)
    assert np.allclose(body[65:133, :2], own[23:91], atol=1e-3)
    assert np.allclose(body[25, :2], own[names.index("left_thumb1")], atol=1e-3)
    assert (body[BODY_135.index("head")] == 0).all()
    assert len(FACE) == 70


def test_openpose_own_keeps_the_order_of_the_model(tmp_path: Path) -> None:
    rec = recording("halpe26")
    convert(rec, "openpose-own", tmp_path / "json")
    flat = np.reshape(people(tmp_path / "json", 0)[0]["pose_keypoints_2d"], (26, 3))
    assert np.allclose(flat[:, :2], rec.track(2).keypoints[0], atol=1e-3)


def test_openpose_of_hands_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no shoulders and hips; use openpose-own"):
        convert(recording("onehand10k"), "openpose", tmp_path / "json")


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "thesis.doc").write_text("years of work")
    with pytest.raises(SinkError, match=r"holds thesis.doc"):
        convert(recording(), "openpose", tmp_path / "json")
    assert (tmp_path / "json" / "thesis.doc").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["json"]


def test_mmpose_frames_count_from_one(tmp_path: Path) -> None:
    rec = recording()
    convert(rec, "mmpose", tmp_path / "a.json")
    data = json.loads((tmp_path / "a.json").read_text())
    assert data["meta_info"]["keypoint_id2name"]["13"] == "left_knee"
    assert len(data["instance_info"]) == FRAMES
    seventh = data["instance_info"][6]
    assert seventh["frame_id"] == 7
    assert [each["track_id"] for each in seventh["instances"]] == list(IDS)
    points = np.array(seventh["instances"][1]["keypoints"])
    assert np.allclose(points, rec.track(7).keypoints[1], atol=1e-3)


def test_supervision_objects_carry_ids_and_visibility() -> None:
    sv = pytest.importorskip("supervision")
    from posetrack.formats.supervision import to_detections, to_key_points

    records = list(recording().records())
    detections, points = to_detections(records[6]), to_key_points(records[6])
    assert detections.tracker_id.tolist() == list(IDS)
    assert np.array_equal(detections.xyxy, records[6].boxes)
    assert not points.visible[1, 3]
    assert (points.xy[1, 3] == 0).all()
    assert points.data["tracker_id"].tolist() == list(IDS)
    scene = np.zeros((720, 1280, 3), np.uint8)
    drawn = sv.VertexAnnotator(radius=4).annotate(scene.copy(), points)
    assert drawn.any()
    drawn = sv.BoxAnnotator().annotate(scene.copy(), detections)
    assert drawn.any()
    zone = sv.PolygonZone(np.array([[0, 0], [1279, 0], [1279, 719], [0, 719]]))
    assert zone.trigger(detections).tolist() == [True, True]
