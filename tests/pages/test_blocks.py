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
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import cv2
import httpx
import numpy as np
import pytest
import typer
from page_blocks import PAGES, ROOT, Block, blocks, furnish

from posetrack.cli.main import COMMANDS, main

CANNOT_RUN = {
    r"--device cuda|--backend trt|--to trt|runtime\.device=cuda": "a GPU",
    r"^webcam": "a camera, a stream or a screen",
    r"(--det|--pose|--init) (rtm|dwpose)|models pull": "the network",
    r"--pose (wholebody|body|hands|face|animal|3d|tiny|fast)": "the network",
    r"^train |\.pth": "hours of training, or what they leave (end_to_end tests train)",
    r"^bench": "minutes of measuring (tests/cli runs it)",
    r"^synth [a-z]": "half a minute of drawing (tests/test_synth.py draws)",
    r"h3wb": "somebody else's data",
    r"\$SLURM": "a cluster",
    r"^tracks space": "records of a 3D model, so the network",
}
"""What a command line matches that is read by the parser here and not run, and what it needs."""

PYTHON_CANNOT_RUN = {"cuda_graphs": "a GPU"}
OPTIONAL = {
    "openvino": "openvino",
    "ncnn": "ncnn",
    "dlc": "tables",
    "sleap": "h5py",
    "supervision": "supervision",
}
"""Word of a block -> package that may be missing; the extra that has it is named there."""

STAYING = {
    "serve": (["--port", "0"], "/healthz"),
    "view": (["--port", "0", "--no-browser"], ""),
}
"""Command that runs until it is told to end -> further flags, and what is asked of it."""

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
    block: Block,
    furnished: Path,
    folder_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, names = folder_of(block.page)
    for records in furnished.glob("*.jsonl"):  # what a block before has tracked anew
        shutil.copy(records, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("POSETRACK_MODELS", str(folder / "cache"))
    monkeypatch.setenv("POSETRACK_BACKEND_THREADS", "1")
    if block.language == "python":
        if reason := _reason(block.text, PYTHON_CANNOT_RUN) or _missing(block.text):
            pytest.skip(f"needs {reason}")
        exec(compile(block.text, str(block), "exec"), names)
        return
    ran, reasons = 0, []
    for arguments in block.commands:
        line = " ".join(arguments)
        if "$" not in line:
            parsed(arguments)
        if reason := _reason(line, CANNOT_RUN) or _missing(line):
            reasons.append(reason)
            continue
        ran += 1
        if arguments[0] in STAYING and not {"--check", "--print-config"} & set(arguments):
            _answers(arguments)
            continue
        status = main(arguments)
        told = capsys.readouterr()
        assert status == 0, f"posetrack {line}\n{told.out}\n{told.err}"
    if not ran:
        pytest.skip(f"parsed, not run: needs {reasons[0]}")


def _reason(text: str, table: dict[str, str]) -> str | None:
    return next((reason for what, reason in table.items() if re.search(what, text)), None)


def _missing(text: str) -> str | None:
    """A package that the text is about and that is not installed."""
    wanted = [package for word, package in OPTIONAL.items() if re.search(rf"\b{word}\b", text)]
    return next((package for package in wanted if find_spec(package) is None), None)


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


def _answers(arguments: list[str]) -> None:
    """The command tells an address, answers there, and ends well when it is told to."""
    flags, path = STAYING[arguments[0]]
    command = [sys.executable, "-m", "posetrack", *arguments, *flags]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            address = process.stdout.readline().strip()
            assert httpx.get(urljoin(address, path), follow_redirects=True).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
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
