"""The pages' blocks that are no program: settings, cards, recipes, messages, pictures of text."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import FakeDetector, FakeEstimator, FakeSource
from page_blocks import Block
from pages.commands import read_posetrack

from posetrack import Perception
from posetrack.cards import ModelCard
from posetrack.cli.main import COMMANDS, main
from posetrack.config import load_config
from posetrack.documents import parse_document
from posetrack.errors import ConfigError
from posetrack.serve.message import Published
from posetrack.serve.settings import load_serve_config, parse_stream
from posetrack.skeletons import load_skeleton
from posetrack.training.recipe import read_recipe

LEFT_OUT = {"...64 digits...": "0" * 64}
"""What a page writes where nothing can stand that would be true for all readers."""


def check_yaml(block: Block, folder: Path) -> None:
    """Read it as what it is, strictly.

    Raises:
        AssertionError: it is no kind of document that this project has. Else what the reader says.
    """
    text = block.text
    for short, whole in LEFT_OUT.items():
        text = text.replace(short, whole)
    path = folder / "document.yaml"
    path.write_text(text, "utf-8")
    data = yaml.safe_load(text)
    _reader(block, data)(path, data)


def _reader(block: Block, data: Any) -> Callable[[Path, Any], object]:
    keys = set(data) if isinstance(data, Mapping) else set()
    if isinstance(data, list):
        return lambda _, streams: [parse_stream(each) for each in streams]
    if "streams" in keys:
        return lambda path, _: load_serve_config(path)
    if {"task", "files"} <= keys:
        return lambda path, _: parse_document(path.read_text("utf-8"), ModelCard, name=str(path))
    if {"task", "model", "data"} <= keys:
        return lambda path, _: read_recipe(path, [])
    if "keypoints" in keys:
        return lambda path, _: load_skeleton(str(path))
    if keys == {"command"}:
        return lambda _, pod: _check_pod(pod["command"])
    raise AssertionError(f"{block}: what is this the settings of? {sorted(keys)}")


def _check_pod(command: list[str]) -> None:
    """A container's command: a shell that becomes posetrack, its arithmetic done."""
    shell, flag, line = command
    assert (shell, flag) == ("sh", "-c")
    words = shlex.split(re.sub(r"\$\(\(\w+ \+ 1\)\)", "1", line))
    assert words[:2] == ["exec", "posetrack"]
    read_posetrack(words[2:])


def check_json(block: Block, folder: Path) -> None:
    """It has the fields of a real one."""
    shown = set(re.findall(r'"(\w+)":', block.text.split("\n{")[0]))
    known = {"docs/serve.md": _message, "docs/batch.md": _manifest}
    assert block.page in known, f"{block}: what writes this?"
    assert shown == known[block.page](folder)


def _message(folder: Path) -> set[str]:
    perception = Perception(det=FakeDetector(), pose=FakeEstimator())
    (result,) = (perception(frame) for frame in FakeSource(frames=1))
    return set(re.findall(r'"(\w+)":', Published("door", result, 0).message.text))


def _manifest(folder: Path) -> set[str]:
    assert main(["batch", "videos/one.mp4", "-o", "manifest", "-j", "1", "--no-video"]) == 0
    lines = (folder / "manifest" / "manifest.jsonl").read_text("utf-8").splitlines()
    return set(json.loads(lines[-1]))


def check_toml(block: Block, folder: Path) -> None:
    """Pose2Sim's settings: TOML at least; tests/formats/test_pose2sim.py has Pose2Sim read them."""
    assert block.page == "docs/tutorials/pose2sim.md", f"{block}: what is this the settings of?"
    tomllib.loads(block.text)


def check_text(block: Block, folder: Path) -> None:
    """One of the few texts that are shown and not for a machine; what can be known of it is."""
    first = f"{block.page} {block.text.split()[0]}"
    if block.page != "docs/reference/python.md":  # written from the code, see test_site.py
        SHOWN[first](block.text, folder)


def _picture(text: str, folder: Path) -> None:
    """A drawing, or a report on data that nobody has."""


def _commands(text: str, folder: Path) -> None:
    assert set(re.findall(r"^posetrack (\w+)", text, re.MULTILINE)) == set(COMMANDS)


def _refusal(text: str, folder: Path) -> None:
    told = text.strip().removeprefix("posetrack: ")
    name, number = told.split(":")[:2]
    (folder / name).write_text("\n" * (int(number) - 2) + "detector:\n  intervall: 5\n")
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_config(Path(name))


def _translation(text: str, folder: Path) -> None:
    """The last line, as it stands, is taken by the parser."""
    read_posetrack(shlex.split(text.splitlines()[-1].replace("...", ""))[1:])


def _options(text: str, folder: Path) -> None:
    """Every option and every choice of a synopsis is one of the command's."""
    command = shlex.split(text.replace("\\\n", " "))[1]
    help_ = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text("utf-8")
    section = help_.split(f"## posetrack {command}\n")[1].split("\n## ")[0]
    for option in re.findall(r"--[\w-]+", text):
        assert option in section, f"posetrack {command} has no {option}"


SHOWN: dict[str, Callable[[str, Path], None]] = {
    "docs/architecture.md source": _picture,
    "docs/pipeline.md file": _picture,
    "docs/datasets.md count": _picture,
    "docs/cli.md posetrack": _commands,
    "docs/cli.md posetrack:": _refusal,
    "docs/cli.md pose_tracker": _translation,
    "docs/backends.md posetrack": _options,
}
"""The page and the first word of every such text -> how it is looked at."""
