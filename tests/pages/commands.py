"""The lines of the pages' shell blocks: each is run, or read as far as it can be."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
import typer
import yaml
from daemons import TOKEN
from packaging.requirements import Requirement
from page_blocks import ROOT
from waiting import wait_until

from posetrack.cli.main import COMMANDS, main
from posetrack.training.recipe import read_recipe
from posetrack.zoo.aliases import models_of
from posetrack.zoo.catalog import entry

CANNOT_RUN = {
    r"^posetrack .*(--device cuda|--backend trt|--to trt)": "a GPU",
    r"^posetrack webcam": "a camera, a stream or a screen (tests/cli and tests/media have some)",
    r"^posetrack .*(--det|--pose) (rtm|dwpose)|models pull": "the network",
    r"^posetrack .*--pose (wholebody|body|hands|face|animal|3d|tiny|fast)": "the network",
    r"^posetrack train ": "hours: its recipe is read (tests/end_to_end trains)",
    r"^posetrack .*\.pth": "what hours of training leave (tests/end_to_end trains)",
    r"^posetrack bench": "minutes of measuring (tests/cli runs it)",
    r"^posetrack synth [a-z]": "half a minute of drawing (tests/test_synth.py draws)",
    r"^posetrack .*(h3wb|coco_wholebody|halpe)": "somebody else's data",
    r"^posetrack tracks space": "records of a 3D model, so the network",
    r"^python benchmarks/": "minutes of measuring: its file and options exist",
    r"^(\S*/)?pip (un)?install": "an environment to change: what it installs is known",
    r"^python3? -m venv|^\. ": "an environment of its own (`make wheel-test` makes one)",
    r"^sudo apt": "root on a board",
    r"^torchrun ": "several GPUs: what it starts is read",
    r"^git show": "the history of the project: the file is in it, where there is one",
    r"^make ": "the time of the whole suite: the target exists",
    r"^ffmpeg .*\| posetrack webcam": "FFmpeg's program and a stream (tests/media has stdin)",
}
"""What a line matches that is only read here, and what it would need to run."""

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

FOREIGN = {
    "torch",
    "pnnx",
    "schemathesis",
    "cuda-python",
    "opencv-python",
    "opencv-python-headless",
    *(f"onnxruntime{kind}" for kind in ("", "-gpu", "-openvino", "-directml")),
}
"""Packages that a page may tell to install though no extra has them."""

PLAIN = ("cp", "head", "export")
"""Programs whose lines a shell runs as they stand."""


@dataclass
class Shell:
    """One block's run: where it is, and the daemon that `curl` asks.

    Attributes:
        config: the file of the page's last `posetrack serve`, which `curl` starts where none runs.
        address: of the daemon that runs.
    """

    folder: Path
    config: str | None = None
    address: str | None = None
    needed: list[str] = field(default_factory=list)
    ran: int = 0
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(None, None, None)

    def line(self, line: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Run a line; one that cannot run is read, and what it needs is kept in `needed`.

        Raises:
            AssertionError: it fails, or it is of no kind that is known here.
        """
        read(line)
        if reason := reason_of(line, CANNOT_RUN) or missing(line):
            self.needed.append(reason)
            return
        self.ran += 1
        variables, words = split(line)
        if words[0] == "posetrack":
            self._posetrack(words[1:], variables, capsys)
        elif words[0] == "curl":
            self._curl(line)
        else:
            subprocess.run(["bash", "-ec", line], cwd=self.folder, check=True)

    def _posetrack(
        self, words: list[str], variables: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        if words[0] in STAYING and not {"--check", "--print-config"} & set(words):
            self._stop()
            self._start(words, variables)
            return
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            status = main(words)
        told = capsys.readouterr()
        assert status == 0, f"posetrack {' '.join(words)}\n{told.out}\n{told.err}"

    def _start(self, words: list[str], variables: dict[str, str]) -> None:
        flags, path = STAYING[words[0]]
        command = [sys.executable, "-m", "posetrack", *words, *flags]
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)} | variables
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, cwd=self.folder
        )
        self._running.callback(_ends_well, process)
        assert process.stdout
        self.address = process.stdout.readline().strip()
        if words[0] == "serve":
            port = urlsplit(self.address).port
            self.address = f"http://127.0.0.1:{port}"
        answer = httpx.get(urljoin(self.address, path), follow_redirects=True)
        assert answer.status_code == 200

    def _stop(self) -> None:
        self._running.close()
        self.address = None

    def _curl(self, line: str) -> None:
        """The line, at the daemon that runs here, once it has pictures."""
        if self.address is None:
            assert self.config, f"{line}: the page starts no daemon before"
            _add_stream(self.folder / self.config, line)
            self._start(["serve", self.config], {})
        assert self.address
        ready = urljoin(self.address, "/readyz")
        wait_until(lambda: httpx.get(ready).status_code == 200, "pictures come")
        asked = re.sub(r"(http://)?(localhost|SERVER|127\.0\.0\.1):8791", self.address, line)
        strict = asked.replace("curl ", "curl --fail --silent --show-error ", 1)
        subprocess.run(["bash", "-ec", strict], cwd=self.folder, check=True, capture_output=True)


def _ends_well(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(15) in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    finally:
        process.kill()
        assert process.stdout
        process.stdout.close()


def _add_stream(config: Path, line: str) -> None:
    """The stream that the line asks for, in a file that leaves its streams to the reader."""
    settings = yaml.safe_load(config.read_text("utf-8"))
    asked = re.search(r"/streams/(\w+)", line)
    if asked and not settings["streams"]:
        settings["streams"] = [{"id": asked[1], "url": "video.mp4"}]
        config.write_text(yaml.safe_dump(settings))


def split(line: str) -> tuple[dict[str, str], list[str]]:
    """The variables before a command, with a token for one that is left out, and its words."""
    words = shlex.split(os.path.expandvars(line))
    variables = {}
    while re.match(r"[A-Z_]+=", words[0]):
        name, value = words.pop(0).split("=", 1)
        variables[name] = TOKEN if value == "..." else value
    return variables, words


def read(line: str) -> None:
    """Check all of a line that can be known without running it.

    Raises:
        AssertionError, typer.Exit, PosetrackError: what it names does not exist.
    """
    _, words = split(line.split("|")[-1] if "| posetrack" in line else line)
    program = Path(words[0]).name
    if program == "posetrack" or "-m posetrack" in line:
        read_posetrack(words[words.index("posetrack") + 1 :])
    elif program == "pip":
        _read_pip(words)
    elif program in ("python", "python3") and words[1].endswith(".py"):
        _read_script(words[1:])
    elif program == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    elif program == "git":
        _read_git(words)
    else:
        known = program in (*PLAIN, "curl") or reason_of(line, CANNOT_RUN)
        assert known, f"no way is known here to run: {line}"


def read_posetrack(words: list[str]) -> None:
    """Command, options and kinds of values exist; so do models of the zoo and keys of a recipe."""
    name, *rest = words
    _parse(name, list(rest))
    for option, value in pairwise(rest):
        if option in ("--det", "--pose", "--init"):
            _known_model(value)
    if rest[0:1] == ["pull"] or rest[0:1] == ["info"]:
        for value in rest[1 : 2 if "--model-dir" in rest else None]:
            _known_model(value)
    if name == "train":
        sets = [value for option, value in pairwise(rest) if option == "--set"]
        read_recipe(Path(rest[0]), sets)


def _parse(name: str, rest: list[str]) -> None:
    if "--model-dir" in rest:  # `main` takes it anywhere, before the parser
        at = rest.index("--model-dir")
        del rest[at : at + 2]
    command: Any = typer.main.get_command(import_module(COMMANDS[name][0]).app)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    with contextlib.suppress(typer.Exit):  # --list and its like answer at once
        command.make_context(name, rest)


def _known_model(value: str) -> None:
    """An alias or a name of the zoo; a path, `my-...` and `MODEL` are the reader's own."""
    for model in models_of(value):
        if not re.search(r"/|\.(pth|onnx)$|^(my|det|pose)(-|$)|^[A-Z_]+$", model):
            entry(model)


@cache
def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def extras(named: str) -> set[str]:
    """The extras in `posetrack[a,b]`, each of which exists."""
    wanted = {extra for extra in named.split(",") if extra}
    assert wanted <= set(_project()["optional-dependencies"]), named
    return wanted


def _read_pip(words: list[str]) -> None:
    """What is to be installed is this package, one of its dependencies, or known here."""
    for word in words[2:]:
        if word.startswith("-") or word == ".":
            continue
        wanted = Requirement(re.sub(r"^\.\[", "posetrack[", word))
        if wanted.name == "posetrack":
            extras(",".join(wanted.extras))
        else:
            assert wanted.name in FOREIGN, f"pip install {word}: who has that package?"


def _read_script(words: list[str]) -> None:
    """The script, its options and the files of the project that it is given exist."""
    script = ROOT / words[0]
    text = script.read_text("utf-8")
    for module in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE):
        if (beside := script.with_name(f"{module}.py")).is_file():  # they share options
            text += beside.read_text("utf-8")
    for word in words[1:]:
        if word.startswith("--"):
            assert f'"{word}"' in text, f"{words[0]} has no {word}"
        elif word.startswith(("configs/", "benchmarks/")):
            assert (ROOT / word).is_file(), word


def _read_git(words: list[str]) -> None:
    if (ROOT / ".git").exists() and shutil.which("git"):
        known = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", words[2]], check=False)
        shallow = ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"]
        assert known.returncode == 0 or b"true" in subprocess.check_output(shallow), words[2]


def reason_of(text: str, table: dict[str, str]) -> str | None:
    """Why a text is not run."""
    return next((reason for what, reason in table.items() if re.search(what, text)), None)


def missing(text: str) -> str | None:
    """A package that the text is about and that is not installed."""
    return next(_missing(text), None)


def _missing(text: str) -> Iterator[str]:
    for word, package in OPTIONAL.items():
        if re.search(rf"\b{word}\b", text) and find_spec(package) is None:
            yield package
