"""The conda recipe says what the package says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

import posetrack

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "opencv-python": "py-opencv"}


def recipe() -> dict:
    text = (ROOT / "recipe" / "meta.yaml").read_text("utf-8")
    values = dict(re.findall(r"{% set (\w+) = \"(.*?)\" %}", text)) | {"PYTHON": "python"}
    text = re.sub(r"{%.*?%}", "", text)
    return yaml.safe_load(re.sub(r"{{ (\w+) }}", lambda match: values[match[1]], text))


def test_the_recipe_has_the_packages_version_and_command() -> None:
    assert recipe()["package"] == {"name": "posetrack", "version": posetrack.__version__}
    assert recipe()["build"]["entry_points"] == ["posetrack = posetrack.cli.main:main"]


def test_the_recipe_has_the_packages_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    split = [re.fullmatch(r"([\w-]+)(.*)", each) for each in project["dependencies"]]
    wanted = {f"{CONDA_NAMES.get(match[1], match[1])} {match[2]}" for match in split}
    wanted.add(f"python {project['requires-python']}")
    assert set(recipe()["requirements"]["run"]) == wanted


def test_the_recipe_names_files_that_exist() -> None:
    for name in recipe()["about"]["license_file"]:
        assert (ROOT / name).is_file()
