"""The assigner against plain loops written from RTMDet's description."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from posetrack.networks.rtmdet import RTMDet
from posetrack.training.assigner import assign


def slow_iou(a: Sequence[float], b: Sequence[float]) -> float:
    w = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    h = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = sum(max(c[2] - c[0], 0) * max(c[3] - c[1], 0) for c in (a, b))
    return w * h / (areas - w * h) if areas > w * h else 0.0


def slow_assign(
    logits: Tensor,
    boxes: Tensor,
    priors: Tensor,
    truth: Sequence[Sequence[float]],
    labels: Sequence[int],
) -> list[int]:
    """For each prior the index of its box, or -1."""

    def inside(a: int, g: int) -> bool:
        (x, y, _), (left, top, right, bottom) = priors[a].tolist(), truth[g]
        return left < x < right and top < y < bottom

    def cost(a: int, g: int) -> float:
        (x, y, stride), b = priors[a].tolist(), truth[g]
        iou = slow_iou(boxes[a].tolist(), b)
        of_class = 0.0
        for kind, logit in enumerate(logits[a].tolist()):
            score, wanted = 1 / (1 + math.exp(-logit)), iou if kind == labels[g] else 0.0
            entropy = -(wanted * math.log(score) + (1 - wanted) * math.log(1 - score))
            of_class += entropy * (wanted - score) ** 2
        distance = math.hypot(x - (b[0] + b[2]) / 2, y - (b[1] + b[3]) / 2) / stride
        return of_class - 3 * math.log(iou + 1e-7) + 10 ** (distance - 3)

    candidates = [a for a in range(len(priors)) if any(inside(a, g) for g in range(len(truth)))]
    claims: dict[int, list[tuple[float, int]]] = {}
    for g in range(len(truth)):
        best = sorted((slow_iou(boxes[a].tolist(), truth[g]) for a in candidates), reverse=True)
        k = max(1, int(sum(best[:13])))
        costs = sorted((cost(a, g), a) for a in candidates if inside(a, g))
        for value, a in costs[:k]:
            claims.setdefault(a, []).append((value, g))
    return [min(claims[a])[1] if a in claims else -1 for a in range(len(priors))]


def scene(
    seed: int, people: int, classes: int = 1
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """logits, predicted boxes near people, priors, truth, labels of a 96 px picture."""
    generator = torch.Generator().manual_seed(seed)
    priors = RTMDet.priors([(12, 12), (6, 6), (3, 3)])
    corners = torch.rand(people, 2, generator=generator) * 50
    sides = 15 + torch.rand(people, 2, generator=generator) * 40
    truth = torch.cat([corners, corners + sides], 1)
    near = truth[torch.randint(people, (len(priors),), generator=generator)]
    boxes = near + torch.randn(len(priors), 4, generator=generator) * 5
    logits = torch.randn(len(priors), classes, generator=generator)
    return logits, boxes, priors, truth, torch.randint(classes, (people,), generator=generator)


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_assignment_equals_plain_loops(seed: int, classes: int) -> None:
    logits, boxes, priors, truth, labels = scene(seed, 1 + seed, classes)
    logits = 4 * logits  # so that the class weighs as much as the place
    found = assign(logits, boxes, priors, truth, labels)
    expected = slow_assign(logits, boxes, priors, truth.tolist(), labels.tolist())
    assert found.box.tolist() == expected
    assert len({g for g in expected if g >= 0}) == len(truth), "everybody is learned by someone"
    for a, g in enumerate(expected):
        iou = slow_iou(boxes[a].tolist(), truth[g].tolist()) if g >= 0 else 0.0
        assert found.iou[a].item() == pytest.approx(iou, abs=1e-5)


def test_good_predictions_win_more_priors_than_bad_ones() -> None:
    _, _, priors, _, _ = scene(0, 1)
    truth = torch.tensor([[10.0, 10.0, 80.0, 80.0]])
    labels, logits = torch.zeros(1, dtype=torch.long), torch.zeros(len(priors), 1)
    good = assign(logits, truth.expand(len(priors), 4), priors, truth, labels)
    bad = assign(logits, truth.expand(len(priors), 4) + 200, priors, truth, labels)
    assert (good.box >= 0).sum() == 13
    assert (bad.box >= 0).sum() == 1


def test_a_box_between_the_priors_is_learned_by_none() -> None:
    logits, boxes, priors, _, _ = scene(0, 1)
    tiny = torch.tensor([[9.0, 9.0, 15.0, 15.0]])
    found = assign(logits, boxes, priors, tiny, torch.zeros(1, dtype=torch.long))
    assert (found.box == -1).all()


def test_no_box_no_assignment() -> None:
    logits, boxes, priors, _, _ = scene(0, 1)
    found = assign(logits, boxes, priors, torch.empty(0, 4), torch.empty(0, dtype=torch.long))
    assert (found.box == -1).all()
    assert not found.iou.any()


def test_several_classes_are_kept_apart() -> None:
    _, _, priors, truth, _ = scene(1, 1)
    boxes = truth.expand(len(priors), 4)
    logits = torch.full((len(priors), 2), -5.0)
    inside = [
        a
        for a, (x, y, _) in enumerate(priors.tolist())
        if truth[0, 0] < x < truth[0, 2] and truth[0, 1] < y < truth[0, 3]
    ]
    chosen = inside[0]  # far from the centre, yet the only one sure of the class
    logits[chosen, 1] = 9.0
    for label, expected in ((1, True), (0, False)):
        found = assign(logits, boxes, priors, truth, torch.tensor([label]), topk=1)
        assert bool(found.box[chosen] == 0) is expected
