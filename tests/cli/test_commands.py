"""webcam, demo, bench, models and doctor, with tiny models and a local file server."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import pytest
from clips import make_clip

from posetrack.cli import doctor
from posetrack.errors import BackendError

Run = Callable[..., "Outcome"]  # noqa: F821


def test_webcam_records_what_it_sees_without_a_window(command: Run, models, tmp_path: Path) -> None:
    make_clip(tmp_path / "cam.mp4", frames=5)
    done = command("webcam", "cam.mp4", *models.flags, "--no-show", "--json", "cam.jsonl")
    assert done.status == 0, done.err
    assert len((tmp_path / "cam.jsonl").read_text().splitlines()) == 6
    assert {path.name for path in tmp_path.iterdir()} == {"cam.mp4", "cam.jsonl"}


def test_webcam_that_would_do_nothing_says_so(command: Run, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = command("webcam", "0")
    assert done.status == 2
    assert "no window, there is no display (DISPLAY is not set): keep what is seen" in done.err
    assert "--output or --json" in done.err


def test_webcam_without_a_camera_is_one_line(command: Run, models) -> None:
    done = command("webcam", "87", *models.flags, "--json", "a.jsonl", "--no-show")
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert "87" in done.err


def test_demo_makes_a_clip_and_tracks_it(command: Run, models, tmp_path: Path) -> None:
    done = command("demo", *models.flags, "--seconds", 0.4, "-o", "out")
    assert done.status == 0, done.err
    names = {"demo.mp4", "demo.posetrack.mp4", "demo.posetrack.jsonl"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert "wrote out/demo.posetrack.mp4" in done.out


def test_bench_measures_models_the_loop_and_its_floor(command: Run, models, tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=4)
    flags = ("--iterations", 3, "--clip", "a.mp4", "--backend", "ort", "--thread-counts", "1,2")
    done = command("bench", *models.flags, *flags, "--batches", "1,3", "--save", "out")
    assert done.status == 0, done.err
    for word in (
        "tiny-detector",
        "tiny-pose",
        "p99",
        "images/s",
        "whole loop, onnxruntime",
        "busy",
        "floor: decode",
    ):
        assert word in done.out
    saved = json.loads((tmp_path / "out/bench.json").read_text())
    rows = [(row["model"], row["threads"], row["batch"]) for row in saved["models"]]
    assert rows == [
        (name, threads, batch)
        for threads in (1, 2)
        for name, batch in (("tiny-detector", 1), ("tiny-pose", 1), ("tiny-pose", 3))
    ]
    floor = saved["loops"][0]["floor"]
    works = {work["name"]: work for work in floor["works"]}
    assert set(works) == {"decode", "detect", "pose", "draw", "encode"}
    assert works["detect"]["calls"] == 0.25  # one of four frames
    least = sum(work["calls"] * work["cpu_ms"] for work in works.values()) / floor["worth"]
    assert 1 <= floor["worth"] <= floor["cores"]
    assert floor["floor_ms"] == pytest.approx(least, rel=1e-3)
    picture = cv2.imread(str(tmp_path / "out/bench.png"))
    assert picture is not None
    assert picture.std() > 10


@pytest.mark.parametrize("numbers", ["0", "1,x", ""])
def test_bench_with_numbers_that_are_none_is_refused(command: Run, numbers: str) -> None:
    done = command("bench", "--batches", numbers)
    assert done.status == 2
    assert done.err == (
        f"posetrack: --batches {numbers}: give whole numbers from 1 on, such as 1,2,4\n"
    )


def test_bench_of_a_backend_that_is_not_here_is_one_line_and_exit_2(command: Run) -> None:
    done = command("bench", "--backend", "trt")
    assert done.status == 2
    assert done.err.startswith("posetrack: backend tensorrt asked, ")
    assert done.err.count("\n") == 1


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("served")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as s:
        thread = threading.Thread(target=s.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{s.server_port}", folder
        s.shutdown()
        thread.join()


@pytest.fixture
def zoo_of_one(models, server: tuple[str, Path], tmp_path: Path, monkeypatch) -> Path:
    """A zoo whose only model is the tiny detector, served from this machine; the cache folder."""
    from posetrack.zoo import catalog

    address, folder = server
    data = (models.det / "model.onnx").read_bytes()
    (folder / "far.onnx").write_bytes(data)
    card = (models.det / "card.yaml").read_text()
    cards = tmp_path / "configs" / "models"
    cards.mkdir(parents=True)
    digest = hashlib.sha256(data).hexdigest()
    files = f"files: [{{format: onnx, url: '{address}/far.onnx', sha256: {digest}}}]"
    lines = [line for line in card.splitlines() if not line.startswith("files")]
    lines = [line.replace("tiny-detector", "far-detector") for line in lines]
    (cards / "far.yaml").write_text("\n".join([*lines, files]))
    monkeypatch.setattr(catalog, "configs_dir", lambda: tmp_path / "configs")
    monkeypatch.setenv("POSETRACK_MODELS", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_models_are_listed_described_fetched_and_verified(command: Run, zoo_of_one: Path) -> None:
    assert "far-detector" in command("models", "list").out
    info = command("models", "info", "far-detector")
    assert "name: far-detector" in info.out
    assert "licence" in info.out
    assert command("models", "verify", "far-detector").status == 1
    pulled = command("models", "pull", "far-detector")
    assert pulled.status == 0, pulled.err
    (found,) = zoo_of_one.rglob("far.onnx")
    assert command("models", "verify").out.startswith("ok")
    found.write_bytes(b"something else")
    changed = command("models", "verify", "far-detector")
    assert changed.status == 1
    assert "WRONG" in changed.out


def test_an_unknown_model_names_the_nearest(command: Run, zoo_of_one: Path) -> None:
    done = command("models", "info", "far-detektor")
    assert done.status == 1
    assert "did you mean far-detector?" in done.err


def test_doctor_tries_every_backend_and_reports(command: Run) -> None:
    done = command("doctor")
    assert done.status in (0, 1)
    assert "a session ran on cpu" in done.out
    assert "H.264 encoder" in done.out
    assert ("BROKEN" in done.out) == (done.status == 1)


def test_doctor_names_two_packages_that_overwrite_each_other(monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: True)
    found = list(doctor._clashes())
    assert [finding.verdict for finding in found] == ["BROKEN", "BROKEN"]
    assert found[0].what == "onnxruntime + onnxruntime-gpu"
    assert "uninstall" in found[0].found


def test_doctor_explains_a_missing_system_library(monkeypatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(doctor, "import_module", fail)
    finding = doctor._import("cv2")
    assert finding.verdict == "BROKEN"
    assert "apt install libgl1" in finding.found


def test_doctor_calls_a_failed_session_broken(monkeypatch) -> None:
    import posetrack.backends

    def fail(*args: object, **options: object) -> None:
        raise BackendError("no session")

    monkeypatch.setattr(posetrack.backends, "open_backend", fail)
    found = {finding.what: finding for finding in doctor._backends()}
    assert found["backend onnxruntime"].verdict == "BROKEN"


def test_records_of_a_run_serve_as_boxes_of_another(command: Run, models, tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=3)
    assert command("run", "a.mp4", *models.flags, "--no-video").status == 0
    again = ["--boxes", "a.posetrack.jsonl", "--pose", models.pose, "--json", "b.jsonl"]
    assert command("run", "a.mp4", *again, "--no-video").status == 0
    last = json.loads((tmp_path / "b.jsonl").read_text().splitlines()[-1])
    assert len(last["people"]) == 1


def test_train_and_export_refuse_what_is_not_there(command: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = command("train", "none.yaml")
    assert done.status == 2
    assert "none.yaml" in done.err
    assert done.err.count("\n") == 1
    done = command("export", "none.pth", "-o", "out")
    assert done.status == 1
    assert done.err == "posetrack: checkpoint none.pth not found: check the path\n"


def test_training_without_torch_names_the_extra(command: Run, monkeypatch) -> None:
    from posetrack.cli import train

    monkeypatch.setattr(train, "find_spec", lambda name: None)
    done = command("train", "any.yaml")
    assert done.status == 2
    assert "pip install posetrack[train]" in done.err


def test_an_exported_checkpoint_runs_at_once(command: Run, models, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from posetrack import networks

    torch.manual_seed(0)
    network = networks.build("rtmpose-t", input_size=(192, 256), num_keypoints=17)
    torch.save({"state_dict": network.state_dict(), "meta": {}}, tmp_path / "pose.pth")
    exported = command("export", "pose.pth", "-o", "pose", "--half")
    assert exported.status == 0, exported.err
    assert "rtmpose-t" in exported.out
    make_clip(tmp_path / "a.mp4", frames=2)
    done = command("run", "a.mp4", "--det", models.det, "--pose", "pose", "--no-video")
    assert done.status == 0, done.err


def test_a_model_becomes_one_graph_that_runs(command: Run, models, tmp_path: Path) -> None:
    done = command("export", str(models.pose), "-o", "one", "--fold", "all", "--name", "mine")
    assert done.status == 0, done.err
    assert "wrote one: mine, pose, onnx fp32" in done.out
    assert "0.00 px, mean OKS 1.0000" in done.out
    make_clip(tmp_path / "a.mp4", frames=2)
    done = command("run", "a.mp4", "--det", models.det, "--pose", "one", "--no-video")
    assert done.status == 0, done.err


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--half"], "--half is for checkpoints"),
        (["--precision", "int8"], "needs --calibrate DATA"),
        (["--nms"], "it has no NMS: drop --nms"),
    ],
)
def test_an_export_that_makes_no_sense_is_refused(
    flags: list[str], text: str, command: Run, models
) -> None:
    done = command("export", str(models.pose), "-o", "one", *flags)
    assert done.status == 2
    assert text in done.err
    assert done.err.count("\n") == 1
