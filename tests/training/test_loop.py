"""The loop: resumed runs equal unbroken ones, checkpoints are whole, batches add up."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from training import drawn

from posetrack.errors import ConfigError, DeviceError, ModelError
from posetrack.training.loop import Trainer, learning_rate, make_optimizer
from posetrack.training.pose_task import PoseTask
from posetrack.training.recipe import Recipe, ScheduleSection
from posetrack.training.tasks import make_task

AUGMENTED = {"flip": 0.5, "rotation_probability": 0.5, "photometric": 0.5}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    drawn.write_set(tmp_path / "data", 8)
    return tmp_path / "data"


def trainer(recipe: Recipe, folder: Path, task: Any = None) -> Trainer:
    return Trainer(recipe, task or make_task(recipe), folder)


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


def test_the_learning_rate_warms_up_stays_and_falls_along_a_cosine() -> None:
    schedule = ScheduleSection(
        epochs=1, batch_size=1, lr=2.0, warmup_iterations=100, flat_fraction=0.5, final_lr_ratio=0.1
    )
    expected = {
        0: 2.0 * 1e-5,
        50: 2.0 * (1e-5 + (1 - 1e-5) / 2),
        100: 2.0,
        499: 2.0,
        750: 2.0 * (0.1 + 0.9 / 2),
        1000: 0.2,
        2000: 0.2,
    }
    assert {s: learning_rate(schedule, s, 1000) for s in expected} == pytest.approx(expected)
    steps = [learning_rate(schedule, s, 1000) for s in range(500, 1001)]
    assert steps == sorted(steps, reverse=True)


def test_norms_and_biases_are_not_decayed() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2))
    schedule = ScheduleSection(epochs=1, batch_size=1, lr=1.0, weight_decay=0.3)
    decayed, plain = make_optimizer(model, schedule).param_groups
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert {p.ndim for p in plain["params"]} == {1}
    assert decayed["weight_decay"] == 0.3
    assert plain["weight_decay"] == 0


@pytest.mark.parametrize("task", ["pose", "detection"])
def test_a_run_killed_amid_an_epoch_and_resumed_equals_an_unbroken_one(
    data: Path, tmp_path: Path, task: str
) -> None:
    stage = {"pose_stage1": AUGMENTED} if task == "pose" else {"detection_stage1": {"flip": 0.5}}
    size = {"pose": [64, 64], "detection": [64, 64]}[task]
    recipe = drawn.recipe(
        data,
        task,
        model={"input_size": size},
        schedule={"epochs": 2, "batch_size": 2, "warmup_iterations": 3},
        ema={"momentum": 0.1, "gamma": 3.0},
        **stage,
    )
    unbroken, log = trainer(recipe, tmp_path / "whole"), drawn.Recorder()
    unbroken.run(log)  # type: ignore[arg-type]

    assert log.rates == [learning_rate(recipe.schedule, step, 8) for step in range(8)]
    killed, first = trainer(recipe, tmp_path / "broken"), drawn.Recorder(stop_after=6)
    with pytest.raises(KeyboardInterrupt):
        killed.run(first, save_every_s=0)  # type: ignore[arg-type]
    # The batch at which it died was not saved, so it is done again.
    resumed, rest = trainer(recipe, tmp_path / "broken"), drawn.Recorder()
    assert resumed.resume()
    assert (resumed.at.epoch, resumed.at.batch) == (1, 1)
    resumed.run(rest)  # type: ignore[arg-type]

    assert first.losses == log.losses[:6]
    assert rest.losses == log.losses[5:]
    assert rest.rates == log.rates[5:]
    assert rest.metrics == log.metrics[1:]
    for mine, theirs in (
        (resumed.model, unbroken.model),
        (resumed.published, unbroken.published),
    ):
        torch.testing.assert_close(weights(mine), weights(theirs), rtol=0, atol=0)


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # the compiler looks for one
@pytest.mark.parametrize("taught", [False, True])
def test_backbone_and_head_are_compiled_and_learn_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taught: bool
) -> None:
    graphs: list[int] = []

    def count(graph: torch.fx.GraphModule, inputs: object) -> Any:
        graphs.append(len(graph.graph.nodes))
        return graph.forward

    whole = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda module: whole(module, backend=count))
    changes: dict[str, Any] = {}
    if taught:
        teacher = trainer(drawn.recipe(data), tmp_path / "teacher")
        teacher.save("last.pth")
        changes["distill"] = {"teacher": str(tmp_path / "teacher" / "last.pth")}
    losses = []
    for compiled in (False, True):
        recipe = drawn.recipe(data, runtime={"compile": compiled}, **changes)
        run = trainer(recipe, tmp_path / f"run-{compiled}")
        log = drawn.Recorder()
        run.run(log)  # type: ignore[arg-type]
        losses.append([sum(each.values()) for each in log.losses])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert len(graphs) >= 2
    assert max(graphs) > 100  # the backbone, whole


def test_nothing_to_resume_and_nothing_left_to_do(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data)
    first = trainer(recipe, tmp_path / "run")
    assert not first.resume()
    first.run(drawn.Recorder())  # type: ignore[arg-type]
    again, log = trainer(recipe, tmp_path / "run"), drawn.Recorder()
    assert again.resume()
    again.run(log)  # type: ignore[arg-type]
    assert log.losses == []


def test_a_checkpoint_that_could_not_be_written_leaves_the_last_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(drawn.recipe(data), tmp_path / "run")
    run.save("last.pth")
    before = (tmp_path / "run" / "last.pth").read_bytes()

    def full_disk(content: object, path: Path) -> None:
        buffer = io.BytesIO()
        save(content, buffer)
        path.write_bytes(buffer.getvalue()[:1000])
        raise OSError("No space left on device")

    save = torch.save
    monkeypatch.setattr(torch, "save", full_disk)
    run.at.step = 99
    with pytest.raises(OSError, match="No space left"):
        run.save("last.pth")
    monkeypatch.undo()
    assert (tmp_path / "run" / "last.pth").read_bytes() == before
    assert run.resume()
    assert run.at.step == 0


def test_damaged_and_foreign_checkpoints_are_refused_in_one_line(
    data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    trainer(drawn.recipe(data), folder).save("last.pth")
    other = drawn.recipe(data, model={"input_size": [96, 96]})
    with pytest.raises(ConfigError) as caught:
        trainer(other, folder).resume()
    assert "last.pth has model.input_size [64, 64], the recipe [96, 96]: resume" in str(
        caught.value
    )
    path = folder / "last.pth"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ModelError) as damaged:
        trainer(drawn.recipe(data), folder).resume()
    assert "\n" not in str(damaged.value)


class FrozenNorms(PoseTask):
    """Batch norm in evaluation mode: what it computes then does not depend on the batch."""

    def build(self) -> nn.Module:
        model = super().build()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
                module.train = lambda mode=True, me=module: me  # type: ignore[method-assign]
        return model


def test_one_batch_of_eight_equals_four_of_two(data: Path, tmp_path: Path) -> None:
    gradients, losses = [], []
    for size, parts in ((8, 1), (2, 4)):
        schedule = {"batch_size": size, "accumulate": parts, "clip_norm": 1e9}
        recipe = drawn.recipe(data, schedule=schedule)
        run = trainer(recipe, tmp_path / str(size), FrozenNorms(recipe))
        log = drawn.Recorder()
        step, seen = run.optimizer.step, {}

        def look(run: Trainer = run, seen: dict = seen, step: Any = step) -> None:
            seen.update({n: p.grad.clone() for n, p in run.model.named_parameters()})
            step()

        run.optimizer.step = look  # type: ignore[assignment]
        run.run(log)  # type: ignore[arg-type]
        assert run.at.step == 1
        gradients.append(seen)
        losses.append(sum(entry["kl"] for entry in log.losses))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    largest = max(float(g.abs().max()) for g in gradients[0].values())
    assert largest > 1e-5
    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value, rtol=1e-3, atol=1e-5 * largest)


def test_the_rate_is_scaled_to_the_samples_of_a_step(data: Path, tmp_path: Path) -> None:
    rates = []
    for base in (None, 4, 16):
        log = drawn.Recorder()
        schedule = {"accumulate": 2, "warmup_iterations": 0, "base_batch_size": base}
        trainer(drawn.recipe(data, schedule=schedule), tmp_path / f"{base}").run(log)  # type: ignore[arg-type]
        rates.append(log.rates[0])
    assert rates == pytest.approx([1e-3, 2e-3, 0.5e-3])


def test_batches_that_make_no_whole_step_are_left_out(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data, schedule={"epochs": 2, "batch_size": 1, "accumulate": 3})
    run, log = trainer(recipe, tmp_path / "run"), drawn.Recorder()
    run.run(log)  # type: ignore[arg-type]
    assert len(log.losses) == 12
    assert run.at.step == 4
    assert all(p.grad is None for p in run.model.parameters())


def test_checkpoints_fall_between_steps(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data, schedule={"batch_size": 1, "accumulate": 4})
    run = trainer(recipe, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        run.run(drawn.Recorder(stop_after=7), save_every_s=0)  # type: ignore[arg-type]
    again = trainer(recipe, tmp_path / "run")
    again.resume()
    assert (again.at.batch, again.at.step) == (4, 1)


def test_less_data_than_one_step_is_refused(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data, schedule={"batch_size": 3, "accumulate": 3})
    with pytest.raises(ConfigError, match="smaller than one step of 3 x 3 samples: lower"):
        trainer(recipe, tmp_path / "run").run(drawn.Recorder())  # type: ignore[arg-type]


def test_a_loss_that_is_no_number_stops_the_run(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data)
    run = trainer(recipe, tmp_path / "run")
    with torch.no_grad():
        next(run.model.parameters()).fill_(float("nan"))
    with pytest.raises(ConfigError, match=r"the loss became nan at step 0: lower schedule.lr"):
        run.run(drawn.Recorder())  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_cannot_be_read_stops_the_run_in_one_line(
    data: Path, tmp_path: Path, workers: int
) -> None:
    pictures = {f"{i:03}.png": b"no picture" for i in range(8)}
    drawn.write_tar(data / "people.tar", pictures)
    recipe = drawn.recipe(data, data={"workers": workers})
    with pytest.raises(ConfigError) as caught:
        trainer(recipe, tmp_path / "run").run(drawn.Recorder())  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith("image 00")
    assert message.endswith("people.tar is missing or unreadable")
    assert "\n" not in message


def test_the_second_stage_takes_the_last_epochs(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data, schedule={"epochs": 3, "stage2_epochs": 1})
    task, stages = PoseTask(recipe), []
    samples = task.samples

    def watched(epoch: int, *, stage2: bool) -> Any:
        stages.append(stage2)
        return samples(epoch, stage2=stage2)

    task.samples = watched  # type: ignore[method-assign]
    trainer(recipe, tmp_path / "run", task).run(drawn.Recorder())  # type: ignore[arg-type]
    assert stages == [False, False, True]


def test_the_best_and_the_last_checkpoint_are_kept_and_every_metric_is_told(
    data: Path, tmp_path: Path
) -> None:
    recipe = drawn.recipe(data, schedule={"epochs": 3, "evaluate_every": 2})
    run, log = trainer(recipe, tmp_path / "run"), drawn.Recorder()
    run.run(log)  # type: ignore[arg-type]
    assert len(log.metrics) == 2, "after the second epoch and after the last"
    assert set(log.metrics[0]) == {"all", "drawn", "painted"}
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"last.pth", "best.pth"}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_too(data: Path, tmp_path: Path, precision: str) -> None:
    model = {"input_size": [96, 96]}
    recipe = drawn.recipe(data, model=model, runtime={"precision": precision})
    log = drawn.Recorder()
    trainer(recipe, tmp_path / "run").run(log)  # type: ignore[arg-type]
    assert all(0 < entry["kl"] < 10 for entry in log.losses)


def test_an_input_lower_than_the_head_reaches_is_refused_in_bf16(
    data: Path, tmp_path: Path
) -> None:
    recipe = drawn.recipe(data, runtime={"precision": "bf16"})
    with pytest.raises(ConfigError, match=r"bf16 trains no input of 64 px .*take 96 px or more"):
        trainer(recipe, tmp_path / "run")


def test_frozen_modules_keep_weights_and_statistics(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data)
    model = recipe.model.model_copy(update={"freeze": ("backbone.stem",)})
    run = trainer(recipe.model_copy(update={"model": model}), tmp_path / "run")
    before = weights(run.model)
    run.run(drawn.Recorder())  # type: ignore[arg-type]
    moved = {k for k, v in weights(run.model).items() if not torch.equal(v, before[k])}
    assert moved == {k for k in before if not k.startswith("backbone.stem.")}


def test_freezing_what_is_not_there_is_refused(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data)
    model = recipe.model.model_copy(update={"freeze": ("backbone.stm",)})
    with pytest.raises(ConfigError, match=r"no module .backbone\.stm.*mean backbone\.stem"):
        trainer(recipe.model_copy(update={"model": model}), tmp_path / "run")


def test_a_device_that_is_not_there_is_refused(data: Path, tmp_path: Path) -> None:
    recipe = drawn.recipe(data, runtime={"device": "cuda:99"})
    with pytest.raises(DeviceError, match=r"runtime.device cuda:99: PyTorch sees \d+ CUDA devices"):
        trainer(recipe, tmp_path / "run")
    recipe = drawn.recipe(data, runtime={"device": "gpu"})
    with pytest.raises(ConfigError, match="'gpu': cpu, cuda or cuda:N was expected"):
        trainer(recipe, tmp_path / "run")
