"""What the pages show is true: every block is run, in the order of its page, on generated media.

What cannot run is in the short tables of `pages.commands` and below, and is read as far as it goes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from page_blocks import PAGES, ROOT, Block, blocks, furnish
from pages.commands import CANNOT_RUN, STAYING, Shell, extras, missing, read, reason_of
from pages.documents import SHOWN, check_json, check_text, check_toml, check_yaml

PYTHON_CANNOT_RUN = {
    "cuda_graphs": "a GPU",
    "Pose2Sim": "Pose2Sim and calibrated cameras (tests/formats/test_pose2sim.py runs it)",
}
DOCUMENTS: dict[str, Callable[[Block, Path], None]] = {
    "yaml": check_yaml,
    "json": check_json,
    "toml": check_toml,
    "text": check_text,
}
ELSEWHERE = ("docs/train-your-own.md",)
"""tests/end_to_end runs it whole."""

ALL = [block for page in PAGES for block in blocks(page) if block.page not in ELSEWHERE]


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
    for name in ("serve.yaml", "one-stream.yaml"):
        (folder / name).write_text(daemon)
    (folder / "token").write_text("a-token-that-is-long-enough\n")
    run = "detector: {interval: 10}\n"
    (folder / "my.yaml").write_text(daemon if page == "docs/serve.md" else run)
    for block in blocks(ROOT / page):
        if named := re.match(r"# (\w[\w.-]*\.\w+)\n", block.text):
            (folder / named[1]).write_text(block.text)


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_of_a_page_is_true(
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
    # What a cluster tells a shard of itself.
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    if block.language == "python":
        _run_python(block, names)
    elif block.language == "sh":
        _run_lines(block, folder, capsys)
    else:
        assert block.language in DOCUMENTS, f"{block}: no way is known here to try such a block"
        DOCUMENTS[block.language](block, folder)


def _run_python(block: Block, names: dict[str, Any]) -> None:
    code = compile(block.text, str(block), "exec")
    if reason := reason_of(block.text, PYTHON_CANNOT_RUN) or missing(block.text):
        pytest.skip(f"compiled, not run: needs {reason}")
    exec(code, names)


def _run_lines(block: Block, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Shell(folder, config=_served(block)) as shell:
        for line in block.lines:
            shell.line(line, capsys)
    if not shell.ran:
        pytest.skip(f"read, not run: needs {shell.needed[0]}")


def _served(block: Block) -> str | None:
    """The file of the last daemon that the page starts before this block."""
    before = [each for each in blocks(ROOT / block.page) if each.line < block.line]
    files = [re.findall(r"^posetrack serve (\S+)", each.text, re.MULTILINE) for each in before]
    return next((name for found in reversed(files) for name in reversed(found)), None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("posetrack run video.mp4 --no-such", "--no-such"),
        ("posetrack run video.mp4 --pose rtmpose-q", "no model named"),
        ("pip install posetrack[nothing]", "nothing"),
        ("pip install something", "who has that package"),
        ("python benchmarks/batch.py --no-such", "has no --no-such"),
        ("wget http://127.0.0.1/", "no way is known"),
    ],
)
def test_a_wrong_line_in_a_page_is_found(line: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        read(line)


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("yaml", "task: pose\nmodel: {}\ndata: {}\n", "name is missing"),
        ("yaml", "streams: [{id: a, url: a.mp4, detektor: {}}]\n", "detektor"),
        ("yaml", "something: else\n", "what is this"),
        ("json", '{"a": 1}\n', "what writes this"),
        ("text", "a new drawing\n", "README.md a"),
    ],
)
def test_a_wrong_document_in_a_page_is_found(
    language: str, text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=said):
        DOCUMENTS[language](Block("README.md", 1, language, text), tmp_path)


def test_blocks_are_found_fenced_and_indented() -> None:
    fences = sum(page.read_text("utf-8").count("\n```\n") for page in PAGES)
    fenced = [b for page in PAGES for b in blocks(page) if not _indented(b)]
    assert len(fenced) == fences
    assert {"README.md", "docs/outputs.md"} <= {block.page for block in ALL if _indented(block)}
    assert {block.language for block in ALL} == {"sh", "python", *DOCUMENTS}


def _indented(block: Block) -> bool:
    line = (ROOT / block.page).read_text("utf-8").splitlines()[block.line - 1]
    return line.startswith("    ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_says_within_a_line_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    for named in re.findall(r"posetrack\[([\w,]+)\]", text):
        extras(named)
    targets = set(re.findall(r"^FROM .* AS (\w+)$", _file("Dockerfile"), re.MULTILINE))
    assert set(re.findall(r"docker build --target (\w+)", text)) <= targets
    rules = set(re.findall(r"^([\w-]+):", _file("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)`", text)) <= rules


def _file(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _unused(table: dict[str, Any], texts: list[str]) -> Iterator[str]:
    return (what for what in table if not any(re.search(what, text) for text in texts))


def test_every_excuse_is_needed() -> None:
    lines = [line for block in ALL for line in block.lines if block.language == "sh"]
    assert list(_unused(CANNOT_RUN, lines)) == []
    assert list(_unused(PYTHON_CANNOT_RUN, [b.text for b in ALL if b.language == "python"])) == []
    shown = {f"{b.page} {b.text.split()[0]}" for b in ALL if b.language == "text"}
    assert set(SHOWN) <= shown
    assert all(any(f"posetrack {name}" in line for line in lines) for name in STAYING)
