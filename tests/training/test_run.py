"""A recipe file in, a run folder out: what `posetrack train` does, and what it starts from."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training import drawn

from posetrack.detector import Detector
from posetrack.errors import ConfigError, ModelError, ModelNotFound
from posetrack.estimator import Estimator
from posetrack.networks.checkpoint import load_model, load_state
from posetrack.networks.pickles import read_plain
from posetrack.training.export import export_model
from posetrack.training.publish import publish
from posetrack.training.run import train
from posetrack.training.warmstart import adapt


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe file of a small pose training."""
    drawn.write_set(tmp_path / "data", 8)
    return write(tmp_path, "pose")


def write(tmp_path: Path, task: str, **changes: object) -> Path:
    path = tmp_path / f"{task}.yaml"
    path.write_text(yaml.safe_dump(drawn.recipe_dict(tmp_path / "data", task, **changes)))
    return path


def test_a_recipe_becomes_a_model_that_runs(
    tmp_path: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(recipe, ["ema.momentum=0.1"], resume=False, folder=tmp_path / "run")
    assert folder == tmp_path / "run"
    made = {p.name for p in folder.iterdir()}
    assert {"last.pth", "best.pth", "metrics.csv", "metrics.png"} <= made
    assert (folder / "metrics.png").read_bytes()[1:4] == b"PNG"
    height, width = cv2.imread(str(folder / "predictions.jpg")).shape[:2]
    assert (width // 244, height // 304) == (6, 2), "eight people"
    with (folder / "metrics.csv").open() as file:
        metrics = {r["metric"] for r in csv.DictReader(file)}
    assert metrics == {"pck@0.1", "pck@0.2", "oks", "oks>.5", "people"}
    (events,) = folder.glob("events.out.tfevents.*")
    curves = EventAccumulator(str(events))
    curves.Reload()
    assert "all/pck@0.1" in curves.Tags()["scalars"]
    told = capsys.readouterr()
    assert told.out == ""
    assert "pck@0.1" in told.err

    network, spec = load_model(folder / "best.pth")
    assert (spec.architecture, spec.input_size) == ("rtmpose-t", (64, 64))
    assert not network.training
    export_model(folder / "best.pth", tmp_path / "model", name="mine")
    poses = Estimator.load(tmp_path / "model", threads=1)(
        np.zeros((90, 80, 3), np.uint8), [[5, 5, 60, 80]]
    )
    assert poses.keypoints.shape == (1, 17, 2)


def test_a_detector_recipe_becomes_a_detector_that_runs(tmp_path: Path) -> None:
    drawn.write_set(tmp_path / "data", 8)
    path = write(
        tmp_path,
        "detection",
        detection_stage1={"flip": 0.5, "scale": [0.5, 1.5], "mosaic": 0.5, "photometric": 0.8},
    )
    folder = train(path, ["model.input_size=[96, 96]"], resume=False, folder=tmp_path / "run")
    export_model(folder / "last.pth", tmp_path / "det", name="det")
    detector = Detector.load(tmp_path / "det", threads=1)
    assert detector.input_size == (96, 96)
    detector(np.zeros((90, 80, 3), np.uint8))


def test_the_folder_is_named_after_the_recipe(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train(recipe, [], resume=False) == Path("runs/small-pose")


def test_a_training_is_not_overwritten_but_goes_on_when_asked(tmp_path: Path, recipe: Path) -> None:
    folder = tmp_path / "run"
    train(recipe, [], resume=True, folder=folder)  # nothing to resume: a fresh start
    first = load_state(folder / "last.pth")
    with pytest.raises(ConfigError, match="run holds a training: resume it, or train in another"):
        train(recipe, [], resume=False, folder=folder)
    train(recipe, ["schedule.epochs=2"], resume=True, folder=folder)
    second = load_state(folder / "last.pth")
    assert any((first[k] != second[k]).any() for k in first)
    with (folder / "metrics.csv").open() as file:
        assert [r["epoch"] for r in csv.DictReader(file) if r["metric"] == "oks"][::3] == ["1", "2"]


def test_pictures_without_complete_boxes_are_ranked_by_all_of_them(tmp_path: Path) -> None:
    path = drawn.write_set(tmp_path / "data", 4)
    path.write_text(path.read_text().replace('"boxes_complete": true', '"boxes_complete": false'))
    recipe = write(tmp_path, "detection", model={"input_size": [64, 64]})
    folder = train(recipe, [], resume=False, folder=tmp_path / "run")
    assert (folder / "best.pth").is_file()


def test_small_crops_first_then_larger_ones(tmp_path: Path, recipe: Path) -> None:
    small = train(recipe, [], resume=False, folder=tmp_path / "small")
    larger = ["model.input_size=[96, 128]", f"model.init={small / 'last.pth'}"]
    large = train(recipe, [*larger, "schedule.lr=1.0e-9"], resume=False, folder=tmp_path / "large")
    before, after = (load_state(f / "last.pth") for f in (small, large))
    for name, value in before.items():
        if name.startswith("backbone.") and value.ndim > 1:
            torch.testing.assert_close(after[name], value, rtol=0, atol=1e-6)
    assert after["head.cls_x.weight"].shape == (192, 256)


def test_weights_that_fit_nothing_are_no_start(tmp_path: Path, recipe: Path) -> None:
    small = train(recipe, [], resume=False, folder=tmp_path / "small")
    init = f"model.init={small / 'last.pth'}"
    with pytest.raises(ConfigError, match=r"last\.pth holds no weights that fit rtmpose-s"):
        train(recipe, ["model.architecture=rtmpose-s", init], resume=False, folder=tmp_path / "s")
    with pytest.raises(ModelNotFound, match=r"gone\.pth"):
        train(recipe, ["model.init=gone.pth"], resume=False, folder=tmp_path / "g")


def test_a_head_that_misfits_stays_fresh_as_a_whole() -> None:
    target = {"backbone.a": torch.zeros(2), "head.x": torch.zeros(3), "head.y": torch.zeros(4)}
    same = {name: value + 1 for name, value in target.items()}
    assert all((v == 1).all() for v in adapt(same, target).state.values())
    other = same | {"head.y": torch.ones(5), "neck.z": torch.ones(1)}
    start = adapt(other, target)
    assert start.report() == "1 of 3 tensors taken; fresh: head; not used: neck"
    adapted = start.state
    assert set(adapted) == set(target)
    assert (adapted["backbone.a"] == 1).all()
    assert not adapted["head.x"].any()
    assert not adapted["head.y"].any()
    adapted["backbone.a"] += 5
    assert (other["backbone.a"] == 1).all(), "a copy"


def test_a_published_checkpoint_holds_the_weights_alone_and_is_verified(
    tmp_path: Path, recipe: Path
) -> None:
    run = train(recipe, ["ema.momentum=0.1"], resume=False, folder=tmp_path / "run")
    path = publish(run / "last.pth", tmp_path / "out")
    assert re.fullmatch(r"small-pose-[0-9a-f]{8}\.pth", path.name)
    assert path.stat().st_size < 0.4 * (run / "last.pth").stat().st_size
    published, before = load_state(path), load_state(run / "last.pth")
    assert published.keys() == before.keys()
    assert all(torch.equal(published[name], before[name]) for name in before)
    content = read_plain(path)
    assert content["architecture"] == "rtmpose-t"
    assert not {"optimizer", "raw", "rng"} & set(content)
    assert str(tmp_path) not in str(content["recipe"])
    with pytest.raises(ConfigError, match="is there already"):
        publish(run / "last.pth", tmp_path / "out")
    card = export_model(path, tmp_path / "model", name="m")
    assert (card.skeleton, card.input.size) == ("coco", (64, 64))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="its name says sha256"):
        load_state(path)
