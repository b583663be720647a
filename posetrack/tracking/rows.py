"""Structs of arrays that grow, shrink and are overwritten by rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, Self

import numpy as np

from posetrack.types import Bools, Ints


@cache
def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads all these fields at once."""
    return attrgetter(*names)


class Rows:
    """Base of slotted dataclasses whose fields, arrays or Rows, share their first axis."""

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> tuple[Any, ...]:
        return _reader(self.__slots__)(self)

    def __len__(self) -> int:
        return len(getattr(self, self.__slots__[0]))

    def __getitem__(self, index: Bools | Ints) -> Self:
        """The rows chosen by a mask or an index array."""
        rows = index.nonzero()[0] if index.dtype == np.bool_ else index
        chosen = [
            each[rows] if isinstance(each, Rows) else each.take(rows, axis=0)
            for each in self._fields()
        ]
        return type(self)(*chosen)

    def __setitem__(self, index: Bools | Ints, other: Self) -> None:
        """Overwrite rows with those of `other`."""
        for mine, theirs in zip(self._fields(), other._fields(), strict=True):
            mine[index] = theirs

    def joined(self, other: Self) -> Self:
        """These rows, then those of `other`."""
        return type(self)(
            *(
                each.joined(more) if isinstance(each, Rows) else np.concatenate([each, more])
                for each, more in zip(self._fields(), other._fields(), strict=True)
            )
        )
