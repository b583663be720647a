"""The averaged weights follow the published formula."""

from __future__ import annotations

import math

import torch
from torch import nn

from posetrack.training.averaging import WeightAverage


def test_the_average_follows_its_formula_weights_and_buffers_alike() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = WeightAverage(model, momentum=0.1, gamma=5.0)
    expected = {k: v.clone().double() for k, v in model.state_dict().items()}
    for t in range(20):
        with torch.no_grad():
            for value in model.state_dict().values():
                value.add_(torch.randn(value.shape) if value.is_floating_point() else 1)
        average.update(model)
        m = (1 - 0.1) * math.exp(-(1 + t) / 5.0) + 0.1
        for key, value in model.state_dict().items():
            expected[key] = (1 - m) * expected[key] + m * value.double()
    found = average.model.state_dict()
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(found[key].double(), expected[key], rtol=1e-4, atol=1e-5)
        else:
            assert found[key] == value, "counters are copied"
    assert average.steps == 20


def test_the_average_is_of_its_own_and_takes_no_gradient() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model, momentum=0.5, gamma=1.0)
    before = average.model.weight.clone()  # type: ignore[union-attr, operator]
    with torch.no_grad():
        model.weight.add_(1)
    torch.testing.assert_close(average.model.weight, before)
    assert not average.model.weight.requires_grad  # type: ignore[union-attr]
    assert not average.model.training
