"""Stages that log what is done to them, and fail or wait where a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


class Boom(Exception):
    pass


@dataclass
class Logged:
    """`do` maps an action (open, call, finish, close) to what happens before it."""

    name: str
    log: list[tuple[str, str]] = field(default_factory=list)
    do: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    threads: set[str] = field(default_factory=set)

    def note(self, action: str, item: Any = None) -> None:
        self.threads.add(threading.current_thread().name)
        self.log.append((self.name, action))
        self.do.get(action, lambda _: None)(item)

    def actions(self) -> list[str]:
        return [action for name, action in self.log if name == self.name]

    def open(self) -> None:
        self.note("open")

    def close(self) -> None:
        self.note("close")


@dataclass
class Numbers(Logged):
    count: int = 10

    def __iter__(self) -> Iterator[int]:
        for n in range(self.count):
            self.note("call", n)
            yield n


@dataclass
class Step(Logged):
    seen: list[Any] = field(default_factory=list)

    def __call__(self, item: int) -> int:
        self.note("call", item)
        self.seen.append(item)
        return item + 100

    def finish(self) -> None:
        self.note("finish")


def chain(count: int = 10, stages: int = 3) -> tuple[Numbers, list[Step], list[tuple[str, str]]]:
    """A source, its stages, and the log they share."""
    log: list[tuple[str, str]] = []
    return (
        Numbers("source", log, count=count),
        [Step(f"step{i}", log) for i in range(stages)],
        log,
    )


def fail(item: Any) -> None:
    raise Boom("it broke")


def fail_at(frame: int) -> Callable[[Any], None]:
    """Raise when the item came from frame `frame` (each step before added 100)."""

    def check(item: Any) -> None:
        if item % 100 == frame:
            raise Boom("it broke")

    return check
