"""Parts that share no picture and no group, and have their share of everything."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import sets
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.datasets.coco import CocoFile
from posetrack.datasets.split import split
from posetrack.errors import ConfigError


def build(labels: list[list[int]], **fields: list[Any]) -> CocoFile:
    """One picture for each list of category ids."""
    images = [
        sets.picture(i) | {name: values[i] for name, values in fields.items()}
        for i in range(len(labels))
    ]
    rows = [
        {"id": 100 * i + k, "image_id": i, "category_id": label, "bbox": [1, 1, 9, 9]}
        for i, held in enumerate(labels)
        for k, label in enumerate(held)
    ]
    return sets.document(rows, images, [{"id": i, "name": str(i)} for i in range(4)])


def ids(part: list[dict[str, Any]]) -> list[int]:
    return [record["id"] for record in part]


@settings(max_examples=25, deadline=None)
@given(
    labels=st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=3, max_size=40),
    seed=st.integers(0, 9),
    val=st.floats(0.05, 0.6),
)
def test_every_picture_is_in_one_part_and_rare_classes_are_in_all(
    labels: list[list[int]], seed: int, val: float
) -> None:
    file = build(labels)
    parts = split(file, {"val": val, "test": 0.1}, seed=seed)
    assert sorted(i for part in parts.values() for i in ids(part)) == list(range(len(labels)))
    assert all(ids(part) == sorted(ids(part)) and part for part in parts.values())
    having = Counter(label for held in labels for label in set(held))
    for label, count in having.items():
        places = {n for n, part in parts.items() for i in ids(part) if label in labels[i]}
        alone = [held for held in labels if label in held]
        if count >= 3 and len(having) == 1 and all(set(held) == {label} for held in alone):
            assert places == {"train", "val", "test"}


def test_shares_are_kept_for_each_class_and_source() -> None:
    labels = [[0], [0, 1], [2], []] * 50
    file = build(labels, source=["a", "a", "a", "b", "b"] * 40)
    parts = split(file, {"val": 0.2})
    assert [len(parts[name]) for name in ("train", "val")] == [160, 40]
    held = Counter(label for i in ids(parts["val"]) for label in labels[i] or [-1])
    assert all(
        abs(count - want) <= 2
        for count, want in zip((held[0], held[1], held[2], held[-1]), (20, 10, 10, 10), strict=True)
    )
    assert abs(sum(r["source"] == "b" for r in parts["val"]) - 16) <= 2


def test_a_seed_gives_the_same_split_and_another_seed_another() -> None:
    file = build([[0]] * 60)
    first, again, other = (split(file, {"val": 0.2}, seed=s)["val"] for s in (3, 3, 4))
    assert ids(first) == ids(again) != ids(other)


def test_groups_stay_whole_even_when_one_is_large() -> None:
    videos = ["long"] * 60 + ["short"] * 8 + ["tiny"] * 3
    file = build([[0]] * 71, video=videos)
    parts = split(file, {"val": 0.1}, by="video")
    where = {name: {r["video"] for r in part} for name, part in parts.items()}
    assert not where["train"] & where["val"]
    assert "long" in where["train"]
    assert where["val"]


def test_a_picture_that_is_listed_twice_stays_on_one_side() -> None:
    file = build([[0]] * 40)
    for record in file.images:
        record["file_name"] = f"{record['id'] // 2}.png"
    parts = split(file, {"val": 0.3})
    assert not {r["file_name"] for r in parts["train"]} & {r["file_name"] for r in parts["val"]}


@pytest.mark.parametrize(
    ("shares", "by", "reason"),
    [
        ({"val": 0.0}, None, "leave nothing"),
        ({"val": 0.6, "test": 0.5}, None, "leave nothing"),
        ({"val": 0.1}, "video", "image 0.png has no field 'video'"),
        ({"val": 0.1}, "width", "has 1 values of 'width', too few for 2 parts"),
    ],
)
def test_splits_that_cannot_be(shares: dict[str, float], by: str | None, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        split(build([[0]] * 5), shares, by=by)


def test_a_file_written_from_a_part_holds_its_annotations_only(tmp_path: Path) -> None:
    file = build([[0, 1], [2], [3]])
    part = file.with_images(file.images[1:2])
    assert [row["id"] for row in part["annotations"]] == [100]
    assert part["categories"] == file.categories
