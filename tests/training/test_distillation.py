"""A network that learns from another, and backbones that start from heatmaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from training import drawn

from posetrack.errors import ConfigError
from posetrack.networks import build
from posetrack.networks.checkpoint import load_model, load_state
from posetrack.training.distillation import feature_distance, logit_distance
from posetrack.training.losses import heatmap_mse
from posetrack.training.run import train
from posetrack.training.tasks import make_task


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    drawn.write_set(tmp_path / "data", 8)
    return tmp_path


def write(folder: Path, **changes: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(drawn.recipe_dict(folder / "data", "pose", **changes)))
    return path


def logits(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 8, generator=generator), torch.randn(2, 3, 6, generator=generator)


def test_the_distance_of_answers_is_the_divergence_written_out() -> None:
    mine, theirs = logits(0), logits(1)
    total = 0.0
    for axis in (0, 1):
        for n in range(2):
            for k in range(3):
                p = np.exp(10 * mine[axis][n, k].double().numpy())
                q = np.exp(10 * theirs[axis][n, k].double().numpy())
                p, q = p / p.sum(), q / q.sum()
                total += float((q * np.log(q / p)).sum()) / 6
    assert float(logit_distance(mine, theirs)) == pytest.approx(total, rel=1e-4)
    assert float(logit_distance(mine, mine)) == pytest.approx(0, abs=1e-6)


def test_the_distance_of_features_is_a_sum_over_each_persons_map() -> None:
    generator = torch.Generator().manual_seed(2)
    mine, theirs = (torch.randn(3, 2, 4, 5, generator=generator) for _ in range(2))
    total = 0.0
    for n in range(3):
        for a, b in zip(mine[n].flatten().tolist(), theirs[n].flatten().tolist(), strict=True):
            total += (a - b) ** 2
    assert float(feature_distance(mine, theirs)) == pytest.approx(total / 3, rel=1e-5)


@pytest.mark.timeout(180)
def test_a_student_learns_from_a_larger_teacher_and_is_a_plain_network_afterwards(
    folder: Path,
) -> None:
    large = train(
        write(folder, model={"architecture": "rtmpose-s"}),
        [],
        resume=False,
        folder=folder / "large",
    )
    student = write(folder, distill={"teacher": str(large / "last.pth"), "feature_weight": 1e-4})
    small = train(student, [], resume=False, folder=folder / "small")
    network, spec = load_model(small / "last.pth")
    assert spec.architecture == "rtmpose-t"
    assert set(network.state_dict()) == set(build("rtmpose-t", input_size=(64, 64)).state_dict())
    again = train(student, ["schedule.epochs=2"], resume=True, folder=small)
    assert again == small


def test_a_network_teaches_its_own_head(folder: Path) -> None:
    first = train(write(folder), [], resume=False, folder=folder / "first")
    settings = ["model.freeze=[backbone]", "model.fresh=[head]", f"model.init={first}/last.pth"]
    how = {"teacher": f"{first}/last.pth", "feature_weight": 0.0, "logit_weight": 1.0}
    second = train(write(folder, distill=how), settings, resume=False, folder=folder / "second")
    before, after = (load_state(f / "last.pth") for f in (first, second))
    for name, value in before.items():
        same = torch.equal(value, after[name])
        assert same or not name.startswith("backbone."), name
    assert not torch.equal(before["head.cls_x.weight"], after["head.cls_x.weight"])


def test_the_teacher_fades_and_says_nothing_to_its_own_copy(folder: Path) -> None:
    first = train(write(folder), [], resume=False, folder=folder / "first")
    how = {"teacher": f"{first}/last.pth", "feature_weight": 1.0, "logit_weight": 1.0}
    recipe = drawn.recipe(folder / "data", distill=how, schedule={"epochs": 4})
    task = make_task(recipe)
    model = task.build()
    batch = torch.utils.data.default_collate([task.samples(0, stage2=False)[i] for i in range(2)])
    losses = [task.loss(model, batch, epoch)["logit"].detach() for epoch in (0, 2)]
    assert float(losses[1]) == pytest.approx(float(losses[0]) / 2, rel=0.2)
    model.student.load_state_dict(load_state(first / "last.pth"))  # type: ignore[union-attr]
    own = task.loss(model.eval(), batch)
    assert float(own["logit"].detach()) == pytest.approx(0, abs=1e-5)
    assert float(own["feature"].detach()) == pytest.approx(0, abs=1e-6)


def test_a_teacher_of_other_keypoints_or_size_is_refused(folder: Path) -> None:
    first = train(write(folder), [], resume=False, folder=folder / "first")
    how = {"teacher": f"{first}/last.pth"}
    recipe = drawn.recipe(folder / "data", distill=how, model={"input_size": [96, 96]})
    with pytest.raises(ConfigError, match=r"both must be rtmpose of the same size and keypoints"):
        make_task(recipe)


def test_the_heatmap_loss_counts_what_is_annotated() -> None:
    maps, labels = torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4)
    assert float(heatmap_mse(maps, labels, torch.tensor([[1.0, 0.0]]))) == 0.5
    assert float(heatmap_mse(maps, maps, torch.ones(1, 2))) == 0


def test_a_backbone_learns_on_heatmaps_and_starts_a_pose_network(folder: Path) -> None:
    model = {"architecture": "cspnext-t", "input_size": [64, 64]}
    first = train(write(folder, model=model), [], resume=False, folder=folder / "heat")
    state = load_state(first / "last.pth")
    assert state["head.final_layer.weight"].shape == (17, 256, 1, 1)
    settings = [f"model.init={first}/last.pth", "schedule.lr=1.0e-9"]
    second = train(write(folder), settings, resume=False, folder=folder / "pose")
    after = load_state(second / "last.pth")
    name = "backbone.stage1.0.conv.weight"
    torch.testing.assert_close(after[name], state[name], rtol=0, atol=1e-6)


@pytest.mark.timeout(180)
def test_heatmaps_of_eight_people_are_learned_by_heart(folder: Path) -> None:
    changes = {
        "model": {"architecture": "cspnext-t", "input_size": [64, 64]},
        "schedule": {"epochs": 60, "batch_size": 8, "lr": 2e-3, "evaluate_every": 60},
    }
    run = train(write(folder, **changes), [], resume=False, folder=folder / "run")
    rows = (run / "metrics.csv").read_text().splitlines()
    pck = next(float(row.split(",")[3]) for row in rows if row.startswith("60,all,pck@0.1"))
    assert pck > 0.95
