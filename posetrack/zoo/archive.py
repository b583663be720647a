"""Zip files from elsewhere, unpacked without trusting their names or sizes."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from posetrack.errors import ModelError

MAX_FILES = 500
MAX_BYTES = 4 << 30


def unpack(archive: Path, target: Path) -> Path:
    """`target`, the folder that holds the archive's files; it appears whole or not at all.

    Raises:
        ModelError: not a zip file, too much in it, or a name that leads outside the folder.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(opened, archive)
            for member in members:
                inside = work / PurePosixPath(member.filename)
                inside.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, inside.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{archive} cannot be unpacked ({error}): fetch it again") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _checked(opened: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    members = [member for member in opened.infolist() if not member.is_dir()]
    if len(members) > MAX_FILES or sum(member.file_size for member in members) > MAX_BYTES:
        raise ModelError(
            f"{archive} holds {len(members)} files, "
            f"{sum(member.file_size for member in members) / 1e9:.1f} GB unpacked: too much for a "
            "model, refused"
        )
    for member in members:
        path = PurePosixPath(member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        outside = path.is_absolute() or ".." in path.parts or ":" in member.filename
        if outside or "\\" in member.filename or kind not in (0, stat.S_IFREG):
            raise ModelError(
                f"{archive} holds {member.filename!r}, which leads outside its folder: refused"
            )
    return members
