"""Findings of a check: what they mean, how many there are, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """One kind of finding; `of` is what its count is a share of: ``people`` or ``pictures``."""

    severity: str
    of: str
    what: str


KINDS: dict[str, Kind] = {
    "empty-set": Kind("error", "", "the file has no images or no annotations"),
    "incomplete-image": Kind("error", "pictures", "image records that lack id, name or size"),
    "duplicate-image-id": Kind("error", "pictures", "image ids used twice"),
    "duplicate-file": Kind("warning", "pictures", "one picture under several image ids"),
    "missing-picture": Kind("error", "pictures", "pictures that are not there"),
    "unreadable-picture": Kind("error", "pictures", "pictures that cannot be decoded"),
    "cut-picture": Kind("error", "pictures", "JPEGs that end too early"),
    "wrong-size": Kind("error", "pictures", "pictures of another size than their record"),
    "rotated-picture": Kind("error", "pictures", "records measured before EXIF rotation"),
    "unchecked-pictures": Kind("warning", "", "pictures not found, so not checked: use --images"),
    "duplicate-id": Kind("error", "people", "annotation ids used twice"),
    "unknown-image": Kind("error", "people", "annotations of images that are not in the file"),
    "unknown-category": Kind("error", "people", "annotations of categories not in the file"),
    "bad-box": Kind("error", "people", "boxes that are not four finite numbers"),
    "empty-box": Kind("error", "people", "boxes without width or height"),
    "box-outside": Kind("error", "people", "boxes wholly outside their picture"),
    "box-over-edge": Kind("warning", "people", "boxes that reach over the edge of their picture"),
    "bad-area": Kind("error", "people", "areas that are not positive numbers"),
    "large-area": Kind("warning", "people", "areas larger than their box"),
    "doubled-person": Kind("warning", "people", "annotated twice: same picture, category and box"),
    "keypoint-count": Kind("error", "people", "keypoints that do not match the names in number"),
    "bad-keypoints": Kind("error", "people", "keypoints that are not finite numbers"),
    "visibility": Kind("error", "people", "visibilities other than 0, 1 and 2"),
    "keypoint-outside": Kind("warning", "people", "labelled keypoints outside the picture"),
    "keypoint-far": Kind("error", "people", "labelled keypoints far outside the box"),
    "hidden-coordinates": Kind("warning", "people", "v = 0 keypoints that have coordinates"),
    "num-keypoints": Kind("warning", "people", "num_keypoints differs from the labelled ones"),
    "late-keypoints": Kind("error", "", "keypoints named by a category that is not the first"),
    "unnamed-keypoints": Kind("error", "people", "keypoints without names in categories"),
    "unmapped-names": Kind("warning", "", "keypoint names that the skeleton does not have"),
    "no-mapped-name": Kind("error", "", "not one keypoint name is in the skeleton"),
    "unlabelled-keypoints": Kind(
        "warning", "", "keypoints of the skeleton that are never labelled"
    ),
    "no-sigmas": Kind("warning", "", "the skeleton has no sigmas: OKS uses 0.05 for each keypoint"),
    "no-flip-pairs": Kind(
        "error", "", "left and right names, but no flip pair: mirroring is wrong"
    ),
    "viewer-sides": Kind("error", "people", "left is the viewer's left: faces are mirrored"),
    "suspect-pairs": Kind("warning", "people", "suspect: left and right swapped in some pairs"),
    "suspect-face": Kind("warning", "people", "suspect: mirrored, or not visible, faces"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `annotation` (id) and `row` (index in the file's list) say whose it is."""

    kind: str
    picture: str
    detail: str
    annotation: Any = None
    row: int | None = None

    def __str__(self) -> str:
        whose = "" if self.annotation is None else f"#{self.annotation}"
        where = " ".join(word for word in (self.picture, whose) if word)
        return f"{where}: {self.detail}" if where else self.detail


@dataclass(slots=True)
class Report:
    """Everything that was found in one file."""

    pictures: int = 0
    people: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(
        self,
        kind: str,
        detail: str,
        *,
        picture: str = "",
        annotation: Any = None,
        row: int | None = None,
    ) -> None:
        """Note one finding of a kind in `KINDS`."""
        assert kind in KINDS, kind
        self.findings.append(Finding(kind, picture, detail, annotation, row))

    def groups(self) -> list[tuple[str, Sequence[Finding]]]:
        """Findings by kind: errors first, then in the order of `KINDS`."""
        grouped: dict[str, list[Finding]] = {}
        for finding in self.findings:
            grouped.setdefault(finding.kind, []).append(finding)
        order = sorted(KINDS, key=lambda kind: KINDS[kind].severity)  # stable, "error" first
        return [(kind, grouped[kind]) for kind in order if kind in grouped]

    def count(self, severity: str) -> int:
        """How many findings are of this severity: ``error`` or ``warning``."""
        return sum(KINDS[finding.kind].severity == severity for finding in self.findings)

    def share(self, kind: str, findings: Sequence[Finding]) -> float | None:
        """The part of all people or pictures that `findings` concern; None where it has none."""
        whole = {"people": self.people, "pictures": self.pictures}.get(KINDS[kind].of, 0)
        if not whole:
            return None
        return len({(f.picture, f.annotation, f.row) for f in findings}) / whole

    def to_dict(self) -> dict[str, Any]:
        """All findings, for a JSON file."""
        groups = []
        for kind, findings in self.groups():
            items = [
                {"image": f.picture, "annotation": f.annotation, "detail": f.detail}
                for f in findings
            ]
            groups.append(
                {"kind": kind, "severity": KINDS[kind].severity, "what": KINDS[kind].what}
                | {"count": len(items), "share": self.share(kind, findings), "items": items}
            )
        return {
            "pictures": self.pictures,
            "people": self.people,
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "findings": groups,
        }
