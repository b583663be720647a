"""Recipes: what is wrong is told with its line, or with the override it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from training import drawn

from posetrack.errors import ConfigError
from posetrack.resources import configs_dir
from posetrack.training.recipe import Recipe, read_recipe

TEXT = """\
name: mine
task: pose
model:
  architecture: rtmpose-t
  input_size: [192, 256]
data:
  train:
    - annotations: a.json
      images: a.tar
  val:
    - annotations: b.json
schedule:
  epochs: 3
  batch_size: 8
  lr: 1.0e-3
"""


def read(tmp_path: Path, text: str = TEXT, overrides: list[str] | None = None) -> Recipe:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return read_recipe(path, overrides or [])


def complaint(tmp_path: Path, text: str = TEXT, overrides: list[str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{tmp_path}/", "")


def test_a_recipe_is_read_with_its_defaults(tmp_path: Path) -> None:
    recipe = read(tmp_path)
    assert recipe.model.skeleton == "coco"
    assert recipe.schedule.accumulate == 1
    assert recipe.data.train[0].images == Path("a.tar")
    assert recipe.pose_stage2.shift == 0
    assert recipe.ema is None


SHIPPED = sorted((configs_dir() / "train").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_recipes_are_valid(path: Path) -> None:
    recipe = read_recipe(path, [])
    assert recipe.name == path.stem
    assert path.stem.startswith(recipe.model.architecture)


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    overrides = [
        "schedule.lr=0.5",
        "model.input_size=[96, 128]",
        "ema.momentum=0.1",
        "data.root=/x",
    ]
    recipe = read(tmp_path, overrides=overrides)
    assert recipe.schedule.lr == 0.5
    assert recipe.model.input_size == (96, 128)
    assert recipe.ema is not None
    assert recipe.data.root == Path("/x")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lr: 1.0e-3", "lr: fast", "mine.yaml:15: schedule.lr: input should be a valid number"),
        (
            "lr: 1.0e-3",
            "lr: -1",
            "mine.yaml:15: schedule.lr: input should be greater than 0, got",
        ),
        ("  batch_size: 8\n", "", "mine.yaml:12: schedule.batch_size is missing"),
        ("images: a.tar", "image: a.tar", "mine.yaml:9: unknown key data.train.0.image: did you"),
        ("task: pose", "task: poses", "mine.yaml:2: task: input should be 'pose' or 'detection'"),
        ("name: mine", "name: mine\nshedule: {}", "mine.yaml:2: unknown key shedule: did you mean"),
        ("[192, 256]", "[192]", "mine.yaml:5: model.input_size.1 is missing"),
        (
            "task: pose",
            "task: pose\npose_stage1: {flop: 1}",
            "pose_stage1.flop: did you mean flip?",
        ),
        ("task: pose", "task: pose\ntask: pose", "mine.yaml:3: 'task' is given twice"),
        ("task: pose", "task: [", "mine.yaml:4: not valid YAML"),
        ("model:", "model: 3\nrest:", "mine.yaml:3: model: give settings, each on a line"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert expected in complaint(tmp_path, TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("schedule.lrr=1", "--set schedule.lrr: unknown key schedule.lrr: did you mean lr?"),
        ("schedule.lr=0", "--set schedule.lr: schedule.lr: input should be greater than 0, got 0"),
        ("teacher.onnx=a", "--set teacher.onnx: teacher.scores is missing"),
        ("ema.momentun=1", "unknown key ema.momentun: did you mean momentum?"),
        ("name.first=a", "--set name.first=a: name is no section"),
        ("lr", "--set lr: write it as section.key=value"),
        ("schedule.lr=[", "--set schedule.lr:1: not valid YAML"),
    ],
)
def test_a_wrong_override_is_named(tmp_path: Path, override: str, expected: str) -> None:
    assert expected in complaint(tmp_path, overrides=[override])


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no recipe at .*gone.yaml: see configs/train"):
        read_recipe(tmp_path / "gone.yaml", [])
    assert "holds no recipe" in complaint(tmp_path, "- a\n- b\n")
    assert "holds no recipe" in complaint(tmp_path, "")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match=r"recipe .*bytes.yaml cannot be read"):
        read_recipe(tmp_path / "bytes.yaml", [])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.architecture=rtmpose-z"], "model.architecture: architecture 'rtmpose-z' is not"),
        (["model.input_size=[100, 64]"], "model.input_size.0: input should be a multiple of 32"),
        (["model.skeleton=cocoo"], "--set model.skeleton: model.skeleton: "),
        (["model.sigma=[-1, 2]"], "model.sigma.0: input should be greater than 0"),
        (["runtime.threads=0"], "runtime.threads: input should be greater than 0"),
        (["data.train=[]"], "data.train: tuple should have at least 1 item"),
        (["pose_stage1.flip=7"], "pose_stage1.flip: input should be less than or equal to 1"),
        (["pose_stage1.scale=[2, 0.5]"], "pose_stage1.scale: the first must not be larger"),
        (["schedule.stage2_epochs=9"], "stage2_epochs 9 of "),
        (["detection_stage1={flip: 0.4}"], "detection_stage1 means nothing to the task pose"),
        (["task=detection"], "yaml:1: rtmpose-t does not do the task detection"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_runs(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, overrides=overrides)
    assert message in str(error.value)


def test_a_recipe_survives_its_own_dump(tmp_path: Path) -> None:
    recipe = drawn.recipe(tmp_path, ema={"momentum": 0.1})
    again = Recipe.model_validate(yaml.safe_load(yaml.safe_dump(recipe.model_dump(mode="json"))))
    assert again == recipe
