"""Redis streams, one a stream and kind, cut at a length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from posetrack.serve.hub import Item, Kind
from posetrack.serve.redaction import redacted
from posetrack.serve.sinks.runner import content_kinds, failure
from posetrack.serve.sinks.settings import RedisSettings

_TIMEOUT_S = 5.0


class Redis:
    """``XADD PREFIX:STREAM:poses MAXLEN ~ length * message JSON``; events and status likewise."""

    def __init__(self, settings: RedisSettings) -> None:
        self.kinds: Sequence[Kind] = content_kinds(poses=settings.poses, events=settings.events)
        self._settings = settings
        self._client: Any = None

    def open(self) -> None:
        """Connect."""
        try:
            self._client = redis.Redis.from_url(
                self._settings.url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            )
            self._client.ping()
        except (redis.RedisError, ValueError) as error:
            raise failure(f"Redis {redacted(self._settings.url)}", error) from error

    def send(self, items: Sequence[Item]) -> None:
        """Add all in one exchange."""
        chosen = self._settings
        pipe = self._client.pipeline(transaction=False)
        for item in items:
            key = f"{chosen.prefix}:{item.stream}:{item.kind}"
            pipe.xadd(key, {"message": item.text()}, maxlen=chosen.length, approximate=True)
        try:
            pipe.execute()
        except redis.RedisError as error:
            raise failure(f"Redis {redacted(chosen.url)}", error) from error

    def tick(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
