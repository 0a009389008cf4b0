"""Which errors are the same fault.

An explicit fingerprint decides alone: ``fingerprint`` in the context, or on the exception.
Otherwise the fault is told by the exception's type, the user's own frames (failing those, all
frames), the types of the exceptions behind it, and the message without what varies. Line numbers,
addresses, generated names, and the folder a program was checked out to, play no part.

A fingerprint names the version of this recipe. A change of the recipe is a new version: groups
made by different versions are different groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .chain import walk
from .clean import clean
from .frames import Place, place_of, steps
from .safe import message_of, type_name

__all__ = ["VERSION", "fingerprint"]

VERSION = "v1"
_KNOWN = 4096

_known: dict[tuple[object, ...], str] = {}


def fingerprint(error: BaseException, context: Mapping[str, object]) -> str:
    """The fingerprint of ``error``: ``v1:`` and 16 hexadecimal digits."""
    explicit = context.get("fingerprint") or error.__dict__.get("fingerprint")
    if isinstance(explicit, str):
        return _digest("explicit", explicit)
    if isinstance(explicit, (list, tuple)):
        return _digest("explicit", *(part for part in explicit if isinstance(part, str)))
    # Places are objects that live long: hashing them is cheaper than hashing their names.
    where = tuple([place_of(step.tb_frame) for step in steps(error.__traceback__)])
    behind = tuple([type_name(type(other)) for _, _, other in walk(error)])
    parts = (type_name(type(error)), where, behind, clean(message_of(error)))
    known = _known.get(parts)
    if known is None:
        if len(_known) >= _KNOWN:
            _known.clear()
        kind, _, _, message = parts
        known = _known[parts] = _digest(kind, *_told(where), *_set(behind), message)
    return known


def _told(places: tuple[Place, ...]) -> list[str]:
    own = [place for place in places if place.in_app] or places
    # Each place once: how deep a recursion went is not what the fault is.
    return list(dict.fromkeys(place.key for place in own))


def _set(types: tuple[str, ...]) -> list[str]:
    """Each type once, in order of name: members of a group fail in any order and number."""
    return ["behind", *sorted(set(types)), "said"]


def _digest(*parts: str) -> str:
    joined = "\x1f".join(parts).encode("utf-8", "backslashreplace")
    return f"{VERSION}:{hashlib.blake2b(joined, digest_size=8).hexdigest()}"
