"""The training loop: batches in, checkpoints and metrics out. Knows no task's details."""

from __future__ import annotations

import contextlib
import difflib
import math
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from posetrack.errors import ConfigError
from posetrack.training.averaging import WeightAverage
from posetrack.training.device import check_precision, choose_device, seed_all
from posetrack.training.distributed import ALONE, World, from_first, summed, synchronise_norms, wait
from posetrack.training.loader import batches, make_loader
from posetrack.training.progress import Progress
from posetrack.training.pruning import Pruner
from posetrack.training.recipe import Recipe, ScheduleSection
from posetrack.training.task import Metrics, Task
from posetrack.training.warmstart import WarmStart, adapt, narrow_as_before


def learning_rate(schedule: ScheduleSection, step: int, total: int) -> float:
    """Rate at optimiser step `step` of `total`: linear warm-up from 1e-5, flat, cosine down."""
    if step < schedule.warmup_iterations:
        start = 1e-5
        return schedule.lr * (start + (1 - start) * step / schedule.warmup_iterations)
    flat = schedule.flat_fraction * total
    if step < flat:
        return schedule.lr
    done = min(1.0, (step - flat) / max(total - flat, 1))
    floor = schedule.final_lr_ratio
    return schedule.lr * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


def make_optimizer(model: nn.Module, schedule: ScheduleSection) -> torch.optim.Optimizer:
    """AdamW; norms, biases and single scales are not decayed."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": schedule.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.lr, foreach=True)


class _Loss(nn.Module):
    """A task's loss as a module, so that gradients of all processes are averaged behind it."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.task, self.model = task, model

    def forward(self, batch: Any, epoch: int) -> dict[str, Tensor]:
        return self.task.loss(self.model, batch, epoch)


def freeze(model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """Take the modules `names` out of training and return them; their statistics stay too.

    Raises:
        ConfigError: there is no module of a name.
    """
    found = named_modules(model, "freeze", names)
    for module in found:
        module.requires_grad_(False)
    return found


def named_modules(model: nn.Module, key: str, names: Sequence[str]) -> list[nn.Module]:
    """The modules that ``model.<key>`` of a recipe names.

    Raises:
        ConfigError: there is no module of a name.
    """
    modules = dict(model.named_modules())
    for name in names:
        if not name or name not in modules:
            near = difflib.get_close_matches(name, modules, 1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise ConfigError(f"model.{key} names no module {name!r} of this network{hint}")
    return [modules[name] for name in names]


@dataclass
class Position:
    """How far a run is: `epoch` finished epochs, `batch` finished batches of the next one."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float = -1.0


class Trainer:
    """One run in one folder: ``last.pth``, ``best.pth``, ``metrics.csv``, ``metrics.png``."""

    def __init__(self, recipe: Recipe, task: Task, folder: Path, *, world: World = ALONE) -> None:
        self.recipe, self.task, self.folder, self.world = recipe, task, folder, world
        folder.mkdir(parents=True, exist_ok=True)
        seed_all(recipe.runtime.seed)
        if recipe.runtime.threads:
            torch.set_num_threads(recipe.runtime.threads)
        self.device = choose_device(recipe.runtime.device, world)
        model = task.build()
        check_precision(model, recipe, self.device)
        self.slim = narrow_as_before(model, recipe, self._stored())
        self.model = model.to(self.device)
        if world.size > 1:
            self.model = synchronise_norms(self.model, self.device)
        if recipe.runtime.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = getattr(self.model, "student", self.model)
        self.frozen = freeze(self.network, recipe.model.freeze)
        self.optimizer = make_optimizer(self.model, recipe.schedule)
        self.average = (
            WeightAverage(self.model, momentum=recipe.ema.momentum, gamma=recipe.ema.gamma)
            if recipe.ema
            else None
        )
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=recipe.runtime.precision == "fp16"
        )
        if recipe.runtime.compile:
            for child in self.network.children():
                child.compile()
        self.loss: nn.Module = _Loss(task, self.model)
        if world.size > 1:
            # A batch without people leaves a detector's box branch without gradient, a teacher
            # of answers alone leaves `Distillation.align` so.
            unused = recipe.task == "detection" or recipe.distill is not None
            self.loss = DistributedDataParallel(
                self.loss, broadcast_buffers=False, find_unused_parameters=unused
            )
        self.at = Position()
        self.pruner: Pruner | None = None

    def initialise(self, path: Path) -> WarmStart:
        """Start from the weights of `path`; what does not fit stays fresh.

        Raises:
            ConfigError: nothing fits.
        """
        from posetrack.networks.checkpoint import load_state

        fresh = self.network.state_dict()
        named_modules(self.network, "fresh", self.recipe.model.fresh)
        start = adapt(load_state(path), fresh, without=self.recipe.model.fresh)
        if not any(fresh[name].ndim > 1 for name in start.taken):
            architecture = self.recipe.model.architecture
            raise ConfigError(f"model.init {path} holds no weights that fit {architecture}")
        self.network.load_state_dict(start.state)
        if self.average:
            self.average.model.load_state_dict(self.model.state_dict())
        return start

    def run(self, progress: Progress, *, save_every_s: float = 240.0) -> None:
        """Train to the recipe's last epoch, evaluating and saving on the way."""
        schedule = self.recipe.schedule
        self.pruner = self._make_pruner()
        while self.at.epoch < schedule.epochs:
            self._epoch(progress, save_every_s)
            self.at.epoch, self.at.batch = self.at.epoch + 1, 0
            due = self.at.epoch % schedule.evaluate_every == 0
            if self.world.is_first:
                if due or self.at.epoch == schedule.epochs:
                    self._evaluate(progress)
                self.save("last.pth")
            wait()
        if self.pruner and not self.pruner.done:
            progress.say(
                f"the training ended with {self.pruner.share:.1%} of the multiplications, "
                f"{self.pruner.flops:.0%} were asked: train for more epochs, or raise prune.units "
                "(there is no best.pth)"
            )

    def _epoch(self, progress: Progress, save_every_s: float) -> None:
        schedule = self.recipe.schedule
        stage2 = self.at.epoch >= schedule.epochs - schedule.stage2_epochs
        loader = make_loader(
            self.task,
            self.recipe,
            self.at.epoch,
            stage2=stage2,
            skip=self.at.batch,
            world=self.world,
        )
        per_epoch = self.at.batch + len(loader)
        samples = schedule.batch_size * self.world.size
        if not per_epoch:
            raise ConfigError(
                f"the training data is smaller than one step of {schedule.accumulate} x "
                f"{samples} samples: lower schedule.batch_size"
            )
        total = schedule.epochs * per_epoch // schedule.accumulate
        saved = time.monotonic()
        self.model.train()
        for module in self.frozen:
            module.eval()
        for batch in batches(loader, self.device):
            rate = learning_rate(schedule, self.at.step, total)
            if schedule.base_batch_size:
                rate *= samples * schedule.accumulate / schedule.base_batch_size
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses = self.step(batch)
            self.at.batch += 1
            progress.batch(self.at.epoch, self.at.batch, per_epoch, samples, rate, losses)
            # Half a step's gradients are not in a checkpoint.
            whole = self.at.batch % schedule.accumulate == 0 and self.world.is_first
            if whole and time.monotonic() - saved >= save_every_s:
                self.save("last.pth")
                saved = time.monotonic()

    def step(self, batch: Any) -> dict[str, float]:
        """Learn from one batch: gradients, and where they are due the weights; its losses."""
        schedule, world = self.recipe.schedule, self.world
        due = (self.at.batch + 1) % schedule.accumulate == 0
        with self._quiet(due=due):
            with self._precision():
                losses = self.loss(batch, self.at.epoch)
            values = summed(torch.stack([each.detach() for each in losses.values()]))
            total: Tensor = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(values).all():
                raise ConfigError(
                    f"the loss became {float(values.sum())} at step {self.at.step}: "
                    "lower schedule.lr, or resume from last.pth with another runtime.seed"
                )
            # Gradients of processes are averaged; each loss is its part of a sum over all.
            parts = schedule.accumulate if self.task.reduction == "mean" else 1
            self.scaler.scale(total * world.size / parts).backward()  # type: ignore[no-untyped-call]
        if due:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), schedule.clip_norm)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
            self.at.step += 1
            if self.pruner:
                self.pruner.after_step()
            if self.average:
                self.average.update(self.model)
        return dict(zip(losses, values.tolist(), strict=True))

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        wanted = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.recipe.runtime.precision)
        if wanted is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, wanted)

    def _quiet(self, *, due: bool) -> contextlib.AbstractContextManager[Any]:
        """No exchange of gradients before the last part of a step."""
        if due or not isinstance(self.loss, DistributedDataParallel):
            return contextlib.nullcontext()
        return self.loss.no_sync()

    @property
    def published(self) -> nn.Module:
        """The network that counts: averaged where the recipe averages, slim where it prunes."""
        if self.pruner:
            return self.pruner.slimmed()
        return self.average.model if self.average else self.model

    def _evaluate(self, progress: Progress) -> Metrics:
        model = self.published.eval()
        metrics, sheet = self.task.evaluate(model)
        group, key = self.task.headline
        score = metrics[group][key]
        progress.evaluated(self.at.epoch, metrics, sheet, headline=(group, key))
        if self.pruner and not self.pruner.done:
            progress.say(f"{self.pruner.share:.0%} of the multiplications are left")
        elif score > self.at.best:
            self.at.best = score
            self.save("best.pth")
        return metrics

    def _make_pruner(self) -> Pruner | None:
        how = self.recipe.prune
        if how is None:
            return None
        if self.recipe.ema or self.recipe.distill or self.recipe.runtime.compile:
            raise ConfigError(
                f"{self.recipe.name}: prune goes without ema, distill and runtime.compile; use "
                "them in the training that starts from the pruned network"
            )
        width, height = self.recipe.model.input_size
        example = torch.zeros(1, 3, height, width, device=self.device)
        return Pruner(self.model, example, flops=how.flops, interval=how.interval, units=how.units)

    def save(self, name: str) -> None:
        """Write a checkpoint atomically; ``state_dict`` holds the published weights."""
        content = {
            "state_dict": self.published.state_dict(),
            "raw": self.model.state_dict(),
            "average_steps": self.average.steps if self.average else 0,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "position": vars(self.at).copy(),
            "rng": torch.get_rng_state(),
            "recipe": self.recipe.model_dump(mode="json"),
            "facts": self.task.facts,
            "architecture": self.recipe.model.architecture,
            "slim": self.slim or self.pruner is not None,
            "commit": _commit(),
        }
        part = self.folder / f"{name}.part"
        torch.save(content, part)
        part.replace(self.folder / name)

    def resume(self) -> bool:
        """Continue from ``last.pth``; False where there is none.

        Raises:
            ModelError: it is damaged.
            ConfigError: it is of another network.
        """
        content = self._stored()
        if content is None:
            return False
        self._check_same_network(self.folder / "last.pth", content["recipe"]["model"])
        self.model.load_state_dict(content["raw"])
        if self.average:
            self.average.model.load_state_dict(content["state_dict"])
            self.average.steps = content["average_steps"]
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content.get("scaler", {}))
        self.at = Position(**content["position"])
        torch.set_rng_state(content["rng"])
        return True

    def _stored(self) -> dict[str, Any] | None:
        """What ``last.pth`` holds, the same in every process; None where there is none."""
        from posetrack.networks.pickles import read_plain

        path = self.folder / "last.pth"
        return from_first(lambda: read_plain(path) if path.is_file() else None)

    def _check_same_network(self, path: Path, before: dict[str, Any]) -> None:
        now = self.recipe.model.model_dump(mode="json")
        for key in ("architecture", "input_size", "skeleton"):
            if now[key] != before[key]:
                raise ConfigError(
                    f"{path} has model.{key} {before[key]}, the recipe {now[key]}: resume with "
                    "the same, or train in another folder and start from it with model.init"
                )


def _commit() -> str:
    try:
        command = ["git", "rev-parse", "--short", "HEAD"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
