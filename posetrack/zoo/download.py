"""One file from one address: resumed, bounded in time, verified, and put in place at once."""

from __future__ import annotations

import hashlib
import os
import random
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO

from posetrack import __version__
from posetrack.errors import DownloadError, Unreachable

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes that are here, and the total where it is known."""

MIRRORS_VARIABLE = "POSETRACK_MIRRORS"
"""Addresses, parted by blanks, that are tried before a file's own."""

TIMEOUT_S = 20.0
ATTEMPTS = 4
PAUSE_S = 0.5
_CHUNK = 1 << 18
_WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})
_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{7,8})(?:_\d{8})?\.pth$")
_DATE = re.compile(r"20[12]\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a file is, where else, and what is known of it."""

    url: str
    digest: str | None = None
    size: int | None = None
    mirrors: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Address:
        """An address as users give it; ``#sha256=...`` or a digest in an official name counts."""
        url, _, fragment = text.partition("#")
        if fragment.startswith("sha256="):
            digest = fragment.removeprefix("sha256=").lower()
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise DownloadError(f"{redact(text)}: sha256 must be 64 hex digits")
            return cls(url, digest)
        found = _DIGEST_IN_NAME.search(urllib.parse.urlsplit(url).path)
        if found and not _DATE.fullmatch(found[1]):
            return cls(url, found[1])
        return cls(url)

    @property
    def name(self) -> str:
        """The file's own name."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.url).path)
        return re.sub(r"[^A-Za-z0-9._-]", "_", path.rsplit("/", 1)[-1]) or "model"


def is_url(text: str) -> bool:
    """Whether `text` is an address rather than a name or a path."""
    return text.startswith(("http://", "https://", "file://"))


def redact(url: str) -> str:
    """The address without user, password and query, fit for messages."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rsplit("@", 1)[-1]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def fetch(
    address: Address,
    target: Path,
    *,
    allow_unverified: bool = False,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
    attempts: int = ATTEMPTS,
) -> Path:
    """`target`, holding what the address gives; its SHA-256 is recorded beside it.

    Raises:
        DownloadError: no answer, a refusal, other content than the digest says, or a file of which
            no digest is known (unless `allow_unverified`).
    """
    if address.digest is None and not allow_unverified:
        raise DownloadError(
            f"{redact(address.url)} has no known SHA-256, so it cannot be verified: add "
            "#sha256=... to the address, or take it with `posetrack models pull --allow-unverified`"
        )
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        problems = []
        for url in _sources(address):
            try:
                digest = _from_one(replace(address, url=url), part, progress, timeout_s, attempts)
                break
            except DownloadError as problem:
                problems.append(problem)
        else:
            raise problems[-1]
        part.replace(target)
        record_path(target).write_text(f"{digest}  {target.name}\n", "utf-8")
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _sources(address: Address) -> list[str]:
    """Addresses to try: the user's mirrors, those of the card, then the file's own.

    A mirror of the user holds what it mirrors under the same path.
    """
    path = urllib.parse.urlsplit(address.url).path
    bases = os.environ.get(MIRRORS_VARIABLE, "").split()
    return [*(base.rstrip("/") + path for base in bases), *address.mirrors, address.url]


def _from_one(
    address: Address,
    part: Path,
    progress: Progress | None,
    timeout_s: float,
    attempts: int,
) -> str:
    """The SHA-256 of `part` after it was fetched and compared with what is known."""
    if not address.url.startswith(("http://", "https://")):
        raise DownloadError(f"{redact(address.url)} cannot be fetched: use an http(s) address")
    if address.digest is None:
        part.unlink(missing_ok=True)  # nothing would tell that two halves belong together
    _download(address, part, progress, timeout_s, attempts)
    digest = sha256_of(part)
    if address.digest and not digest.startswith(address.digest):
        part.unlink()
        raise DownloadError(
            f"{redact(address.url)} does not match its digest (expected {address.digest}, got "
            f"{digest[: len(address.digest)]}): nothing was kept, try again or another source"
        )
    return digest


def record_path(target: Path) -> Path:
    """Where the SHA-256 of a fetched file is noted (in the format of ``sha256sum``)."""
    return target.with_name(target.name + ".sha256")


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(
    address: Address, part: Path, progress: Progress | None, timeout_s: float, attempts: int
) -> None:
    for attempt in range(1, attempts + 1):
        try:
            return _transfer(address, part, progress, timeout_s)
        except _TransferError as problem:
            reason = problem
            if not problem.again:
                break
        if attempt < attempts:
            time.sleep(PAUSE_S * 2**attempt * random.uniform(0.5, 1))
    size = f" ({address.size / 1e6:.0f} MB)" if address.size else ""
    kind = Unreachable if reason.offline else DownloadError
    raise kind(
        f"{redact(address.url)}{size} could not be fetched: {reason}; with no network, put the "
        f"file at {part.with_suffix('')}"
    ) from reason


class _TransferError(Exception):
    """A transfer that ended early; `again` says whether another attempt may help, `offline` that
    nobody answered.
    """

    def __init__(self, message: str, *, again: bool, offline: bool = False) -> None:
        super().__init__(message)
        self.again = again
        self.offline = offline


def _transfer(address: Address, part: Path, progress: Progress | None, timeout_s: float) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"posetrack/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(address.url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            if answer.status != 206:  # the whole file, whatever was asked
                have = 0
            total = _total(answer, have)
            with part.open("ab" if have else "wb") as file:
                have = _copy(answer, file, have, total, address, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # more bytes here than there: begin again
            part.unlink(missing_ok=True)
        again = error.code in _WORTH_RETRYING or error.code == 416
        error.close()
        raise _TransferError(
            f"the server answers {error.code} {error.reason}", again=again
        ) from None
    except urllib.error.URLError as error:
        raise _TransferError(f"no connection ({error.reason})", again=True, offline=True) from None
    except (TimeoutError, ConnectionError, ssl.SSLError, HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise _TransferError(f"the connection broke ({reason})", again=True) from None
    if total is not None and have < total:
        raise _TransferError(f"the connection broke after {have} of {total} bytes", again=True)


def _total(answer: Any, have: int) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return have + int(length) if length.isdigit() else None


def _copy(
    answer: Any,
    file: BinaryIO,
    have: int,
    total: int | None,
    address: Address,
    progress: Progress | None,
) -> int:
    while chunk := answer.read1(_CHUNK):
        file.write(chunk)
        have += len(chunk)
        if progress is not None:
            progress(address.name, have, total)
        if address.size is not None and have > address.size:
            raise _TransferError(f"it is larger than {address.size} bytes", again=False)
    return have
