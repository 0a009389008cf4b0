"""Plain copies of whatever a program holds, at a bounded price and without running its code."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any

from .event import Plain
from .objects import fields_of, number, tell
from .redact import REDACTED, is_secret
from .text import text, type_name

__all__ = ["plain", "plain_globals", "plain_locals", "plain_mapping"]

_UNPRINTABLE = "<unprintable>"
_LONGEST_KEY = 100  # characters
_SHORT_KEY = 16  # characters: no secret of a known form is as short


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value is copied: nesting, items of a container, characters, values in all."""

    depth: int
    items: int
    characters: int
    values: int


CONTEXT_LIMITS = Limits(depth=4, items=32, characters=1024, values=256)
LOCALS_LIMITS = Limits(depth=2, items=8, characters=160, values=48)

_VARIABLES_LOOKED_AT = 256

_SEQUENCES = (list, tuple, set, frozenset, deque)


def plain(value: object, limits: Limits = CONTEXT_LIMITS) -> Plain:
    """``value`` as JSON can hold it: redacted, bounded, and without calling the user's code."""
    return _Copy(limits).of(value, limits.depth)


class _Copy:
    """One bounded copy; counts what it may still spend.

    Types are compared, not instances: ``isinstance`` would ask the object for its ``__class__``.
    """

    __slots__ = ("_left", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.values

    def of(self, value: Any, depth: int) -> Plain:
        self._left -= 1
        if self._left < 0:
            return "…"
        kind = type(value)
        if kind is int and -(2**63) < value < 2**63:
            return value  # type: ignore[no-any-return]
        if kind is str:
            return text(value, self._limits.characters)
        if value is None or kind is bool:
            return value  # type: ignore[no-any-return]
        try:
            if issubclass(kind, (int, float)):
                return number(value)
            return self._of_other(value, kind, depth)
        except Exception:  # released memory, a number too long to print, a library's own trouble
            return _UNPRINTABLE

    def _of_other(self, value: Any, kind: type, depth: int) -> Plain:
        if issubclass(kind, str):
            return text(value, self._limits.characters)
        if issubclass(kind, dict):
            return self._of_mapping(value, depth)
        if issubclass(kind, _SEQUENCES):
            return self._of_items(value, kind, depth)
        if depth and (fields := fields_of(value, kind)) is not None:
            return {"": f"<{type_name(kind)}>", **self.named(fields, self._limits.items, depth - 1)}
        return tell(value, kind)

    def _of_mapping(self, value: dict[Any, Any], depth: int) -> Plain:
        size = dict.__len__(value)
        if depth == 0:
            return f"<dict of {size}>"
        copy = self.named(dict.items(value), self._limits.items, depth - 1)
        if size > self._limits.items:
            copy["…"] = size - self._limits.items
        return copy

    def named(self, pairs: Iterable[tuple[Any, Any]], most: int, depth: int) -> dict[str, Plain]:
        """Copies of the first ``most`` pairs, but not of what has the name of a secret."""
        copy: dict[str, Plain] = {}
        # As a list, at once: another thread may be changing what they are read from.
        for key, item in list(islice(pairs, most)):
            is_name = type(key) is str and len(key) < _SHORT_KEY and key.isidentifier()
            name = key if is_name else self._name(key)
            copy[name] = REDACTED if is_secret(name) else self.of(item, depth)
        return copy

    def _name(self, key: object) -> str:
        if issubclass(type(key), str):
            return text(key, _LONGEST_KEY)  # type: ignore[arg-type]
        return str(self.of(key, 0))

    def _of_items(self, value: Any, kind: type, depth: int) -> Plain:
        base = kind if kind in _SEQUENCES else next(b for b in _SEQUENCES if issubclass(kind, b))
        size = base.__len__(value)
        if depth == 0:
            return f"<{type_name(base)} of {size}>"
        items: list[Any] = list(islice(base.__iter__(value), self._limits.items))
        copy: list[Plain] = []
        secret_next = False
        for item in items:
            copy.append(REDACTED if secret_next else self.of(item, depth - 1))
            # A header, (name, value), or an option of a command line and what follows it.
            secret_next = (
                type(item) is str
                and len(item) <= _LONGEST_KEY
                and (item[:1] == "-" or (size == 2 and len(copy) == 1))
                and is_secret(item)
            )
        if size > self._limits.items:
            copy.append(f"… {size - self._limits.items} more")
        return copy


def plain_mapping(values: dict[str, Any]) -> dict[str, Plain]:
    """The values a user gave with an error, redacted by key and by pattern."""
    most, size = CONTEXT_LIMITS.items, len(values)
    kept = _Copy(CONTEXT_LIMITS).named(values.items(), most, CONTEXT_LIMITS.depth)
    if size > most:
        kept["…"] = size - most
    return kept


def _type_of_locals() -> type:
    return type(sys._getframe().f_locals)  # noqa: SLF001 - there is no other name for it


_LOCALS = _type_of_locals()  # since Python 3.13 it is no dict


def plain_locals(values: Any, most: int) -> dict[str, Plain]:
    """The first ``most`` variables of a function, redacted by key and by pattern."""
    pairs = _pairs_of(values)
    return _Copy(LOCALS_LIMITS).named(pairs, most, LOCALS_LIMITS.depth)


def plain_globals(values: Any, most: int) -> dict[str, Plain]:
    """The same of a module: without other modules, and the names that Python puts into each."""
    shown = [
        (name, value)
        for name, value in list(islice(_pairs_of(values), _VARIABLES_LOOKED_AT))
        if type(value) is not ModuleType and not (type(name) is str and name[:2] == "__")
    ]
    return _Copy(LOCALS_LIMITS).named(shown, most, LOCALS_LIMITS.depth)


def _pairs_of(values: Any) -> Iterable[tuple[Any, Any]]:
    """The items of the variables of a frame; none, where it runs in somebody's own mapping."""
    kind = type(values)
    base = dict if issubclass(kind, dict) else kind
    return base.items(values) if base is dict or base is _LOCALS else ()
