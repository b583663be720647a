"""Settings from file, environment and flags: strict, in order, and with the place of an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack.cli.options import resolve
from posetrack.config import RunConfig, load_config
from posetrack.errors import ConfigError
from posetrack.resources import configs_dir


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_nothing_given_is_all_defaults() -> None:
    config = load_config()
    assert config == RunConfig()
    assert config.detector.interval == 5
    assert config.tracker_settings().clock == "seconds"


def test_flags_beat_sets_beat_environment_beat_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "detector: {interval: 2, threshold: 0.2, nms: 0.2}\nbackend:\n  threads: 2\n",
    )
    environment = {
        "POSETRACK_DETECTOR_INTERVAL": "3",
        "POSETRACK_DETECTOR_THRESHOLD": "0.3",
        "POSETRACK_DETECTOR_NMS": "0.3",
        "POSETRACK_MODELS": "/somewhere",
        "HOME": "/home/x",
    }
    config = load_config(
        file,
        environment=environment,
        sets=["detector.interval=4", "detector.threshold=0.4"],
        flags={"detector.interval": 6, "detector.nms": None},
    )
    assert config.detector.interval == 6
    assert config.detector.threshold == 0.4
    assert config.detector.nms == 0.3
    assert config.backend.threads == 2


def test_a_file_that_names_one_setting_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "tracker: {max_missing_s: 2}\ndrawing:\n"))
    assert config.tracker_settings().max_missing_s == 2
    assert config.drawing == RunConfig().drawing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("detector:\n  intervall: 5\n", r"run.yaml:2: unknown key detector.intervall.*interval\?"),
        ("detektor:\n  interval: 5\n", r"run.yaml:1: unknown key detektor: did you mean detector"),
        ("tracker:\n\n  max_mising_s: 1\n", r"run.yaml:3: unknown key tracker.max_mising_s.*max_m"),
        ("source:\n  flip: 'False'\n", r"run.yaml:2: source.flip: .*boolean, got 'False'"),
        ("detector: {interval: '5'}\n", r"run.yaml:1: detector.interval: .*integer, got '5'"),
        ("detector:\n  interval: 0\n", r"run.yaml:2: detector.interval is 0: give 1"),
        ("source:\n  start_s: -1\n", r"run.yaml:2: source.start_s: .*greater than or equal to 0"),
        ("tracker:\n  preset: bytetrack\n", r"run.yaml:2: tracker preset 'bytetrack': known are"),
        ("tracker:\n  box_nms_iou: 7\n", r"run.yaml:2: tracker.*box_nms_iou.*7"),
        ("tracker:\n  smoothing: kalman\n", r"run.yaml:2: tracker.*smoothing.*one_euro"),
        ("tracker:\n  confidence_weighting: 'no'\n", r"run.yaml:2: tracker.confidence_weighting"),
        ("tracker: {pose_nms: 0.5, pose_nms_thr: 0.6}\n", r"run.yaml:1: .*twice"),
        ("detector: 5\n", r"run.yaml:1: detector: "),
        ("detector: {interval: 1, interval: 2}\n", r"run.yaml:1: 'interval' is given twice"),
        ("detector: [\n", r"run.yaml:2: not valid YAML"),
        ("- detector\n", r"run.yaml:1: sections such as detector"),
        ("drawing:\n  layers: [boxes, halo]\n", r"run.yaml:2: drawing.layers.1: .*'halo'"),
        ("a: !!python/object/apply:os.system [ls]\n", r"run.yaml:1: "),
    ],
)
def test_an_error_names_file_and_line_and_what_was_meant(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_errors_of_flags_sets_and_variables_name_their_place(tmp_path: Path) -> None:
    names = {"drawing.style": "--style"}
    with pytest.raises(ConfigError, match=r"^--style: drawing.style: .*got 'alphapose'"):
        load_config(flags={"drawing.style": "alphapose"}, flag_names=names)
    with pytest.raises(ConfigError, match=r"^--set tracker.max_age: unknown key .*did you mean"):
        load_config(sets=["tracker.max_age=2"])
    with pytest.raises(ConfigError, match=r"^--set interval=2: write --set section.name=value"):
        load_config(sets=["interval=2"])
    with pytest.raises(ConfigError, match=r"^POSETRACK_DETECTOR_INTERVAL: .*integer, got 'five'"):
        load_config(environment={"POSETRACK_DETECTOR_INTERVAL": "five"})
    with pytest.raises(ConfigError, match=r"POSETRACK_DETECTOR_INTERVALL .*DETECTOR_INTERVAL\?"):
        load_config(environment={"POSETRACK_DETECTOR_INTERVALL": "5"})
    with pytest.raises(ConfigError, match="not found: check the path"):
        load_config(tmp_path / "none.yaml")


def test_never_is_an_interval_of_the_mmdeploy_preset_only() -> None:
    sets = ["detector.interval=0"]
    with pytest.raises(ConfigError, match=r"^--set detector.interval: "):
        load_config(sets=sets)
    assert load_config(sets=[*sets, "tracker.preset=mmdeploy"]).detector.interval == 0


def test_words_in_variables_and_flags_are_separated_by_commas() -> None:
    assert load_config(flags={"drawing.layers": "boxes, ids"}).drawing.layers == ("boxes", "ids")
    environment = {"POSETRACK_DRAWING_LAYERS": "[limbs]", "POSETRACK_OUTPUT_SAVE": "csv"}
    config = load_config(environment=environment)
    assert config.drawing.layers == ("limbs",)
    assert config.output.save == ("csv",)


def test_frames_under_mmdeploys_names_become_seconds_by_the_sources_rate() -> None:
    config = load_config(sets=["tracker.track_max_missing=10"])
    assert config.tracker_settings(fps=20).max_missing_s == 0.5
    counted = load_config(sets=["tracker.preset=mmdeploy", "tracker.track_max_missing=7"])
    assert counted.tracker_settings(fps=20).max_missing_s == 7


@pytest.mark.parametrize(
    "sets",
    [
        [],
        ["tracker.preset=mmdeploy", "tracker.track_max_missing=7"],
        ["tracker.preset=iou", "tracker.match_iou=0.35", "drawing.layers=boxes"],
        ["tracker.keypoint_sigmas=[0.1, 0.2]", "detector.model=rtmdet-nano"],
    ],
)
def test_the_printed_configuration_read_again_is_the_same_run(
    tmp_path: Path, sets: list[str]
) -> None:
    config = load_config(sets=sets)
    text = config.to_yaml()
    again = load_config(write(tmp_path, text))
    assert again.to_yaml() == text
    assert again.tracker_settings(30.0) == config.tracker_settings(30.0)
    assert again.model_copy(update={"tracker": config.tracker}) == config


def test_the_file_to_copy_spells_out_the_defaults() -> None:
    path = configs_dir() / "run.yaml"
    assert load_config(path).model_copy(update={"tracker": {}}) == RunConfig()
    assert load_config(path).tracker_settings() == RunConfig().tracker_settings()
    text = path.read_text()
    for section, values in RunConfig().model_dump().items():
        assert f"\n{section}:" in text
        for name in values:
            assert f"\n  {name}:" in text


def test_the_file_for_live_use_is_valid() -> None:
    config = load_config(configs_dir() / "live.yaml")
    assert config.detector.interval >= 1
    config.tracker_settings()


@pytest.mark.parametrize(
    ("word", "interval", "auto"), [("3", 3, False), ("auto", 5, True), ("auto:2", 2, True)]
)
def test_the_interval_may_be_automatic(word: str, interval: int, auto: bool) -> None:
    config = resolve({"det_interval": word})
    assert (config.detector.interval, config.detector.auto) == (interval, auto)


@pytest.mark.parametrize("word", ["often", "auto:", "auto5", "1.5", ""])
def test_other_intervals_are_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"give n for every n-th frame, auto for those"):
        resolve({"det_interval": word})
