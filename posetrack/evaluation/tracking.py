"""How well people and their identities are followed: HOTA, CLEAR and identity figures.

The figures are those of the package ``trackers``, which follows TrackEval (Luiten et al., IJCV
2021), on the overlap of boxes or on the OKS of keypoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from posetrack.errors import BackendMissing, ConfigError
from posetrack.evaluation.trackfiles import Doubles, TrackedFrame, TrackFile
from posetrack.skeletons import Skeleton
from posetrack.types import Bools, Ints

Figures = dict[str, float | None]
Similarity = Literal["iou", "oks"]
Alike = Callable[[TrackedFrame, TrackedFrame], Doubles]

_SAME = 0.5
"""From this overlap on a box is that of an ignored region."""


def require_scorer() -> None:
    """Raises BackendMissing where the package that computes the figures is not installed."""
    try:
        import trackers.eval  # noqa: F401
    except ImportError as error:
        raise BackendMissing(
            "tracking figures need the package trackers: pip install posetrack[eval]"
        ) from error


@dataclass(frozen=True, slots=True)
class Pairing:
    """Truth (N,) and found (M,) ids of a frame, and how alike they are, (N, M)."""

    truth: Ints
    found: Ints
    similarity: Doubles


def tracking_figures(
    found: TrackFile, truth: TrackFile, *, similarity: Similarity, threshold: float = 0.5
) -> Figures:
    """HOTA with DetA, AssA, LocA; IDF1; MOTA, switches, fragments; coverage and counts.

    HOTA is the mean over thresholds .05 to .95; the others count a match from `threshold` on.
    `coverage` is the mean over people of the share of their frames in which somebody is matched to
    them. Frames that only `found` has count unless the truth is sparse.

    Raises:
        ConfigError: OKS is asked for, and not both files have common keypoints.
    """
    from trackers.eval import compute_clear_metrics, compute_hota_metrics, compute_identity_metrics

    pairings = list(pair_frames(found, truth, similarity))
    parts = (
        _numbered([p.truth for p in pairings]),
        _numbered([p.found for p in pairings]),
        [p.similarity for p in pairings],
    )
    clear: dict[str, Any] = compute_clear_metrics(*parts, threshold=threshold)
    identity: dict[str, Any] = compute_identity_metrics(*parts, threshold=threshold)
    hota: dict[str, Any] = compute_hota_metrics(*parts)
    return {
        **{key.lower(): float(hota[key]) for key in ("HOTA", "DetA", "AssA", "LocA")},
        "idf1": float(identity["IDF1"]),
        "mota": float(clear["MOTA"]),
        "recall": float(clear["CLR_Re"]),
        "precision": float(clear["CLR_Pr"]),
        "id_switches": float(clear["IDSW"]),
        "fragments": float(clear["Frag"]),
        "coverage": _coverage(pairings, threshold),
        "people": float(len({int(i) for p in pairings for i in p.truth})),
        "ids": float(len({int(i) for p in pairings for i in p.found})),
        "frames": float(len(pairings)),
    }


def pair_frames(found: TrackFile, truth: TrackFile, similarity: Similarity) -> Iterator[Pairing]:
    """Each frame in which somebody could be, people in ignored regions left out."""
    alike = _oks_between(found, truth) if similarity == "oks" else _overlap
    indices = set(truth.frames)
    if not truth.sparse:
        indices = set(range(max(*truth.frames, *found.frames) + 1))
    for index in sorted(indices):
        here, there = truth.at(index), found.at(index)
        kept = _outside(there, here)
        yield Pairing(here.ids, there.ids[kept], alike(here, there)[:, kept])


def match(pairing: Pairing, threshold: float) -> tuple[Ints, Ints]:
    """Rows and columns of the pairs of a frame that are alike enough, at most one each."""
    allowed = np.where(pairing.similarity >= threshold, pairing.similarity, -1.0)
    rows, columns = linear_sum_assignment(allowed, maximize=True)
    good = allowed[rows, columns] >= threshold
    return rows[good], columns[good]


def _overlap(truth: TrackedFrame, found: TrackedFrame) -> Doubles:
    from trackers.eval import box_iou

    return np.asarray(box_iou(truth.boxes, found.boxes), np.float64)


def _oks_between(found: TrackFile, truth: TrackFile) -> Alike:
    """OKS over the keypoints that both files have and the truth shows, with the truth's areas."""
    columns, others, sigmas = common_keypoints(truth, found)

    def alike(true: TrackedFrame, other: TrackedFrame) -> Doubles:
        offset = true.keypoints[:, None, columns] - other.keypoints[None, :, others]
        distance_sq = np.einsum("nmkc,nmkc->nmk", offset, offset)
        areas = np.maximum(true.areas, 1e-9)[:, None, None]
        near = np.exp(-distance_sq / (2 * areas * (2 * sigmas) ** 2))
        shown = true.visible[:, columns].astype(np.float64)[:, None]
        return np.asarray((near * shown).sum(-1) / np.maximum(shown.sum(-1), 1), np.float64)

    return alike


def common_keypoints(first: TrackFile, second: TrackFile) -> tuple[Ints, Ints, Doubles]:
    """Columns in both files of the keypoints they share by name, and their sigmas.

    Raises:
        ConfigError: they share none.
    """
    a, b = first.skeleton, second.skeleton
    names = [name for name in a.keypoints if name in b.keypoints] if a and b else []
    if a is None or b is None or not names:
        raise ConfigError(
            f"OKS asked for, {first.path.name} has {_said(a)}, {second.path.name} {_said(b)}: "
            "give files with common keypoints, or compare boxes"
        )
    columns = [a.keypoints.index(name) for name in names]
    others = [b.keypoints.index(name) for name in names]
    return np.array(columns), np.array(others), np.array([a.sigmas[i] for i in columns])


def _said(skeleton: Skeleton | None) -> str:
    return "no keypoints" if skeleton is None else f"the keypoints of {skeleton.name}"


def _outside(found: TrackedFrame, truth: TrackedFrame) -> Bools:
    """(M,) whoever is not best explained by an ignored box of the truth (TrackEval's rule)."""
    kept = np.ones(len(found), bool)
    if not len(truth.ignored) or not len(found):
        return kept
    from trackers.eval import box_iou

    boxes = np.concatenate([truth.boxes, truth.unjudged, truth.ignored])
    overlap = np.asarray(box_iou(boxes, found.boxes), np.float64)
    overlap[overlap < _SAME] = 0
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    real = overlap[rows, columns] > 0
    kept[columns[real & (rows >= len(boxes) - len(truth.ignored))]] = False
    return kept


def _numbered(frames: Sequence[Ints]) -> list[Ints]:
    """The same ids as 0, 1, ... without gaps, in their order."""
    known = np.unique(np.concatenate([*frames, np.zeros(0, np.int64)]))
    return [np.searchsorted(known, ids) for ids in frames]


def _coverage(pairings: Sequence[Pairing], threshold: float) -> float | None:
    there: dict[int, int] = {}
    seen: dict[int, int] = {}
    for pairing in pairings:
        rows, _ = match(pairing, threshold)
        for row, number in enumerate(pairing.truth.tolist()):
            there[number] = there.get(number, 0) + 1
            seen[number] = seen.get(number, 0) + int(row in rows)
    return float(np.mean([seen[i] / there[i] for i in there])) if there else None
