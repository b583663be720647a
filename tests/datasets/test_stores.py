"""Pictures are found beside their annotations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training import drawn

from posetrack.datasets.annotations import Annotations
from posetrack.errors import ConfigError


def test_a_tar_of_the_same_name(tmp_path: Path) -> None:
    data = Annotations.read(drawn.write_set(tmp_path, 1))
    assert data.pictures[0].load().shape == (160, 160, 3)


def test_a_folder_that_is_named(tmp_path: Path) -> None:
    path = drawn.write_set(tmp_path, 1)
    (tmp_path / "people.tar").rename(tmp_path / "other.tar")
    with pytest.raises(ConfigError, match="name their folder or uncompressed tar as images"):
        Annotations.read(path)
    data = Annotations.read(path, tmp_path / "other.tar")
    assert data.pictures[0].load().shape == (160, 160, 3)


@pytest.mark.parametrize("tar", ["people.tar", "deep/people.tar"])
def test_the_tars_that_records_name_come_first(tmp_path: Path, tar: str) -> None:
    path = drawn.write_set(tmp_path / "deep", 2)
    said = json.loads(path.read_text())
    for record in said["images"]:
        record["tar"] = tar
    path.write_text(json.dumps(said))
    data = Annotations.read(path)
    assert data.pictures[1].load().shape == (160, 160, 3)
    assert data.pictures[1].store is data.pictures[0].store
