"""Poses with depth: the codec, the estimator, the camera, and what becomes of depths afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posetrack.camera import Camera
from posetrack.codecs import SimCC3D
from posetrack.errors import ConfigError, SourceError
from posetrack.estimator import Estimator
from posetrack.media.space import plot_space, positions
from posetrack.networks import build
from posetrack.records import Header, Record, RecordWriter, read_records
from posetrack.records.recording import Recording, Sightings
from posetrack.revision.smooth import smooth_offline
from posetrack.skeletons import load_skeleton
from posetrack.tracking import Proposals, Tracker, preset
from posetrack.training.export import export_onnx
from posetrack.types import Frame, Poses, Result, Tracks
from posetrack.zoo import find

SIZE = (288, 384)
COCO = load_skeleton("coco")


@given(st.floats(0, 287), st.floats(0, 383), st.floats(-2.1, 2.1))
def test_what_is_encoded_with_depth_is_decoded_to_half_a_bin(x: float, y: float, z: float) -> None:
    codec = SimCC3D(SIZE)
    label_x, label_y, _ = codec.encode(np.array([[[x, y]]]), np.ones((1, 1)))
    label_z, weights = codec.encode_depth(np.array([[z]]), np.ones((1, 1)))
    assert weights.item() == 1
    keypoints, scores = codec.decode(label_x, label_y, label_z)
    half_bin = codec.z_range_m / codec.bins[0]
    np.testing.assert_allclose(keypoints[0, 0, :2], (x, y), atol=0.2501)
    assert keypoints[0, 0, 2] == pytest.approx(z, abs=half_bin + 1e-5)
    assert scores.item() == pytest.approx(1)


def test_a_depth_beyond_the_axis_or_not_known_is_not_learned() -> None:
    codec = SimCC3D(SIZE, z_range_m=1.0)
    _, weights = codec.encode_depth(np.array([[0.0, 1.05, 1.2, 0.5]]), np.array([[1, 1, 1, 0]]))
    assert weights.tolist() == [[1, 1, 0, 0]]


def test_a_mirror_image_has_the_same_depths() -> None:
    codec = SimCC3D(SIZE)
    z = np.zeros((1, 2, 576), np.float32)
    z[0, 0, 100], z[0, 1, 400] = 1, 1
    x, y = np.zeros_like(z), np.zeros((1, 2, 768), np.float32)
    *_, both = codec.average([x, y, z], [x, y, z[:, ::-1]], np.array([1, 0]))
    np.testing.assert_array_equal(both, z)


def test_an_exported_network_with_depth_is_recognised_and_gives_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build("rtmw3d-t", input_size=(64, 96), num_keypoints=17)
    export_onnx(network, tmp_path / "deep.onnx", input_size=(64, 96))
    model = find(tmp_path / "deep.onnx", task="pose")
    assert (model.card.architecture, model.card.codec.kind) == ("rtmw3d", "simcc3d")
    estimate = Estimator.load(tmp_path / "deep.onnx")
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    poses = estimate(image, [[10, 10, 60, 100], [500, 0, 600, 90]])
    assert poses.depths is not None
    assert poses.depths.shape == (2, 17)
    assert np.abs(poses.depths).max() <= model.card.codec.z_range_m
    assert (poses.depths[1] == 0).all(), "a box outside the picture has nothing to look at"


def test_a_camera_turns_pixels_and_depths_into_metres() -> None:
    camera = Camera.of([1000], (641, 481), 5.0)
    assert camera.centre == (320, 240)
    points = np.array([[[320, 240], [420, 240], [320, 40]]], np.float32)
    metres = camera.positions(points, np.array([[0, 0, 1]], np.float32))
    np.testing.assert_allclose(metres[0], [[0, 0, 5], [0.5, 0, 5], [0, -1.2, 6]], atol=1e-6)
    assert Camera.from_json(camera.to_json()) == camera


@pytest.mark.parametrize("numbers", [[], [1, 2, 3], [0.0], [1000, -5]])
def test_an_impossible_camera_is_told(numbers: list[float]) -> None:
    with pytest.raises(ConfigError, match="give f, fx,fy or fx,fy,cx,cy in px and a distance"):
        Camera.of(numbers or [0, 0, 0], (640, 480), 5.0)


def test_depths_are_smoothed_and_stay_with_their_person() -> None:
    rng = np.random.default_rng(1)
    settings = preset("default").resolved(keypoint_threshold=0.3, detection_threshold=0.3)
    tracker = Tracker(settings, COCO)
    body = rng.uniform(0, 1, (17, 2)).astype(np.float32) * (60, 160)
    points = np.stack([body + np.array([x, 100]) for x in (100, 400)]).astype(np.float32)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    truth = np.linspace(-0.4, 0.4, 17, dtype=np.float32) * np.array([[1], [-1]], np.float32)
    noise = {"raw": [], "smooth": []}
    for i in range(40):
        rows = [0, 1] if i % 2 else [1, 0]  # the order of rows says nothing
        seen = truth + rng.normal(size=truth.shape).astype(np.float32) * 0.05
        poses = Poses(points[rows], np.ones((2, 17)), boxes[rows], np.ones(2), COCO, seen[rows])
        ids = np.array(rows) + 1 if i else np.full(2, -1)
        proposals = Proposals(boxes[rows], np.ones(2, np.float32), ids)
        tracks, _ = tracker.update(poses, proposals, t_s=i / 30, size=(640, 480))
        at = [0 if x < 300 else 1 for x in tracks.poses.keypoints[:, 0, 0]]
        if i > 10:
            noise["raw"].append(seen[at] - truth[at])
            noise["smooth"].append(tracks.poses.depths - truth[at])
    raw, smooth = (float(np.std(noise[name])) for name in ("raw", "smooth"))
    assert smooth < 0.7 * raw
    assert np.abs(np.mean(noise["smooth"], axis=0)).max() < 0.05


def test_offline_smoothing_fills_the_depths_of_a_gap() -> None:
    frames = np.array([0, 1, 2, 5, 6, 7, 8])
    n = len(frames)
    points = np.tile(np.float32(100), (n, 17, 2))
    depths = np.tile((0.1 * frames[:, None]).astype(np.float32), (1, 17))
    rows = Sightings(
        frames,
        np.ones(n, np.int64),
        np.tile(np.float32([0, 0, 50, 90]), (n, 1)),
        np.ones(n, np.float32),
        np.full(n, "tracked"),
        points,
        np.ones((n, 17), np.float32),
        points,
        depths,
    )
    all_frames = np.arange(9)
    header = Header("a.mp4", (640, 480), 30.0, COCO)
    ran = np.zeros(9, np.bool_)
    recording = Recording(header, all_frames, all_frames / 30, ran, rows)
    done = smooth_offline(recording, visible=0.3).rows
    np.testing.assert_array_equal(done.frame, all_frames)
    np.testing.assert_allclose(done.depths[:, 3], 0.1 * all_frames, atol=0.02)


def test_records_hold_depths_and_with_a_camera_metres(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 480, (2, 17, 2)).astype(np.float32)
    depths = rng.normal(size=(2, 17)).astype(np.float32)
    boxes = np.array([[0, 0, 9, 9], [9, 9, 30, 30]], np.float32)
    poses = Poses(points, np.ones((2, 17)), boxes, np.ones(2), COCO, depths)
    tracks = Tracks(poses, np.array([4, 7]), np.zeros(2), np.ones(2, np.bool_))
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0, 0.0)
    camera = Camera.of([1000], (640, 480), 4.0)
    header = Header("a.mp4", (640, 480), 30.0, COCO, camera=camera)
    sink = RecordWriter(tmp_path / "a.jsonl", header)
    sink.open()
    sink.write(Result(frame, tracks, points, True))
    sink.finish()
    again, records = read_records(tmp_path / "a.jsonl")
    assert again.camera == camera
    (record,) = records
    np.testing.assert_allclose(record.depths, depths, atol=5.1e-5)
    people = record.people(again.camera)
    expected = camera.positions(record.keypoints, record.depths)
    np.testing.assert_allclose([p["metres"] for p in people], expected, atol=5.1e-5)
    assert [p["id"] for p in people] == [4, 7]
    Recording.read(tmp_path / "a.jsonl").write(tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


def test_a_frame_is_drawn_in_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(100, 400, (2, 17, 2)).astype(np.float32)
    boxes = np.array([[100, 100, 400, 400]] * 2, np.float32)
    depths = rng.normal(size=(2, 17)).astype(np.float32) * 0.3
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 3, 0.1, 0.0)
    for name, camera in (("seen", Camera.of([900], (640, 480), 4.0)), ("blind", None)):
        poses = Poses(points, np.ones((2, 17)), boxes, np.ones(2), COCO, depths)
        tracks = Tracks(poses, np.array([4, 7]), np.zeros(2), np.ones(2, np.bool_))
        record = Record.of(Result(frame, tracks, points, True))
        header = Header("a.mp4", (640, 480), 30.0, COCO, camera=camera)
        plot_space(header, record, tmp_path / f"{name}.png")
        picture = cv2.imread(str(tmp_path / f"{name}.png"))
        assert picture.shape[1] > 2 * picture.shape[0]
        assert picture.std() > 5
    metres = positions(header, record)
    assert np.ptp(metres[0, :, 1]) <= 1.71, "without a camera a box is as tall as a person"
    flat = replace(record, depths=None)
    with pytest.raises(SourceError, match=r"frame 3 of a\.mp4 has nobody with depths"):
        plot_space(header, flat, tmp_path / "none.png")
