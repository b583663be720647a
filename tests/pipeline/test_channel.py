from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posetrack.pipeline import AbortedError, Channel


def in_thread(run: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []

    def main() -> None:
        try:
            outcome.append(run())
        except BaseException as error:  # noqa: BLE001
            outcome.append(error)

    thread = threading.Thread(target=main)
    thread.start()
    return thread, outcome


def test_close_drains_what_is_inside() -> None:
    channel: Channel[int] = Channel(3)
    channel.put(1)
    channel.put(2)
    channel.close()
    assert list(channel) == [1, 2]
    assert list(channel) == []


def test_none_is_an_item_like_any_other() -> None:
    channel: Channel[None] = Channel(2)
    channel.put(None)
    channel.close()
    assert list(channel) == [None]


def test_abort_drops_what_is_inside() -> None:
    channel: Channel[int] = Channel(3)
    channel.put(1)
    channel.abort()
    with pytest.raises(AbortedError):
        next(channel)
    with pytest.raises(AbortedError):
        channel.put(2)


def test_abort_after_close_still_aborts() -> None:
    channel: Channel[int] = Channel(3)
    channel.put(1)
    channel.close()
    channel.abort()
    with pytest.raises(AbortedError):
        next(channel)


def test_put_on_a_closed_channel_is_refused() -> None:
    channel: Channel[int] = Channel(3)
    channel.close()
    with pytest.raises(AbortedError):
        channel.put(1)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_waiting_reader_wakes_at_the_end(end: str) -> None:
    channel: Channel[int] = Channel(1)
    thread, outcome = in_thread(lambda: list(channel))
    time.sleep(0.02)
    getattr(channel, end)()
    thread.join(5)
    assert outcome == [[]] or isinstance(outcome[0], AbortedError)
    assert isinstance(outcome[0], AbortedError) == (end == "abort")


def test_a_waiting_writer_wakes_at_abort() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    thread, outcome = in_thread(lambda: channel.put(2))
    time.sleep(0.02)
    channel.abort()
    thread.join(5)
    assert isinstance(outcome[0], AbortedError)


def test_a_full_channel_blocks_its_writer_until_there_is_room() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    thread, outcome = in_thread(lambda: channel.put(2))
    time.sleep(0.02)
    assert not outcome
    assert next(channel) == 1
    thread.join(5)
    assert outcome == [None]
    assert next(channel) == 2


def test_a_dropping_channel_keeps_the_newest_and_counts() -> None:
    channel: Channel[int] = Channel(1, drop_oldest=True)
    for n in range(5):
        channel.put(n)
    channel.close()
    assert list(channel) == [4]
    assert channel.dropped == 4


def test_a_channel_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item, got capacity 0"):
        Channel(0)


@given(st.lists(st.integers(), max_size=200), st.integers(1, 5))
def test_everything_arrives_in_order(items: list[int], capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)

    def write() -> None:
        for item in items:
            channel.put(item)
        channel.close()

    thread, _ = in_thread(write)
    assert list(channel) == items
    thread.join(5)
    assert channel.dropped == 0
