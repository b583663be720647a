"""Channels taken out: those that matter least, exactly, and for good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from training import drawn

from posetrack.errors import ConfigError
from posetrack.estimator import Estimator
from posetrack.networks import build
from posetrack.networks.checkpoint import load_model, load_state
from posetrack.networks.layers import ConvModule, CSPLayer
from posetrack.training.export import export_model
from posetrack.training.pruning import Pruner, find_groups
from posetrack.training.publish import publish
from posetrack.training.run import train


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def flat(values: object) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    return [t for value in values for t in flat(value)]  # type: ignore[attr-defined]


def lively(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return model


class Small(nn.Module):
    """Two tied branches, an identity, attention: what makes groups hard, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(ConvModule(3, 12, 3), CSPLayer(12, 16, 1, attention=True))
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.backbone(x))
        return out


def test_channels_that_depend_on_each_other_are_one_group() -> None:
    groups = find_groups(Small(), torch.zeros(1, 3, 16, 16))
    sizes = sorted(len(group.alive) for group in groups)
    # The stem's; what the block's first convolution gives; main and short as attention ties
    # them together; what goes to the head.
    assert sizes == [8, 12, 16, 16]
    (tied,) = [g for g in groups if any("attention" in ends.name for ends in g.outputs)]
    assert {ends.name.split(".")[2] for ends in tied.norms} == {"main_conv", "short_conv", "blocks"}


def test_the_use_of_a_unit_is_the_square_of_its_gradient_for_each_sample() -> None:
    model = lively(Small()).train()
    pruner = Pruner(model, torch.zeros(1, 3, 16, 16), flops=0.1, interval=100, units=1)
    images = torch.randn(3, 3, 16, 16)
    model(images).square().sum().backward()
    pruner.after_step()
    for group in pruner.groups:
        # A mask on every batch norm of the group, one value a sample and unit.
        mask = torch.ones(3, len(group.alive), requires_grad=True)
        hooks = []
        for ends in group.norms:

            def masked(_: nn.Module, __: object, out: Tensor, ends=ends) -> Tensor:
                factor = torch.ones(3, out.shape[1]).index_copy(1, ends.at, mask[:, ends.unit])  # noqa: B023
                return out * factor[..., None, None]

            hooks.append(pruner.modules[ends.name].register_forward_hook(masked))
        (gradient,) = torch.autograd.grad(model(images).square().sum(), mask)
        for hook in hooks:
            hook.remove()
        expected = gradient.square().sum(0)
        torch.testing.assert_close(group.fisher, expected, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("architecture", ["rtmpose-t", "rtmdet-nano", "cspnext-t"])
def test_the_slim_network_answers_as_the_silenced_one(architecture: str) -> None:
    model = lively(build(architecture, input_size=(64, 64))).train()
    images = torch.randn(2, 3, 64, 64)
    pruner = Pruner(model, images[:1], flops=0.85, interval=1, units=150)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    while not pruner.done:
        optimizer.zero_grad()
        torch.stack([out.square().mean() for out in flat(model(images))]).sum().backward()
        optimizer.step()
        pruner.after_step()
    assert 0.7 < pruner.share <= 0.85
    assert min(int(group.alive.sum()) for group in pruner.groups) >= 8
    slim = pruner.slimmed()
    assert sum(p.numel() for p in slim.parameters()) < sum(p.numel() for p in model.parameters())
    assert Pruner(slim, images[:1], flops=0.1, interval=1, units=1).whole == pytest.approx(
        pruner.share * pruner.whole, rel=1e-6
    )
    with torch.no_grad():
        for mine, theirs in zip(flat(slim.eval()(images)), flat(model.eval()(images)), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def write(folder: Path, **changes: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(drawn.recipe_dict(folder / "data", "pose", **changes)))
    return path


@pytest.mark.timeout(180)
def test_a_network_is_pruned_trained_on_exported_and_run(tmp_path: Path) -> None:
    drawn.write_set(tmp_path / "data", 8)
    how = {"flops": 0.8, "interval": 1, "units": 150}
    recipe = write(tmp_path, prune=how, schedule={"epochs": 3})
    run = train(recipe, [], resume=False, folder=tmp_path / "slim")
    network, spec = load_model(run / "best.pth")
    assert (spec.architecture, spec.num_keypoints) == ("rtmpose-t", 17)
    whole = sum(p.numel() for p in build("rtmpose-t", input_size=(64, 64)).parameters())
    assert sum(p.numel() for p in network.parameters()) < 0.9 * whole

    tuned = train(
        write(tmp_path, ema={"momentum": 0.1}),
        [f"model.init={run}/best.pth", "schedule.lr=1e-9"],
        resume=False,
        folder=tmp_path / "tuned",
    )
    before, after = load_state(run / "best.pth"), load_state(tuned / "last.pth")
    assert {k: v.shape for k, v in before.items()} == {k: v.shape for k, v in after.items()}
    name = "backbone.stage3.0.conv.weight"
    torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-6)
    again = train(write(tmp_path), ["schedule.epochs=2"], resume=True, folder=tuned)
    public = publish(again / "last.pth", tmp_path / "public")
    export_model(public, tmp_path / "model", name="slim")
    image = np.zeros((90, 80, 3), np.uint8)
    poses = Estimator.load(tmp_path / "model", threads=1)(image, [[0, 0, 80, 90]])
    assert np.isfinite(poses.keypoints).all()


def test_a_pruning_goes_on_where_it_was_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn.write_set(tmp_path / "data", 8)
    how = {"flops": 0.7, "interval": 1, "units": 20}
    run = train(write(tmp_path, prune=how), [], resume=False, folder=tmp_path / "run")
    first = sum(v.numel() for v in load_state(run / "last.pth").values())
    train(write(tmp_path, prune=how), ["schedule.epochs=2"], resume=True, folder=run)
    second = sum(v.numel() for v in load_state(run / "last.pth").values())
    assert second < first
    assert not (run / "best.pth").exists(), "not yet as small as was asked"
    assert "of the multiplications, 70% were asked" in " ".join(capsys.readouterr().err.split())


def test_averages_and_teachers_come_after_the_pruning(tmp_path: Path) -> None:
    drawn.write_set(tmp_path / "data", 8)
    recipe = write(tmp_path, prune={"flops": 0.5}, ema={"momentum": 0.1})
    with pytest.raises(ConfigError, match=r"prune goes without ema, distill and runtime\.compile"):
        train(recipe, [], resume=False, folder=tmp_path / "run")
