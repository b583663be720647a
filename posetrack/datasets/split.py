"""Splitting a set in parts that share no picture, and no group of pictures."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posetrack.datasets.coco import CocoFile, Row
from posetrack.errors import ConfigError

Group = tuple[Row, ...]
"""Image records that stay together."""
PICTURE = "picture"
"""The label that every picture has."""


def split(
    document: CocoFile, shares: Mapping[str, float], *, seed: int = 0, by: str | None = None
) -> dict[str, list[Row]]:
    """Image records of each part, in the order of the file; the rest is the part ``train``.

    What is rare is dealt out first, each time to the part that lacks most of it: categories,
    pictures with keypoints, pictures with nobody, and sources come out in the wanted shares as
    nearly as whole groups allow; what as many groups have as there are parts gets into each part
    where that can be, and no part is empty. The same file, shares and seed give the same parts.

    Args:
        shares: of pictures, by part: ``{"val": 0.1}``; together less than 1.
        by: the field of the image records that names their group (a video, a source).

    Raises:
        ConfigError: shares that cannot be, records without the field, too few groups.
    """
    if any(not 0 < share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        said = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise ConfigError(f"shares of {said} leave nothing: give numbers that add up to below 1")
    groups = _groups(document, by)
    if len(groups) <= len(shares):
        what = "pictures" if by is None else f"values of {by!r}"
        raise ConfigError(
            f"{document.path} has {len(groups)} {what}, too few for {len(shares) + 1} parts"
        )
    random.Random(seed).shuffle(groups)
    parts = _deal(groups, _labels(document), {"train": 1 - sum(shares.values()), **shares})
    place = {id(record): i for i, record in enumerate(document.images)}
    return {name: sorted(part, key=lambda r: place[id(r)]) for name, part in parts.items()}


def _groups(document: CocoFile, by: str | None) -> list[Group]:
    """Records by `by`, else one a file name: a picture listed twice must not be in two parts."""
    found: dict[str, list[Row]] = {}
    for record in document.images:
        if "id" not in record or (by is not None and record.get(by) is None):
            name, field = record.get("file_name", "?"), "id" if "id" not in record else by
            raise ConfigError(f"{document.path}: image {name} has no field {field!r}")
        alone = (record.get("tar"), record.get("file_name", record["id"]))
        found.setdefault(str(alone if by is None else record[by]), []).append(record)
    return [tuple(records) for records in found.values()]


def _labels(document: CocoFile) -> dict[int, set[str]]:
    """What is to be shared out of each image record, by its `id()`."""
    held: dict[str, set[str]] = {}
    for row in document.annotations:
        labels = held.setdefault(str(row.get("image_id")), set())
        labels.add(f"category {row.get('category_id')}")
        if any((row.get("keypoints") or ())[2::3]):
            labels.add("keypoints")
    found: dict[int, set[str]] = {}
    for record in document.images:
        labels = {PICTURE, *held.get(str(record["id"]), {"nobody"})}
        if record.get("source") is not None:
            labels.add(f"source {record['source']}")
        found[id(record)] = labels
    return found


@dataclass(slots=True)
class _Part:
    """One part being filled: how much of each label it still lacks, and has."""

    lacks: dict[str, float]
    has: Counter[str]
    records: list[Row]

    def take(self, group: Group, counts: Counter[str]) -> None:
        self.records.extend(group)
        self.has += counts
        for label, count in counts.items():
            self.lacks[label] -= count


def _deal(
    groups: Sequence[Group], labels: Mapping[int, set[str]], shares: Mapping[str, float]
) -> dict[str, list[Row]]:
    """Iterative stratification (Sechidis et al., ECML 2011) of whole groups."""
    counts = [Counter(label for r in group for label in labels[id(r)]) for group in groups]
    total: Counter[str] = sum(counts, Counter())
    owners = Counter(label for count in counts for label in count)
    parts = {
        name: _Part({label: share * n for label, n in total.items()}, Counter(), [])
        for name, share in shares.items()
    }
    waiting = dict(enumerate(groups))
    for label in sorted(total, key=lambda known: (total[known], known)):
        if owners[label] == 1 and not label.startswith("category"):
            continue  # one group is no matter of shares
        # Large groups first: the small ones then fill what is left.
        having = sorted((i for i in waiting if counts[i][label]), key=lambda i: -counts[i][label])
        for left, i in zip(range(len(having), 0, -1), having, strict=True):
            part = _neediest(list(parts.values()), label, left, len(waiting))
            part.take(waiting.pop(i), counts[i])
    return {name: part.records for name, part in parts.items()}


def _neediest(parts: Sequence[_Part], label: str, left: int, waiting: int) -> _Part:
    """Who gets the next of `left` groups with `label`, and of `waiting` groups in all: one who has
    none where few are left.
    """
    empty = [part for part in parts if not part.records]
    without = [part for part in parts if not part.has[label]]
    chosen = parts
    if empty and waiting <= len(empty):
        chosen = empty
    elif without and left <= len(without):
        chosen = without
    return max(chosen, key=lambda part: (part.lacks[label], part.lacks[PICTURE]))
