"""What the pages show runs: commands and Python, on generated media, in the order of each page."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from page_blocks import PAGES, ROOT, Block, blocks, furnish

from posetrack.cli.main import COMMANDS, main

CANNOT_RUN = {
    r"--device cuda|--backend trt|--to trt|runtime\.device=cuda": "a GPU",
    r"^webcam": "a camera, a stream or a screen",
    r"rtm(det|pose|w3d|w)-(t|s|m|l|x|nano)|dwpose|models pull": "the network",
    r"--pose (wholebody|body|hands|face|animal|3d|tiny|fast)": "the network",
    r"^train |\.pth": "hours of training, or what they leave (end_to_end tests train)",
    r"^bench": "minutes of measuring (tests/cli runs it)",
    r"^synth [a-z]|scenes/": "half a minute of drawing (tests/cli runs it)",
    r"h3wb": "somebody else's data",
    r"\$SLURM": "a cluster",
    r"^tracks space": "records of a 3D model, so the network",
}
"""What a command line matches that is read by the parser here and not run, and what it needs."""

PYTHON_CANNOT_RUN = {"cuda_graphs": "a GPU"}
OPTIONAL = {"openvino": "openvino", "ncnn": "ncnn", "rerun": "rerun", "nwb": "pynwb"}
"""Word of a command line -> package that may be missing."""
ELSEWHERE = ("docs/train-your-own.md",)
"""tests/end_to_end runs it whole."""

ALL = [
    block
    for page in PAGES
    for block in blocks(page)
    if block.page not in ELSEWHERE and (block.language == "python" or any(block.commands))
]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("furnished")
    furnish(folder)
    return folder


@pytest.fixture(scope="session")
def folder_of(
    furnished: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """A page's own copy of the folder, and what its Python has named so far."""
    known: dict[str, tuple[Path, dict[str, Any]]] = {}

    def folder_of(page: str) -> tuple[Path, dict[str, Any]]:
        if page not in known:
            folder = tmp_path_factory.mktemp(re.sub(r"\W", "-", page)) / "here"
            shutil.copytree(furnished, folder, symlinks=True)
            _write_files(page, folder)
            image = cv2.imread(str(folder / "photos" / "0.jpg"))
            boxes = np.array([[180, 40, 300, 250]], np.float32)
            known[page] = folder, {"image": image, "boxes": boxes, "t_s": 0.0, "__name__": "page"}
        return known[page]

    return folder_of


def _write_files(page: str, folder: Path) -> None:
    """The files that a page shows: a block whose first line is a comment with a name."""
    daemon = (ROOT / "configs" / "serve.yaml").read_text("utf-8")
    (folder / "serve.yaml").write_text(daemon)
    (folder / "token").write_text("a-token-that-is-long-enough\n")
    run = "detector: {interval: 10}\n"
    (folder / "my.yaml").write_text(daemon if page == "docs/serve.md" else run)
    for block in blocks(ROOT / page):
        if named := re.match(r"# (\S+\.\w+)\n", block.text):
            (folder / named[1]).write_text(block.text)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_of_a_page_runs(
    block: Block, folder_of: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder, names = folder_of(block.page)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("POSETRACK_MODELS", str(folder / "cache"))
    monkeypatch.setenv("POSETRACK_BACKEND_THREADS", "1")
    if block.language == "python":
        if not _reason(block.text, PYTHON_CANNOT_RUN):
            exec(compile(block.text, str(block), "exec"), names)
        return
    for arguments in block.commands:
        line = " ".join(arguments)
        if "$" not in line:
            parsed(arguments)
        if _reason(line, CANNOT_RUN) or _missing(line):
            continue
        if arguments[0] == "serve" and not {"--check", "--print-config"} & set(arguments):
            _serves(arguments)
            continue
        status = main(arguments)
        told = capsys.readouterr()
        assert status == 0, f"posetrack {line}\n{told.out}\n{told.err}"


def _reason(text: str, table: dict[str, str]) -> str | None:
    return next((reason for what, reason in table.items() if re.search(what, text)), None)


def _missing(line: str) -> bool:
    wanted = [package for word, package in OPTIONAL.items() if re.search(rf"\b{word}\b", line)]
    return any(not _there(package) for package in wanted)


def _there(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def parsed(arguments: list[str]) -> None:
    """The parser takes the line: command, options and the kinds of their values exist."""
    name, *rest = arguments
    if "--model-dir" in rest:  # `main` takes it anywhere, before the parser
        at = rest.index("--model-dir")
        del rest[at : at + 2]
    command: Any = typer.main.get_command(import_module(COMMANDS[name][0]).app)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    with contextlib.suppress(typer.Exit):  # --list and its like answer at once
        command.make_context(name, rest)


def _serves(arguments: list[str]) -> None:
    """The daemon answers and ends when it is told to."""
    command = [sys.executable, "-m", "posetrack", *arguments, "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            assert process.stdout.readline().startswith("http")
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()


def test_a_wrong_option_in_a_page_is_found(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="--no-such"):
        parsed(["run", "video.mp4", "--no-such"])


def test_blocks_are_found_fenced_and_indented() -> None:
    assert {"README.md", "docs/outputs.md", "docs/batch.md"} <= {block.page for block in ALL}
    kinds = {block.language for block in ALL}
    assert kinds >= {"", "sh", "python"}


def _unused(table: dict[str, str], texts: list[str]) -> Iterator[str]:
    return (what for what in table if not any(re.search(what, text) for text in texts))


def test_every_excuse_is_needed() -> None:
    lines = [" ".join(arguments) for block in ALL for arguments in block.commands]
    assert list(_unused(CANNOT_RUN, lines)) == []
    assert list(_unused(PYTHON_CANNOT_RUN, [b.text for b in ALL if b.language == "python"])) == []
