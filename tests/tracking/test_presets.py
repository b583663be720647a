from __future__ import annotations

import pytest

from posetrack.errors import ConfigError
from posetrack.tracking import MMDEPLOY_ALIASES, PRESETS, TrackerSettings, from_mmdeploy, preset

# MMDeploy's SetDefaultParams, det_interval apart, which belongs to the loop.
MMDEPLOY_DEFAULTS = {
    "det_label": 0,
    "det_thr": 0.5,
    "det_min_bbox_size": -1,
    "det_nms_thr": 0.7,
    "pose_max_num_bboxes": -1,
    "pose_kpt_thr": 0.5,
    "pose_min_keypoints": -1,
    "pose_bbox_scale": 1.25,
    "pose_min_bbox_size": 0,
    "pose_nms_thr": 0.5,
    "track_iou_thr": 0.4,
    "track_max_missing": 10,
    "track_history_size": 1,
    "std_weight_position": 1 / 20,
    "std_weight_velocity": 1 / 160,
    "smooth_params": (0.007, 1.0, 1.0),
}


def test_every_parameter_of_mmdeploy_has_a_setting() -> None:
    assert set(MMDEPLOY_ALIASES) == {*MMDEPLOY_DEFAULTS, "keypoint_sigmas"}
    assert set(MMDEPLOY_ALIASES.values()) <= set(TrackerSettings.__dataclass_fields__)


def test_the_preset_is_mmdeploys_defaults_counted_in_frames() -> None:
    ours = preset("mmdeploy")
    for name, value in from_mmdeploy(MMDEPLOY_DEFAULTS, fps=1).items():
        assert getattr(ours, name) == pytest.approx(value), name
    assert ours.clock == "frames"
    assert ours.motion == "none"


def test_frames_become_seconds_by_the_rate() -> None:
    converted = from_mmdeploy(
        {"track_max_missing": 10, "smooth_params": {"beta": 0.01, "fc_min": 0.1}}, fps=25
    )
    assert converted == {
        "max_missing_s": 0.4,
        "beta": 0.01,
        "speed_unit": "pixels",
        "min_cutoff_hz": 2.5,
    }


def test_minus_one_means_what_it_means_in_mmdeploy() -> None:
    converted = from_mmdeploy(
        {"pose_max_num_bboxes": -1, "pose_min_keypoints": -1, "det_min_bbox_size": -1}, fps=30
    )
    assert converted == {"max_boxes": None, "min_keypoints": None, "detection_min_size_px": 1.0}


def test_null_sigmas_compare_boxes() -> None:
    assert from_mmdeploy({"keypoint_sigmas": None}, fps=30) == {"pose_similarity": "iou"}


def test_native_names_pass_through_and_a_setting_may_not_come_twice() -> None:
    assert from_mmdeploy({"track_iou_thr": 0.3, "birth_frames": 2}, fps=30) == {
        "match_iou": 0.3,
        "birth_frames": 2,
    }
    with pytest.raises(ConfigError, match="match_iou is set twice"):
        from_mmdeploy({"track_iou_thr": 0.3, "match_iou": 0.4}, fps=30)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no tracker setting 'track_iou': did you mean"):
        from_mmdeploy({"track_iou": 0.3}, fps=30)
    with pytest.raises(ConfigError, match="det_interval is no setting of the tracker"):
        from_mmdeploy({"det_interval": 5}, fps=30)
    with pytest.raises(ConfigError, match="frame rate is 0: give a positive number"):
        from_mmdeploy({}, fps=0)
    with pytest.raises(ConfigError, match="no tracker preset 'fast': choose one of default, iou"):
        preset("fast")


def test_presets_are_valid_and_the_default_is_the_class() -> None:
    assert {preset(name) for name in PRESETS} >= {TrackerSettings()}
    assert preset("default") == TrackerSettings()
