"""The exceptions behind an exception: causes, contexts, members of groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .event import Link, Relation
from .frames import LocalsBudget, frames
from .message import message_of
from .peek import (
    cause_of,
    context_of,
    dict_of,
    first_items,
    is_context_suppressed,
    members_of,
    traceback_of,
)
from .text import text, type_name

__all__ = ["chain", "notes_of", "relatives", "walk"]

_LINKS = 32
_DEPTH = 16
_MEMBERS = 16
_NOTES = 16
_NOTE_LIMIT = 1024  # characters


def relatives(error: BaseException) -> Iterator[tuple[Relation, BaseException]]:
    """What stands directly behind ``error``: one cause or context, then the first members."""
    cause = cause_of(error)
    if cause is not None:
        yield "cause", cause
    elif not is_context_suppressed(error) and (context := context_of(error)) is not None:
        yield "context", context
    if issubclass(type(error), BaseExceptionGroup):
        for member in members_of(error)[:_MEMBERS]:
            yield "member", member


def walk(error: BaseException) -> Iterator[tuple[Relation, int, BaseException]]:
    """Everything behind ``error``, each exception once, nearest first.

    Yields relation, the parent's place in this order (-1 for ``error`` itself) and exception.
    Ends, however the exceptions refer to each other.
    """
    seen = {id(error)}
    waiting = deque([(error, -1, 0)])
    count = 0
    while waiting:
        parent, place, depth = waiting.popleft()
        for relation, other in relatives(parent):
            if id(other) in seen:
                continue
            if count == _LINKS:
                return
            seen.add(id(other))
            yield relation, place, other
            if depth + 1 < _DEPTH:
                waiting.append((other, count, depth + 1))
            count += 1


def chain(error: BaseException, budget: LocalsBudget) -> tuple[Link, ...]:
    """Everything behind ``error``, as it is kept."""
    return tuple(
        Link(
            relation=relation,
            parent=parent,
            type=type_name(type(other)),
            message=message_of(other),
            notes=notes_of(other),
            frames=frames(traceback_of(other), budget),
        )
        for relation, parent, other in walk(error)
    )


def notes_of(error: BaseException) -> tuple[str, ...]:
    """The notes added to ``error``, as far as they are text."""
    notes = first_items(dict_of(error).get("__notes__"), _NOTES)
    return tuple(text(note, _NOTE_LIMIT) for note in notes if issubclass(type(note), str))
