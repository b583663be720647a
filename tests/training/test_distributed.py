"""Two processes that share a batch do what one process does with the whole of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from training import drawn

from posetrack.errors import ConfigError
from posetrack.networks.pickles import read_plain
from posetrack.training.distributed import join
from posetrack.training.run import train


@pytest.mark.timeout(90)
@pytest.mark.parametrize("task", ["pose", "detection"])
def test_two_processes_train_as_one_with_the_same_samples_a_step(tmp_path: Path, task: str) -> None:
    drawn.write_set(tmp_path / "data", 8)
    path = tmp_path / "recipe.yaml"
    content = drawn.recipe_dict(tmp_path / "data", task)
    content["model"]["input_size"] = [64, 64]
    content["schedule"] |= {"epochs": 1, "accumulate": 2, "lr": 1.0e-3, "warmup_iterations": 0}
    path.write_text(yaml.safe_dump(content))
    torch.set_num_threads(1)
    one = train(path, ["schedule.batch_size=4"], resume=False, folder=tmp_path / "one")
    _torchrun(path, "schedule.batch_size=2", tmp_path / "two")
    alone, together = (read_plain(f / "last.pth") for f in (one, tmp_path / "two"))
    assert together["position"]["step"] == alone["position"]["step"] == 1
    # Adam's weights hide the scale of gradients, its first moment shows it.
    moments = [
        torch.cat([s["exp_avg"].flatten() for s in each["optimizer"]["state"].values()])
        for each in (alone, together)
    ]
    assert float((moments[0] - moments[1]).norm()) < 0.01 * float(moments[0].norm())
    statistics = [name for name in alone["raw"] if "stem" in name and "running" in name]
    assert len(statistics) == 6
    for name in statistics:
        torch.testing.assert_close(together["raw"][name], alone["raw"][name], rtol=0.01, atol=1e-3)


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


def _torchrun(recipe: Path, setting: str, folder: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "posetrack", "train", str(recipe), "-o", str(folder), "--set", setting]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=80, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join("cpu").size == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="not 'RANK': start it with torchrun"):
        join("cpu")
