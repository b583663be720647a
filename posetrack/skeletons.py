"""Keypoint sets: what the K points of a pose are, how they mirror and how they connect."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posetrack.errors import ConfigError

DEFAULT_SIGMA = 0.05
"""Sigma of a keypoint whose set publishes none (about the mean of the COCO face and feet)."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """One keypoint set.

    Attributes:
        name: e.g. ``coco``.
        keypoints: K names, in order.
        flip_pairs: index pairs that swap when an image is mirrored; the left one first, unless
            the names tell otherwise.
        limbs: index pairs to draw.
        sigmas: K OKS sigmas (COCO's ``k_i / 2``), COCO evaluation convention.
        upper: indices of the upper body (for half-body augmentation).
        lower: indices of the lower body.
        weights: K training weights.
        aliases: other names of keypoints and what they are called here.
    """

    name: str
    keypoints: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...] = ()
    limbs: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()
    upper: tuple[int, ...] = ()
    lower: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        k = len(self.keypoints)
        if not k:
            raise ConfigError(f"skeleton {self.name!r} has no keypoints: name at least one")
        if not self.sigmas:
            object.__setattr__(self, "sigmas", (DEFAULT_SIGMA,) * k)
        if not self.weights:
            object.__setattr__(self, "weights", (1.0,) * k)
        indices = [i for pair in (*self.flip_pairs, *self.limbs) for i in pair]
        indices += [*self.upper, *self.lower]
        if any(not 0 <= i < k for i in indices):
            raise ConfigError(f"skeleton {self.name!r} names an index outside its {k} keypoints")
        if len(self.sigmas) != k or len(self.weights) != k:
            raise ConfigError(
                f"skeleton {self.name!r} needs {k} sigmas and weights, one a keypoint"
            )

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        return f"Skeleton({self.name!r}, K={len(self)})"

    @property
    def flip_order(self) -> npt.NDArray[np.int64]:
        """(K,) index array that mirrors keypoints: ``mirrored = keypoints[:, flip_order]``."""
        order = np.arange(len(self))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return order

    def own_name(self, name: str) -> str:
        """What the keypoint `name` of a file is called here: `name` itself unless an alias."""
        return dict(self.aliases).get(name, name)

    @property
    def root(self) -> tuple[int, ...]:
        """Keypoints whose middle depths are measured from: the hips, a pelvis, else the first."""
        for names in (("left_hip", "right_hip"), ("pelvis",), ("root",), ("hip",)):
            if set(names) <= set(self.keypoints):
                return tuple(self.keypoints.index(name) for name in names)
        return (0,)

    @property
    def sides(self) -> tuple[str, ...]:
        """``left``, ``right`` or ``middle`` for each keypoint, from the flip pairs."""
        side = ["middle"] * len(self)
        for left, right in self.flip_pairs:
            name = self.keypoints[left].lower()
            # Several published sets list the right one first, and all that number a face's points
            # do: they begin at the jaw on the left of the picture.
            if "right" in name or _NUMBERED_FACE.search(name):
                left, right = right, left
            side[left], side[right] = "left", "right"
        return tuple(side)


_NUMBERED_FACE = re.compile(r"(^|_)(face|kpt)-\d+$")

SKELETON_FILES = frozenset({".json", ".yaml", ".yml"})
"""How a keypoint set of one's own ends."""


@cache
def _builtin() -> dict[str, dict[str, Any]]:
    text = resources.files("posetrack").joinpath("skeletons.json").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def skeleton_names() -> tuple[str, ...]:
    """Names of the built-in keypoint sets."""
    return tuple(sorted(_builtin()))


@cache
def load_skeleton(name: str) -> Skeleton:
    """A built-in set by name, or one read from a .json/.yaml file.

    Raises:
        ConfigError: unknown name (with the nearest ones) or a bad file.
    """
    if name in _builtin():
        return _from_mapping(name, _builtin()[name])
    path = Path(name)
    if path.suffix in SKELETON_FILES:
        if not path.is_file():
            raise ConfigError(f"skeleton file {name} not found: check the path")
        from posetrack.documents import read_yaml

        try:
            loaded, _ = read_yaml(path.read_text("utf-8"), name=name)
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(f"skeleton file {name} cannot be read: {problem}") from problem
        if not isinstance(loaded, dict) or not isinstance(loaded.get("keypoints"), list):
            raise ConfigError(f"skeleton file {name} has no 'keypoints' list of names")
        try:
            return _from_mapping(str(loaded.get("name", path.stem)), loaded)
        except (TypeError, ValueError, OverflowError) as problem:
            if isinstance(problem, ConfigError):
                raise
            raise ConfigError(
                f"skeleton file {name}: limbs, flip_pairs, upper and lower are indices, sigmas and "
                f"weights numbers ({problem})"
            ) from problem
    near = get_close_matches(name, skeleton_names(), 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(skeleton_names())}"
    raise ConfigError(f"no skeleton named {name!r}: {hint}")


def _from_mapping(name: str, data: dict[str, Any]) -> Skeleton:
    return Skeleton(
        name=name,
        keypoints=tuple(map(str, data["keypoints"])),
        flip_pairs=tuple((int(a), int(b)) for a, b in data.get("flip_pairs", ())),
        limbs=tuple((int(a), int(b)) for a, b in data.get("limbs", ())),
        sigmas=tuple(map(float, data.get("sigmas", ()))),
        upper=tuple(map(int, data.get("upper", ()))),
        lower=tuple(map(int, data.get("lower", ()))),
        weights=tuple(map(float, data.get("weights", ()))),
        aliases=tuple((str(a), str(b)) for a, b in data.get("aliases", {}).items()),
    )
