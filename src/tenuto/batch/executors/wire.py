"""Tasks and their ends as text, for another machine.

JSON, in which a record is an object that says what it is. Only the records named here are ever
made of it, whatever it says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from tenuto.audio.setbacks import Setbacks
from tenuto.batch.executors import (
    Answer,
    Death,
    Halt,
    Manner,
    Recognised,
    Short,
    Task,
    Trouble,
    Unchanged,
)
from tenuto.batch.plan import Item
from tenuto.batch.watchdog import Patience
from tenuto.batch.worker import WorkerSettings
from tenuto.errors import FaultClass
from tenuto.journal import Attempt, AttemptEnd, Foreign, Outcome, OutcomeStatus

__all__ = ["Undone", "from_text", "to_text"]


@dataclass(frozen=True, slots=True)
class Undone:
    """A cluster's worker did not make an attempt; another is to."""

    worker: str
    """Its address."""
    machine: str
    why: str = ""
    """What keeps it from any work; empty where it was only told to stop."""


_KIND = "is"
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Answer,
        Attempt,
        AttemptEnd,
        Death,
        FaultClass,
        Foreign,
        Halt,
        Item,
        Manner,
        Outcome,
        OutcomeStatus,
        Patience,
        Recognised,
        Setbacks,
        Short,
        Task,
        Trouble,
        Unchanged,
        Undone,
        WorkerSettings,
    )
}


def to_text(value: Any) -> str:
    """``value``, of plain values and the records above, as text."""
    return json.dumps(_plain(value))


def from_text(text: str) -> Any:
    """What ``to_text`` made the text of; lists are tuples. Raises ValueError if it is none."""
    try:
        return _value(json.loads(text))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record of ours: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return {_KIND: type(value).__name__, "value": value.value}
    if is_dataclass(value):
        named = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        return {_KIND: type(value).__name__, **named}
    if isinstance(value, dict):
        # A pair of lists: an object of the journal's may have any names.
        return {_KIND: "dict", "names": list(value), "values": [_plain(v) for v in value.values()]}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_value(each) for each in plain)
    if not isinstance(plain, dict):
        return plain
    named = {name: _value(each) for name, each in plain.items() if name != _KIND}
    if plain[_KIND] == "dict":
        return dict(zip(named["names"], named["values"], strict=True))
    return _KINDS[plain[_KIND]](**named)
