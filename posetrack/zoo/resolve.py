"""From what a user says (a name, a path, an address) to a card and a file that is there."""

from __future__ import annotations

import hashlib
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from posetrack.backends.onnx_header import read_header
from posetrack.cards import ModelCard, ModelFile, Task, load_card
from posetrack.errors import DownloadError, ModelError, ModelNotFound
from posetrack.zoo.archive import unpack
from posetrack.zoo.catalog import CARD, Entry, Origin, check_file, embedded, entry, models_dir
from posetrack.zoo.conventions import card_for_onnx
from posetrack.zoo.convert import EXTRA, can_convert, card_for_checkpoint, convert, converted_name
from posetrack.zoo.download import Address, Progress, fetch, is_url
from posetrack.zoo.sdk import GRAPH, card_for_sdk, find_sdk_folder

CHECKPOINTS = frozenset({".pth", ".pt", ".ckpt"})
GRAPHS = {".onnx": "onnx", ".xml": "openvino", ".param": "ncnn"}
"""Files that a runtime loads as they are, and their formats."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that can be opened now: its card, the file for the backend, where it came from."""

    card: ModelCard
    path: Path
    origin: Origin = "file"

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the caller wants and allows, as one argument."""

    formats: tuple[str, ...]
    precision: str
    allow_unverified: bool
    progress: Progress | None


def find(
    name_or_path: str | Path | None = None,
    *,
    task: Task | None = None,
    formats: Sequence[str] = ("onnx",),
    precision: str = "fp32",
    allow_unverified: bool = False,
    progress: Progress | None = None,
) -> ResolvedModel:
    """The model meant, fetched and converted where that is needed.

    `name_or_path` is None (the embedded model of `task`), a name of `list_models`, an alias of
    `posetrack.zoo.aliases` such as ``wholebody:fast``, a folder with
    ``card.yaml``, a card file, an .onnx file, an MMDeploy folder or zip, an official .pth, an
    address of one of these, or ``CARD@FILE``: a card by name or path for a file that has none.
    `formats` are what the backend loads, see `backends.model_formats`; of a card's files of one
    format that of `precision` is taken, where there is one.

    Raises:
        ModelNotFound: nothing of that name or path.
        ModelError: it is not a model, of another task, or not the file its card describes.
        DownloadError: it could not be fetched, or cannot be verified.
        BackendMissing: it is a checkpoint and PyTorch is not installed.
    """
    wish = _Wish(tuple(formats), precision, allow_unverified, progress)
    if name_or_path is None:
        if task is None:
            raise ModelError("neither a model nor a task was named: name one")
        model = _from_entry(embedded(task), wish)
    else:
        model = _resolve(name_or_path, wish)
    if task is not None and model.card.task != task:
        raise ModelError(
            f"{model.name} is a {model.card.task} model, a {task} model was asked: name another"
        )
    return model


def pull(
    name: str, *, allow_unverified: bool = False, progress: Progress | None = None
) -> ResolvedModel:
    """The model of that name or address, fetched now (and converted, where it is a checkpoint).

    What was allowed once though it could not be verified is then found without asking again.
    """
    return find(name, allow_unverified=allow_unverified, progress=progress)


def _resolve(wanted: str | Path, wish: _Wish) -> ResolvedModel:
    text = str(wanted)
    if isinstance(wanted, str) and is_url(text):
        return _from_url(text, wish)
    path = Path(text).expanduser()
    if not path.exists() and "@" in text:
        card, _, file = text.partition("@")
        return _bound(card, Path(file).expanduser(), wish)
    looks_like_path = isinstance(wanted, Path) or path.suffix in {".zip", *GRAPHS, *CHECKPOINTS}
    looks_like_path |= path.name != text or path.suffix in {".yaml", ".yml"}
    if not looks_like_path:
        try:
            return _from_entry(entry(text), wish)
        except ModelNotFound:
            if not path.exists():
                raise
    if not path.exists():
        raise ModelNotFound(f"model {path} not found: check the path, or `posetrack models list`")
    return _from_path(path, wish)


def _from_path(path: Path, wish: _Wish) -> ResolvedModel:
    if path.is_dir():
        return _from_folder(path, wish)
    if path.suffix in {".yaml", ".yml"}:
        card = load_card(path)
        local = any(file.path and (path.parent / file.path).exists() for file in card.files)
        folder = path.parent if local else models_dir() / card.name
        return _from_entry(Entry(card, "file", folder), wish)
    if path.suffix in GRAPHS:
        return _checked(_card_beside(path) or _inferred(path), path, wish)
    if path.suffix in CHECKPOINTS:
        return _from_checkpoint(path, _card_beside(path), wish)
    if path.suffix == ".zip":
        return _from_zip(path, models_dir() / "unpacked" / _stamped(path), wish)
    raise ModelError(f"{path} is no model: give .onnx, .pth, .zip, a folder or a card")


def _from_folder(folder: Path, wish: _Wish) -> ResolvedModel:
    if (folder / CARD).is_file():
        return _from_entry(Entry(load_card(folder / CARD), "file", folder), wish)
    inside = find_sdk_folder(folder)
    if inside is not None:
        return _checked(card_for_sdk(inside), inside / GRAPH, wish)
    graphs = sorted(folder.glob("*.onnx"))
    if len(graphs) == 1:
        return _from_path(graphs[0], wish)
    raise ModelError(f"{folder} has neither {CARD} nor {GRAPH} nor one .onnx file: name the file")


def _from_zip(
    archive: Path, target: Path, wish: _Wish, card: ModelCard | None = None
) -> ResolvedModel:
    folder = target if target.is_dir() else unpack(archive, target)
    inside = find_sdk_folder(folder)
    if inside is None:
        raise ModelError(f"{archive} has no {GRAPH} in it: it is not an MMDeploy model")
    return _checked(card or card_for_sdk(inside, name=archive.stem), inside / GRAPH, wish)


def _from_url(url: str, wish: _Wish) -> ResolvedModel:
    if url.startswith("file://"):
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
        if not path.exists():
            raise ModelNotFound(f"model {url} not found: check the path")
        return _from_path(path, wish)
    address = Address.parse(url)
    place = hashlib.sha256(address.url.encode()).hexdigest()[:12]
    target = models_dir() / "addresses" / place / address.name
    if not target.is_file():
        fetch(address, target, allow_unverified=wish.allow_unverified, progress=wish.progress)
    return _from_path(target, wish)


def _bound(card: str, file: Path, wish: _Wish) -> ResolvedModel:
    """The conventions of one card for a file that brings none."""
    path = Path(card).expanduser()
    known = load_card(path) if path.suffix in {".yaml", ".yml"} else entry(card).card
    if not file.is_file():
        raise ModelNotFound(f"model file {file} not found: check the path after @")
    if file.suffix in CHECKPOINTS:
        return _from_checkpoint(file, known, wish)
    return _checked(known, file, wish)


def _from_entry(model: Entry, wish: _Wish) -> ResolvedModel:
    if not model.card.files:
        raise ModelError(
            f"{model.name} names no file, only conventions: give yours as {model.name}@FILE"
        )
    if model.card.task == "backbone":  # which no runtime runs
        wish = replace(wish, formats=("pth",))
    refused = []
    for file in _by_preference(model, wish):
        path = model.path_of(file)
        if file.format == "pth" and "pth" not in wish.formats and not can_convert():
            refused.append(f"{file.name} must be converted, which needs torch and onnx ({EXTRA})")
            continue
        if not path.is_file():
            if file.url is None:
                refused.append(f"{path} is not there")
                continue
            if file.digest is None and not wish.allow_unverified:
                allow = f"`posetrack models pull {model.name} --allow-unverified`"
                refused.append(f"{file.name} has no known SHA-256 ({allow} takes it all the same)")
                continue
            fetch(
                Address(file.url, file.digest, file.bytes, file.mirrors),
                path,
                allow_unverified=wish.allow_unverified,
                progress=wish.progress,
            )
        return _use(model, file, path, wish)
    formats = " or ".join(wish.formats)
    reasons = "; ".join(refused) or f"its card lists no {formats} file"
    raise DownloadError(f"{model.name} cannot be used as {formats}: {reasons}")


def _by_preference(model: Entry, wish: _Wish) -> Iterator[ModelFile]:
    """Files of the card that lead to a wanted format: what is here, then what can be verified."""
    leads = {"onnx": ("onnx", "sdk-zip", "pth")}
    kinds = [kind for wanted in wish.formats for kind in leads.get(wanted, (wanted,))]
    usable = [file for file in model.card.files if file.format in kinds]
    return iter(
        sorted(
            usable,
            key=lambda file: (
                file.precision != wish.precision,
                file.precision != "fp32",
                not model.path_of(file).is_file(),
                file.digest is None and file.path is None,
                kinds.index(file.format),
            ),
        )
    )


def _use(model: Entry, file: ModelFile, path: Path, wish: _Wish) -> ResolvedModel:
    check_file(path, file)
    for other in model.card.files:
        if other.format == "weights":
            check_file(model.path_of(other), other)
    if file.format == "sdk-zip":
        unpacked = _from_zip(path, model.folder / path.stem, wish, model.card)
        return ResolvedModel(model.card, unpacked.path, model.origin)
    if file.format == "pth" and "pth" not in wish.formats:
        graph = path.with_suffix(".onnx")
        convert(path, graph, model.card)
        path = graph
    elif file.format == "onnx":
        read_header(path)
    return ResolvedModel(model.card, path, model.origin)


def _from_checkpoint(path: Path, card: ModelCard | None, wish: _Wish) -> ResolvedModel:
    """The checkpoint itself for a backend that runs those, its conversion for the others."""
    if "pth" in wish.formats:
        return ResolvedModel(card or card_for_checkpoint(path), path)
    target = models_dir() / "converted" / converted_name(path)
    return ResolvedModel(convert(path, target, card), target)


def _checked(card: ModelCard, path: Path, wish: _Wish) -> ResolvedModel:
    kind = GRAPHS[path.suffix]
    if kind not in wish.formats:
        hint = "use --backend onnxruntime, or give the checkpoint"
        if kind != "onnx":
            hint = f"use --backend {kind}, or give the .onnx file"
        raise ModelError(f"{path} is {kind}, this backend runs {' or '.join(wish.formats)}: {hint}")
    if kind == "onnx":
        read_header(path)
    return ResolvedModel(card, path)


def _inferred(path: Path) -> ModelCard:
    if path.suffix != ".onnx":
        raise ModelError(f"{path} brings no card: give its folder, or CARD@{path.name}")
    return card_for_onnx(path)


def _card_beside(path: Path) -> ModelCard | None:
    """The card that lies beside a file: its own, or the folder's if that lists the file."""
    own = path.with_name(f"{path.stem}.card.yaml")
    if own.is_file():
        return load_card(own)
    if (path.parent / CARD).is_file():
        card = load_card(path.parent / CARD)
        for file in card.files:
            if file.name == path.name:
                check_file(path, file)
                return card
    if path.name == GRAPH and (path.parent / "pipeline.json").is_file():
        return card_for_sdk(path.parent)
    return None


def _stamped(path: Path) -> str:
    """A folder name that changes when the archive does."""
    state = path.stat()
    stamp = f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"
    return f"{path.stem}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
