"""Which videos a batch has, what their outputs are named, and whose share they are."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from posetrack.errors import ConfigError, SourceError, SourceNotFound
from posetrack.media.source import is_live, natural_order, redact

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".gif", ".h264", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mkv"}
    | {".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)
"""What folders and patterns are searched for; lists and arguments may name any file."""

LISTS = frozenset({".txt", ".list", ".lst"})


@dataclass(frozen=True, slots=True)
class Video:
    """A video of a batch.

    Attributes:
        path: absolute.
        name: what its outputs begin with, relative to the folder of all outputs.
    """

    path: Path
    name: Path


def find_videos(
    words: Sequence[str], *, root: Path | None = None, out: Path | None = None
) -> list[Video]:
    """Every video that `words` mean, each once.

    A word is a video, a folder (searched to its bottom), a pattern (``**`` too), or a list: a text
    file with such a word a line, ``-`` for standard input. Folders and patterns give what they hold
    in natural order, without outputs of earlier runs; lists keep theirs.

    Outputs are named after the place of a video below `root`: by default the innermost folder that
    holds all that was named. Of ``x.mov`` and ``x.mp4`` in one folder, each keeps its suffix.

    Raises:
        SourceNotFound: a list, pattern or folder that is not there. A video that is not there is
            no error here: it fails alone.
        SourceError: a folder or pattern without a video.
        ConfigError: something live, or a video outside `root`.
    """
    found: dict[Path, None] = {}
    roots: list[str] = []
    for word in words:
        for base, path in _expand(word, out):
            found.setdefault(path)
            roots.append(str(base))
    if not found:
        raise SourceNotFound("no video named: give videos, a folder, a quoted pattern or a list")
    if root is None:
        root = _common(roots)
    return _named(found, Path(os.path.abspath(root)))  # noqa: PTH100 - links stay as they are


def share(videos: Sequence[Video], shard: str) -> list[Video]:
    """Those of shard ``i/n``: the i-th (from 1), and every n-th after it.

    By position, so that shares are even; every shard must be given the same list.

    Raises:
        ConfigError: it is not of that form.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", shard.strip())
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count:
        raise ConfigError(f"--shard {shard}: give i/n with i from 1 to n, such as 1/4")
    return list(videos[number - 1 :: count])


def _expand(word: str, out: Path | None) -> Iterator[tuple[Path, Path]]:
    """(folder that names are relative to, video) of all that a word means."""
    path = _absolute(word)
    if word == "-":
        yield from _from_list(sys.stdin.read().splitlines(), out)
    elif is_live(word):
        raise ConfigError(
            f"{redact(word)} is live and has no end: `posetrack webcam` is for cameras"
        )
    elif path.is_dir():
        inside = path.rglob("*")
        yield from ((path, video) for video in _videos(inside, out, f"folder {word}"))
    elif glob.has_magic(word) and not path.exists():
        matches = [_absolute(match) for match in glob.glob(word, recursive=True)]  # noqa: PTH207 - absolute too
        if not matches:
            raise SourceNotFound(f"pattern {word} matches nothing: check it, and quote it")
        fixed = _fixed_part(word)
        yield from ((fixed, video) for video in _videos(matches, out, f"pattern {word}"))
    elif path.suffix.lower() in LISTS:
        yield from _from_list(_lines(path), out)
    else:
        yield path.parent, path


def _from_list(lines: Iterable[str], out: Path | None) -> Iterator[tuple[Path, Path]]:
    for line in lines:
        word = line.strip()
        if word and not word.startswith("#"):
            if _absolute(word).suffix.lower() in LISTS or word == "-":
                raise ConfigError(f"{word}: a list within a list; name both on the command line")
            yield from _expand(word, out)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise SourceNotFound(f"no such list: {path}; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"list {path} cannot be read: {error}") from error


def _videos(paths: Iterable[Path], out: Path | None, where: str) -> list[Path]:
    """The videos among `paths` that are no outputs of ours."""
    excluded = None if out is None else _absolute(out)
    found = [
        path
        for path in paths
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not path.name.startswith(".")
        and ".posetrack." not in path.name
        and (excluded is None or excluded not in path.parents)
        and path.is_file()
    ]
    if not found:
        raise SourceError(f"{where} has no video (.mp4, .mov, ...): name other files in a list")
    return sorted(found, key=natural_order)


def _fixed_part(pattern: str) -> Path:
    """The folder of a pattern before its first wildcard."""
    parts = Path(pattern).parts[:-1]
    plain = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return _absolute(Path(*parts[:plain]))


def _common(folders: Sequence[str]) -> Path:
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:  # on several drives
        raise ConfigError(
            "the videos have no folder in common: give --root, or two runs"
        ) from error


def _named(paths: Iterable[Path], root: Path) -> list[Video]:
    """The videos with a name each that no other has."""
    names: dict[Path, Path] = {}
    for path in paths:
        if not path.is_relative_to(root):
            raise ConfigError(f"{path} does not lie below --root {root}: choose a folder above it")
        relative = path.relative_to(root)
        names[path] = relative.with_name(path.stem)
    while True:
        held = Counter(names.values())
        clashing = [p for p, name in names.items() if held[name] > 1 and name.name != p.name]
        if not clashing:
            return [Video(path, name) for path, name in names.items()]
        for path in clashing:
            names[path] = names[path].with_name(path.name)


def _absolute(path: str | Path) -> Path:
    # Not resolved: a video keeps the name it was given, whatever a link makes of it.
    return Path(os.path.abspath(path))  # noqa: PTH100
