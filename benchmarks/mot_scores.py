"""CLEAR, identity and HOTA figures of MOTChallenge files, by the package ``trackers``.

    python benchmarks/mot_scores.py TRUTH.txt RESULT.txt

Run by `tracking.py`, possibly in another interpreter, because the package brings dependencies that
posetrack has no use for (``pip install trackers``). Prints one JSON object on stdout.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any


def scores(truth: str, result: str) -> dict[str, Any]:
    """At IoU .5 (HOTA: over .05 to .95)."""
    from trackers.eval import (  # type: ignore[import-not-found]
        evaluate_mot_sequence,
    )

    found = evaluate_mot_sequence(truth, result, ["CLEAR", "HOTA", "Identity"], threshold=0.5)
    return {
        "recall": found.CLEAR.CLR_Re,
        "precision": found.CLEAR.CLR_Pr,
        "idf1": found.Identity.IDF1,
        "mota": found.CLEAR.MOTA,
        "hota": found.HOTA.HOTA,
        "id_switches": found.CLEAR.IDSW,
        "fragments": found.CLEAR.Frag,
        "scored_by": f"trackers {version('trackers')}",
    }


if __name__ == "__main__":
    print(json.dumps(scores(*sys.argv[1:3])))
