"""Two processes that share a batch do what one process does with the whole of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from training import drawn, noted

from posetrack.errors import ConfigError
from posetrack.networks import build
from posetrack.networks.pickles import read_plain
from posetrack.training.distributed import join
from posetrack.training.loop import Trainer
from posetrack.training.run import train


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("task", "tolerances"), [("pose", (1e-5, 5e-4, 1e-2)), ("detection", (1e-4,))]
)
def test_two_processes_train_as_one_with_the_same_samples_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, tolerances: tuple[float, ...]
) -> None:
    """Losses of each step (two batches), the first gradient, and statistics of norms.

    Adam makes a whole step of a gradient next to 0, whose sign is rounding's: losses drift, and
    gradients soon differ. Of the detector only the first step is compared: its assigner chooses,
    so it drifts at once.
    """
    steps = len(tolerances)
    drawn.write_set(tmp_path / "data", 8)
    path = tmp_path / "recipe.yaml"
    content = drawn.recipe_dict(tmp_path / "data", task)
    content["model"]["input_size"] = [64, 64]
    content["data"]["train"] = [content["data"]["train"][0] | {"repeat": steps}]
    if task == "detection":
        content["model"]["init"] = str(_seeing(tmp_path / "init.pth"))
    content["schedule"] |= {"epochs": 1, "accumulate": 2, "lr": 1.0e-3, "warmup_iterations": 0}
    content["schedule"]["clip_norm"] = 1.0e9  # a clipped gradient has no scale
    path.write_text(yaml.safe_dump(content))
    torch.set_num_threads(1)
    monkeypatch.setattr(Trainer, "step", noted.note(tmp_path / "one.jsonl"))
    one = train(path, ["schedule.batch_size=4"], resume=False, folder=tmp_path / "one")
    _torchrun(path, "schedule.batch_size=2", tmp_path / "two", tmp_path / "two.jsonl")
    lines = [(tmp_path / f"{name}.jsonl").read_text().splitlines() for name in ("one", "two")]
    assert [len(each) for each in lines] == [2 * steps, 2 * steps]
    for i, (alone, together) in enumerate(zip(*lines, strict=True)):
        wanted, found = json.loads(alone), json.loads(together)
        if i < 2:
            assert found.pop("gradient") == pytest.approx(wanted.pop("gradient"), rel=1e-3)
        else:
            del found["gradient"], wanted["gradient"]
        assert found == pytest.approx(wanted, rel=tolerances[i // 2]), f"batch {i}"
    if steps == 1:
        raw = [read_plain(f / "last.pth")["raw"] for f in (one, tmp_path / "two")]
        statistics = [name for name in raw[0] if "stem" in name and "running" in name]
        assert len(statistics) == 6
        for name in statistics:
            torch.testing.assert_close(raw[1][name], raw[0][name], rtol=0.01, atol=1e-3)


@pytest.mark.timeout(150)
def test_machines_that_share_no_folder_resume_from_what_the_first_one_wrote(tmp_path: Path) -> None:
    drawn.write_set(tmp_path / "data", 8)
    path = tmp_path / "recipe.yaml"
    content = drawn.recipe_dict(tmp_path / "data")
    content["schedule"] |= {"batch_size": 2, "warmup_iterations": 0}
    path.write_text(yaml.safe_dump(content))
    _two_machines(path, tmp_path, "schedule.epochs=1")
    assert not (tmp_path / "b" / "last.pth").exists()
    _two_machines(path, tmp_path, "schedule.epochs=2", "--resume")
    position = read_plain(tmp_path / "a" / "last.pth")["position"]
    assert (position["epoch"], position["step"]) == (2, 4)


def _two_machines(recipe: Path, root: Path, setting: str, *more: str) -> None:
    """One process each in the folders ``a`` and ``b``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank, folder in enumerate("ab"):
        command = [sys.executable, "-m", "posetrack", "train", str(recipe), "--set", setting, *more]
        world = {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
        running.append(
            subprocess.Popen(
                [*command, "-o", str(root / folder)],
                env=os.environ | world,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    for process in running:
        said, _ = process.communicate(timeout=70)
        assert process.returncode == 0, said


def _seeing(path: Path) -> Path:
    """A detector whose boxes overlap with people: their sum of IoU divides its losses."""
    torch.manual_seed(0)
    network = build("rtmdet-nano", input_size=(64, 64))
    for regress in network.bbox_head.rtm_reg:  # type: ignore[union-attr]
        torch.nn.init.ones_(regress.bias)  # type: ignore[union-attr]
    torch.save({"state_dict": network.state_dict()}, path)
    return path


def _torchrun(recipe: Path, setting: str, folder: Path, notes: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [noted.__file__, "train", str(recipe), "-o", str(folder), "--set", setting]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NOTES": str(notes)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=150, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join("cpu").size == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="not 'RANK': start it with torchrun"):
        join("cpu")
