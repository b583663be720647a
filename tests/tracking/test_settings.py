from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from posetrack.errors import ConfigError
from posetrack.tracking import TrackerSettings
from posetrack.tracking.presets import mmdeploy_table
from posetrack.tracking.settings import BIRTH, settings_table

FIELDS = dataclasses.fields(TrackerSettings)


def test_every_setting_says_what_it_does() -> None:
    for each in FIELDS:
        assert each.metadata["help"], each.name
        assert "unit" in each.metadata, each.name


@pytest.mark.parametrize("each", [f for f in FIELDS if "low" in f.metadata], ids=lambda f: f.name)
def test_numbers_out_of_range_of_the_wrong_kind_or_not_finite_are_refused(
    each: dataclasses.Field[Any],
) -> None:
    for bad in (-0.5, float("nan"), float("inf"), "1", True):
        with pytest.raises(ConfigError, match=f"{each.name} is .*: give a .*number"):
            TrackerSettings(**{each.name: bad})


@pytest.mark.parametrize(
    "each", [f for f in FIELDS if "choices" in f.metadata], ids=lambda f: f.name
)
def test_unknown_words_are_refused_with_the_known_ones(each: dataclasses.Field[Any]) -> None:
    with pytest.raises(ConfigError, match=f"{each.name} is 'fast': choose one of"):
        TrackerSettings(**{each.name: "fast"})


def test_messages_give_the_range() -> None:
    with pytest.raises(ConfigError) as error:
        TrackerSettings(match_iou=1.5)
    assert str(error.value) == "match_iou is 1.5: give a number from 0 to 1"
    with pytest.raises(ConfigError) as error:
        TrackerSettings(birth_frames=1.5)  # type: ignore[arg-type]
    assert str(error.value) == "birth_frames is 1.5: give a whole number from 1 on"


def test_bad_sigmas_and_switches_are_refused() -> None:
    for bad in ([], [0.1, -1], ["a"]):
        with pytest.raises(ConfigError, match="keypoint_sigmas: give positive numbers"):
            TrackerSettings(keypoint_sigmas=bad)
    with pytest.raises(ConfigError, match="confidence_weighting is 'no': give true or false"):
        TrackerSettings(confidence_weighting="no")  # type: ignore[arg-type]


def test_pydantic_reads_it_strictly_with_unknown_keys_refused() -> None:
    adapter = TypeAdapter(TrackerSettings)
    read = adapter.validate_json(json.dumps({"match_iou": 1, "keypoint_sigmas": [0.1, 0.2]}))
    assert read == TrackerSettings(match_iou=1.0, keypoint_sigmas=(0.1, 0.2))
    for bad in ({"match_iou": "1"}, {"confidence_weighting": "False"}, {"iou": 1}, {"clock": "h"}):
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps(bad))
    with pytest.raises(ValidationError, match=r"match_iou is 2\.0: give a number from 0 to 1"):
        adapter.validate_json(json.dumps({"match_iou": 2}))


def test_resolving_fills_only_what_is_open() -> None:
    filled = TrackerSettings().resolved(keypoint_threshold=0.4, detection_threshold=0.3)
    assert (filled.keypoint_threshold, filled.detection_threshold) == (0.4, 0.3)
    assert filled.birth_score == pytest.approx(0.4 * BIRTH)
    own = TrackerSettings(keypoint_threshold=0.2, detection_threshold=0.1, birth_score=0.0)
    assert own.resolved(keypoint_threshold=0.4, detection_threshold=0.3) == own


@pytest.mark.parametrize("table", [settings_table, mmdeploy_table], ids=["settings", "mmdeploy"])
def test_the_page_is_made_from_the_code(table: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text("utf-8")
    assert table() in page, "run: python docs/tables.py"


def test_the_page_names_every_setting_and_no_other() -> None:
    named = re.findall(r"^\| `(\w+)` \|", settings_table(), re.MULTILINE)
    assert named == [each.name for each in FIELDS]


def test_a_number_whose_square_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"box_initial_speed is 1e\+200: .* to 1e\+09"):
        TrackerSettings(box_initial_speed=1e200)
