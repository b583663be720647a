"""COCO-format annotations: people and boxes with their pictures."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.datasets.images import ImageStore
from posetrack.datasets.stores import Stores
from posetrack.datasets.wholebody import gather_parts
from posetrack.errors import ConfigError
from posetrack.geometry import xywh_to_xyxy
from posetrack.skeletons import Skeleton, load_skeleton, skeleton_names
from posetrack.types import Floats, Image

FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
"""What the rows of ``pseudo_face`` are."""

AREA_OF_BOX = 0.53
"""Share of the box that a person fills, where no area is given (as xtcocotools takes it)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image record; `fields` keeps what else the file says of it."""

    store: ImageStore
    name: str
    size: tuple[int, int]
    source: str
    fields: dict[str, Any]

    def load(self) -> Image:
        """The picture, BGR uint8."""
        return self.store.read(self.name)


@dataclass(frozen=True, slots=True)
class Person:
    """One annotated person.

    Attributes:
        picture: where they are.
        box: (4,) xyxy.
        keypoints: (K, 2) px.
        weights: (K,) 0 where the joint is not annotated, up to 1 where it is certain.
        area: px^2, for OKS.
        labelled: (K,) annotated truth, without pseudo labels.
        row: the annotation as the file has it.
        space: (K, 3) metres in the camera's frame, z 0 where not known; None without any.
    """

    picture: Picture
    box: Floats
    keypoints: Floats
    weights: Floats
    area: float
    labelled: Floats
    row: dict[str, Any] = field(default_factory=dict)
    space: Floats | None = None


@dataclass(frozen=True, slots=True)
class Annotations:
    """One COCO-format file with its pictures."""

    path: Path
    pictures: dict[int, Picture]
    rows: dict[int, list[dict[str, Any]]]
    keypoint_names: tuple[str, ...]
    categories: dict[int, str]

    @classmethod
    def read(
        cls, path: Path, images: Path | None = None, *, root: Path | None = None
    ) -> Annotations:
        """Parse `path`; pictures are in `images` (folder or tar), or where `Stores` finds them.

        Raises:
            ConfigError: no such file, not COCO's format, or no pictures where they were looked for.
        """
        if not path.is_file():
            raise ConfigError(f"no annotations at {path}: check the path")
        try:
            data = json.loads(path.read_bytes())
            names = tuple(data["categories"][0].get("keypoints", ()))
            categories = {int(c.get("id", 1)): str(c.get("name", "")) for c in data["categories"]}
            records = {record["id"]: _Record(record) for record in data["images"]}
            rows: dict[int, list[dict[str, Any]]] = {key: [] for key in records}
            for row in data["annotations"]:
                _, _, _, _ = row["bbox"]
                row["keypoints"] = _flat(row.get("keypoints"))
                if row["image_id"] in rows:
                    rows[row["image_id"]].append(row)
            names = gather_parts(names, [row for each in rows.values() for row in each])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ConfigError(f"{path} is not a COCO annotation file: {reason}") from error
        stores = Stores(path, [record.fields for record in records.values()], images, root=root)
        pictures = {}
        for key, record in records.items():
            store = stores.store(record.fields)
            if store is None:
                raise ConfigError(
                    f"the pictures of {path} are not beside it ({record.name} is not): name their "
                    "folder or uncompressed tar as images"
                )
            source = str(record.fields.get("source", path.stem))
            pictures[key] = Picture(store, record.name, record.size, source, record.fields)
        return cls(path, pictures, rows, names, categories)

    def people(
        self,
        skeleton: Skeleton,
        *,
        pseudo_weight: float = 0.0,
        rename: Mapping[str, str] | None = None,
    ) -> Iterator[Person]:
        """People with at least one keypoint of `skeleton`, see `columns`.

        Args:
            pseudo_weight: weight of machine-made joints (``pseudo_kp``, ``pseudo_face``); 0
                leaves them out, as evaluation must.
            rename: what keypoints of this file are called in the skeleton.
        """
        columns = self.columns(skeleton, rename)
        count = len(self._own_names(skeleton))
        for key, picture in self.pictures.items():
            for row in self.rows[key]:
                if len(row.get("keypoints") or ()) not in (0, 3 * count):
                    raise ConfigError(
                        f"{self.path}: a person in {picture.name} has {len(row['keypoints'])} "
                        f"numbers as keypoints, {count} names need three each"
                    )
                person = _person(picture, row, columns, skeleton, pseudo_weight)
                if person is not None:
                    yield person

    def columns(
        self, skeleton: Skeleton, rename: Mapping[str, str] | None = None
    ) -> list[tuple[int, int]]:
        """Where keypoints of the file are in `skeleton`: (index there, index here), by name.

        Names may be the skeleton's `aliases`. Where the file names none, its keypoints are those of
        `skeleton` if the number fits, else those of the only built-in set of that number.

        Raises:
            ConfigError: no keypoint of the file is in `skeleton`, or `rename` names none.
        """
        own = self._own_names(skeleton)
        for theirs, ours in (rename or {}).items():
            _require(theirs, own, str(self.path))
            _require(ours, skeleton.keypoints, f"skeleton {skeleton.name!r}")
        names = [(rename or {}).get(name, skeleton.own_name(name)) for name in own]
        found = [
            (i, skeleton.keypoints.index(n)) for i, n in enumerate(names) if n in skeleton.keypoints
        ]
        if not found:
            named = ", ".join(names[:4]) or "none"
            raise ConfigError(
                f"{self.path} names no keypoint of skeleton {skeleton.name!r} "
                f"({', '.join(skeleton.keypoints[:4])}, ...) but {named}: name them in categories"
            )
        return found

    def _own_names(self, skeleton: Skeleton) -> tuple[str, ...]:
        """The file's keypoint names, or those it must mean where it has none."""
        if self.keypoint_names:
            return self.keypoint_names
        sizes = (len(row["keypoints"]) // 3 for rows in self.rows.values() for row in rows)
        count = max(sizes, default=0)
        if count == len(skeleton):
            return skeleton.keypoints
        sets = [known for known in map(load_skeleton, skeleton_names()) if len(known) == count]
        return sets[0].keypoints if len(sets) == 1 else ()


def _require(name: str, known: Sequence[str], where: str) -> None:
    """Raise ConfigError where a keypoint is not among those of a file or a skeleton."""
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
        raise ConfigError(f"keypoints: {where} has no keypoint {name!r}: {hint}")


def _flat(keypoints: Any) -> list[float]:
    """Keypoints as COCO writes them, of a file that groups them by three or has none."""
    given = keypoints or []
    return (
        [value for point in given for value in point]
        if given and isinstance(given[0], list)
        else given
    )


class _Record:
    """One entry of ``images``; a missing field is a KeyError here, not later."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.name = str(fields["file_name"])
        self.size = (int(fields["width"]), int(fields["height"]))


def _person(
    picture: Picture,
    row: dict[str, Any],
    columns: list[tuple[int, int]],
    skeleton: Skeleton,
    pseudo_weight: float,
) -> Person | None:
    if row.get("iscrowd") or not row.get("keypoints") or min(row["bbox"][2:]) <= 1:
        return None
    if not row.get("num_keypoints", 1):
        return None
    given = np.asarray(row["keypoints"], np.float32).reshape(-1, 3)
    keypoints = np.zeros((len(skeleton), 2), np.float32)
    weights = np.zeros(len(skeleton), np.float32)
    pseudo = bool(row.get("pseudo_kp"))
    confidence = np.asarray(row.get("kp_conf", np.ones(len(given))), np.float32)
    for i, j in columns:
        if given[i, 2] > 0:
            keypoints[j] = given[i, :2]
            weights[j] = pseudo_weight * min(1.0, 0.4 + confidence[i]) if pseudo else 1.0
    labelled = np.zeros_like(weights) if pseudo else (weights > 0).astype(np.float32)
    face = row.get("pseudo_face") if pseudo_weight else None
    for name, (x, y, sure) in zip(FACE, np.reshape(face, (-1, 3)) if face else (), strict=False):
        j = skeleton.keypoints.index(name) if name in skeleton.keypoints else -1
        if j >= 0 and sure > 0 and weights[j] == 0:
            keypoints[j], weights[j] = (x, y), 0.6 * pseudo_weight
    if not weights.any():
        return None
    box = xywh_to_xyxy(row["bbox"])[0]
    area = person_area(row)
    space = _space(row, columns, len(skeleton))
    return Person(picture, box, keypoints, weights, area, labelled, row, space)


def person_area(row: dict[str, Any]) -> float:
    """px^2 of an annotated person, of the box's where the file has no areas (CrowdPose)."""
    return float(row.get("area") or AREA_OF_BOX * np.prod(row["bbox"][2:]))


def _space(row: dict[str, Any], columns: list[tuple[int, int]], count: int) -> Floats | None:
    """(count, 3) metres of ``keypoints_3d``, three numbers a keypoint of the file."""
    if not row.get("keypoints_3d"):
        return None
    given = np.asarray(row["keypoints_3d"], np.float32).reshape(-1, 3)
    space = np.zeros((count, 3), np.float32)
    for i, j in columns:
        space[j] = given[i]
    return space


def depths_from_root(space: Floats | None, skeleton: Skeleton) -> tuple[Floats, Floats]:
    """Depths (K,) in metres from the root of `skeleton`, and (K,) 1 where they are known.

    Nothing is known of anybody whose root is not.
    """
    k = len(skeleton)
    root = list(skeleton.root)
    if space is None or not (space[root, 2] > 0).all():
        return np.zeros(k, np.float32), np.zeros(k, np.float32)
    known = (space[:, 2] > 0).astype(np.float32)
    return (space[:, 2] - space[root, 2].mean()) * known, known
