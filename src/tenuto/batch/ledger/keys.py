"""How paths are kept in the ledger: as text where they are text, else as their bytes."""

from __future__ import annotations

import os
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Key", "Naming", "RealFolders", "folds_case", "from_key", "to_key"]

Key: TypeAlias = str | bytes

_MOST_FOLDERS = 10_000
"""That are remembered at once: inputs come folder by folder, mostly."""


def to_key(path: str) -> Key:
    """``path`` in a form that SQLite can hold and tell from every other."""
    if path.isascii():
        return path
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def from_key(key: Key) -> str:
    """The path that ``to_key`` made the key of."""
    return key if isinstance(key, str) else os.fsdecode(key)


@dataclass(frozen=True, slots=True)
class Naming:
    """Which names are one file.

    Where ``folds``, those that differ only in case, or in how accents are written; else none.
    """

    folds: bool

    def key(self, place: str) -> Key:
        """The same for all places that are one file."""
        if self.folds:
            plain = unicodedata.normalize("NFC", place)
            place = unicodedata.normalize("NFC", plain.casefold())
        return to_key(place)

    def pair(self, place: str | None) -> tuple[Key | None, Key | None]:
        """The key of ``place``, and ``place`` itself where that is another."""
        if place is None:
            return None, None
        key, itself = self.key(place), to_key(place)
        return key, None if key == itself else itself


def folds_case(folder: str) -> bool:
    """Whether names that differ only in case are one file in ``folder``. Changes nothing there.

    Found out by the name of the folder itself, or of the next one above that is there.
    """
    folder = os.path.abspath(folder)  # noqa: PTH100 - links are to stay
    while True:
        above, name = os.path.split(folder)
        if not name:
            return False
        other = os.path.join(above, name.swapcase())  # noqa: PTH118 - as above
        try:
            found = os.stat(folder)  # noqa: PTH116 - as above
            if name != name.swapcase():
                return os.path.samestat(found, os.stat(other))  # noqa: PTH116 - as above
        except FileNotFoundError:
            if os.path.lexists(folder):
                return False
        except OSError:
            return False
        folder = above


class RealFolders:
    """Resolves the links in the folders of paths, and remembers the folders it saw last."""

    def __init__(self) -> None:
        self._folders: OrderedDict[str, str] = OrderedDict()

    def path(self, path: str) -> str:
        """``path`` by the real name of its folder; if the file itself is a link, it stays one."""
        folder, name = os.path.split(path)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder)
            if len(self._folders) > _MOST_FOLDERS:
                self._folders.popitem(last=False)
        return os.path.join(real, name)  # noqa: PTH118 - strings are much faster
