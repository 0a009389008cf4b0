"""Plain copies of whatever a program holds, at a bounded price.

No ``__repr__`` of a user's class is ever called: it may raise, recurse, block, or return a
hundred megabytes. Such an object is told by its type, and an array by its shape.
"""

from __future__ import annotations

import enum
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .event import Plain
from .redact import REDACTED, is_secret, scrub

__all__ = ["message_of", "plain", "plain_locals", "plain_mapping", "text", "type_name"]

MESSAGE_LIMIT = 8192  # characters
_OVERLAP = 1024  # a secret that the cut would split is still recognised
_LARGEST = 2**63 - 1  # what other languages read back from JSON
_UNPRINTABLE = "<unprintable>"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value is copied: nesting, items of a container, characters, values in all."""

    depth: int
    items: int
    characters: int
    values: int


CONTEXT_LIMITS = Limits(depth=4, items=32, characters=1024, values=256)
LOCALS_LIMITS = Limits(depth=2, items=8, characters=160, values=48)

# What these say of themselves does not contain their arguments.
_BRIEF = (BaseExceptionGroup, SyntaxError, UnicodeError)

# By name, so that their modules are not imported to recognise them.
_PRINTED = {
    *("pathlib.PurePosixPath", "pathlib.PosixPath", "pathlib.PureWindowsPath"),
    *("pathlib.WindowsPath", "pathlib._local.PosixPath", "decimal.Decimal", "uuid.UUID"),
    *("datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta"),
    *("complex", "range"),
}
_SEQUENCES = (list, tuple, set, frozenset)
_ARRAYS = {"numpy", "torch", "jax", "jaxlib", "tensorflow", "cupy", "pandas", "polars", "scipy"}


def text(value: str, limit: int) -> str:
    """At most ``limit`` characters of ``value``, redacted, and such that UTF-8 can hold it."""
    # ``str``'s own methods, because a subclass may have another idea of them.
    size = str.__len__(value)
    part = str.__getitem__(value, slice(0, limit + _OVERLAP))
    if not part.isascii():
        part = part.encode("utf-8", "backslashreplace").decode("utf-8")
    part = scrub(part)
    return part if len(part) <= limit and size <= limit + _OVERLAP else part[: limit - 1] + "…"


def plain(value: object, limits: Limits = CONTEXT_LIMITS) -> Plain:
    """``value`` as JSON can hold it: redacted, bounded, and without calling the user's code."""
    return _Copy(limits).of(value, limits.depth)


def type_name(cls: type) -> str:
    """The dotted name of a class; bare for builtins."""
    module, name = cls.__module__, cls.__qualname__
    if not (isinstance(module, str) and isinstance(name, str)):
        return "<nameless>"
    return name if module == "builtins" else f"{module}.{name}"


def message_of(error: BaseException) -> str:
    """What the error says of itself, at most 8 KiB of it, redacted."""
    return text(_said_by(error), MESSAGE_LIMIT)


def _said_by(error: BaseException) -> str:
    try:
        args = error.args
        native = isinstance(type(error).__str__, types.WrapperDescriptorType)
        if native and len(args) == 1 and type(args[0]) is str and not isinstance(error, KeyError):
            return args[0]
        if native and not isinstance(error, _BRIEF) and not all(map(_is_small, args)):
            # The interpreter's own __str__ would call that of the arguments.
            shown = [str(plain(arg)) for arg in islice(args, 8)]
            return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # the error's own __str__ is broken, and may raise anything
        return _UNPRINTABLE


def _is_small(arg: object) -> bool:
    if arg is None or type(arg) in {bool, float}:
        return True
    if type(arg) is int:
        return arg.bit_length() < 1024
    return type(arg) in {str, bytes} and len(arg) <= MESSAGE_LIMIT  # type: ignore[arg-type]


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
        if kind is int and -_LARGEST <= value <= _LARGEST:
            return value  # type: ignore[no-any-return]
        if kind is str:
            return text(value, self._limits.characters)
        if value is None or kind is bool:
            return value  # type: ignore[no-any-return]
        try:
            if issubclass(kind, (int, float)):
                return self._of_number(value)
            return self._of_other(value, kind, depth)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a class may lie about its members in any way
            return _UNPRINTABLE

    @staticmethod
    def _of_number(value: float) -> Plain:
        # The base's own operators give an exact int or float, whatever a subclass does.
        if isinstance(value, int):
            number = int.__pos__(value)
            small = -_LARGEST <= number <= _LARGEST
            return number if small else f"<int of {number.bit_length()} bits>"
        real = float.__pos__(value)
        return real if math.isfinite(real) else str(real)

    def _of_other(self, value: Any, kind: type, depth: int) -> Plain:
        if issubclass(kind, str):
            return text(value, self._limits.characters)
        if issubclass(kind, dict):
            return self._of_mapping(value, depth)
        if issubclass(kind, _SEQUENCES):
            return self._of_items(value, depth)
        if issubclass(kind, (bytes, bytearray, memoryview)):
            return f"<{kind.__name__} of {len(value)}>"
        if type_name(kind) in _PRINTED:
            return text(str(value), self._limits.characters)
        if issubclass(kind, enum.Enum):
            return f"{kind.__name__}.{value._name_}"
        if issubclass(kind, (types.FunctionType, types.BuiltinFunctionType, type)):
            return f"<{kind.__name__} {value.__qualname__}>"
        if kind.__module__.partition(".")[0] in _ARRAYS:
            return self._of_array(value, kind)
        return f"<{type_name(kind)}>"

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
        for key, item in list(islice(pairs, most)):
            name = (
                key
                if type(key) is str and len(key) < 40 and key.isidentifier()
                else self._name(key)
            )
            copy[name] = REDACTED if is_secret(name) else self.of(item, depth)
        return copy

    def _name(self, key: object) -> str:
        return text(key, 100) if isinstance(key, str) else str(self.of(key, 0))

    def _of_items(self, value: Any, depth: int) -> Plain:
        kind = type(value)
        base = kind if kind in _SEQUENCES else next(b for b in _SEQUENCES if issubclass(kind, b))
        size = base.__len__(value)
        if depth == 0:
            return f"<{base.__name__} of {size}>"
        items: Iterable[Any] = base.__iter__(value)
        copy = [self.of(item, depth - 1) for item in list(islice(items, self._limits.items))]
        if size > self._limits.items:
            copy.append(f"… {size - self._limits.items} more")
        return copy

    def _of_array(self, value: Any, kind: type) -> Plain:
        shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
        if shape == () and kind.__module__ == "numpy":
            number = value.item()
            if isinstance(number, (int, float)):
                return self._of_number(number)
        said = [type_name(kind)]
        if isinstance(shape, tuple):
            said.append(f"shape={tuple(shape)}")
        if dtype is not None:
            said.append(f"dtype={str(dtype)[:40]}")
        return f"<{' '.join(said)}>"


def plain_mapping(values: Mapping[str, object]) -> dict[str, Plain]:
    """The values a user gave with an error, redacted by key and by pattern."""
    copy = _Copy(CONTEXT_LIMITS)
    return copy.named(values.items(), CONTEXT_LIMITS.items, CONTEXT_LIMITS.depth)


def plain_locals(values: dict[str, object], most: int) -> dict[str, Plain]:
    """The first ``most`` variables of a frame, redacted by key and by pattern."""
    copy = _Copy(LOCALS_LIMITS)
    kept: dict[str, Plain] = {}
    for name, value in islice(values.items(), most):
        kept[name] = REDACTED if is_secret(name) else copy.of(value, LOCALS_LIMITS.depth)
    return kept
