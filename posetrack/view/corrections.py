"""The edits of a session: applied one after another, taken back, made again, saved."""

from __future__ import annotations

from pathlib import Path
from threading import RLock
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from posetrack.errors import ConfigError
from posetrack.records import Recording
from posetrack.revision import edits


class _Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Merge(_Edit):
    """The others become part of one."""

    op: Literal["merge"]
    into: int
    others: list[int] = Field(min_length=1)

    def of(self, recording: Recording) -> Recording:
        """The recording with it."""
        return edits.merge(recording, self.into, self.others)

    def __str__(self) -> str:
        return f"merge {', '.join(map(str, self.others))} into {self.into}"


class Swap(_Edit):
    """Two ids are exchanged from a frame on."""

    op: Literal["swap"]
    a: int
    b: int
    frame: int

    def of(self, recording: Recording) -> Recording:
        """The recording with it."""
        return edits.swap(recording, self.a, self.b, self.frame)

    def __str__(self) -> str:
        return f"swap {self.a} and {self.b} from frame {self.frame}"


class Cut(_Edit):
    """A track has a new id from a frame on."""

    op: Literal["cut"]
    track: int
    frame: int

    def of(self, recording: Recording) -> Recording:
        """The recording with it."""
        return edits.cut(recording, self.track, self.frame)[0]

    def __str__(self) -> str:
        return f"split {self.track} at frame {self.frame}"


class Delete(_Edit):
    """Tracks that are nobody's."""

    op: Literal["delete"]
    tracks: list[int] = Field(min_length=1)

    def of(self, recording: Recording) -> Recording:
        """The recording with it."""
        return edits.delete(recording, self.tracks)

    def __str__(self) -> str:
        return f"delete {', '.join(map(str, self.tracks))}"


class Renumber(_Edit):
    """A track has another id."""

    op: Literal["renumber"]
    track: int
    to: int = Field(lt=2**53)  # the largest a page counts exactly

    def of(self, recording: Recording) -> Recording:
        """The recording with it."""
        return edits.renumber(recording, self.track, self.to)

    def __str__(self) -> str:
        return f"renumber {self.track} to {self.to}"


class Name(_Edit):
    """A person has a name."""

    op: Literal["name"]
    track: int
    name: str

    def of(self, recording: Recording) -> Recording:
        """The recording with it."""
        return edits.name(recording, self.track, self.name)

    def __str__(self) -> str:
        return f"name {self.track} {self.name}" if self.name else f"take the name of {self.track}"


Edit: TypeAlias = Annotated[
    Merge | Swap | Cut | Delete | Renumber | Name, Field(discriminator="op")
]


class Corrections:
    """A recording and what was changed in it. Any thread may call.

    Edits are kept, not recordings: what is taken back is made anew from the original, so that a
    long session needs no more memory than a short one.

    Args:
        original: as it was read.
        target: where it is saved.
    """

    def __init__(self, original: Recording, target: Path) -> None:
        self.original, self.target = original, target
        self._now = original
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        self._saved: list[Edit] = []
        self._version = 0
        self._lock = RLock()

    @property
    def recording(self) -> Recording:
        """As it is now."""
        return self._now

    @property
    def version(self) -> int:
        """Another one after each change."""
        return self._version

    @property
    def is_saved(self) -> bool:
        """Whether the file, or the original, is what is shown."""
        return self._done == self._saved

    def history(self) -> tuple[list[str], list[str]]:
        """In words: what was done, the oldest first, and what was taken back, the next first."""
        with self._lock:
            return [str(each) for each in self._done], [str(e) for e in reversed(self._undone)]

    def make(self, edit: Edit) -> None:
        """Change it. Raises ConfigError where that makes no sense; nothing is then changed."""
        with self._lock:
            self._now = edit.of(self._now)
            self._done.append(edit)
            self._undone.clear()
            self._version += 1

    def undo(self) -> None:
        """Take the last edit back. Raises ConfigError where there is none."""
        with self._lock:
            if not self._done:
                raise ConfigError("there is nothing to take back")
            before = self.original
            for edit in self._done[:-1]:
                before = edit.of(before)
            self._undone.append(self._done.pop())
            self._now = before
            self._version += 1

    def redo(self) -> None:
        """Make the edit again that was taken back last. Raises ConfigError where there is none."""
        with self._lock:
            if not self._undone:
                raise ConfigError("there is nothing to make again")
            self._now = self._undone[-1].of(self._now)
            self._done.append(self._undone.pop())
            self._version += 1

    def save(self) -> Path:
        """Write it beside the original, which stays. Raises SinkError."""
        with self._lock:
            self._now.write(self.target)
            self._saved = list(self._done)
            return self.target


def target_of(file: Path, output: Path | None) -> Path:
    """Where a correction of `file` goes: ``NAME.edited.jsonl``, or the next number of it.

    Raises:
        ConfigError: the output is the original itself.
    """
    if output is not None:
        if output.exists() and output.samefile(file):
            raise ConfigError(f"-o {output} is the original, which stays: name another file")
        return output
    stem = file.stem.removesuffix(".edited")
    number = 1
    while True:
        end = "" if number == 1 else f"-{number}"
        target = file.with_name(f"{stem}.edited{end}{file.suffix}")
        if not target.exists():
            return target
        number += 1
