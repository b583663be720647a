"""`posetrack models` with a zoo of its own on a local server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import graphs
import pytest
from file_server import Files, serving

from posetrack.zoo import catalog, download

Run = Callable[..., "Outcome"]  # noqa: F821
CARD = """name: {name}
task: pose
architecture: rtmpose-t
skeleton: coco
input: {{size: [192, 256], color: rgb, mean: [0, 0, 0], std: [1, 1, 1]}}
files:
  - {{format: onnx, url: '{url}'{more}}}
"""


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a card: zoo(name, url, more)."""
    cards = tmp_path / "configs" / "models"
    cards.mkdir(parents=True)
    monkeypatch.setattr(catalog, "configs_dir", lambda: cards.parent)
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    monkeypatch.setenv("POSETRACK_MODELS", str(tmp_path / "cache"))

    def add(name: str, url: str, more: str = "") -> None:
        (cards / f"{name}.yaml").write_text(CARD.format(name=name, url=url, more=more))

    return add


def test_all_are_pulled_and_each_that_was_not_is_told(
    command: Run, zoo: Callable[..., None], tmp_path: Path
) -> None:
    graph = graphs.brightest_pixel(tmp_path / "m.onnx").read_bytes()
    sha = f", sha256: {hashlib.sha256(graph).hexdigest()}"
    cut = {"/cut.onnx": 100}
    content = {"/good.onnx": graph, "/cut.onnx": graph, "/corrupt.onnx": graph[:-1] + b"!"}
    with serving(Files(content, cut_first=cut)) as base:
        for name in ("good", "cut", "corrupt", "gone"):
            zoo(name, f"{base}/{name}.onnx", sha)
        zoo("unhashed", f"{base}/good.onnx")
        done = command("models", "pull", "--all")
        assert done.status == 1
        assert {line.partition(":")[0] for line in done.out.splitlines()} == {"good", "cut"}
        for told in (
            "corrupt.onnx does not match its digest",
            "gone.onnx could not be fetched: the server answers 404",
            "unhashed: ",
            "3 of 5 models were not fetched",
        ):
            assert told in done.err
        done = command("models", "pull", "unhashed", "--allow-unverified")
        assert done.status == 0, done.err
    assert (tmp_path / "cache" / "cut" / "cut.onnx").read_bytes() == graph


def test_the_folder_of_models_can_be_named_anywhere_on_the_command_line(
    command: Run, zoo: Callable[..., None], tmp_path: Path
) -> None:
    graph = graphs.brightest_pixel(tmp_path / "m.onnx").read_bytes()
    with serving(Files({"/good.onnx": graph})) as base:
        zoo("good", f"{base}/good.onnx", f", sha256: {hashlib.sha256(graph).hexdigest()}")
        done = command("models", "pull", "good", "--model-dir", tmp_path / "offline")
        assert done.status == 0, done.err
    kept = tmp_path / "offline" / "good" / "good.onnx"
    assert kept.read_bytes() == graph
    assert not (tmp_path / "cache").exists()
    done = command(f"--model-dir={tmp_path / 'offline'}", "models", "verify")
    assert done.status == 0, done.err
    assert str(kept) in done.out


def test_without_a_network_one_line_says_what_would_be_fetched(
    command: Run, zoo: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(Files({})) as base:
        pass  # nobody listens there any more
    for number in range(10):
        zoo(f"model-{number}", f"{base}/m{number}.onnx", ", sha8: '01234567', bytes: 52000000")
    done = command("models", "pull", "model-3")
    assert done.status == 1
    (line,) = done.err.strip().splitlines()
    assert "/m3.onnx (52 MB) could not be fetched: no connection" in line
    assert "put the file at" in line
    done = command("models", "pull", "--all")
    (line,) = done.err.strip().splitlines()
    assert "to be fetched were 10 models: model-0, model-1" in line
    assert line.endswith("and 2 more")


def test_the_aliases_are_listed_with_their_models(command: Run) -> None:
    done = command("models", "aliases")
    assert done.status == 0
    for word in ("wholebody", "balanced", "rtmw-x-384", "rtmpose-m-ap10k"):
        assert word in done.out


@pytest.mark.parametrize("words", [["pull"], ["pull", "good", "--all"]])
def test_pull_wants_names_or_all(command: Run, words: list[str]) -> None:
    done = command("models", *words)
    assert done.status == 2
    assert "name models, or ask for --all" in done.err
