"""Training with depth: labels, masks, losses, and eight people in space learned by heart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training import drawn

from posetrack.datasets.annotations import Annotations
from posetrack.estimator import Estimator
from posetrack.evaluation.pose import evaluate_pose
from posetrack.training import pose_task
from posetrack.training.augment import PoseAugmentation
from posetrack.training.export import export_model
from posetrack.training.loop import Trainer
from posetrack.training.losses import bone_loss, expected_bins, simcc_kl
from posetrack.training.tasks import make_task

FOCAL, DISTANCE = 800.0, 5.0


def write_space(folder: Path, count: int, *, flat: int = 0) -> Path:
    """The drawn set with every joint in space; the last `flat` people have two dimensions only."""
    path = drawn.write_set(folder, count)
    data = json.loads(path.read_text())
    rng = np.random.default_rng(3)
    for record, row in zip(data["images"], data["annotations"], strict=True):
        record["camera"] = [FOCAL, FOCAL, 79.5, 79.5]
        if row["id"] >= count - flat:
            continue
        points = np.array(row["keypoints"]).reshape(-1, 3)[:, :2]
        z = DISTANCE + np.linspace(-0.5, 0.5, 17) * rng.choice([-1, 1])
        space = np.column_stack([(points - 79.5) / FOCAL * z[:, None], z])
        row["keypoints_3d"] = space.reshape(-1).tolist()
    path.write_text(json.dumps(data))
    return path


def recipe(folder: Path, **changes):
    model = {"architecture": "rtmw3d-t", "input_size": [64, 64]}
    return drawn.recipe(folder, model=model, **({"bone_weight": 0.05} | changes))


def test_of_people_known_in_two_dimensions_only_no_depth_is_learned(tmp_path: Path) -> None:
    write_space(tmp_path, 4, flat=2)
    task = make_task(recipe(tmp_path))
    known = {}
    for index, person in enumerate(task.people):
        _, _, _, weights, z, weights_z = task.samples(0, stage2=False)[
            list(task.samples(0, stage2=False).order).index(index)
        ]
        assert z.shape == (17, 128)
        assert (weights > 0).all()
        known[person.row["id"]] = bool((weights_z > 0).all())
        if not known[person.row["id"]]:
            assert (weights_z == 0).all()
    assert known == {0: True, 1: True, 2: False, 3: False}
    loss = {}
    for name in ("with", "without"):
        logits = [torch.zeros(1, 17, 128, requires_grad=True) for _ in range(3)]
        masks = [torch.ones(1, 17), torch.ones(1, 17), torch.full((1, 17), float(name == "with"))]
        label = torch.zeros(1, 17, 128)
        label[..., 5] = 1
        simcc_kl(logits, [label] * 3, masks).backward()
        loss[name] = [float(line.grad.abs().sum()) for line in logits]
    assert loss["without"][2] == 0 < loss["with"][2]
    assert loss["without"][:2] == loss["with"][:2]


def test_a_mirrored_person_has_the_depths_of_the_other_side(tmp_path: Path) -> None:
    write_space(tmp_path, 1)
    task = make_task(recipe(tmp_path))
    plain = task.samples(0, stage2=False)
    turned = task.samples(0, stage2=False)
    turned.augmentation = PoseAugmentation(**(drawn.STILL | {"flip": 1.0}))
    before, after = plain[0][4], turned[0][4]
    np.testing.assert_array_equal(after, before[task.skeleton.flip_order])
    assert not np.array_equal(after, before)


def test_bones_of_the_right_length_cost_nothing_and_others_pull() -> None:
    rng = np.random.default_rng(0)
    truth = torch.from_numpy(rng.normal(size=(2, 4, 3)).astype(np.float32))
    limbs = ((0, 1), (1, 2), (2, 3))
    weights = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 1]])
    assert bone_loss(truth + 7, truth, weights, limbs).item() == pytest.approx(0, abs=1e-5)
    grown = (truth * 1.5).requires_grad_()
    loss = bone_loss(grown, truth, weights, limbs)
    lengths = (truth[:, 1:] - truth[:, :-1]).norm(dim=-1)
    assert loss.item() == pytest.approx(0.5 * float(lengths[0].sum() + lengths[1, 0]) / 3, rel=1e-4)
    loss.backward()
    assert (grown.grad[1, 3] == 0).all(), "a bone with an unknown end does not count"


def test_an_expected_bin_is_the_peak_of_a_sharp_line() -> None:
    logits = torch.zeros(1, 1, 64)
    logits[0, 0, 40] = 3
    assert expected_bins(logits).item() == pytest.approx(40, abs=0.01)


def test_bones_are_for_networks_with_depth(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 1)
    with pytest.raises(ValueError, match="bone_weight is for rtmw3d, not for rtmpose-t"):
        drawn.recipe(tmp_path, bone_weight=1.0)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_eight_people_in_space_are_learned_by_heart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    path = write_space(tmp_path, 8)
    source = {"annotations": "people.json", "images": "people.tar", "repeat": 20}
    schedule = {"batch_size": 8, "warmup_iterations": 10, "evaluate_every": 99, "lr": 2e-3}
    schedule |= {"flat_fraction": 0.3, "final_lr_ratio": 0.01, "epochs": 4}
    made = recipe(tmp_path, data={"train": [source]}, schedule=schedule)
    monkeypatch.setattr(
        pose_task, "shuffled", lambda repeats, *_: list(range(len(repeats))) * round(repeats[0])
    )
    log = drawn.Recorder()
    Trainer(made, make_task(made), tmp_path / "run").run(log)
    card = export_model(tmp_path / "run" / "best.pth", tmp_path / "model", name="deep")
    assert (card.codec.kind, card.score_scale) == ("simcc3d", 1.0)
    estimator = Estimator.load(tmp_path / "model")
    figures = evaluate_pose(Annotations.read(path), estimator).figures["all"]
    assert figures["people in space"] == 8
    assert figures["mpjpe_mm"] < 100
    assert figures["pa_mpjpe_mm"] < figures["mpjpe_mm"]
    assert figures["oks"] > 0.8
