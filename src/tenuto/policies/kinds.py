"""Tables of what holds for which errors: by exception type, or by whose fault they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from tenuto.errors import ConfigurationError, FaultClass

__all__ = ["Kind", "check_kinds", "nearest", "word_for"]

V = TypeVar("V")

Kind: TypeAlias = type[Exception] | FaultClass


def nearest(
    table: Mapping[Kind, V], error: BaseException | None, fault: FaultClass | None
) -> tuple[Kind, V] | None:
    """The entry for the type of ``error``, its nearest base, or else its class ``fault``."""
    for kind in () if error is None else type(error).__mro__:
        if kind in table:
            return kind, table[kind]
    return (fault, table[fault]) if fault is not None and fault in table else None


def check_kinds(setting: str, table: Mapping[Kind, object]) -> None:
    """Raise ConfigurationError unless the keys are kinds of errors that a policy may act on."""
    if not isinstance(table, Mapping):
        raise ConfigurationError(setting, "give a mapping from exception types or fault classes")
    for kind in table:
        if isinstance(kind, FaultClass):
            sensible = kind is not FaultClass.CANCELLED
        else:
            sensible = isinstance(kind, type) and issubclass(kind, Exception)
        if not sensible:
            raise ConfigurationError(
                setting,
                f"{kind!r} is no exception type or fault class that may be acted on: "
                "interruptions and cancellations never are",
            )


def word_for(kind: Kind) -> str:
    """``kind`` in a line for people."""
    return kind.value if isinstance(kind, FaultClass) else kind.__name__
