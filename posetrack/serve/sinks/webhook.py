"""Events sent by POST, several in one request, and again where the receiver fails for a moment."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from posetrack.errors import ConfigError, SinkError
from posetrack.serve.hub import Item, Kind
from posetrack.serve.redaction import redacted
from posetrack.serve.sinks.runner import failure
from posetrack.serve.sinks.settings import WebhookSettings


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is sent goes where the file says and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


class Webhook:
    """``POST url`` with ``{"schema":"posetrack.live/1","messages":[...]}``.

    A status of 2xx is success; 4xx (but 408 and 429) gives the messages up, everything else is
    tried again after a pause that doubles. A message may come twice, never out of order.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        if not settings.url.startswith(("http://", "https://")):
            raise ConfigError(f"webhook url {redacted(settings.url)}: give http:// or https://")
        self._settings = settings
        self.kinds: Sequence[Kind] = [settings.content, "status"]
        self._waiting: list[str] = []
        self._due_s = 0.0
        self._opener = urllib.request.build_opener(_NoRedirect)

    def open(self) -> None:
        """Read the token; the receiver is asked with the first message."""
        self._headers = {"content-type": "application/json", "user-agent": "posetrack"}
        if self._settings.token_file is not None:
            try:
                token = Path(self._settings.token_file).read_text("utf-8").strip()
            except OSError as error:
                raise failure("webhook token file", error) from error
            self._headers["authorization"] = f"Bearer {token}"

    def send(self, items: Sequence[Item]) -> None:
        """Keep them until there are enough or it is time."""
        if not self._waiting:
            self._due_s = time.monotonic() + self._settings.interval_s
        self._waiting += [item.text() for item in items]
        while len(self._waiting) >= self._settings.batch:
            self._post(self._settings.batch)

    def tick(self) -> None:
        """Send what has waited long enough."""
        if self._waiting and time.monotonic() >= self._due_s:
            self._post(len(self._waiting))

    def close(self) -> None:
        """Send the rest, once."""
        rest, self._waiting = self._waiting, []
        if rest:
            with suppress(SinkError):
                self._try(rest)

    def _post(self, count: int) -> None:
        part, self._waiting = self._waiting[:count], self._waiting[count:]
        pause_s = 0.5
        for attempt in range(self._settings.attempts):
            problem = self._try(part)
            if problem is None:
                return
            if attempt + 1 < self._settings.attempts:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, 8.0)
        raise failure(f"webhook {redacted(self._settings.url)}, {len(part)} messages lost", problem)

    def _try(self, part: Sequence[str]) -> str | None:
        """None where the receiver took them, or will never; else why it did not."""
        body = f'{{"schema":"posetrack.live/1","messages":[{",".join(part)}]}}'.encode()
        request = urllib.request.Request(self._settings.url, body, self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._settings.timeout_s):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            for_good = 400 <= error.code < 500 and error.code not in (408, 429)
            if for_good:
                raise failure(
                    f"webhook {redacted(self._settings.url)} refused {len(part)} messages",
                    f"status {error.code}",
                ) from None
            return f"status {error.code}"
        except OSError as error:
            return str(getattr(error, "reason", error))
