"""`benchmarks/gpu.py` in its shortest form, without a GPU: everything but the calls of CUDA."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from posetrack import demo
from posetrack.media.colour import ToBgr

torch = pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(script, capture_output=True, text=True, check=False)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import gpu

    return gpu


@pytest.mark.slow
@pytest.mark.timeout(600)  # some 40 s of one core
def test_every_part_gives_figures_or_says_why_not(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    short = ("--device", "cpu", "--short", "--pairs", "embedded", "--skip", "compile")
    done = run(*short, "--json", path)
    assert done.returncode == 0, done.stderr
    found = json.loads(path.read_text())
    steps = {row["what"]: row for row in found["step"]}
    for name in ("onnxruntime fp32", "onnxruntime fp16, all inside, bound", "torch bf16"):
        figures = steps[name]
        assert 0 < figures["1 people"]["step"]["median_ms"] <= figures["1 people"]["step"]["p95_ms"]
        assert figures["8 people"]["networks"]["median_ms"] > 0
    assert "cuda_graphs asked of torch on cpu" in steps["torch bf16, CUDA graphs"]["reason"]
    assert "not installed" in steps["tensorrt native fp16"]["reason"]
    loops = {row["what"]: row for row in found["loop"]}
    assert loops["decode, software"]["fps"] > 0
    assert loops["decode, hardware, left there"]["reason"]
    on_device = loops["torch bf16, on the device, H.264 written"]
    assert on_device["frames"] == 6
    assert set(on_device["busy_ms_a_frame"]) == {"capture", "detect", "track", "output"}
    plain = found["device"][0]
    assert plain["frames"] == 6
    assert plain["people_mean"] > 1
    (training,) = found["training"]
    assert training["images_per_s"] > 0
    # 1.93 thousand million multiplications forward, as MMPose publishes it; backward is twice that.
    assert training["gflop_an_image"] == pytest.approx(2 * 3 * 1.93, rel=0.02)
    assert "not measured, BackendMissing" in done.stdout


def test_results_of_a_cpu_do_not_go_where_those_of_gpus_are() -> None:
    done = run("--device", "cpu")
    assert done.returncode == 2
    assert "give --json, results/gpu.json is of GPUs" in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_machine_without_a_gpu_is_told_so_and_leaves_no_results(tmp_path: Path) -> None:
    done = run("--json", tmp_path / "gpu.json")
    assert done.returncode == 2
    assert "--device cuda: PyTorch does not find it: " in done.stderr
    assert not (tmp_path / "gpu.json").exists()


def test_a_process_that_dies_is_a_row(gpu: Any) -> None:
    rows = list(gpu.apart(gpu.step, None, "torch", limit_s=50))
    assert rows == [{"what": "step torch", "reason": "its process ended with status 1"}]


def test_a_process_that_hangs_is_ended_and_is_a_row(gpu: Any) -> None:
    rows = list(gpu.apart(gpu.step, None, "torch", limit_s=0.01))
    assert rows == [{"what": "step torch", "reason": "no answer within 0.01 s"}]


def test_decoded_planes_become_the_picture_that_the_loop_sees(gpu: Any, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    demo.make_clip(clip, seconds=0.04)
    with av.open(str(clip)) as container:
        frame = next(container.decode(video=0))
        wanted = ToBgr()(frame)
    found = gpu.on_device(frame, "cpu").numpy()
    assert found.shape == wanted.shape
    assert found.dtype == np.uint8
    gap = np.abs(found.astype(int) - wanted)
    assert gap.mean() < 1.5  # colour is not interpolated between its pixels
    assert np.percentile(gap, 99) < 12
