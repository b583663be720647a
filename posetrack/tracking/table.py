"""The memory of a tracker: one row a track, and how rows change when people are seen or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from posetrack.geometry import transform_points
from posetrack.tracking.association import People
from posetrack.tracking.camera import zoom
from posetrack.tracking.looks import remembered
from posetrack.tracking.motion import (
    ConstantVelocity,
    body_velocity,
    from_centres,
    person_sizes,
    to_centres,
)
from posetrack.tracking.rows import Rows
from posetrack.tracking.rules import Rules
from posetrack.tracking.smoothing import Smoothed, one_euro
from posetrack.types import Bools, Floats, Ints

Doubles = npt.NDArray[np.float64]

_REFUSALS = 3  # one miss of the detector says little about a person it has seen


@dataclass(slots=True)
class TrackTable(Rows):
    """Everything known about T tracks, by rising id.

    Attributes:
        ids: (T,).
        born_s: (T,) on the tracker's own clock, like every time here.
        seen_s: (T,) when last seen.
        crop_until_s: (T,) until when a lost track may cost a pose estimate.
        confirmed_s: (T,) when a detection last agreed.
        refusals: (T,) runs of the detector since then.
        missing: (T,) frames since last seen, 0 = seen in the last frame.
        hits: (T,) frames seen.
        people: last seen poses.
        box_scores: (T,).
        velocity: (T, 2) px/s of the body.
        box: Kalman filters of the boxes, at the tracker's time.
        points: Kalman filters of the keypoints, T x K, at `seen_s`; T x 0 where nobody asks them.
        smooth: smoothed keypoints and box, the points of `smoothable`.
    """

    ids: Ints
    born_s: Doubles
    seen_s: Doubles
    crop_until_s: Doubles
    confirmed_s: Doubles
    refusals: Ints
    missing: Ints
    hits: Ints
    people: People
    box_scores: Floats
    velocity: Floats
    box: ConstantVelocity
    points: ConstantVelocity
    smooth: Smoothed

    @classmethod
    def start(
        cls, ids: Ints, people: People, box_scores: Floats, rules: Rules, now_s: float
    ) -> Self:
        """New tracks, seen now for the first time."""
        n = len(ids)
        centres = to_centres(people.boxes)
        return cls(
            ids,
            np.full(n, now_s),
            np.full(n, now_s),
            np.full(n, now_s),
            np.full(n, now_s),
            np.zeros(n, np.int64),
            np.zeros(n, np.int64),
            np.ones(n, np.int64),
            people,
            box_scores,
            np.zeros((n, 2), np.float32),
            ConstantVelocity.start(centres, person_sizes(centres), rules.noise),
            _point_filters(people, person_sizes(centres), rules),
            Smoothed.start(smoothable(people.keypoints, centres), now_s),
        )

    def seen_as(
        self, people: People, box_scores: Floats, rules: Rules, *, dt_s: float, now_s: float
    ) -> Self:
        """These tracks after they were seen as `people`; the filters of lost ones start anew.

        The box filters must have been predicted to `now_s`.
        """
        centres = to_centres(people.boxes)
        sizes = person_sizes(self.box.position)
        if rules.settings.box_motion == "none":
            box = ConstantVelocity.start(centres, sizes, rules.noise)
        else:
            box = self.box.corrected(centres, sizes, rules.noise)
        velocity = body_velocity(
            self.velocity,
            self.people.keypoints,
            people.keypoints,
            self.people.visible & people.visible,
            dt_s=now_s - self.seen_s,
            time_s=rules.settings.velocity_time_s,
        )
        people.looks = remembered(self.people.looks, people.looks)
        filtered = self.points
        if rules.settings.motion == "kalman":
            filtered = self._points_seen(people, sizes, rules, now_s)
        points = smoothable(people.keypoints, box.position)
        smooth = self._smoothed(people, points, velocity, sizes, rules, (dt_s, now_s))
        returned = self.missing > 0
        if returned.any():
            fresh = smoothable(people.keypoints, centres)[returned]
            smooth[returned] = Smoothed.start(fresh, now_s)
        return type(self)(
            self.ids,
            self.born_s,
            np.full(len(self), now_s),
            self.crop_until_s,
            self.confirmed_s,
            self.refusals,
            np.zeros(len(self), np.int64),
            self.hits + 1,
            people,
            box_scores,
            velocity,
            box,
            filtered,
            smooth,
        )

    def move(self, moved: Bools, people: People, rules: Rules) -> None:
        """Let the tracks `moved` (T,) stand, at rest, where `people` (M,) are.

        Where somebody went unseen says nothing about his speed.
        """
        centres = to_centres(people.boxes)
        self.people.keypoints[moved] = people.keypoints
        self.velocity[moved] = 0
        self.box[moved] = ConstantVelocity.start(centres, person_sizes(centres), rules.noise)

    def expected_points(self, dt_s: Doubles, rules: Rules) -> ConstantVelocity:
        """The filters of the keypoints `dt_s` (T,) after they were last seen."""
        sizes = person_sizes(self.box.position)
        return self.points.predicted(dt_s[:, None], sizes[:, None], rules.noise)

    def _points_seen(
        self, people: People, sizes: Doubles, rules: Rules, now_s: float
    ) -> ConstantVelocity:
        """The filters of the keypoints after those of `people` that are visible; of who returns
        they start anew.
        """
        points = self.expected_points(now_s - self.seen_s, rules).corrected(
            people.keypoints.astype(np.float64), sizes[:, None], rules.noise, seen=people.visible
        )
        returned = self.missing > 0
        if returned.any():
            points[returned] = _point_filters(people[returned], sizes[returned], rules)
        return points

    def _smoothed(
        self,
        people: People,
        points: Floats,
        velocity: Floats,
        sizes: Doubles,
        rules: Rules,
        time: tuple[float, float],
    ) -> Smoothed:
        """The smoothing state after `points`, or the points themselves where it is off."""
        settings, (dt_s, now_s) = rules.settings, time
        if settings.smoothing == "none":
            return Smoothed(points, self.smooth.speeds, self.smooth.seen_s)
        weights = None
        if settings.confidence_weighting:
            weights = np.ones(points.shape[:2], np.float32)
            sure = np.minimum(people.scores / max(rules.visible, 1e-6), 1)
            weights[:, : sure.shape[1]] = sure * sure
        return one_euro(
            self.smooth,
            points,
            settings,
            dt_s=dt_s,
            now_s=now_s,
            person_px=sizes.astype(np.float32),
            weights=weights,
            shift=velocity * np.float32(dt_s),
        )

    def follow_camera(self, matrix: Doubles) -> None:
        """Everything known, as it would be if the camera had stood where it is now."""
        turn, growth = matrix[:, :2].T, zoom(matrix)
        people, box, smooth = self.people, self.box, self.smooth
        people.keypoints = transform_points(people.keypoints, matrix)
        centres = to_centres(people.boxes)
        centres[:, :2] = transform_points(centres[:, :2], matrix)
        centres[:, 2:] *= growth
        people.boxes, people.areas = from_centres(centres), people.areas * np.float32(growth**2)
        self.velocity = np.asarray(self.velocity @ turn, np.float32)
        box.position[:, :2] = box.position[:, :2] @ turn + matrix[:, 2]
        box.position[:, 2:] *= growth
        box.velocity[:, :2] = box.velocity[:, :2] @ turn
        box.velocity[:, 2:] *= growth
        for each in (box, self.points):
            each.spread, each.coupling = each.spread * growth**2, each.coupling * growth**2
            each.speed_spread = each.speed_spread * growth**2
        self.points.position = self.points.position @ turn + matrix[:, 2]
        self.points.velocity = self.points.velocity @ turn
        smooth.points[:, :-2] = transform_points(smooth.points[:, :-2], matrix)
        smooth.points[:, -2:] *= np.float32(growth)
        smooth.speeds[:, :-2] = smooth.speeds[:, :-2] @ turn
        smooth.speeds[:, -2:] *= np.float32(growth)

    def confirm(self, confirmed: Bools, now_s: float) -> None:
        """Note which tracks a detection of this frame agreed with."""
        self.refusals = np.where(confirmed, 0, self.refusals + 1)
        self.confirmed_s = np.where(confirmed, now_s, self.confirmed_s)

    def lose(self, unmatched: Bools, rules: Rules, now_s: float) -> None:
        """Note who was not seen, or only where the detector sees nobody again and again."""
        settings = rules.settings
        doubtful = (self.refusals >= _REFUSALS).any()
        if not doubtful and not unmatched.any():
            return
        first = unmatched & (self.missing == 0)
        self.crop_until_s[first] = self.seen_s[first] + settings.lost_crop_s
        if doubtful and settings.max_undetected_s is not None:
            refused = (self.refusals >= _REFUSALS) & (self.missing == 0)
            refused &= now_s - self.confirmed_s > settings.max_undetected_s
            if refused.any():
                # Only a detection can bring it back: its own guess would confirm itself.
                self.crop_until_s[refused] = -np.inf
                first, unmatched = first | refused, unmatched | refused
        self.missing[unmatched] += 1
        if settings.box_motion == "translation" and first.any():
            # At the edge of an obstacle the visible box shrinks: its filter says nothing about
            # where the person goes.
            self.box.velocity[first] = 0
            self.box.velocity[first, :2] = self.velocity[first]

    def surviving(self, rules: Rules, now_s: float, embedded: Bools | None = None) -> Bools:
        """(T,) all but those unseen for too long, and those missed before they were shown.

        `embedded` (T,) are those a re-identification model would know again.
        """
        settings, unseen = rules.settings, self.missing > 0
        if not unseen.any():
            return ~unseen
        known = (self.people.looks[..., 4] > 0).any(axis=1)
        if embedded is not None:
            known |= embedded
        patience_s = np.where(
            known, max(settings.revive_s, settings.max_missing_s), settings.max_missing_s
        )
        over = now_s - self.seen_s > patience_s + 1e-9
        return np.asarray(~(unseen & (over | (self.hits < settings.birth_frames))))


def _point_filters(people: People, sizes: Doubles, rules: Rules) -> ConstantVelocity:
    """A filter for each keypoint of `people`, or none for any where the motion is another one."""
    count = people.keypoints.shape[1] if rules.settings.motion == "kalman" else 0
    points = people.keypoints[:, :count].astype(np.float64)
    return ConstantVelocity.start(points, sizes[:, None], rules.noise)


def smoothable(keypoints: Floats, centres: Doubles) -> Floats:
    """(N, K + 3, 2): keypoints, box centre, (width, 0), (height, 0).

    A side as a point of one axis has the absolute value of its speed as norm, so a shrinking box
    raises its cutoff just as a growing one does.
    """
    points = np.zeros((len(centres), keypoints.shape[1] + 3, 2), np.float32)
    points[:, :-3] = keypoints
    points[:, -3] = centres[:, :2]
    points[:, -2:, 0] = centres[:, 2:]
    return points
