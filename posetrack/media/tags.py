"""Tags of media files that are no UTF-8."""

from __future__ import annotations

import av

TOLERANT: dict[str, str] = {"metadata_errors": "replace"}
"""Options of `av.open` with which such tags do no harm."""

if int(av.__version__.partition(".")[0]) >= 19:  # they never do, and there is no such option
    TOLERANT = {}
