"""Structs of arrays that grow, shrink and are overwritten by rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np


class Rows:
    """Base of slotted dataclasses whose fields, arrays or Rows, share their first axis."""

    __slots__ = ()

    def _names(self) -> tuple[str, ...]:
        return self.__slots__

    def _fields(self) -> list[Any]:
        return [getattr(self, name) for name in self._names()]

    def __len__(self) -> int:
        return len(getattr(self, self._names()[0]))

    def __getitem__(self, index: Any) -> Self:
        """The rows chosen by a mask, an index array or a slice."""
        return type(self)(*(each[index] for each in self._fields()))

    def __setitem__(self, index: Any, other: Self) -> None:
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
