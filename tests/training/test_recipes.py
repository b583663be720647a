"""Every recipe that ships: read, its network built, and one step made with it.

The pictures and annotations are generated where the recipe looks for its own, in the names of its
keypoint set; only sizes, batch and device are smaller than it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from training import drawn

from posetrack import zoo
from posetrack.cards import ModelCard
from posetrack.networks import build
from posetrack.resources import configs_dir
from posetrack.skeletons import load_skeleton
from posetrack.training.loop import freeze, make_optimizer
from posetrack.training.recipe import Recipe, SourceSection, read_recipe
from posetrack.training.tasks import make_task

FILES = sorted((configs_dir() / "train").glob("*.yaml"))
STEPS = [
    pytest.param(
        path, id=path.stem, marks=[pytest.mark.slow] if re.search("-[lx]-", path.stem) else []
    )
    for path in FILES
]
SIZE = (160, 160)
MACHINE = ["data.workers=0", "schedule.batch_size=2", "runtime={device: cpu, threads: 1}"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def annotations(names: Sequence[str], classes: Sequence[str], *, space: bool) -> dict[str, Any]:
    """Two pictures, in each somebody whose keypoints lie on a spiral."""
    turn = np.linspace(0, 4 * np.pi, len(names) or 1)
    points = 80 + np.stack([np.cos(turn), np.sin(turn)], 1) * np.linspace(8, 60, len(turn))[:, None]
    row: dict[str, Any] = {"bbox": [15, 15, 130, 130], "area": 9000.0, "iscrowd": 0}
    if names:
        row |= {"keypoints": [float(v) for x, y in points for v in (x, y, 2)]}
        row |= {"num_keypoints": len(names)}
    if space:
        row["keypoints_3d"] = [v for x, y in points for v in (x / 100, y / 100, 5.0 + x / 200)]
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": SIZE[0], "height": SIZE[1]} for i in (0, 1)
        ],
        "annotations": [
            row | {"id": i, "image_id": i, "category_id": 1 + i % len(classes)} for i in (0, 1)
        ],
        "categories": [
            {"id": i, "name": name, "keypoints": list(names)} for i, name in enumerate(classes, 1)
        ],
    }


def write_source(root: Path, section: SourceSection, recipe: Recipe) -> None:
    """What one source of `recipe` names, below `root`."""
    pose = recipe.task == "pose"
    own = load_skeleton(recipe.model.skeleton).keypoints if pose else ()
    names = tuple(section.keypoints) or own
    classes = ("first", "second") if recipe.model.classes == "all" else recipe.model.classes
    made = annotations(names, classes, space=pose and recipe.bone_weight > 0)
    path = root / section.annotations
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made))
    pictures = root / section.images if section.images else path.with_suffix(".tar")
    rng = np.random.default_rng(0)
    shots = [
        cv2.imencode(".png", rng.integers(0, 255, (*SIZE[::-1], 3), np.uint8))[1] for _ in (0, 1)
    ]
    files = {f"{i}.png": shot.tobytes() for i, shot in enumerate(shots)}
    if pictures.suffix == ".tar":
        drawn.write_tar(pictures, files)
        return
    pictures.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (pictures / name).write_bytes(content)


def prepared(path: Path, root: Path) -> Recipe:
    """The recipe of `path` for this machine, with its data, and a teacher if it needs one."""
    side = 64 if "rtmdet" not in path.stem else 128
    settings = [*MACHINE, f"data.root={root}", f"model.input_size=[{side}, {side}]", "teacher=null"]
    recipe = read_recipe(path, settings)
    for section in (*recipe.data.train, *recipe.data.val):
        write_source(root, section, recipe)
    if recipe.distill is not None:
        count = len(load_skeleton(recipe.model.skeleton))
        teacher = build("rtmpose-s", input_size=(side, side), num_keypoints=count)
        torch.save({"state_dict": teacher.state_dict()}, root / "teacher.pth")
        recipe = read_recipe(path, [*settings, f"distill.teacher={root}/teacher.pth"])
    return recipe


@pytest.mark.parametrize("path", STEPS)
def test_a_step_of_every_shipped_recipe_changes_its_network(path: Path, tmp_path: Path) -> None:
    recipe = prepared(path, tmp_path)
    task = make_task(recipe)
    torch.manual_seed(0)
    model = task.build()
    network = getattr(model, "student", model)
    freeze(network, recipe.model.freeze)
    for stage2 in (False, True):
        samples = task.samples(0, stage2=stage2)
        join = task.collate() or torch.utils.data.default_collate
        batch = join([samples[i] for i in (0, 1)])
    optimizer = make_optimizer(model, recipe.schedule)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    losses = task.loss(model, batch)
    total = torch.stack(list(losses.values())).sum()
    assert total.isfinite()
    total.backward()
    optimizer.step()
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    assert any("head" in name for name in moved)
    assert any("backbone" in name for name in moved) == ("backbone" not in recipe.model.freeze)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_shipped_recipe_starts_from_is_in_the_zoo_or_made_by_another(path: Path) -> None:
    text = path.read_text()
    zoo_names = {entry.name for entry in zoo.list_models()}
    named = [*re.findall(r"--init (\S+)", text), *re.findall(r"distill: \{teacher: ([^,]+)", text)]
    for name in named:
        run = re.fullmatch(r"runs/(.+)/(best|last)\.pth", name)
        known = name in zoo_names if run is None else (path.parent / f"{run[1]}.yaml").is_file()
        assert known, name
    assert f"posetrack train configs/train/{path.stem}.yaml" in text


CARDS = [entry.card for entry in zoo.list_models() if entry.origin == "zoo" and entry.card.recipe]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_recipe_of_a_card_trains_the_network_of_the_card(card: ModelCard) -> None:
    recipe = read_recipe(configs_dir().parent / card.recipe, [])
    assert recipe.model.architecture == card.architecture
    assert recipe.model.input_size == card.input.size
    if card.task == "pose":
        names = load_skeleton(recipe.model.skeleton).keypoints
        assert len(names) == len(card.keypoints)
        assert recipe.model.skeleton == card.skeleton or names == card.keypoints.keypoints
    elif recipe.model.classes != "all":
        assert recipe.model.classes == card.labels


def test_the_weights_of_joints_can_be_left_out(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 2)
    weights = []
    for joint_weights in (True, False):
        task = make_task(drawn.recipe(tmp_path, model={"joint_weights": joint_weights}))
        weights.append(task.samples(0, stage2=False)[0][-1])
    assert weights[0].max() == pytest.approx(1.5), "wrists and ankles of COCO"
    assert weights[1].unique().tolist() == [1.0]
