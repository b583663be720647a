"""The losses against slow references written from the papers' formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from training import drawn
from training.test_assigner import slow_assign

from posetrack.codecs import SimCC
from posetrack.networks.rtmdet import RTMDet
from posetrack.training.detection_task import DetectionTask, _teacher_loss, inside_any
from posetrack.training.loader import make_loader
from posetrack.training.losses import (
    coarse_cross_entropy,
    generalized_iou,
    heatmap_mse,
    quality_focal,
    simcc_kl,
)
from posetrack.training.pose_task import PoseTask

Boxes = Sequence[Sequence[float]]


def softmax(values: Sequence[float]) -> list[float]:
    powers = [math.exp(v - max(values)) for v in values]
    return [p / sum(powers) for p in powers]


def slow_simcc_kl(
    x: Tensor, y: Tensor, label_x: Tensor, label_y: Tensor, weights: Tensor, beta: float
) -> float:
    people, joints = weights.shape
    total = 0.0
    for logits, labels in ((x, label_x), (y, label_y)):
        for n in range(people):
            for k in range(joints):
                p = softmax([beta * float(v) for v in logits[n, k]])
                q = softmax([10.0 * float(v) for v in labels[n, k]])
                kl = sum(b * (math.log(b) - math.log(a)) for a, b in zip(p, q, strict=True))
                total += float(weights[n, k]) * kl / len(p)
    return total / joints


def pose_batch(people: int = 3, joints: int = 4) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    codec = SimCC((32, 48))
    points = (
        torch.rand(people, joints, 2, generator=generator) * torch.tensor([31.0, 47.0])
    ).numpy()
    label_x, label_y, _ = codec.encode(points, np.ones((people, joints), np.float32))
    weights = torch.tensor([[1.0, 0.0, 1.2, 0.5]] * people)
    x, y = (torch.randn(people, joints, bins, generator=generator) * 0.3 for bins in codec.bins)
    return x, y, torch.from_numpy(label_x), torch.from_numpy(label_y), weights


@pytest.mark.parametrize("beta", [1.0, 10.0])
def test_the_keypoint_loss_is_the_divergence_of_softmaxed_labels(beta: float) -> None:
    x, y, label_x, label_y, weights = pose_batch()
    expected = slow_simcc_kl(x, y, label_x, label_y, weights, beta)
    assert simcc_kl((x, y), (label_x, label_y), weights, beta=beta).item() == pytest.approx(
        expected, rel=1e-5
    )


def test_the_keypoint_loss_vanishes_where_the_logits_are_the_labels() -> None:
    _, _, label_x, label_y, weights = pose_batch()
    assert simcc_kl((label_x, label_y), (label_x, label_y), weights).item() == pytest.approx(
        0, abs=1e-6
    )


def test_the_keypoint_loss_grows_with_the_batch() -> None:
    x, y, label_x, label_y, weights = pose_batch()
    once = simcc_kl((x, y), (label_x, label_y), weights)
    twice = simcc_kl(
        tuple(torch.cat([v, v]) for v in (x, y)),  # type: ignore[arg-type]
        tuple(torch.cat([v, v]) for v in (label_x, label_y)),  # type: ignore[arg-type]
        torch.cat([weights, weights]),
    )
    torch.testing.assert_close(twice, 2 * once)


def test_a_keypoint_without_weight_teaches_nothing() -> None:
    x, y, label_x, label_y, weights = pose_batch()
    x.requires_grad_(True)
    loss = simcc_kl((x, y), (label_x, label_y), weights)
    loss.backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert not x.grad[:, 1].any()
    assert x.grad[:, 0].any()
    label_x[:, 1] = 7.0
    assert simcc_kl((x, y), (label_x, label_y), weights).item() == loss.item()


def test_the_coarse_loss_is_the_cross_entropy_of_a_softmax_over_cells() -> None:
    _, _, label_x, label_y, weights = pose_batch()
    maps = torch.randn(3, 4, 6, 4, generator=torch.Generator().manual_seed(2))
    total = 0.0
    for n in range(3):
        for k in range(4):
            # Bins are half a pixel, cells 8 px, and a cell lies at its centre.
            u, v = (float(label[n, k].argmax()) / 16 - 0.5 for label in (label_x, label_y))
            near_x = softmax([-((i - u) ** 2) / (2 * 0.7**2) for i in range(4)])
            near_y = softmax([-((i - v) ** 2) / (2 * 0.7**2) for i in range(6)])
            found = softmax(maps[n, k].flatten().tolist())
            entropy = -sum(
                near_y[row] * near_x[column] * math.log(found[4 * row + column])
                for row in range(6)
                for column in range(4)
            )
            total += entropy * float(weights[n, k])
    expected = total / (4 * (64 + 96) / 2)
    loss = coarse_cross_entropy(maps, (label_x, label_y), weights)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_coarse_loss_is_on_where_the_recipe_asks(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 4)
    losses = {}
    for weight in (0.0, 1.0, 3.0):
        recipe = drawn.recipe(tmp_path, coarse_weight=weight)
        task = PoseTask(recipe)
        torch.manual_seed(0)
        (batch,) = make_loader(task, recipe, 0, stage2=False)
        losses[weight] = task.loss(task.build().eval(), batch)
    assert set(losses[0.0]) == {"kl"}
    assert losses[3.0]["coarse"].item() == pytest.approx(3 * losses[1.0]["coarse"].item(), rel=1e-5)
    assert losses[1.0]["kl"].item() == pytest.approx(losses[0.0]["kl"].item(), rel=1e-4)


def test_the_heatmap_loss_is_the_squared_error_of_each_cell_weighted_by_keypoint() -> None:
    generator = torch.Generator().manual_seed(6)
    maps, labels = (torch.randn(2, 3, 4, 5, generator=generator) for _ in range(2))
    weights = torch.tensor([[1.0, 0.0, 0.5], [1.2, 1.0, 0.0]])
    total = 0.0
    for n in range(2):
        for k in range(3):
            for row in range(4):
                for column in range(5):
                    off = float(maps[n, k, row, column]) - float(labels[n, k, row, column])
                    total += float(weights[n, k]) * off**2
    loss = heatmap_mse(maps, labels, weights)
    assert loss.item() == pytest.approx(total / (2 * 3 * 4 * 5), rel=1e-5)


def slow_quality_focal(logit: float, quality: float) -> float:
    p = 1 / (1 + math.exp(-logit))
    return abs(quality - p) ** 2 * -((1 - quality) * math.log(1 - p) + quality * math.log(p))


def test_quality_focal_is_its_formula() -> None:
    logits, quality = torch.linspace(-4, 4, 9), torch.linspace(0, 1, 9)
    expected = [
        slow_quality_focal(a, q) for a, q in zip(logits.tolist(), quality.tolist(), strict=True)
    ]
    np.testing.assert_allclose(quality_focal(logits, quality), expected, rtol=1e-5, atol=1e-8)


def test_quality_focal_vanishes_where_the_score_is_the_quality() -> None:
    quality = torch.tensor([0.1, 0.5, 0.9])
    assert quality_focal(torch.logit(quality), quality).abs().max() < 1e-10


def slow_giou(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    def area(x1: float, y1: float, x2: float, y2: float) -> float:
        return max(x2 - x1, 0) * max(y2 - y1, 0)

    inter = area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    hull = area(min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    union = area(*a) + area(*b) - inter
    return inter / union, inter / union - (hull - union) / hull


corner = st.floats(0, 100, width=32)
side = st.floats(1, 60, width=32)
boxes = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@given(boxes, boxes)
def test_giou_is_its_formula(a: Sequence[float], b: Sequence[float]) -> None:
    iou, giou = generalized_iou(torch.tensor([a]), torch.tensor([b]))
    expected = slow_giou(a, b)
    assert iou.item() == pytest.approx(expected[0], abs=1e-4)
    assert giou.item() == pytest.approx(expected[1], abs=1e-4)
    assert -1 <= giou.item() <= iou.item() + 1e-6 <= 1 + 2e-6


def test_giou_of_an_empty_box_is_finite_and_so_is_its_gradient() -> None:
    flat = torch.tensor([[5.0, 5.0, 5.0, 5.0], [9.0, 9.0, 2.0, 2.0]], requires_grad=True)
    _, giou = generalized_iou(flat, torch.tensor([[5.0, 5.0, 5.0, 5.0], [0.0, 0.0, 8.0, 8.0]]))
    giou.sum().backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(giou).all()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


class Fixed(nn.Module):
    """A detector that always answers the same."""

    def __init__(self, side: int, classes: int = 1, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        cells = [side // stride for stride in (8, 16, 32)]
        self.levels = [torch.randn(2, classes, n, n, generator=generator) for n in cells]
        self.distances = [
            torch.rand(2, 4, n, n, generator=generator) * 3 * stride
            for n, stride in zip(cells, (8, 16, 32), strict=True)
        ]
        self.priors = RTMDet.priors

    def forward(self, pixels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        return self.levels, self.distances


def slow_detection_loss(
    logits: Tensor,
    boxes: Tensor,
    priors: Tensor,
    truth: list[Boxes],
    labels: list[list[int]],
    ignored: list[Boxes],
) -> tuple[float, float]:
    """Written without the assigner's code: see `slow_assign` of the assigner's test."""
    focal, box_loss, norm = 0.0, 0.0, 0.0
    for i in range(len(logits)):
        chosen = slow_assign(logits[i], boxes[i], priors, truth[i], labels[i])
        for a, g in enumerate(chosen):
            x, y, _ = priors[a].tolist()
            wanted = [0.0] * logits.shape[2]
            if g >= 0:
                iou, giou = slow_giou(boxes[i, a].tolist(), truth[i][g])
                wanted[labels[i][g]] = iou
                box_loss += (1 - giou) * iou
                norm += iou
            elif any(l < x < r and t < y < b for l, t, r, b in ignored[i]):  # noqa: E741
                continue
            focal += sum(map(slow_quality_focal, logits[i, a].tolist(), wanted))
    return focal / max(norm, 1), 2 * box_loss / max(norm, 1)


@pytest.mark.parametrize("classes", [1, 3])
def test_the_detection_loss_is_quality_focal_and_giou_over_the_assigned_overlap(
    tmp_path: Path, classes: int
) -> None:
    drawn.write_set(tmp_path, 1)
    task, model = DetectionTask(drawn.recipe(tmp_path, "detection")), Fixed(96, classes)
    truth = [[[10.0, 5.0, 60.0, 80.0], [40.0, 30.0, 90.0, 90.0], [5.0, 50.0, 50.0, 95.0]], []]
    generator = torch.Generator().manual_seed(1)
    labels = [torch.randint(classes, (len(b),), generator=generator) for b in truth]
    assert len(set(labels[0].tolist())) == classes, "each class occurs"
    ignored = [[[60.0, 0.0, 96.0, 40.0]], [[0.0, 0.0, 30.0, 30.0], [50.0, 50.0, 96.0, 96.0]]]
    batch = (
        torch.zeros(2, 3, 96, 96, dtype=torch.uint8),
        [torch.tensor(b).reshape(-1, 4) for b in truth],
        labels,
        [torch.tensor(b).reshape(-1, 4) for b in ignored],
        [True, True],
    )
    losses = task.loss(model, batch)
    priors = RTMDet.priors([(12, 12), (6, 6), (3, 3)])
    logits = torch.cat([v.flatten(2).transpose(1, 2) for v in model.levels], 1)
    ltrb = torch.cat([v.flatten(2).transpose(1, 2) for v in model.distances], 1)
    found = torch.cat([priors[:, :2] - ltrb[..., :2], priors[:, :2] + ltrb[..., 2:]], -1)
    kinds = [each.tolist() for each in labels]
    focal, box = slow_detection_loss(logits, found, priors, truth, kinds, ignored)  # type: ignore[arg-type]
    assert losses["class"].item() == pytest.approx(focal, rel=1e-4)
    assert losses["box"].item() == pytest.approx(box, rel=1e-4)


def test_the_teachers_loss_is_quality_focal_and_giou_over_its_scores() -> None:
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(2, 30, generator=generator) * 2
    scores = torch.rand(2, 30, generator=generator) ** 4  # a third of them below 0.05
    mine, wanted = (torch.rand(2, 30, 4, generator=generator) * 40 for _ in range(2))
    for boxes_of in (mine, wanted):
        boxes_of[..., 2:] += boxes_of[..., :2]
    focal, box_loss, norm = 0.0, 0.0, 0.0
    for i in range(2):
        for a in range(30):
            score = float(scores[i, a])
            focal += slow_quality_focal(float(logits[i, a]), score)
            if score > 0.05:
                _, giou = slow_giou(mine[i, a].tolist(), wanted[i, a].tolist())
                box_loss += (1 - giou) * score
                norm += score
    assert norm > 1
    losses = _teacher_loss(logits, mine, scores, wanted)
    assert losses["t_class"].item() == pytest.approx(focal / norm, rel=1e-4)
    assert losses["t_box"].item() == pytest.approx(2 * box_loss / norm, rel=1e-4)
    # Where the teacher is sure of little, what it gives is not blown up.
    faint = _teacher_loss(logits, mine, scores / 50, wanted)
    few = [
        slow_quality_focal(float(a), float(q) / 50)
        for a, q in zip(logits.flatten(), scores.flatten(), strict=True)
    ]
    assert faint["t_class"].item() == pytest.approx(sum(few), rel=1e-4)
    assert faint["t_box"] == 0


def test_pictures_without_people_have_a_class_loss_and_no_box_loss(tmp_path: Path) -> None:
    drawn.write_set(tmp_path, 1)
    task = DetectionTask(drawn.recipe(tmp_path, "detection"))
    none, classes = [torch.empty(0, 4)] * 2, [torch.empty(0, dtype=torch.long)] * 2
    batch = (torch.zeros(2, 3, 96, 96), none, classes, none, [True, True])
    losses = task.loss(Fixed(96), batch)
    assert losses["class"] > 0
    assert losses["box"] == 0


def test_no_region_holds_no_prior() -> None:
    priors = RTMDet.priors([(4, 4), (2, 2), (1, 1)])
    assert not inside_any(priors, torch.empty(0, 4)).any()
    held = inside_any(priors, torch.tensor([[7.0, 7.0, 9.0, 9.0]]))
    assert priors[held].tolist() == [[8, 8, 8]]
