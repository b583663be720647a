"""The tracker: what to look at in a frame, and who is who afterwards."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from posetrack.errors import ConfigError
from posetrack.geometry import clip_boxes
from posetrack.skeletons import Skeleton
from posetrack.tracking.association import (
    People,
    load_solver,
    read_people,
    strong,
)
from posetrack.tracking.camera import CameraMotion
from posetrack.tracking.embeddings import Embed, Embeddings
from posetrack.tracking.looks import broad_limbs, nothing
from posetrack.tracking.matching import Expected, column_of, match
from posetrack.tracking.motion import ConstantVelocity, from_centres, person_sizes
from posetrack.tracking.propagation import LOST, SEEN, Proposals, merge_proposals
from posetrack.tracking.revival import Revival
from posetrack.tracking.rules import Rules
from posetrack.tracking.selection import chosen_ids
from posetrack.tracking.settings import TrackerSettings
from posetrack.tracking.smoothing import SmootherById
from posetrack.tracking.table import TrackTable
from posetrack.types import Bools, Detections, Floats, Image, Ints, Poses, Tracks

_NOMINAL_DT_S = 1 / 30
_PERSON_M = 1.7
"""How large a person is; the speed of depths is measured in it."""


class Tracker:
    """Turns poses of single frames into people with lasting ids, for one stream.

    A frame takes `propose`, a pose network, and `update`. Time may be uneven; where it stands
    still or goes back, the frame counts as following the last one at the last known interval, and
    tracks live on. Not for use by two threads at once.

    Args:
        settings: with thresholds `resolved` from the model cards.
        skeleton: what the poses' keypoints are.
        embed: a re-identification model, by which lost people are known again.

    Raises:
        ConfigError: no keypoint threshold, or sigmas of another keypoint set; with `embed`, no
            similarity, or nobody who may be known again.
    """

    def __init__(
        self, settings: TrackerSettings, skeleton: Skeleton, embed: Embed | None = None
    ) -> None:
        if embed is not None:
            _check_reid(settings)
        self.settings = settings
        self.skeleton = skeleton
        self._embed = embed
        self._rules = Rules.of(settings, skeleton)
        self._only = chosen_ids(settings.select)
        self._looks = _looks_matter(settings)
        self._limbs = broad_limbs(skeleton) if self._looks else np.zeros((0, 2), np.int64)
        self._next_id = 1
        self._soon: tuple[float, Expected] | None = None
        self.reset()

    def retune(self, settings: TrackerSettings) -> None:
        """Go on with other settings; everybody known stays known.

        Raises:
            ConfigError: as for a new tracker, or a setting that the memory of the old one was
                made for (see `restart_for`).
        """
        if name := restart_for(self.settings, settings):
            raise ConfigError(f"{name} cannot change while people are followed: start anew")
        if self._embed is not None:
            _check_reid(settings)
        rules = Rules.of(settings, self.skeleton)
        self.settings, self._rules = settings, rules
        self._soon = None
        self._only = chosen_ids(settings.select)

    @property
    def next_id(self) -> int:
        """The id of the next person."""
        return self._next_id

    def number_from(self, first_id: int) -> None:
        """Give no id below this from now on: those of a tracker before this one stay its own."""
        self._next_id = max(self._next_id, first_id)

    def warm_up(self) -> None:
        """Load what two people who compete will need; a live run has no time for it then."""
        if self.settings.assignment == "optimal":
            load_solver()

    def reset(self) -> None:
        """Forget everybody; ids go on, so that none is used twice."""
        k = len(self.skeleton)
        self._camera = CameraMotion() if self.settings.camera_motion == "follow" else None
        self._embeddings: Embeddings | None = None
        if self._embed is not None:
            self._embeddings = Embeddings(self._embed, self.settings.reid_every_s)
        self._smooth_depths = SmootherById()
        self._now_s = 0.0
        self._soon = None
        self._dt_s = 1.0 if self.settings.clock == "frames" else _NOMINAL_DT_S
        self._last_t_s: float | None = None
        self._recent: deque[Tracks] = deque(maxlen=self.settings.history)
        nobody = Poses.empty(self.skeleton)
        people = People(
            nobody.keypoints,
            nobody.scores,
            nobody.boxes,
            np.zeros((0, k), dtype=np.bool_),
            nobody.box_scores,
            np.zeros((0, 4), np.float32),
            nothing(0, len(self._limbs)),
        )
        self._table = self._born(people, nobody.box_scores)

    def follow_camera(self, image: Image) -> None:
        """Take everybody along when the camera moved to this frame, before `propose`.

        Does nothing unless ``settings.camera_motion`` wants it.
        """
        if self._camera is None:
            return
        matrix = self._camera(image, self._table.people.boxes)
        if len(self._table) and not np.array_equal(matrix, np.eye(2, 3)):
            self._table.follow_camera(matrix)
            self._soon = None

    def propose(
        self, detections: Detections | None, *, t_s: float, size: tuple[int, int]
    ) -> Proposals:
        """The boxes to estimate poses in. Changes nothing in the tracker.

        Args:
            detections: of this frame; None where the detector did not run.
            t_s: media time of the frame.
            size: (width, height) of the frame.

        Raises:
            ValueError: a time that is no number.
        """
        table, dt_s = self._table, self._interval(t_s)
        expected = self._expected(dt_s)
        seen = expected.seen
        ranks = np.where(seen, SEEN, LOST)
        tracked = (clip_boxes(expected.people.boxes, size), table.box_scores, table.ids, ranks)
        lost = None
        if not seen.all():
            guesses = expected.boxes()
            lost = guesses[~seen & expected.alive]
            live = seen | (self._now_s + dt_s <= table.crop_until_s + 1e-9)
            boxes = np.where(seen[:, None], tracked[0], guesses)
            tracked = (boxes[live], table.box_scores[live], table.ids[live], ranks[live])
        return merge_proposals(detections, tracked, settings=self.settings, size=size, lost=lost)

    def update(
        self,
        poses: Poses,
        proposals: Proposals,
        *,
        t_s: float,
        size: tuple[int, int],
        image: Image | None = None,
    ) -> tuple[Tracks, Floats]:
        """The people seen in this frame by rising id, and their raw keypoints (N, K, 2).

        Args:
            poses: row-aligned with `proposals`.
            proposals: what `propose` returned for this frame.
            t_s: media time of the frame.
            size: (width, height) of the frame.
            image: the frame, (H, W, 3) BGR; without it nobody is known by looks.

        Raises:
            ValueError: poses of another keypoint set or number, a time that is no number.
        """
        if len(poses) != len(proposals) or poses.keypoints.shape[1] != len(self.skeleton):
            raise ValueError(
                f"{len(proposals)} proposals of {self.skeleton!r} need as many poses, got {poses!r}"
            )
        dt_s, rules = self._interval(t_s), self._rules
        expected, self._soon = self._expected(dt_s), None
        self._table.box = expected.box
        self._now_s, self._dt_s, self._last_t_s = self._now_s + dt_s, dt_s, t_s
        own = column_of(proposals.track_ids, self._table.ids)
        people, usable = read_people(
            poses,
            rules,
            size,
            fits=self._fits(own),
            detected=proposals.detected,
            limbs=self._limbs,
            image=image if self._looks else None,
        )
        row_of, left = match(people, usable, proposals.track_ids, own, tracks=expected, rules=rules)
        if self._embeddings is not None:
            somebody = left.copy()
            somebody[row_of[row_of >= 0]] = True
            sure = proposals.detected
            if proposals.detector_ran:
                sure = sure | proposals.confirmed
            self._embeddings.look(image, people.boxes, somebody, sure)
        if left.any():
            left &= strong(people, rules) & (proposals.track_ids < 0)
        if self.settings.revive_s:
            back = Revival(self._table, people, rules, self._now_s, self._embeddings)
            row_of, left = back.recognised(row_of, left, proposals.track_ids)
            row_of, left = back.revived(row_of, left)
            self._table = back.table
        row_of = self._see(people, row_of, proposals, poses.box_scores)
        if (least := self.settings.birth_detection) is not None:
            left &= poses.box_scores >= least
        if left.any():
            self._table = self._table.joined(self._born(people[left], poses.box_scores[left]))
            row_of = np.concatenate([row_of, left.nonzero()[0]])
        if self._embeddings is not None:
            self._embeddings.remember(self._table.ids, row_of, self._now_s)
        return self._result(poses, row_of)

    def history(self, track_id: int) -> list[Tracks]:
        """The last ``settings.history`` results, oldest first, reduced to one person."""
        return [tracks[tracks.ids == track_id] for tracks in self._recent]

    def _interval(self, t_s: float) -> float:
        """Seconds (or one frame) since the last update."""
        if not math.isfinite(t_s):
            raise ValueError(f"t_s is {t_s}: give the media time of the frame in seconds")
        if self.settings.clock == "frames" or self._last_t_s is None:
            return self._dt_s
        dt_s = t_s - self._last_t_s
        return dt_s if dt_s > 0 else self._dt_s

    def _fits(self, own: Ints) -> Floats:
        """(N, 4) of the tracks `own` (N,), NaN where that is -1."""
        if not len(self._table):
            return np.full((len(own), 4), np.nan, np.float32)
        fits = self._table.people.fits.take(own, axis=0)
        fits[own < 0] = np.nan
        return fits

    def _moved(self, dt_s: float) -> People:
        """The tracks' poses where they should be in `dt_s`."""
        table, settings, people = self._table, self.settings, self._table.people
        if settings.motion == "none" or not len(table):
            return people
        unseen_s = np.minimum(self._now_s - table.seen_s + dt_s, settings.motion_horizon_s)
        if settings.motion == "kalman":
            keypoints = table.expected_points(unseen_s, self._rules).position.astype(np.float32)
            shift = _mean_shift(keypoints - people.keypoints, people.visible)
        else:
            shift = table.velocity * unseen_s[:, None].astype(np.float32)  # (T, 2)
            keypoints = people.keypoints + shift[:, None]
        return People(
            keypoints,
            people.scores,
            (people.boxes.reshape(-1, 2, 2) + shift[:, None]).reshape(-1, 4),
            people.visible,
            people.areas,
            people.fits,
            people.looks,
        )

    def _predicted(self, dt_s: float) -> ConstantVelocity:
        """The box filters in `dt_s`."""
        box = self._table.box
        if self.settings.box_motion == "none":
            return box
        return box.predicted(dt_s, person_sizes(box.position), self._rules.noise)

    def _expected(self, dt_s: float) -> Expected:
        """The tracks as they should look in `dt_s`; kept until `update`."""
        if self._soon is not None and self._soon[0] == dt_s:
            return self._soon[1]
        table, box = self._table, self._predicted(dt_s)
        seen = table.missing == 0
        unseen_s = self._now_s + dt_s - table.seen_s
        alive = seen | (unseen_s <= self.settings.max_missing_s + 1e-9)
        expected = Expected(self._moved(dt_s), box, table.ids, seen, alive, table.hits, unseen_s)
        self._soon = (dt_s, expected)
        return expected

    def _born(self, people: People, box_scores: Floats) -> TrackTable:
        """New tracks with the next ids."""
        ids = np.arange(self._next_id, self._next_id + len(people), dtype=np.int64)
        self._next_id += len(people)
        return TrackTable.start(ids, people, box_scores, self._rules, self._now_s)

    def _see(self, people: People, row_of: Ints, proposals: Proposals, box_scores: Floats) -> Ints:
        """Bring every track to the present; the rows (T,) of those that live on."""
        table, now_s = self._table, self._now_s
        seen = np.flatnonzero(row_of >= 0)
        if len(seen):
            rows = row_of[seen]
            before = table if len(seen) == len(table) else table[seen]
            after = before.seen_as(
                people[rows], box_scores[rows], self._rules, dt_s=self._dt_s, now_s=now_s
            )
            if proposals.detector_ran:
                after.confirm(proposals.confirmed[rows], now_s)
            if before is table:
                self._table = table = after
            else:
                table[seen] = after
        if len(table):
            table.lose(row_of < 0, self._rules, now_s)
            if table.missing.any():
                known = None if self._embeddings is None else self._embeddings.known(table.ids)
                kept = table.surviving(self._rules, now_s, known)
                self._table, row_of = table[kept], row_of[kept]
        return row_of

    def _result(self, poses: Poses, row_of: Ints) -> tuple[Tracks, Floats]:
        """What is shown of this frame."""
        table, k = self._table, len(self.skeleton)
        shown = (table.missing == 0) & (table.hits >= self.settings.birth_frames)
        if self._only is not None:
            shown &= np.isin(table.ids, self._only)
        points, ids, born_s = table.smooth.points, table.ids, table.born_s
        if not shown.all():
            points, ids, born_s, row_of = points[shown], ids[shown], born_s[shown], row_of[shown]
        smoothed = Poses(
            points[:, :k].copy(),
            poses.scores[row_of],
            from_centres(np.concatenate([points[:, k], points[:, k + 1 :, 0]], axis=1)),
            poses.box_scores[row_of],
            self.skeleton,
            self._depths(poses, row_of, ids),
        )
        age_s = (self._now_s - born_s).astype(np.float32)
        tracks = Tracks(smoothed, ids.copy(), age_s, np.ones(len(ids), dtype=np.bool_))
        self._recent.append(tracks)
        return tracks, poses.keypoints[row_of]

    def _depths(self, poses: Poses, row_of: Ints, ids: Ints) -> Floats | None:
        """Depths (T, K) of the tracks `ids` (T,), smoothed as their keypoints are."""
        if poses.depths is None:
            return None
        depths = poses.depths[row_of]
        # A point of one axis: the filter's cutoff then follows the speed along it.
        return self._smooth_depths(
            ids,
            np.stack([depths, np.zeros_like(depths)], axis=-1),
            poses.scores[row_of],
            self.settings,
            dt_s=self._dt_s,
            now_s=self._now_s,
            person=np.full(len(ids), _PERSON_M, np.float32),
        )[..., 0].copy()


def restart_for(old: TrackerSettings, new: TrackerSettings) -> str | None:
    """The first setting that differs and that a tracker at work cannot take; None: it can all."""
    fixed = ("clock", "motion", "camera_motion", "history")
    for name in fixed:
        if getattr(old, name) != getattr(new, name):
            return name
    return None if _looks_matter(old) == _looks_matter(new) else "likeness_weight or revive_s"


def _looks_matter(settings: TrackerSettings) -> bool:
    return bool(settings.revive_s or settings.likeness_weight)


def _check_reid(settings: TrackerSettings) -> None:
    """Refuse a re-identification model that could not do anything."""
    if settings.reid_similarity is None:
        raise ConfigError(
            "reid_similarity is not known: set it, or take it from the model card with "
            "TrackerSettings.resolved()"
        )
    if not settings.revive_s:
        raise ConfigError(
            "revive_s is 0, so nobody would be known again by the re-identification model: set "
            "it (default 10), or leave the model out"
        )


def _mean_shift(moves: Floats, visible: Bools) -> Floats:
    """(T, 2) how far the visible of the keypoints (T, K, 2) go on average."""
    count = np.maximum(visible.sum(axis=1), 1)[:, None]
    return np.asarray((moves * visible[..., None]).sum(axis=1) / count, np.float32)
