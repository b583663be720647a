"""`posetrack run` on generated clips with tiny models: outputs, flags, and every bad input."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import avatars
import graphs
import numpy as np
import onnx
import pytest
from clips import make_clip, picture
from marionette import frames_of, marionette, turns_of
from waiting import wait_until

import posetrack
from posetrack.cli.options import FLAGS, without_numbers
from posetrack.zoo import aliases

Run = Callable[..., "Outcome"]  # noqa: F821


@pytest.fixture
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    make_clip(path, frames=12)
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_video_gives_an_annotated_video_records_and_a_table(
    command: Run, models, clip: Path, tmp_path: Path
) -> None:
    done = command("run", clip, *models.flags, "--det-interval", 5, "--save", "csv")
    assert done.status == 0, done.err
    names = {"walk.posetrack.mp4", "walk.posetrack.jsonl", "walk.posetrack.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert frame_count(tmp_path / "walk.posetrack.mp4") == 12
    header, *frames = lines(tmp_path / "walk.posetrack.jsonl")
    assert header["models"] == {"detection": "tiny-detector", "pose": "tiny-pose"}
    assert header["settings"]["detector"]["interval"] == 5
    assert [frame["frame"] for frame in frames] == list(range(12))
    assert [frame["frame"] for frame in frames if frame["detector"]] == [0, 5, 10]
    assert all(len(frame["people"]) == 1 for frame in frames)
    assert len({frame["people"][0]["id"] for frame in frames}) == 1
    for word in ("frames", "12", "ids", "fps", "detect", "track", "busy p50", "wrote"):
        assert word in done.out
    assert "12 frames" in done.err


def test_a_re_identification_model_stands_in_the_records(
    command: Run, models, clip: Path, tmp_path: Path
) -> None:
    done = command("run", clip, *models.flags, "--reid", models.reid, "--no-video")
    assert done.status == 0, done.err
    header, *frames = lines(tmp_path / "walk.posetrack.jsonl")
    assert header["models"]["reid"] == "tiny-reid"
    assert header["settings"]["reid"]["model"] == str(models.reid)
    assert header["settings"]["tracker"]["reid_similarity"] == 0.75
    assert all(len(frame["people"]) == 1 for frame in frames)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--reid", "nobody.onnx"], "nobody.onnx not found"),
        (["--reid", "POSE"], "tiny-pose is a pose model, a reid model was asked"),
        (["--reid", "REID", "--tracker", "iou"], "revive_s is 0, so nobody would be known again"),
    ],
)
def test_a_re_identification_model_that_is_none_is_one_line(
    command: Run, models, clip: Path, more: list[str], message: str
) -> None:
    named = {"POSE": models.pose, "REID": models.reid}
    done = command("run", clip, *models.flags, *(named.get(word, word) for word in more))
    assert message in done.err
    assert done.status in (1, 2)
    assert done.err.count("\n") == 1, done.err


def test_two_runs_give_the_same_bytes(command: Run, models, clip: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = command("run", clip, *models.flags, "--no-video", "--json", f"{name}.jsonl")
        assert done.status == 0, done.err
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_outputs_go_where_they_are_named(command: Run, models, clip: Path, tmp_path: Path) -> None:
    assert command("run", clip, *models.flags, "-o", "out/tracked.mkv").status == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tracked.mkv", "tracked.jsonl"}
    assert command("run", clip, *models.flags, "-o", "all", "--no-video").status == 0
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["walk.posetrack.jsonl"]
    assert command("run", clip, *models.flags, "-o", "stills/*.jpg", "--no-json").status == 0
    assert len(list((tmp_path / "stills").iterdir())) == 12


def test_images_are_read_one_by_one_or_as_a_folder(
    command: Run, models, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import cv2

    folder = tmp_path_factory.mktemp("gallery")
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), picture(index))
    done = command("run", folder / "1.png", *models.flags)
    assert done.status == 0, done.err
    assert {p.name for p in tmp_path.iterdir()} == {"1.posetrack.png", "1.posetrack.jsonl"}
    for given in (folder, f"{folder}/*.png"):
        assert command("run", given, *models.flags, "-o", "seen").status == 0
        video = tmp_path / "seen" / f"{folder.name}.posetrack.mp4"
        assert frame_count(video) == 3
        video.unlink()


def test_boxes_from_a_file_take_the_detectors_place(
    command: Run, models, clip: Path, tmp_path: Path
) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text('{"0": [[20, 20, 60, 120], [200, 20, 250, 130]]}')
    done = command("run", clip, "--pose", models.pose, "--boxes", boxes, "--no-video")
    assert done.status == 0, done.err
    header, *frames = lines(tmp_path / "walk.posetrack.jsonl")
    assert "detection" not in header["models"]
    assert [len(frame["people"]) for frame in frames] == [2] * 12


def test_a_part_of_the_input_is_read(command: Run, models, clip: Path, tmp_path: Path) -> None:
    part = ["--start", 0.2, "--duration", 0.2, "--stride", 2]
    assert command("run", clip, *models.flags, *part, "--no-video").status == 0
    _, *frames = lines(tmp_path / "walk.posetrack.jsonl")
    assert [frame["frame"] for frame in frames] == [5, 7, 9]


def test_pictures_have_the_size_and_background_asked(
    command: Run, models, clip: Path, tmp_path: Path
) -> None:
    look = ["--output-size", 160, "--background", "black", "--draw", "limbs", "--flip"]
    done = command("run", clip, *models.flags, *look, "-o", "small.mp4")
    assert done.status == 0, done.err
    image = first_picture(tmp_path / "small.mp4")
    assert image.shape[:2] == (120, 160)
    assert np.median(image) < 20


def first_picture(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


def test_styles_faces_heat_and_comparisons_are_flags(
    command: Run, models, clip: Path, tmp_path: Path
) -> None:
    looks = {
        "plain": ["--draw", ""],
        "openpose": ["--style", "openpose"],
        "minimal": ["--style", "minimal", "--colours", "side"],
        "hidden": ["--blur-faces", "--draw", ""],
        "heat": ["--draw", "heatmap"],
        "both": ["--compare", "raw", "--style", "mmpose"],
    }
    pictures = {}
    for name, flags in looks.items():
        out = f"{name}.mp4"
        done = command("run", clip, *models.flags, *flags, "--duration", 0.1, "-o", out)
        assert done.status == 0, done.err
        pictures[name] = first_picture(tmp_path / out)
    assert len({picture.tobytes() for picture in pictures.values()}) == len(looks)
    height, width = pictures["plain"].shape[:2]
    assert pictures["both"].shape[:2] == (height, 2 * width)


def test_heat_maps_are_refused_where_records_are_drawn(command: Run, models, clip: Path) -> None:
    done = command("run", clip, *models.flags, "--draw", "heatmap", "--smooth", "offline")
    assert done.status == 2
    assert done.err.startswith("posetrack: --draw: drawing.layers has heatmap")


def test_every_flag_of_mmdeploys_demo_is_understood(
    command: Run, models, clip: Path, tmp_path: Path
) -> None:
    theirs = (  # one string, as people type it
        "--device cpu --output seen.mp4 --output_size 0 --flip 0 --show -1 --skeleton coco "
        "--background default --det_interval 1 --det_label 0 --det_thr 0.4 --det_min_bbox_size 10 "
        "--det_nms_thr 0.7 --pose_max_num_bboxes -1 --pose_kpt_thr 0.3 --pose_min_keypoints -1 "
        "--pose_bbox_scale 1.25 --pose_min_bbox_size -1 --pose_nms_thr 0.5 --track_iou_thr 0.4 "
        "--track_max_missing 10"
    )
    done = command("run", clip, *models.flags, "--tracker", "mmdeploy", *shlex.split(theirs))
    assert done.status == 0, done.err
    header, *_ = lines(tmp_path / "seen.jsonl")
    used = header["settings"]["tracker"]
    assert used["detection_threshold"] == 0.4
    assert used["max_boxes"] is None
    assert used["max_missing_s"] == 10
    assert (tmp_path / "seen.mp4").stat().st_size > 0


def test_mmdeploys_switches_with_numbers_become_switches() -> None:
    given = ["a.mp4", "--flip", "1", "--show", "-1", "--flip=0", "--show=20", "--show", "--flip"]
    wanted = ["a.mp4", "--flip", "--no-show", "--no-flip", "--show", "--show", "--flip"]
    assert without_numbers(given) == wanted


def test_flags_name_settings_that_exist(command: Run) -> None:
    from posetrack.config import _settings

    known = {".".join(path) for path in _settings()}
    assert {flag.setting for flag in FLAGS} <= known


def test_the_configuration_is_printed_and_read_back(command: Run, tmp_path: Path) -> None:
    first = command("run", "--print-config", "--det-thr", 0.3, "--set", "tracker.beta=4")
    assert first.status == 0
    (tmp_path / "mine.yaml").write_text(first.out)
    again = command("run", "--print-config", "--config", "mine.yaml")
    assert again.out == first.out


NOT_A_MODEL = "not an onnx file"


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["nowhere.mp4"], 1, "no such file or folder: nowhere.mp4"),
        (["empty"], 1, "empty has no images"),
        (["*.jpg"], 1, "matches nothing"),
        (["empty.mp4"], 1, "empty.mp4"),
        (["text.mp4"], 1, "text.mp4"),
        (["sound.mp4"], 1, "sound.mp4"),
        (["broken.png"], 1, "broken.png"),
        ([], 2, "name a video"),
        (["ok.mp4", "--det-interval", "0"], 2, "--det-interval"),
        (["ok.mp4", "--det-interval", "many"], 2, "--det-interval"),
        (["ok.mp4", "--frobnicate"], 2, "No such option"),
        (["ok.mp4", "--draw", "boxes,halo"], 2, "--draw: drawing.layers.1"),
        (["ok.mp4", "--tracker", "sort"], 2, "--tracker: tracker preset 'sort'"),
        (["ok.mp4", "--backend", "trt"], 2, "tensorrt"),
        (["ok.mp4", "--backend", "caffe"], 1, "no backend named 'caffe'"),
        (["ok.mp4", "--device", "cuda"], 1, "cuda"),
        (["ok.mp4", "--config", "none.yaml"], 2, "none.yaml not found"),
        (["ok.mp4", "--set", "tracker.max_age=1"], 2, "did you mean"),
        (["ok.mp4", "--skeleton", "octopus"], 2, "no skeleton named 'octopus'"),
        (["ok.mp4", "-o", "ok.mp4"], 1, "is the input itself"),
        (["ok.mp4", "-o", "out.gif"], 2, "--output out.gif"),
        (["ok.mp4", "-o", "text.mp4/out.mp4"], 1, "out.mp4"),
        (["ok.mp4", "--no-video", "-o", "out.mp4"], 2, "exclude each other"),
        (["ok.mp4", "--no-video", "--style", "minimal"], 2, "--style and --no-video exclude"),
        (["ok.mp4", "--json", "x.mp4", "-o", "x.mp4"], 2, "two outputs"),
        (["ok.mp4", "--boxes", "none.json"], 1, "none.json not found"),
        (["ok.mp4", "--boxes", "bad.csv"], 1, "bad.csv:2"),
        (["ok.mp4", "--det", "nobody.onnx"], 1, "nobody.onnx not found"),
        (["ok.mp4", "--det", "text.onnx"], 1, "text.onnx"),
        (["ok.mp4", "--show"], 1, "cannot show a window: there is no display"),
        (["ok.mp4", "--background", "red"], 2, "--background red: known are picture, black, blur"),
        (["ok.mp4", "a.mp4", "b.mp4"], 2, "one at a time, here are 3: posetrack batch takes many"),
    ],
)
def test_bad_input_is_one_line_with_the_right_status(
    command: Run,
    models,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    make_clip(tmp_path / "ok.mp4", frames=3)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.mp4").touch()
    for name in ("text.mp4", "broken.png", "text.onnx"):
        (tmp_path / name).write_text("this is no picture\n" * 40)
    (tmp_path / "bad.csv").write_text("frame,x1,y1,x2,y2\n0,10,10,5,20\n")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    flags = models.flags if "--det" not in args else ["--pose", str(models.pose)]
    done = command("run", *args, *flags)
    assert message in done.err
    assert done.status == status, done.err
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    assert not done.out
    after = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_playable_video_and_whole_records(
    models, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    make_clip(tmp_path / "long.mp4", frames=400, size=(96, 64), gop=250)
    flags = [*models.flags, "--backend", "sleepy:Sleepy"]
    line = [sys.executable, "-m", "posetrack", "run", "long.mp4", *flags]
    paths = (Path(posetrack.__file__).parents[1], Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    with subprocess.Popen(
        line, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as child:
        part = tmp_path / "long.posetrack.jsonl.part"
        while not (part.exists() and part.stat().st_size > 4096) and child.poll() is None:
            time.sleep(0.005)
        child.send_signal(number)
        _, err = child.communicate(timeout=40)
    assert child.returncode == status, err
    assert f"stopped by {number.name}" in err
    _, *frames = lines(tmp_path / "long.posetrack.jsonl")
    assert 0 < len(frames) < 400
    assert frame_count(tmp_path / "long.posetrack.mp4") == len(frames)
    assert not list(tmp_path.glob("*.part"))


def test_a_full_disk_is_one_line_and_leaves_nothing_behind(models, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    make_clip(tmp_path / "a.mp4", frames=60)
    line = [sys.executable, "-m", "posetrack", "run", "a.mp4", *models.flags]
    environment = os.environ | {"PYTHONPATH": str(Path(posetrack.__file__).parents[1])}
    done = subprocess.run(
        line,
        cwd=tmp_path,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("posetrack: cannot write a.posetrack.")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_truncated_video_is_worked_on_as_far_as_it_goes_or_refused(
    command: Run, models, tmp_path: Path
) -> None:
    make_clip(tmp_path / "whole.mkv", frames=40)
    data = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    done = command("run", "cut.mkv", *models.flags, "--no-video")
    assert done.status == 0, done.err
    _, *frames = lines(tmp_path / "cut.posetrack.jsonl")
    assert 10 < len(frames) < 40
    make_clip(tmp_path / "whole.mp4", frames=10)
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])  # the index was at the end
    done = command("run", "cut.mp4", *models.flags)
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert not list(tmp_path.glob("cut.posetrack.mp4*"))


@pytest.mark.parametrize("size", [(1, 1), (33, 17)])
def test_tiny_and_odd_pictures_are_no_error(
    command: Run, models, tmp_path: Path, size: tuple[int, int]
) -> None:
    import cv2

    folder = tmp_path / "odd"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((size[1], size[0], 3), 99, np.uint8))
    done = command("run", folder, *models.flags)
    assert done.status == 0, done.err
    assert frame_count(tmp_path / "odd.posetrack.mp4") == 3


def test_rotation_uneven_time_ten_bits_and_sound_come_through(
    command: Run, models, tmp_path: Path
) -> None:
    times_s = [0.0, 0.04, 0.2, 0.24, 0.5, 0.54, 0.9, 0.94]
    make_clip(
        tmp_path / "phone.mp4",
        frames=len(times_s),
        times_s=times_s,
        rotation=90,
        pix_fmt="yuv420p10le",
        audio_s=0.9,
    )
    done = command("run", "phone.mp4", *models.flags)
    assert done.status == 0, done.err
    header, *frames = lines(tmp_path / "phone.posetrack.jsonl")
    assert header["size"] == [240, 320]
    assert [frame["pts_s"] for frame in frames] == pytest.approx(times_s, abs=1e-3)
    with av.open(str(tmp_path / "phone.posetrack.mp4")) as container:
        assert len(container.streams.audio) == 1
        pictures = list(container.decode(video=0))
    assert [(p.width, p.height, p.format.name) for p in pictures] == [(240, 320, "yuv420p")] * 8
    assert [p.time for p in pictures] == pytest.approx(times_s, abs=2e-3)
    assert not any("DISPLAYMATRIX" in picture.side_data for picture in pictures)


def test_a_late_detector_is_for_live_sources(command: Run, models, tmp_path: Path) -> None:
    clip = tmp_path / "walk.mp4"
    make_clip(clip, frames=3)
    done = command("run", clip, *models.flags, "--async-detector")
    assert done.status == 2
    assert "--async-detector is for live sources" in done.err


DEEP = """
name: tiny-deep
task: pose
architecture: constant
skeleton: coco
input: {size: [192, 256], color: rgb, mean: [0, 0, 0], std: [255, 255, 255]}
codec: {kind: simcc3d, z_range_m: 2.0}
files: [{format: onnx, path: model.onnx}]
"""


@pytest.fixture
def deep(models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny pose model with a depth for each keypoint: 10 mm for each of its number."""
    folder = tmp_path_factory.mktemp("deep")
    graph = onnx.load(models.pose / "model.onnx")
    z = np.zeros((1, 17, 384), np.float32)
    z[0, np.arange(17), 192 + np.arange(17)] = 1
    graph.graph.initializer.append(onnx.numpy_helper.from_array(z, "simcc_z_value"))
    graph.graph.node.append(
        onnx.helper.make_node("Tile", ["simcc_z_value", "repeats"], ["simcc_z"])
    )
    shape = ["n", 17, 384]
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info("simcc_z", onnx.TensorProto.FLOAT, shape)
    )
    onnx.save(graph, folder / "model.onnx")
    (folder / "card.yaml").write_text(DEEP)
    return folder


def test_a_3d_model_gives_depths_and_with_a_camera_metres(
    command: Run, models, deep: Path, clip: Path, tmp_path: Path
) -> None:
    flags = ["--det", models.det, "--pose", deep, "--no-video"]
    done = command("run", clip, *flags, "--camera", "1000,1000", "--distance", 4)
    assert done.status == 0, done.err
    header, *frames = lines(tmp_path / "walk.posetrack.jsonl")
    width, height = header["size"]
    assert header["camera"] == {
        "focal": [1000, 1000],
        "centre": [(width - 1) / 2, (height - 1) / 2],
        "distance_m": 4,
    }
    (person,) = frames[-1]["people"]
    np.testing.assert_allclose(person["depths"], np.arange(17) * 2 / 192, atol=1e-3)
    for (x, y, _), (x_m, y_m, z_m) in zip(person["keypoints"], person["metres"], strict=True):
        assert x_m == pytest.approx((x - (width - 1) / 2) / 1000 * z_m, abs=1e-3)
        assert y_m == pytest.approx((y - (height - 1) / 2) / 1000 * z_m, abs=1e-3)
    assert len({frame["people"][0]["id"] for frame in frames}) == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--pose", "DEEP", "--camera", "1000"], "give both --camera and --distance"),
        (["--pose", "POSE", "--camera", "1000"], "tiny-pose has no depth: take a 3D pose model"),
        (["--pose", "DEEP", "--camera", "wide"], "--camera: pose.camera: "),
        (["--pose", "DEEP", "--camera", "1,2,3", "--distance", "4"], "give f, fx,fy or fx,fy,cx"),
    ],
)
def test_a_camera_that_cannot_be_is_one_line(
    command: Run, models, deep: Path, clip: Path, more: list[str], told: str
) -> None:
    names = {"DEEP": deep, "POSE": models.pose}
    done = command("run", clip, "--det", models.det, *(names.get(word, word) for word in more))
    assert done.status == 2
    assert told in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_hands_are_looked_for_at_the_wrists_of_any_body(
    command: Run, models, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = tmp_path / "hand"
    graphs.brightest_pixel(hand / "model.onnx", keypoints=21, size=(64, 64))
    text = DEEP.replace("tiny-deep", "tiny-hand").replace("coco", "coco_wholebody_hand")
    text = text.replace("[192, 256]", "[64, 64]").replace("kind: simcc3d, z_range_m: 2.0", "")
    (hand / "card.yaml").write_text(text)
    monkeypatch.setitem(aliases._NEEDS, "hands", ((str(hand), "nobody"),) * 4)
    done = command("run", clip, "--det", models.det, "--pose", f"{models.pose}+hands")
    assert done.status == 0, done.err
    header, *frames = lines(tmp_path / "walk.posetrack.jsonl")
    assert header["models"]["hands"] == "tiny-hand"
    assert len(header["skeleton"]["keypoints"]) == 17 + 42
    (person,) = frames[-1]["people"]
    assert len(person["keypoints"]) == len(person["raw"]) == 59


def test_an_avatar_moves_as_whoever_is_tracked(command: Run, models, clip: Path) -> None:
    with marionette() as (port, heard):
        done = command(
            "run", clip, "--det", models.det, "--pose", models.deep, "--vmc", f"127.0.0.1:{port}",
            "--no-video", "--smooth", "offline",
        )  # fmt: skip
        assert done.status == 0, done.err
        wait_until(lambda: len(frames_of(heard)) == 12, "all is heard")
    frames = frames_of(heard)
    found = avatars.world(turns_of(frames[-1]))
    truth, rest = avatars.seen(avatars.dance(0)).places, avatars.seen({}).places
    for bone, (begin, end) in avatars.LIMBS.items():
        body, limb = truth[end] - truth[begin], found[bone][0].apply(rest[end] - rest[begin])
        cosine = body @ limb / np.linalg.norm(body) / np.linalg.norm(limb)
        assert np.degrees(np.arccos(min(cosine, 1.0))) < 8, bone  # a bin of the net is 1.5 cm


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--vmc", "here:there"],
            "--vmc: output.vmc: write HOST or HOST:PORT, such as 127.0.0.1:39539, got",
        ),
        (["--vmc", "127.0.0.1"], "--vmc asked, but tiny-pose has no depth: take a 3D pose model"),
    ],
)
def test_an_avatar_that_cannot_be_moved_is_told(
    command: Run, models, clip: Path, flags: list[str], message: str
) -> None:
    done = command("run", clip, *models.flags, *flags)
    assert done.status == 2
    assert message in done.err, done.err
