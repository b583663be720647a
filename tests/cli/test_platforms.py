"""The main job on a system without POSIX calls, as Windows is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clips import make_clip

WITHOUT_POSIX = """
import asyncio, multiprocessing, os, signal, ssl, subprocess, sys, tempfile, urllib.request
import av, cv2, numpy, onnxruntime, rich.console, scipy.optimize, typer, yaml

# What the modules of Python itself use they have looked up by now, but for these.
keep = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND"}
posix_only = '''
    fork forkpty getuid geteuid getgid getegid getpgid getpgrp getsid setsid setpgid killpg pread
    pwrite preadv pwritev readv writev getpriority setpriority nice sched_getaffinity
    sched_setaffinity sched_yield getloadavg uname mkfifo mknod chown fchown chroot statvfs fstatvfs
    sync sysconf posix_spawn wait3 wait4 ttyname openpty sendfile memfd_create eventfd pipe2
'''.split()
flags = {name for name in dir(os) if name.startswith("O_")} - keep
for name in [*posix_only, *flags]:
    if hasattr(os, name):
        delattr(os, name)
for name in "SIGHUP SIGKILL SIGUSR1 SIGUSR2 SIGALRM SIGPIPE SIGCHLD SIGQUIT".split():
    delattr(signal, name)
for name in "pthread_sigmask pthread_kill alarm setitimer sigwait siginterrupt".split():
    delattr(signal, name)
for name in "fcntl resource termios tty pty pwd grp".split():
    sys.modules[name] = None

def kill(pid, number):
    raise AssertionError(f"os.kill({pid}, {number}) ends a process on Windows")

os.kill = kill
sys.platform = "win32"
from posetrack.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def without_posix(*args: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, *map(str, args)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )


def test_a_file_is_tracked_without_posix_calls(models, tmp_path: Path) -> None:
    make_clip(tmp_path / "walk.mp4", frames=6)
    done = without_posix("run", "walk.mp4", *models.flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "walk.posetrack.mp4").stat().st_size > 1000
    assert len((tmp_path / "walk.posetrack.jsonl").read_text("utf-8").splitlines()) == 7


def test_doctor_answers_without_posix_calls(tmp_path: Path) -> None:
    done = without_posix("doctor", folder=tmp_path)
    assert "Traceback" not in done.stderr, done.stderr
    assert "onnxruntime" in done.stdout


def test_quitting_a_window_is_no_call_that_ends_the_process_on_windows() -> None:
    code = (
        "import signal\n"
        "from posetrack.cli.session import Quit\n"
        "seen = []\n"
        "signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))\n"
        "quit_ = Quit(); quit_(); quit_()\n"
        "assert seen == [signal.SIGINT], seen\n"
    )
    guarded = WITHOUT_POSIX.replace("sys.exit(main(sys.argv[1:]))", code)
    subprocess.run([sys.executable, "-c", guarded], check=True, timeout=50)
