"""Documents that were damaged or written by somebody with bad intentions, by chance and by rule.

Everything is drawn from the `random.Random` that is given, so that a seed says it all.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**40, 0.5, -1e30),
    *(1e39, 1e308, float("nan"), float("inf"), float("-inf"), "", "0", "nan", "\x00", "../x"),
    *("\ud800", "<script>alert(1)</script>", "ä\u202e", "a" * 3000, [], {}, [[]], [None], {"": 0}),
)
"""Values that are wrong nearly everywhere; JSON as Python writes it holds all of them."""

ODD: tuple[float, ...] = (
    *(0, 0, 1, 1, -1, 2, 1_000_000, 2**20, 2**53, 1e-6, 0.5, 1e7, -1e7, 9_999_999),
)
"""Numbers that may be right, and that nobody thinks of."""

_PIECES: tuple[bytes, ...] = (
    *(b"", b"\x00", b"\xff\xfe", b"\n", b"{", b"}", b"[", b"]", b'"', b",", b":", b"NaN", b"-"),
    *(
        b"1e999",
        b"9" * 400,
        b"[" * 3000,
        b'{"a":' * 400,
        b"\xed\xa0\x80",
        b"&a [*a]",
        b"!!python/x",
    ),
)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """`data` cut, with pieces overwritten, taken out, doubled or put in."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        end = min(len(data), at + rng.choice((1, 2, 8, 64, 1024)))
        kind = rng.randrange(6)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + rng.randbytes(end - at) + data[end:]
        elif kind == 2:
            data = data[:at] + data[end:]
        elif kind == 3:
            data = data[:end] + data[at:]
        else:
            data = data[:at] + rng.choice(_PIECES) + data[at:]
    return data


def twisted(rng: random.Random, value: Any) -> Any:
    """Plain data with something in it replaced, taken out, doubled or renamed."""
    found = list(_places(value))
    if not found:
        return rng.choice(HOSTILE)
    for _ in range(rng.randint(1, 2)):
        holder, key = rng.choice(found)
        if isinstance(holder, dict) and key not in holder:
            continue
        if isinstance(holder, list) and key >= len(holder):
            continue
        kind = rng.randrange(8)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder.insert(key, holder[key])
        elif kind == 1:
            holder[rng.choice(("x", "__proto__", ""))] = holder.pop(key)
        elif kind == 2:
            holder[key] = [holder[key]]
        else:
            holder[key] = rng.choice(HOSTILE)
    return value


def odd(rng: random.Random, value: Any) -> Any:
    """Plain data with some numbers in it replaced by those of `ODD`."""
    found = [(h, key) for h, key in _places(value) if type(h[key]) in (int, float)]
    short = [(h, key) for h, key in found if isinstance(h, dict)]  # not one of many coordinates
    for _ in range(rng.randint(1, 3)):
        if found:
            holder, key = rng.choice(short if short and rng.random() < 0.7 else found)
            holder[key] = rng.choice(ODD)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Everything in plain data, by what holds it and where."""
    if isinstance(value, dict):
        inside: Sequence[tuple[Any, Any]] = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value[:40]))
    else:
        return []
    found = [(value, key) for key, _ in inside]
    for _, each in inside:
        found += _places(each)
    return found


def bad_lines(rng: random.Random, lines: Sequence[str]) -> bytes:
    """A file of JSON lines of which something is wrong: lines missing, doubled, twisted or cut."""
    made = list(lines)
    mild = rng.random() < 0.5
    for _ in range(rng.randint(1, 3)):
        at = 0 if rng.random() < 0.3 else rng.randrange(len(made))
        kind = rng.randrange(7)
        if kind == 0 and len(made) > 1:
            del made[at]
        elif kind == 1:
            made.insert(rng.randrange(len(made) + 1), made[at])
        else:
            try:
                made[at] = json.dumps((odd if mild else twisted)(rng, json.loads(made[at])))
            except (ValueError, RecursionError):
                continue
    text = ("\n".join(made) + "\n").encode("utf-8", "surrogatepass")
    return damaged(rng, text) if not mild and rng.random() < 0.3 else text
