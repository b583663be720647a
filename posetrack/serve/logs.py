"""The daemon's log, as lines for people or as JSON, without anybody's password."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

from posetrack.serve.redaction import redacted
from posetrack.serve.settings import LogSettings

log = logging.getLogger("posetrack.serve")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What would begin a line of its own, or tell a terminal something; strangers may send it."""


_OF_CLIENTS = frozenset(
    {
        "Invalid HTTP request received.",
        "Invalid UTF-8 sequence received from client.",
        "ASGI callable returned without completing handshake.",
        "Unsupported upgrade request.",
    }
)
"""What the web server says of what strangers send: as often as they like, one even with a trace."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a line says something about the daemon."""
    return record.msg not in _OF_CLIENTS


class _Line(logging.Formatter):
    """``2026-01-31T12:00:00.123Z info door: running``."""

    def format(self, record: logging.LogRecord) -> str:
        stream = getattr(record, "stream", None)
        subject = f"{stream}: " if stream else ""
        message = _CONTROL.sub(_spelt, record.getMessage())
        line = f"{_when(record)} {record.levelname.lower()} {subject}{message}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redacted(line)


class _Json(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        data = {
            "time": _when(record),
            "level": record.levelname.lower(),
            "message": redacted(record.getMessage()),
        }
        if stream := getattr(record, "stream", None):
            data["stream"] = stream
        if record.exc_info:
            data["trace"] = redacted(self.formatException(record.exc_info))
        return _CONTROL.sub(_spelt, json.dumps(data, ensure_ascii=False))


def _spelt(character: re.Match[str]) -> str:
    """As JSON and Python write it."""
    return f"\\u{ord(character[0]):04x}"


def _when(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start_logging(settings: LogSettings) -> None:
    """Log to stderr from now on: the daemon's own lines, and the warnings of the web server."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if settings.format == "json" else _Line())
    for name, level in (
        ("posetrack.serve", settings.level.upper()),
        ("uvicorn", "WARNING"),
        ("uvicorn.error", "WARNING"),
    ):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler] if name != "uvicorn.error" else []
        logger.setLevel(level)
        logger.addFilter(_is_ours)
    log.propagate = logging.getLogger("uvicorn").propagate = False
