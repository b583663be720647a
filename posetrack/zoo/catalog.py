"""Models by name: those that ship with the package, and those the zoo knows where to fetch."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from posetrack.cards import ModelCard, ModelFile, Task, load_card
from posetrack.errors import DownloadError, ModelError, ModelNotFound
from posetrack.resources import configs_dir, engines_dir
from posetrack.zoo.aliases import choose
from posetrack.zoo.download import record_path, sha256_of

CARD = "card.yaml"
MODELS_VARIABLE = "POSETRACK_MODELS"

Origin = Literal["embedded", "zoo", "file"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model the package knows by name; `folder` is where its files are or will be."""

    card: ModelCard
    origin: Origin
    folder: Path

    @property
    def name(self) -> str:
        """The name it is found by."""
        return self.card.name

    @property
    def ready(self) -> bool:
        """Whether it can be used without a network."""
        return any(self.path_of(file).exists() for file in self.card.files)

    def path_of(self, file: ModelFile) -> Path:
        """Where a file of the card is or will be."""
        return self.folder / (file.path or file.name)


@dataclass(frozen=True, slots=True)
class Check:
    """What `verify` found of one file; `ok` is None where no digest is known to compare with."""

    path: Path
    ok: bool | None
    message: str


def models_dir() -> Path:
    """Where fetched models are kept: ``$POSETRACK_MODELS``, else the user's cache folder."""
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    cache_home = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache_home) if cache_home else Path.home() / ".cache") / "posetrack"


def list_models(task: Task | None = None) -> tuple[Entry, ...]:
    """Every model known by name, the embedded ones first."""
    entries = _entries(engines_dir(), configs_dir() / "models", models_dir())
    return tuple(entry for entry in entries if task in (None, entry.card.task))


def entry(name: str) -> Entry:
    """The model of that name, or of an alias of one model (`posetrack.zoo.aliases`).

    Raises:
        ModelNotFound: with the nearest names. ModelError: an alias of several models.
    """
    known = _named(name) or _meant(name)
    if known is None:
        known = {model.name: model for model in list_models()}.get(name)
    if known is not None:
        return known
    names = [model.name for model in list_models()]
    near = difflib.get_close_matches(name, names, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `posetrack models list`"
    raise ModelNotFound(f"no model named {name!r} and no such file: {hint}")


def _meant(alias: str) -> Entry | None:
    """The pose model that an alias stands for."""
    chosen = choose(alias, detector=True)
    if chosen.hands or chosen.face:
        raise ModelError(f"{alias} is several models, one was asked: name one of them")
    return _named(chosen.pose) if chosen.pose not in (None, alias) else None


def _named(name: str | None) -> Entry | None:
    """The model whose card lies where that of this name should: no other card is read."""
    if name is None or Path(name).name != name:
        return None
    shipped = engines_dir() / name / CARD
    if shipped.is_file() and (card := load_card(shipped)).name == name:
        return Entry(card, "embedded", shipped.parent)
    listed = configs_dir() / "models" / f"{name}.yaml"
    if listed.is_file() and (card := load_card(listed)).name == name:
        return Entry(card, "zoo", models_dir() / name)
    return None


def embedded(task: Task) -> Entry:
    """The model that ships with the package for a task."""
    for model in _shipped(engines_dir()):
        if model.card.task == task:
            return model
    raise ModelNotFound(
        f"this installation ships no {task} model: name one, see `posetrack models list`"
    )


def verify(name: str) -> tuple[Check, ...]:
    """Every file of a model that is here, compared with the digest its card or download noted."""
    model = entry(name)
    checks = [_check(model.path_of(file), file) for file in model.card.files]
    found = tuple(check for check in checks if check is not None)
    if not found:
        raise DownloadError(f"{name} is not here: fetch it with `posetrack models pull {name}`")
    return found


def check_file(path: Path, file: ModelFile) -> None:
    """Raises ModelError where the file is not the one its card describes."""
    check = _check(path, file)
    if check is not None and check.ok is False:
        raise ModelError(f"{path}: {check.message}; put the right file there, or fetch it again")


def _check(path: Path, file: ModelFile) -> Check | None:
    if not path.is_file():
        return None
    expected, by = file.digest, "card"
    record = record_path(path)
    if expected is None and record.is_file():
        expected, by = record.read_text("utf-8").split()[0], "download"
    if expected is None:
        return Check(path, None, "no digest is known of it")
    got = sha256_of(path)
    if got.startswith(expected):
        return Check(path, True, f"sha256 {expected[:8]} as the {by} says")
    return Check(path, False, f"sha256 begins with {got[:8]}, the {by} says {expected[:8]}")


@cache
def _shipped(engines: Path) -> tuple[Entry, ...]:
    return tuple(
        Entry(load_card(path), "embedded", path.parent)
        for path in sorted(engines.glob(f"*/{CARD}"))
    )


@cache
def _entries(engines: Path, cards: Path, cache_dir: Path) -> tuple[Entry, ...]:
    entries = list(_shipped(engines))
    for path in sorted(cards.glob("*.yaml")):
        card = load_card(path)
        entries.append(Entry(card, "zoo", cache_dir / card.name))
    names = [model.name for model in entries]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ModelError(f"two model cards have the name {doubled[0]!r}: rename one")
    return tuple(entries)
