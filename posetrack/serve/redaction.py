"""Messages without what nobody may read in them: more of an address goes than at the terminal."""

from __future__ import annotations

import re

from posetrack.media.source import redact

_USER = re.compile(r"(://)[^/?#\s'\"]*@")
_BEARER = re.compile(r"(?i)(bearer\s+)[\w~+/.=-]+")


def redacted(text: str) -> str:
    """`text` with user and password of every address in it, and secrets of queries, starred."""
    return _BEARER.sub(r"\1***", redact(_USER.sub(r"\1***@", text)))
