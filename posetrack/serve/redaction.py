"""Addresses and messages without what nobody may read in them."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(://)[^/?#\s'\"]*@")
_QUERY = re.compile(
    r"([?&;][\w.-]*(?:token|passw|pwd|secret|key|auth|sig|cred|user)[\w.-]*=)[^&;#\s'\"]*",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?i)(bearer\s+)[\w~+/.=-]+")


def redacted(text: str) -> str:
    """`text` with the user and password of every address in it, and secrets of queries, starred."""
    text = _PASSWORD.sub(r"\1***@", text)
    return _BEARER.sub(r"\1***", _QUERY.sub(r"\1***", text))
