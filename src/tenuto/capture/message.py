"""What an error says of itself.

The ``__str__`` of Python's own exceptions is asked only where that runs nobody else's code. A
class's own ``__str__`` is asked too, because Python would ask it: but the first time on a thread
of its own, so that one that blocks holds nobody up for longer than half a second, once. It is not
asked again until it has answered.
"""

from __future__ import annotations

import _thread
import os
import types
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

from .peek import args_of, group_message_of, members_of, message_parts
from .safe import plain
from .text import text, type_name

__all__ = ["message_of"]

MESSAGE_LIMIT = 8192  # characters
_ARGUMENTS = 8  # that are shown where they stand for a message
_UNPRINTABLE = "<unprintable>"

_PATIENCE = 0.5  # seconds
_MOST_SILENT = 8  # threads that hang in somebody's __str__; beyond, nobody new is asked
_MOST_KNOWN = 1024

_answering: set[object] = set()
_silent: set[object] = set()
os.register_at_fork(after_in_child=_silent.clear)  # the threads were the parent's
_on_its_own_thread: ContextVar[bool] = ContextVar("tenuto_asking", default=False)


def message_of(error: BaseException) -> str:
    """What the error says of itself, at most 8 KiB of it, redacted."""
    try:
        return text(_said_by(error), MESSAGE_LIMIT)
    except KeyboardInterrupt:
        raise
    except BaseException:  # the error's own __str__ is broken, and may raise anything
        return _UNPRINTABLE


def _said_by(error: BaseException) -> str:
    kind = type(error)
    says: Any = kind.__str__
    if type(says) is not types.WrapperDescriptorType:
        return _asked(error, says)
    args = args_of(error)
    if len(args) == 1 and type(args[0]) is str and not issubclass(kind, KeyError):
        return args[0]
    if issubclass(kind, BaseExceptionGroup):
        size = len(members_of(error))
        said = text(group_message_of(error), MESSAGE_LIMIT)
        return f"{said} ({size} sub-exception{'' if size == 1 else 's'})"
    return str(error) if all(map(_is_small, message_parts(error))) else _arguments(args)


def _is_small(part: object) -> bool:
    """Whether printing it takes no code but the interpreter's, and not much of that."""
    kind = type(part)
    if part is None or kind is bool or kind is float:
        return True
    if kind is int:
        return part.bit_length() < 1024  # type: ignore[attr-defined, no-any-return]
    return (kind is str or kind is bytes) and len(part) <= MESSAGE_LIMIT  # type: ignore[arg-type]


def _arguments(args: tuple[Any, ...]) -> str:
    shown = [str(plain(arg)) for arg in args[:_ARGUMENTS]]
    return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"


def _asked(error: BaseException, says: Any) -> str:
    # The code, which all classes made in one place share, and which keeps nothing alive.
    # Of what is no such function, compiled by Cython for one, the name of the class.
    known_by = says.__code__ if type(says) is types.FunctionType else type_name(type(error))
    if known_by in _answering:
        return str(error)
    if known_by in _silent or len(_silent) >= _MOST_SILENT or _on_its_own_thread.get():
        return _arguments(args_of(error))
    return _asked_elsewhere(error, known_by)


def _asked_elsewhere(error: BaseException, known_by: object) -> str:
    said: list[str] = []
    busy = _thread.allocate_lock()
    busy.acquire()

    def ask() -> None:  # pragma: no cover - on a thread that coverage does not see
        _on_its_own_thread.set(True)
        with suppress(BaseException):  # it is raised again on the caller's thread
            said.append(str(error))
        if len(_answering) >= _MOST_KNOWN:
            _answering.clear()
        _answering.add(known_by)
        busy.release()
        _silent.discard(known_by)

    try:
        _thread.start_new_thread(copy_context().run, (ask,))
    except RuntimeError:  # there can be no more threads
        return _arguments(args_of(error))
    if not busy.acquire(timeout=_PATIENCE):
        _silent.add(known_by)
        if not busy.acquire(blocking=False):
            return _arguments(args_of(error))
        _silent.discard(known_by)  # it answered in this very moment
    return said[0] if said else str(error)
