"""MMDeploy folders: what their json files say is what the card says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest

from posetrack.errors import ModelError
from posetrack.estimator import Estimator
from posetrack.zoo import find
from posetrack.zoo.sdk import card_for_sdk, find_sdk_folder

NORMALIZE = {
    "type": "Normalize",
    "mean": [1.0, 2.0, 3.0],
    "std": [4.0, 5.0, 6.0],
    "to_rgb": True,
}


def _write(folder: Path, transforms: list[dict[str, Any]], task: dict[str, Any]) -> Path:
    tasks = [
        {"type": "Task", "module": "Transform", "transforms": transforms},
        {"type": "Task", "module": "Net", "name": "net"},
        {"type": "Task", **task},
    ]
    content = {"pipeline": {"input": ["img"], "output": ["post_output"], "tasks": tasks}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.json").write_text(json.dumps(content))
    return folder


def _pose(folder: Path, **params: Any) -> Path:
    graphs.brightest_pixel(folder / "end2end.onnx")
    known = {"type": "SimCCLabel", "input_size": [192, 256], "simcc_split_ratio": 2.0}
    transforms = [
        {"type": "LoadImageFromFile"},
        {"type": "TopDownGetBboxCenterScale", "padding": 1.5, "image_size": [192, 256]},
        {"type": "TopDownAffine", "image_size": [999, 999]},
        NORMALIZE,
    ]
    return _write(folder, transforms, {"component": "SimCCLabelDecode", "params": known | params})


def test_a_pose_folder_tells_normalisation_padding_and_codec(tmp_path: Path) -> None:
    card = card_for_sdk(_pose(tmp_path / "rtmpose model"))
    assert card.name == "rtmpose-model"
    assert (card.task, card.skeleton, card.input.size) == ("pose", "coco", (192, 256))
    assert (card.input.color, card.input.mean, card.input.std) == ("rgb", (1, 2, 3), (4, 5, 6))
    assert (card.codec.split, card.codec.padding) == (2.0, 1.5)


def test_a_detector_folder_tells_size_pad_order_and_nms(tmp_path: Path) -> None:
    graphs.detector_with_nms(tmp_path / "end2end.onnx", [[0, 0, 9, 9, 0.9]], [0])
    transforms = [
        {"type": "Resize", "keep_ratio": True, "size": [640, 384]},
        NORMALIZE | {"to_rgb": False},
        {"type": "Pad", "size": [640, 384], "pad_val": {"img": [7, 7, 7]}},
    ]
    params = {"nms": {"type": "nms", "iou_threshold": 0.65}, "score_thr": 0.05}
    _write(tmp_path, transforms, {"component": "ResizeBBox", "params": params})
    card = card_for_sdk(tmp_path)
    assert (card.task, card.labels) == ("detection", ("person",))
    assert (card.input.size, card.input.color, card.input.pad) == ((640, 384), "bgr", 7)
    assert card.thresholds.nms == 0.65


def test_without_its_json_files_the_graph_has_to_do(tmp_path: Path) -> None:
    folder = _pose(tmp_path)
    (folder / "pipeline.json").unlink()
    assert card_for_sdk(folder).input.mean == (123.675, 116.28, 103.53)


def test_the_published_zips_hide_the_graph_some_folders_down(tmp_path: Path) -> None:
    deep = _pose(tmp_path / "20230504" / "rtmpose_onnx" / "rtmpose-m")
    assert find_sdk_folder(tmp_path) == deep
    assert find_sdk_folder(tmp_path / "20230504" / "nowhere") is None


def test_another_decoder_is_refused(tmp_path: Path) -> None:
    folder = _pose(tmp_path)
    text = (folder / "pipeline.json").read_text()
    (folder / "pipeline.json").write_text(text.replace("SimCCLabelDecode", "DeepposeDecode"))
    with pytest.raises(ModelError, match="DeepposeDecode is not supported, only SimCC and heat"):
        card_for_sdk(folder)


@pytest.mark.parametrize("udp", [True, False])
def test_a_heatmap_folder_tells_stride_and_how_crops_are_cut(udp: bool, tmp_path: Path) -> None:
    maps = np.zeros((1, 17, 64, 48), np.float32)
    maps[0, :, 20, 30] = 1
    graphs.fixed_outputs(tmp_path / "end2end.onnx", {"output": maps}, (256, 192))
    transforms = [
        {"type": "TopDownGetBboxCenterScale", "padding": 1.25, "image_size": [192, 256]},
        {"type": "TopDownAffine", "image_size": [192, 256], "use_udp": udp},
        NORMALIZE,
    ]
    _write(tmp_path, transforms, {"component": "TopdownHeatmapSimpleHeadDecode", "params": {}})
    model = find(tmp_path, task="pose")
    codec = model.card.codec
    assert (codec.kind, codec.stride, codec.udp) == ("heatmap", 4, udp)
    estimate = Estimator.load(tmp_path)
    poses = estimate(np.zeros((256, 192, 3), np.uint8), [[19.2, 25.6, 172.8, 230.4]])
    at = (30 * 191 / 47, 20 * 255 / 63) if udp else (120, 80)
    np.testing.assert_allclose(poses.keypoints[0, 0], at, atol=1.6)


def test_a_graph_that_decodes_by_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the graph decodes by itself"):
        card_for_sdk(_pose(tmp_path, export_postprocess=True))


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"pipeline": {"tasks": [3]}}', '{"pipeline": {"tasks": [{"transforms": [1]}]}}'],
)
def test_a_broken_pipeline_is_one_line(content: str, tmp_path: Path) -> None:
    folder = _pose(tmp_path)
    (folder / "pipeline.json").write_text(content)
    with pytest.raises(ModelError, match="is not a pipeline of MMDeploy") as caught:
        card_for_sdk(folder)
    assert "\n" not in str(caught.value)


def test_impossible_values_are_one_line(tmp_path: Path) -> None:
    folder = _pose(tmp_path)
    text = (folder / "pipeline.json").read_text()
    (folder / "pipeline.json").write_text(text.replace("[4.0, 5.0, 6.0]", "[0.0, 5.0, 6.0]"))
    with pytest.raises(ModelError, match="is not understood") as caught:
        card_for_sdk(folder)
    assert "\n" not in str(caught.value)
