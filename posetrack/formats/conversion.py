"""One recording, or what of it is wanted, to one format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.errors import BackendMissing, ConfigError
from posetrack.formats.table import FORMATS, Format
from posetrack.records import LOST, Recording


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a recording is written.

    Attributes:
        ids: of whom; None is everybody.
        min_score: keypoints below count as not found.
        raw: the keypoints before smoothing in place of the smoothed ones.
        observed: without people who were predicted or filled in (``lost``).
    """

    ids: tuple[int, ...] | None = None
    min_score: float = 0.0
    raw: bool = False
    observed: bool = False

    def of(self, recording: Recording) -> Recording:
        """That part of a recording; the frames stay. Raises ConfigError for an unknown id."""
        rows = recording.rows
        unknown = sorted(set(self.ids or ()) - set(recording.ids()))
        if unknown:
            known = ", ".join(map(str, recording.ids())) or "none"
            raise ConfigError(f"no track {unknown[0]}: known are {known}")
        if self.ids is not None:
            rows = rows[np.isin(rows.ids, self.ids)]
        if self.observed:
            rows = rows[rows.states != LOST]
        if self.raw:
            rows = replace(rows, keypoints=rows.raw)
        if self.min_score > 0:
            seen = rows.scores >= self.min_score
            rows = replace(rows, scores=np.where(seen, rows.scores, 0).astype(np.float32))
        return replace(recording, rows=rows)


def choose(name: str, *, metres: bool = False) -> Format:
    """The format of that name, whose packages are installed.

    Raises:
        ConfigError: no such format, or one without `metres` where they are wanted.
        BackendMissing: a package it needs is not installed.
    """
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, 2)
        known = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(FORMATS)}"
        raise ConfigError(f"no format {name!r}: {known}")
    chosen = FORMATS[name]
    if metres and not chosen.metric:
        metric = ", ".join(each.name for each in FORMATS.values() if each.metric)
        raise ConfigError(f"format {name} is in pixels: metres are for {metric}")
    for package in chosen.needs:
        if find_spec(package) is None:
            raise BackendMissing(
                f"format {name} needs the package {package}, which is not installed: "
                f"pip install 'posetrack[{chosen.extra}]'"
            )
    return chosen


def default_path(records: Path, name: str) -> Path:
    """Where a format goes beside the records: their name with its suffix."""
    return records.with_name(records.stem + FORMATS[name].suffix.removesuffix("/"))


def written(path: Path, name: str, ids: Sequence[int]) -> list[Path]:
    """The files (or the folder) that a format makes of these people."""
    if not FORMATS[name].each:
        return [path]
    return [path.with_name(f"{path.stem}.id{each}{path.suffix}") for each in ids]


def convert(
    recording: Recording, name: str, path: Path, *, px_per_m: float | None = None
) -> list[Path]:
    """The files written: `recording` in the format `name`, at `path`.

    Args:
        px_per_m: scale for formats in metres; pixels without it.

    Raises:
        ConfigError: no such format, or a scale for one without metres.
        BackendMissing: its package is missing.
        SinkError: the place cannot be written.
    """
    chosen = choose(name, metres=px_per_m is not None)
    module, _, function = chosen.writer.partition(":")
    write: Callable[..., Any] = getattr(import_module(f"posetrack.formats.{module}"), function)
    scale = {"px_per_m": px_per_m} if chosen.metric else {}
    if not chosen.each:
        write(recording, path, **scale)
        return [path]
    paths = written(path, name, recording.ids())
    for track_id, one in zip(recording.ids(), paths, strict=True):
        write(recording, track_id, one, **scale)
    return paths
