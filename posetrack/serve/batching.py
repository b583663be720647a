"""One pose network for many streams: the crops of frames that are due together share its runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Protocol

import numpy as np

from posetrack.skeletons import Skeleton
from posetrack.types import Floats, Image, Poses

Request = tuple[Image, Floats, Floats]


class ManyEstimator(Protocol):
    """What can be shared, such as `posetrack.estimator.Estimator`."""

    @property
    def skeleton(self) -> Skeleton:
        """What the keypoints are."""
        ...

    @property
    def keypoint_threshold(self) -> float:
        """A keypoint counts as visible from this score on."""
        ...

    def many(self, requests: Sequence[Request]) -> list[Poses]:
        """The poses of several frames, in one batch."""
        ...

    def close(self) -> None:
        """Free the network."""
        ...


class SharedEstimator:
    """A pose network in threads of its own, called by many threads as if each had it alone.

    While batches run, the frames of other streams queue up and become the next batch, so under load
    batches form by themselves. A second copy of the network cuts crops and reads answers while the
    first computes. `wait_s` holds a batch open for more; that costs every
    frame so much latency and pays only where a run costs much the same for any number of people,
    as on a GPU.

    Where a batch fails its frames are tried one by one, so that one stream's bad frame is no
    other's failure.

    Args:
        copies: of the network, each with a thread of its own; closed with this.
        wait_s: how long the first frame of a batch waits for others.
        max_boxes: people from which on a batch is full; one frame is never split for it.
        on_batch: told the frames and people of each run.
    """

    def __init__(
        self,
        *copies: ManyEstimator,
        wait_s: float = 0.0,
        max_boxes: int = 16,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> None:
        first = copies[0]
        self.skeleton, self.keypoint_threshold = first.skeleton, first.keypoint_threshold
        self.card = getattr(first, "card", None)
        self.users = 0
        self._copies, self._wait_s, self._max_boxes = copies, wait_s, max_boxes
        self._on_batch = on_batch
        self._waiting: deque[tuple[Request, Future[Poses]]] = deque()
        self._changed = Condition()
        self._closed = False
        self._threads = [
            Thread(target=self._serve, args=(copy,), name="pose-batches", daemon=True)
            for copy in copies
        ]
        for thread in self._threads:
            thread.start()

    def __call__(self, image: Image, boxes: Floats, *, box_scores: Floats) -> Poses:
        """The poses of one frame; blocks until its batch has run."""
        if not len(boxes):
            return Poses.empty(self.skeleton)
        request = (image, np.asarray(boxes, np.float32), np.asarray(box_scores, np.float32))
        answer: Future[Poses] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the shared pose network is closed")
            self._waiting.append((request, answer))
            self._changed.notify()
        return answer.result()

    @property
    def waiting(self) -> int:
        """Frames that wait for their batch."""
        return len(self._waiting)

    def close(self) -> None:
        """Finish what is asked, end the threads and free the network."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread, copy in zip(self._threads, self._copies, strict=True):
            thread.join()
            copy.close()

    def _serve(self, estimator: ManyEstimator) -> None:
        while batch := self._next_batch():
            requests = [request for request, _ in batch]
            if self._on_batch is not None:
                self._on_batch(len(batch), sum(len(boxes) for _, boxes, _ in requests))
            try:
                answers = estimator.many(requests)
            except Exception:  # noqa: BLE001 - each frame gets its own answer or failure
                _one_by_one(estimator, batch)
                continue
            for (_, future), poses in zip(batch, answers, strict=True):
                future.set_result(poses)

    def _next_batch(self) -> list[tuple[Request, Future[Poses]]]:
        """The frames that run next; none once closed and done."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._wait_s and self._waiting:
                    until = time.perf_counter() + self._wait_s
                    while not self._is_full() and (left := until - time.perf_counter()) > 0:
                        self._changed.wait(left)
                batch = self._taken()
                if batch or self._closed:  # another copy may have taken what was waited for
                    return batch

    def _taken(self) -> list[tuple[Request, Future[Poses]]]:
        """The oldest of those that wait, as many as fit."""
        batch: list[tuple[Request, Future[Poses]]] = []
        people = 0
        while self._waiting:
            people += len(self._waiting[0][0][1])
            if batch and people > self._max_boxes:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _is_full(self) -> bool:
        """Whether waiting longer brings nothing: enough people, or every stream is here."""
        people = sum(len(boxes) for (_, boxes, _), _ in self._waiting)
        return self._closed or people >= self._max_boxes or 0 < self.users <= len(self._waiting)


def _one_by_one(estimator: ManyEstimator, batch: Sequence[tuple[Request, Future[Poses]]]) -> None:
    for request, future in batch:
        try:
            future.set_result(estimator.many([request])[0])
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            future.set_exception(error)
