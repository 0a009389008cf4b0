"""Which errors are the same fault.

An explicit fingerprint decides alone: ``fingerprint`` in the context, or on the exception.
Otherwise the fault is told by the exception's type, the user's own frames (failing those, all
frames), the types of the exceptions behind it, and the message without what varies: figures, ids,
whatever is quoted, and the ``path`` that an exception says it is about. Line numbers,
addresses, generated names, the depth of a recursion, and the folder a program was checked out to,
play no part.

A fingerprint names the version of this recipe. A change of the recipe is a new version: groups
made by different versions are different groups.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import PosixPath, WindowsPath
from typing import Any

from .chain import walk
from .clean import clean
from .frames import Place, home_of, places
from .message import message_of
from .peek import dict_of, first_items, traceback_of
from .text import text, type_name

__all__ = ["VERSION", "fingerprint"]

VERSION = "v1"
_KNOWN = 4096
_PARTS = 16  # of an explicit fingerprint
_LONGEST_PART = 1024  # characters

# How a pool of processes shows the traceback of a worker; not what the fault is.
_CARRIERS = {
    "concurrent.futures.process._RemoteTraceback",
    "multiprocessing.pool.RemoteTraceback",
}

_known: dict[tuple[object, ...], str] = {}


def fingerprint(
    error: BaseException, context: Mapping[str, object], message: str | None = None
) -> str:
    """The fingerprint of ``error``: ``v1:`` and 16 hexadecimal digits.

    ``message`` is what the error says of itself, where that has been asked already.
    """
    for explicit in (context.get("fingerprint"), dict_of(error).get("fingerprint")):
        if explicit is not None and (parts := _explicit(explicit)):
            return _digest("explicit", *parts)
    is_endless = issubclass(type(error), RecursionError)
    where = places(traceback_of(error))
    if is_endless:
        _forget_where_it_ended(where)
    # Places are objects that live long: hashing them is cheaper than hashing their names.
    behind = tuple([type_name(type(other)) for _, _, other in walk(error)])
    # Of an endless recursion, the interpreter says what it was doing when it had enough.
    said = "" if is_endless else message_of(error) if message is None else message
    said = clean(_without_path(error, said))
    key = (type_name(type(error)), tuple(where), behind, said)
    known = _known.get(key)
    if known is None:
        if len(_known) >= _KNOWN:
            _known.clear()
        kind = _at_home(key[0])
        known = _known[key] = _digest(kind, *_told(where), "behind", *_set(behind), "said", said)
    return known


def _without_path(error: BaseException, said: str) -> str:
    """``said`` without the path that the error knows of: no pattern tells where one ends."""
    path = dict_of(error).get("path")
    if type(path) in {PosixPath, WindowsPath}:
        path = str(path)
    return said.replace(path, "<path>") if type(path) is str and path else said


def _explicit(given: Any) -> list[str]:
    given = first_items([given] if issubclass(type(given), str) else given, _PARTS)
    kept = [text(part, _LONGEST_PART) for part in given if issubclass(type(part), str)]
    return kept if any(kept) else []


def _forget_where_it_ended(where: dict[Place, int]) -> None:
    """Of an endless recursion, leave out what the last round happened to call."""
    if max(where.values(), default=0) > 1:
        while next(reversed(where.values())) == 1:
            where.popitem()


def _told(where: Mapping[Place, int]) -> list[str]:
    own = [place for place in where if place.in_app] or where
    # Each place once: how deep a recursion went is not what the fault is.
    return list(dict.fromkeys(place.key for place in own))


def _set(types: tuple[str, ...]) -> list[str]:
    """Each type once, in order of name: members of a group fail in any order and number."""
    return sorted({_at_home(kind) for kind in types if kind not in _CARRIERS})


def _at_home(kind: str) -> str:
    """The name of a type when its module is imported, which it may have been run instead."""
    module, dot, name = kind.partition(".")
    main = sys.modules.get("__main__")
    return f"{home_of(module, vars(main))}.{name}" if dot and main else kind


def _digest(*parts: str) -> str:
    joined = "\x1f".join(parts).encode("utf-8", "backslashreplace")
    return f"{VERSION}:{hashlib.blake2b(joined, digest_size=8).hexdigest()}"
