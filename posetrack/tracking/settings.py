"""Every knob of the tracker with unit, default, range and effect: the one place of defaults."""

# ruff: noqa: RUF009 (the calls make dataclass fields)

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from posetrack.errors import ConfigError
from posetrack.tracking.selection import check_select

BIRTH = 1.44
"""How far above a keypoint's threshold the mean score of a new person is by default: what is
mistaken for a person has some keypoints that look real, but not on average."""

Clock: TypeAlias = Literal["seconds", "frames"]
PoseSimilarity: TypeAlias = Literal["oks", "iou"]
OksScale: TypeAlias = Literal["coco", "mmdeploy"]
Duplicates: TypeAlias = Literal["continuity", "score"]
Association: TypeAlias = Literal["oks", "iou", "mahalanobis"]
Assignment: TypeAlias = Literal["greedy", "optimal"]
Motion: TypeAlias = Literal["none", "constant_velocity", "kalman"]
Boxes: TypeAlias = Literal["fitted", "keypoints"]
BoxMotion: TypeAlias = Literal["none", "translation", "kalman"]
CameraMotion: TypeAlias = Literal["none", "follow"]
Smoothing: TypeAlias = Literal["one_euro", "none"]
SpeedUnit: TypeAlias = Literal["person", "pixels"]


_MOST = 1e9
"""Of settings without another limit; their squares are numbers still."""


def _number(
    default: float | None,
    text: str,
    *,
    unit: str = "",
    low: float = 0.0,
    high: float = _MOST,
    above: bool = False,
) -> Any:
    """A numeric field in [low, high], or (low, high] when `above`."""
    described = {"help": text, "unit": unit, "low": low, "high": high, "above": above}
    return field(default=default, metadata=described)


def _choice(default: str, text: str, alias: Any) -> Any:
    """A field that takes one of the words of the Literal `alias`."""
    return field(default=default, metadata={"help": text, "unit": "", "choices": get_args(alias)})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSettings:
    """How detections become people with lasting ids; `docs/tracking.md` is made from this class.

    Values are checked strictly here. pydantic validates the class where a file is read, in its
    JSON mode (``TypeAdapter(TrackerSettings).validate_json``), without being imported here.

    Raises:
        ConfigError: a value outside its range, or an unknown word.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    clock: Clock = _choice(
        "seconds",
        "what time is: media seconds, or frames, where every `_s` counts frames and every `_hz` "
        "is per frame (MMDeploy's way; ids and smoothing then depend on the frame rate)",
        Clock,
    )
    # which boxes the pose network sees
    detection_label: int | None = _number(
        None, "number of the class that is tracked; None: all that the detector returns"
    )
    detection_threshold: float | None = _number(
        None, "a detection counts above this score; None: all that the detector returns", high=1
    )
    detection_min_size_px: float = _number(
        0.0, "a detection counts from this square root of its area on", unit="px"
    )
    box_nms_iou: float = _number(
        0.7,
        "of a detection and a propagated box, or of two of either, that overlap this much only "
        "one goes to the pose network: seen track before detection before lost track, then the "
        "larger",
        unit="IoU",
        high=1,
        above=True,
    )
    max_boxes: int | None = _number(
        None, "people whose pose is estimated in a frame; None: no limit", unit="boxes", low=1
    )
    select: str = field(
        default="first",
        metadata={
            "help": "who those are: `first` the people followed already before new ones, then the "
            "larger; the `largest`; those nearest to the `center`, where a followed person keeps "
            "the place until another one is 1.2 times as large or as near. Or ids, `3` or "
            "`3,7`: everybody is followed, those are shown",
            "unit": "",
        },
    )
    boxes: Boxes = _choice(
        "fitted",
        "a person's box: as the detector last drew it around the keypoints, so that it holds head, "
        "hands and feet and each detection corrects it; or the extent of the visible keypoints "
        "grown by box_scale",
        Boxes,
    )
    redetect_iou: float = _number(
        0.3,
        "a detection that overlaps a seen track's box this much takes its place; boxes `fitted`",
        unit="IoU",
        high=1,
        above=True,
    )
    box_scale: float = _number(
        1.25, "growth of the extent of the visible keypoints into a box", unit="x", above=True
    )
    track_min_size_px: float = _number(
        0.0, "a propagated box is used above this square root of its area", unit="px"
    )
    lost_crop_s: float = _number(
        1.0,
        "a lost person's predicted box costs a pose estimate for this long; afterwards only a "
        "detection can bring the person back",
        unit="s",
    )
    # which poses count
    keypoint_threshold: float | None = _number(
        None,
        "a keypoint counts as visible from this score on; None: the model card's",
        low=0,
        high=1,
    )
    min_keypoints: int | None = _number(
        5,
        "visible keypoints a pose needs, at most all of the set; None: half of the set",
        unit="keypoints",
        low=1,
    )
    pose_nms: float = _number(
        0.5,
        "two poses this similar are one person",
        unit="OKS or IoU",
        high=1,
        above=True,
    )
    nested_oks: float | None = _number(
        0.2,
        "as pose_nms, where of two boxes one lies in the other: a figure drawn too large over a "
        "person shares only some of the limbs, and the one of the higher scores stays; None: no "
        "difference",
        unit="OKS",
        high=1,
    )
    pose_similarity: PoseSimilarity = _choice(
        "oks", "similarity of poses: of their keypoints, or of their boxes", PoseSimilarity
    )
    oks_scale: OksScale = _choice(
        "coco",
        "OKS as in COCO's evaluation (twice sigma, box area; keypoints visible in both poses), or "
        "as in MMDeploy (sigma, box diagonal, every keypoint)",
        OksScale,
    )
    keypoint_sigmas: Sequence[float] | None = field(
        default=None,
        metadata={"help": "OKS sigmas, one a keypoint; None: the keypoint set's", "unit": ""},
    )
    duplicates: Duplicates = _choice(
        "continuity",
        "which of two poses of one person stays: the one that continues its own track best, so "
        "that a crop that slipped onto a neighbour does not take the neighbour's id; or the one "
        "of the higher scores",
        Duplicates,
    )
    # whose pose it is
    association: Association = _choice(
        "oks",
        "similarity of poses and seen tracks: OKS of the keypoints, IoU of the boxes, or "
        "MMDeploy's gated distance",
        Association,
    )
    assignment: Assignment = _choice(
        "greedy", "pairs by falling similarity, or the best sum of all pairs", Assignment
    )
    match_oks: float = _number(
        0.2, "least similarity to a seen track, association `oks`", unit="OKS", high=1
    )
    match_iou: float = _number(
        0.4,
        "least overlap with the predicted box: the second chance of seen tracks, the only one of "
        "lost tracks",
        unit="IoU",
        high=1,
    )
    gate_time_s: float | None = _number(
        4.0,
        "time unseen in which match_oks and match_iou fall to half: who was not seen for long may "
        "be farther from where he is expected; None: they stay",
        unit="s",
        above=True,
    )
    birth_detection: float | None = _number(
        None,
        "score of the detection that a new person needs; weaker ones only confirm and bring back "
        "known people. None: the model card's",
        high=1,
    )
    birth_score: float | None = _number(
        None,
        "mean score of the visible keypoints that a new person, or the return of a lost one, "
        "needs; None: 1.44 times keypoint_threshold",
        high=1,
    )
    birth_frames: int = _number(
        1, "frames a new person must be seen in a row before it is shown", unit="frames", low=1
    )
    max_missing_s: float = _number(
        1.5, "a person unseen for longer is not looked for any more", unit="s"
    )
    likeness_weight: float = _number(
        0.3, "how much of a similarity to a seen track is what people wear; 0: nothing"
    )
    revive_s: float = _number(
        10.0,
        "until then somebody who appears within reach and wears the same is the same person; "
        "0: never",
        unit="s",
    )
    revive_likeness: float = _number(
        0.93, "least likeness, limb by limb, of what they wear", high=1
    )
    reid_every_s: float = _number(
        1.0,
        "with a re-identification model: a person who is followed is looked at this often at most",
        unit="s",
    )
    reid_similarity: float | None = _number(
        None,
        "least similarity of embeddings, which takes the place of revive_likeness where both "
        "people were seen well; None: the model card's",
        unit="cosine",
        high=1,
    )
    max_undetected_s: float | None = _number(
        1.5,
        "a track that three runs of the detector in a row did not confirm for this long is lost, "
        "however good its keypoints look; None: never",
        unit="s",
    )
    # where a person will be
    motion: Motion = _choice(
        "constant_velocity",
        "between frames keypoints stay, move on with the person's velocity, or each by a Kalman "
        "filter of its own, with the noise of the box",
        Motion,
    )
    velocity_time_s: float = _number(
        0.1, "time constant of the velocity's average", unit="s", above=True
    )
    motion_horizon_s: float = _number(
        0.3, "keypoints move on for at most this long", unit="s", above=True
    )
    box_motion: BoxMotion = _choice(
        "translation",
        "a lost person's box stays, moves on at its size, or moves and grows by its Kalman filter",
        BoxMotion,
    )
    box_noise: float = _number(
        0.05,
        "standard deviation of a measured box side or centre",
        unit="person sizes",
        above=True,
    )
    box_position_noise: float = _number(
        0.27, "random walk of the box", unit="person sizes/√s", above=True
    )
    box_velocity_noise: float = _number(
        1.0, "random walk of the box's velocity", unit="person sizes/s/√s", above=True
    )
    box_initial_speed: float = _number(
        1.9, "standard deviation of a new box's velocity", unit="person sizes/s", above=True
    )
    camera_motion: CameraMotion = _choice(
        "none",
        "`follow`: how the camera turns, zooms and shifts is measured where nobody is, and people "
        "are taken along; costs some milliseconds a frame",
        CameraMotion,
    )
    # what is shown
    smoothing: Smoothing = _choice("one_euro", "filter of keypoints and boxes", Smoothing)
    min_cutoff_hz: float = _number(
        1.5, "One-Euro cutoff at rest: lower is calmer and slower", unit="Hz", above=True
    )
    beta: float = _number(
        5.0,
        "rise of the cutoff with speed: higher follows fast motion more closely",
        unit="Hz per person size/s (or px/s)",
    )
    derivative_cutoff_hz: float = _number(
        2.0, "cutoff of the speed estimate", unit="Hz", above=True
    )
    speed_unit: SpeedUnit = _choice(
        "person",
        "speed in person sizes (square root of the box area), so that near and far people are "
        "smoothed alike, or in pixels",
        SpeedUnit,
    )
    confidence_weighting: bool = field(
        default=True,
        metadata={
            "help": "keypoints below keypoint_threshold pull less, and hold on to the person",
            "unit": "",
        },
    )
    smoothing_reset_s: float = _number(
        0.25, "a keypoint not visible for longer starts its filter anew", unit="s"
    )
    history: int = _number(1, "results that the tracker keeps", unit="frames", low=1)

    def __post_init__(self) -> None:
        for each in fields(self):
            value, meta = getattr(self, each.name), each.metadata
            if "choices" in meta and value not in meta["choices"]:
                words = ", ".join(meta["choices"])
                raise ConfigError(f"{each.name} is {value!r}: choose one of {words}")
            if "low" in meta and not (value is None and "None" in str(each.type)):
                _check_number(each.name, value, whole="int" in str(each.type), **meta)
        check_select(self.select)
        if not isinstance(self.confidence_weighting, bool):
            raise ConfigError(
                f"confidence_weighting is {self.confidence_weighting!r}: give true or false"
            )
        if self.keypoint_sigmas is not None:
            sigmas = tuple(self.keypoint_sigmas)
            if not sigmas or not all(isinstance(s, int | float) and 0 < s < 10 for s in sigmas):
                raise ConfigError("keypoint_sigmas: give positive numbers, one a keypoint")
            object.__setattr__(self, "keypoint_sigmas", sigmas)

    def resolved(
        self,
        *,
        keypoint_threshold: float,
        detection_threshold: float | None = None,
        birth_detection: float | None = None,
        reid_similarity: float | None = None,
    ) -> TrackerSettings:
        """These settings with what is None taken from the model cards."""
        threshold = self.keypoint_threshold
        threshold = keypoint_threshold if threshold is None else threshold
        chosen: dict[str, Any] = {"keypoint_threshold": threshold}
        if self.detection_threshold is None:
            chosen["detection_threshold"] = detection_threshold
        if self.birth_detection is None:
            chosen["birth_detection"] = birth_detection
        if self.reid_similarity is None:
            chosen["reid_similarity"] = reid_similarity
        if self.birth_score is None:
            chosen["birth_score"] = min(BIRTH * threshold, 1.0)
        return replace(self, **chosen)


def _check_number(
    name: str, value: Any, *, whole: bool, low: float, high: float, above: bool, **_: Any
) -> None:
    kinds = (int,) if whole else (int, float)
    inside_kind = isinstance(value, kinds) and not isinstance(value, bool)
    inside = inside_kind and (low < value if above else low <= value) and value <= high
    if not inside or (not math.isfinite(value)):
        kind = "a whole number" if whole else "a number"
        start = f"above {low:g}" if above else f"from {low:g}"
        limit = f" to {high:g}" if high < _MOST or (inside_kind and value > high) else " on"
        raise ConfigError(f"{name} is {value!r}: give {kind} {start}{limit}")


def settings_table() -> str:
    """A Markdown table of every setting: name, default, unit, effect."""
    lines = ["| setting | default | unit | effect |", "|---|---|---|---|"]
    for each in fields(TrackerSettings):
        words = each.metadata.get("choices")
        effect = each.metadata["help"] + (f" ({', '.join(words)})" if words else "")
        lines.append(f"| `{each.name}` | {each.default} | {each.metadata['unit']} | {effect} |")
    return "\n".join(lines) + "\n"
