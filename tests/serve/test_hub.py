from __future__ import annotations

import threading
import time

from posetrack.serve.hub import Hub, Item
from posetrack.serve.message import Message
from posetrack.serve.ring import Ring


def item(number: int, stream: str = "a") -> Item:
    return Item("poses", stream, Message({"n": number}))


def test_a_full_ring_loses_its_oldest_and_counts() -> None:
    ring: Ring[int] = Ring(3)
    lost = [ring.put(n) for n in range(5)]
    assert lost == [False, False, False, True, True]
    assert ring.dropped == 2
    assert [ring.take() for _ in range(4)] == [2, 3, 4, None]


def test_a_reader_is_woken_by_an_item_and_by_the_end() -> None:
    ring: Ring[int] = Ring(3)
    threading.Timer(0.05, ring.put, [7]).start()
    assert ring.take(5) == 7
    threading.Timer(0.05, ring.close).start()
    begin = time.monotonic()
    assert ring.take(5) is None
    assert time.monotonic() - begin < 4


def test_everybody_gets_what_they_asked_for() -> None:
    hub = Hub()
    with (
        hub.subscription("x", ["poses"], ["a"]) as one,
        hub.subscription("y", ["poses", "events"]) as all_,
    ):
        hub.publish(item(1, "a"))
        hub.publish(item(2, "b"))
        hub.publish(Item("events", "b", Message({"n": 3})))
        assert [one.ring.take().text(), one.ring.take()] == ['{"n":1}', None]
        assert [all_.ring.take().text() for _ in range(3)] == ['{"n":1}', '{"n":2}', '{"n":3}']
        assert hub.counts() == {"x": 1, "y": 1}
    assert hub.counts() == {}
    assert not hub.wanted("poses", "a")


def test_one_who_never_reads_costs_the_others_nothing() -> None:
    dropped: list[str] = []
    hub = Hub(dropped.append)
    with (
        hub.subscription("slow", ["poses"], capacity=4),
        hub.subscription("fast", ["poses"], capacity=4) as fast,
    ):
        for number in range(1000):
            hub.publish(item(number))
            assert fast.ring.take() is not None
    assert dropped == ["slow"] * 996


def test_the_end_reaches_those_who_wait_and_those_who_come_late() -> None:
    hub = Hub()
    with hub.subscription("x", ["poses"]) as early:
        hub.close()
        with hub.subscription("x", ["poses"]) as late:
            assert early.ring.closed
            assert late.ring.closed
