"""Which errors a policy is about: a type, a tuple of types, or a function of the error."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias, cast

from tenuto.errors import ConfigurationError

__all__ = ["Exceptions", "Matcher", "check_number", "check_same_fleet", "matcher"]

Matcher: TypeAlias = Callable[[BaseException], bool]
Exceptions: TypeAlias = type[BaseException] | tuple[type[BaseException], ...] | Matcher | None


def matcher(setting: str, exceptions: Exceptions) -> Matcher | None:
    """The rule that ``exceptions`` stands for; None for None.

    Raises ConfigurationError where it stands for none.
    """
    if exceptions is None:
        return None
    types = exceptions if isinstance(exceptions, tuple) else (exceptions,)
    if all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in types):
        kinds = cast("tuple[type[BaseException], ...]", types)
        return lambda error: isinstance(error, kinds)
    if callable(exceptions) and not isinstance(exceptions, type):
        return exceptions
    raise ConfigurationError(
        setting, "give an exception type, a tuple of them, or a function of the error"
    )


def check_number(
    setting: str, value: float, *, least: float, most: float = float("inf"), whole: bool = False
) -> None:
    """Raise ConfigurationError unless ``value`` is a number from ``least`` to ``most``."""
    kinds: tuple[type, ...] = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        bounds = f"from {least:g} to {most:g}" if most < float("inf") else f"of {least:g} or more"
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(setting, f"give {kind} {bounds}, not {value!r}")


def check_same_fleet(fleet: object, settings: Collection[str]) -> None:
    """Raise ConfigurationError if one of the ``settings`` to change is what others rely on."""
    if "fleet" in settings:
        raise ConfigurationError("fleet", "it cannot change while the policy is in force")
    if fleet is not None and "name" in settings:
        raise ConfigurationError("name", "it cannot change: the fleet goes by it")
