from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from posetrack.errors import ConfigError
from posetrack.resources import configs_dir
from posetrack.serve.settings import ServeConfig, expanded, load_serve_config, parse_stream


def write(folder: Path, text: str) -> Path:
    file = folder / "serve.yaml"
    file.write_text(text)
    return file


def test_the_file_that_ships_says_the_defaults() -> None:
    shipped = load_serve_config(configs_dir() / "serve.yaml")
    plain = ServeConfig().model_dump()
    plain["defaults"]["tracker"] = {"preset": "default"}
    assert shipped.model_dump() == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "listen:\n  prot: 1\n",
            r"serve\.yaml:2: unknown key 'listen\.prot': did you mean 'port'\?",
        ),
        ("listen: {port: x}\n", r"serve\.yaml:1: listen\.port: .*integer.*got 'x'"),
        ("streams:\n- {id: A, url: x}\n", r"serve\.yaml:2: streams\.0\.id: .*pattern"),
        (
            "streams:\n- {id: a, url: x}\n- {id: a, url: y}\n",
            r"serve\.yaml:1: streams: two streams are called a",
        ),
        (
            "streams:\n- id: a\n  url: x\n  tracker: {max_boxe: 1}\n",
            r"serve\.yaml:2: streams\.0: tracker has no setting 'max_boxe': did you mean max_boxes",
        ),
        (
            "streams:\n- {id: a, url: x, tracker: {max_boxes: -1}}\n",
            r"serve\.yaml:2: streams\.0: tracker: max_boxes is -1: give a whole number from 1 on",
        ),
        (
            "limits: {streams: 1}\nstreams: [{id: a, url: x}, {id: b, url: y}]\n",
            r"serve\.yaml:1: 2 streams are more than limits\.streams, 1",
        ),
        ("sinks:\n- {kind: fax}\n", r"serve\.yaml:2: sinks\.0: .*webhook"),
        ("security: {schemes: [gopher]}\n", r"serve\.yaml:1: security\.schemes\.0"),
    ],
)
def test_a_wrong_setting_says_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_serve_config(write(tmp_path, text))


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "listen: {port: 1, host: '::1'}\nlog: {level: error}\n")
    environment = {
        "POSETRACK_LISTEN_PORT": "2",
        "POSETRACK_LOG_LEVEL": "debug",
        "POSETRACK_MODELS": "/elsewhere",
    }
    config = load_serve_config(file, environment=environment, flags={"listen.port": 3})
    assert (config.listen.port, config.listen.host, config.log.level) == (3, "::1", "debug")


def test_a_wrong_variable_and_a_wrong_flag_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, "log: {level: info}\n")
    with pytest.raises(ConfigError, match=r"^POSETRACK_LISTEN_PORT: listen\.port: "):
        load_serve_config(file, environment={"POSETRACK_LISTEN_PORT": "many"})
    with pytest.raises(ConfigError, match=r"LISTEN_PROT sets nothing: did you mean .*_PORT\?"):
        load_serve_config(file, environment={"POSETRACK_LISTEN_PROT": "1"})
    with pytest.raises(ConfigError, match=r"^--port: listen\.port: "):
        load_serve_config(file, flags={"listen.port": 99_999}, flag_names={"listen.port": "--port"})


def test_a_stream_stands_over_the_defaults(tmp_path: Path) -> None:
    config = load_serve_config(
        write(
            tmp_path,
            "defaults: {detector: {interval: 9, longest_s: 2.0}, tracker: {max_boxes: 3}}\n"
            "streams:\n- {id: a, url: x, detector: {interval: 2}}\n- {id: b, url: y}\n",
        )
    )
    first, second = (config.with_defaults(stream) for stream in config.streams)
    assert (first.detector.interval, first.detector.longest_s) == (2, 2.0)
    assert (second.detector.interval, second.tracker) == (9, {"max_boxes": 3})


def test_a_patch_changes_what_it_names_and_null_is_the_default() -> None:
    stream = parse_stream({"id": "a", "url": "x", "detector": {"interval": 3, "auto": True}})
    changed = stream.changed({"detector": {"interval": 7}})
    assert (changed.detector.interval, changed.detector.auto) == (7, True)
    assert (
        changed.changed({"detector": None}).detector
        == parse_stream({"id": "a", "url": "x"}).detector
    )
    with pytest.raises(ValidationError):
        stream.changed({"detector": {"interval": "often"}})


def test_secrets_come_from_the_environment_and_a_missing_one_is_named() -> None:
    url = "rtsp://viewer:{env:CAM_PW}@camera/1"
    assert expanded(url, {"CAM_PW": "x"}) == "rtsp://viewer:x@camera/1"
    with pytest.raises(ConfigError, match="CAM_PW"):
        expanded(url, {})
