"""What ``append`` promises on return: to survive the process alone, or the power as well."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from tenuto.errors import ConfigurationError

from .losses import Losses

__all__ = ["Durability", "choose_durability", "make_folder"]

Durability: TypeAlias = Literal["normal", "full"]
"""``normal``: what is appended survives the process. ``full``: it survives a power cut too."""

_VARIABLE = "TENUTO_JOURNAL_DURABILITY"


def choose_durability(given: Durability | None, losses: Losses) -> Durability:
    """``given``, else what ``TENUTO_JOURNAL_DURABILITY`` says, else ``normal``.

    Raises ConfigurationError for a ``given`` one that there is not. In the environment it must not
    end a program that is about to report an error: it is counted, and the safer one taken.
    """
    if given is not None:
        if given not in get_args(Durability):
            raise ConfigurationError("durability", "say normal or full")
        return given
    said = os.environ.get(_VARIABLE, "").strip().lower() or "normal"
    if said in get_args(Durability):
        return said  # type: ignore[return-value]
    losses.add(f"{_VARIABLE} is neither normal nor full: taken as full")
    return "full"


def make_folder(folder: Path, durability: Durability) -> None:
    """Make ``folder`` and those above it, and remember it through a power cut where asked to.

    Raises ``OSError``.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if durability == "full":
        for made in missing:
            _sync(made.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
