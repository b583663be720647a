"""Where a run writes: names from the input and the flags, and the sinks behind them."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.errors import ConfigError
from posetrack.formats.conversion import choose, default_path
from posetrack.formats.saving import Saving
from posetrack.formats.table import FORMATS
from posetrack.media.sink import Sink
from posetrack.media.source import IMAGE_SUFFIXES, Source
from posetrack.media.stills import ImageSink
from posetrack.media.video import CONTAINERS, VideoSink
from posetrack.records import CsvWriter, Header, RecordWriter

if TYPE_CHECKING:
    from posetrack.config import RunConfig
    from posetrack.perception import Perception


@dataclass(frozen=True, slots=True)
class Places:
    """Final names of the outputs; None where nothing is written.

    `picture` is a video, an image, or ``folder/*.jpg`` for one image a frame; `saved` are further
    formats by name. `of_people` gets the files of those with one a person, once they are written.
    """

    picture: Path | None
    records: Path | None
    saved: Mapping[str, Path] = field(default_factory=dict)
    of_people: list[Path] = field(default_factory=list)

    def planned(self) -> list[Path]:
        """Every name, before the run."""
        kept = [path for path in (self.picture, self.records) if path is not None]
        return [*kept, *self.saved.values()]

    def written(self) -> list[Path]:
        """Those that exist after a run, in the order they are reported."""
        absent = {path for name, path in self.saved.items() if FORMATS[name].each}
        return [path for path in self.planned() if path not in absent] + self.of_people


def places(
    config: RunConfig,
    source: Source,
    *,
    output: Path | None,
    records: Path | None,
    stem: str | None = None,
) -> Places:
    """Where each output goes.

    `output` is a file (its suffix says what), ``folder/*.jpg``, or a folder that gets everything
    under the default names; those go to the working directory otherwise. They begin with `stem`,
    or with what `stem_of` says.

    Raises:
        ConfigError: two outputs of one name, or a suffix that is no picture.
        BackendMissing: a package that a format needs is not installed.
    """
    stem = f"{stem or stem_of(source)}.posetrack"
    folder = Path()
    if output is not None and _is_folder(output):
        folder, output = output, None
    if output is not None:
        # The other files are named after the one that was named.
        folder, stem = output.parent, re.sub(r"[*%].*", "frames", output.stem)
        _check_suffix(output)
    suffix = ".mp4"
    if source.kind == "image":
        suffix = source.path.suffix if source.path is not None else ".png"
    picture = (output or folder / f"{stem}{suffix}") if config.output.video else None
    if output is not None and not config.output.video:
        raise ConfigError(f"--output {output} and --no-video exclude each other: drop one")
    lines = records or (folder / f"{stem}.jsonl")
    saved = {name: default_path(lines, choose(name).name) for name in config.output.save}
    chosen = Places(picture, lines if config.output.records or records else None, saved)
    names = [path.absolute() for path in chosen.planned()]
    if len(set(names)) < len(names):
        raise ConfigError(f"two outputs are named {names[0].name}: name them apart")
    return chosen


def stem_of(source: Source) -> str:
    """What outputs are named after: the file, the folder, or the camera."""
    path = source.path
    if path is None:
        return re.sub(r"\W+", "-", source.name.rpartition("://")[2]).strip("-") or "live"
    if glob.has_magic(str(path)) and not path.exists():
        plain = [part for part in path.parent.parts if not glob.has_magic(part)]
        return plain[-1] if plain and plain[-1] not in (".", "/") else "images"
    return path.resolve().name if path.is_dir() else path.stem


def make_sinks(
    chosen: Places,
    source: Source,
    header: Header,
    *,
    size: tuple[int, int],
    threads: int | None = None,
) -> list[Sink]:
    """A sink for each output; `threads` are the video encoder's."""
    sinks: list[Sink] = []
    picture = chosen.picture
    if picture is not None:
        if picture.name.startswith(("*", "%")):
            sinks.append(ImageSink(picture.parent, source, suffix=picture.suffix))
        elif picture.suffix.lower() in IMAGE_SUFFIXES:
            sinks.append(ImageSink(picture, source))
        else:
            sinks.append(VideoSink(picture, source, size=size, threads=threads))
    if chosen.records is not None:
        sinks.append(RecordWriter(chosen.records, header, source=source.path))
    if "csv" in chosen.saved:
        sinks.append(CsvWriter(chosen.saved["csv"], source=source.path))
    others = {name: path for name, path in chosen.saved.items() if name != "csv"}
    if others:
        sinks.append(Saving(others, header, chosen.of_people, source=source.path))
    return sinks


def make_avatar(config: RunConfig, source: Source, perception: Perception) -> list[Sink]:
    """A sink that moves an avatar, where the settings name one; a file goes in its own time."""
    if config.output.vmc is None:
        return []
    from posetrack.osc.datagrams import VMC_PORT, parse_place
    from posetrack.osc.sink import VmcSink

    place = parse_place(config.output.vmc, VMC_PORT)
    visible = perception.visible_score
    return [VmcSink(place, perception.skeleton, visible=visible, paced=not source.is_live)]


def _is_folder(path: Path) -> bool:
    return path.is_dir() or (not path.suffix and not path.exists())


def _check_suffix(output: Path) -> None:
    suffix = output.suffix.lower()
    if suffix not in CONTAINERS and suffix not in IMAGE_SUFFIXES:
        known = ", ".join(CONTAINERS)
        raise ConfigError(f"--output {output}: use {known}, an image suffix, or name a folder")
    if output.name.startswith(("*", "%")) and suffix not in IMAGE_SUFFIXES:
        raise ConfigError(f"--output {output}: one file a frame must be images, such as *.jpg")
