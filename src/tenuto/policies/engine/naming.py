"""What a guard is told of the function it guards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tenuto.errors import ConfigurationError

__all__ = ["check_function", "name_of"]


def check_function(function: Callable[..., Any]) -> None:
    """Raise ConfigurationError unless ``function`` is something a guard can be put around."""
    if isinstance(function, (staticmethod, classmethod)) or not callable(function):
        raise ConfigurationError(
            "function", "guard the function itself, and put @staticmethod or @classmethod on top"
        )


def name_of(function: Callable[..., Any]) -> str:
    """What events call a guard that was given no name."""
    return getattr(function, "__qualname__", type(function).__qualname__)
