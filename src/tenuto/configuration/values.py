"""What a setting may be in a file or an environment variable: what TOML can say, and durations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, TypeAlias, get_args

from tenuto.errors import ConfigurationError
from tenuto.policies.backoff import Backoff, Shape

__all__ = [
    "Reader",
    "did_you_mean",
    "flag",
    "number",
    "one_of",
    "or_none",
    "read_backoff",
    "seconds",
    "whole",
    "window",
]

Reader: TypeAlias = Callable[[object], Any]
"""The value that is meant. Raises ValueError with what is allowed."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def whole(value: object) -> int:
    """A whole number; not a truth value, which Python takes for one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a whole number")


def number(value: object) -> float:
    """A number, whole or not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ValueError("a number")


def flag(value: object) -> bool:
    """A truth value."""
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def seconds(value: object) -> float:
    """A number of seconds, or a text such as ``"500ms"``, ``"30s"``, ``"5m"``, ``"1h"``."""
    if isinstance(value, str) and (parts := _DURATION.fullmatch(value.strip())):
        return float(parts[1]) * _UNITS[parts[2]]
    try:
        return number(value)
    except ValueError:
        raise ValueError('a number of seconds, or a duration such as "500ms", "30s" or "5m"') from (
            None
        )


def window(value: object) -> int | timedelta:
    """A number of calls, or a duration."""
    if isinstance(value, str) and _DURATION.fullmatch(value.strip()):
        return timedelta(seconds=seconds(value))
    try:
        return whole(value)
    except ValueError:
        raise ValueError('a whole number of calls, or a duration such as "60s"') from None


def one_of(*names: str) -> Reader:
    """One of ``names``."""

    def read_name(value: object) -> str:
        if value in names:
            return str(value)
        raise ValueError(f"one of {', '.join(names)}{did_you_mean(value, names)}")

    return read_name


def or_none(read: Reader) -> Reader:
    """What ``read`` takes, or ``false`` for none: TOML has no word for that."""

    def read_or_none(value: object) -> Any:
        if value is False:
            return None
        try:
            return read(value)
        except ValueError as wrong:
            raise ValueError(f"{wrong}, or false for none") from None

    return read_or_none


def read_backoff(value: object) -> Shape | Backoff:
    """The name of a shape, or a table of what makes a ``Backoff``."""
    names = get_args(Shape)
    if isinstance(value, Mapping):
        return _backoff_of(value)
    if value in names:
        return value  # type: ignore[return-value]  # it is one of them
    raise ValueError(
        f"one of {', '.join(names)}, or a table with shape, initial, maximum and jitter"
        + did_you_mean(value, names)
    )


def _backoff_of(table: Mapping[str, object]) -> Backoff:
    readers: dict[str, Reader] = {
        "shape": str,
        "initial": seconds,
        "maximum": seconds,
        "jitter": flag,
    }
    assert set(readers) == {field.name for field in fields(Backoff)}
    settings = {}
    for key, value in table.items():
        if key not in readers:
            raise ValueError(f"a table with {', '.join(readers)}{did_you_mean(key, readers)}")
        try:
            settings[key] = readers[key](value)
        except ValueError as wrong:
            raise ValueError(f"{wrong} as {key}") from None
    try:
        return Backoff(**settings)
    except ConfigurationError as wrong:
        raise ValueError(f"a backoff that can be: {wrong}") from None


def did_you_mean(said: object, known: Iterable[str]) -> str:
    """`` (did you mean …?)``, where that can be guessed."""
    from difflib import get_close_matches

    close = get_close_matches(str(said), list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
