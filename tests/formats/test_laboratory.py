"""TRC, MOT, C3D, HDF5, BVH, NWB and Rerun, each read by the tool it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import avatars
import numpy as np
import pytest
from formats.people import AT, FPS, FRAMES, HEIGHT, IDS, SIZE, recording

from posetrack.errors import ConfigError
from posetrack.formats.conversion import convert
from posetrack.kinematics.measures import px_per_m
from posetrack.records import Header, Recording, Sightings

# Other tools' own warnings are not ours to heed.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSim writes a log where it is started."""
    monkeypatch.chdir(tmp_path)


def tool(name: str) -> Any:
    """A tool, or why the test is skipped."""
    return pytest.importorskip(name, reason=f"{name} is not installed", exc_type=ImportError)


def one(rec: Recording, track_id: int) -> np.ndarray:
    """(F, K, 2), NaN where not found."""
    rows = rec.track(track_id)
    points = np.round(rows.keypoints.astype(np.float64), 2)
    points[rows.scores <= 0] = np.nan
    return points


def full(rec: Recording, track_id: int) -> np.ndarray:
    """(FRAMES, K, 2), NaN where he is not there."""
    whole = np.full((FRAMES, len(rec.header.skeleton), 2), np.nan)
    whole[AT[track_id]] = one(rec, track_id)
    return whole


def test_trc_is_read_by_opensim(tmp_path: Path) -> None:
    osim = tool("opensim")
    rec = recording("halpe26")
    paths = convert(rec, "trc", tmp_path / "walk.trc", px_per_m=200)
    assert [path.name for path in paths] == ["walk.id2.trc", "walk.id7.trc"]
    table = osim.TimeSeriesTableVec3(str(paths[1]))
    assert list(table.getColumnLabels()) == list(rec.header.skeleton.keypoints)
    assert table.getTableMetaDataString("Units") == "m"
    assert float(table.getTableMetaDataString("DataRate")) == pytest.approx(FPS, rel=1e-5)
    times = np.array(table.getIndependentColumn())
    assert np.allclose(times, np.arange(5, 33) / FPS, atol=1e-6)
    points = np.array([[v.to_numpy() for v in _row(table, i)] for i in range(table.getNumRows())])
    wanted = full(rec, 7)[5:33]
    assert np.allclose(points[..., 0], wanted[..., 0] / 200, atol=1e-5, equal_nan=True)
    assert np.allclose(points[..., 1], (719 - wanted[..., 1]) / 200, atol=1e-5, equal_nan=True)
    markers = osim.MarkerData(str(paths[1]))
    assert markers.getUnits().getLabel() == "meters"
    assert markers.getNumFrames() == 28


def _row(table: Any, index: int) -> list[Any]:
    row = table.getRowAtIndex(index)
    return [row.getElt(0, column) for column in range(row.ncol())]


def test_trc_is_read_by_pose2sim(tmp_path: Path) -> None:
    common = tool("Pose2Sim.common")
    rec = recording("halpe26")
    path = convert(rec, "trc", tmp_path / "walk.trc")[1]
    table, frames, times_s, names, header = common.read_trc(path)
    assert header[2].split("\t")[2:5] == ["28", "26", "px"]
    assert names == list(rec.header.skeleton.keypoints)
    assert frames.tolist() == list(range(6, 34))  # from 1
    assert np.allclose(times_s, np.arange(5, 33) / FPS, atol=1e-6)
    x = table.to_numpy(float).reshape(28, 26, 3)[..., 0]
    assert np.allclose(x, full(rec, 7)[5:33, :, 0], atol=0.01, equal_nan=True)


def test_opensim_reads_the_angles(tmp_path: Path) -> None:
    osim = tool("opensim")
    paths = convert(recording("halpe26"), "opensim-mot", tmp_path / "walk.mot")
    table = osim.TimeSeriesTable(str(paths[0]))
    assert table.getTableMetaDataString("inDegrees") == "yes"
    names = list(table.getColumnLabels())
    assert {"knee_angle_r", "hip_flexion_l", "ankle_angle_r", "elbow_flex_l"} <= set(names)
    knee = table.getDependentColumn("knee_angle_r").to_numpy()
    assert len(knee) == FRAMES
    assert (knee < 15).all()  # the layout stands straight
    storage = osim.Storage(str(paths[1]))
    assert storage.isInDegrees()
    assert storage.getSize() == len(AT[7])


def test_angles_of_a_set_without_joints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no joint whose angle is known"):
        convert(recording("lapa"), "opensim-mot", tmp_path / "a.mot")


@pytest.mark.parametrize("skeleton", ["halpe26", "coco_wholebody"])
def test_c3d_is_read_by_ezc3d(tmp_path: Path, skeleton: str) -> None:
    ezc3d = tool("ezc3d")
    rec = recording(skeleton)
    convert(rec, "c3d", tmp_path / "a.c3d", px_per_m=200)
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    point = read["parameters"]["POINT"]
    labels = [*point["LABELS"]["value"], *point.get("LABELS2", {"value": []})["value"]]
    k = len(rec.header.skeleton)
    assert labels[:2] == ["id2:nose", "id2:left_eye"]
    assert len(labels) == 2 * k
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"][0] == pytest.approx(FPS, rel=1e-6)
    assert read["parameters"]["SUBJECTS"]["NAMES"]["value"] == ["id2", "id7"]
    data = read["data"]["points"][:3].transpose(2, 1, 0).reshape(FRAMES, 2, k, 3)
    wanted = full(rec, 7)
    assert np.allclose(data[:, 1, :, 0], 5 * wanted[..., 0], atol=0.01, equal_nan=True)
    assert np.allclose(data[:, 1, :, 1], 5 * (719 - wanted[..., 1]), atol=0.01, equal_nan=True)
    residuals = read["data"]["meta_points"]["residuals"][0].T.reshape(FRAMES, 2, k)
    assert np.array_equal(residuals[:, 1] < 0, np.isnan(wanted[..., 0]))


def test_c3d_is_read_by_py_c3d(tmp_path: Path) -> None:
    c3d = tool("c3d")
    tool("ezc3d")
    rec = recording("halpe26")
    convert(rec, "c3d", tmp_path / "a.c3d")
    with (tmp_path / "a.c3d").open("rb") as file:
        reader = c3d.Reader(file)
        assert reader.point_rate == pytest.approx(FPS, rel=1e-6)
        assert [label.strip() for label in reader.point_labels][26] == "id7:nose"
        frames = [points for _, points, _ in reader.read_frames()]
    assert len(frames) == FRAMES
    assert np.allclose(frames[5][26, 0], full(rec, 7)[5, 0, 0], atol=0.01)
    assert frames[0][26, 3] == -1  # he is not there yet


def test_deeplabcut_table_is_read_by_pandas(tmp_path: Path) -> None:
    pd = tool("pandas")
    tool("tables")
    rec = recording()
    convert(rec, "dlc", tmp_path / "a.h5")
    table = pd.read_hdf(tmp_path / "a.h5")
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    assert len(table) == FRAMES
    seven = table["posetrack"]["id7"]
    assert np.allclose(seven["nose"][["x", "y"]], full(rec, 7)[:, 0], equal_nan=True)
    assert seven["left_ear"].isna().all().all()


@pytest.mark.parametrize("kind", ["dlc", "sleap"])
def test_movement_reads_both_laboratory_tables(tmp_path: Path, kind: str) -> None:
    load = tool("movement.io.load_poses")
    tool("tables")
    rec = recording()
    convert(rec, kind, tmp_path / "a.h5")
    read = load.from_dlc_file if kind == "dlc" else load.from_sleap_file
    found = read(tmp_path / "a.h5", fps=FPS)
    assert found.individuals.values.tolist() == ["id2", "id7"]
    assert found.sizes["time"] == FRAMES
    x = found.position.sel(individuals="id7", keypoints="right_knee", space="x").values
    assert np.allclose(x, full(rec, 7)[:, 14, 0], equal_nan=True)
    assert np.isnan(found.position.sel(individuals="id7", keypoints="left_ear")).all()


def test_sleap_analysis_is_read_by_sleap_io(tmp_path: Path) -> None:
    sio = tool("sleap_io")
    tool("h5py")
    rec = recording()
    convert(rec, "sleap", tmp_path / "a.h5")
    labels = sio.load_analysis_h5(str(tmp_path / "a.h5"))
    assert [track.name for track in labels.tracks] == ["id2", "id7"]
    assert len(labels) == FRAMES
    skeleton = labels.skeletons[0]
    assert skeleton.node_names == list(rec.header.skeleton.keypoints)
    assert len(skeleton.edges) == len(rec.header.skeleton.limbs)
    frame = next(each for each in labels if each.frame_idx == 6)
    seven = next(each for each in frame.instances if each.track.name == "id7")
    assert np.allclose(seven.numpy(), full(rec, 7)[6], equal_nan=True)


@pytest.mark.parametrize("depths", [False, True])
def test_bvh_bones_point_where_the_body_points(tmp_path: Path, depths: bool) -> None:
    bvhio = tool("bvhio")
    rec = recording("halpe26", depths=depths)
    path = convert(rec, "bvh", tmp_path / "walk.bvh", px_per_m=200 if depths else None)[0]
    root = bvhio.readAsHierarchy(str(path))
    assert root.Name == "Hips"
    names = rec.header.skeleton.keypoints
    rows = rec.track(2)
    for frame in (0, 17, FRAMES - 1):
        root.loadPose(frame, recursive=True)
        for joint, begin, end in (
            ("LeftLeg", "left_knee", "left_ankle"),
            ("RightArm", "right_shoulder", "right_elbow"),
            ("RightUpLeg", "right_hip", "right_knee"),
            ("Spine", "hip", "neck"),
        ):
            bone = root.filter(joint, isEqual=True)[0]
            found = np.array(bone.Children[0].PositionWorld) - np.array(bone.PositionWorld)
            a, b = (names.index(each) for each in (begin, end))
            flat = (rows.keypoints[frame, b] - rows.keypoints[frame, a]) * (1, -1)
            wanted = np.array([*flat, 0.0])
            if depths and rows.depths is not None:
                wanted /= 200
                wanted[2] = rows.depths[frame, a] - rows.depths[frame, b]
            cosine = found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted)
            assert cosine > 0.9999, (joint, frame)


def test_bvh_of_a_dancer_has_the_turns_he_made(tmp_path: Path) -> None:
    bvhio = tool("bvhio")
    times_s = np.arange(0, 4, 0.1)
    path = convert(dancer(times_s), "bvh", tmp_path / "dance.bvh", px_per_m=avatars.PX_PER_M)[0]
    root = bvhio.readAsHierarchy(str(path))
    names = {"UpperArm": "Arm", "LowerArm": "ForeArm", "UpperLeg": "UpLeg", "LowerLeg": "Leg"}
    for frame, t in enumerate(times_s):
        root.loadPose(frame, recursive=True)
        truth = avatars.seen(avatars.dance(t)).places
        for bone, (begin, end) in avatars.LIMBS.items():
            side, part = re.findall("Left|Right|[A-Z].*", bone)
            joint = root.filter(side + names.get(part, part), isEqual=True)[0]
            if part == "Foot":  # the reader has no place for where a bone without children ends
                continue
            found = np.array(joint.Children[0].PositionWorld) - np.array(joint.PositionWorld)
            body = (truth[end] - truth[begin]) * (-1, 1, 1)  # x of Unity's axes points left
            cosine = found @ body / np.linalg.norm(found) / np.linalg.norm(body)
            assert cosine > 0.9999, (bone, t)
        across = [np.array(root.filter(f"{s}UpLeg")[0].PositionWorld) for s in ("Left", "Right")]
        hips = (truth["left_hip"] - truth["right_hip"]) * (-1, 1, 1)
        np.testing.assert_allclose(across[0] - across[1], 100 * hips, atol=0.1)


def dancer(times_s: np.ndarray) -> Recording:
    """What a 3D model without faults sees of the dancer whose turns are known."""
    frames = [avatars.seen(avatars.dance(t)) for t in times_s]
    n = len(frames)
    keypoints = np.stack([frame.keypoints for frame in frames]).astype(np.float32)
    rows = Sightings(
        np.arange(n),
        np.ones(n, np.int64),
        np.zeros((n, 4), np.float32),
        np.ones(n, np.float32),
        np.full(n, "tracked"),
        keypoints,
        np.stack([frame.scores for frame in frames]).astype(np.float32),
        keypoints,
        np.stack([frame.depths for frame in frames]).astype(np.float32),
    )
    rate_hz = 1 / (times_s[1] - times_s[0])
    header = Header("dance.mp4", avatars.SIZE, rate_hz, avatars.SKELETON)
    return Recording(header, np.arange(n), times_s, np.zeros(n, np.bool_), rows)


def test_nwb_is_read_by_pynwb_and_movement(tmp_path: Path) -> None:
    pynwb = tool("pynwb")
    tool("ndx_pose")
    rec = recording()
    convert(rec, "nwb", tmp_path / "a.nwb")
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as file:
        module = file.read().processing["behavior"]
        seven = module["id7"]
        series = seven["right_knee"]
        assert np.allclose(series.data[:], full(rec, 7)[5:33, 14], equal_nan=True)
        assert np.allclose(series.timestamps[:], np.arange(5, 33) / FPS, atol=1e-6)
        assert series.unit == "pixels"
        assert (seven["left_ear"].confidence[:] == 0).all()
        assert list(seven.skeleton.nodes[:]) == list(rec.header.skeleton.keypoints)
    assert pynwb.validate(path=str(tmp_path / "a.nwb")) in ([], ([], 0))


def test_rerun_reads_its_recording(tmp_path: Path) -> None:
    chunk = tool("rerun.chunk")
    rec = recording()
    convert(rec, "rerun", tmp_path / "a.rrd")
    tables = {}
    for each in chunk.RrdReader(str(tmp_path / "a.rrd")).stream():
        if not each.is_static:
            table = each.to_record_batch()
            for name in table.schema.names:
                tables[str(each.entity_path), name] = table.column(name).to_pylist()
    place = "/people/id7/keypoints"
    frames = tables[place, "frame"]
    assert frames == list(range(5, 34))  # from his first to the one after his last
    points = dict(zip(frames, tables[place, "Points2D:positions"], strict=True))
    names = dict(zip(frames, tables[place, "Points2D:keypoint_ids"], strict=True))
    wanted = full(rec, 7)
    for frame in (5, 9, 32):
        assert names[frame] == [index for index in range(17) if index != 3]
        assert np.allclose(points[frame], wanted[frame, names[frame]], atol=1e-3)
    assert not points[16]
    assert not points[33]
    box = dict(zip(frames, tables["/people/id7/box", "Boxes2D:centers"], strict=True))
    boxes = rec.track(7).boxes
    assert np.allclose(box[5][0], (boxes[0, :2] + boxes[0, 2:]) / 2, atol=1e-3)


def test_scale_comes_from_the_height_of_a_person() -> None:
    rec = recording()
    rows = rec.track(2)
    found = px_per_m(rec.header.skeleton, rows.keypoints, rows.scores, 1.5)
    assert found == pytest.approx(HEIGHT / 1.5, rel=0.03)
    assert SIZE[0] > HEIGHT
    assert len(IDS) == 2
