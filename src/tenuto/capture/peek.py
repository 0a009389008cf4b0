"""What exceptions, classes and instances are made of, read past whatever a class puts before it.

A property, a ``__getattribute__``, a ``__dict__`` or a metaclass of the user's own is never asked:
it may raise, block or lie. The interpreter's own descriptors always answer, and at once.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from types import GetSetDescriptorType, MappingProxyType, MemberDescriptorType, TracebackType
from typing import Any

__all__ = [
    "MISSING",
    "args_of",
    "cause_of",
    "context_of",
    "dict_of",
    "first_items",
    "found_on_class",
    "group_message_of",
    "is_context_suppressed",
    "kept_by",
    "members_of",
    "message_parts",
    "module_of",
    "mro_of",
    "names_of",
    "qualname_of",
    "read_by_c",
    "traceback_of",
]

MISSING = object()
"""What stands where nothing was found."""

_error, _group, _class = BaseException.__dict__, BaseExceptionGroup.__dict__, type.__dict__

dict_of: Callable[[BaseException], dict[str, Any]] = _error["__dict__"].__get__
args_of: Callable[[BaseException], tuple[Any, ...]] = _error["args"].__get__
cause_of: Callable[[BaseException], BaseException | None] = _error["__cause__"].__get__
context_of: Callable[[BaseException], BaseException | None] = _error["__context__"].__get__
is_context_suppressed: Callable[[BaseException], bool] = _error["__suppress_context__"].__get__
traceback_of: Callable[[BaseException], TracebackType | None] = _error["__traceback__"].__get__

members_of: Callable[[BaseException], tuple[BaseException, ...]] = _group["exceptions"].__get__
group_message_of: Callable[[BaseException], str] = _group["message"].__get__

module_of: Callable[[type], Any] = _class["__module__"].__get__
"""The module a class says it is of: anything at all, where somebody has put it there."""
qualname_of: Callable[[type], str] = _class["__qualname__"].__get__
mro_of: Callable[[type], tuple[type, ...]] = _class["__mro__"].__get__
names_of: Callable[[type], MappingProxyType[str, Any]] = _class["__dict__"].__get__

_PARTS: dict[type[BaseException], tuple[Callable[[BaseException], Any], ...]] = {
    kind: tuple(vars(kind)[name].__get__ for name in names.split())
    for kind, names in {
        OSError: "errno strerror filename filename2",
        SyntaxError: "msg filename lineno",
        UnicodeEncodeError: "encoding reason start end",
        UnicodeDecodeError: "encoding reason start end",
        UnicodeTranslateError: "reason start end",
    }.items()
}


def message_parts(error: BaseException) -> tuple[Any, ...]:
    """All that the interpreter's own ``__str__`` puts together for ``error``."""
    for kind, parts in _PARTS.items():
        if issubclass(type(error), kind):
            own = tuple([part(error) for part in parts])
            return (*own, *args_of(error)) if kind is OSError else own
    return args_of(error)


def first_items(value: Any, most: int) -> list[Any]:
    """The first items of a list or a tuple; of anything else, none."""
    for kind in (list, tuple):
        if issubclass(type(value), kind):
            return list(islice(kind.__iter__(value), most))
    return []


def found_on_class(kind: type, name: str) -> tuple[type, Any]:
    """The class among ``kind`` and its bases that defines ``name``, and what it defines.

    ``kind`` itself and ``MISSING`` where none does.
    """
    for base in mro_of(kind):
        found = names_of(base).get(name, MISSING)
        if found is not MISSING:
            return base, found
    return kind, MISSING


def read_by_c(descriptor: Any, value: object) -> Any:
    """What ``descriptor`` reads from ``value``, if it is a field of C or of ``__slots__``."""
    if type(descriptor) is GetSetDescriptorType or type(descriptor) is MemberDescriptorType:
        try:
            return descriptor.__get__(value, type(value))
        except AttributeError:  # a slot that was never filled
            return MISSING
    return MISSING


def kept_by(value: object, name: str) -> Any:
    """What the instance ``value`` keeps as ``name``, in a slot or in its dict; else ``MISSING``."""
    kind = type(value)
    _, found = found_on_class(kind, name)
    slot = read_by_c(found, value)
    if slot is not MISSING:
        return slot
    for base in mro_of(kind):
        own = read_by_c(names_of(base).get("__dict__"), value)
        if type(own) is dict:
            return own.get(name, MISSING)
    return MISSING
