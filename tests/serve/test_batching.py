from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fakes import TWO_PEOPLE, FakeEstimator, draw_people

from posetrack.serve.batching import Request, SharedEstimator
from posetrack.types import Poses


class Counting:
    """A network that notes its runs and can be held."""

    def __init__(self, hold: threading.Event | None = None) -> None:
        self.alone = FakeEstimator()
        self.skeleton, self.keypoint_threshold = self.alone.skeleton, 0.3
        self.runs: list[int] = []
        self.closed = False
        self._hold = hold

    def many(self, requests: Sequence[Request]) -> list[Poses]:
        self.runs.append(len(requests))
        if self._hold is not None:
            self._hold.wait(10)
        for image, _, _ in requests:
            if image.max() == 0:
                raise ValueError("a black picture")
        return [self.alone(i, boxes, box_scores=scores) for i, boxes, scores in requests]

    def close(self) -> None:
        self.closed = True


def ask(shared: SharedEstimator, index: int, people: int = 2) -> Poses:
    boxes = np.stack([p.box_at(index) for p in TWO_PEOPLE])[:people]
    image = draw_people(TWO_PEOPLE, index)
    return shared(image, boxes, box_scores=np.ones(len(boxes), np.float32))


def test_answers_are_those_of_the_network_alone_whoever_asks_when() -> None:
    network = Counting()
    shared = SharedEstimator(network)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ask(shared, i), range(60)))
    for index, poses in enumerate(answers):
        expected = [p.keypoints_at(index) for p in TWO_PEOPLE]
        np.testing.assert_allclose(poses.keypoints, expected, atol=1e-3)
    shared.close()
    assert network.closed


def test_what_comes_while_a_batch_runs_becomes_the_next_one() -> None:
    hold = threading.Event()
    network = Counting(hold)
    shared = SharedEstimator(network)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, shared, 0)
        while not network.runs:
            time.sleep(0.001)
        rest = [pool.submit(ask, shared, n) for n in range(1, 6)]
        while shared.waiting < 5:
            time.sleep(0.001)
        hold.set()
        for future in [first, *rest]:
            future.result(10)
    assert network.runs == [1, 5]
    shared.close()


def test_two_copies_of_a_network_run_at_once_and_both_end() -> None:
    hold = threading.Event()
    copies = Counting(hold), Counting(hold)
    shared = SharedEstimator(*copies)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(ask, shared, 0)]
        while not any(copy.runs for copy in copies):
            time.sleep(0.001)
        futures.append(pool.submit(ask, shared, 1))
        while not all(copy.runs for copy in copies):  # the first is held still
            time.sleep(0.001)
        futures += [pool.submit(ask, shared, n) for n in range(2, 40)]
        hold.set()
        for index, future in enumerate(futures):
            expected = [p.keypoints_at(index) for p in TWO_PEOPLE]
            np.testing.assert_allclose(future.result(10).keypoints, expected, atol=1e-3)
    shared.close()
    assert all(copy.closed for copy in copies)


def test_a_copy_whose_frames_another_took_waits_for_the_next() -> None:
    copies = Counting(), Counting()
    shared = SharedEstimator(*copies, wait_s=0.02)
    for index in range(5):
        assert len(ask(shared, index)) == 2
        time.sleep(0.03)
    assert sum(map(len, (copy.runs for copy in copies))) == 5
    shared.close()


def test_a_batch_is_full_at_its_limit_and_a_crowd_is_never_split() -> None:
    hold = threading.Event()
    network = Counting(hold)
    shared = SharedEstimator(network, max_boxes=3)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(ask, shared, 0)]
        while not network.runs:
            time.sleep(0.001)
        futures += [pool.submit(ask, shared, n) for n in range(1, 5)]
        while shared.waiting < 4:
            time.sleep(0.001)
        hold.set()
        for future in futures:
            future.result(10)
    assert network.runs == [1, 1, 1, 1, 1]
    shared.close()


def test_a_batch_waits_as_long_as_told() -> None:
    shared = SharedEstimator(Counting(), wait_s=0.2)
    begin = time.monotonic()
    ask(shared, 0)
    assert time.monotonic() - begin >= 0.19
    shared.close()


def test_a_batch_in_which_all_are_there_waits_no_longer() -> None:
    network = Counting()
    shared = SharedEstimator(network, wait_s=30)
    shared.users = 2
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda i: ask(shared, i), range(2)))
    assert time.monotonic() - begin < 20
    assert network.runs == [2]
    shared.close()


def test_one_bad_frame_fails_alone() -> None:
    hold = threading.Event()
    shared = SharedEstimator(Counting(hold))
    black = np.zeros((240, 320, 3), np.uint8)
    with ThreadPoolExecutor(4) as pool:
        good = [pool.submit(ask, shared, n) for n in range(2)]
        bad = pool.submit(shared, black, np.ones((1, 4)), box_scores=np.ones(1))
        hold.set()
        with pytest.raises(ValueError, match="a black picture"):
            bad.result(10)
        assert all(len(future.result(10)) == 2 for future in good)
    shared.close()


def test_nobody_costs_no_run() -> None:
    network = Counting()
    shared = SharedEstimator(network)
    assert len(ask(shared, 0, people=0)) == 0
    shared.close()
    assert network.runs == []


def test_after_the_end_nobody_waits_for_ever() -> None:
    shared = SharedEstimator(Counting())
    shared.close()
    with pytest.raises(RuntimeError, match="closed"):
        ask(shared, 0)
