"""The example clients, each with its own toolchain, against the daemon."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import TOKEN, RunningDaemon, running, settings
from tiny_models import Models

CLIENTS = Path(__file__).parents[2] / "docs/examples/clients"


@pytest.fixture(scope="module")
def daemon(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("daemon")
    data = settings(models, folder / "media", 1)
    with running(data, folder / "run", environment={"POSETRACK_TOKEN": TOKEN}) as made:
        made.wait_running("s0")
        yield made


def needs(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed")
    return found


def said(command: list[str], token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "POSETRACK_TOKEN"}
    if token is not None:
        environment["POSETRACK_TOKEN"] = token
    return subprocess.run(
        command, capture_output=True, text=True, timeout=50, check=False, env=environment
    )


def check(command: list[str]) -> None:
    """Five frames come in order, with one person in each; without the token nothing does."""
    done = said(command)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found = [re.fullmatch(r"frame (\d+): 1 people, ids 1", line) for line in lines]
    assert len(lines) == 5
    assert all(found), lines
    frames = [int(each[1]) for each in found if each]
    assert frames == sorted(set(frames))
    refused = said(command, token=None)
    assert "frame" not in refused.stdout
    assert "401" in refused.stderr or refused.returncode != 0


def test_python(daemon: RunningDaemon) -> None:
    check([sys.executable, str(CLIENTS / "client.py"), daemon.address, "s0", "5"])


def test_javascript(daemon: RunningDaemon) -> None:
    check([needs("node"), str(CLIENTS / "client.mjs"), daemon.address, "s0", "5"])


def test_cpp(daemon: RunningDaemon, tmp_path: Path) -> None:
    program = tmp_path / "client"
    subprocess.run(
        [needs("g++"), "-std=c++17", "-Wall", "-o", str(program), str(CLIENTS / "client.cpp")],
        check=True,
    )
    host, port = daemon.address.removeprefix("http://").split(":")
    check([str(program), host, port, "s0", "5"])


def test_java(daemon: RunningDaemon, tmp_path: Path) -> None:
    subprocess.run([needs("javac"), "-d", str(tmp_path), str(CLIENTS / "Client.java")], check=True)
    check([needs("java"), "-cp", str(tmp_path), "Client", daemon.address, "s0", "5"])


def test_csharp(daemon: RunningDaemon, tmp_path: Path) -> None:
    dotnet = needs("dotnet")
    subprocess.run([dotnet, "new", "console", "-o", str(tmp_path)], check=True)
    shutil.copy(CLIENTS / "Client.cs", tmp_path / "Program.cs")
    check([dotnet, "run", "--project", str(tmp_path), "--", daemon.address, "s0", "5"])
