"""The manifest of a batch: a line of JSON for each attempt at a video, only ever appended.

    {"status":"done","input":"/videos/a/x.mp4","bytes":1842699,"modified":1764099.5,"name":"a/x",
     "settings":"5f1c...","attempt":1,"frames":247,"people_max":1,"ids":1,"wall_s":4.21,
     "outputs":["a/x.posetrack.mp4","a/x.posetrack.jsonl"],"warnings":[],"worker":"host:71",
     "at":"2026-01-31T12:00:00Z"}
    {"status":"failed","input":...,"error":"/videos/a/y.mp4 is empty (0 bytes): nothing to read"}

A line reaches the disk before the next video is begun in its place; one that a crash cut off is
skipped by the reader. The last line about a video counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from posetrack import __version__
from posetrack.batch.inputs import Video
from posetrack.batch.unit import Outcome
from posetrack.errors import ConfigError
from posetrack.media.part import write_failure
from posetrack.media.source import ClosesItself

Entry = dict[str, Any]


def fingerprint(settings: str, digests: Sequence[str]) -> str:
    """16 hex digits that differ where results may: settings, files they name, and version."""
    text = "\n".join([__version__, settings, *digests])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def manifest_name(shard: str | None) -> str:
    """One file a shard: two machines cannot append to one file of a shared disk."""
    return "manifest.jsonl" if shard is None else f"manifest-{shard.replace('/', '-of-')}.jsonl"


class Manifest(ClosesItself):
    """The manifest of one process, open for appending.

    Raises:
        ConfigError: another process has it open.
        SinkError: it cannot be written.
    """

    def __init__(self, folder: Path, shard: str | None = None) -> None:
        self.path = folder / manifest_name(shard)
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise write_failure(self.path, error) from error
        self._lock()
        self._end_a_cut_line()

    def begin(self, settings: str, config: Mapping[str, Any], videos: int) -> None:
        """Say what the fingerprint `settings` of the lines that follow stands for."""
        self._append(
            {
                "status": "begun",
                "settings": settings,
                "version": __version__,
                "videos": videos,
                "config": dict(config),
            }
        )

    def add(self, video: Video, outcome: Outcome, *, settings: str, attempt: int) -> None:
        """One more attempt at a video."""
        said: Entry = {"status": "failed" if outcome.error else "done", "input": str(video.path)}
        said |= {**input_facts(video.path), "name": video.name.as_posix(), "settings": settings}
        said["attempt"] = attempt
        if outcome.error:
            said["error"] = outcome.error
        else:
            said |= {
                "frames": outcome.frames,
                "people_max": outcome.people_max,
                "ids": outcome.ids,
                "outputs": [os.path.relpath(path, self._folder) for path in outcome.outputs],
                "warnings": list(outcome.warnings),
            }
        self._append(said | {"wall_s": round(outcome.wall_s, 3), "worker": outcome.worker})

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self._file.close()

    def _append(self, entry: Entry) -> None:
        entry["at"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = json.dumps(entry, separators=(",", ":"), ensure_ascii=False) + "\n"
        try:
            self._file.write(line.encode("utf-8", "surrogateescape"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise write_failure(self.path, error) from error

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise ConfigError(
                f"another batch is writing {self.path}: wait for it, or give another -o or --shard"
            ) from error
        except OSError:  # a disk without locks
            return

    def _end_a_cut_line(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        if size:
            self._file.seek(size - 1)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")


def read_manifests(folder: Path) -> list[Entry]:
    """Every whole line about a video of every manifest in `folder`, oldest first."""
    entries = [entry for path in folder.glob("manifest*.jsonl") for entry in _read(path)]
    return sorted(entries, key=lambda entry: str(entry.get("at", "")))


def not_yet_done(
    videos: Sequence[Video], entries: Sequence[Entry], folder: Path, *, settings: str
) -> list[Video]:
    """Those whose last attempt did not succeed with these settings on this very file.

    A video also counts as not done where an output of its is missing.
    """
    last = {entry["input"]: entry for entry in entries}

    def is_done(video: Video) -> bool:
        entry = last.get(str(video.path), {})
        return (
            entry.get("status") == "done"
            and entry.get("settings") == settings
            and all(entry.get(key) == value for key, value in input_facts(video.path).items())
            and all((folder / output).exists() for output in entry.get("outputs", ()))
        )

    return [video for video in videos if not is_done(video)]


def check_names(videos: Sequence[Video], entries: Sequence[Entry], folder: Path) -> None:
    """Refuse to write over the outputs of another video.

    Raises:
        ConfigError: a name that an earlier batch into `folder` gave to a file that still exists.
    """
    owners = {entry["name"]: entry["input"] for entry in entries if entry["status"] == "done"}
    for video in videos:
        owner = owners.get(video.name.as_posix())
        if owner is not None and owner != str(video.path) and Path(owner).exists():
            raise ConfigError(
                f"{folder / video.name}.posetrack.* is of {owner}, and {video.path} would replace "
                "it: give another -o, or a --root that tells them apart"
            )


def input_facts(path: Path) -> Entry:
    """Size and time of a file: what tells whether it is still the same."""
    with suppress(OSError):
        stat = path.stat()
        return {"bytes": stat.st_size, "modified": round(stat.st_mtime, 3)}
    return {}


def _read(path: Path) -> Iterator[Entry]:
    # File names are bytes, and not all of them are UTF-8.
    for line in path.read_text("utf-8", "surrogateescape").split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:  # cut off by a crash
            continue
        if isinstance(entry, dict) and {"input", "name", "status"} <= entry.keys():
            yield entry
